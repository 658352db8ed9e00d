"""The only code that ends a session that has lasted too long, and that writes drafts.

Drafts leave no audit line: they are somebody's own until they are saved, which does.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib.sessions.models import Session
from django.utils import timezone

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action, upkeep
from hwbc.workforce.models import Draft, User
from hwbc.workforce.sessions.drafts import HELD, Mark

MOST = 50  # drafts of one person


@action("account.time_out")
def time_out(actor: Actor, line: Line, *, user: User, why: str) -> None:
    """Somebody's session has ended by itself."""
    line.about(user, why=why)


@upkeep("somebody's own text, before it is saved")
def keep(mark: Mark, *, address: str, fields: dict[str, list[str]], sent: bool = False) -> Draft | None:
    """Keep what was typed into a form, in place of what was kept of it before. `sent`: it was sent, and not taken.

    None where it is not kept: it came late, after the same form was saved, or its address is too long.
    """
    if len(address) > Draft.LONGEST_ADDRESS:
        return None
    token = (fields.get("token") or [""])[0][:40]
    theirs = Draft.objects.filter(user_id=mark.user_id)
    key: dict[str, Any] = {"user_id": mark.user_id, "address": address, "form": mark.form[:60]}
    there = theirs.select_for_update().filter(**key).first()
    if there is not None and there.settled and there.token and there.token == token:
        return None
    values = {"fields": fields, "token": token, "settled": False, "sent": sent, "saved_at": timezone.now()}
    draft, _ = Draft.objects.update_or_create(**key, defaults=values)
    _trim(mark.user_id)
    return draft


def _trim(user_id: int) -> None:
    theirs = Draft.objects.filter(user_id=user_id, settled=False)
    theirs.filter(pk__in=list(theirs.order_by("-saved_at").values_list("pk", flat=True)[MOST:])).delete()


@upkeep("somebody's own, until they have confirmed who they are")
def hold(actor: Actor, *, address: str, fields: dict[str, list[str]]) -> Draft:
    """Keep what was sent while somebody confirms who they are; each for itself."""
    assert actor.user_id is not None
    held = Draft(user_id=actor.user_id, address=address, fields=fields, sent=True)
    held.form = f"{HELD}{held.pk}"
    held.save(force_insert=True)
    _trim(actor.user_id)
    return held


@upkeep("what was held has been sent again, which is audited")
def let_go(actor: Actor, *, held: UUID) -> None:
    """Forget what was held."""
    Draft.objects.for_actor(actor).filter(pk=held, form__startswith=HELD).delete()


@upkeep("the form was saved, which is audited")
def settle(mark: Mark, *, address: str, token: str) -> None:
    """Empty the draft of a form that was saved. The row stays for a day: an autosave that comes late finds it."""
    key: dict[str, Any] = {"user_id": mark.user_id, "address": address, "form": mark.form[:60]}
    values = {"fields": {}, "token": token[:40], "settled": True, "saved_at": timezone.now()}
    if token and len(address) <= Draft.LONGEST_ADDRESS:  # also where nothing was kept yet: it may be under way
        Draft.objects.update_or_create(**key, defaults=values)
    else:
        Draft.objects.filter(**key).update(**values)


@upkeep("somebody's own text, before it is saved")
def discard(actor: Actor, *, address: str, form: str) -> None:
    """Throw away a draft of one's own."""
    Draft.objects.for_actor(actor).filter(address=address, form=form).delete()


@upkeep("the day that is promised on the page is over")
def forget(now: datetime) -> int:
    """Remove drafts after a day; answers how many. Sessions that nobody came back to go with them.

    The walls are lifted by the caller.
    """
    Session.objects.filter(expire_date__lt=now).delete()
    count, _ = Draft.objects.filter(saved_at__lt=now - Draft.KEPT_FOR).delete()
    return count
