"""Charts in a real browser: at every width readable, within the window, without a complaint; and printed."""

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from hwbc.compliance import checks
from hwbc.kit.periods import today
from tests import facts
from tests.browser.conftest import WIDTHS, Watched
from tests.cast import SETUP, Cast

pytestmark = pytest.mark.browser

STATES = {
    "home": "/",
    "pcns": "/pcns",
    "pcns-one-rule": "/pcns?rule=supervision.line",
    "pcns-past": f"/pcns?as-at={today() - timedelta(days=200)}",
}
# How large each piece of a chart's type is seen, in pixels; and by how much pieces leave the picture or meet.
TYPE = """() => [...document.querySelectorAll('.hwbc-chart svg text')].map(
    text => parseFloat(getComputedStyle(text).fontSize) * text.getScreenCTM().a)"""
MEETING = """() => [...document.querySelectorAll('.hwbc-chart svg')].flatMap(svg => {
    const box = svg.getBoundingClientRect(), found = [];
    const texts = [...svg.querySelectorAll('text')].map(text => [text.textContent, text.getBoundingClientRect()]);
    texts.forEach(([words, at], index) => {
        if (at.left < box.left - 1 || at.right > box.right + 1 || at.top < box.top - 1 || at.bottom > box.bottom + 1)
            found.push(`${words} leaves the picture`);
        texts.slice(index + 1).forEach(([others, other]) => {
            const [low, high] = at.top < other.top ? [other, at] : [at, other];
            if (at.left < other.right && other.left < at.right && low.top < high.bottom - 4)
                found.push(`${words} meets ${others}`);
        });
    });
    return found;
})"""


@pytest.fixture
def counted(live_cast: Cast) -> Cast:
    """Coaches in every state in two PCNs, three with a story of more than a year, and the months counted."""
    facts.everything(live_cast, 12)
    facts.everything(live_cast, 6, 1, "U99992")
    facts.story_of(live_cast, "BO")
    facts.story_of(live_cast, "CAI", 20, "U99992")
    checks.run_checks(SETUP, today())
    assert checks.count_shares(timezone.now()) > 0
    return live_cast


def keep(page: Page, name: str) -> None:
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"charts-{name}.png", full_page=True)


@pytest.mark.long
@pytest.mark.parametrize("width", [*WIDTHS.values(), 700], ids=[*WIDTHS, "tablet"])
def test_charts_at_every_width(window: Callable[..., Watched], counted: Cast, width: int) -> None:
    watched = window(width)
    watched.sign_in(counted.lee)
    page = watched.page
    for name, address in STATES.items():
        page.goto(address)
        charts = page.locator(".hwbc-chart")
        expect(charts).to_have_count({"home": 4, "pcns-one-rule": 1}.get(name, 10))
        sizes = page.evaluate(TYPE)
        assert 12 <= min(sizes) <= max(sizes) <= 20, (name, width, min(sizes), max(sizes))
        assert page.evaluate(MEETING) == [], (name, width)
        page.get_by_text("The numbers of each month", exact=True).click()
        expect(page.locator(".hwbc-chart-data")).to_be_visible()
        assert watched.overflow() <= 0, (name, width)
        assert watched.axe() == [], (name, width)
        keep(page, f"{name}-{width}")


def test_a_number_is_reached_by_keyboard_and_leads_to_its_rows(window: Callable[..., Watched], counted: Cast) -> None:
    watched = window(WIDTHS["phone"], javascript=False)
    watched.sign_in(counted.lee)
    page = watched.page
    page.goto("/pcns?place=U99991")
    page.locator("summary", has_text="The numbers of each month").focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")  # the table's own box, which scrolls
    assert page.evaluate("document.activeElement.getAttribute('role')") == "region"
    page.keyboard.press("Tab")
    number = page.evaluate("document.activeElement.textContent")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Coaches")
    assert page.locator("caption").inner_text().startswith(f"{number} coach")


def test_printed_it_is_dark_on_white_and_in_one_piece(window: Callable[..., Watched], counted: Cast) -> None:
    watched = window(WIDTHS["desk"])
    watched.sign_in(counted.mo)
    page = watched.page
    page.goto("/pcns")
    page.emulate_media(media="print")
    line = page.locator(".hwbc-chart__line").first
    expect(line).to_be_visible()
    red, green, blue = line.evaluate("line => getComputedStyle(line).stroke.match(/\\d+/g).map(Number)")
    assert 0.2126 * red + 0.7152 * green + 0.0722 * blue < 100  # of 255: what a grey printer makes of it
    assert line.evaluate("e => getComputedStyle(e.closest('figure')).breakInside") == "avoid"
    page.get_by_text("The numbers of each month", exact=True).click()
    assert watched.overflow() <= 0  # no link in a table is written out
    keep(page, "printed")


def test_where_colours_are_forced_the_line_is_seen(window: Callable[..., Watched], counted: Cast) -> None:
    watched = window(WIDTHS["desk"])
    watched.sign_in(counted.mo)
    page = watched.page
    page.emulate_media(forced_colors="active", color_scheme="dark")
    page.goto("/")
    stroke = page.locator(".hwbc-chart__line").first.evaluate("e => getComputedStyle(e).stroke")
    text = page.locator(".hwbc-chart__title").first.evaluate("e => getComputedStyle(e).color")
    assert stroke == text
    keep(page, "forced")
