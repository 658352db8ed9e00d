"""One person's access: deputies for a while, suspending whoever leaves, and the last manager of a PCN."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from coaching.actions import referrals, sessions
from coaching.models import Allocation
from hwbc.compliance import actions as compliance
from hwbc.compliance.checks import run_checks
from hwbc.compliance.notices import said as told
from hwbc.kit.periods import today
from hwbc.standards.models import Notification
from hwbc.workforce import actions, walls
from hwbc.workforce.access import Refused
from hwbc.workforce.models import Absence, Grant, User
from hwbc.workforce.roles import Can, Role
from supervision.models import Meeting
from tests.cast import PASSWORD, SETUP, Cast, Person, person, with_app
from tests.coaching.work import (
    audited,
    bo_signs_in,
    count,
    do,
    fresh,
    given,
    logged,
    received,
    refuses,
    said,
    since,
    train,
)
from tests.compliance.test_access_pages import grant_of
from tests.compliance.test_access_pages import said as messages
from tests.compliance.test_coaching_pages import get, words
from tests.races import at_once

pytestmark = pytest.mark.django_db


def days(**named: int) -> dict[str, int]:
    """Days from today, as a form sends them."""
    found: dict[str, int] = {}
    for name, ahead in named.items():
        day = today() + timedelta(days=ahead)
        found |= {f"{name}_day": day.day, f"{name}_month": day.month, f"{name}_year": day.year}
    return found


def url(name: str, row: Any) -> str:
    return reverse(name, kwargs={"uuid": row.uuid})


def names_deputy(who: Person, grant: Grant, deputy: Person, first: int = 0, last: int = 14) -> Any:
    page = who.client.get(url("access_deputy", grant))
    form = {"token": str(page.context["form"]["token"].value()), "user": str(deputy.user.uuid)}
    return who.client.post(url("access_deputy", grant), {**form, **days(starts_on=first, ends_on=last)}, follow=True)


def later(ahead: int) -> Any:
    return time_machine.travel(timezone.now() + timedelta(days=ahead), tick=False)


@pytest.fixture
def kim(cast: Cast) -> Person:
    """Kim reads Riverside's records."""
    somebody = person("Kim Auditing")
    somebody.given(Role.AUDITOR, cast.riverside)
    return somebody


@pytest.fixture
def bo(cast: Cast) -> Person:
    """Bo, a coach of Riverside who is ready for referrals, signs in."""
    train(cast, "ASHA", "BO")
    return bo_signs_in(cast)


@pytest.fixture
def second(cast: Cast) -> Person:
    """Another manager of Riverside."""
    somebody = person("Val Second")
    somebody.given(Role.PCN_MANAGER, cast.riverside)
    return somebody


# --- A manager's deputy ----------------------------------------------------------------------------------------------


def test_a_deputy_does_the_managers_work_and_gives_no_access(cast: Cast, kim: Person) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    assert kim.client.get(url("referral_allocate", referral)).status_code == 403
    response = names_deputy(cast.mo, grant_of(cast.mo), kim)
    assert "Kim Auditing stands in for Mo Haddad from" in messages(response)[0]
    assert kim.client.get(url("referral_allocate", referral)).status_code == 200
    taken = do(kim, referrals.allocate, referral=referral, coach=cast.coach_asha, day=today(), version=referral.version)
    assert taken.allocated_by_id == kim.user.pk
    assert audited("referral.allocate")[0].by == "auditor, pcn_manager (deputy)"
    for name in ("access", "access_invite", "import_new"):
        assert kim.client.get(reverse(name)).status_code == 403
    assert kim.actor.scope.nodes == ()
    assert "You stand in for Mo Haddad" in words(kim.client.get("/"))


def test_a_deputy_begins_and_ends_by_themself(cast: Cast, kim: Person) -> None:
    names_deputy(cast.mo, grant_of(cast.mo), kim, first=2, last=5)
    for ahead, may in ((0, False), (1, False), (2, True), (5, True), (6, False)):
        with later(ahead):
            assert kim.actor.can(Can.ALLOCATE) is may, ahead


