"""The second calculation of the rules gives the answers of the worked examples; the random workbooks are valid."""

import csv
import random
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.oracle import (
    MONTHLY_CLINICAL,
    PCI,
    WDF,
    Answer,
    Numbers,
    Row,
    Workbook,
    add_months,
    answers,
    joined,
    nth_last_working_day,
)
from tests.workbooks import (
    errors,
    interesting_days,
    random_workbook,
    today_in_london,
    write_csv_folder,
    write_xlsx,
)

NA = "not_applicable"
Expected = tuple[str, str, str | None, str | None]  # the day asked, the state, due_on and since


def on(text: str) -> date:
    return date.fromisoformat(text)


def maybe(text: str | None) -> date | None:
    return None if text is None else on(text)


def post(started_on: str, left_on: str | None = None, pcn: str = "U10001", **values: Any) -> Row:
    return {
        "coach_ref": "C001",
        "name": "Asha Example",
        "email": "asha@example.org",
        "pcn_code": pcn,
        "started_on": on(started_on),
        "left_on": maybe(left_on),
        "hours_per_week": Decimal("37.5"),
        "funding": "other",
        **values,
    }


def absence(first: str, last: str | None) -> Row:
    return {"coach_ref": "C001", "kind": "sickness", "from": on(first), "to": maybe(last)}


def meeting(kind: str, held_on: str, minutes: int = 60, supervisor: str = "S1", **values: Any) -> Row:
    return {
        "coach_ref": "C001",
        "kind": kind,
        "supervisor_ref": supervisor,
        "held_on": on(held_on),
        "minutes": minutes,
        "format": "individual",
        "status": "held",
        **values,
    }


def proofs(caseload: str, own: str, supervisor: str = "S1") -> list[Row]:
    """Evidence that makes somebody eligible for a year from the earlier of the two days."""
    return [
        {"supervisor_ref": supervisor, "kind": kind, "value": value, "evidenced_on": on(day)}
        for kind, value, day in [
            ("tier", 3, "2024-01-01"),
            ("coaching_years", 5, "2024-01-01"),
            ("caseload_hours", 50, caseload),
            ("own_supervision", "A peer", own),
        ]
    ]


def record(enrolled: str, attended: list[str], certificate: str | None = None, course: str = "HC") -> Row:
    return {
        "coach_ref": "C001",
        "course_ref": course,
        "enrolled_on": on(enrolled),
        "attended_on": [on(day) for day in attended],
        "certificate_on": maybe(certificate),
    }


def referral(accepted: str) -> Row:
    return {
        "referral_ref": f"R-{accepted}",
        "pcn_code": "U10001",
        "received_on": on("2026-01-01"),
        "coach_ref": "C001",
        "accepted_on": on(accepted),
    }


COURSES: list[Row] = [
    {
        "course_ref": "HC",
        "kind": PCI,
        "accreditation": "accredited",
        "accredited_from": on("2025-01-01"),
        "accredited_to": on("2026-06-30"),
        "gives_certificate": True,
        "days": 4,
    },
    {"course_ref": "Fire", "kind": "mandatory", "accreditation": "none", "gives_certificate": True},
    {"course_ref": "Days", "kind": "induction", "accreditation": "none", "gives_certificate": False, "days": 2},
]


def book(**sheets: list[Row]) -> Workbook:
    """A workbook with one coach, long in post when nothing else is said, and two supervisors."""
    return {
        "coaches": [post("2025-01-06")],
        "courses": COURSES,
        "supervisors": [
            {"supervisor_ref": "S1", "name": "Grace Example", "role": "gp"},
            {"supervisor_ref": "S2", "name": "Lee Example", "role": "health_coach"},
            {"supervisor_ref": "SELF", "name": "Asha Example", "role": "gp", "coach_ref": "C001"},
        ],
        "supervisor_evidence": proofs("2026-01-15", "2026-01-15"),
        **sheets,
    }


def answer(workbook: Workbook, rule: str, day: str, numbers: Numbers = WDF, known: datetime | None = None) -> Answer:
    (found,) = [
        each for each in answers(workbook, on(day), numbers, known) if each.rule == rule and each.coach == "C001"
    ]
    return found


