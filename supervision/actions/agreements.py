"""Who supervises whom: agreements, the register of supervisors, and what supervisors have shown."""

from copy import copy
from datetime import date
from decimal import Decimal
from uuid import UUID, uuid4

from django.core.exceptions import ValidationError
from django.utils.formats import date_format

from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Coach, Organisation
from hwbc.workforce.recording import (
    Faults,
    NotTheirs,
    happened,
    holds,
    last_day,
    reached,
    sent_before,
    tidy,
    withdraw,
)
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import content, latest
from supervision.actions.access import follow_agreements
from supervision.models import Agreement, Evidence, Supervisor
from supervision.roles import is_themself


def _agreements_changed(actor: Actor, coach: Coach) -> None:
    """When a coach's agreements have changed, the access of their supervisors follows in the same transaction."""
    follow_agreements(coaches=[coach.pk])


# --- Agreements -------------------------------------------------------------------------------------------------------


@action("agreement.agree")
def agree(
    actor: Actor,
    line: Line,
    *,
    coach: Coach,
    kind: str,
    supervisor: Supervisor,
    starts_on: date,
    ends_on: date | None = None,
    uuid: UUID | None = None,
) -> Agreement:
    """Name a coach's supervisor of a kind, from a day on. The same `uuid` again returns the agreement that it made.

    Raises ValidationError by field, and Refused.
    """
    pcn = reached(actor, Can.RECORD, coach, starts_on)
    agreement = Agreement(
        uuid=uuid or uuid4(), coach=coach, kind=kind, supervisor=supervisor, starts_on=starts_on, ends_on=ends_on
    )
    tidy(agreement)
    sent = sent_before(agreement)
    if sent is None:
        faults = Faults()
        if is_themself(latest(supervisor), coach):  # as they are now that nobody else writes about the coach
            faults.add("supervisor", "Nobody is their own supervisor: name somebody else.")
        holds(faults, agreement, "agreement", "coach", "kind")
        faults.stop()
        line.insert(agreement)
        _agreements_changed(actor, coach)
    agreement = sent or agreement
    line.about(agreement, at=pcn, coach=str(coach.uuid), kind=kind, supervisor=str(supervisor.uuid), again=bool(sent))
    return agreement


@action("agreement.end")
def end_agreement(actor: Actor, line: Line, *, agreement: Agreement, ends_on: date | None, version: int) -> Agreement:
    """Record the last day of an agreement; None: it goes on after all. Raises ValidationError, Refused and Stale."""
    pcn = reached(actor, Can.RECORD, agreement.coach, agreement.starts_on)
    ended = last_day(line, agreement, version, ends_on, "agreement", "coach", "kind")
    _agreements_changed(actor, agreement.coach)
    line.about(
        ended,
        at=pcn,
        coach=str(agreement.coach.uuid),
        kind=agreement.kind,
        ends_on=str(ends_on or ""),
        was=str(agreement.uuid),
    )
    return ended


@action("agreement.void")
def void_agreement(actor: Actor, line: Line, *, agreement: Agreement, because: str, version: int) -> None:
    """An agreement was recorded that never was. Raises ValidationError, Refused and Stale."""
    pcn = reached(actor, Can.RECORD, agreement.coach, agreement.starts_on)
    withdraw(actor, line, agreement, because, version)
    _agreements_changed(actor, agreement.coach)
    line.about(agreement, at=pcn, coach=str(agreement.coach.uuid), kind=agreement.kind)


# --- Supervisors ------------------------------------------------------------------------------------------------------


@action("supervisor.add")
def add_supervisor(
    actor: Actor,
    line: Line,
    *,
    register: Organisation | None = None,
    name: str,
    role: str,
    email: str = "",
    organisation: Organisation | None = None,
    coach: Coach | None = None,
    uuid: UUID | None = None,
) -> Supervisor:
    """Add a supervisor to the register of a place of the actor's, whose keepers may change them from then on.

    `organisation`: who employs them. `coach`: who they are where they are a coach here. The same `uuid` again returns
    the supervisor that it made. Raises ValidationError by field, and Refused.
    """
    if not actor.job and (register is None or register.pk not in actor.nodes(Can.KEEP_SUPERVISORS)):
        raise Refused(Can.KEEP_SUPERVISORS)
    if register is not None:
        Organisation.objects.select_for_update(no_key=True).get(pk=register.pk)  # one at a time to a register
    supervisor = Supervisor(
        uuid=uuid or uuid4(),
        register=register,
        name=name,
        role=role,
        email=email.lower(),
        organisation=organisation,
        coach=coach,
    )
    if coach is not None:
        reached(actor, Can.SEE_STANDING, coach)
    tidy(supervisor)
    sent = sent_before(supervisor)
    supervisor = sent or line.insert(supervisor)
    line.about(supervisor, at=register, role=role, again=bool(sent))
    return supervisor


