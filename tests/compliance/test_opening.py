"""Break glass: a case that is not one's own opens with a typed reason, to the end of the day, and others are told."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import ProgrammingError, connection, transaction
from django.urls import reverse
from django.utils import timezone

from coaching.actions import referrals, sessions
from coaching.actions.opening import open_case
from coaching.models import CoachingSession, Opening, Referral
from coaching.queries import around
from hwbc.compliance.checks import catch_up
from hwbc.compliance.notices import leads_to, said
from hwbc.kit.periods import today
from hwbc.standards.models import Notification
from hwbc.workforce import walls
from hwbc.workforce.access import Refused
from hwbc.workforce.actions import revoke
from hwbc.workforce.models import Grant
from hwbc.workforce.roles import Role
from tests import facts
from tests.cast import SETUP, Cast, Person, person
from tests.coaching.work import audited, bo_signs_in, count, do, given, logged, received, refuses, since, train
from tests.compliance.test_coaching_pages import get, url, words

pytestmark = pytest.mark.django_db
NOTE, NEXT = "Canary of the note", "Canary of the next step"
REASON = "Asha is ill and the person rang"


@pytest.fixture
def bo(cast: Cast) -> Person:
    return bo_signs_in(cast)


@pytest.fixture
def case(cast: Cast) -> Referral:
    """A case of Asha's, in whose session something was said."""
    train(cast, "ASHA")
    referral = received(cast, "R1")
    since(given(cast, referral), 3)
    logged(cast, referral, 1, note=NOTE, next_step=NEXT, goal_progress="some", activity="plan_agreed")
    return referral


def opens(who: Person, referral: Referral, reason: str = REASON) -> Any:
    return who.client.post(url("case_open", referral), {**token(who, referral), "reason": reason})


def token(who: Person, referral: Referral) -> dict[str, str]:
    return token_of(get(who, "case_open", referral))


def token_of(page: Any) -> dict[str, str]:
    return {"token": str(page.context["form"]["token"].value())}


def test_what_was_said_is_for_the_coach_and_a_manager_sees_that_it_took_place(cast: Cast, case: Referral) -> None:
    own = words(get(cast.asha, "referral", case))
    assert NOTE in own
    assert NEXT in own
    assert "Some progress" in own
    assert "Open this case with a reason" not in own
    managers = words(get(cast.mo, "referral", case))
    assert "Phone, 45 minutes" in managers
    assert not any(words in managers for words in (NOTE, NEXT, "Some progress", "care and support plan agreed"))
    assert "Open this case with a reason" in managers


def test_a_manager_opens_a_case_with_a_reason_to_the_end_of_the_day(cast: Cast, case: Referral) -> None:
    assert NOTE not in words(get(cast.mo, "case_open", case))
    assert opens(cast.mo, case).headers["Location"] == url("referral", case)
    opened = words(get(cast.mo, "referral", case))
    assert NOTE in opened
    assert "You opened this case today with a reason" in opened
    [line] = audited("case.open")
    assert line.record == str(case.uuid)
    assert line.by == "pcn_manager"
    assert REASON not in str(line.facts)
    with time_machine.travel(timezone.now() + timedelta(days=1), tick=False):
        tomorrow = Person(cast.mo.user)
        assert NOTE not in words(get(tomorrow, "referral", case))


def test_a_colleagues_case_asks_for_a_reason_first(cast: Cast, case: Referral, bo: Person) -> None:
    response = get(bo, "referral", case)
    assert response.status_code == 302
    assert response.headers["Location"] == url("case_open", case)
    opens(bo, case)
    page = words(get(bo, "referral", case))
    assert NOTE in page
    assert "Another coach, since" in page
    assert "Log a session" not in page
    assert "Close this referral" not in page
    assert get(bo, "session_log", case).status_code == 404
    assert get(bo, "referral_close", case).status_code == 404


def test_a_case_is_found_by_its_reference(cast: Cast, case: Referral, bo: Person) -> None:
    form = {**token_of(bo.client.get(reverse("case_find"))), "reason": REASON}
    response = bo.client.post(reverse("case_find"), {**form, "reference": " r1 "})
    assert response.headers["Location"] == url("referral", case)
    train(cast, "BO")
    theirs = {"referral_ref": "R-of-Lakeside", "pcn_code": "U99993", "source": "self", "priority": "routine"}
    facts.bring_in(cast, {"referrals": [{**theirs, "received_on": facts.ago(3)}]}, "HUB2")
    elsewhere = "There is no case with this reference at your PCN"
    assert elsewhere in words(bo.client.post(reverse("case_find"), {**form, "reference": "R-of-Lakeside"}))


