"""On the page everybody brings in only what they reach: nothing of another PCN's can be touched, or learnt of.

Mo manages Riverside, Hal manages Hilltop (Cai); both lie below Northfield hub, which Lee administers and whose
references all their coaches have. Evi was Riverside's until 60 days ago and is Hilltop's since.
"""

from copy import deepcopy
from typing import Any

import pytest
from django.utils import timezone

from hwbc.compliance.importing.sheets import SHEETS
from hwbc.standards.models import Job
from hwbc.workforce import walls
from hwbc.workforce.models import Coach, Organisation, Post
from hwbc.workforce.roles import Role
from tests import facts
from tests.cast import Cast, Person, person
from tests.compliance import bringing
from tests.compliance.bringing import HUB, Sheets, counts, faults
from tests.compliance.test_import import everything

pytestmark = pytest.mark.django_db

LEFT = 60  # days ago, Evi


def post(ref: str, pcn: str, since: int, until: int | None = None, **values: str) -> dict[str, Any]:
    """A row of the sheet coaches."""
    return {"coach_ref": ref, "name": f"{ref.title()} Invented", "email": f"{ref.lower()}@example.org", "pcn_code": pcn,
            "started_on": facts.ago(since), "left_on": facts.ago(until) if until is not None else "",
            "hours_per_week": "30", "funding": "arrs", **values}  # fmt: skip


CAI = {"coach_ref": "CAI", "name": "Cai Morgan", "email": "cai.morgan@example.org", "pcn_code": "U99992",
       "started_on": "2026-01-05", "hours_per_week": "30", "funding": "arrs"}  # fmt: skip
BASE: Sheets = {**facts.courses(), **facts.supervisors()}
SUPERVISORS = {row["supervisor_ref"]: row for row in BASE["supervisors"]}
EVI = [post("EVI", "U99991", 500, LEFT), post("EVI", "U99992", LEFT - 1)]

# What there is of Hilltop's, sheet by sheet, as Hilltop's own workbook brings it.
THEIRS: Sheets = {
    "absences": [{"coach_ref": "CAI", "kind": "sickness", "from": facts.ago(50), "to": facts.ago(40)}],
    "training": [facts.trained("CAI")],
    "exemptions": [
        {"coach_ref": "CAI", "rule": "training.required:IG", "from": facts.ago(20), "to": facts.ago(1),
         "reason": "Booked", "approved_by": "Hal"}
    ],
    "agreements": [{"coach_ref": "CAI", "kind": "line", "supervisor_ref": "LM", "from": facts.ago(90)}],
    "supervision": [facts.meeting("CAI", "line", 30)],
    "referrals": [facts.referral("B1", "CAI", 30, "U99992")],
    "coaching_sessions": [facts.session("B1", 20)],
}  # fmt: skip

# The same row with something else in it: what somebody would write to change it.
CHANGED: dict[str, dict[str, str]] = {
    "absences": {"to": facts.ago(30)},
    "training": {"certificate_number": "OTHER"},
    "exemptions": {"to": facts.ago(0)},
    "agreements": {"to": facts.ago(1)},
    "supervision": {"minutes": "5"},
    "referrals": {"priority": "urgent"},
    "coaching_sessions": {"minutes": "5"},
}
# Another row of theirs, that shares days with what is there where such rows may not.
ANOTHER: dict[str, dict[str, str]] = {
    "absences": {"from": facts.ago(45), "to": ""},
    "training": {"enrolled_on": facts.ago(299)},
    "exemptions": {"from": facts.ago(19)},
    "agreements": {"from": facts.ago(80)},
    "supervision": {"held_on": facts.ago(29)},
    "coaching_sessions": {"held_on": facts.ago(19)},
}
COLUMN = {sheet.name: sheet.key[0] for sheet in SHEETS}
_SHEETS = list(THEIRS)


