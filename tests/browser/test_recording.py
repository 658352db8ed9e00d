"""Recording as people do it: on a phone without JavaScript, and two people at one record."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from tests import facts, pages
from tests.browser.conftest import WIDTHS, Watched
from tests.cast import SETUP, Cast

pytestmark = pytest.mark.browser


def look(watched: Watched, name: str) -> None:
    """Nothing for axe, nothing wider than the window; and a picture where pictures are asked for."""
    assert watched.overflow() <= 0, name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"recording-{name}-{width}.png", full_page=True)


def test_a_supervisor_records_a_meeting_on_a_phone_without_javascript(window, live_cast: Cast) -> None:
    run_checks(SETUP, today())
    manager = window(1280)
    manager.sign_in(live_cast.mo)
    manager.page.goto("/flags?show=red")
    overdue = manager.page.locator("tr", has_text="Asha Rahman").filter(has_text="Line management")
    expect(overdue).to_have_count(1)

    phone = window(320, javascript=False)
    phone.sign_in(live_cast.sam)
    page = phone.page
    page.goto("/")
    look(phone, "home")
    page.get_by_role("link", name="Record a meeting with Asha Rahman: Line management").click()
    expect(page.get_by_label("Line management")).to_be_checked()
    page.get_by_label("How long it lasted").fill("soon")
    page.get_by_role("button", name="Save meeting").click()
    expect(page.get_by_role("alert")).to_contain_text("must be a whole number of minutes")
    look(phone, "meeting-error")
    page.get_by_label("How long it lasted").fill("45")
    page.get_by_role("button", name="Save meeting").click()
    page.wait_for_url(re.compile("/supervision$"))
    expect(page.get_by_role("alert")).to_contain_text("Line management for Asha Rahman is met again")
    look(phone, "recorded")

    coach = window(320)
    coach.sign_in(live_cast.asha)
    coach.page.goto(f"/coaches/{live_cast.coach_asha.uuid}/supervision")
    row = coach.page.locator("tbody tr", has_text="45").filter(has_text="Line management")
    expect(row).to_contain_text("Sam Okafor")
    expect(row).to_contain_text("Counts")

    manager.page.reload()
    expect(overdue).to_have_count(0)


def test_two_windows_at_one_training_record(window, live_cast: Cast) -> None:
    address = pages.BY_NAME["training_correct"].url(live_cast)
    first, second = window(), window(320, allow=("409 (Conflict)",))
    first.sign_in(live_cast.mo)
    second.sign_in(live_cast.asha)
    for watched in (first, second):
        watched.page.goto(address)
    for watched, number in ((first, "Mo-1"), (second, "Asha-2")):
        watched.page.get_by_label("Number of the certificate").fill(number)
        watched.page.get_by_label("Why it is changed").fill(f"The certificate says {number}")
        watched.page.get_by_role("button", name="Save the correction").click()
    expect(first.page.get_by_role("alert")).to_contain_text("is changed")
    page = second.page
    expect(page.get_by_role("heading", level=1)).to_have_text("Someone changed this since you opened it")
    both = page.get_by_role("row", name="Certificate number")
    expect(both).to_contain_text("Mo-1")
    expect(both).to_contain_text("Asha-2")
    look(second, "conflict")
    assert second.axe() == []
    expect(page.get_by_label("Number of the certificate")).to_have_value("Asha-2")
    page.get_by_role("button", name="Save the correction").click()
    expect(page.get_by_role("alert")).to_contain_text("is changed")
    expect(page.get_by_text("number Asha-2")).to_be_visible()


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_every_form_filled_in_wrongly_says_so(window, live_cast: Cast, width: int) -> None:
    facts.story_of(live_cast, months=2)
    for page in pages.RECORDING:
        watched = window(width)
        watched.sign_in(live_cast.person(page.visitor))
        watched.page.goto(page.url(live_cast))
        look(watched, page.name)
        for box in watched.page.locator("main form input[type=text]:visible, main form textarea:visible").all():
            box.fill("40")
        watched.page.locator("main form button[type=submit]").first.click()
        if page.name.endswith("_withdraw"):  # "40" is a reason: done, or said why not
            expect(watched.page.get_by_role("alert")).to_be_visible()
            continue
        expect(watched.page).to_have_title(re.compile("^Error: "))
        assert watched.axe() == [], page.name
        look(watched, f"{page.name}-wrong")
