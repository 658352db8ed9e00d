"""Lists as files, made at once: the page's rows, days and counts, in both formats, for whoever asks; and recorded."""

import csv
import random
import re
from datetime import date, timedelta
from io import BytesIO, StringIO
from itertools import product
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from django.utils import timezone
from openpyxl import load_workbook

from coaching.actions.referrals import override
from coaching.models import CoachingSession, Referral
from hwbc.compliance.catalogue import DEFINITIONS, RULES, STATES
from hwbc.compliance.checks import run_checks
from hwbc.compliance.exporting.lists import EXPORTS
from hwbc.compliance.sentences import written
from hwbc.kit.exports import harmless
from hwbc.kit.periods import today
from hwbc.standards import actions as standards
from hwbc.standards.models import Flag, Standard
from hwbc.standards.rules import Numbers
from hwbc.workforce import walls
from hwbc.workforce.models import Coach, Organisation, User
from hwbc.workforce.roles import ALLOWS, Can, Role
from supervision.models import Meeting
from tests import facts
from tests.cast import SETUP, Cast, OrganisationFactory, Person, person
from tests.coaching.work import do, note
from tests.compliance.exporting import (
    LISTS,
    address,
    both,
    compare_caseload,
    compare_coaches,
    compare_flags,
    compare_overrides,
    compare_pcns,
    compare_referrals,
    events,
    fill,
    offered,
    opened,
    saved,
    shown,
)  # fmt: skip
from tests.compliance.test_answers import brought_in
from tests.compliance.test_lists import oversee
from tests.pages import more_cases, more_overrides
from tests.workbooks import interesting_days, random_workbook
from training.models import Course, Exemption

FORMS = ("csv", "xlsx")
EMPTY = "2019-03-31"  # before anybody had a post


# --- The file is the page, over random workbooks and days -------------------------------------------------------------


@pytest.fixture
def auditor(empty: None) -> Person:
    """Somebody who oversees everything that a random workbook brings."""
    return person("Ann Whitlock")


