"""Receiving a referral, giving it to a coach through the gate, handing it back, closing it."""

from datetime import date
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.formats import date_format

from coaching.models import Allocation, CoachingSession, Referral
from coaching.queries import LATEST, eligible, hold, left, readiness, whose_case
from coaching.rules import Missing, holds_nhs_number
from coaching.sentences import missing_piece
from hwbc.kit.periods import today
from hwbc.kit.templatetags.nhsuk import clock
from hwbc.standards.actions import tell
from hwbc.standards.models import Notification
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.audit import ActionRefused, Line, action
from hwbc.workforce.models import Coach, Organisation
from hwbc.workforce.recording import Faults, happened, tidy
from hwbc.workforce.roles import Can
from training.actions import record_exemption
from training.models import Exemption


class AlreadyAllocated(ActionRefused):
    """A coach has the referral already; the sentence says who gave it to whom, and when."""

    def __init__(self, allocation: Allocation, coach: str) -> None:
        self.allocation = allocation
        by = allocation.allocated_by.name if allocation.allocated_by else "An import"
        when = f"{date_format(allocation.recorded_at)} at {clock(allocation.recorded_at)}"
        message = f"{by} gave this referral to {coach} on {when}."
        super().__init__(message, "already_allocated", allocation=str(allocation.uuid))


class NotReady(ActionRefused):
    """The gate's no: the coach may not take a referral on this day, and what is missing."""

    def __init__(self, coach: Coach, missing: Missing) -> None:
        self.coach, self.missing = coach, missing
        message = f"{coach.name} is not ready for referrals: {missing_piece(missing)}."
        super().__init__(message, "not_ready", missing=missing.code)


@action("referral.receive")
def receive(
    actor: Actor,
    line: Line,
    *,
    pcn: Organisation,
    source: str,
    priority: str,
    received_on: date,
    reference: str,
    practice: Organisation | None = None,
) -> Referral:
    """Write down that a referral has reached a PCN, without saying who the person is.

    `reference` is the one by which the service finds the person in its own records. It is unique among the references
    with which the PCN's referrals were imported, so that a later workbook means the same referral by it.
    Raises ValidationError, by field.
    """
    if pcn.pk not in actor.pcns(Can.ALLOCATE):
        raise Refused(Can.ALLOCATE)
    reference = reference.strip()
    imported = Referral.objects.filter(pcn=pcn, imported=True).exclude(register=None).order_by("-id").first()
    referral = Referral(
        register_id=imported.register_id if imported else pcn.pk,
        reference=reference,
        reference_key=reference.casefold(),
        pcn=pcn,
        practice=practice,
        source=source,
        priority=priority,
        received_on=received_on,
    )
    _check_received(referral)
    tidy(referral)
    try:
        line.insert(referral)
    except ValidationError as fault:  # one that the actor does not see, or a moment ago
        sentence = f"The reference {referral.reference} is taken already. Choose another."
        raise ValidationError({"reference": sentence}) from fault
    line.about(referral, at=pcn, source=source, priority=priority)
    return referral


def _check_received(referral: Referral) -> None:
    faults = Faults()
    practice = referral.practice
    if practice and (practice.kind != Organisation.Kind.PRACTICE or practice.parent_id != referral.pcn_id):
        faults.add("practice", f"{practice.name} is not a practice of {referral.pcn.name}.")
    happened(faults, "received_on", referral.received_on)
    if not referral.reference:
        faults.add("reference", "Enter the reference by which you find the person in your own records.")
    elif max(len(referral.reference), len(referral.reference_key)) > 100:
        faults.add("reference", "Shorten the reference to 100 characters or fewer.")
    elif holds_nhs_number(referral.reference):
        faults.add("reference", "This looks like an NHS number. Use a reference that does not say who the person is.")
    elif Referral.objects.filter(register_id=referral.register_id, reference_key=referral.reference_key).exists():
        faults.add("reference", f"There is a referral {referral.reference} already. Open it, or correct the reference.")
    faults.stop()


@action("referral.allocate")
def allocate(actor: Actor, line: Line, *, referral: Referral, coach: Coach, day: date, version: int) -> Allocation:
    """Give a referral that waits to a coach, today, through the gate (rules, "Referral-ready"; R-030).

    One that waits because its coach's post has ended changes hands: the allocation to them ends with it.
    What only warns is recorded with the allocation (`warnings`). The gate is asked when nothing that its answer rests
    on can be taken away before this transaction ends. Raises AlreadyAllocated, NotReady, or ActionRefused (closed, no
    post at the PCN, another day than today), each kept in the audit; Stale when it was changed since it was read.
    """
    return _allocate(actor, line, referral, coach, day, version)