def test_a_deputy_ends_with_whom_they_stand_in_for(cast: Cast, kim: Person, second: Person) -> None:
    names_deputy(cast.mo, grant_of(cast.mo), kim)
    assert kim.actor.can(Can.ALLOCATE)
    do(second, actions.end_grant, grant=grant_of(cast.mo))
    assert not kim.actor.can(Can.ALLOCATE)
    assert fresh(grant_of(kim, role=Role.PCN_MANAGER)).revoked_at is not None


def test_reach_itself_ends_a_deputy_whose_principal_has_none_left(cast: Cast, kim: Person) -> None:
    names_deputy(cast.mo, grant_of(cast.mo), kim)
    with walls.lifted("tests"):
        Grant.objects.filter(user=cast.mo.user).update(revoked_at=timezone.now())
    assert not kim.actor.can(Can.ALLOCATE)
    with walls.lifted("tests"):
        Grant.objects.filter(user=cast.mo.user).update(revoked_at=None)
        User.objects.filter(pk=cast.mo.user.pk).update(is_active=False)
    assert not kim.actor.can(Can.ALLOCATE)


def test_a_deputy_is_told_and_stands_in_the_list(cast: Cast, kim: Person) -> None:
    names_deputy(cast.mo, grant_of(cast.mo), kim)
    with walls.lifted("tests"):
        notice = Notification.objects.get(user=kim.user)
    assert "You stand in for somebody (PCN manager), from" in told(notice)
    assert "PCN manager, standing in for Mo Haddad" in words(cast.mo.client.get(reverse("access")))


def test_the_same_form_twice_names_one_deputy(cast: Cast, kim: Person) -> None:
    for _ in range(2):
        names_deputy(cast.mo, grant_of(cast.mo), kim)
    assert count(Grant, user=kim.user, role=Role.PCN_MANAGER) == 1


def test_whoever_has_the_role_is_no_deputy_in_it(cast: Cast, second: Person) -> None:
    assert "is PCN manager here already" in words(names_deputy(cast.mo, grant_of(cast.mo), second))


@pytest.mark.parametrize(
    ("first", "last", "why"),
    [(-1, 5, "or later"), (3, 2, "must be the first day, or later"), (0, 400, "a year at most")],
)
def test_days_that_cannot_be(cast: Cast, kim: Person, first: int, last: int, why: str) -> None:
    assert why in words(names_deputy(cast.mo, grant_of(cast.mo), kim, first, last))
    assert count(Grant, user=kim.user, role=Role.PCN_MANAGER) == 0


def test_who_is_no_colleague_cannot_be_named(cast: Cast, kim: Person) -> None:
    grant = grant_of(cast.mo)
    page = cast.mo.client.get(url("access_deputy", grant))
    offered = {user.name for user in page.context["offered"]}
    assert "Kim Auditing" in offered
    assert offered.isdisjoint({"Mo Haddad", "Zed Kowalski", "Lee Chandra", "Noor Said"})
    form = {"token": str(page.context["form"]["token"].value()), **days(starts_on=0, ends_on=3)}
    for user in (cast.zed.user, cast.nobody_yet.user):
        response = cast.mo.client.post(url("access_deputy", grant), {**form, "user": str(user.uuid)})
        assert response.context["form"].errors["user"]
        named: Any = {"grant": grant, "user": user, "starts_on": today(), "ends_on": today()}
        refuses(cast.mo, compliance.name_deputy, ValidationError, **named)
        refuses(cast.zed, compliance.name_deputy, Refused, **named)
    assert cast.zed.client.get(url("access_deputy", grant)).status_code == 404


def test_a_deputys_deputy_there_is_none(cast: Cast, kim: Person, second: Person) -> None:
    names_deputy(cast.mo, grant_of(cast.mo), kim)
    theirs = grant_of(kim, role=Role.PCN_MANAGER)
    assert second.client.get(url("access_deputy", theirs)).status_code == 404
    named = {"grant": theirs, "user": cast.rae.user, "starts_on": today(), "ends_on": today()}
    refuses(second, compliance.name_deputy, ValidationError, "a deputy’s itself", **named)


