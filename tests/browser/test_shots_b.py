"""Temporary: pictures of the pages about one coach."""

import os
from pathlib import Path

import pytest

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.workforce import walls
from tests import facts
from tests.cast import SETUP

pytestmark = pytest.mark.browser
PAGES = ["", "/supervision", "/training", "/employment", "/caseload", "/history"]


@pytest.mark.parametrize("width", [1280, 320])
def test_shots(window, live_cast, width):
    cast = live_cast
    facts.story_of(cast)
    facts.everything(cast, 6)
    run_checks(SETUP, today())
    from hwbc.workforce.models import Coach

    with walls.lifted("tests"):
        two = Coach.objects.get(reference="U99991-002")
        paused = Coach.objects.get(reference="U99991-005")
    for name, coach in (("asha", cast.coach_asha), ("empty", cast.coach_bo), ("two", two), ("paused", paused)):
        watched = window(width)
        watched.sign_in(cast.mo)
        for page in PAGES:
            watched.page.goto(f"/coaches/{coach.uuid}{page}")
            watched.page.screenshot(
                path=Path("/tmp/shots-B") / f"{name}{page.replace('/', '-')}-{width}.png", full_page=True
            )
            assert watched.overflow() <= 0, page
            if os.environ.get("AXE"):
                print(name, page, watched.axe())