@pytest.fixture
def hal(cast: Cast) -> Person:
    """Manager of Hilltop, whose workbook has been brought in, with what both need."""
    hal = person("Hal Ferris")
    hal.given(Role.PCN_MANAGER, cast.hilltop)
    facts.bring_in(cast, deepcopy(BASE))
    facts.bring_in(cast, {"coaches": [CAI, *EVI], **deepcopy(THEIRS)})
    return hal


def checked(who: Person, book: Sheets, service: str = HUB) -> Job:
    """What somebody is told of a workbook; whatever that is, nothing is touched."""
    with walls.lifted("tests"):
        was = everything()
    job = bringing.checked(who, book, service)
    with walls.lifted("tests"):
        assert everything() == was
    return job


def rows(sheet: str, **changes: str) -> Sheets:
    """The row of Hilltop's on a sheet, changed."""
    return {sheet: [{**THEIRS[sheet][0], **changes}]}


def messages(job: Job) -> list[str]:
    """What each fault says."""
    return [message for *_, message in job.result["faults"]]


# --- Another PCN's coaches and referrals -----------------------------------------------------------------------------


@pytest.mark.parametrize("sheet", _SHEETS)
def test_nothing_of_another_pcns_can_be_changed(cast: Cast, hal: Person, sheet: str) -> None:
    for book in (rows(sheet), rows(sheet, **CHANGED[sheet])):
        job = checked(cast.mo, book)
        assert job.outcome == "refused"
        assert {(name, row) for name, row, _ in faults(job)} == {(sheet, 2)}
    # The control: who reaches them may. An exemption is approved at the PCN.
    for who in (hal, cast.lee):
        assert counts(checked(who, rows(sheet))) == {sheet: (0, 0, 1)}
        job = checked(who, rows(sheet, **CHANGED[sheet]))
        if (who, sheet) == (cast.lee, "exemptions"):
            assert faults(job) == [("exemptions", 2, "coach_ref")]
        else:
            assert counts(job) == {sheet: (0, 1, 0)}


@pytest.mark.parametrize("sheet", _SHEETS)
def test_nothing_of_another_pcns_can_be_learnt(cast: Cast, hal: Person, sheet: str) -> None:
    """What is said of a coach or referral that is theirs is what is said of one that there is not."""
    for changes in ({}, CHANGED[sheet], ANOTHER.get(sheet, {})):
        of_theirs = rows(sheet, **changes)
        of_nobody = deepcopy(of_theirs)
        for row in of_nobody[sheet]:
            row.update({name: "NOBODY" for name, value in row.items() if value in ("CAI", "B1")})
        if sheet == "referrals":  # a new reference is no fault: what is there already can be told from it, and no more
            of_nobody[sheet][0]["referral_ref"] = "B2"
        said = [text.replace("CAI", "NOBODY").replace("B1", "NOBODY") for text in messages(checked(cast.mo, of_theirs))]
        of_them = messages(checked(cast.mo, of_nobody))
        if sheet == "referrals":
            [taken] = set(said) - set(of_them)
            assert taken.startswith('"NOBODY" is not the reference of one of your PCNs’ referrals.')
        else:
            assert said == of_them
            assert "neither" in said[0]
    # The control: who reaches them is told what is there.
    if sheet in ("absences", "agreements"):
        assert "recorded already" in messages(checked(hal, rows(sheet, **ANOTHER[sheet])))[0]


def test_a_coach_of_another_pcn_is_not_one_of_theirs(cast: Cast, hal: Person) -> None:
    mine = {**CAI, "pcn_code": "U99991", "name": "Somebody Else"}
    job = checked(cast.mo, {"coaches": [mine]})
    assert faults(job) == [("coaches", 2, "coach_ref")]
    assert messages(job) == [
        '"CAI" is not the reference of one of your coaches. Correct it, choose another one, or take the row out.'
    ]
    # With the coach in the file, the other sheets tell no more.
    for sheet in ("absences", "agreements", "supervision", "training"):
        book = {"coaches": [mine], **rows(sheet, **ANOTHER[sheet])}
        assert faults(checked(cast.mo, book)) == [("coaches", 2, "coach_ref")]
    assert counts(checked(cast.lee, {"coaches": [mine]})) == {"coaches": (1, 0, 0)}