# --- A coach's deputy ------------------------------------------------------------------------------------------------


def test_a_coachs_deputy_looks_after_the_cases_and_sees_nothing_else_of_the_coach(cast: Cast, bo: Person) -> None:
    referral = received(cast, "R1")
    since(given(cast, referral), 5)
    logged(cast, referral, 1, note="Canary of Asha")
    names_deputy(cast.mo, grant_of(cast.asha), bo)
    page = words(get(bo, "caseload"))
    assert "R1" in page
    assert re.search("With the cases of +Asha Rahman *, for whom you stand in until", page)
    case = words(get(bo, "referral", referral))
    assert "Canary of Asha" in case
    assert "Asha Rahman, since" in case
    do(bo, sessions.log_session, referral=referral, uuid=cast.coach_bo.uuid, **said(0, mode="video"))
    assert bo.client.get(url("coach", cast.coach_asha)).status_code == 404
    assert bo.client.get(url("coach_supervision", cast.coach_asha)).status_code == 404
    assert cast.coach_asha.pk not in bo.actor.scope.coaches
    with walls.within(bo.actor.scope):
        assert not Meeting.objects.filter(coach=cast.coach_asha).exists()
        assert not Absence.objects.filter(coach=cast.coach_asha).exists()
    with later(15):
        assert "R1" not in words(get(Person(bo.user), "caseload"))


def test_a_coachs_deputy_is_not_told_of_the_coachs_flags(cast: Cast, bo: Person) -> None:
    names_deputy(cast.mo, grant_of(cast.asha), bo)
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        assert Notification.objects.filter(user=cast.asha.user, coach=cast.coach_asha).exists()
        assert not Notification.objects.filter(user=bo.user, coach=cast.coach_asha).exists()


def test_an_untrained_coach_is_nobodys_deputy(cast: Cast) -> None:
    bo = person("Bo Lindqvist")
    bo.given(Role.COACH, cast.riverside, cast.coach_bo)
    train(cast, "ASHA")
    refused = words(names_deputy(cast.mo, grant_of(cast.asha), bo))
    assert "Bo Lindqvist is not ready for referrals on" in refused
    assert "no PCI-accredited health coaching course recorded" in refused
    assert count(Grant, user=bo.user, coach=cast.coach_asha) == 0


def test_only_a_coach_of_the_pcn_looks_after_cases(cast: Cast, kim: Person, bo: Person) -> None:
    page = cast.mo.client.get(url("access_deputy", grant_of(cast.asha)))
    assert [user.name for user in page.context["offered"]] == ["Bo Lindqvist"]


# --- Suspending ------------------------------------------------------------------------------------------------------


def test_whoever_leaves_is_out_at_once_and_their_cases_wait(cast: Cast, bo: Person) -> None:
    held = [received(cast, f"R{n}") for n in range(2)]
    for referral in held:
        given(cast, referral)
    logged(cast, held[0], 0)
    assert cast.asha.client.get("/").status_code == 200
    asked = words(cast.mo.client.get(url("access_suspend", cast.asha.user)))
    assert "2 open cases of theirs wait for another coach" in asked
    response = cast.mo.client.post(url("access_suspend", cast.asha.user), follow=True)
    [message] = messages(response)
    assert message.startswith("Asha Rahman is suspended: they cannot sign in, and everything that was recorded stays.")
    assert message.endswith("2 cases of theirs wait for another coach.")
    assert cast.asha.client.get("/").headers["Location"].startswith(reverse("account_login"))
    browser = Client()
    browser.post(reverse("account_login"), {"login": cast.asha.user.email, "password": PASSWORD})
    assert "_auth_user_id" not in browser.session
    waiting = words(cast.mo.client.get(reverse("referrals")))
    assert "R0" in waiting
    assert "R1" in waiting
    assert "Suspended" in words(response)
    do(cast.mo, referrals.allocate, referral=held[0], coach=cast.coach_bo, day=today(), version=fresh(held[0]).version)
    with walls.lifted("tests"):
        assert Allocation.objects.filter(coach=cast.coach_asha, ends_on=today()).count() == 2
        assert Grant.objects.filter(user=cast.asha.user, revoked_at=None).count() == 0
    history = words(get(cast.mo, "coach_history", None, uuid=cast.coach_asha.uuid))
    assert "Asha Rahman" in history
    [line] = audited("access.suspend")
    assert line.facts == {"roles": 1, "cases": 2, "elsewhere": False}