def test_to_open_is_to_read_and_to_write_nothing(cast: Cast, case: Referral, bo: Person) -> None:
    do(bo, open_case, referral=case, reason=REASON)
    with walls.lifted("tests"):
        session = CoachingSession.objects.get()
    refuses(bo, sessions.void_session, Refused, session=session, because="It was not so")
    refuses(bo, referrals.hand_back, Refused, referral=case, version=case.version)
    assert "next_step" not in str(get(bo, "caseload").content)
    assert "R1" not in words(get(bo, "caseload"))


@pytest.mark.parametrize(
    ("reason", "why"), [("", "Enter why"), ("  x  ", "in a few words"), ("y" * 501, "at most 500")]
)
def test_a_reason_that_says_nothing_opens_nothing(cast: Cast, case: Referral, reason: str, why: str) -> None:
    assert why in words(opens(cast.mo, case, reason))
    assert count(Opening) == 0
    assert NOTE not in words(get(cast.mo, "referral", case))


def test_nobody_opens_what_is_not_at_their_pcn(cast: Cast, case: Referral) -> None:
    for who, answer in ((cast.zed, 404), (cast.lee, 403), (cast.sam, 403), (cast.ann, 403), (cast.nobody_yet, 403)):
        assert get(who, "case_open", case).status_code == answer
        response = who.client.post(url("case_open", case), {"reason": REASON})
        assert response.status_code == answer
        refuses(who, open_case, Refused, referral=case, reason=REASON)
    assert count(Opening) == 0


def test_the_database_takes_only_ones_own_and_changes_none(cast: Cast, case: Referral, bo: Person) -> None:
    do(cast.mo, open_case, referral=case, reason=REASON)
    with walls.within(bo.actor.scope):
        assert not Opening.objects.exists()  # a colleague does not see who opened what
        for user in (cast.asha.user, cast.lee.user):
            row: list[Any] = [uuid4(), user.pk, case.pk, cast.riverside.pk, today(), timezone.now(), REASON]
            refused = pytest.raises(ProgrammingError, match="row-level security")
            with refused, transaction.atomic(), connection.cursor() as cursor:  # nothing is read back
                cursor.execute(
                    "insert into coaching_opening (uuid, user_id, referral_id, pcn_id, day, at, reason)"
                    " values (%s, %s, %s, %s, %s, %s, %s)",
                    row,
                )
    for actor in (cast.mo.actor, cast.lee.actor):
        with (
            walls.within(actor.scope),
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
        ):
            Opening.objects.update(reason="Another")
    with walls.within(cast.lee.actor.scope):
        assert not Opening.objects.exists()  # a hub sees nothing of patients
    with walls.within(cast.zed.actor.scope):
        assert not Opening.objects.exists()


def test_the_list_says_who_and_why_to_managers_alone(cast: Cast, case: Referral, bo: Person) -> None:
    empty = words(get(cast.mo, "openings"))
    assert "Nobody has opened a case that is not theirs" in empty
    do(bo, open_case, referral=case, reason=REASON)
    listed = words(get(cast.mo, "openings"))
    assert "Bo Lindqvist" in listed
    assert REASON in listed
    assert REASON not in words(get(cast.zed, "openings"))
    for who in (bo, cast.asha, cast.lee, cast.ann, cast.sam):
        assert get(who, "openings").status_code == 403


def test_the_same_case_on_the_same_day_is_one_opening(cast: Cast, case: Referral) -> None:
    opens(cast.mo, case)
    opens(cast.mo, case, "Another reason, later that day")
    assert count(Opening) == 1
    assert audited("case.open")[0].facts["again"] is True


def test_the_coach_and_the_other_managers_are_told_once(cast: Cast, case: Referral, bo: Person) -> None:
    deputy = person("Kim Second")
    deputy.given(Role.PCN_MANAGER, cast.riverside)
    do(cast.mo, open_case, referral=case, reason=REASON)
    for _ in range(2):
        catch_up(timezone.now())
    with walls.lifted("tests"):
        told = {row.user_id: row for row in Notification.objects.filter(kind="case_opened")}
        assert len(told) == Notification.objects.filter(kind="case_opened").count()
    assert set(told) == {cast.asha.user.pk, deputy.user.pk}
    assert leads_to(told[deputy.user.pk]) == reverse("openings")
    assert leads_to(told[cast.asha.user.pk]) == url("referral", case)
    assert "A case of yours was opened" in said(told[cast.asha.user.pk])
    assert "A case of yours was opened" in words(get(cast.asha, "notifications"))


def test_an_opening_ends_with_the_access(cast: Cast, case: Referral, bo: Person) -> None:
    do(bo, open_case, referral=case, reason=REASON)
    with walls.lifted("tests"):
        revoke(SETUP, grants=list(Grant.objects.filter(user=bo.user)))
    assert get(bo, "referral", case).status_code == 403
    with walls.within(bo.actor.scope):
        assert not Referral.objects.for_actor(bo.actor).exists()
        assert not around(bo.actor).exists()
