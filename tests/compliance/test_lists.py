"""The list of coaches and its export, the overview, and "How we count": what they show is what the rules say."""

import csv
import random
import re
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree.ElementTree import Element

import pytest
from django.test import Client
from django.utils import timezone

from hwbc.compliance.catalogue import RULES, STATES
from hwbc.compliance.queries import Standing, standards_in_force, standings
from hwbc.compliance.sentences import MEETING_WORDS, sentence, written
from hwbc.kit.periods import today
from hwbc.standards.actions import load_preset
from hwbc.standards.models import StandardNumber
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Coach, Organisation, Post
from hwbc.workforce.roles import ALLOWS, Can, Role
from supervision.actions.agreements import agree
from supervision.models import Meeting, Supervisor
from tests import facts
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory, Person, person
from tests.compliance.test_answers import brought_in
from tests.kit.html import by_id, parse_page, text, with_class
from tests.workbooks import interesting_days, random_workbook

# What stands in each column, written down a second time.
SUPERVISORS = ["supervision.named.line", "supervision.named.clinical", "supervision.named.health_coaching"]
COLUMNS = {
    "Line": ["supervision.line"],
    "Clinical": ["supervision.clinical"],
    "Health coaching": ["supervision.health_coaching"],
    "Appraisal": ["supervision.appraisal"],
    "Supervisors": [*SUPERVISORS, "supervision.supervisor_eligible"],
    "Before referrals": ["training.before_referrals"],
    "Ready": ["training.referral_ready"],
    "Can be claimed": ["training.arrs_eligible"],
    "Required": ["training.required:"],
}
SEVERITY = ["Not met", "Overdue", "Due soon", "Met", "Paused", "Does not apply"]
WORDS = {code: words for code, (words, _, _) in STATES.items()}


@dataclass
class Shown:
    """A list as it was shown: its rows by coach (or PCN), and the page it stood on."""

    rows: dict[str, dict[str, str]]
    order: list[str]
    count: int
    html: str
    root: Element

    @property
    def links(self) -> list[str]:
        return [a.get("href", "") for a in self.root.iter("a")]


def get(client: Client, address: str) -> str:
    response = client.get(address)
    assert response.status_code == 200, address
    return response.content.decode()


def read(html: str) -> Shown:
    """The table of a page: the label of each cell, and what is said in it."""
    root = parse_page(html)
    rows: dict[str, dict[str, str]] = {}
    order = []
    for row in root.iterfind(".//tbody/tr"):
        head = row.find("th")
        assert head is not None
        link = head.find("a")
        name = text(head)
        cells = {"uuid": (link.get("href", "") if link is not None else "").split("?")[0].rpartition("/")[2]}
        for cell in row.iterfind("td"):
            label = with_class(cell, "nhsuk-table-responsive__heading")
            heading = text(label[0]) if label else "PCN"
            cells[heading] = text(cell).removeprefix(heading).strip() if label else text(cell)
        assert name not in rows, f"{name} stands there twice"
        rows[name] = cells
        order.append(name)
    caption = root.find(".//caption")
    count = int(re.sub(r"\D.*", "", text(caption).replace(",", ""))) if caption is not None else 0
    return Shown(rows, order, count, html, root)


