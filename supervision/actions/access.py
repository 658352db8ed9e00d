"""Supervisors' access: grants that follow the agreements, and are given and ended by nothing else."""

# ruff: noqa: S608 — statements are put together from constants of this module; every value is a parameter

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection
from django.db.models import Q
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action, upkeep
from hwbc.workforce.models import User
from hwbc.workforce.roles import SUPERVISORS, Can, Role
from supervision.models import Agreement, Supervisor

ROLES = {
    Agreement.Kind.LINE: Role.LINE_SUPERVISOR,
    Agreement.Kind.CLINICAL: Role.CLINICAL_SUPERVISOR,
    Agreement.Kind.HEALTH_COACHING: Role.COACHING_SUPERVISOR,
}


class Followed(NamedTuple):
    """How many grants were given, changed and ended."""

    given: int
    changed: int
    ended: int


@action("access.give_supervisor")
def give_access(actor: Actor, line: Line, *, supervisor: Supervisor, user: User) -> None:
    """A supervisor gets an account: they see whom they supervise, for as long as each agreement holds.

    Raises ValidationError for one who has another account already, whom no coach that the actor manages has agreed
    with, or whose recorded e-mail address is not the account's: whoever can open that account sees every supervisee.
    """
    now = Supervisor.objects.select_for_update(of=["self"], no_key=True).select_related("user").get(pk=supervisor.pk)
    if now.user is not None and now.user != user:
        raise ValidationError({"supervisor": f"{now.name} has access already, as {now.user.email}."})
    if now.email and now.email.lower() != user.email:
        raise ValidationError(
            {
                "email": f"The e-mail address recorded for {now.name} is {now.email}. Invite that address, or have "
                "the record corrected first."
            }
        )
    _one_after_the_other()
    agreed = Agreement.objects.filter(Q(ends_on=None) | Q(ends_on__gte=today()), supervisor=now, voided_at=None)
    coaches = set(agreed.values_list("coach_id", flat=True))
    if not coaches & (coaches if actor.job else actor.coaches(Can.INVITE)):
        raise ValidationError({"supervisor": f"{now.name} has no agreement with a coach whose access you manage."})
    Supervisor.objects.filter(pk=now.pk).update(user=user)
    followed = follow_agreements(coaches=sorted(coaches))
    line.about(now, user=str(user.uuid), access=followed._asdict())


# What agreements ask for on a day: one grant each, where the supervisor has an account, until the agreement is over.
# A supervisor's grant belongs to the PCN of the coach's present post, else of the latest one.
_ASKED = """
asked as materialized (
    select v.user_id, k.role, a.coach_id, p.pcn_id as organisation_id, a.starts_on, a.ends_on
      from supervision_agreement a
      join supervision_supervisor v on v.id = a.supervisor_id
      join workforce_user u on u.id = v.user_id and u.is_active
      join unnest(%(kinds)s::text[], %(roles)s::text[]) k (kind, role) on k.kind = a.kind
      join lateral (
        select o.pcn_id from workforce_post o
         where o.coach_id = a.coach_id and o.voided_at is null
         order by (o.starts_on <= %(day)s and (o.ends_on is null or o.ends_on >= %(day)s)) desc, o.starts_on desc, o.id
         limit 1) p on true
     where a.voided_at is null and (a.ends_on is null or a.ends_on >= %(day)s)
       and (%(coaches)s::bigint[] is null or a.coach_id = any(%(coaches)s::bigint[]))
)
"""
_SAME = "(g.user_id, g.role, g.coach_id, g.starts_on) = (a.user_id, a.role, a.coach_id, a.starts_on)"
# Only of coaches who are seen: where a coach is not, neither are the agreements that the grant would be compared with.
_THERE = """
    g.revoked_at is null and g.role = any(%(roles)s)
    and g.coach_id in (select id from workforce_coach)
    and (%(coaches)s::bigint[] is null or g.coach_id = any(%(coaches)s::bigint[]))
"""
# What is over by its date stays as it is, unless it stands in the way of an agreement whose first day was corrected.
_END = f"""
with {_ASKED}
update workforce_grant g set revoked_at = %(now)s
 where {_THERE} and not exists (select 1 from asked a where {_SAME})
   and (g.ends_on is null or g.ends_on >= %(day)s
        or exists (select 1 from asked a where (g.user_id, g.role, g.coach_id) = (a.user_id, a.role, a.coach_id)
                                           and a.starts_on <= g.ends_on))
"""
_CHANGE = f"""
with {_ASKED}
update workforce_grant g set ends_on = a.ends_on, organisation_id = a.organisation_id
  from asked a
 where {_THERE} and {_SAME} and (g.ends_on, g.organisation_id) is distinct from (a.ends_on, a.organisation_id)
"""
_GIVE = f"""
with {_ASKED}
insert into workforce_grant (uuid, user_id, role, coach_id, organisation_id, starts_on, ends_on, granted_at)
select gen_random_uuid(), a.user_id, a.role, a.coach_id, a.organisation_id, a.starts_on, a.ends_on, %(now)s
  from asked a
 where not exists (select 1 from workforce_grant g where {_THERE} and {_SAME})
"""


@upkeep("follows from agreements: the action that changed one has the line")
def follow_agreements(*, coaches: Sequence[int] | None = None) -> Followed:
    """Make supervisors' grants equal to the agreements: of these coaches, or of all that are seen.

    An agreement that holds today or later gives its supervisor, where they have an account, a grant for its days; one
    that is void or over ends the grant at once. Doing it twice changes nothing. Whatever changes agreements, posts or
    a supervisor's account calls this at its end.
    """
    parameters: dict[str, Any] = {
        "day": today(),
        "now": timezone.now(),
        "kinds": [kind.value for kind in ROLES],
        "roles": [role.value for role in SUPERVISORS],
        "coaches": list(coaches) if coaches is not None else None,
    }
    _one_after_the_other()
    with connection.cursor() as cursor:
        counts = []
        for statement in (_END, _CHANGE, _GIVE):  # in this order: a role is held once on a day
            cursor.execute(statement, parameters)
            counts.append(cursor.rowcount)
    ended, changed, given = counts
    return Followed(given, changed, ended)


def _one_after_the_other() -> None:
    """Whoever comes last sees what everybody before has changed. Always the last lock that is taken."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended('access of supervisors', 0))")