LINE, CLINICAL, HEALTH = "supervision.line", "supervision.clinical", "supervision.health_coaching"
READY, BEFORE, ARRS = "training.referral_ready", "training.before_referrals", "training.arrs_eligible"
FOUR_DAYS = ["2026-04-01", "2026-04-08", "2026-04-15", "2026-04-22"]
SEPTEMBER = meeting("health_coaching", "2026-09-15")
OCTOBER = [
    SEPTEMBER,
    meeting("health_coaching", "2026-10-06", 45),
    meeting("health_coaching", "2026-10-20", 60, format="group"),
]

WORKED_EXAMPLES: dict[str, tuple[Workbook, str, list[Expected]]] = {
    "line meeting on 31 January": (
        book(supervision=[meeting("line", "2026-01-31")]),
        LINE,
        [
            ("2026-01-31", "met", "2026-02-28", None),
            ("2026-02-20", "met", "2026-02-28", None),
            ("2026-02-21", "due_soon", "2026-02-28", None),
            ("2026-03-07", "due_soon", "2026-02-28", None),
            ("2026-03-08", "overdue", "2026-02-28", "2026-03-08"),
            ("2026-08-01", "overdue", "2026-02-28", "2026-03-08"),
        ],
    ),
    "line meeting on 28 February after it": (
        book(supervision=[meeting("line", "2026-01-31"), meeting("line", "2026-02-28")]),
        LINE,
        [("2026-02-27", "due_soon", "2026-02-28", None), ("2026-02-28", "met", "2026-03-28", None)],
    ),
    "clinical meeting on 30 November": (
        book(supervision=[meeting("clinical", "2025-11-30")]),
        CLINICAL,
        [
            ("2026-01-29", "met", "2026-02-28", None),
            ("2026-01-30", "due_soon", "2026-02-28", None),
            ("2026-02-28", "due_soon", "2026-02-28", None),
            ("2026-03-01", "overdue", "2026-02-28", "2026-03-01"),
        ],
    ),
    "started on 4 May, no meeting yet": (
        book(coaches=[post("2026-05-04")]),
        LINE,
        [
            ("2026-05-03", NA, None, None),
            ("2026-05-04", "met", "2026-06-04", None),
            ("2026-06-11", "due_soon", "2026-06-04", None),
            ("2026-06-12", "overdue", "2026-06-04", "2026-06-12"),
        ],
    ),
    "absent for 14 days": (
        book(supervision=[meeting("line", "2026-05-20")], absences=[absence("2026-06-01", "2026-06-14")]),
        LINE,
        [
            ("2026-05-31", "met", "2026-06-20", None),
            ("2026-06-01", "paused", None, None),
            ("2026-06-14", "paused", None, None),
            ("2026-06-15", "met", "2026-07-15", None),
        ],
    ),
    "absent for 13 days": (
        book(supervision=[meeting("line", "2026-05-20")], absences=[absence("2026-06-01", "2026-06-13")]),
        LINE,
        [
            ("2026-06-01", "met", "2026-06-20", None),
            ("2026-06-13", "due_soon", "2026-06-20", None),
            ("2026-06-28", "overdue", "2026-06-20", "2026-06-28"),
        ],
    ),
    "group time does not count": (
        book(supervision=OCTOBER),
        HEALTH,
        [
            ("2026-10-31", "due_soon", "2026-10-31", None),
            ("2026-11-01", "overdue", "2026-10-31", "2026-11-01"),
            ("2026-11-30", "overdue", "2026-10-31", "2026-11-01"),
        ],
    ),
    "then an hour in November": (
        book(supervision=[*OCTOBER, meeting("health_coaching", "2026-11-10")]),
        HEALTH,
        [("2026-11-09", "overdue", "2026-10-31", "2026-11-01"), ("2026-11-10", "met", None, None)],
    ),
    "14 days of October in post": (
        book(coaches=[post("2026-10-18")]),
        HEALTH,
        [
            ("2026-10-31", "met", None, None),
            ("2026-11-01", "met", None, None),
            ("2026-11-23", "met", None, None),
            ("2026-11-24", "due_soon", "2026-11-30", None),
            ("2026-11-30", "due_soon", "2026-11-30", None),
            ("2026-12-01", "overdue", "2026-11-30", "2026-12-01"),
        ],
    ),
    "a return clears the month before": (
        book(supervision=[SEPTEMBER], absences=[absence("2026-10-20", "2026-11-15")]),
        HEALTH,
        [
            ("2026-10-19", "met", None, None),
            ("2026-10-20", "paused", None, None),
            ("2026-11-15", "paused", None, None),
            ("2026-11-16", "met", None, None),
            ("2026-11-24", "due_soon", "2026-11-30", None),
        ],
    ),
    "two sick notes are one absence": (
        book(
            supervision=[meeting("line", "2026-05-20")],
            absences=[absence("2026-06-11", "2026-06-20"), absence("2026-06-01", "2026-06-10")],
        ),
        LINE,
        [
            ("2026-05-31", "met", "2026-06-20", None),
            ("2026-06-01", "paused", None, None),
            ("2026-06-20", "paused", None, None),
            ("2026-06-21", "met", "2026-07-21", None),
        ],
    ),
    "new hours are the same employment": (
        book(
            coaches=[post("2026-05-04", "2026-08-31"), post("2026-09-01", employer_code="u10001")],
            supervision=[meeting("line", "2026-08-10")],
        ),
        LINE,
        [("2026-09-01", "met", "2026-09-10", None), ("2026-09-18", "overdue", "2026-09-10", "2026-09-18")],
    ),
    "proof of exactly a year": (
        book(
            supervision=[meeting("health_coaching", "2026-03-01")],
            supervisor_evidence=proofs("2025-03-01", "2026-01-15"),
        ),
        HEALTH,
        [("2026-02-28", "overdue", "2026-01-31", "2026-02-01"), ("2026-03-01", "met", None, None)],
    ),
    "proof a day too old": (
        book(
            supervision=[meeting("health_coaching", "2026-03-02")],
            supervisor_evidence=proofs("2025-03-01", "2026-01-15"),
        ),
        HEALTH,
        [("2026-03-02", "overdue", "2026-02-28", "2026-03-01")],
    ),
    "completed and accepted on one day": (
        book(training=[record("2026-04-01", FOUR_DAYS, "2026-05-10")], referrals=[referral("2026-05-10")]),
        BEFORE,
        [("2026-05-09", "met", None, None), ("2026-05-10", "met", None, None)],
    ),
    "accepted the day before": (
        book(training=[record("2026-04-01", FOUR_DAYS, "2026-05-10")], referrals=[referral("2026-05-09")]),
        BEFORE,
        [
            ("2026-05-08", "met", None, None),
            ("2026-05-09", "not_met", None, "2026-05-09"),
            ("2026-05-10", "met", None, None),
        ],
    ),
    "three days and a certificate": (
        book(training=[record("2026-04-01", [*FOUR_DAYS[:3], FOUR_DAYS[0]], "2026-05-10")]),
        READY,
        [("2026-05-10", "not_met", None, None), ("2026-11-01", "not_met", None, None)],
    ),
    "a refresher undoes nothing": (
        book(training=[record("2026-04-01", [*FOUR_DAYS, "2026-07-10"], "2026-05-10")]),
        READY,
        [
            ("2026-05-09", "not_met", None, None),
            ("2026-05-10", "met", None, None),
            ("2026-07-10", "met", None, None),
        ],
    ),
    "enrolled, and claimed": (
        book(coaches=[post("2026-01-05", funding="arrs")], training=[record("2026-04-01", FOUR_DAYS)]),
        ARRS,
        [("2026-03-31", "not_met", None, None), ("2026-04-01", "met", None, None)],
    ),
    "enrolled, and not ready": (
        book(coaches=[post("2026-01-05", funding="arrs")], training=[record("2026-04-01", FOUR_DAYS)]),
        READY,
        [("2026-05-01", "not_met", None, None)],
    ),
}

