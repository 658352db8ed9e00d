"""The demo as somebody who tries it: in as a manager, then as the coach whom the manager worries about."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import expect

from tests.browser.conftest import WIDTHS, Watched, web_server

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def server(child_env: dict[str, str]) -> Iterator[str]:
    """One that has never seen another database than the demo's."""
    yield from web_server(child_env)


@pytest.fixture
def demo(empty: None) -> Iterator[None]:
    """A demo, and nothing after it."""
    call_command("demo", verbosity=0)
    yield
    call_command("flush", interactive=False, verbosity=0)


def look(watched: Watched, name: str) -> None:
    """Nothing for axe, nothing wider than the window; and a picture where pictures are asked for."""
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"demo-{name}-{width}.png", full_page=True)


def test_in_as_the_manager_and_over_to_the_coach(window, demo: None) -> None:
    for width, javascript in ((WIDTHS["desk"], True), (WIDTHS["phone"], False)):
        watched = window(width, javascript=javascript)
        page = watched.page
        page.goto("/")
        page.get_by_role("link", name="sign in as somebody of the cast").click()
        expect(page.get_by_role("heading", level=1, name="Sign in as somebody")).to_be_visible()
        if javascript:
            look(watched, "cast")

        page.get_by_role("button", name="Sign in as Robert Ellwood, PCN manager").click()
        expect(page.get_by_role("heading", name="Hello, Robert Ellwood")).to_be_visible()
        expect(page.get_by_text("Demo: everybody and everything here is invented.")).to_be_visible()
        page.goto("/coaches")
        page.get_by_role("link", name="Amara Nwosu").click()
        expect(page.get_by_text("without completed training").first).to_be_visible()
        if javascript:
            look(watched, "coach")

        page.get_by_role("link", name="Sign in as somebody else").click()
        expect(page.get_by_role("link", name="You are signed in as Robert Ellwood")).to_be_visible()
        page.get_by_role("button", name="Sign in as Amara Nwosu, Health and wellbeing coach").click()
        expect(page.get_by_role("heading", name="Hello, Amara Nwosu")).to_be_visible()
        expect(page.get_by_text("Completed training turns it green").first).to_be_visible()
