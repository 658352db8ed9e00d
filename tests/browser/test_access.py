"""Giving and ending access as a manager does, with the keyboard alone and on a phone; and how the pages look."""

import os
import re
from pathlib import Path

import pytest
from django.conf import settings
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDTHS, Watched, set_up_app
from tests.cast import Cast
from tests.pages import BY_NAME, more_people

pytestmark = pytest.mark.browser
PASSWORD = "correct horse battery staple"


def look(watched: Watched, name: str) -> None:
    """Nothing for axe, nothing wider than the window; and a picture where pictures are asked for."""
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"access-{name}-{width}.png", full_page=True)


def tab_to(page: Page, name: str, limit: int = 60) -> None:
    """Press Tab until what has this name (its text or its label) has the focus."""
    for _ in range(limit):
        page.keyboard.press("Tab")
        found = page.evaluate(
            "(e => [e.textContent, ...(e.labels || [])].map(x => (x.textContent || x).trim().replace(/\\s+/g, ' ')))"
            "(document.activeElement)"
        )
        if any(text.startswith(name) for text in found):
            return
    pytest.fail(f"{name} was not reached in {limit} steps")


def link_in_the_mail(to: str) -> str:
    """The address in the newest mail to somebody; the server of the tests writes its mail into files."""
    texts = [
        file.read_text() for file in sorted((settings.VAR / "mail").glob("*"), key=lambda file: file.stat().st_mtime)
    ]
    mail = [text for text in texts if f"To: {to}" in text][-1]
    found = re.search(r"http://\S+", mail)
    assert found
    return found[0]


def test_inviting_somebody_with_the_keyboard_alone_on_a_phone(window, live_cast: Cast) -> None:
    watched = window(320)
    watched.sign_in(live_cast.mo)
    page = watched.page
    page.goto("/access")
    tab_to(page, "Invite somebody")
    page.keyboard.press("Enter")
    page.wait_for_url("**/access/invite")

    tab_to(page, "E-mail address")
    page.keyboard.type("bo.lindqvist@example.org")
    tab_to(page, "Full name")
    page.keyboard.type("Bo Lindqvist")
    tab_to(page, "Health and wellbeing coach")
    page.keyboard.press("Space")
    tab_to(page, "Which coach")
    assert page.locator(":focus").evaluate("e => e.selectedOptions[0].textContent").strip() == (
        "Bo Lindqvist, Riverside PCN"
    )
    tab_to(page, "Invite")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/access$"))
    said = page.get_by_role("alert")
    expect(said).to_contain_text("Bo Lindqvist is Health and wellbeing coach at Riverside PCN.")
    expect(said).to_contain_text("The link to choose a password was sent to bo.lindqvist@example.org.")
    expect(page.get_by_text("Invited, has not chosen a password yet")).to_be_visible()
    look(watched, "invited")

    theirs = window(320)
    theirs.page.goto(link_in_the_mail("bo.lindqvist@example.org"))
    theirs.page.get_by_label("Password", exact=True).fill(PASSWORD)
    theirs.page.get_by_label("The same password again").fill(PASSWORD)
    theirs.page.get_by_role("button", name="Save the password").click()
    theirs.page.goto("/account/sign-in")
    theirs.page.get_by_label("E-mail address").fill("bo.lindqvist@example.org")
    theirs.page.get_by_label("Password", exact=True).fill(PASSWORD)
    theirs.page.get_by_role("button", name="Sign in", exact=True).click()
    set_up_app(theirs)
    expect(theirs.page.get_by_text("Bo Lindqvist (Health and wellbeing coach)")).to_be_visible()

    page.reload()
    expect(page.get_by_text("Invited, has not chosen a password yet")).to_have_count(0)
    tab_to(page, "End access of Bo Lindqvist")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="End Bo Lindqvist’s access?")).to_be_visible()
    look(watched, "end")
    tab_to(page, "End this access")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/access$"))
    expect(page.get_by_role("alert")).to_contain_text("Bo Lindqvist is no longer Health and wellbeing coach")
    theirs.page.reload()  # the next page that they open
    expect(theirs.page.get_by_text("Bo Lindqvist (Health and wellbeing coach)")).to_have_count(0)


def test_without_javascript_every_question_is_there(window, live_cast: Cast) -> None:
    watched = window(320, javascript=False)
    watched.sign_in(live_cast.lee)
    page = watched.page
    page.goto("/access/invite")
    page.get_by_label("E-mail address").fill("ann.other@example.org")
    page.get_by_label("Full name").fill("Ann Other")
    page.get_by_role("radio", name="PCN manager").check()
    page.get_by_label("Which PCN").select_option("Hilltop PCN")
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_text("Ann Other is PCN manager at Hilltop PCN.")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_pages_empty_filled_and_with_errors(window, live_cast: Cast, width: int) -> None:
    alone = window(width)
    alone.sign_in(live_cast.zed)
    alone.page.goto("/access")
    expect(alone.page.get_by_text("Only you have access here.")).to_be_visible()
    look(alone, "empty")

    more_people(live_cast, 4)
    watched = window(width, allow=("409 (Conflict)",))
    watched.sign_in(live_cast.mo)
    page = watched.page
    page.goto("/access?sort=-role&name=o")
    look(watched, "filled")
    page.get_by_text("What each role may see and do").click()
    look(watched, "roles")
    page.goto("/access?show=ended&name=nobody")
    look(watched, "none")

    page.goto("/access/invite")
    look(watched, "invite")
    page.get_by_role("button", name="Invite").click()
    expect(page).to_have_title(re.compile("^Error: "))
    look(watched, "invite-nothing")
    page.get_by_role("radio", name="Supervisor").check()
    page.get_by_role("button", name="Invite").click()
    expect(page.get_by_role("alert").get_by_role("link", name="Select which supervisor")).to_be_visible()
    look(watched, "invite-errors")

    page.goto("/access?name=sam")
    page.get_by_role("link", name="How it ends").first.click()
    look(watched, "follows")
    page.goto("/access?name=mo")
    page.get_by_role("link", name=re.compile("^End access of Mo")).click()
    expect(page.get_by_text("This is your own access")).to_be_visible()
    look(watched, "own")
    page.goto(BY_NAME["access_end"].url(live_cast))
    look(watched, "other")
