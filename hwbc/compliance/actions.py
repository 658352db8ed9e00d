"""The only code that writes for pages that span all apps: files that leave the service, deputies, whoever leaves."""

from datetime import date, datetime, timedelta
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db.models import Q
from django.utils.formats import date_format

from coaching.actions.referrals import hand_back_all
from coaching.queries import readiness
from coaching.sentences import missing_piece
from hwbc.kit.periods import today
from hwbc.standards.actions import tell
from hwbc.standards.models import Notification
from hwbc.workforce.access import Actor, Refused, has_access_elsewhere
from hwbc.workforce.actions import let_in, revoke, shut_out
from hwbc.workforce.actions.factors import end_all
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Coach, Grant, User
from hwbc.workforce.queries import may_stand_in
from hwbc.workforce.roles import DEPUTY_MAY, SUPERVISORS, Can, Role
from supervision.actions.access import follow_agreements

LONGEST_DEPUTY = timedelta(days=366)


OF_PATIENTS = ("caseload",)  # lists with what was said to a coach; the others name nobody who is coached


@action("export.list", reads=True)
def record_export(
    actor: Actor,
    line: Line,
    *,
    name: str,
    form: str,
    coaches: int | None,
    rows: int,
    day: date,
    known: datetime | None,
    at: int | None,
    filters: dict[str, str | bool],
) -> None:
    """A list was exported as a file: how much of it, about how many coaches, as at which day, narrowed to what.

    `at`: the place that the file is about, where it is one. `filters`: codes; of a name only that one was searched for.
    """
    line.what = f"export.{name}"
    line.kind = f"{name}.{form}"
    line.organisation_id = at or line.organisation_id
    line.patients = name in OF_PATIENTS
    line.facts = {
        "coaches": coaches,
        "rows": rows,
        "day": day.isoformat(),
        "known": known.isoformat() if known else None,
        "filters": filters,
    }


# --- Deputies --------------------------------------------------------------------------------------------------------


@action("access.deputy")
def name_deputy(actor: Actor, line: Line, *, grant: Grant, user: User, starts_on: date, ends_on: date) -> Grant:
    """For a while, somebody stands in for whoever holds a grant: a manager, an administrator, or a coach with cases.

    What they may is `roles.DEPUTY_MAY`; it ends by itself, and with the access that it stands in for. Whoever looks
    after a coach's cases is a coach of the same PCN and ready for referrals themself (R-030). Raises ValidationError by
    field, and Refused.
    """
    if grant.organisation_id not in actor.nodes(Can.INVITE):
        raise Refused(Can.INVITE)
    _may_be_stood_in_for(grant)
    if user not in may_stand_in(actor, grant, today()):
        raise ValidationError({"deputy": f"{user.name} cannot stand in here: choose one of those offered."})
    if starts_on < max(today(), grant.starts_on):
        raise ValidationError({"starts_on": f"Choose {date_format(max(today(), grant.starts_on))} or later."})
    if ends_on < starts_on:
        raise ValidationError({"ends_on": "The last day must be the first day, or later."})
    if ends_on > starts_on + LONGEST_DEPUTY:
        raise ValidationError({"ends_on": "A deputy stands in for a year at most. Choose an earlier day."})
    if grant.ends_on is not None and ends_on > grant.ends_on:
        raise ValidationError({"ends_on": f"{grant.user.name}’s own access ends on {date_format(grant.ends_on)}."})
    if grant.role == Role.COACH:
        _ready(user, starts_on)
    deputy = Grant(
        user=user,
        role=grant.role,
        organisation=grant.organisation,
        coach=grant.coach,
        deputises=grant,
        starts_on=starts_on,
        ends_on=ends_on,
    )
    deputy.clean_fields()
    deputy = _there(deputy) or line.insert(deputy)
    days = {"from": starts_on.isoformat(), "until": ends_on.isoformat()}
    line.about(deputy, at=grant.organisation_id, user=str(user.uuid), stands_in_for=str(grant.uuid), **days)
    facts = {"role": str(grant.role), **days}
    tell([user.pk], kind=Notification.Kind.DEPUTY_NAMED, key=str(deputy.uuid), facts=facts)
    return deputy