MORE: dict[str, tuple[Workbook, str, list[Expected]]] = {
    "a running absence pauses from its 14th day": (
        book(supervision=[meeting("line", "2026-05-20")], absences=[absence("2026-06-01", None)]),
        LINE,
        [
            ("2026-06-13", "due_soon", "2026-06-20", None),
            ("2026-06-14", "paused", None, None),
            ("2027-06-14", "paused", None, None),
        ],
    ),
    "with another employer the clock starts again": (
        book(
            coaches=[post("2026-05-04", "2026-08-31"), post("2026-09-01", employer_code="PRV01")],
            supervision=[meeting("line", "2026-08-10")],
        ),
        LINE,
        [("2026-08-31", "met", "2026-09-10", None), ("2026-09-01", "met", "2026-10-01", None)],
    ),
    "after one free day it is another employment": (
        book(coaches=[post("2026-05-04", "2026-08-31"), post("2026-09-02")]),
        "supervision.appraisal",
        [
            ("2026-08-31", "met", "2027-05-04", None),
            ("2026-09-01", NA, None, None),
            ("2026-09-02", "met", "2027-09-02", None),
        ],
    ),
    "of two posts the one begun first": (
        book(coaches=[post("2026-05-04", "2026-08-31", pcn="U20002"), post("2026-07-01", pcn="U10001")]),
        "supervision.appraisal",
        [("2026-08-31", "met", "2027-05-04", None), ("2026-09-01", "met", "2027-07-01", None)],
    ),
    "appraisal": (
        book(supervision=[meeting("appraisal", "2025-08-31")]),
        "supervision.appraisal",
        [
            ("2026-07-31", "met", "2026-08-31", None),
            ("2026-08-01", "due_soon", "2026-08-31", None),
            ("2026-08-31", "due_soon", "2026-08-31", None),
            ("2026-09-01", "overdue", "2026-08-31", "2026-09-01"),
        ],
    ),
    "what does not count": (
        book(
            supervision=[
                meeting("clinical", "2026-01-10"),
                meeting("clinical", "2026-02-01", ad_hoc=True),
                meeting("clinical", "2026-02-02", status="did_not_attend"),
                meeting("clinical", "2026-02-03", status="cancelled"),
                meeting("clinical", "2026-02-04", format="group"),
                meeting("clinical", "2026-02-05", supervisor="S2"),
                meeting("clinical", "2026-02-06", supervisor="SELF"),
                meeting("clinical", "2026-02-07", status="planned"),
            ]
        ),
        CLINICAL,
        [("2026-02-10", "met", "2026-04-10", None)],
    ),
    "newer worse proof": (
        book(
            agreements=[
                {"coach_ref": "C001", "kind": "health_coaching", "supervisor_ref": "S1", "from": on("2026-02-01")}
            ],
            supervisor_evidence=[
                *proofs("2026-01-15", "2026-01-15"),
                {"supervisor_ref": "S1", "kind": "tier", "value": 2, "evidenced_on": on("2026-05-05")},
            ],
        ),
        "supervision.supervisor_eligible",
        [
            ("2026-01-31", NA, None, None),
            ("2026-05-04", "met", None, None),
            ("2026-05-05", "not_met", None, None),
        ],
    ),
    "named supervisor": (
        book(
            agreements=[
                {
                    "coach_ref": "C001",
                    "kind": "line",
                    "supervisor_ref": "S1",
                    "from": on("2026-02-01"),
                    "to": on("2026-03-31"),
                },
                {"coach_ref": "C001", "kind": "line", "supervisor_ref": "S2", "from": on("2026-05-01")},
            ]
        ),
        "supervision.named.line",
        [
            ("2026-01-31", "not_met", None, "2025-01-06"),
            ("2026-02-01", "met", None, None),
            ("2026-03-31", "met", None, None),
            ("2026-04-30", "not_met", None, "2026-04-01"),
            ("2026-05-01", "met", None, None),
        ],
    ),
    "accepted within an exemption": (
        book(
            exemptions=[
                {"coach_ref": "C001", "rule": BEFORE, "from": on("2026-03-01"), "to": on("2026-03-31")},
            ],
            referrals=[referral("2026-03-31"), referral("2026-05-01")],
        ),
        BEFORE,
        [
            ("2026-03-31", "met", None, None),
            ("2026-04-01", "met", None, None),
            ("2026-05-02", "not_met", None, "2026-05-01"),
        ],
    ),
    "required and never done": (
        book(requirements=[{"course_ref": "Fire", "within_days": 30, "applies_from": on("2026-03-01")}]),
        "training.required:Fire",
        [
            ("2026-02-28", NA, None, None),
            ("2026-03-01", "due_soon", "2026-03-31", None),
            ("2026-03-31", "due_soon", "2026-03-31", None),
            ("2026-04-01", "not_met", "2026-03-31", "2026-04-01"),
        ],
    ),
    "required and done with a validity": (
        book(
            requirements=[{"course_ref": "fire", "within_days": 0, "validity_months": 12}],
            training=[record("2025-01-06", [], "2025-02-28", "FIRE"), record("2025-03-01", [], None, "Fire")],
        ),
        "training.required:Fire",
        [
            ("2025-01-07", "not_met", "2025-01-06", "2025-01-07"),
            ("2025-02-28", "met", "2026-02-28", None),
            ("2025-12-30", "due_soon", "2026-02-28", None),
            ("2026-02-28", "due_soon", "2026-02-28", None),
            ("2026-03-01", "overdue", "2026-02-28", "2026-03-01"),
        ],
    ),
    "required, done by attending, then withdrawn": (
        book(
            requirements=[{"course_ref": "Days", "within_days": 10}],
            training=[
                {
                    **record("2025-01-06", ["2025-01-20", "2025-01-08", "2025-01-08"], course="Days"),
                    "withdrawn_on": on("2025-02-01"),
                }
            ],
        ),
        "training.required:Days",
        [
            ("2025-01-16", "due_soon", "2025-01-16", None),
            ("2025-01-19", "not_met", "2025-01-16", "2025-01-17"),
            ("2025-01-20", "met", None, None),
            ("2025-02-01", "not_met", "2025-01-16", "2025-01-17"),
        ],
    ),
}


