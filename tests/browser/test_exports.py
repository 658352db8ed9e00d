"""Lists as files in a real browser: both formats by a click, a large one through its job's page, without JavaScript."""

import os
import re
from pathlib import Path
from urllib.parse import urlencode

import pytest
from openpyxl import load_workbook
from playwright.sync_api import Download, Page, expect

from coaching.models import Referral
from hwbc.compliance.exporting.offers import AT_ONCE
from hwbc.compliance.jobs import actions, work
from hwbc.kit.periods import today
from hwbc.standards.models import Job
from hwbc.workforce import walls
from tests.browser.conftest import WIDTHS
from tests.cast import Cast
from tests.compliance.exporting import LISTS, fill

pytestmark = pytest.mark.browser


@pytest.fixture
def filled(live_cast: Cast) -> Cast:
    """Every list has rows."""
    return fill(live_cast)


@pytest.fixture
def overwhelmed(live_cast: Cast) -> Cast:
    """More referrals wait at Riverside than a page makes a file of."""
    with walls.lifted("tests"):
        Referral.objects.bulk_create(
            Referral(pcn=live_cast.riverside, reference=f"W{n}", reference_key=f"w{n}", register=live_cast.northfield,
                     source="self", priority="routine", received_on=today())
            for n in range(AT_ONCE + 1)
        )  # fmt: skip
    return live_cast


def look(page: Page, name: str, width: int) -> None:
    """Keep a picture, where somebody wants to look at it."""
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"export-{name}-{width}.png", full_page=True)


def rows_of(download: Download) -> int:
    """How many rows a saved file has."""
    path = Path(download.path())
    if download.suggested_filename.endswith(".csv"):
        return len(path.read_text(encoding="utf-8-sig").splitlines()) - 1
    with path.open("rb") as file:
        book = load_workbook(file)
    assert book.sheetnames[0] == "Read me"
    return int(book.worksheets[1].max_row) - 1


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_every_list_is_downloaded_by_a_click_without_javascript(window, filled: Cast, width: int) -> None:
    for who, names in ((filled.lee, [name for name in LISTS if name != "caseload"]), (filled.asha, ["caseload"])):
        watched = window(width, javascript=False)
        watched.sign_in(who)
        page = watched.page
        for name in names:
            page.goto(LISTS[name])
            said = page.locator(".hwbc-export p").inner_text()
            rows = int(re.sub(r"\D", "", said))
            for button, form in (("Download CSV", "csv"), ("Download XLSX", "xlsx")):
                with page.expect_download() as download:
                    page.get_by_role("button", name=button).click()
                assert download.value.suggested_filename.endswith(f"{today().isoformat()}.{form}")
                assert rows_of(download.value) == rows > 0, (name, form)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_the_part_below_each_list_is_open_to_all(window, filled: Cast, width: int) -> None:
    for who, names in ((filled.lee, [name for name in LISTS if name != "caseload"]), (filled.asha, ["caseload"])):
        watched = window(width)
        watched.sign_in(who)
        for name in names:
            watched.page.goto(LISTS[name])
            expect(watched.page.get_by_role("heading", name="Export", exact=True)).to_be_visible()
            assert watched.overflow() <= 0, name
            assert watched.axe() == [], name
            look(watched.page, name, width)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_large_file_is_asked_for_and_appears_on_its_jobs_page(window, overwhelmed: Cast, width: int) -> None:
    watched = window(width, javascript=False)
    watched.sign_in(overwhelmed.mo)
    page = watched.page
    for address in ("/referrals", f"/referrals/export?{urlencode({'format': 'csv', 'priority': 'routine'})}"):
        page.goto(address)
        expect(page.get_by_text(f"A file of {AT_ONCE + 1:,} rows is made in the background")).to_be_visible()
        assert watched.overflow() <= 0
    look(page, "large", width)
    page.goto("/referrals")
    look(page, "large-list", width)
    for button, form in (("Make CSV", "csv"), ("Make XLSX", "xlsx")):
        page.goto("/referrals?priority=routine")
        page.get_by_role("button", name=button).click()
        expect(page).to_have_url(re.compile("/jobs/"))
        with walls.lifted("tests"):
            job = Job.objects.get(outcome=Job.Outcome.WAITING)
        look(page, f"waiting-{form}", width)
        work.do(job.pk)
        page.reload()
        expect(page.get_by_text(f"{AT_ONCE + 1:,} rows")).to_be_visible()
        assert watched.overflow() <= 0
        look(page, f"done-{form}", width)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download the file").click()
        assert download.value.suggested_filename == f"waiting-referrals-riverside-pcn-{today().isoformat()}.{form}"
        assert rows_of(download.value) == AT_ONCE + 1


def test_the_pages_of_a_large_file_are_open_to_all(window, overwhelmed: Cast) -> None:
    for width in WIDTHS.values():
        watched = window(width)
        watched.sign_in(overwhelmed.mo)
        page = watched.page
        page.goto("/referrals/export")
        assert watched.axe() == []
        page.get_by_role("button", name="Make CSV").click()
        expect(page).to_have_url(re.compile("/jobs/"))
        with walls.lifted("tests"):
            job = Job.objects.get(outcome=Job.Outcome.WAITING)
            job = actions.take(job.pk) or job
            actions.fail(job, "broke_off")
        page.reload()
        expect(page.get_by_role("button", name="Ask for it again")).to_be_visible()
        assert watched.axe() == []
        look(page, "failed", width)
        page.get_by_role("button", name="Ask for it again").click()
        expect(page).to_have_url(re.compile("/jobs/"))
        with walls.lifted("tests"):
            again = Job.objects.get(outcome=Job.Outcome.WAITING)
        work.do(again.pk)
        page.reload()
        expect(page.get_by_role("button", name="Download the file")).to_be_visible()
        assert watched.axe() == []
