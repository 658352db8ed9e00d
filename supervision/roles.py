"""Which role gives which kind of supervision: the one table between grants, agreements and meetings."""

from hwbc.workforce.access import Actor
from hwbc.workforce.models import Coach
from hwbc.workforce.roles import Can, Role
from supervision.models import Meeting, Supervisor

# A line manager also holds the appraisal.
GIVES: dict[Role, tuple[str, ...]] = {
    Role.LINE_SUPERVISOR: (Meeting.Kind.LINE, Meeting.Kind.APPRAISAL),
    Role.CLINICAL_SUPERVISOR: (Meeting.Kind.CLINICAL,),
    Role.COACHING_SUPERVISOR: (Meeting.Kind.HEALTH_COACHING,),
}


def kinds(actor: Actor, coach_id: int) -> tuple[str, ...]:
    """The kinds of meeting that the actor may record for a coach, in the order of `Meeting.Kind`."""
    given = {
        kind
        for grant in actor.grants
        if grant.allows(Can.RECORD_MEETINGS) and coach_id in grant.coaches
        for kind in GIVES.get(grant.role, ())
    }
    return tuple(kind for kind in Meeting.Kind.values if kind in given)


def is_themself(supervisor: Supervisor, coach: Coach) -> bool:
    """Whether supervisor and coach are one person: nobody is their own supervisor (rules, section 6)."""
    return supervisor.coach_id == coach.pk or (coach.user_id is not None and supervisor.user_id == coach.user_id)
