"""Whose case it is, who stands in, who leaves: as people do it, and how the pages look at both widths."""

import os
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import expect

from coaching.models import Referral
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.roles import Role
from tests.browser.conftest import WIDTHS, Watched
from tests.cast import Cast, person
from tests.coaching.work import given, logged, received, since, train

pytestmark = pytest.mark.browser


def look(watched: Watched, name: str) -> None:
    """Nothing for axe, nothing wider than the window; and a picture where pictures are asked for."""
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"whose-{name}-{width}.png", full_page=True)


def case_of_asha(cast: Cast) -> Referral:
    train(cast, "ASHA", "BO")
    referral = received(cast, "R-2026-014")
    since(given(cast, referral), 4)
    logged(cast, referral, 1, note="Spoke about walking again", next_step="Ring on Monday")
    return referral


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_colleague_opens_a_case_and_the_manager_sees_why(window, live_cast: Cast, width: int) -> None:
    case_of_asha(live_cast)
    bo = person("Bo Lindqvist")
    bo.given(Role.COACH, live_cast.riverside, live_cast.coach_bo)
    colleague = window(width)
    colleague.sign_in(bo)
    page = colleague.page
    page.goto("/caseload")
    page.get_by_role("link", name="Open a case that is not yours, with a reason").click()
    look(colleague, "find")
    page.get_by_role("button", name="Open this case").click()
    expect(page.get_by_role("link", name="Enter the reference of the case")).to_be_visible()
    look(colleague, "find-errors")
    page.get_by_label("Reference of the case").fill("R-2026-014")
    page.get_by_label("Why you need to open it").fill("Asha is ill, and the person rang about Monday")
    page.get_by_role("button", name="Open this case").click()
    expect(page.get_by_text("Spoke about walking again")).to_be_visible()
    look(colleague, "opened")
    manager = window(width)
    manager.sign_in(live_cast.mo)
    manager.page.goto("/referrals")
    manager.page.get_by_role("link", name="Cases opened with a reason").click()
    expect(manager.page.get_by_text("Asha is ill, and the person rang about Monday")).to_be_visible()
    look(manager, "openings")
    manager.page.get_by_role("link", name="R-2026-014").click()
    expect(manager.page.get_by_text("Phone, 45 minutes")).to_be_visible()
    assert "Spoke about walking again" not in manager.page.content()
    look(manager, "manager")
    manager.page.get_by_role("link", name="Open this case with a reason").click()
    look(manager, "open")


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_deputy_is_named_and_a_leaver_suspended(window, live_cast: Cast, width: int) -> None:
    case_of_asha(live_cast)
    bo = person("Bo Lindqvist")
    bo.given(Role.COACH, live_cast.riverside, live_cast.coach_bo)
    manager = window(width, allow=("409 (Conflict)",))
    manager.sign_in(live_cast.mo)
    page = manager.page
    page.goto("/access")
    look(manager, "access")
    page.get_by_role("link", name="Asha Rahman", exact=True).click()
    look(manager, "person")
    page.get_by_role("link", name="Name a deputy").click()
    last = today() + timedelta(days=14)
    page.get_by_role("group", name="Until").get_by_label("Day").fill(str(last.day))
    page.get_by_role("group", name="Until").get_by_label("Month").fill(str(last.month))
    page.get_by_role("group", name="Until").get_by_label("Year").fill(str(last.year))
    look(manager, "deputy")
    page.get_by_role("button", name="Name the deputy").click()
    expect(page.get_by_text("Bo Lindqvist stands in for Asha Rahman from")).to_be_visible()
    deputy = window(width)
    deputy.sign_in(bo)
    deputy.page.goto("/")
    look(deputy, "deputy-home")
    deputy.page.get_by_role("link", name="your caseload", exact=True).first.click()
    expect(deputy.page.get_by_role("link", name="R-2026-014", exact=True)).to_be_visible()
    look(deputy, "deputy-caseload")
    page.get_by_role("link", name="Asha Rahman", exact=True).first.click()
    page.get_by_role("link", name="Suspend…").click()
    look(manager, "suspend")
    page.get_by_role("button", name="Suspend").click()
    expect(page.get_by_text("1 case of theirs waits for another coach")).to_be_visible()
    look(manager, "suspended")
    with walls.lifted("tests"):
        mo = live_cast.mo.user.uuid
    lee = window(width, allow=("409 (Conflict)",))
    lee.sign_in(live_cast.lee)
    lee.page.goto(f"/access/people/{mo}/suspend")
    lee.page.get_by_role("button", name="Suspend").click()
    expect(lee.page.get_by_text("the last PCN manager of Riverside PCN")).to_be_visible()
    look(lee, "last-manager")
