"""The training rules, in the words of the rules' text; no database."""

from datetime import date

import pytest

from coaching.rules import referral_ready
from hwbc.standards.presets import WDF
from training.rules import Required, arrs_eligible, required

START = date(2026, 1, 5)
YEARLY = Required("IG", 12, 30, None)
ONCE = Required("IND", None, 30, None)
FROM_JUNE = Required("IG", 12, 30, date(2026, 6, 1))
LONG_ASKED = Required("IG", 12, 30, date(2025, 6, 1))


def day(text: str) -> date:
    return date.fromisoformat(text)


@pytest.mark.parametrize(
    ("asked", "done", "exempt", "on", "answer"),
    [
        (YEARLY, None, False, "2026-02-04", ("due_soon", "2026-02-04", None)),
        (YEARLY, None, False, "2026-02-05", ("not_met", "2026-02-04", "2026-02-05")),
        (YEARLY, "2026-01-10", False, "2026-11-10", ("met", "2027-01-10", None)),
        (YEARLY, "2026-01-10", False, "2026-11-11", ("due_soon", "2027-01-10", None)),
        (YEARLY, "2026-01-10", False, "2027-01-10", ("due_soon", "2027-01-10", None)),
        (YEARLY, "2026-01-10", False, "2027-01-11", ("overdue", "2027-01-10", "2027-01-11")),
        (YEARLY, "2024-02-29", False, "2025-03-01", ("overdue", "2025-02-28", "2025-03-01")),
        (ONCE, "2020-01-01", False, "2026-02-05", ("met", None, None)),
        (YEARLY, None, True, "2027-01-11", ("met", None, None)),
        (YEARLY._replace(applies_from=day("2026-06-01")), None, False, "2026-05-31", ("not_applicable", None, None)),
        (YEARLY._replace(applies_from=day("2026-06-01")), None, True, "2026-05-31", ("not_applicable", None, None)),
        (YEARLY._replace(applies_from=day("2026-06-01")), None, False, "2026-06-01", ("due_soon", "2026-07-01", None)),
        (
            YEARLY._replace(applies_from=day("2025-06-01")),
            None,
            False,
            "2026-02-05",
            ("not_met", "2026-02-04", "2026-02-05"),
        ),
    ],
)
def test_required(
    asked: Required, done: str | None, exempt: bool, on: str, answer: tuple[str, str | None, str | None]
) -> None:
    given = required(asked, START, day(done) if done else None, exempt, day(on), WDF)
    assert (given.state, given.due_on and str(given.due_on), given.since and str(given.since)) == answer


def test_can_be_claimed_and_may_take_referrals_are_two_answers() -> None:
    assert arrs_eligible(funded=True, enrolled=True).state == "met"
    assert referral_ready(completed=False, exempt=False).state == "not_met"
    assert arrs_eligible(funded=True, enrolled=False) == ("not_met", None, None, "not_enrolled")
    assert arrs_eligible(funded=False, enrolled=False).state == "not_applicable"