def test_a_suspended_persons_waiting_export_is_not_made_and_a_new_invitation_says_why(cast: Cast, kim: Person) -> None:
    do(cast.mo, compliance.suspend, user=kim.user)
    assert Person(fresh(kim.user)).actor.user_id is None
    refuses(cast.mo, actions.invite, ValidationError, "is suspended", email=kim.user.email, name="Kim")


def test_a_supervisor_is_shut_out_and_comes_back_with_the_agreements(cast: Cast) -> None:
    do(cast.mo, compliance.suspend, user=cast.sam.user)
    with walls.lifted("tests"):
        assert not Grant.objects.filter(user=cast.sam.user, revoked_at=None).exists()
    response = cast.mo.client.post(url("access_restore", cast.sam.user), follow=True)
    assert "can sign in again" in messages(response)[0]
    with walls.lifted("tests"):
        assert Grant.objects.filter(user=cast.sam.user, revoked_at=None).count() == 3
    assert fresh(cast.sam.user).suspended_at is None


def test_whoever_has_access_elsewhere_keeps_the_account_for_that(cast: Cast, kim: Person) -> None:
    kim.given(Role.AUDITOR, cast.lakeside)
    assert "keep the account" in words(cast.mo.client.get(url("access_suspend", kim.user)))
    done = do(cast.mo, compliance.suspend, user=kim.user)
    assert done == (1, 0, True)
    assert [grant.organisation_id for grant in kim.actor.grants] == [cast.lakeside.pk]
    assert fresh(kim.user).is_active
    refuses(cast.mo, compliance.suspend, ValidationError, "no access here that could be ended", user=kim.user)


def test_cases_of_another_pcn_stay_where_they_are(cast: Cast, bo: Person) -> None:
    given(cast, received(cast, "R1"))
    hilltop = person("Hal Hilltop")
    hilltop.given(Role.PCN_MANAGER, cast.hilltop)
    hilltop.given(Role.AUDITOR, cast.riverside)
    refuses(hilltop, compliance.suspend, Refused, user=cast.asha.user)
    assert hilltop.client.get(url("access_person", cast.asha.user)).status_code == 404
    done = do(cast.lee, compliance.suspend, user=cast.asha.user)  # the hub's administrator, who sees no patients
    assert done.cases == 1


def test_nobody_suspends_themself_or_strangers(cast: Cast, second: Person) -> None:
    refuses(cast.mo, compliance.suspend, ValidationError, "Nobody suspends themself", user=cast.mo.user)
    refuses(cast.mo, compliance.suspend, Refused, user=cast.zed.user)
    refuses(cast.mo, compliance.restore, Refused, user=cast.zed.user)
    refuses(cast.mo, compliance.restore, ValidationError, "is not suspended", user=cast.rae.user)
    for name in ("access_person", "access_suspend"):
        assert cast.mo.client.get(url(name, cast.zed.user)).status_code == 404


# --- The last manager ------------------------------------------------------------------------------------------------


def test_the_last_manager_of_a_pcn_cannot_be_removed(cast: Cast, kim: Person) -> None:
    why = "Mo Haddad is the last PCN manager of Riverside PCN"
    for who in (cast.mo, cast.lee):
        assert why in words(who.client.post(url("access_end", grant_of(cast.mo))))
        refuses(who, actions.end_grant, ValidationError, why, grant=grant_of(cast.mo))
    page = cast.lee.client.post(url("access_suspend", cast.mo.user))
    assert page.status_code == 409
    assert why in words(page)
    assert fresh(cast.mo.user).is_active
    assert cast.mo.actor.can(Can.INVITE)