@action("supervisor.change")
def change_supervisor(
    actor: Actor,
    line: Line,
    *,
    supervisor: Supervisor,
    version: int,
    name: str,
    role: str,
    email: str,
    organisation: Organisation | None,
    coach: Coach | None,
) -> Supervisor:
    """Change a supervisor of a register of the actor's. What has no date holds, as it is then, for every day.

    Raises ValidationError by field, Refused, and Stale where somebody else has changed them since.
    """
    can = Can.KEEP_SUPERVISORS
    if not actor.can(can):
        raise Refused(can)
    if supervisor.register_id not in actor.nodes(can):
        raise NotTheirs(can, f"{supervisor.name} stands in the register of another place.")
    now = latest(supervisor)
    if coach is not None and coach.pk != now.coach_id:
        reached(actor, Can.SEE_STANDING, coach)  # who writes an agreement of theirs waits meanwhile
        _check_no_agreement(now, coach)
    changed = copy(now)
    changed.name, changed.role, changed.email = name, role, email.lower()
    changed.organisation, changed.coach = organisation, coach
    tidy(changed)
    before = content(now)
    new = {field: value for field, value in content(changed).items() if value != before[field]}
    if new:  # nothing new: the same form sent twice
        now = line.change(supervisor, version, **new)
    line.about(now, at=now.register_id, changed=sorted(new))
    return now


def _check_no_agreement(supervisor: Supervisor, coach: Coach) -> None:
    """Who is to be this supervisor has no agreement with them: nobody is their own supervisor."""
    theirs = Agreement.objects.filter(coach=coach, supervisor=supervisor, voided_at=None).first()
    if theirs is not None:
        raise ValidationError(
            {
                "coach": f"{coach.name} has an agreement with this supervisor from {date_format(theirs.starts_on)}: "
                "nobody is their own supervisor. Choose another coach, or void the agreement."
            }
        )


# --- What supervisors have shown --------------------------------------------------------------------------------------


@action("evidence.record")
def record_evidence(
    actor: Actor,
    line: Line,
    *,
    supervisor: Supervisor,
    kind: str,
    evidenced_on: date,
    number: Decimal | float | None = None,
    text: str = "",
) -> Evidence:
    """Record what a supervisor has shown: a number, or for own supervision with whom (`text`).

    The same answers sent again return the evidence that is there. Raises ValidationError by field, and Refused.
    """
    _reach_supervisor(actor, supervisor)
    evidence = Evidence(supervisor=supervisor, kind=kind, number=number, text=text, evidenced_on=evidenced_on)
    tidy(evidence)
    sent = sent_before(evidence)
    if sent is None:
        _faults(evidence).stop()
        line.insert(evidence)
    evidence = sent or evidence
    line.about(evidence, at=supervisor.register_id, supervisor=str(supervisor.uuid), kind=kind, again=bool(sent))
    return evidence


@action("evidence.void")
def void_evidence(actor: Actor, line: Line, *, evidence: Evidence, because: str) -> None:
    """What was recorded was not shown. Raises ValidationError, Refused, and Stale where it is void already."""
    _reach_supervisor(actor, evidence.supervisor)
    withdraw(actor, line, evidence, because)
    supervisor = evidence.supervisor
    line.about(evidence, at=supervisor.register_id, supervisor=str(supervisor.uuid), kind=evidence.kind)


def _reach_supervisor(actor: Actor, supervisor: Supervisor) -> None:
    """Evidence is recorded by who keeps the supervisor's register, or whose coaches they supervise; one at a time."""
    can = Can.KEEP_SUPERVISORS
    if not actor.can(can):
        raise Refused(can)
    if supervisor.register_id not in actor.nodes(can):
        agreements = Agreement.objects.filter(supervisor=supervisor, voided_at=None, coach__in=actor.coaches(can))
        if not agreements.exists():
            raise NotTheirs(can, f"{supervisor.name} supervises none of your coaches.")
    Supervisor.objects.select_for_update(no_key=True).get(pk=supervisor.pk)


def _faults(evidence: Evidence) -> Faults:
    faults = Faults()
    if evidence.kind == Evidence.Kind.OWN_SUPERVISION:
        if evidence.number is not None:
            faults.add("number", "Own supervision has no number: leave it empty, and say with whom it is.")
    elif evidence.number is None or evidence.number < 0:
        faults.add("number", "Enter the number that was shown: 0 or more.")
    happened(faults, "evidenced_on", evidence.evidenced_on)
    same = Evidence.objects.filter(
        supervisor=evidence.supervisor, kind=evidence.kind, evidenced_on=evidence.evidenced_on, voided_at=None
    ).first()
    if same is not None:
        faults.add(
            "evidenced_on",
            f"{same.get_kind_display()} of {date_format(same.evidenced_on)} is recorded already: "
            f"{same.text or same.number}. Void that one first, if it is wrong.",
        )
    return faults