@pytest.mark.parametrize("name", [*WORKED_EXAMPLES, *MORE])
def test_worked_examples(name: str) -> None:
    workbook, rule, table = (WORKED_EXAMPLES | MORE)[name]
    for day, state, due_on, since in table:
        assert answer(workbook, rule, day) == ("C001", rule, state, maybe(due_on), maybe(since)), day


def test_monthly_clinical() -> None:
    workbook = book(supervision=[meeting("clinical", "2025-11-30")])
    table = [("2025-12-22", "met"), ("2025-12-23", "due_soon"), ("2025-12-30", "due_soon"), ("2025-12-31", "overdue")]
    for day, state in table:
        found = answer(workbook, CLINICAL, day, MONTHLY_CLINICAL)
        assert (found.state, found.due_on) == (state, on("2025-12-30")), day


def test_what_was_known_at_a_moment() -> None:
    def at(day: int) -> datetime:
        return datetime(2026, 8, day, tzinfo=UTC)

    workbook = book(
        supervision=[
            meeting("line", "2026-05-20"),
            meeting("line", "2026-07-20", _recorded_at=at(5), _voided_at=at(10)),
        ],
        absences=[{**absence("2026-06-01", "2026-06-20"), "_end_recorded_at": at(3)}],
    )
    states = [answer(workbook, LINE, "2026-07-21", known=known)[2:] for known in (at(1), at(4), at(5), at(10), None)]
    assert states == [
        ("paused", None, None),
        ("due_soon", on("2026-07-21"), None),
        ("met", on("2026-08-20"), None),
        ("due_soon", on("2026-07-21"), None),
        ("due_soon", on("2026-07-21"), None),
    ]