def test_posts_and_referrals_are_made_at_ones_own_pcns(cast: Cast, hal: Person) -> None:
    book = {"coaches": [post("NEW", "U99992", 10)], "referrals": [facts.referral("R9", "ASHA", 5, "U99992")]}
    assert faults(checked(cast.mo, book)) == [("coaches", 2, "pcn_code"), ("referrals", 2, "pcn_code")]
    assert counts(checked(cast.lee, book)) == {"coaches": (1, 0, 0), "referrals": (1, 0, 0)}
    moved = {**THEIRS["referrals"][0], "pcn_code": "U99991"}
    assert faults(checked(cast.mo, {"referrals": [moved]})) == [
        ("referrals", 2, "referral_ref"),
        ("referrals", 2, "coach_ref"),
    ]


def test_whoever_employs_is_a_place_of_theirs_a_provider_or_who_does_already(cast: Cast, hal: Person) -> None:
    with walls.lifted("tests"):
        Organisation.objects.create(code="PROV9", name="Invented provider", kind="provider")
    for employer, who, found in (
        ("U99992", cast.mo, [("coaches", 2, "employer_code")]),
        ("HUB2", cast.lee, [("coaches", 2, "employer_code")]),
        ("U99992", cast.lee, []),
        ("PROV9", cast.mo, []),
        ("U99991", cast.mo, []),
        ("", cast.mo, []),
    ):
        assert faults(checked(who, {"coaches": [post("NEW", "U99991", 10, employer_code=employer)]})) == found


def test_a_practice_lies_below_ones_own_pcn(cast: Cast) -> None:
    with walls.lifted("tests"):
        for code, pcn in (("A1", cast.riverside), ("A2", cast.hilltop)):
            Organisation.objects.create(code=code, name=code, kind="practice", parent=pcn)
    referral = {**facts.referral("R9", "", 5, "U99991"), "accepted_on": ""}
    assert faults(checked(cast.mo, {"referrals": [{**referral, "practice_code": "A1"}]})) == []
    found = faults(checked(cast.mo, {"referrals": [{**referral, "practice_code": "A2"}]}))
    assert found == [("referrals", 2, "practice_code")]


# --- A coach who has gone on -----------------------------------------------------------------------------------------


def evis(days: int) -> Sheets:
    """Rows of Evi's, so many days ago."""
    return {
        "absences": [{"coach_ref": "EVI", "kind": "other", "from": facts.ago(days), "to": facts.ago(days)}],
        "training": [{"coach_ref": "EVI", "course_ref": "IG", "enrolled_on": facts.ago(days)}],
        "exemptions": [{**THEIRS["exemptions"][0], "coach_ref": "EVI", "from": facts.ago(days)}],
        "agreements": [{"coach_ref": "EVI", "kind": "line", "supervisor_ref": "LM", "from": facts.ago(days),
                        "to": facts.ago(days)}],
        "supervision": [facts.meeting("EVI", "line", days)],
        "referrals": [facts.referral("R9", "EVI", days, "U99991")],
    }  # fmt: skip


@pytest.mark.parametrize("sheet", list(evis(1)))
def test_what_comes_after_the_last_day_is_for_the_next_pcn(cast: Cast, hal: Person, sheet: str) -> None:
    before, after = {sheet: evis(LEFT)[sheet]}, {sheet: evis(LEFT - 1)[sheet]}
    assert counts(checked(cast.mo, before)) == {sheet: (1, 0, 0)}
    job = checked(cast.mo, after)
    assert messages(job)[0].startswith("The coach’s last day with you is ")
    if sheet != "exemptions":
        assert counts(checked(cast.lee, after)) == {sheet: (1, 0, 0)}
    if sheet != "referrals":
        assert counts(checked(hal, after)) == {sheet: (1, 0, 0)}


