"""The work of the cast: Asha is trained and Bo is not; referrals that wait at Riverside."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from coaching.actions import referrals, sessions
from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Coach
from hwbc.workforce.roles import Role
from tests.cast import Cast, Person, person
from tests.facts import ago, bring_in, courses


def train(cast: Cast, *refs: str, **changes: str) -> None:
    """These coaches completed the four-day course 280 days ago; `changes` are columns of their training."""
    attended = ";".join(ago(290 - n) for n in range(4))
    done = {"course_ref": "HC4", "enrolled_on": ago(300), "attended_on": attended, "certificate_on": ago(280)}
    bring_in(cast, {**courses(), "training": [{"coach_ref": ref, **done, **changes} for ref in refs]})


def exempt(cast: Cast, ref: str, first: int = 10, last: int = -10) -> None:
    """A coach is exempt from so many days ago until so many days ago (negative: in as many days)."""
    row = {"coach_ref": ref, "rule": "training.before_referrals", "from": ago(first), "to": ago(last)}
    bring_in(cast, {"exemptions": [{**row, "reason": "Invented reason", "approved_by": "Mo Haddad"}]})


def bo_signs_in(cast: Cast) -> Person:
    """Bo gets an account: a coach at Riverside, like Asha."""
    somebody = person("Bo Lindqvist")
    somebody.given(Role.COACH, cast.riverside, cast.coach_bo)
    return somebody


def leaves(cast: Cast, ref: str, days: int) -> None:
    """A coach's last day was so many days ago."""
    name = {"ASHA": "Asha Rahman", "BO": "Bo Lindqvist"}[ref]
    post = {"coach_ref": ref, "name": name, "email": name.replace(" ", ".").lower() + "@example.org",
            "pcn_code": "U99991", "started_on": "2026-01-05", "hours_per_week": "30", "funding": "arrs",
            "left_on": ago(days)}  # fmt: skip
    bring_in(cast, {"coaches": [post]})


def do(person: Person, act: Callable[..., Any], **given: Any) -> Any:
    """They do it."""
    actor = person.actor
    with walls.within(actor.scope):
        return act(actor, **given)


def refuses(
    person: Person, act: Callable[..., Any], error: type[Exception], match: str | None = None, **given: Any
) -> Any:
    """They are refused; whatever the action keeps of it is kept. Returns the error."""
    actor = person.actor
    with walls.within(actor.scope), pytest.raises(error, match=match) as refused:
        act(actor, **given)
    return refused.value


def received(cast: Cast, reference: str = "R1", days: int = 5, **given: Any) -> Referral:
    """A referral that Mo received so many days ago."""
    asked = {"pcn": cast.riverside, "source": "nurse", "priority": "routine", "reference": reference, **given}
    made: Referral = do(cast.mo, referrals.receive, received_on=today() - timedelta(days=days), **asked)
    return made


def given(cast: Cast, referral: Referral, coach: Coach | None = None) -> Allocation:
    """Mo gives a referral to Asha, or to another coach, today."""
    to = coach or cast.coach_asha
    made: Allocation = do(
        cast.mo, referrals.allocate, referral=referral, coach=to, day=today(), version=fresh(referral).version
    )
    return made


def since(allocation: Allocation, days: int) -> None:
    """The coach took it so many days ago: time passes."""
    with walls.lifted("tests"):
        day = today() - timedelta(days=days)
        Allocation.objects.filter(pk=allocation.pk).update(starts_on=day)


SAID: dict[str, Any] = {
    "mode": "phone", "minutes": 45, "outcome": "attended", "note": "", "next_step": "", "activity": "",
    "goal_progress": "",
}  # fmt: skip


def said(days: int = 0, **changes: Any) -> dict[str, Any]:
    """What is said of a session so many days ago."""
    return {**SAID, "held_on": today() - timedelta(days=days), **changes}


def logged(cast: Cast, referral: Referral, days: int = 0, **changes: Any) -> CoachingSession:
    """Asha logs a session."""
    made: CoachingSession = do(
        cast.asha, sessions.log_session, referral=referral, uuid=uuid4(), **said(days, **changes)
    )
    return made


def noted(session: CoachingSession) -> SessionNote:
    """What was said in a session."""
    with walls.lifted("tests"):
        return SessionNote.objects.get(session=session)


def note(session: CoachingSession, **words: str) -> SessionNote:
    """Put words into a session that a workbook brought, or others into its note. Needs the walls lifted."""
    made, _ = SessionNote.objects.update_or_create(session=session, defaults={"pcn_id": session.pcn_id, **words})
    return made


def fresh(row: Any) -> Any:
    """A row as it is now."""
    with walls.lifted("tests"):
        return type(row).objects.get(pk=row.pk)


def audited(what: str) -> list[AuditEvent]:
    """The audit lines of an action, the newest first."""
    with walls.lifted("tests"):
        return list(AuditEvent.objects.filter(what=what).order_by("-at"))


def count(model: Any, **found: Any) -> int:
    """How many rows there are."""
    with walls.lifted("tests"):
        return int(model.objects.filter(**found).count())


def day(days: int = 0) -> date:
    """So many days ago."""
    return today() - timedelta(days=days)
