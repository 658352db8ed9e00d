"""From the invitation to a second factor, and passkeys in a real browser with an authenticator of its own making."""

import os
import re
import time
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.accounts import invitation_link
from hwbc.workforce.actions.factors import set_sign_in_rules
from hwbc.workforce.factors import code_at
from tests.browser.conftest import WIDTHS, Watched, set_up_app
from tests.cast import SETUP, Cast, with_app

pytestmark = pytest.mark.browser
CHOSEN = "violet tractor opening"


def look(watched: Watched, name: str) -> None:
    """What every page is looked at for, where the walk of all pages cannot come by."""
    assert watched.page.locator("h1").count() == 1, name
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"factors-{name}-{width}.png", full_page=True)


def by_name(server: str) -> str:
    """The service's address with a name, as passkeys need."""
    return server.replace("127.0.0.1", "localhost")


def authenticator(watched: Watched) -> Any:
    """Chromium's own: it makes and keeps passkeys, and says that the person was recognised."""
    session = watched.context.new_cdp_session(watched.page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {
            "options": {
                "protocol": "ctap2",
                "transport": "internal",
                "hasResidentKey": True,
                "hasUserVerification": True,
                "isUserVerified": True,
                "automaticPresenceSimulation": True,
            }
        },
    )
    return session


def with_link(watched: Watched, server: str, cast: Cast) -> None:
    """Choose a password with the link from the invitation, and sign in with it."""
    page = watched.page
    user = cast.mo.user
    link = invitation_link(user)
    page.goto(by_name(server) + link[link.index("/account/") :])
    page.get_by_label("Password", exact=True).fill(CHOSEN)
    page.get_by_label("The same password again").fill(CHOSEN)
    page.get_by_role("button", name="Save the password").click()
    page.goto(f"{by_name(server)}/service-status")
    password(watched, user.email)


def password(watched: Watched, email: str) -> None:
    page = watched.page
    page.get_by_label("E-mail address").fill(email)
    page.get_by_label("Password", exact=True).fill(CHOSEN)
    page.get_by_role("button", name="Sign in", exact=True).click()


@pytest.mark.parametrize("javascript", [True, False], ids=["javascript", "no-javascript"])
def test_from_the_invitation_to_a_second_factor(window, server: str, live_cast: Cast, javascript: bool) -> None:
    watched = window(320 if javascript else 1280, javascript=javascript)
    page = watched.page
    with_link(watched, server, live_cast)
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()
    page.goto(f"{by_name(server)}/service-status")
    expect(page.get_by_role("heading", name="Set up a second factor")).to_be_visible()  # nothing else opens
    if javascript:
        look(watched, "choose")
        page.get_by_role("button", name="Set up an authenticator app").click()
        look(watched, "app")
        box = page.locator(".hwbc-qr").bounding_box()
        assert box
        assert box["width"] > 150
        page.get_by_label("Code", exact=True).fill("000000")
        page.get_by_role("button", name="Continue").click()
        expect(page).to_have_title(re.compile("^Error: "))
        look(watched, "app-wrong")
        page.get_by_role("link", name="Use another second factor").click()
    secret, used = set_up_app(watched)
    expect(page).to_have_url(re.compile("/service-status$"))
    page.get_by_role("button", name="Sign out").click()
    password(watched, live_cast.mo.user.email)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    page.get_by_label("Code", exact=True).fill(used)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("This code is not right, or it has been used already").first).to_be_visible()
    page.get_by_label("Code", exact=True).fill(code_at(secret, time.time() + 30))  # the next one
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_text("Mo Haddad (PCN manager)")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_passkey_is_made_and_signs_in_without_a_password(window, server: str, live_cast: Cast, width: int) -> None:
    watched = window(width)
    page = watched.page
    authenticator(watched)
    with_link(watched, server, live_cast)
    page.get_by_role("button", name="Set up a passkey").click()
    page.get_by_label("Name").fill("Work laptop")
    look(watched, "passkey")
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("heading", name="Your recovery codes")).to_be_visible()
    look(watched, "codes")
    page.get_by_role("button", name="I have kept them").click()
    expect(page).to_have_url(re.compile("/service-status$"))
    page.goto(f"{by_name(server)}/account/security")
    expect(page.get_by_text("Work laptop").first).to_be_visible()
    look(watched, "security")

    page.get_by_role("button", name="Sign out").click()
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_text("Mo Haddad (PCN manager)")).to_be_visible()

    page.get_by_role("button", name="Sign out").click()
    password(watched, live_cast.mo.user.email)
    expect(page.get_by_role("heading", name="Second step")).to_be_visible()
    look(watched, "second-step")
    page.get_by_role("button", name="Use your passkey").click()
    expect(page.get_by_text("Mo Haddad (PCN manager)")).to_be_visible()


def test_a_passkey_that_an_organisation_asks_for(window, server: str, live_cast: Cast) -> None:
    with_app(live_cast.mo.user)
    watched = window()
    page = watched.page
    authenticator(watched)
    cookie = live_cast.mo.client.cookies["sessionid"]
    watched.context.add_cookies([{"name": cookie.key, "value": cookie.value, "url": by_name(server)}])
    page.goto(f"{by_name(server)}/coaches")
    with walls.lifted("tests"):
        set_sign_in_rules(SETUP, organisation=live_cast.riverside, passkey_from=today(), version=1)
    page.reload()
    expect(page.get_by_role("heading", name="Add a passkey")).to_be_visible()
    page.get_by_role("button", name="Add a passkey").click()
    page.get_by_role("button", name="I have kept them").click()
    expect(page.get_by_role("heading", name="Use your passkey")).to_be_visible()
    look(watched, "use-passkey")
    page.get_by_role("button", name="Use your passkey").click()
    expect(page).to_have_url(re.compile("/coaches$"))


def test_a_passkey_that_is_not_there_says_so(window, server: str, live_cast: Cast) -> None:
    watched = window()
    page = watched.page
    session = watched.context.new_cdp_session(page)
    session.send("WebAuthn.enable")
    session.send(
        "WebAuthn.addVirtualAuthenticator",
        {"options": {"protocol": "ctap2", "transport": "internal", "hasResidentKey": True}},
    )
    page.goto(f"{by_name(server)}/account/sign-in")
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert")).to_contain_text("The passkey was not used")
    look(watched, "sign-in-failed")