@pytest.mark.parametrize("sheet", ["absences", "training", "agreements", "supervision"])
def test_what_the_next_pcn_has_written_is_not_told(cast: Cast, hal: Person, sheet: str) -> None:
    """Whether it is there or not, the former PCN reads the same."""
    book = {sheet: evis(10)[sheet]}
    said = messages(checked(cast.mo, book))
    facts.bring_in(cast, deepcopy(book))
    assert messages(checked(cast.mo, book)) == said
    long = {sheet: [{**book[sheet][0], "from": facts.ago(LEFT + 5), "to": ""}]}
    if sheet in ("absences", "agreements"):  # begun before and still running: that it cannot be is told, and no day
        [message] = messages(checked(cast.mo, long))
        assert "overlaps another one, recorded by the next PCN." in message
        assert "recorded already, from" in messages(checked(hal, long))[0]


def test_a_post_that_was_ended_here_is_not_opened_again_to_see_more(cast: Cast, hal: Person) -> None:
    """A blank end opens no post that was ended on a page; a new post is one, and says so in the file."""
    with walls.lifted("tests"):  # as a page does: no import wrote it
        Post.objects.filter(coach__reference="EVI", pcn=cast.riverside).update(end_recorded_at=timezone.now())
    blank = {**EVI[0], "left_on": ""}
    book = {"coaches": [blank], "supervision": evis(5)["supervision"]}
    assert [name for name, *_ in faults(checked(cast.mo, book))] == ["supervision"]
    back = {"coaches": [post("EVI", "U99991", 20)], "supervision": evis(5)["supervision"]}
    assert counts(checked(cast.mo, back)) == {"coaches": (1, 0, 0), "supervision": (1, 0, 0)}


def test_the_name_of_one_who_has_gone_on_is_kept_where_they_are(cast: Cast, hal: Person) -> None:
    renamed = {**EVI[0], "name": "Evi Other"}
    assert faults(checked(cast.mo, {"coaches": [renamed]})) == [("coaches", 2, "name")]
    assert counts(checked(cast.mo, {"coaches": [EVI[0]]})) == {"coaches": (0, 0, 1)}
    assert counts(checked(hal, {"coaches": [{**EVI[1], "name": "Evi Other"}]})) == {"coaches": (0, 1, 0)}


# --- Organisations ---------------------------------------------------------------------------------------------------


def place(code: str, name: str, kind: str, parent: str = "") -> dict[str, str]:
    """A row of the sheet organisations."""
    return {"code": code, "name": name, "kind": kind, "parent_code": parent}


RIVERSIDE = place("U99991", "Riverside PCN", "pcn", "HUB1")


@pytest.mark.parametrize(
    ("who", "row", "column"),
    [
        ("mo", RIVERSIDE, None),
        ("mo", {**RIVERSIDE, "parent_code": ""}, None),
        ("mo", {**RIVERSIDE, "name": "Other"}, "code"),
        ("mo", {**RIVERSIDE, "parent_code": "HUB2"}, "code"),
        ("mo", place("A1", "Surgery", "practice", "U99991"), "code"),
        ("lee", RIVERSIDE, None),
        ("lee", {**RIVERSIDE, "name": "Other"}, None),
        ("lee", {**RIVERSIDE, "parent_code": "U99992"}, None),
        ("lee", place("A1", "Surgery", "practice", "U99991"), None),
        ("lee", place("U1", "New PCN", "pcn", "HUB1"), None),
        ("lee", place("U1", "New PCN", "pcn", "HUB2"), "parent_code"),
        ("lee", place("U1", "New PCN", "pcn", "QZZ"), "parent_code"),
        ("lee", place("U1", "New PCN", "pcn"), "parent_code"),
        ("lee", place("HUB1", "Northfield hub", "training_hub", "QZZ"), None),
        ("lee", place("HUB1", "Renamed", "training_hub", "QZZ"), "code"),
        ("lee", place("U99993", "Lakeside PCN", "pcn", "HUB2"), None),
        ("lee", place("U99993", "Renamed", "pcn", "HUB2"), "code"),
        ("lee", place("U99993", "Lakeside PCN", "pcn", "HUB1"), "code"),
        ("lee", {**RIVERSIDE, "parent_code": "HUB2"}, "parent_code"),
    ],
)
def test_organisations_are_made_and_changed_below_ones_own(cast: Cast, who: str, row: Any, column: str | None) -> None:
    job = checked(getattr(cast, who), {"organisations": [row]})
    assert faults(job) == ([("organisations", 2, column)] if column else [])