def listed(who: Person | Client, **asked: str) -> Shown:
    """The whole list of coaches, all its pages."""
    client = who if isinstance(who, Client) else who.client
    first = read(get(client, f"/coaches?{urlencode(asked)}"))
    for page in range(2, -(-first.count // 25) + 1):
        more = read(get(client, f"/coaches?{urlencode({**asked, 'page': str(page)})}"))
        assert not set(more.rows) & set(first.rows)
        first.rows |= more.rows
        first.order += more.order
    assert len(first.rows) == first.count
    return first


def pcns(who: Person | Client, **asked: str) -> Shown:
    client = who if isinstance(who, Client) else who.client
    return read(get(client, f"/pcns?{urlencode(asked)}"))


def exported(who: Person | Client, **asked: str) -> list[dict[str, str]]:
    client = who if isinstance(who, Client) else who.client
    response = client.get(f"/coaches/export?{urlencode(asked)}")
    assert response.status_code == 200
    return list(csv.DictReader(StringIO(response.getvalue().decode("utf-8-sig"), newline="")))


def worst(standing: Standing, *codes: str) -> str:
    found = [
        WORDS[answer.state]
        for code, answer in standing.answers
        if any(code == asked or (asked[-1] in ".:" and code.startswith(asked)) for asked in codes)
    ]
    return min(found, key=SEVERITY.index, default="Does not apply")


def truth(day: date) -> dict[str, Standing]:
    """Coach's identifier → standing, asked of the rules with the walls lifted."""
    with walls.lifted("tests"):
        uuids = {pk: str(uuid) for pk, uuid in Coach.objects.values_list("pk", "uuid")}
        return {uuids[standing.coach]: standing for standing in standings(day)}


def present(day: date) -> dict[str, set[str]]:
    """Identifier of each coach with a post on a day → codes of the PCNs."""
    found: dict[str, set[str]] = {}
    with walls.lifted("tests"):
        for post in Post.objects.select_related("coach", "pcn"):
            if post.starts_on <= day and (post.ends_on is None or post.ends_on >= day):
                found.setdefault(str(post.coach.uuid), set()).add(post.pcn.code)
    return found


# --- Against the rules, over random workbooks ----------------------------------------------------------------------


@pytest.fixture
def auditor(empty: None) -> Person:
    """Somebody who oversees everything that a random workbook brings."""
    return person("Ann Whitlock")


def oversee(who: Person) -> None:
    with walls.lifted("tests"):
        top = Organisation.objects.get(parent=None)
    who.given(Role.AUDITOR, top)


@pytest.mark.parametrize("seed", [11, 12])
def test_the_list_the_export_and_the_overview_say_what_the_rules_say(
    seed: int, tmp_path: Path, auditor: Person
) -> None:
    workbook = random_workbook(seed)
    brought_in(workbook, tmp_path, seed)
    oversee(auditor)
    rng = random.Random(seed)
    compared = followed = 0
    for day in interesting_days(workbook, rng, 3):
        as_at = {"as-at": day.isoformat()}
        answers, here = truth(day), present(day)
        rows = listed(auditor, **as_at).rows.values()
        assert {row["uuid"] for row in rows} == set(here)
        for row in rows:
            for label, codes in COLUMNS.items():
                expected = worst(answers[row["uuid"]], *codes)
                assert row[label] == expected or row[label].startswith(f"{expected} "), (day, row, label)
                compared += 1

        reference = {standing.reference: standing for standing in answers.values()}
        file = exported(auditor, **as_at)
        assert {(line["Coach reference"], line["Rule code"], line["State"]) for line in file} == {
            (answers[uuid].reference, code, answer.state) for uuid in here for code, answer in answers[uuid].answers
        }
        for line in rng.sample(file, 40):
            standing = reference[line["Coach reference"]]
            answer = dict(standing.answers)[line["Rule code"]]
            assert line["Due on"] == (answer.due_on.isoformat() if answer.due_on else "")
            assert line["Since"] == (answer.since.isoformat() if answer.since else "")
            assert line["Reason"] == sentence(standing, line["Rule code"], answer)
            assert line["Standard"] == "WDF"

        for rule in rng.sample([*RULES, "training.required:INDUCT"], 4):
            for row in listed(auditor, rule=rule, **as_at).rows.values():
                assert row["State"] == worst(answers[row["uuid"]], rule)
                reasons = [sentence(answers[row["uuid"]], c, a) for c, a in answers[row["uuid"]].answers if c == rule]
                assert [row["Why"]] == reasons

        followed += follow_the_numbers(auditor, day, rng, here, answers)
    print(f"seed {seed}: {compared} cells compared, {followed} numbers followed to their rows")
    assert compared > 250
    assert followed > 60


def follow_the_numbers(
    who: Person, day: date, rng: random.Random, here: dict[str, set[str]], answers: dict[str, Standing]
) -> int:
    """Every number of the overview is the number of rows behind its link, and of the coaches that the rules give."""
    with walls.lifted("tests"):
        codes = {place.name: place.code for place in Organisation.objects.filter(kind="pcn")}
    page = pcns(who, **{"as-at": day.isoformat()})
    assert set(codes) == set(page.order[:-1])
    for name, row in page.rows.items():
        theirs = set(here) if name.startswith("All ") else {uuid for uuid, at in here.items() if codes[name] in at}
        assert row["Coaches"] == str(len(theirs)), name
        for label, rules in {**COLUMNS, "Named supervisors": SUPERVISORS, "Required courses": ["training.required:"],
                             "Supervisor eligible": ["supervision.supervisor_eligible"]}.items():  # fmt: skip
            if label not in row:
                continue
            states = [worst(answers[uuid], *rules) for uuid in theirs]
            asked = sum(state not in ("Paused", "Does not apply") for state in states)
            on_track = sum(state in ("Met", "Due soon") for state in states)
            assert row[label].startswith(f"{on_track} of {asked}"), (name, label, row[label])
    cells = [a for row in page.root.iterfind(".//tbody/tr") for a in row.iter("a") if text(a).isdecimal()]
    chosen = rng.sample(cells, min(30, len(cells)))
    for link in chosen:
        address = link.get("href", "")
        rows = read(get(who.client, address))
        assert rows.count == int(text(link)), address
    return len(chosen)


def test_one_rule_over_all_pcns_counts_every_state_and_each_leads_to_its_rows(tmp_path: Path, auditor: Person) -> None:
    workbook = random_workbook(13)
    brought_in(workbook, tmp_path, 13)
    oversee(auditor)
    day = interesting_days(workbook, random.Random(13), 1)[0]
    answers, here = truth(day), present(day)
    for rule, codes in [("supervision.line", ["supervision.line"]), ("training.required", ["training.required:"])]:
        page = pcns(auditor, rule=rule, **{"as-at": day.isoformat()})
        total = page.rows[page.order[-1]]
        states = [worst(answers[uuid], *codes) for uuid in here]
        assert {label: total[label] for label in SEVERITY} == {label: str(states.count(label)) for label in SEVERITY}
        last = page.root.findall(".//tbody/tr")[-1]
        for link in last.iter("a"):
            assert read(get(auditor.client, link.get("href", ""))).count == int(text(link))


# --- Who sees whom -------------------------------------------------------------------------------------------------

WHO = [
    ("asha", {"Asha Rahman"}),
    ("sam", {"Asha Rahman"}),
    ("mo", {"Asha Rahman", "Bo Lindqvist"}),
    ("lee", {"Asha Rahman", "Bo Lindqvist", "Cai Morgan"}),
    ("ann", {"Asha Rahman", "Bo Lindqvist", "Cai Morgan"}),
    ("zed", {"Dot Ferreira"}),
]
_OURS = ("Riverside", "Hilltop", "Northfield", "Asha", "Bo Lindqvist", "Cai", "U99991", "U99992", "HUB1")


@pytest.mark.django_db
@pytest.mark.parametrize(("who", "names"), WHO)
def test_each_sees_their_own(cast: Cast, who: str, names: set[str]) -> None:
    them: Person = getattr(cast, who)
    assert set(listed(them).rows) == names
    assert {line["Name"] for line in exported(them)} == names


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address",
    [
        "/coaches", "/coaches?rule=supervision.line", "/coaches?state=attention", "/coaches?name=a",
        "/coaches?as-at=2026-03-01", "/coaches?name=zzz", "/pcns", "/pcns?rule=training.referral_ready",
        "/how-we-count", "/coaches/export", "/coaches/export?as-at=2026-03-01",
    ],
)  # fmt: skip
def test_another_pcns_manager_finds_nothing_of_ours(cast: Cast, address: str) -> None:
    facts.everything(cast, 4)
    with walls.lifted("tests"):
        load_preset(SETUP, organisation=cast.northfield, preset="Monthly clinical", starts_on=date(2026, 1, 1))
    page = b"".join(cast.zed.client.get(address)).decode()
    assert not [word for word in (*_OURS, "Invented00", "Monthly clinical", "Data security") if word in page]
    ours = b"".join(cast.lee.client.get(address)).decode()  # the control: these words are to be found
    assert any(word in ours for word in _OURS)


@pytest.mark.django_db
@pytest.mark.parametrize("place", ["U99991", "HUB1", "QZZ", "NOWHERE", "'; drop table x; --", "a\x01"])
def test_a_place_that_is_not_mine_is_no_choice(cast: Cast, place: str) -> None:
    page = listed(cast.zed, place=place)
    assert "There is a problem" in page.html
    assert "<title>Error: Coaches" in page.html
    assert set(page.rows) == {"Dot Ferreira"}  # not narrowed
    assert "Riverside" not in page.html
    assert [line["Name"] for line in exported(cast.zed, place=place)] == ["Dot Ferreira"] * len(RULES)
    assert "There is a problem" in get(cast.zed.client, f"/pcns?{urlencode({'place': place})}")


@pytest.mark.django_db
def test_coach_and_manager_in_one_person_sees_both(cast: Cast) -> None:
    cast.zed.given(Role.COACH, cast.riverside, cast.coach_bo)
    assert set(listed(cast.zed).rows) == {"Dot Ferreira", "Bo Lindqvist"}
    assert set(listed(cast.zed, place="U99993").rows) == {"Dot Ferreira"}
    overview = pcns(cast.zed)
    assert overview.order == ["Lakeside PCN"]
    assert overview.rows["Lakeside PCN"]["Coaches"] == "1"


@pytest.mark.django_db
def test_a_file_holds_only_whom_the_role_may_export(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast.zed.given(Role.COACH, cast.riverside, cast.coach_bo)
    monkeypatch.setitem(ALLOWS, Role.COACH, ALLOWS[Role.COACH] - {Can.EXPORT})
    page = listed(cast.zed)
    assert set(page.rows) == {"Dot Ferreira", "Bo Lindqvist"}
    assert f"A file of {len(RULES)} rows" in page.html
    assert {line["Name"] for line in exported(cast.zed)} == {"Dot Ferreira"}


# --- Days ------------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_as_at_a_day_and_as_known_at_a_moment(cast: Cast) -> None:
    day = today() - timedelta(days=1)
    before = timezone.localtime() - timedelta(hours=1)
    with walls.lifted("tests"):
        gone = CoachFactory.create(name="Gone Already", pcn=cast.riverside, ends_on=day)
        supervisor = Supervisor.objects.create(name="Sam Okafor", role="line_manager")
        Meeting.objects.create(coach=cast.coach_bo, kind="line", supervisor=supervisor, held_on=day, minutes=45,
                               format="individual", status="held")  # fmt: skip
    assert "Gone Already" not in listed(cast.mo).rows
    page = listed(cast.mo, **{"as-at": day.isoformat()})
    assert set(page.rows) == {"Asha Rahman", "Bo Lindqvist", "Gone Already"}
    assert page.rows["Bo Lindqvist"]["Line"] == "Met"
    assert f"/coaches/{gone.uuid}?as-at={day.isoformat()}" in page.links
    assert f"/how-we-count?as-at={day.isoformat()}" in page.links
    assert any(link.startswith("/coaches/export?as-at=") for link in page.links)

    known = {"as-at": day.isoformat(), "known-at": before.replace(tzinfo=None).isoformat()}
    assert listed(cast.mo, **known).count == 0  # nobody had been written down an hour ago
    assert exported(cast.mo, **known) == []
    with walls.lifted("tests"):
        early = timezone.now() - timedelta(days=9)
        Coach.objects.update(recorded_at=early)
        Post.objects.update(recorded_at=early)
    page = listed(cast.mo, **known)
    assert page.rows["Bo Lindqvist"]["Line"] == "Overdue"  # and the meeting neither
    assert {line["State"] for line in exported(cast.mo, rule="supervision.line", **known)} == {"overdue"}
    assert all("known-at" in link for link in page.links if re.match(r"/coaches/|\?sort|/how-we-count\?", link))
    assert pcns(cast.mo, **known).rows["Riverside PCN"]["Line"].startswith("0 of 3 0% 3 overdue")
    assert pcns(cast.mo, **{"as-at": day.isoformat()}).rows["Riverside PCN"]["Line"].startswith("1 of 3 33%")


# --- Filters, order, empty states --------------------------------------------------------------------------------


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Eight more coaches at Riverside, two at Hilltop, in every state."""
    facts.everything(cast, 8)
    facts.everything(cast, 2, 1, "U99992")
    with walls.lifted("tests"):
        for coach in Coach.objects.filter(reference__startswith="U99992"):  # the same names as at Riverside
            coach.name = coach.name.replace("Invented", "Hill")
            coach.save()
        CoachFactory.create(name="Zoë Évreux", pcn=cast.hilltop)
    return cast


def names(page: Shown) -> set[str]:
    return set(page.rows)


@pytest.mark.django_db
def test_filters_leave_what_was_asked_for(filled: Cast) -> None:
    lee = filled.lee
    everybody = listed(lee)
    assert everybody.count == 14
    assert {row["PCN"] for row in everybody.rows.values()} == {"Riverside PCN", "Hilltop PCN"}
    hill = listed(lee, place="U99992")
    assert names(hill) == {"Cai Morgan", "Zoë Évreux", "Hill001 Coach", "Hill002 Coach"}
    assert all("PCN" not in row for row in hill.rows.values())  # they are all at this one
    assert names(listed(lee, place="HUB1")) == names(everybody)
    assert names(listed(lee, name="zoe")) == names(listed(lee, name="EVREUX  zoë")) == {"Zoë Évreux"}
    for state in ("overdue", "not_met", "due_soon", "met", "paused", "not_applicable"):
        words = WORDS[state]
        line = listed(lee, rule="supervision.line", state=state)
        assert names(line) == {name for name, row in everybody.rows.items() if row["Line"] == words}
        anywhere = listed(lee, state=state)
        assert names(line) <= names(anywhere)
        shown = {name for name, row in everybody.rows.items() if any(row[c].startswith(words) for c in COLUMNS)}
        assert shown <= names(anywhere)
    red = names(listed(lee, state="red"))
    assert red == names(listed(lee, state="overdue")) | names(listed(lee, state="not_met"))
    assert names(listed(lee, state="attention")) == red | names(listed(lee, state="due_soon"))
    both = listed(lee, rule="supervision.named", state="on_track")
    assert names(both) | names(listed(lee, rule="supervision.named", state="red")) == names(everybody)
    assert names(listed(lee, rule="supervision.line", state="asked")) == names(everybody) - names(
        listed(lee, rule="supervision.line", state="paused")
    )


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [
        {}, {"place": "U99991"}, {"name": "coach"}, {"rule": "training.required", "state": "red"},
        {"state": "attention"}, {"place": "HUB1", "rule": "supervision.named"}, {"rule": "nonsense"},
        {"place": "U99991", "rule": "supervision.line", "state": "on_track", "name": "inv"}, {"name": "nobody"},
    ],
    ids=str,
)  # fmt: skip
def test_the_list_and_the_file_are_the_same_rows(filled: Cast, asked: dict[str, str]) -> None:
    page, file = listed(filled.ann, **asked), exported(filled.ann, **asked)
    identifiers = {row["uuid"] for row in page.rows.values()}
    with walls.lifted("tests"):
        reference = {str(c.uuid): c.reference or str(c.uuid) for c in Coach.objects.all()}
    assert {line["Coach reference"] for line in file} == {reference[uuid] for uuid in identifiers}
    answers = truth(today())
    rule = asked.get("rule", "")
    expected = {
        (reference[uuid], code, answer.state)
        for uuid in identifiers
        for code, answer in answers[uuid].answers
        if not rule or rule == "nonsense" or code == rule or code.startswith((f"{rule}.", f"{rule}:"))
    }
    assert {(line["Coach reference"], line["Rule code"], line["State"]) for line in file} == expected
    assert len(file) == len(expected)


@pytest.mark.django_db
def test_chips_say_what_is_chosen_and_take_it_away(filled: Cast) -> None:
    asked = {"place": "U99991", "name": "inv <b>", "rule": "supervision.line", "state": "attention"}
    yesterday = {"as-at": (today() - timedelta(days=1)).isoformat()}
    page = listed(filled.lee, sort="-name", page="1", **asked, **yesterday)
    chips = with_class(page.root, "hwbc-chip")
    assert [text(chip).removesuffix("×").removeprefix("Remove the filter ") for chip in chips] == [
        "Place: Riverside PCN", "Name: inv <b>", "Rule: Line management", "State: Needs attention",
    ]  # fmt: skip
    for name, chip in zip(asked, chips, strict=True):
        left = {key: value for key, [value] in parse_qs(urlsplit(chip.get("href", "")).query).items()}
        assert left == {key: value for key, value in asked.items() if key != name} | {"sort": "-name"} | yesterday
    assert f"/coaches?{urlencode(yesterday)}" in page.links  # clear
    kept = {field.get("name"): field.get("value") for field in page.root.iter("input") if field.get("type") == "hidden"}
    assert kept.items() >= {"sort": "-name", **yesterday}.items()


@pytest.mark.django_db
def test_the_worst_first_and_by_name_among_equals(filled: Cast) -> None:
    for label, key in [("Line", "line"), ("Required", "required"), ("Ready", "ready")]:
        for sign in ("", "-"):
            page = listed(filled.mo, sort=f"{sign}{key}")
            states = [next(s for s in SEVERITY if page.rows[name][label].startswith(s)) for name in page.order]
            assert states == sorted(states, key=SEVERITY.index, reverse=bool(sign))
            assert len(set(states)) > 1
            for state in SEVERITY:
                equal = [name for name, found in zip(page.order, states, strict=True) if found == state]
                assert equal == sorted(equal, key=lambda name: name.split()[::-1])
    by_name = listed(filled.mo).order
    assert by_name == sorted(by_name, key=lambda name: [part.casefold() for part in name.split()[::-1]])
    assert listed(filled.mo, sort="-name").order == by_name[::-1]
    due = listed(filled.mo, rule="supervision.line", sort="due")
    days = [due.rows[name]["Due"] for name in due.order]
    assert days[-1] == "No due date"  # paused
    assert listed(filled.mo, rule="supervision.line").order == listed(filled.mo, sort="line").order


@pytest.mark.django_db
def test_a_rule_is_explained_in_its_own_column(filled: Cast) -> None:
    page = listed(filled.mo, rule="training.required")
    assert set(page.rows["Bo Lindqvist"]) == {"uuid", "State", "Why", "Due"}
    why = page.rows["Invented003 Coach"]["Why"]
    assert re.fullmatch(r"Data security: Expired on \d+ \w+ \d{4}\.", why)
    named = listed(filled.mo, rule="supervision.named").rows["Bo Lindqvist"]
    assert named["State"] == "Not met"
    assert named["Why"].count("Nobody is named for ") == 3
    assert named["Due"] == "No due date"
    whole = listed(filled.mo).rows
    assert whole["Bo Lindqvist"]["Supervisors"] == "Not met 0 of 3 named"
    assert whole["Invented003 Coach"]["Required"] == "Overdue 1 of 1"
    course = {"course_ref": "SG", "title": "Safeguarding", "provider": "Invented", "kind": "mandatory",
              "accreditation": "none", "gives_certificate": "no"}  # fmt: skip
    facts.bring_in(filled, {"courses": [course], "requirements": [{"course_ref": "SG", "within_days": "1"}]})
    assert listed(filled.mo).rows["Invented003 Coach"]["Required"] == "Not met 1 of 2"
    one = listed(filled.mo, rule="training.required:SG")
    assert "Rule: Safeguarding" in text(by_id(one.root, "maincontent"))


@pytest.mark.django_db
def test_a_supervisor_who_does_not_meet_the_standard_is_said_so(cast: Cast) -> None:
    agreements = [
        {"coach_ref": "CAI", "kind": kind, "supervisor_ref": ref, "from": facts.ago(100)}
        for kind, ref in (("line", "LM"), ("clinical", "GP"), ("health_coaching", "OLD"))
    ]
    facts.bring_in(cast, {**facts.courses(), **facts.supervisors(), "agreements": agreements})
    assert listed(cast.lee).rows["Cai Morgan"]["Supervisors"] == "Not met Not eligible"
    row = pcns(cast.lee).rows["Hilltop PCN"]
    assert row["Named supervisors"] == "1 of 1 100%"
    assert row["Supervisor eligible"] == "0 of 1 0% 1 not met"


@pytest.mark.django_db
def test_counts_beside_the_list_lead_to_their_rows(filled: Cast) -> None:
    for asked in ({}, {"rule": "training.required"}, {"place": "U99992"}):
        page = listed(filled.lee, **asked)
        links = [a for a in by_id(page.root, "counted").iter("a") if "something" in text(a)]
        for link in links:
            rows = read(get(filled.lee.client, f"/coaches{link.get('href')}"))
            assert text(link).startswith(f"{rows.count} ha")
        counts = [listed(filled.lee, **asked, state=state).count for state in ("red", "attention")]
        assert [int(text(link).split()[0]) for link in links] == sorted(set(counts))
    assert len(set(counts)) == 1  # where nothing is merely due soon, the second would say the same


@pytest.mark.django_db
def test_who_is_counted_stands_beside_the_count(cast: Cast) -> None:
    day = written(today())
    for who, words in [
        (cast.mo, f"every coach with a post on {day} at Riverside PCN;"),
        (cast.lee, f"every coach with a post on {day} at Northfield hub;"),
        (cast.sam, f"every coach with a post on {day} whom you supervise;"),
        (cast.asha, f"yourself, if you have a post on {day};"),
    ]:
        assert f"Counted: {words}" in text(by_id(listed(who).root, "counted"))
    cast.mo.given(Role.PCN_MANAGER, cast.hilltop)
    assert "at Hilltop PCN or Riverside PCN;" in text(by_id(listed(cast.mo).root, "counted"))
    for _ in range(2):
        with walls.lifted("tests"):
            cast.mo.given(Role.PCN_MANAGER, OrganisationFactory.create(parent=cast.northfield))
    assert "at the 4 places where you have a role;" in text(by_id(listed(cast.mo).root, "counted"))


@pytest.mark.django_db
def test_the_pcn_is_a_column_where_there_is_more_than_one(cast: Cast) -> None:
    assert "PCN" not in listed(cast.mo).rows["Bo Lindqvist"]
    assert listed(cast.lee).rows["Bo Lindqvist"]["PCN"] == "Riverside PCN"
    with walls.lifted("tests"):
        agree(SETUP, coach=cast.coach_cai, supervisor=cast.supervisor_sam, kind="line", starts_on=today())
    assert listed(cast.sam).rows["Cai Morgan"]["PCN"] == "Hilltop PCN"


@pytest.mark.django_db
def test_nobody_to_list_and_nobody_who_matches(cast: Cast) -> None:
    nobody = get(cast.mo.client, "/coaches?as-at=2019-03-31")
    assert "No coaches here yet" in nobody
    assert "ask your PCN manager or training hub administrator" in nobody
    assert "<table" not in nobody
    page = get(cast.mo.client, "/coaches?name=zzz&state=paused")
    assert "No coaches match" in page
    assert "None of the 2 coaches you see" in page
    assert "name “zzz”; state “Paused”" in unescape(page)
    assert 'href="/coaches">Clear the filters' in page
    assert "Export" not in page
    assert "No PCNs here yet" not in get(cast.mo.client, "/pcns?as-at=2019-03-31")
    southmoor = person("Sol Nowhere")
    with walls.lifted("tests"):
        southmoor.given(Role.HUB_ADMIN, OrganisationFactory.create(kind="training_hub", parent=cast.icb))
    assert "No PCNs here yet" in get(southmoor.client, "/pcns")


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [
        {"rule": "supervision"}, {"rule": "training.required:NOPE"}, {"state": "green"}, {"name": "x" * 101},
        {"place": "U99991", "state": "overdue", "rule": "?"},
    ],
    ids=["a group", "no such course", "no such state", "long", "one of three"],
)  # fmt: skip
def test_what_cannot_be_asked_is_said_and_the_list_is_whole(cast: Cast, asked: dict[str, str]) -> None:
    page = listed(cast.mo, **asked)
    assert "There is a problem" in page.html
    assert set(page.rows) == {"Asha Rahman", "Bo Lindqvist"}
    assert with_class(page.root, "hwbc-chip") == []
    assert "/coaches/export?" in page.links  # what is exported is what is shown
    details = next(each for each in page.root.iter("details") if "hwbc-filter" in (each.get("class") or ""))
    assert details.get("open") is not None
    targets = {a.get("href", "")[1:] for a in with_class(page.root, "nhsuk-error-summary")[0].iter("a")}
    assert targets
    assert targets <= {element.get("id") for element in page.root.iter()}


@pytest.mark.django_db
def test_a_day_that_cannot_be_read_is_said_too(cast: Cast) -> None:
    for address in ("/coaches", "/pcns", "/how-we-count"):
        assert "is not a day" in get(cast.mo.client, f"{address}?as-at=yesterday")


# --- The file ----------------------------------------------------------------------------------------------------


def events(what: str = "export.coaches") -> list[AuditEvent]:
    with walls.lifted("tests"):
        return list(AuditEvent.objects.filter(what=what))


@pytest.mark.django_db
def test_an_export_is_recorded_once_with_codes_and_counts(filled: Cast) -> None:
    day = today() - timedelta(days=3)
    asked = {"place": "U99991", "name": "Invented", "rule": "supervision.named", "state": "red"}
    rows = exported(filled.lee, **asked, **{"as-at": day.isoformat()})
    [event] = events()
    assert event.facts == {
        "coaches": len({row["Coach reference"] for row in rows}),
        "rows": len(rows),
        "day": day.isoformat(),
        "known": None,
        "filters": {"place": "U99991", "rule": "supervision.named", "state": "red", "name": True},
    }
    assert (event.user_id, event.organisation_id, event.outcome) == (filled.lee.user.pk, filled.riverside.pk, "done")
    assert "Invented" not in str(event.facts)
    assert {row["Rule code"] for row in rows} == set(SUPERVISORS)
    get(filled.lee.client, "/coaches")
    assert len(events()) == 1


@pytest.mark.django_db
def test_the_file_says_in_its_name_what_it_is(cast: Cast) -> None:
    for who, query, name in [
        (cast.mo, "", f"coaches-riverside-pcn-{today().isoformat()}.csv"),
        (cast.lee, "?as-at=2026-03-31", "coaches-northfield-hub-2026-03-31.csv"),
        (cast.lee, "?place=U99992", f"coaches-hilltop-pcn-{today().isoformat()}.csv"),
        (cast.asha, "", f"coaches-{today().isoformat()}.csv"),
    ]:
        response = who.client.get(f"/coaches/export{query}")
        assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'
        assert response.headers["Content-Type"].startswith("text/csv")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_names_that_look_like_formulas_do_no_harm(cast: Cast) -> None:
    with walls.lifted("tests"):
        CoachFactory.create(name="=HYPERLINK(1)", pcn=cast.riverside)
    assert "'=HYPERLINK(1)" in {line["Name"] for line in exported(cast.mo)}
    assert "=HYPERLINK(1)" in listed(cast.mo).rows


@pytest.mark.django_db
@pytest.mark.parametrize("method", ["head", "post", "put", "delete"])
def test_only_a_get_is_an_export(cast: Cast, method: str) -> None:
    assert getattr(cast.mo.client, method)("/coaches/export").status_code == 405
    assert events() == []


# --- The overview ------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_every_pcn_is_a_row_also_without_coaches(cast: Cast) -> None:
    with walls.lifted("tests"):
        OrganisationFactory.create(code="U99994", name="Quiet PCN", parent=cast.northfield)
    page = pcns(cast.lee)
    assert page.order[:-1] == ["Hilltop PCN", "Quiet PCN", "Riverside PCN"]
    assert page.count == 3
    quiet = page.rows["Quiet PCN"]
    assert (quiet["Coaches"], quiet["Waiting referrals"], quiet["Line"]) == ("0", "0", "0 of 0")
    assert page.rows["Riverside PCN"]["Line"] == "0 of 2 0% 2 overdue"
    assert [row for row in pcns(cast.mo).order if row.startswith("All")] == []  # one PCN needs no total


@pytest.mark.django_db
def test_a_coach_with_two_posts_is_counted_in_both_and_once_in_the_total(cast: Cast) -> None:
    with walls.lifted("tests"):
        Post.objects.create(coach=cast.coach_bo, pcn=cast.hilltop, employer=cast.hilltop, starts_on=date(2026, 2, 2),
                            hours_per_week=10, funding="other")  # fmt: skip
    page = pcns(cast.lee)
    assert [page.rows[name]["Coaches"] for name in page.order] == ["2", "2", "3"]
    assert page.order[-1] == "All 2 PCNs, each coach once"
    assert set(listed(cast.lee, place="U99992").rows) == {"Bo Lindqvist", "Cai Morgan"}
    assert listed(cast.lee).rows["Bo Lindqvist"]["PCN"] == "Hilltop PCN, Riverside PCN"
    assert "counted in both, and once in the total" in page.html


@pytest.mark.django_db
def test_who_is_paused_is_not_in_the_denominator(filled: Cast) -> None:
    row = pcns(filled.mo).rows["Riverside PCN"]
    assert row["Coaches"] == "10"
    paused = listed(filled.mo, rule="supervision.line", state="paused").count
    assert paused == 1
    assert re.match(r"\d+ of 9 ", row["Line"])
    assert re.match(r"\d+ of 10 ", row["Named supervisors"])


@pytest.mark.django_db
def test_waiting_referrals_are_those_that_no_coach_has_on_the_day(cast: Cast) -> None:
    referral = {"pcn_code": "U99991", "source": "self", "priority": "routine"}
    facts.bring_in(cast, {"referrals": [
        {**referral, "referral_ref": "waits", "received_on": facts.ago(10)},
        {**referral, "referral_ref": "closed", "received_on": facts.ago(10), "closed_on": facts.ago(2)},
        {**referral, "referral_ref": "taken", "received_on": facts.ago(10), "coach_ref": "ASHA",
         "accepted_on": facts.ago(4)},
        {**referral, "referral_ref": "late", "received_on": facts.ago(1)},
        {**referral, "referral_ref": "elsewhere", "received_on": facts.ago(3), "pcn_code": "U99992"},
    ]})  # fmt: skip

    def waiting(days: int) -> list[str]:
        page = pcns(cast.lee, **{"as-at": (today() - timedelta(days=days)).isoformat()})
        return [page.rows[name]["Waiting referrals"] for name in page.order]

    assert waiting(0) == ["1", "2", "3"]  # Hilltop, Riverside, both
    assert waiting(2) == ["1", "1", "2"]  # closed on that day: not waiting at its end
    assert waiting(3) == ["1", "2", "3"]
    assert waiting(4) == ["0", "2", "2"]
    assert waiting(5) == ["0", "3", "3"]
    assert waiting(11) == ["0", "0", "0"]


@pytest.mark.django_db
def test_the_overview_is_narrowed_and_sorted(filled: Cast) -> None:
    assert pcns(filled.lee, place="U99992").order == ["Hilltop PCN"]
    assert pcns(filled.lee, sort="-coaches").order[:2] == ["Riverside PCN", "Hilltop PCN"]
    worst_first = pcns(filled.lee, sort="ready")
    shares = [worst_first.rows[name]["Ready for referrals"] for name in worst_first.order[:2]]
    percent = [int(share.partition("%")[0].rpartition(" ")[2]) for share in shares]
    assert percent == sorted(percent)
    assert percent[0] < percent[1]
    assert worst_first.order[-1].startswith("All 2")


@pytest.mark.django_db
def test_a_total_whose_rows_no_address_gives_is_no_link(cast: Cast) -> None:
    cast.mo.given(Role.PCN_MANAGER, cast.hilltop)
    total = pcns(cast.mo).root.findall(".//tbody/tr")[-1]
    links = [a.get("href", "") for a in total.iter("a")]
    assert links
    assert all("place=" not in link for link in links)  # everything that is seen
    cast.mo.given(Role.COACH, cast.lakeside, cast.coach_dot)  # whom the overview does not count
    total = pcns(cast.mo).root.findall(".//tbody/tr")[-1]
    assert list(total.iter("a")) == []


# --- How we count ------------------------------------------------------------------------------------------------


def counting(who: Person, **asked: str) -> Element:
    return by_id(parse_page(get(who.client, f"/how-we-count?{urlencode(asked)}")), "maincontent")


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["asha", "sam", "mo", "lee", "ann", "zed"])
def test_every_rule_state_and_reason_is_explained_to_everybody(cast: Cast, who: str) -> None:
    page = counting(getattr(cast, who))
    said = text(page)
    for rule in RULES.values():
        section = text(by_id(page, re.sub(r"[._]", "-", rule.code)))
        assert rule.title in section
        assert rule.counted in section
        assert rule.sources in section
    for words, _, meaning in STATES.values():
        assert f"{words} Meaning {meaning}" in said
    assert all(words in said for code, words in MEETING_WORDS.items() if code != "counts")
    for words in (
        "Gloucestershire",
        "not an enforcement lever",
        "Waiting referrals",
        "Caseload",
        "Late entry",
        "Imported",
    ):
        assert words in said
    assert "No course is required" in said


@pytest.mark.django_db
def test_the_standard_in_force_at_my_places_on_the_day(cast: Cast) -> None:
    before = counting(cast.lee)
    assert "Set by nobody" in text(before)
    assert "Holds at Hilltop PCN, Riverside PCN" in text(before)
    start = today() - timedelta(days=10)
    with walls.lifted("tests"):
        made = load_preset(SETUP, organisation=cast.hilltop, preset="Monthly clinical", starts_on=start)
        StandardNumber.objects.filter(standard=made, key="pause_after_days").update(value=21, source="agreed locally")
    page = counting(cast.lee)
    said = text(page)
    assert f"Monthly clinical Set for Hilltop PCN, since {written(start)} Holds at Hilltop PCN" in said
    assert "WDF Set by nobody" in said
    assert "Holds at Riverside PCN" in said
    clinical = text(by_id(page, "supervision-clinical"))
    assert "Monthly clinical: A meeting with a named clinician every month." in clinical
    assert "WDF: A meeting with a named clinician every 3 months." in clinical
    line = text(by_id(page, "supervision-line"))
    assert "Monthly clinical: A meeting" not in line  # the same in both
    assert "pauses the clocks: 21 (Monthly clinical) agreed locally" in line
    mine = text(counting(cast.mo))  # of Riverside alone
    assert "Monthly clinical" not in mine
    assert "Hilltop" not in mine
    past = text(counting(cast.lee, **{"as-at": (start - timedelta(days=1)).isoformat()}))
    assert "Monthly clinical" not in past
    unknown = (timezone.localtime() - timedelta(hours=1)).replace(tzinfo=None).isoformat()
    assert "Monthly clinical" not in text(counting(cast.lee, **{"known-at": unknown}))


@pytest.mark.django_db
def test_a_coach_is_told_the_standard_of_their_own_pcn(cast: Cast) -> None:
    with walls.lifted("tests"):
        load_preset(SETUP, organisation=cast.northfield, preset="Monthly clinical", starts_on=date(2026, 1, 1))
    for who in (cast.asha, cast.sam):
        said = text(counting(who))
        assert "Monthly clinical Set for Northfield hub, since 1 January 2026 Holds at Riverside PCN" in said
        assert "WDF Set by nobody" not in said
    assert "WDF Set by nobody" in text(counting(cast.zed))


@pytest.mark.django_db
def test_required_courses_are_those_of_my_service(cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    for who in (cast.asha, cast.mo, cast.lee):
        said = text(counting(who))
        assert "Data security Required by Northfield hub." in said
        assert "Done within 30 days of starting, and due soon until then, and again every 12 months." in said
    assert "Data security" not in text(counting(cast.zed))


@pytest.mark.django_db
def test_the_standard_of_each_pcn_is_the_one_that_its_answers_name(cast: Cast) -> None:
    with walls.lifted("tests"):
        load_preset(SETUP, organisation=cast.icb, preset="WDF", starts_on=date(2026, 1, 1))
        load_preset(SETUP, organisation=cast.northfield, preset="Monthly clinical", starts_on=date(2026, 2, 1))
        load_preset(SETUP, organisation=cast.hilltop, preset="WDF", starts_on=date(2026, 3, 1))
        places = {place.name: place.pk for place in Organisation.objects.filter(kind="pcn")}
        for day in (date(2026, 1, 15), date(2026, 2, 15), date(2026, 3, 15)):
            named = {s.pcn: s.numbers.name for s in standings(day) if s.pcn and s.numbers}
            for standard in standards_in_force(places.values(), day, timezone.now()):
                assert standard.pcns
                for name in standard.pcns:
                    assert named[places[name]] == standard.numbers.name, (day, name)
