"""The tour of docs/tour.md, walked: what each picture shows is there, and every picture is made.

`make pictures` keeps the pictures in docs/pictures; they are not in git.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from playwright.sync_api import Page, expect

from hwbc.compliance.demo.cast import CAST
from tests.browser.conftest import WIDTHS, Watched, web_server

pytestmark = pytest.mark.browser

TOUR = (Path(__file__).resolve().parents[2] / "docs" / "tour.md").read_text()
MANAGER, OTHER, HUB, COACH, UNTRAINED, LINE = (member.name for member in CAST[:6])


@pytest.fixture(scope="module")
def server(child_env: dict[str, str]) -> Iterator[str]:
    """One that has never seen another database than the demo's."""
    yield from web_server(child_env)


@pytest.fixture
def demo(empty: None) -> Iterator[None]:
    """The demo."""
    call_command("demo", verbosity=0)
    yield
    call_command("flush", interactive=False, verbosity=0)


class Tour:
    """Somebody who walks through it with a camera."""

    def __init__(self, watched: Watched) -> None:
        self.watched, self.page = watched, watched.page
        self.taken: list[str] = []

    def as_(self, name: str) -> None:
        """Go on as somebody else."""
        self.page.goto("/demo/")
        self.page.get_by_role("button", name=f"Sign in as {name}").click()
        expect(self.page.get_by_role("heading", name=f"Hello, {name}")).to_be_visible()

    def picture(self, name: str, heading: str | re.Pattern[str]) -> None:
        """What is seen now, once its heading is there."""
        expect(self.page.get_by_role("heading", level=1, name=heading)).to_be_visible()
        assert self.watched.overflow() <= 0, name
        self.taken.append(name)
        if folder := os.environ.get("HWBC_SCREENSHOTS"):
            self.page.screenshot(path=Path(folder) / f"tour-{name}.png")

    def open(self, address: str) -> Page:
        """A page by its address."""
        self.page.goto(address)
        return self.page


def test_the_tour_is_as_it_is_told(window, demo: None) -> None:
    tour = Tour(window(WIDTHS["desk"]))
    tour.open("/demo/")
    tour.picture("cast", "Sign in as somebody")

    tour.as_(MANAGER)
    tour.picture("manager-home", f"Hello, {MANAGER}")
    tour.open("/coaches")
    tour.picture("coaches", "Coaches")
    tour.page.get_by_role("link", name=UNTRAINED).click()
    tour.picture("one-coach", UNTRAINED)
    tour.open("/referrals").get_by_role("link", name=re.compile("^Allocate")).first.click()
    tour.picture("allocate", re.compile("."))
    tour.open("/imports/new")
    tour.picture("import", re.compile("orkbook"))

    tour.as_(HUB)
    tour.open("/pcns")
    tour.picture("pcns", "PCNs")

    tour.as_(COACH)
    tour.picture("coach-home", f"Hello, {COACH}")

    tour.as_(LINE)
    tour.picture("supervisor-home", f"Hello, {LINE}")

    tour.as_(OTHER)
    tour.open("/coaches")
    expect(tour.page.get_by_role("link", name=UNTRAINED)).to_have_count(0)
    tour.picture("other-manager", "Coaches")

    told = re.findall(r"\(pictures/tour-([\w-]+)\.png\)", TOUR)
    assert sorted(told) == sorted(tour.taken)
    for name in (MANAGER, OTHER, HUB, COACH, UNTRAINED, LINE):
        assert name in TOUR, f"docs/tour.md does not name {name}"
