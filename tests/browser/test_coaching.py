"""Handing out a referral and logging a session, in a real browser: from signing in to where it is seen."""

import os
import re
from datetime import timedelta
from pathlib import Path

import pytest
from django.test import override_settings
from playwright.sync_api import Page, expect

from hwbc.kit.periods import today
from hwbc.workforce.factors import code_at
from hwbc.workforce.models import User
from tests.browser.conftest import WIDTHS, Watched
from tests.cast import PASSWORD, SECRET, Cast, with_app
from tests.coaching.work import exempt, given, leaves, logged, received, since, train
from tests.pages import more_cases

pytestmark = pytest.mark.browser


@pytest.fixture
def asha(live_cast: Cast) -> User:
    """Asha, with a password that the real server can check."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        live_cast.asha.user.set_password(PASSWORD)
        live_cast.asha.user.save()
    return live_cast.asha.user


def look(watched: Watched, name: str) -> None:
    """No wider than the window, sound for everybody; kept as a picture where asked."""
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"coaching-{name}-{width}.png", full_page=True)


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


def enter_day(page: Page, group: str, days: int) -> None:
    """A day in so many days, in three boxes."""
    day = today() + timedelta(days=days)
    for part, value in (("Day", day.day), ("Month", day.month), ("Year", day.year)):
        page.get_by_role("group", name=group).get_by_label(part).fill(str(value))


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_an_untrained_coach_is_refused_until_somebody_answers_for_it(window, live_cast: Cast, width: int) -> None:
    train(live_cast, "ASHA")
    received(live_cast, "R-first", priority="urgent")
    watched = window(width)
    watched.sign_in(live_cast.mo)
    page = watched.page
    page.goto("/")
    page.get_by_role("link", name="referral waiting").click()
    heading(page, "Referrals that wait for a coach")
    look(watched, "waiting")
    page.get_by_role("link", name="Allocate R-first").click()
    heading(page, "Referral R-first Which coach takes it?")
    expect(page.get_by_role("radio", name="Asha Rahman")).to_have_count(1)
    expect(page.get_by_role("radio", name="Bo Lindqvist")).to_have_count(0)
    look(watched, "allocate")
    # Whatever the page sends: the server refuses.
    bo = live_cast.coach_bo.uuid
    page.get_by_role("radio", name="Asha Rahman").evaluate(f"radio => radio.value = '{bo}'")
    page.get_by_role("radio", name="Asha Rahman").check()
    page.get_by_role("button", name="Allocate").click()
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_role("alert")).to_contain_text("Bo Lindqvist is not ready for referrals")
    look(watched, "refused")
    page.get_by_role("link", name="override the rule for Bo Lindqvist").click()
    heading(page, "Bo Lindqvist is not ready for referrals")
    look(watched, "override")
    page.get_by_role("button", name="Override the rule").click()
    expect(page).to_have_title(re.compile("^Error: "))
    look(watched, "override-errors")
    page.get_by_label("Reason").fill("Course booked for next month; supervised each week until then")
    enter_day(page, "Last day", 40)
    page.get_by_role("button", name="Override the rule").click()
    expect(page.get_by_text("Bo Lindqvist may take referrals until")).to_be_visible()
    page.get_by_role("radio", name="Bo Lindqvist").check()
    page.get_by_role("button", name="Allocate").click()
    heading(page, re.compile("Referral R-first"))
    expect(page.get_by_text("Bo Lindqvist has referral R-first now.")).to_be_visible()
    look(watched, "allocated")
    page.goto("/referrals")
    expect(page.get_by_role("heading", name="No referral waits")).to_be_visible()
    look(watched, "waiting-empty")
    page.get_by_role("link", name="Overrides").click()
    heading(page, "Overrides")
    row = page.get_by_role("row").filter(has_text="Bo Lindqvist")
    expect(row).to_contain_text("R-first")
    expect(row).to_contain_text("Mo Haddad")
    look(watched, "overrides")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_what_a_leaver_had_is_given_to_another(window, live_cast: Cast, width: int) -> None:
    train(live_cast, "ASHA", "BO")
    for name, priority in (("R-left", "urgent"), ("R-also-left", "routine")):
        since(given(live_cast, received(live_cast, name, days=30, priority=priority)), 20)
    received(live_cast, "R-new", days=3)
    leaves(live_cast, "ASHA", 2)
    watched = window(width)
    watched.sign_in(live_cast.mo)
    page = watched.page
    page.goto("/")
    look(watched, "home-left")
    page.get_by_role("link", name="referrals waiting").click()
    expect(page.get_by_text("2 were with a coach whose post has ended.")).to_be_visible()
    expect(page.get_by_text("Was with Asha Rahman, whose post ended on")).to_have_count(2)
    look(watched, "waiting-left")
    page.get_by_role("link", name="Allocate R-left").click()
    expect(page.get_by_text("Asha Rahman, whose post ended on")).to_be_visible()
    look(watched, "allocate-left")
    page.get_by_role("radio", name="Bo Lindqvist").check()
    page.get_by_role("button", name="Allocate").click()
    expect(page.get_by_text("Bo Lindqvist has referral R-left now. It was with Asha Rahman")).to_be_visible()
    look(watched, "allocated-left")
    page.goto("/referrals")
    expect(page.get_by_text("1 was with a coach whose post has ended.")).to_be_visible()


def test_a_session_is_logged_on_a_phone_without_javascript(window, live_cast: Cast, asha: User) -> None:
    train(live_cast, "ASHA")
    since(given(live_cast, received(live_cast, "R-phone", days=9)), 8)
    with_app(asha)
    watched = window(320, javascript=False)
    page = watched.page
    page.goto("/")
    page.get_by_label("E-mail address").fill(asha.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading(page, "Second step")
    page.get_by_label("Code", exact=True).fill(code_at(SECRET))
    page.get_by_role("button", name="Sign in", exact=True).click()
    heading(page, "Hello, Asha Rahman")
    page.get_by_role("link", name="Log a session for R-phone").click()
    heading(page, "R-phone Log a session")
    assert page.evaluate("document.documentElement.scrollWidth - window.innerWidth") <= 0
    page.get_by_role("radio", name="Video").check()
    page.get_by_role("textbox", name="Length").fill("40")
    page.get_by_label("Next step").fill("Walk to the park twice")
    page.get_by_role("button", name="Save session").click()
    heading(page, re.compile("Referral R-phone"))
    expect(page.get_by_text("is saved.")).to_be_visible()
    expect(page.get_by_text("Video, 40 minutes")).to_be_visible()
    page.goto("/caseload")
    row = page.get_by_role("row").filter(has_text="R-phone")
    expect(row).to_contain_text("Walk to the park twice")
    expect(row).to_contain_text("Today")


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_pages_of_a_coach_empty_filled_and_with_errors(window, live_cast: Cast, width: int) -> None:
    watched = window(width)
    watched.sign_in(live_cast.asha)
    page = watched.page
    page.goto("/caseload")
    expect(page.get_by_role("heading", name="You have no open cases")).to_be_visible()
    look(watched, "caseload-empty")
    train(live_cast, "ASHA")
    more_cases(live_cast, 6)
    referral = received(live_cast, "R-mine", days=80, priority="urgent")
    since(given(live_cast, referral), 70)
    logged(live_cast, referral, 60, note="Spoke about sleep.\nWants to walk more.", next_step="Ring in two weeks")
    logged(live_cast, referral, 3, goal_progress="some", activity="plan_agreed", mode="video")
    page.goto("/")
    look(watched, "home")
    page.goto("/caseload")
    look(watched, "caseload")
    page.get_by_role("link", name="R-mine", exact=True).click()
    heading(page, re.compile("^Referral R-mine"))
    look(watched, "case")
    page.get_by_role("link", name="Log a session").first.click()
    heading(page, "R-mine Log a session")
    look(watched, "log")
    page.get_by_role("textbox", name="Length").fill("0")
    enter_day(page, "Date", 2)
    page.get_by_role("button", name="Save session").click()
    expect(page).to_have_title(re.compile("^Error: "))
    look(watched, "log-errors")
    page.goto(f"/referrals/{referral.uuid}")
    page.get_by_role("link", name=re.compile("^Correct the session")).first.click()
    heading(page, "R-mine Correct a session")
    look(watched, "correct")
    page.goto(f"/referrals/{referral.uuid}")
    page.get_by_role("link", name=re.compile("^Withdraw the session")).first.click()
    page.get_by_label("Why it is withdrawn").fill("Written down for the wrong person")
    look(watched, "withdraw")
    page.get_by_role("button", name="Withdraw this session").click()
    expect(page.get_by_text("The session is withdrawn.")).to_be_visible()
    look(watched, "withdrawn")
    page.get_by_role("link", name="Close this referral").click()
    heading(page, "R-mine Close this referral")
    look(watched, "close")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_pages_of_a_manager_filled(window, live_cast: Cast, width: int) -> None:
    train(live_cast, "ASHA")
    exempt(live_cast, "BO", 40, 20)
    more_cases(live_cast, 15)
    received(live_cast, "R-urgent", days=20, priority="urgent")
    watched = window(width)
    watched.sign_in(live_cast.mo)
    page = watched.page
    page.goto("/referrals")
    look(watched, "waiting-filled")
    page.goto("/referrals?source=vcse")
    look(watched, "waiting-none")
    page.goto("/referrals/new")
    look(watched, "receive")
    page.get_by_role("button", name="Save referral").click()
    expect(page).to_have_title(re.compile("^Error: "))
    look(watched, "receive-errors")
    page.goto("/overrides")
    look(watched, "overrides-past")
