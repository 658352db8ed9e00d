"""The supervision rules, in the words of the rules' text; no database."""

from datetime import date, timedelta
from typing import Any

import pytest

from hwbc.compliance.queries import is_bank_holiday
from hwbc.standards.presets import MONTHLY_CLINICAL, WDF
from supervision import rules
from supervision.rules import Facts

START = date(2025, 1, 6)
FACTS = Facts(
    started_on=START, returned_on=None, paused=False, line=None, clinical=None, appraisal=None,
    minutes_before=0, minutes_now=0, days_before=31, days_now=30, paused_this_month=False,
    named_line=True, named_clinical=True, named_health_coaching=True,
    named_line_until=None, named_clinical_until=None, named_health_coaching_until=None, supervisor_eligible=True,
)  # fmt: skip


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("last", "on", "state", "due", "since"),
    [
        ("2026-01-31", "2026-02-20", "met", "2026-02-28", None),
        ("2026-01-31", "2026-02-21", "due_soon", "2026-02-28", None),
        ("2026-01-31", "2026-03-07", "due_soon", "2026-02-28", None),
        ("2026-01-31", "2026-03-08", "overdue", "2026-02-28", "2026-03-08"),
        ("2026-02-28", "2026-03-20", "met", "2026-03-28", None),  # from the actual meeting, not from 31 January
        ("2024-01-31", "2024-02-29", "due_soon", "2024-02-29", None),
        ("2024-02-29", "2024-03-21", "met", "2024-03-29", None),
        ("2025-12-31", "2026-01-24", "due_soon", "2026-01-31", None),
    ],
)
def test_line(last: str, on: str, state: str, due: str, since: str | None) -> None:
    answer = rules.line(FACTS._replace(started_on=day("2020-01-06"), line=day(last)), day(on), WDF)
    assert (answer.state, answer.due_on, answer.since) == (state, day(due), since and day(since))


@pytest.mark.parametrize(
    ("last", "on", "state", "due"),
    [
        ("2025-11-30", "2026-01-29", "met", "2026-02-28"),
        ("2025-11-30", "2026-01-30", "due_soon", "2026-02-28"),
        ("2025-11-30", "2026-02-28", "due_soon", "2026-02-28"),
        ("2025-11-30", "2026-03-01", "overdue", "2026-02-28"),
    ],
)
def test_clinical(last: str, on: str, state: str, due: str) -> None:
    answer = rules.clinical(FACTS._replace(clinical=day(last)), day(on), WDF)
    assert (answer.state, answer.due_on) == (state, day(due))
    assert (answer.since == day(due) + timedelta(days=1)) == (state == "overdue")


@pytest.mark.parametrize(
    ("on", "state"),
    [("2026-02-20", "met"), ("2026-02-21", "due_soon"), ("2026-02-28", "due_soon"), ("2026-03-01", "overdue")],
)
def test_clinical_every_month(on: str, state: str) -> None:
    assert rules.clinical(FACTS._replace(clinical=day("2026-01-31")), day(on), MONTHLY_CLINICAL).state == state


def test_a_new_starter_counts_from_the_start_and_a_return_starts_the_clocks_anew() -> None:
    new = FACTS._replace(started_on=day("2026-05-04"))
    assert rules.line(new, day("2026-06-11"), WDF).state == "due_soon"
    assert rules.line(new, day("2026-06-12"), WDF) == ("overdue", day("2026-06-04"), day("2026-06-12"), "overdue")
    back = FACTS._replace(line=day("2026-05-20"), returned_on=day("2026-06-15"))
    assert rules.line(back, day("2026-06-15"), WDF).due_on == day("2026-07-15")


@pytest.mark.parametrize("rule", [rules.line, rules.clinical, rules.appraisal])
def test_paused_stops_every_clock(rule) -> None:
    assert rule(FACTS._replace(paused=True), day("2030-01-01"), WDF) == ("paused", None, None, "paused")
    assert (
        rules.health_coaching(FACTS._replace(paused=True), day("2030-01-01"), WDF, day("2030-01-25")).state == "paused"
    )


@pytest.mark.parametrize(
    ("on", "state"),
    [("2026-12-06", "met"), ("2026-12-07", "due_soon"), ("2027-01-06", "due_soon"), ("2027-01-07", "overdue")],
)
def test_appraisal(on: str, state: str) -> None:
    assert rules.appraisal(FACTS._replace(appraisal=day("2026-01-06")), day(on), WDF).state == state


def health_coaching(on: str, **facts: Any) -> tuple[str, date | None, date | None]:
    soon = rules.last_working_days(day(on), 5, is_bank_holiday)
    answer = rules.health_coaching(FACTS._replace(**facts), day(on), WDF, soon)
    return answer.state, answer.due_on, answer.since


def test_a_short_month_is_overdue_until_this_month_is_full() -> None:
    assert health_coaching("2026-11-01", minutes_before=45) == ("overdue", day("2026-10-31"), day("2026-11-01"))
    assert health_coaching("2026-11-10", minutes_before=45, minutes_now=60) == ("met", None, None)
    assert health_coaching("2026-11-10", minutes_before=45, minutes_now=59)[0] == "overdue"
    assert health_coaching("2026-11-10", minutes_before=60)[0] == "met"


def test_a_coach_answers_for_a_month_with_15_of_its_days() -> None:
    assert health_coaching("2026-11-01", days_before=14) == ("met", None, None)
    assert health_coaching("2026-11-01", days_before=15)[0] == "overdue"
    assert health_coaching("2026-11-24", days_before=14) == ("due_soon", day("2026-11-30"), None)
    assert health_coaching("2026-11-24", days_before=14, days_now=14)[0] == "met"
    assert health_coaching("2026-11-24", days_before=14, days_now=15)[0] == "due_soon"
    assert health_coaching("2026-11-23", days_before=14)[0] == "met"


def test_a_return_this_month_clears_the_last_one() -> None:
    assert health_coaching("2026-11-16", paused_this_month=True)[0] == "met"


@pytest.mark.parametrize(
    ("on", "first"),
    [
        ("2026-11-03", "2026-11-24"),
        ("2026-12-03", "2026-12-23"),  # Christmas Day, and Boxing Day's substitute on the 28th
        ("2026-05-01", "2026-05-22"),  # the spring bank holiday is the 25th
        ("2027-12-01", "2027-12-23"),
        ("2024-02-29", "2024-02-23"),
    ],
)
def test_the_fifth_last_working_day(on: str, first: str) -> None:
    assert rules.last_working_days(day(on), 5, is_bank_holiday) == day(first)


def test_a_named_supervisor() -> None:
    assert rules.named(FACTS, True, None).state == "met"
    assert rules.named(FACTS, False, None) == ("not_met", None, START, "nobody_named")
    assert rules.named(FACTS, False, day("2026-03-31")).since == day("2026-04-01")
    assert rules.named(FACTS, False, day("2024-03-31")).since == START  # ended before this employment began


def test_the_named_supervisor_is_eligible() -> None:
    assert rules.supervisor_eligible(FACTS).state == "met"
    assert rules.supervisor_eligible(FACTS._replace(supervisor_eligible=False)) == (
        "not_met", None, None, "supervisor_not_eligible",
    )  # fmt: skip
    assert rules.supervisor_eligible(FACTS._replace(supervisor_eligible=None)).state == "not_applicable"