def _may_be_stood_in_for(grant: Grant) -> None:
    if grant.role not in DEPUTY_MAY:
        raise ValidationError({"grant": f"Nobody can stand in for a {grant.get_role_display()}."})
    over = grant.ends_on is not None and grant.ends_on < today()
    if grant.deputises_id is not None or grant.revoked_at is not None or over or not grant.user.is_active:
        raise ValidationError({"grant": "This access is over, or is a deputy’s itself. Choose another."})


def _there(deputy: Grant) -> Grant | None:
    """The same deputy, if the form was sent before. Raises ValidationError where they have the role for themself."""
    live = Q(ends_on=None) | Q(ends_on__gte=deputy.starts_on)
    there = Grant.objects.filter(
        live,
        user=deputy.user,
        role=deputy.role,
        organisation=deputy.organisation,
        coach=deputy.coach,
        starts_on__lte=deputy.ends_on,
        revoked_at=None,
    ).first()
    same = ("deputises_id", "starts_on", "ends_on")
    if there is not None and any(getattr(there, name) != getattr(deputy, name) for name in same):
        raise ValidationError(
            {"deputy": f"{deputy.user.name} is {deputy.get_role_display()} here already, on all or some of these days."}
        )
    return there


def _ready(user: User, day: date) -> None:
    own = Coach.objects.filter(user=user).first()
    assert own is not None  # a colleague who may stand in for a coach is one
    answer = readiness([own.pk], day)[own.pk]
    if answer.missing is not None:
        piece = missing_piece(answer.missing)
        raise ValidationError({"deputy": f"{user.name} is not ready for referrals on {date_format(day)}: {piece}."})


# --- Whoever leaves --------------------------------------------------------------------------------------------------


class Suspended(NamedTuple):
    """What suspending somebody came to: roles ended, cases that wait now, whether they still sign in elsewhere."""

    roles: int
    cases: int
    elsewhere: bool


@action("access.suspend")
def suspend(actor: Actor, line: Line, *, user: User) -> Suspended:
    """Somebody leaves, or has to be kept out: at once they cannot sign in, and nothing that is recorded is lost.

    Their roles where the actor gives and ends access end, with those of their deputies; their open cases there wait for
    another coach. Somebody with access elsewhere keeps the account for that alone. A supervisor's access follows the
    agreements, which stand: it is shut while they cannot sign in.
    Raises ValidationError for oneself, for the last manager of a PCN, for somebody suspended already; and Refused.
    """
    theirs = Grant.objects.for_actor(actor, Can.INVITE).filter(user=user)
    if not theirs.exists():
        raise Refused(Can.INVITE)
    if user.pk == actor.user_id:
        raise ValidationError("Nobody suspends themself. Ask somebody else who gives access here.")
    live = Q(ends_on=None) | Q(ends_on__gte=today())
    ending = list(
        theirs.filter(live, revoked_at=None).exclude(role__in=SUPERVISORS).select_related("user", "organisation")
    )
    elsewhere = has_access_elsewhere(user, actor, today())
    if not user.is_active or (elsewhere and not ending):
        raise ValidationError(f"{user.name} has no access here that could be ended.")
    roles = revoke(actor, grants=ending)
    if not elsewhere:
        end_all(user=user)
        shut_out(user=user)
        follow_agreements()
    own = Coach.objects.filter(user=user).first()
    cases = hand_back_all(actor, coach=own) if own is not None else 0
    line.about(user, roles=roles, cases=cases, elsewhere=elsewhere)
    return Suspended(roles, cases, elsewhere)


@action("access.restore")
def restore(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody who was suspended may sign in again. Their roles are given anew; supervisors' follow their agreements.

    Raises ValidationError for somebody who is not suspended; and Refused.
    """
    if not Grant.objects.for_actor(actor, Can.INVITE).filter(user=user).exists():
        raise Refused(Can.INVITE)
    if user.is_active:
        raise ValidationError(f"{user.name} is not suspended.")
    let_in(user=user)
    follow_agreements()
    line.about(user)
