"""A coach's post has ended, and referrals of theirs wait: managers are told."""

from datetime import date

from coaching.queries import left_behind
from hwbc.standards.actions import tell
from hwbc.standards.models import Notification
from hwbc.workforce.audit import upkeep
from hwbc.workforce.queries import holding
from hwbc.workforce.roles import Role


@upkeep("follows from a post's last day, which is in the audit; each row is itself the record of who was told")
def tell_of_leavers(*, day: date) -> int:
    """Tell the managers of a PCN that a coach whose post there has ended has open cases; answers of how many coaches.

    Once a coach and last day, however it came to be known. The walls are lifted by the caller.
    """
    kind = Notification.Kind.CASES_LEFT
    found = left_behind(day)
    about = Notification.objects.filter(kind=kind, key__in=[each.key for each in found])
    told = set(about.values_list("key", flat=True))
    untold = [each for each in found if each.key not in told]
    for each in untold:
        tell(
            holding(day, Role.PCN_MANAGER, organisation=each.pcn).values_list("user", flat=True),
            kind=kind,
            key=each.key,
            coach=each.coach,
            facts={"ended_on": each.last_day.isoformat(), "cases": each.cases},
        )
    return len(untold)