def test_a_new_place_may_lie_below_a_new_place(cast: Cast) -> None:
    below = [place("A1", "Surgery", "practice", "U1"), place("U1", "New PCN", "pcn", "HUB1")]
    book = {"organisations": below, "coaches": [post("NEW", "U1", 10, employer_code="A1")]}
    assert counts(checked(cast.lee, book)) == {"organisations": (2, 0, 0), "coaches": (1, 0, 0)}
    astray = [place("A1", "Surgery", "practice", "U1"), place("U1", "New PCN", "pcn", "HUB2")]
    assert faults(checked(cast.lee, {"organisations": astray})) == [
        ("organisations", 2, "parent_code"),
        ("organisations", 3, "parent_code"),
    ]


def test_the_kind_of_anothers_place_tells_nothing_of_who_works_there(cast: Cast) -> None:
    row = place("U99993", "Lakeside PCN", "practice", "HUB2")
    [message] = messages(checked(cast.lee, {"organisations": [row]}))
    assert "posts" not in message


# --- Courses and supervisors -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sheet", "row", "changes"),
    [
        ("courses", BASE["courses"][0], {"title": "Other"}),
        ("courses", BASE["courses"][0], {"course_ref": "NEW"}),
        ("requirements", BASE["requirements"][0], {"within_days": "1"}),
        ("supervisors", SUPERVISORS["GP"], {"role": "other"}),
        ("supervisors", SUPERVISORS["GP"], {"supervisor_ref": "NEW"}),
    ],
)
def test_what_a_service_keeps_is_changed_by_who_keeps_it(
    cast: Cast, hal: Person, sheet: str, row: dict[str, Any], changes: dict[str, str]
) -> None:
    assert counts(checked(cast.mo, {sheet: [row]})) == {sheet: (0, 0, 1)}
    job = checked(cast.mo, {sheet: [{**row, **changes}]})
    assert faults(job) == [(sheet, 2, COLUMN[sheet])]
    assert "is new or changed" in messages(job)[0]
    assert checked(cast.lee, {sheet: [{**row, **changes}]}).outcome == "done"


def test_a_pcn_keeps_its_own_courses_and_supervisors(cast: Cast) -> None:
    book = deepcopy(BASE)
    book["supervisor_evidence"] = [row for row in book["supervisor_evidence"] if row["supervisor_ref"] != "SAM"]
    job = checked(cast.mo, book, service="U99991")
    assert {numbers[1:] for numbers in counts(job).values()} == {(0, 0)}


