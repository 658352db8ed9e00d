"""The end of a session in a real browser, with limits of seconds: the warning, one key, and nothing typed is lost."""

import os
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from allauth.mfa.models import Authenticator
from django.core.cache import cache
from django.test import override_settings
from playwright.sync_api import Page, expect

from coaching.models import CoachingSession
from hwbc.workforce import walls
from hwbc.workforce.factors import code_at
from hwbc.workforce.models import AuditEvent, User
from tests.browser.conftest import WIDTHS, Watched, web_server
from tests.cast import PASSWORD, SECRET, Cast, with_app
from tests.conftest import wait_for
from tests.pages import BY_NAME

pytestmark = pytest.mark.browser

IDLE, WARNING = 24, 12
NOTE = "She walked to the canal and back, twice."


@pytest.fixture(scope="module")
def server(child_env: dict[str, str]) -> Iterator[str]:
    """A web server whose sessions end soon."""
    yield from web_server({**child_env, "SESSION_IDLE": str(IDLE), "SESSION_WARNING": str(WARNING)})


@pytest.fixture
def asha(live_cast: Cast) -> User:
    """Asha, with a password that the real server can check."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        live_cast.asha.user.set_password(PASSWORD)
        live_cast.asha.user.save()
    with_app(live_cast.asha.user)
    return live_cast.asha.user


@pytest.fixture
def form(live_cast: Cast) -> str:
    """Where Asha logs a session of her case."""
    return BY_NAME["session_log"].url(live_cast)


def look(watched: Watched, name: str, page: Page | None = None) -> None:
    """Nothing for axe, nothing wider than the window; and a picture where pictures are asked for."""
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    picture(page or watched.page, name)


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = page.viewport_size["width"] if page.viewport_size else 0
        page.screenshot(path=Path(folder) / f"session-{name}-{width}.png", full_page=True)


def sign_in(page: Page, user: User) -> None:
    page.get_by_label("E-mail address").fill(user.email)
    page.get_by_label("Password", exact=True).fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    # A code is good once, and half a minute is long in a test: the app is a new one each time.
    Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).delete()
    cache.clear()
    with_app(user)
    page.get_by_label("Code", exact=True).fill(code_at(SECRET))
    page.get_by_role("button", name="Sign in", exact=True).click()


def fill_in(page: Page) -> None:
    page.get_by_label("Phone", exact=True).check()
    page.get_by_label("Length").fill("37")
    page.get_by_label("Note").fill(NOTE)


def is_there(page: Page) -> None:
    """As it was left."""
    expect(page.get_by_label("Note")).to_have_value(NOTE)
    expect(page.get_by_label("Length")).to_have_value("37")
    expect(page.get_by_label("Phone", exact=True)).to_be_checked()


def saved() -> int:
    with walls.lifted("tests"):
        return CoachingSession.objects.filter(minutes=37, mode="phone").count()


def ends(user: User) -> list[str]:
    with walls.lifted("tests"):
        facts = AuditEvent.objects.filter(user=user, what="account.time_out").values_list("facts", flat=True)
        return [each["why"] for each in facts]


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_warned_extended_by_one_key_signed_out_and_back_with_the_text(window, asha: User, form: str, width) -> None:
    watched = window(width)
    page = watched.page
    page.goto(form)
    sign_in(page, asha)
    fill_in(page)
    expect(page.get_by_text("Draft saved at")).to_be_visible()
    assert saved() == 0
    look(watched, "draft-saved")

    other = watched.context.new_page()  # another tab says the same
    other.goto("/caseload")
    page.bring_to_front()
    page.get_by_label("Note").focus()
    warning = page.get_by_role("alertdialog", name="You are about to be signed out")
    expect(warning).to_be_visible(timeout=IDLE * 1000)
    stay = page.get_by_role("button", name="Stay signed in")
    expect(stay).to_be_focused()
    expect(warning.locator("[data-time]")).to_have_text(re.compile(r"^\d+ seconds$"))
    look(watched, "warning")
    expect(other.get_by_role("alertdialog")).to_be_visible(timeout=WARNING * 1000)
    page.keyboard.press("Enter")
    expect(warning).to_be_hidden()
    expect(page.get_by_label("Note")).to_be_focused()
    expect(other.get_by_role("alertdialog")).to_be_hidden()
    other.close()

    expect(warning).to_be_visible(timeout=IDLE * 1000)
    page.keyboard.press("Escape")
    expect(warning).to_be_hidden()
    is_there(page)
    assert ends(asha) == []

    ended = page.get_by_role("heading", level=1, name="You were signed out")
    expect(ended).to_be_visible(timeout=2 * IDLE * 1000)
    wait_for(lambda: ends(asha) == ["idle"], what="the server to have ended it too")
    read = page.locator("body").inner_text()
    assert not [word for word in ("CASE", "Asha", "canal") if word in read + page.title()]
    expect(page.get_by_label("Note")).to_have_count(0)
    look(watched, "ended")

    page.get_by_role("link", name="Sign in and come back to this page").click()
    sign_in(page, asha)
    page.wait_for_url(re.compile(f"{form}$"))
    expect(page.get_by_text("Nothing of it has been saved yet.")).to_be_visible()
    is_there(page)
    look(watched, "restored")
    assert saved() == 0
    page.get_by_role("button", name="Save session").click()
    expect(page.get_by_role("alert")).to_contain_text("is saved")
    assert saved() == 1
    page.goto(form)
    expect(page.get_by_label("Note")).to_have_value("")


@pytest.mark.long
def test_without_javascript_what_is_sent_too_late_is_there_again(window, asha: User, form: str) -> None:
    watched = window(WIDTHS["phone"], javascript=False)
    page = watched.page
    page.goto(form)
    sign_in(page, asha)
    fill_in(page)
    time.sleep(IDLE + 1)
    page.get_by_role("button", name="Save session").click()
    expect(page.get_by_role("heading", level=1, name="Sign in")).to_be_visible()
    expect(page.get_by_text("What you typed is kept for you")).to_be_visible()
    picture(page, "too-late")
    assert (saved(), ends(asha)) == (0, ["idle"])
    sign_in(page, asha)
    page.wait_for_url(re.compile(f"{form}$"))
    expect(page.get_by_text("Here it is as you left it")).to_be_visible()
    is_there(page)
    picture(page, "sent-too-late-restored")
    page.get_by_role("button", name="Save session").click()
    expect(page.get_by_role("alert")).to_contain_text("is saved")
    assert saved() == 1


def test_a_lost_connection_loses_nothing(window, asha: User, form: str) -> None:
    watched = window(allow=("ERR_INTERNET_DISCONNECTED",))
    page = watched.page
    page.goto(form)
    sign_in(page, asha)
    watched.context.set_offline(True)
    fill_in(page)
    expect(page.get_by_text("Your draft could not be saved")).to_be_visible(timeout=15_000)  # it tries after 3 s
    watched.context.set_offline(False)
    expect(page.get_by_text("Draft saved at")).to_be_visible(timeout=15_000)
    assert page.evaluate("localStorage.length + sessionStorage.length") == 0
    other = watched.context.new_page()
    other.goto(form)
    is_there(other)
    other.get_by_role("button", name="Discard it").click()
    expect(other.get_by_label("Note")).to_have_value("")


def test_signed_out_in_another_tab_a_page_covers_itself(window, asha: User, form: str) -> None:
    watched = window()
    page = watched.page
    page.goto(form)
    sign_in(page, asha)
    other = watched.context.new_page()
    other.goto("/caseload")
    other.get_by_role("button", name="Sign out").click()
    expect(other.get_by_text("You have signed out.")).to_be_visible()
    other.close()
    page.bring_to_front()
    expect(page.get_by_role("heading", level=1, name="You were signed out")).to_be_visible(timeout=IDLE * 1000)
    assert "CASE" not in page.locator("body").inner_text()
