"""One story for each role: what somebody came for, from signing in to the answer, in a real browser."""

import re
from datetime import timedelta

import pytest
from playwright.sync_api import Page, expect

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from tests import facts
from tests.browser.conftest import WIDTHS
from tests.cast import SETUP, Cast

pytestmark = pytest.mark.browser


@pytest.fixture
def service(live_cast: Cast) -> Cast:
    """A year of Asha's, more coaches in every state at two PCNs, and the checks of last night."""
    facts.story_of(live_cast)
    facts.everything(live_cast, 6)
    facts.everything(live_cast, 3, pcn="U99992")
    run_checks(SETUP, today())
    return live_cast


def heading(page: Page, text: str | re.Pattern[str]) -> None:
    expect(page.get_by_role("heading", level=1)).to_have_text(text)


@pytest.mark.parametrize("width", WIDTHS.values(), ids=WIDTHS)
def test_a_manager_sees_what_is_wrong_why_and_says_what_is_done(window, service: Cast, width: int) -> None:
    watched = window(width)
    watched.sign_in(service.mo)
    page = watched.page
    page.goto("/")
    heading(page, "Hello, Mo Haddad")
    page.get_by_role("link", name="coach taking referrals untrained").click()
    heading(page, "Coaches")
    page.get_by_role("link", name="Invented002 Coach").click()
    heading(page, "Invented002 Coach")
    expect(page.get_by_text("Took a referral on").first).to_be_visible()
    page.goto("/")
    page.get_by_role("link", name=re.compile("Acknowledge.*Trained before taking referrals, Invented002 Coach")).click()
    heading(page, re.compile("Trained before taking referrals"))
    page.get_by_role("button", name="Acknowledge").click()
    expect(page).to_have_title(re.compile("^Error: "))
    page.get_by_label("What is being done about it").fill("Booked on the course in January; no referrals until then")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_text("The flag is acknowledged.")).to_be_visible()
    assert watched.axe() == []
    page.goto("/")
    expect(page.get_by_text("Acknowledged by Mo Haddad").first).to_be_visible()


def test_a_manager_asks_what_was_true_and_what_was_known(window, service: Cast) -> None:
    watched = window(320, javascript=False)
    watched.sign_in(service.mo)
    page = watched.page
    day = today() - timedelta(days=60)
    page.goto("/coaches")
    page.get_by_role("link", name="Show another day").click()
    heading(page, "Show another day")
    for part, value in (("Day", day.day), ("Month", day.month), ("Year", day.year)):
        page.get_by_role("group", name="What was so on").get_by_label(part).fill(str(value))
    page.get_by_role("button", name="Show this day").click()
    heading(page, "Coaches")
    expect(page.get_by_text(f"As at {day.day} {day:%B %Y}").first).to_be_visible()
    page.get_by_role("link", name="Asha Rahman").click()
    heading(page, "Asha Rahman")
    expect(page.get_by_text(f"As at {day.day} {day:%B %Y}").first).to_be_visible()
    page.goto(f"/coaches?known-at={day.isoformat()}T09:00")  # before anything was written down
    expect(page.get_by_text("as it was known on").first).to_be_visible()
    expect(page.get_by_role("link", name="Invented001 Coach")).to_have_count(0)
    page.get_by_role("link", name="Back to today").click()
    expect(page.get_by_role("link", name="Invented001 Coach")).to_have_count(1)


def test_a_hub_goes_from_a_number_to_its_rows(window, service: Cast) -> None:
    watched = window()
    watched.sign_in(service.lee)
    page = watched.page
    page.goto("/pcns")
    heading(page, re.compile("PCN"))
    row = page.get_by_role("row").filter(has_text="Hilltop PCN")
    expect(row).to_have_count(1)
    row.get_by_role("link", name="Hilltop PCN").click()
    heading(page, "Coaches")
    expect(page.get_by_role("link", name="Cai Morgan")).to_be_visible()
    expect(page.get_by_role("link", name="Asha Rahman")).to_have_count(0)


def test_a_coach_sees_where_they_stand_and_which_meetings_count(window, service: Cast) -> None:
    watched = window(320, allow=("403 (Forbidden)",))
    watched.sign_in(service.asha)
    page = watched.page
    page.goto("/")
    expect(page.get_by_role("heading", name="Your standing")).to_be_visible()
    page.get_by_role("link", name="Your record").click()
    heading(page, "Asha Rahman")
    page.get_by_role("link", name="Supervision", exact=True).click()
    expect(page.get_by_text("Counts").first).to_be_visible()
    assert watched.overflow() <= 0
    assert watched.axe() == []
    page.goto("/pcns")
    heading(page, "You do not have access to this page")


def test_a_supervisor_sees_who_is_due_and_no_caseload(window, service: Cast) -> None:
    watched = window()
    watched.sign_in(service.sam)
    page = watched.page
    page.goto("/")
    expect(page.get_by_role("heading", name="Your supervisees")).to_be_visible()
    page.get_by_role("link", name="Asha Rahman").first.click()
    heading(page, "Asha Rahman")
    expect(page.get_by_role("link", name="Caseload")).to_have_count(0)


def test_an_auditor_reads_everything_and_changes_nothing(window, service: Cast) -> None:
    watched = window()
    watched.sign_in(service.ann)
    page = watched.page
    for address in ("/", "/coaches", "/flags", "/pcns", "/how-we-count"):
        page.goto(address)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
        forms = page.locator("main form[method=post]")
        expect(forms).to_have_count(0)
    expect(page.get_by_role("link", name="Access", exact=True)).to_have_count(0)