def test_evidence_is_recorded_of_whoever_supervises_ones_coaches(cast: Cast, hal: Person) -> None:
    def shown(who: str, **values: str) -> Sheets:
        return {"supervisor_evidence": [{"supervisor_ref": who, "kind": "tier", "value": "4",
                                         "evidenced_on": facts.ago(3), **values}]}  # fmt: skip

    assert counts(checked(cast.mo, shown("SAM"))) == {"supervisor_evidence": (1, 0, 0)}  # of Asha
    assert faults(checked(cast.mo, shown("LM"))) == [("supervisor_evidence", 2, "supervisor_ref")]  # of Cai
    assert counts(checked(hal, shown("LM"))) == {"supervisor_evidence": (1, 0, 0)}
    there = next(row for row in BASE["supervisor_evidence"] if row["supervisor_ref"] == "HCS")
    assert counts(checked(cast.mo, {"supervisor_evidence": [there]})) == {"supervisor_evidence": (0, 0, 1)}
    agreed = {"agreements": [{"coach_ref": "BO", "kind": "line", "supervisor_ref": "LM", "from": facts.ago(9)}]}
    assert faults(checked(cast.mo, {**shown("LM"), **agreed})) == []
    agreed["agreements"][0]["coach_ref"] = "CAI"
    assert [name for name, *_ in faults(checked(cast.mo, {**shown("LM"), **agreed}))] == ["agreements"]


def test_who_supervises_anothers_coach_is_not_told(cast: Cast, hal: Person) -> None:
    """Lee may not name a coach whom only another hub reaches, and reads nothing of their agreements."""
    far = [post("FAR", "U99993", 90)]
    agreed = [{"coach_ref": "FAR", "kind": "line", "supervisor_ref": "LM", "from": facts.ago(80)}]
    facts.bring_in(cast, {"coaches": far, "agreements": agreed})  # of Northfield's register, and at Southmoor's PCN
    for ref, says in (("CAI", "has an agreement"), ("FAR", "neither in the sheet coaches nor known already")):
        row = {**SUPERVISORS["LM"], "coach_ref": ref}
        [message] = messages(checked(cast.lee, {"supervisors": [row]}))
        assert says in message


# --- Exemptions ------------------------------------------------------------------------------------------------------


def test_an_exemption_is_approved_by_who_may(cast: Cast, hal: Person) -> None:
    def exempt(ref: str) -> dict[str, Any]:
        return {**THEIRS["exemptions"][0], "coach_ref": ref}

    for book in ({"exemptions": [exempt("ASHA")]},
                 {"exemptions": [exempt("NEW")], "coaches": [post("NEW", "U99991", 30)]}):  # fmt: skip
        assert checked(cast.mo, book).outcome == "done"
        assert faults(checked(cast.lee, book)) == [("exemptions", 2, "coach_ref")]
    # Nobody decides about their own: Mo is Bo, and signs in as Asha.
    cast.mo.holds(Role.COACH, cast.riverside, cast.coach_bo)
    with walls.lifted("tests"):
        Coach.objects.filter(user=cast.asha.user).update(user=cast.mo.user)
    for ref in ("BO", "ASHA"):
        assert faults(checked(cast.mo, {"exemptions": [exempt(ref)]})) == [("exemptions", 2, "coach_ref")]


# --- What it tells of what changes -----------------------------------------------------------------------------------


def before(job: Job, sheet: str) -> dict[str, Any]:
    """Column → what the check says stands there now."""
    [found] = [each for each in job.result["sheets"] if each["name"] == sheet]
    return {column: was for *_, changes in found["first_changed"] for _, column, was, _ in changes}


def test_what_is_not_theirs_to_see_is_not_told_as_what_changes(cast: Cast, hal: Person) -> None:
    """A training hub brings in absences and sessions, and sees neither why a coach is away nor patients."""
    away = rows("absences", kind="parental", to=facts.ago(30))
    assert before(checked(hal, away), "absences")["kind"] == "sickness"
    told = before(checked(cast.lee, away), "absences")
    assert told["kind"] is None
    assert told["to"]
    seen = rows("coaching_sessions", minutes="5", outcome="did_not_attend")
    assert before(checked(hal, seen), "coaching_sessions") == {"minutes": "45", "outcome": "attended"}
    assert before(checked(cast.lee, seen), "coaching_sessions") == {"minutes": None, "outcome": None}