@pytest.mark.parametrize("seed", [21, 22])
def test_files_say_what_their_pages_say(seed: int, tmp_path: Path, auditor: Person) -> None:
    workbook = random_workbook(seed)
    brought_in(workbook, tmp_path, seed)
    oversee(auditor)
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        places = list(Organisation.objects.exclude(kind__in=("practice", "provider")).values_list("code", flat=True))
    rng = random.Random(seed)
    counts = dict.fromkeys(("coaches", "flags", "pcns", "referrals", "overrides"), 0)
    for day in [*interesting_days(workbook, rng, 2), today()]:
        as_at = {"as-at": day.isoformat()}
        rule, state = rng.choice([*RULES, "supervision.named", "training.required"]), rng.choice(["red", *STATES])
        place = {"place": rng.choice(places)}
        for asked in ({}, place, {"rule": rule}, {"state": state, **place}, {"rule": rule, "state": "attention"}):
            counts["coaches"] += compare_coaches(auditor, **asked, **as_at)
        for asked in ({}, place, {"show": rng.choice(["red", "due_soon", "open"])}, {"group": "Supervision", **place}):
            counts["flags"] += compare_flags(auditor, **asked, **as_at)
        for asked in ({}, place, {"rule": rng.choice(["supervision.line", "training.required", "supervision.named"])}):
            counts["pcns"] += compare_pcns(auditor, **asked, **as_at)
        for asked in ({}, place, {"priority": "urgent"}, {"source": "gp_practice", **place}):
            counts["referrals"] += compare_referrals(auditor, **asked, **as_at)
        counts["overrides"] += compare_overrides(auditor, **as_at)
    print(f"seed {seed}: rows compared: {counts}")
    assert min(counts.values()) > 0
    assert counts["coaches"] > 500


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Every list has rows."""
    return fill(cast)


@pytest.mark.django_db
def test_files_say_what_was_known_at_a_moment(filled: Cast) -> None:
    before = timezone.localtime().replace(tzinfo=None).isoformat()
    counts: dict[str, list[int]] = {name: [] for name in LISTS}
    facts.everything(filled, 3, 7)  # three coaches more, and a referral that waits
    run_checks(SETUP, today())
    more_cases(filled, 2)
    more_overrides(filled, 1)
    with walls.lifted("tests"):
        meeting = Meeting.objects.filter(coach__name="Asha Rahman").count()
    facts.bring_in(filled, {"supervision": [facts.meeting("ASHA", "line", 1)]})
    with walls.lifted("tests"):
        assert Meeting.objects.filter(coach__name="Asha Rahman").count() == meeting + 1
    for asked in ({"known-at": before}, {}):
        counts["coaches"].append(compare_coaches(filled.lee, **asked))
        counts["flags"].append(compare_flags(filled.lee, **asked))
        counts["overview"].append(compare_pcns(filled.lee, **asked))
        counts["referrals"].append(compare_referrals(filled.lee, **asked))
        counts["overrides"].append(compare_overrides(filled.mo, **asked))
        counts["caseload"].append(compare_caseload(filled.asha, **asked))
    assert counts["overview"][0] == counts["overview"][1]  # the same PCNs, with other numbers
    for name in ("coaches", "flags", "referrals", "overrides", "caseload"):
        known, now = counts[name]
        assert 0 < known < now, name
    line = {"rule": "supervision.line", "name": "asha"}
    assert [row["State"] for row in saved(filled.mo, "coaches", **line, **{"known-at": before}).rows] == ["overdue"]
    assert [row["State"] for row in saved(filled.mo, "coaches", **line).rows] == ["met"]


@pytest.mark.django_db
def test_the_caseload_of_a_day(filled: Cast) -> None:
    for days in (0, 4, 5, 7, 11):
        asked = {"as-at": (today() - timedelta(days=days)).isoformat()} if days else {}
        assert compare_caseload(filled.asha, **asked) == (3 if days < 11 else 0)


@pytest.mark.django_db
def test_a_case_whose_contacts_are_not_shown_says_so_in_words(filled: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALLOWS, Role.COACH, ALLOWS[Role.COACH] - {Can.SEE_PATIENTS})
    rows = both(filled.asha, "caseload")
    assert {row["Next step"] for row in rows} == {row["Attended sessions"] for row in rows} == {"Not shown"}


@pytest.mark.django_db
def test_a_number_that_is_not_shared_is_said_so_and_never_0(filled: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ALLOWS, Role.HUB_ADMIN, ALLOWS[Role.HUB_ADMIN] - {Can.SEE_WORK})
    assert compare_pcns(filled.lee) > 0
    assert {row["Waiting referrals"] for row in saved(filled.lee, "overview", "xlsx").rows} == {"Not shared with you"}


# --- The first sheet --------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_first_sheet_says_what_the_file_is(filled: Cast) -> None:
    day = today() - timedelta(days=3)
    asked = {"place": "U99991", "name": "inv <b>=1", "rule": "supervision.line", "state": "attention"}
    told = saved(filled.lee, "coaches", "xlsx", **asked, **{"as-at": day.isoformat()}).said("About this file")
    assert told["A row is"] == "One rule for one coach, on the day."
    assert told["Rows"] == 0
    assert told["Filters"] == "Place: Riverside PCN; Name: inv <b>=1; Rule: Line management; State: Needs attention"
    assert told["As at"].date() == day
    assert told["As known on"].endswith(", when it was made")
    assert told["Exported by"] == "Lee Chandra, Training hub administrator"
    assert re.fullmatch(rf"{written(today())} at \d+(:\d\d)?(am|pm), London time", told["Exported on"])
    path = told["From"].partition(": ")[2]
    assert urlsplit(path).path == "/coaches"
    assert parse_qs(urlsplit(path).query) == {name: [value] for name, value in {**asked, "as-at": str(day)}.items()}


@pytest.mark.django_db
def test_every_first_sheet_leads_back_and_explains_its_columns(filled: Cast) -> None:
    known = {"known-at": timezone.localtime().replace(tzinfo=None).isoformat()}
    hows: dict[str, dict[str, str]] = {", when it was made": {}, ": later entries are left out": known}
    for name, (how, asked) in product(LISTS, hows.items()):
        who = filled.asha if name == "caseload" else filled.mo
        book = saved(who, name, "xlsx", **asked)
        told = book.said("About this file")
        assert told["Filters"] == "None"
        assert told["As known on"].endswith(how)
        path = urlsplit(told["From"].partition(": ")[2])
        assert path.path == LISTS[name]
        again = {key: value for key, [value] in parse_qs(path.query).items()}
        assert again == {**asked, "as-at": today().isoformat()}
        assert saved(who, name, "xlsx", **again).rows == book.rows
        columns = book.said("Columns")
        assert list(columns) == EXPORTS[name].labels == list(book.rows[0])
        assert all(columns.values())  # each has its definition
        if EXPORTS[name].terms:
            counted = book.said("How we count")
            assert counted.items() >= {DEFINITIONS[term] for term in EXPORTS[name].terms}


@pytest.mark.django_db
def test_the_rules_of_a_file_stand_on_its_first_sheet_with_the_numbers_they_were_asked_with(filled: Cast) -> None:
    whole = saved(filled.lee, "coaches", "xlsx")
    assert list(whole.said("Rules")) == [*(rule.title for rule in RULES.values()), "Data security"]
    assert set(whole.said("States")) == {f"{code}: {words}" for code, (words, _, _) in STATES.items()}
    line = RULES["supervision.line"]
    with walls.lifted("tests"):
        standards.load_preset(SETUP, organisation=filled.hilltop, preset="Monthly clinical", starts_on=date(2026, 1, 1))
    clinical = saved(filled.lee, "coaches", "xlsx", rule="supervision.clinical").said("Rules")
    [said] = clinical.values()
    assert said.startswith(("Monthly clinical: A meeting", "WDF: A meeting"))
    assert "WDF: A meeting with a named clinician every 3 months." in said
    assert "Monthly clinical: A meeting with a named clinician every month." in said
    [said] = saved(filled.lee, "coaches", "xlsx", rule="supervision.line").said("Rules").values()
    assert said == f"{line.asks(Numbers())} {line.counted} Source: {line.sources}."  # the same in both
    flags = saved(filled.mo, "flags", "xlsx", group="Training")
    assert set(flags.said("Rules")) == {row["Rule title"] for row in flags.rows}
    overview = saved(filled.lee, "overview", "xlsx")
    assert list(overview.said("Rules")) == list(dict.fromkeys(row["Rule title"] for row in overview.rows))


@pytest.mark.django_db
def test_what_cannot_be_read_is_said_on_the_first_sheet_and_the_file_is_whole(filled: Cast) -> None:
    whole = saved(filled.mo, "coaches", "xlsx")
    wrong = saved(filled.mo, "coaches", "xlsx", state="green", **{"as-at": "yesterday"})
    assert wrong.rows == whole.rows
    told = wrong.said("About this file")
    assert "could not be read" in told["Filters"]
    assert told["As at"].date() == today()


# --- Names ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_file_says_in_its_name_what_it_is(filled: Cast) -> None:
    day = today().isoformat()
    for who, name, form, asked, called in [
        (filled.mo, "coaches", "csv", {}, f"coaches-riverside-pcn-{day}.csv"),
        (filled.lee, "flags", "xlsx", {"as-at": "2026-03-31"}, "flags-northfield-hub-2026-03-31.xlsx"),
        (filled.lee, "overview", "csv", {"place": "U99992"}, f"pcns-hilltop-pcn-{day}.csv"),
        (filled.mo, "referrals", "xlsx", {}, f"waiting-referrals-riverside-pcn-{day}.xlsx"),
        (filled.mo, "overrides", "csv", {}, f"overrides-riverside-pcn-{day}.csv"),
        (filled.asha, "caseload", "xlsx", {}, f"caseload-{day}.xlsx"),
        (filled.mo, "coaches", "csv", {"as-at": "2026-03-31", "known-at": "2026-04-02T09:05"},
         "coaches-riverside-pcn-2026-03-31-as-known-2026-04-02-0905.csv"),
    ]:  # fmt: skip
        assert saved(who, name, form, **asked).name == called


@pytest.mark.django_db
def test_there_are_two_formats(cast: Cast) -> None:
    for name in LISTS:
        for form in ("pdf", "", "CSV", "../x"):
            who = cast.asha if name == "caseload" else cast.mo
            assert who.client.get(f"{LISTS[name]}/export?format={form}").status_code == 404
    assert events() == []


# --- Nothing is calculated --------------------------------------------------------------------------------------------

HOSTILE = ["=HYPERLINK(1)", "+44 1632", "-1+1", "@SUM(1)", "\tx", "#REF!", "＝1"]


@pytest.fixture
def hostile(filled: Cast, request: pytest.FixtureRequest) -> Cast:
    """Every text that somebody can write into a list looks like a formula."""
    said = request.param
    with walls.lifted("tests"):
        Coach.objects.filter(pk=filled.coach_bo.pk).update(name=f"{said}coach", reference=f"{said}ref")
        Organisation.objects.filter(code="U99991").update(name=f"{said}pcn")
        User.objects.filter(pk=filled.mo.user.pk).update(name=f"{said}user")
        Course.objects.filter(reference="IG").update(title=f"{said}course")
        practice = OrganisationFactory.create(code="P1", kind="practice", parent=filled.riverside)
        Organisation.objects.filter(pk=practice.pk).update(name=f"{said}practice")
        standards.load_preset(SETUP, organisation=filled.riverside, preset="WDF", starts_on=date(2026, 1, 1))
        Standard.objects.update(name=f"{said}standard")
        Exemption.objects.update(reason=f"{said}reason", approved_by=f"{said}approver")
        Referral.objects.filter(reference__startswith="MORE").update(practice=practice, proposed_coach=filled.coach_bo)
        for referral in Referral.objects.filter(reference__startswith="MORE"):
            Referral.objects.filter(pk=referral.pk).update(reference=f"{said}{referral.reference}")
        for session in CoachingSession.objects.all():
            note(session, next_step=f"{said}step")
        flag = Flag.objects.filter(coach=filled.coach_bo).earliest("pk")
    do(filled.mo, standards.acknowledge, flag=flag, note=f"{said}note")
    return filled


@pytest.mark.django_db
@pytest.mark.parametrize("hostile", HOSTILE, indirect=True, ids=lambda text: text.strip()[:4])
def test_no_text_that_somebody_wrote_is_calculated(hostile: Cast, request: pytest.FixtureRequest) -> None:
    said = request.node.callspec.params["hostile"]
    planted = {
        "coaches": {"Coach reference": "ref", "Name": "coach", "PCN": "pcn", "Rule title": "course",
                    "Standard": "standard"},
        "flags": {"Coach reference": "ref", "Name": "coach", "PCN": "pcn", "Standard": "standard",
                  "Acknowledged by": "user", "Note": "note"},
        "overview": {"PCN": "pcn"},
        "referrals": {"Referral": "MORE0", "PCN": "pcn", "Practice": "practice", "Proposed coach": "coach"},
        "overrides": {"Reason": "reason", "Approved by": "approver"},
        "caseload": {"Referral": "MORE1", "PCN": "pcn", "Next step": "step"},
    }  # fmt: skip
    for name, columns in planted.items():
        who = hostile.asha if name == "caseload" else hostile.mo
        plain, book = saved(who, name), saved(who, name, "xlsx")  # whose cells are no formulas, says `opened`
        for column, word in columns.items():
            kept = f"{said}{word}".strip() if column == "Note" else f"{said}{word}"  # which is kept without spaces
            assert kept in {row[column] for row in book.rows}, (name, column)
            assert harmless(kept) in {row[column] for row in plain.rows}
        cells = [cell for row in plain.rows for cell in row.values() if not re.fullmatch(r"-?\d+", cell)]
        assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]
    told = saved(hostile.mo, "coaches", "xlsx", name=f"{said}coa").said("About this file")
    assert said.strip() in told["Filters"]


# --- Nobody and nothing -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("name", LISTS)
def test_an_empty_list_is_a_file_with_its_header_that_says_0(cast: Cast, name: str) -> None:
    who = cast.asha if name == "caseload" else cast.mo
    asked = {"as-at": EMPTY} if name != "overview" else {"place": "U99991", "as-at": EMPTY}
    with walls.lifted("tests"):
        if name == "overview":  # there is no list of PCNs without one, but for who oversees a hub without any
            hub = OrganisationFactory.create(kind="training_hub", parent=cast.icb)
            who, asked = person("Sol Nowhere"), {}
            who.given(Role.HUB_ADMIN, hub)
    assert both(who, name, **asked) == []
    response = who.client.get(address(name, **asked))
    [header] = list(csv.reader(StringIO(response.getvalue().decode("utf-8-sig"))))
    assert header == EXPORTS[name].labels
    sheet = load_workbook(BytesIO(who.client.get(address(name, "xlsx", **asked)).getvalue())).worksheets[1]
    assert [cell.value for cell in sheet[1]] == header
    page = who.client.get(f"{LISTS[name]}?{urlencode(asked)}").content.decode()
    assert "Download" not in page


# --- Who may take away what -------------------------------------------------------------------------------------------

OURS = ("Riverside", "Hilltop", "Northfield", "Asha", "Bo Lindqvist", "Cai", "U99991", "U99992", "HUB1", "Invented0",
        "MORE", "Course booked", "Invented reason")  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize("form", FORMS)
def test_another_pcns_manager_finds_nothing_of_ours(filled: Cast, form: str) -> None:
    filled.zed.given(Role.COACH, filled.lakeside, filled.coach_dot)
    asks: list[dict[str, str]] = [{}, {"place": "U99991"}, {"place": "HUB1"}, {"name": "bo"}, {"as-at": "2026-03-01"}]
    for name, asked in product(LISTS, asks):
        file = saved(filled.zed, name, form, **asked)
        told = file.said("About this file") if file.book else {}
        told.pop("From", None)  # says again what was asked for
        assert not [word for word in OURS if word in f"{file.name} {file.rows} {told}"], (name, asked)
    for name in LISTS:  # the control: these words are to be found
        ours = saved(filled.asha if name == "caseload" else filled.mo, name, form)
        assert any(word in str(ours.rows) for word in OURS), name


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["asha", "sam", "mo", "lee", "ann", "zed"])
def test_each_takes_away_what_they_see(filled: Cast, who: str) -> None:
    them: Person = getattr(filled, who)
    compared = compare_coaches(them), compare_flags(them), compare_overrides(them)
    assert compared[0] > 0
    for name, compare, can in (
        ("overview", compare_pcns, Can.SEE_OVERVIEW),
        ("referrals", compare_referrals, Can.SEE_WORK),
        ("caseload", compare_caseload, Can.LOG_SESSIONS),
    ):
        if them.actor.can(can):
            compare(them)
        else:
            assert them.client.get(LISTS[name]).status_code == 403
            for form in ("csv", "xlsx"):
                assert them.client.get(address(name, form)).status_code == 403
    names = {"asha": {"Asha Rahman"}, "sam": {"Asha Rahman"}, "zed": {"Dot Ferreira"}}
    if who in names:
        assert {row["Name"] for row in saved(them, "coaches").rows} == names[who]


@pytest.mark.django_db
def test_a_role_that_may_not_export_adds_nothing(filled: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Zed manages Lakeside, and audits Riverside: a role that shows it, and here without the right to export."""
    filled.zed.given(Role.AUDITOR, filled.riverside)
    facts.bring_in(filled, {"referrals": [{"referral_ref": "LAKE", "pcn_code": "U99993", "source": "self",
                                           "priority": "routine", "received_on": facts.ago(8)}]}, "HUB2")  # fmt: skip
    do(filled.zed, override, coach=filled.coach_dot, starts_on=today(), ends_on=today(), reason="Invented reason")
    whole = {name: saved(filled.zed, name).rows for name in LISTS if name != "caseload"}
    pages = {name: shown(filled.zed, name) for name in whole}
    monkeypatch.setitem(ALLOWS, Role.AUDITOR, ALLOWS[Role.AUDITOR] - {Can.EXPORT})
    for name, rows in whole.items():
        assert shown(filled.zed, name) == pages[name]
        left = saved(filled.zed, name).rows
        assert 0 < len(left) < len(rows), name
        assert "Riverside" not in str(left)
        assert all(row in rows for row in left)
        assert f"A file of {len(left)} row" in offered(filled.zed, name)[0]
    monkeypatch.setitem(ALLOWS, Role.PCN_MANAGER, ALLOWS[Role.PCN_MANAGER] - {Can.EXPORT})
    monkeypatch.setitem(ALLOWS, Role.COACH, ALLOWS[Role.COACH] - {Can.EXPORT})
    for name in whole:
        assert "Download" not in filled.zed.client.get(LISTS[name]).content.decode()
        assert filled.zed.client.get(address(name)).status_code == 403


