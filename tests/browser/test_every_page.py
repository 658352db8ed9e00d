"""Every page of the catalogue in a real browser, at two widths: axe, nothing wider than the window, no complaint."""

import os
import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS
from tests.pages import PAGES, PUBLIC, Page

pytestmark = pytest.mark.browser
HTML = [page for page in PAGES if page.html]


PARTS = 5


@pytest.mark.long
@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
@pytest.mark.parametrize("part", range(PARTS))
def test_every_page(window, live_cast, width: int, part: int) -> None:
    """One window for many pages: what takes time is opening it. In parts, so that two can walk at once."""
    watched = window(width)
    for page in HTML[part::PARTS]:
        watched.context.clear_cookies()
        if page.opens_for != PUBLIC:
            watched.sign_in(live_cast.person(page.visitor))
        look(watched, page, page.url(live_cast))


def look(watched, page: Page, url: str) -> None:
    watched.page.goto(url)
    assert watched.page.locator("h1").count() == 1, page.name
    assert watched.overflow() <= 0, page.name
    assert watched.axe() == [], page.name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.viewport_size["width"]
        watched.page.screenshot(path=Path(folder) / f"{page.name}-{width}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_pages_for_what_goes_wrong(window, live_cast, width: int) -> None:
    for person, address, words in [
        (live_cast.mo, "/nowhere", "Page not found"),
        (live_cast.asha, "/service-status", "None of your roles lets you"),
    ]:
        watched = window(width, allow=("404 (Not Found)", "403 (Forbidden)"))
        watched.sign_in(person)
        watched.page.goto(address)
        assert words in watched.page.content()
        assert watched.overflow() <= 0
        assert watched.axe() == []
        if folder := os.environ.get("HWBC_SCREENSHOTS"):
            watched.page.screenshot(path=Path(folder) / f"error-{address[1:]}-{width}.png", full_page=True)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_component_page_with_errors(window, live_cast, width: int) -> None:
    watched = window(width)
    watched.sign_in(live_cast.mo)
    watched.page.goto("/components")
    watched.page.locator("main form button[type=submit]").last.click()
    expect(watched.page).to_have_title(re.compile("^Error: "))
    assert watched.page.evaluate("document.activeElement.classList.contains('nhsuk-error-summary')")
    assert watched.overflow() <= 0
    assert watched.axe() == []
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        watched.page.screenshot(path=Path(folder) / f"components-errors-{width}.png", full_page=True)


def test_the_policy_stops_what_is_inline_or_from_elsewhere(window, live_cast) -> None:
    """The control for "no complaint": a page that did contain such things would be heard."""
    watched = window(allow=("Content Security Policy", "Refused to"))
    watched.page.goto("/account/sign-in")
    watched.page.evaluate(
        """() => {
            const script = document.createElement('script');
            script.textContent = 'window.ran = true';
            const image = document.createElement('img');
            image.src = 'http://127.0.0.1:1/x.png';
            document.body.append(script, image);
        }"""
    )
    watched.page.wait_for_timeout(300)
    assert watched.page.evaluate("window.ran") is None
    assert len(watched.complaints) >= 2