def test_every_rule_is_answered_for_every_coach_in_order() -> None:
    workbook = book(
        coaches=[post("2025-01-06", coach_ref="C002"), post("2026-07-01")],
        requirements=[{"course_ref": "Fire", "within_days": 30}, {"course_ref": "Days", "within_days": 30}],
    )
    found = answers(workbook, on("2026-06-30"))
    rules = [
        "supervision.appraisal",
        "supervision.clinical",
        "supervision.health_coaching",
        "supervision.line",
        "supervision.named.clinical",
        "supervision.named.health_coaching",
        "supervision.named.line",
        "supervision.supervisor_eligible",
        "training.arrs_eligible",
        "training.before_referrals",
        "training.referral_ready",
        "training.required:Days",
        "training.required:Fire",
    ]
    assert [(each.coach, each.rule) for each in found] == [(ref, rule) for ref in ("C001", "C002") for rule in rules]
    assert {each[2:] for each in found if each.coach == "C001"} == {(NA, None, None)}


def test_days_and_periods() -> None:
    assert add_months(on("2024-01-31"), 1) == on("2024-02-29")
    assert add_months(on("2024-02-29"), 12) == on("2025-02-28")
    assert add_months(on("2025-11-30"), 3) == on("2026-02-28")
    assert nth_last_working_day(on("2026-11-01"), 5) == on("2026-11-24")
    assert nth_last_working_day(on("2026-12-15"), 5) == on("2026-12-23")  # 25 and 28 December are bank holidays
    one, two, six = on("2026-01-01"), on("2026-01-02"), on("2026-01-06")
    assert joined([(six, None), (two, two), (one, one)]) == [(one, two), (six, None)]
    assert joined([(one, None), (two, two), (six, None)]) == [(one, None)]