def _allocate(actor: Actor, line: Line, referral: Referral, coach: Coach, day: date, version: int) -> Allocation:
    referral = _locked(actor, referral, Can.ALLOCATE)
    if coach.pk not in actor.coaches(Can.ALLOCATE):
        raise Refused(Can.ALLOCATE)
    facts = {"coach": str(coach.uuid), "day": day.isoformat()}
    line.about(referral, at=referral.pcn_id, **facts)
    line.concerns(coach.pk)
    if day != today():
        raise ActionRefused("A referral is given to a coach today: not for a day to come or gone by.", "not_today")
    if referral.closed_on is not None:
        raise ActionRefused(f"This referral was closed on {date_format(referral.closed_on)}.", "closed")
    taken = _open(referral)
    _hold(coach, taken)
    if taken is not None and not left([taken.pk], day, LATEST):
        holder = Coach.objects.filter(pk=taken.coach_id).first()
        raise AlreadyAllocated(taken, holder.name if holder else "a coach of another PCN")
    found = eligible(referral.pcn_id, day, LATEST, coaches=[coach.pk])
    if not found:
        message = f"{coach.name} has no post at {referral.pcn.name} on {date_format(day)}."
        raise ActionRefused(message, "no_post_here")
    [chosen] = found
    if chosen.readiness.missing is not None:
        raise NotReady(coach, chosen.readiness.missing)
    line.change(referral, version)
    if taken is not None:
        line.end(taken, None, day)
        facts |= {"ended": str(taken.uuid), "because": "post_ended"}
    allocation = line.insert(
        Allocation(
            referral=referral,
            pcn_id=referral.pcn_id,
            coach=coach,
            starts_on=day,
            allocated_by_id=actor.user_id,
            warnings=list(chosen.warnings),
        )
    )
    if user := coach.user_id:
        tell(
            [user],
            kind=Notification.Kind.REFERRAL_ALLOCATED,
            key=str(allocation.uuid),
            coach=coach.pk,
            record=referral.uuid,
        )
    gate = {"gate": chosen.readiness.answer.reason, "warnings": allocation.warnings}
    line.about(referral, at=referral.pcn_id, allocation=str(allocation.uuid), **facts, **gate)
    line.concerns(coach.pk)
    return allocation


def _hold(coach: Coach, taken: Allocation | None) -> None:
    """Neither what says that the coach is ready may change, nor what says that whoever has the referral has left."""
    hold([coach.pk] if taken is None else [coach.pk, taken.coach_id])


@action("referral.override")
def override(
    actor: Actor, line: Line, *, coach: Coach, starts_on: date, ends_on: date, reason: str, uuid: UUID | None = None
) -> Exemption:
    """Let an untrained coach take referrals for a while: it is the exemption from training.before_referrals (A-04).

    From today or later on, so that no referral taken before is made good by it. Raises ValidationError by field, and
    Refused for whoever may not, and for one's own.
    """
    if starts_on < today():
        raise ValidationError({"starts_on": "It is for referrals to come: choose today or a later day."})
    exemption = _exempt(actor, coach, starts_on, ends_on, reason, uuid)
    line.about(exemption, coach=str(coach.uuid), ends_on=ends_on.isoformat())
    return exemption


@action("referral.allocate_with_override")
def allocate_with_override(
    actor: Actor,
    line: Line,
    *,
    referral: Referral,
    coach: Coach,
    day: date,
    version: int,
    ends_on: date,
    reason: str,
) -> Allocation:
    """Give a referral to a coach who is not ready, with an override from today on: both or neither.

    A coach who is ready by then needs none, and none is recorded. Raises what `allocate` and `override` raise.
    """
    _hold(coach, _open(_locked(actor, referral, Can.ALLOCATE)))
    needed = not readiness([coach.pk], day, LATEST)[coach.pk].ready
    exemption = _exempt(actor, coach, day, ends_on, reason) if needed else None
    allocation = _allocate(actor, line, referral, coach, day, version)
    if exemption is not None:
        line.facts["override"] = str(exemption.uuid)
    return allocation


def _exempt(
    actor: Actor, coach: Coach, starts_on: date, ends_on: date, reason: str, uuid: UUID | None = None
) -> Exemption:
    rule = Exemption.BEFORE_REFERRALS
    return record_exemption(
        actor, coach=coach, rule=rule, starts_on=starts_on, ends_on=ends_on, reason=reason, uuid=uuid
    )


