"""Lists in a real browser: narrowed without JavaScript, sorted by keyboard, read at every width, empty and wrong."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests import facts
from tests.browser.conftest import WIDTHS
from tests.cast import Cast

pytestmark = pytest.mark.browser

STATES = {
    "list": "/coaches?sort=line",
    "list-narrowed": "/coaches?place=U99991&name=inv&state=attention",
    "list-one-rule": "/coaches?rule=training.required",
    "list-nobody-matches": "/coaches?name=zzz",
    "list-empty": "/coaches?as-at=2019-03-31",
    "list-wrong": "/coaches?rule=nonsense&state=green",
    "overview": "/pcns",
    "overview-one-rule": "/pcns?rule=supervision.line",
    "overview-wrong": "/pcns?place=nowhere",
    "counting": "/how-we-count?as-at=2026-03-31",
}


@pytest.fixture
def filled(live_cast: Cast) -> Cast:
    """Coaches in every state, on two pages and in two PCNs."""
    facts.everything(live_cast, 28)
    facts.everything(live_cast, 6, 1, "U99992")
    return live_cast


@pytest.mark.parametrize("width", [*WIDTHS.values(), 900], ids=[*WIDTHS, "tablet"])
def test_lists_at_every_width(window, filled: Cast, width: int) -> None:
    watched = window(width)
    watched.sign_in(filled.lee)
    for name, address in STATES.items():
        watched.page.goto(address)
        assert watched.overflow() <= 0, (name, width)
        assert watched.axe() == [], (name, width)
        if folder := os.environ.get("HWBC_SCREENSHOTS"):
            watched.page.screenshot(path=Path(folder) / f"{name}-{width}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_list_is_narrowed_and_exported_without_javascript(window, filled: Cast, width: int) -> None:
    watched = window(width, javascript=False)
    watched.sign_in(filled.lee)
    page = watched.page
    page.goto("/coaches")
    if width == WIDTHS["phone"]:
        page.get_by_text("Filter", exact=True).click()
    page.get_by_label("Place").select_option("U99992")
    page.get_by_label("Rule").select_option("supervision.line")
    page.get_by_label("State").select_option(label="Overdue or not met")
    page.get_by_role("button", name="Apply filters").click()
    rows = page.locator("tbody tr")
    expect(rows.first).to_contain_text("Overdue")
    count = rows.count()
    assert page.locator("caption").inner_text().startswith(f"{count} coach")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV").click()
    assert download.value.suggested_filename.startswith("coaches-hilltop-pcn-")
    lines = Path(download.value.path()).read_text(encoding="utf-8-sig").splitlines()
    assert len(lines) == 1 + count
    page.get_by_role("link", name="Remove the filter State: Overdue or not met").click()
    assert rows.count() > count
    page.get_by_role("link", name="Clear all").click()
    expect(page.locator("caption")).to_contain_text("37 coaches")


def test_a_hidden_head_shows_itself_to_the_keyboard(window, filled: Cast) -> None:
    watched = window(WIDTHS["phone"])
    watched.sign_in(filled.lee)
    page = watched.page
    for address in ("/coaches", "/pcns"):
        page.goto(address)
        hidden = page.locator("thead").bounding_box()
        assert hidden is not None
        assert hidden["height"] <= 1
        page.locator("summary", has_text="Sorted by").focus()
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.closest('thead') !== null")
        head = page.locator("thead").bounding_box()
        assert head is not None
        assert head["height"] > 100
        assert watched.overflow() <= 0
        page.keyboard.press("Enter")
        expect(page.locator("th[aria-sort=descending]")).to_have_count(1)


def test_on_a_wide_screen_the_filters_stand_open_beside_the_rows(window, filled: Cast) -> None:
    watched = window(WIDTHS["desk"])
    watched.sign_in(filled.lee)
    page = watched.page
    page.goto("/coaches")
    expect(page.get_by_label("Rule")).to_be_visible()
    filters, table = page.locator(".hwbc-filter").bounding_box(), page.locator("table").bounding_box()
    assert filters is not None
    assert table is not None
    assert filters["x"] + filters["width"] <= table["x"] + 2
    watched.page.get_by_label("Name").focus()  # reached by the keyboard as well
    page.keyboard.type("asha")
    page.keyboard.press("Enter")
    expect(page.locator("caption")).to_have_text("1 coach")