@pytest.mark.parametrize("seed", range(12))
def test_random_workbooks_are_valid(seed: int) -> None:
    workbook = random_workbook(seed)
    assert errors(workbook, today_in_london()) == []
    assert workbook == random_workbook(seed)


def test_random_workbooks_reach_every_state_of_every_rule() -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for seed in range(12):
        workbook = random_workbook(seed)
        for day in interesting_days(workbook, random.Random(seed), 20):
            seen.update((each.rule.split(":")[0], each.state) for each in answers(workbook, day))
    clocks = ["line", "clinical", "health_coaching", "appraisal"]
    possible = {f"supervision.{clock}": ["met", "due_soon", "overdue", "paused", NA] for clock in clocks}
    possible |= {
        rule: ["met", "not_met", NA]
        for rule in [
            *("supervision.named." + kind for kind in clocks[:3]),
            "supervision.supervisor_eligible",
            READY,
            BEFORE,
            ARRS,
        ]
    }
    possible["training.required"] = ["met", "due_soon", "overdue", "not_met", NA]
    assert set(seen) == {(rule, state) for rule, states in possible.items() for state in states}
    assert min(seen.values()) >= 20, seen


def test_days_to_ask_about() -> None:
    workbook = random_workbook(1)
    days = interesting_days(workbook, random.Random(1), 50)
    assert len(set(days)) == len(days) == 50
    assert days == interesting_days(workbook, random.Random(1), 50)


def test_written_as_csv(tmp_path: Path) -> None:
    workbook = random_workbook(3, coaches=3)
    write_csv_folder(workbook, tmp_path / "book", seed=3)
    for sheet, rows in workbook.items():
        path = tmp_path / "book" / f"{sheet}.csv"
        if not rows and not path.exists():
            continue
        with path.open(newline="", encoding="utf-8") as file:
            written = list(csv.DictReader(file))
        assert len(written) == len(rows)
        for before, after in zip(rows, written, strict=True):
            assert {name for name, text in after.items() if text} == set(before)
            for name, value in before.items():
                if isinstance(value, bool):
                    assert after[name] == ("yes" if value else "no")
                elif isinstance(value, date):
                    assert after[name] in (value.isoformat(), f"{value:%d/%m/%Y}")
                elif isinstance(value, list):
                    assert len(after[name].split(";")) == len(value)
                else:
                    assert after[name].strip().casefold() == str(value).casefold()


def test_written_as_xlsx(tmp_path: Path) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = random_workbook(4, coaches=3)
    write_xlsx(workbook, tmp_path / "book.xlsx", seed=4)
    spreadsheet = openpyxl.load_workbook(tmp_path / "book.xlsx", read_only=True)
    for sheet in spreadsheet.sheetnames:
        names, *rows = spreadsheet[sheet].iter_rows(values_only=True)
        assert len(rows) == len(workbook[sheet])
        for before, cells in zip(workbook[sheet], rows, strict=True):
            assert {name for name, value in zip(names, cells, strict=False) if value is not None} == set(before)
    spreadsheet.close()
