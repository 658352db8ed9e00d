"""Bringing in a workbook as a manager does it, with a real worker: upload, see what is wrong, correct it, confirm."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from hwbc.compliance.jobs import actions
from hwbc.standards.models import Job
from hwbc.workforce import walls
from tests import facts
from tests.browser.conftest import WIDTHS, Watched
from tests.cast import Cast
from tests.compliance.bringing import Sheets, asked, checked, packed
from tests.compliance.test_faults import held, others_wait
from tests.compliance.test_jobs import WAITS
from tests.conftest import wait_for

pytestmark = pytest.mark.browser

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
SOON = 20_000  # milliseconds for the worker


def look(watched: Watched, name: str) -> None:
    """Nothing for axe, nothing wider than the window; and a picture where pictures are asked for."""
    assert watched.overflow() <= 0, name
    assert watched.axe() == [], name
    if folder := os.environ.get("HWBC_SCREENSHOTS"):
        width = watched.page.evaluate("window.innerWidth")
        watched.page.screenshot(path=Path(folder) / f"import-{name}-{width}.png", full_page=True)


def a_workbook(*, wrong: bool) -> Sheets:
    """Asha with other hours, two new coaches, meetings; and what people get wrong."""
    asha = {"coach_ref": "ASHA", "name": "Asha Rahman", "email": "asha.rahman@example.org", "pcn_code": "U99991",
            "started_on": "2026-01-05", "hours_per_week": "25", "funding": "arrs"}  # fmt: skip
    new = [{**asha, "coach_ref": f"C00{n}", "name": name, "email": f"c{n}@example.org", "started_on": facts.ago(40)}
           for n, name in ((8, "Nia Invented"), (9, "Tom Invented"))]  # fmt: skip
    meetings = [facts.meeting(ref, "line", days, supervisor_ref="SAM") for ref in ("ASHA", "C008") for days in (3, 30)]
    if wrong:
        new[1]["hours_per_week"] = "full time"
        new[1]["pcn_code"] = "U99992"
        meetings[1]["held_on"] = "31/06/2026"
        meetings[3]["coach_ref"] = "C010"
    return {"coaches": [asha, *new], "supervision": meetings}


def upload(watched: Watched, book: Sheets) -> None:
    """Choose a file and send it."""
    file: Any = {"name": "riverside coaches.xlsx", "mimeType": XLSX, "buffer": packed(book)}
    watched.page.locator("input[type=file]").set_input_files(file)
    watched.page.get_by_role("button", name="Check this workbook").click()
    watched.page.wait_for_url(re.compile("/jobs/"))


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_manager_brings_in_a_workbook(window, live_cast: Cast, worker: Any, width: int) -> None:
    watched = window(width)
    page = watched.page
    watched.sign_in(live_cast.mo)
    page.goto("/")
    if width > 1000:
        page.get_by_role("navigation", name="Menu").get_by_role("link", name="Import").click()
    else:
        page.goto("/imports/new")
    look(watched, "new")
    page.get_by_role("button", name="Check this workbook").click()
    expect(page.get_by_role("alert")).to_contain_text("Choose the workbook that you want to bring in")
    look(watched, "nothing-chosen")

    upload(watched, a_workbook(wrong=True))
    expect(page.get_by_role("heading", level=1)).to_contain_text("4 things to correct", timeout=SOON)
    expect(page.get_by_role("row", name=re.compile("hours_per_week"))).to_contain_text("coaches!H4")
    look(watched, "to-correct")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download this list as a CSV file").click()
    assert "supervision!A5" in Path(download.value.path()).read_text()

    page.get_by_role("button", name="Bring in the corrected workbook").click()
    with held(WAITS):  # an import for the same service is under way
        upload(watched, a_workbook(wrong=False))
        wait_for(others_wait, what="the check to wait")
        expect(page.get_by_role("status")).to_contain_text("Checking", timeout=SOON)  # without anybody's click
        look(watched, "running")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your workbook can be imported", timeout=SOON)
    for summary in page.locator("summary", has_text="see which rows").all():
        summary.click()
    expect(page.get_by_role("row", name=re.compile("hours_per_week"))).to_contain_text("30")
    look(watched, "checked")
    page.get_by_role("button", name="Import these 7 rows").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your workbook is imported", timeout=SOON)
    look(watched, "imported")
    page.get_by_role("button", name="See your coaches").click()
    expect(page.get_by_role("link", name="Nia Invented")).to_be_visible()

    page.goto("/imports/new")
    expect(page.get_by_role("row", name=re.compile("Northfield hub"))).to_be_visible()
    look(watched, "new-again")
    upload(watched, a_workbook(wrong=False))
    expect(page.get_by_role("heading", level=1)).to_contain_text("Nothing would change", timeout=SOON)
    look(watched, "nothing")
    page.goto("/jobs")
    look(watched, "jobs")


def test_the_same_without_javascript(window, live_cast: Cast, worker: Any) -> None:
    phone = window(320, javascript=False)
    page = phone.page
    phone.sign_in(live_cast.mo)
    page.goto("/imports/new")
    with held(WAITS):
        upload(phone, a_workbook(wrong=False))
        wait_for(others_wait, what="the check to wait")
        page.get_by_role("button", name="See how far it is").click()
        expect(page.get_by_text("Checking …")).to_be_visible()

    def ended() -> bool:
        page.get_by_role("button", name="See how far it is").click()
        return "data-follow" not in page.content()

    wait_for(ended, what="the check")
    page.get_by_role("button", name="Import these 7 rows").click()
    wait_for(lambda: "data-follow" not in page.content() or ended(), what="the import")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your workbook is imported")
    page.get_by_role("button", name="See your coaches").click()
    expect(page.get_by_role("link", name="Nia Invented")).to_be_visible()


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_what_else_can_come_of_it(window, live_cast: Cast, width: int) -> None:
    """Headings of its own, people who would be there twice, nothing that can be read, many faults, work broken off."""
    mo = live_cast.mo
    asha = a_workbook(wrong=False)["coaches"][0]
    own = {("Employee number" if key == "coach_ref" else key): value for key, value in asha.items()}
    many = [{"coach_ref": "ASHA", "kind": "ill", "from": facts.ago(n)} for n in range(250)]
    broken = asked(mo, {"coaches": [asha]})
    with walls.lifted("tests"):
        taken = actions.take(broken.pk)
        assert taken is not None
        actions.fail(taken, "broke_off")
        far = {"what": "reading supervision", "done": 10_000, "of": 20_000}
        under_way = Job.objects.create(user=mo.user, kind="check_workbook", outcome="running", progress=far,
                                       asked={"service": "HUB1"}, file_name="a workbook.xlsx")  # fmt: skip
    watched = window(width)
    watched.sign_in(mo)
    for name, job, says in (
        ("headings", checked(mo, {"coaches": [{**own, "Shoe size": "42"}]}), "3 things to correct"),
        ("twice", checked(mo, {"coaches": [{**asha, "coach_ref": "C1"}]}, service="U99991"), "can be imported"),
        ("sheet", checked(mo, {"coachs": [asha]}), "1 thing to correct"),
        ("many", checked(mo, {"absences": many}), "250 things to correct"),
        ("broken-off", broken, "could not be checked"),
        ("under-way", under_way, "Checking your workbook"),
    ):
        watched.page.goto(f"/jobs/{job.pk}")
        expect(watched.page.get_by_role("heading", level=1)).to_contain_text(says)
        look(watched, name)
