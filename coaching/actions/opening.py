"""Breaking the glass: opening a case that is not one's own, with a reason that stays."""

from datetime import date, timedelta

from django.core.exceptions import ValidationError
from django.db.models import Exists, OuterRef, Q
from django.db.models.fields import CharField
from django.db.models.functions import Cast

from coaching.models import Allocation, Opening, Referral
from coaching.queries import whose_case
from hwbc.kit.periods import today
from hwbc.standards.actions import tell
from hwbc.standards.models import Notification
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.audit import Line, action, upkeep
from hwbc.workforce.queries import holding
from hwbc.workforce.roles import Can, Role


@action("case.open")
def open_case(actor: Actor, line: Line, *, referral: Referral, reason: str) -> Opening:
    """Open a case of a PCN where the actor may see patients, to the end of today, for a reason that others will read.

    The same case again on the same day is one opening, with its first reason. Raises ValidationError for a reason that
    says nothing, and Refused.
    """
    if actor.user_id is None or referral.pcn_id not in actor.around(Can.SEE_PATIENTS):
        raise Refused(Can.SEE_PATIENTS)
    said = " ".join(reason.split())
    if len(said) < Opening.SHORTEST_REASON:
        raise ValidationError({"reason": "Say in a few words why you need to open this case."})
    if len(said) > Opening.REASON_LENGTH:
        raise ValidationError({"reason": f"The reason must be {Opening.REASON_LENGTH} characters or fewer."})
    mine = {"user_id": actor.user_id, "referral": referral, "day": today()}
    opening = Opening.objects.filter(**mine).first()
    again = opening is not None
    if opening is None:
        opening = line.insert(Opening(pcn_id=referral.pcn_id, reason=said, **mine))
    line.about(referral, at=referral.pcn_id, opening=str(opening.uuid), again=again)
    line.concerns(whose_case(referral))
    return opening


@upkeep("follows from an opening, which is in the audit; each row is itself the record of who was told")
def tell_of_openings(*, day: date) -> int:
    """Tell the managers of the PCN, and the coach who has the case, that somebody opened it; answers of how many.

    Each is told once, whoever opened it never. The walls are lifted by the caller.
    """
    kind = Notification.Kind.CASE_OPENED
    told = Notification.objects.filter(kind=kind, key=Cast(OuterRef("uuid"), CharField()))
    openings = Opening.objects.filter(~Exists(told), day__gte=day - timedelta(days=7)).select_related("referral")
    for opening in openings:
        managers = holding(opening.day, Role.PCN_MANAGER, organisation=opening.pcn_id).values_list("user", flat=True)
        live = Q(ends_on=None) | Q(ends_on__gte=opening.day)
        coaches = Allocation.objects.filter(
            live, referral=opening.referral, voided_at=None, coach__user__is_active=True
        ).values_list("coach__user", flat=True)
        about = {"kind": kind, "key": str(opening.uuid), "record": opening.referral.uuid}
        tell({*managers} - {opening.user_id}, **about, facts={"as": "manager"})
        tell({*coaches} - {*managers, opening.user_id}, **about, facts={"as": "coach"})
    return len(openings)