# --- What the audit says ----------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("form", FORMS)
def test_an_export_is_recorded_once_with_codes_and_counts(filled: Cast, form: str) -> None:
    asks = {
        "coaches": {"place": "U99991", "rule": "supervision.line", "state": "red", "name": "inv"},
        "flags": {"place": "U99991", "group": "Supervision", "show": "red"},
        "overview": {"place": "U99991", "rule": "supervision.line"},
        "referrals": {"place": "U99991", "source": "nurse", "priority": "routine"},
    }
    for count, name in enumerate(LISTS):
        who, asked = filled.asha if name == "caseload" else filled.lee, asks.get(name, {})
        file = saved(who, name, form, **asked)
        *before, event = events()
        assert len(before) == count
        assert (event.what, event.kind, event.outcome) == (f"export.{name}", f"{name}.{form}", "done")
        assert event.user_id == who.user.pk
        # What the file is about; one's own caseload is about no place, and is told where the coach belongs.
        place = filled.riverside if asked or name == "caseload" else filled.northfield
        assert event.organisation_id == place.pk
        assert event.patients == (name == "caseload")
        about = {"coaches": "Name", "flags": "Name", "overrides": "Coach"}.get(name)
        assert event.facts == {
            "coaches": len({row[about] for row in file.rows}) if about else {"caseload": 1, "overview": 10}.get(name),
            "rows": len(file.rows),
            "day": today().isoformat(),
            "known": None,
            "filters": asked | ({"name": True} if "name" in asked else {}),
        }
        assert len(file.rows) > 0
        assert "inv" not in str(event.facts)
        who.client.get(LISTS[name])
    assert len(events()) == len(LISTS)


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["head", "post", "put", "delete"])
def test_only_a_get_is_an_export(cast: Cast, method: str) -> None:
    for name in LISTS:
        who = cast.asha if name == "caseload" else cast.mo
        assert getattr(who.client, method)(address(name)).status_code == 405
    assert events() == []


# --- Below the list ---------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_the_links_below_a_list_lead_to_its_file(filled: Cast) -> None:
    asks: list[tuple[str, dict[str, str]]] = [
        ("coaches", {}), ("coaches", {"rule": "training.required", "name": "inv"}), ("flags", {"show": "open"}),
        ("overview", {}), ("overview", {"rule": "supervision.line", "place": "U99992"}), ("referrals", {}),
        ("overrides", {}), ("caseload", {}), ("coaches", {"state": "green"}),
        ("flags", {"as-at": (today() - timedelta(days=2)).isoformat()}),
    ]  # fmt: skip
    for name, asked in asks:
        who = filled.asha if name == "caseload" else filled.lee
        said, links = offered(who, name, sort="-name", page="1", **asked)
        assert list(links) == ["Download CSV", "Download XLSX"]
        for form, link in zip(FORMS, links.values(), strict=True):
            rows = opened(f"x.{form}", who.client.get(link).getvalue()).rows
            assert rows == saved(who, name, form, **asked).rows
            assert f"A file of {len(rows)} row" in said
            assert rows, (name, asked)
