"""Who looked at what: a coach finds out, a manager searches, in a real browser."""

import os
import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import WIDTHS
from tests.cast import Cast
from tests.pages import a_case, more_events

pytestmark = pytest.mark.browser


def picture(page: Page, name: str) -> None:
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_manager_finds_out_who_read_a_case_and_a_coach_too(window, live_cast: Cast, width: int) -> None:
    cast = live_cast
    more_events(cast, 4)
    referral = a_case(cast)["uuid"]
    watched = window(width)
    watched.sign_in(cast.mo)
    page = watched.page
    page.goto("/audit")
    expect(page.get_by_role("heading", level=1)).to_have_text("Audit")
    expect(page.get_by_text("recorded a supervision agreement of").first).to_be_visible()
    assert watched.axe() == []
    picture(page, f"audit-{width}")
    page.get_by_role("link", name="Older events").click()
    page.get_by_role("link", name="Back to the newest events").click()
    if width == WIDTHS["phone"]:  # beside the list it stands open
        page.locator("summary", has_text="Filter").click()
    page.get_by_label("About which record").fill("nothing")
    page.get_by_role("button", name="Apply filters").click()
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_label("About which record").fill("case")
    page.get_by_label("What", exact=True).select_option("Records read")
    page.get_by_role("button", name="Apply filters").click()
    expect(page.get_by_text("read the case CASE with its sessions").first).to_be_visible()
    expect(page.get_by_text("recorded a supervision agreement of")).to_have_count(0)
    assert watched.axe() == []
    page.get_by_role("link", name="Cases opened with a reason").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Cases opened with a reason")

    coach = window(width)
    coach.sign_in(cast.asha)
    coach.page.goto(f"/referrals/{referral}")
    coach.page.get_by_role("link", name="Who has looked at this case").click()
    expect(coach.page.get_by_role("heading", level=1)).to_have_text("Who has looked at CASE")
    expect(coach.page.get_by_text("Mo Haddad, PCN manager, read the case CASE").first).to_be_visible()
    assert coach.axe() == []
    picture(coach.page, f"looked-{width}")
