"""Signing in and out as a person does: with a mouse, with the keyboard alone, on a phone, without JavaScript."""

import re

import pytest
from django.test import override_settings
from playwright.sync_api import expect

from hwbc.workforce.factors import code_at
from hwbc.workforce.models import User
from tests.browser.conftest import Watched
from tests.cast import PASSWORD, SECRET, Cast, with_app

pytestmark = pytest.mark.browser


@pytest.fixture
def mo(live_cast: Cast) -> User:
    """Mo, with a password that the real server can check, and an authenticator app."""
    with override_settings(PASSWORD_HASHERS=["django.contrib.auth.hashers.Argon2PasswordHasher"]):
        live_cast.mo.user.set_password(PASSWORD)
        live_cast.mo.user.save()
    with_app(live_cast.mo.user)
    return live_cast.mo.user


def fill_in(watched: Watched, user: User, password: str = PASSWORD) -> None:
    watched.page.get_by_label("E-mail address").fill(user.email)
    watched.page.get_by_label("Password", exact=True).fill(password)
    watched.page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
@pytest.mark.parametrize("width", [320, 1280])
def test_in_and_out(window, mo: User, width: int, javascript: bool) -> None:
    watched = window(width, javascript=javascript)
    page = watched.page
    page.goto("/service-status")
    expect(page).to_have_url(re.compile(r"/account/sign-in\?next=/service-status$"))

    fill_in(watched, mo, "not the password")
    expect(page).to_have_title(re.compile("^Error: "))
    expect(page.get_by_label("Password", exact=True)).to_have_value("")
    expect(page.get_by_label("E-mail address")).to_have_value(mo.email)

    fill_in(watched, mo)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    assert watched.overflow() <= 0
    if javascript:
        assert watched.axe() == []
    page.get_by_label("Code", exact=True).fill("000000")
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_label("Code", exact=True).fill(code_at(SECRET))
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page).to_have_url(re.compile("/service-status$"))
    expect(page.get_by_text("Mo Haddad (PCN manager)")).to_be_visible()
    page.get_by_role("button", name="Ask the background jobs to answer now").click()
    expect(page.get_by_text("Asked at")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    page.goto("/")
    expect(page).to_have_url(re.compile("/account/sign-in"))


def test_with_the_keyboard_alone(window, mo: User) -> None:
    watched = window()
    page = watched.page
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent").strip() == "Skip to main content"
    page.keyboard.press("Enter")
    for typed in (mo.email, PASSWORD):
        for _ in range(6):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.tagName") == "INPUT":
                break
        page.keyboard.type(typed)
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Second step").wait_for()
    for _ in range(6):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "INPUT":
            break
    page.keyboard.type(code_at(SECRET))
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Hello, Mo Haddad").wait_for()


def test_focus_can_be_seen(window, mo: User) -> None:
    watched = window()
    page = watched.page
    page.goto("/account/sign-in")
    page.get_by_label("E-mail address").focus()
    ring = page.evaluate(
        "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle + ' ' + s.boxShadow; })()"
    )
    assert "solid" in ring or "rgb" in ring