@action("referral.hand_back")
def hand_back(actor: Actor, line: Line, *, referral: Referral, version: int) -> Allocation:
    """A coach has the referral no more, from the end of today: it waits for another. Returns the ended allocation.

    By the coach who has it, or by whoever hands out referrals there. Raises ValidationError when no coach has it, and
    Stale.
    """
    referral = _locked(actor, referral, Can.SEE_WORK)
    allocation = _may_end(actor, referral)
    line.unchanged(referral, version)
    if allocation is None:
        raise ValidationError("No coach has this referral: it waits already.")
    line.change(referral, version)
    line.about(referral, at=referral.pcn_id, allocation=str(allocation.uuid))
    line.concerns(allocation.coach_id)
    return line.end(allocation, None, today())


@action("referral.hand_back_all")
def hand_back_all(actor: Actor, line: Line, *, coach: Coach) -> int:
    """A coach leaves: every referral that they have where the actor gives and ends access waits from today's end on.

    Answers how many. For suspending somebody, whoever does that; the cases of other PCNs stay where they are.
    """
    pcns = actor.pcns(Can.INVITE)
    held = Allocation.objects.filter(coach=coach, pcn__in=pcns, ends_on=None, voided_at=None).values("referral")
    referrals = list(
        Referral.objects.filter(pk__in=held, voided_at=None).select_for_update(of=("self",), no_key=True).order_by("pk")
    )
    for referral in referrals:
        if (allocation := _open(referral)) is not None and allocation.coach_id == coach.pk:
            line.change(referral, None)
            line.end(allocation, None, max(today(), allocation.starts_on))
    line.about(coach, referrals=[str(referral.uuid) for referral in referrals])
    line.concerns(coach.pk)
    return len(referrals)


@action("referral.close")
def close(actor: Actor, line: Line, *, referral: Referral, outcome: str, closed_on: date, version: int) -> Referral:
    """A referral has ended, and with it the allocation of the coach who has it.

    By the coach who has it, or by whoever hands out referrals there. Raises ValidationError, by field; Stale, with both
    texts, when it was changed since it was read.
    """
    referral = _locked(actor, referral, Can.SEE_WORK)
    allocation = _may_end(actor, referral)
    line.unchanged(referral, version, closed_on=closed_on, outcome=outcome)
    if referral.closed_on is not None:
        raise ValidationError(f"This referral was closed on {date_format(referral.closed_on)}.")
    _check_ending(referral, outcome, closed_on)
    referral = line.change(referral, version, closed_on=closed_on, outcome=outcome)
    if allocation is not None:
        line.end(allocation, None, closed_on)
    line.about(referral, at=referral.pcn_id, outcome=outcome)
    line.concerns(whose_case(referral))
    return referral


def _check_ending(referral: Referral, outcome: str, closed_on: date) -> None:
    faults = Faults()
    if outcome not in Referral.Outcome.values:
        faults.add("outcome", "Choose how the referral ended.")
    allocations = Allocation.objects.filter(referral=referral, voided_at=None).values_list("starts_on", "ends_on")
    sessions = CoachingSession.objects.filter(referral=referral, voided_at=None).values_list("held_on", flat=True)
    known = [
        (referral.received_on, "it was received"),
        *((day, "it changed hands") for days in allocations for day in days if day is not None),
        *((day, "a session is recorded") for day in sessions),
    ]
    earliest, what = max(known)
    happened(faults, "closed_on", closed_on)
    if closed_on < earliest:
        sentence = f"It cannot have been closed before {date_format(earliest)}, when {what}. Correct the date."
        faults.add("closed_on", sentence)
    faults.stop()


def _locked(actor: Actor, referral: Referral, can: Can) -> Referral:
    """The referral as it is now, held until the transaction ends. Raises Refused where the actor does not reach it."""
    rows = Referral.objects.for_actor(actor, can).filter(voided_at=None)
    found: Referral | None = rows.select_for_update(of=("self",)).filter(pk=referral.pk).first()
    if found is None:
        raise Refused(can)
    return found


def _open(referral: Referral) -> Allocation | None:
    return (
        Allocation.objects.filter(referral=referral, ends_on=None, voided_at=None)
        .select_related("allocated_by")
        .first()
    )


def _may_end(actor: Actor, referral: Referral) -> Allocation | None:
    """The open allocation of a referral that the actor may end: it is theirs, or they hand out referrals there."""
    allocation = _open(referral)
    own = allocation is not None and allocation.coach_id in actor.own(Can.LOG_SESSIONS)
    if not own and referral.pcn_id not in actor.pcns(Can.ALLOCATE):
        raise Refused(Can.ALLOCATE)
    return allocation
