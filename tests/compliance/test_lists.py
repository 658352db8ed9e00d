"""The list of coaches and its export, the overview of PCNs, and "How we count": what they show is what the rules say."""

import csv
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from html import unescape
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from xml.etree.ElementTree import Element

import pytest
from django.test import Client
from django.utils import timezone

from hwbc.compliance.catalogue import RULES, STATES
from hwbc.compliance.queries import Standing, standings, standings_in_force
from hwbc.compliance.sentences import MEETING_WORDS, sentence, written
from hwbc.kit.periods import today
from hwbc.standards.actions import load_preset
from hwbc.standards.models import StandardNumber
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Coach, Organisation, Post
from hwbc.workforce.roles import ALLOWS, Can, Role
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
    return list(csv.DictReader(StringIO(response.getvalue().decode("utf-8-sig"), newline="")))  # type: ignore[attr-defined]


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
    assert compared > 300
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
@pytest.mark.parametrize("place", ["U99991", "HUB1", "QZZ", "NOWHERE", "'; drop table x; --", "\x00"])
def test_a_place_that_is_not_mine_is_no_choice(cast: Cast, place: str) -> None:
    page = listed(cast.zed, place=place)
    assert "There is a problem" in page.html
    assert "<title>Error: Coaches" in page.html
    assert set(page.rows) == {"Dot Ferreira"}  # not narrowed
    assert "Riverside" not in page.html
    assert [line["Name"] for line in exported(cast.zed, place=place)] == ["Dot Ferreira"] * len(RULES)
    assert "There is a problem" in get(cast.zed.client, f"/pcns?{urlencode({'place': place})}")


@pytest.mark.django_db
def test_supervisor_and_manager_in_one_person_sees_both(cast: Cast) -> None:
    cast.zed.given(Role.LINE_SUPERVISOR, cast.riverside, cast.coach_asha)
    assert set(listed(cast.zed).rows) == {"Dot Ferreira", "Asha Rahman"}
    assert set(listed(cast.zed, place="U99993").rows) == {"Dot Ferreira"}
    overview = pcns(cast.zed)
    assert overview.order == ["Lakeside PCN"]
    assert overview.rows["Lakeside PCN"]["Coaches"] == "1"


@pytest.mark.django_db
def test_a_file_holds_only_whom_the_role_may_export(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    cast.zed.given(Role.LINE_SUPERVISOR, cast.riverside, cast.coach_asha)
    monkeypatch.setitem(ALLOWS, Role.LINE_SUPERVISOR, ALLOWS[Role.LINE_SUPERVISOR] - {Can.EXPORT})
    page = listed(cast.zed)
    assert set(page.rows) == {"Dot Ferreira", "Asha Rahman"}
    assert "Export this coach" in page.html
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
    assert all("known-at" in link for link in page.links if re.match(r"/coaches/|\?sort|/how-we-count", link))
    assert pcns(cast.mo, **known).rows["Riverside PCN"]["Line"].startswith("0 of 3 0% 3 overdue")
    assert pcns(cast.mo, **{"as-at": day.isoformat()}).rows["Riverside PCN"]["Line"].startswith("1 of 3 33%")


# --- Filters, order, empty states --------------------------------------------------------------------------------


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Eight more coaches at Riverside, two at Hilltop, in every state."""
    facts.everything(cast, 8)
    facts.everything(cast, 2, 1, "U99992")
    with walls.lifted("tests"):
        CoachFactory.create(name="Zoë Évreux", pcn=cast.hilltop)
    return cast


def names(page: Shown) -> set[str]:
    return set(page.rows)


@pytest.mark.django_db
def test_filters_leave_what_was_asked_for(filled: Cast) -> None:
    lee = filled.lee
    with walls.lifted("tests"):  # the same names stand in both PCNs
        Coach.objects.filter(reference__startswith="U99992").update(name="Hill Coach")
        Coach.objects.filter(reference="U99992-001").update(name="Hill Other")
    everybody = listed(lee)
    assert everybody.count == 14
    assert {row["PCN"] for row in everybody.rows.values()} == {"Riverside PCN", "Hilltop PCN"}
    hill = listed(lee, place="U99992")
    assert names(hill) == {"Cai Morgan", "Zoë Évreux", "Hill Coach", "Hill Other"}
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
    page = listed(filled.lee, sort="-name", **asked, **{"as-at": today().isoformat()})
    chips = with_class(page.root, "hwbc-chip")
    assert [text(chip).removeprefix("Remove the filter ") for chip in chips] == [
        "Place: Riverside PCN", "Name: inv <b>", "Rule: Line management", "State: Needs attention",
    ]  # fmt: skip
    for name, chip in zip(asked, chips, strict=True):
        left = {key: value for key, [value] in parse_qs(urlsplit(chip.get("href", "")).query).items()}
        assert left == {**asked, "sort": "-name", "as-at": today().isoformat()} | {} if name not in left else False or (
            {key: value for key, value in asked.items() if key != name}
        )