def test_neither_a_deputy_nor_a_suspended_manager_nor_one_to_come_counts(
    cast: Cast, kim: Person, second: Person
) -> None:
    names_deputy(cast.mo, grant_of(cast.mo), kim)
    do(cast.mo, compliance.suspend, user=second.user)
    tomorrow = person("Tim Tomorrow")
    tomorrow.given(Role.PCN_MANAGER, cast.riverside, starts_on=today() + timedelta(days=1))
    refuses(cast.lee, actions.end_grant, ValidationError, "the last PCN manager", grant=grant_of(cast.mo))


def test_with_another_manager_one_can_go(cast: Cast, second: Person) -> None:
    do(second, actions.end_grant, grant=grant_of(cast.mo))
    assert not cast.mo.actor.can(Can.INVITE)
    refuses(second, actions.end_grant, ValidationError, "the last PCN manager", grant=grant_of(second))


def two_managers_end_each_other(cast: Cast) -> list[Any]:
    other = person("Val Second")
    other.given(Role.PCN_MANAGER, cast.riverside)
    mo, val = cast.mo.actor, other.actor
    of_mo, of_val = grant_of(cast.mo), grant_of(other)
    got = at_once(mo, lambda: actions.end_grant(mo, grant=of_val), val, lambda: actions.end_grant(val, grant=of_mo))
    with walls.lifted("tests"):
        live = Grant.objects.filter(role=Role.PCN_MANAGER, organisation=cast.riverside, revoked_at=None).count()
    return [live, *got]


@pytest.mark.django_db(transaction=True)
def test_two_managers_who_end_each_other_leave_one(live_cast: Cast) -> None:
    live, first, second = two_managers_end_each_other(live_cast)
    assert (live, first) == (1, None)
    assert isinstance(second, ValidationError)


@pytest.mark.django_db(transaction=True)
def test_without_the_lock_both_would_go(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(actions, "_wait", lambda name: None)
    live, first, second = two_managers_end_each_other(live_cast)
    assert (live, first, second) == (0, None, None)


def test_the_person_page_says_what_there_is(cast: Cast, kim: Person) -> None:
    page = words(cast.mo.client.get(url("access_person", kim.user)))
    assert "Kim Auditing" in page
    assert "Auditor (read only) at Riverside PCN" in page
    kim.given(Role.AUDITOR, cast.lakeside)
    assert "Lakeside" not in words(cast.mo.client.get(url("access_person", kim.user)))
    own = words(cast.mo.client.get(url("access_person", cast.mo.user)))
    assert "(you)" in own
    assert "Suspend" not in own


# --- Help to sign in -------------------------------------------------------------------------------------------------


def helps(who: Person, user: User, how: str) -> Any:
    return who.client.post(url("access_help", user), {"help": how}, follow=True)


def test_whoever_manages_access_signs_somebody_out_and_mails_the_link(cast: Cast) -> None:
    browser = cast.asha.client
    assert browser.get("/").status_code == 200
    assert "signed out everywhere" in messages(helps(cast.mo, cast.asha.user, "sessions"))[0]
    assert browser.get("/").status_code == 302
    assert (
        "The link to choose a new password is mailed to Asha Rahman"
        in messages(helps(cast.mo, cast.asha.user, "password"))[0]
    )
    assert [to for message in mail.outbox for to in message.to] == ["asha.rahman@example.org"] * 2
    assert fresh(cast.asha.user).has_usable_password()


def test_lost_factors_are_taken_away_with_the_password(cast: Cast) -> None:
    with_app(cast.asha.user)
    browser = cast.asha.client
    assert "no second factor and no password now" in messages(helps(cast.mo, cast.asha.user, "factors"))[0]
    assert not fresh(cast.asha.user).has_usable_password()
    assert browser.get("/").status_code == 302


def test_nobody_helps_whom_others_manage_too(cast: Cast, kim: Person) -> None:
    kim.given(Role.AUDITOR, cast.lakeside)
    assert "cannot get in" not in words(cast.mo.client.get(url("access_person", kim.user)))
    assert helps(cast.mo, kim.user, "factors").status_code == 403
    assert helps(cast.mo, cast.zed.user, "sessions").status_code == 404
    assert helps(cast.mo, cast.rae.user, "nothing").status_code == 404
    assert mail.outbox == []
