"""The supervision rules (rules, section 4): line, clinical, health coaching, appraisal, and who supervises.

Sources: R-040 to R-055. Plain functions of plain facts and a day.
"""

import calendar
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from hwbc.kit.months import add_months
from hwbc.standards.rules import DUE_SOON, MET, NOT_APPLICABLE, NOT_MET, OVERDUE, PAUSED, Answer, Numbers

_DAY = timedelta(days=1)
_PAUSED = Answer(PAUSED, reason="paused")
_MET = Answer(MET, reason="met")
_NO_AGREEMENT = Answer(NOT_APPLICABLE, reason="no_agreement")

CLINICAL_ROLES = ("gp", "senior_clinician", "advanced_practitioner")


class Facts(NamedTuple):
    """What the supervision rules know of a coach on a day. Meetings are counted ones (`verdict`), held by that day."""

    started_on: date  # of the current employment
    returned_on: date | None  # the day after the last pausing absence that has ended
    paused: bool  # the day lies in a pausing absence
    line: date | None  # the last meeting since started_on
    clinical: date | None
    appraisal: date | None
    minutes_before: int  # individual health coaching supervision in the calendar month before the day's
    minutes_now: int  # … and in the day's month, up to it
    days_before: int  # days of that month in the current employment and outside pausing absences
    days_now: int  # … of the day's whole month, as known on the day
    paused_this_month: bool  # a day of the month, up to the day, lies in a pausing absence
    named_line: bool  # an agreement covers the day
    named_clinical: bool
    named_health_coaching: bool
    named_line_until: date | None  # the latest end, before the day, of such an agreement
    named_clinical_until: date | None
    named_health_coaching_until: date | None
    supervisor_eligible: bool | None  # of the health coaching agreement that covers the day; None: there is none


def _base(facts: Facts, last: date | None) -> date:
    """The latest of: start of the current employment, return from a pausing absence, last counted meeting."""
    base = facts.started_on
    if facts.returned_on is not None and facts.returned_on > base:
        base = facts.returned_on
    if last is not None and last > base:
        base = last
    return base


def line(facts: Facts, day: date, numbers: Numbers) -> Answer:
    """Line management: due a month after the base; soon 7 days before it to 7 after (grace); then overdue (R-042)."""
    if facts.paused:
        return _PAUSED
    due = add_months(_base(facts, facts.line), numbers.line_months)
    late = (day - due).days
    if late > numbers.line_grace_days:
        return Answer(OVERDUE, due, due + timedelta(days=numbers.line_grace_days + 1), "overdue")
    if late >= -numbers.line_soon_days:
        return Answer(DUE_SOON, due, None, "grace" if late > 0 else "due_soon")
    return Answer(MET, due, None, "met")


def clinical(facts: Facts, day: date, numbers: Numbers) -> Answer:
    """Clinical supervision: due 3 months after the base, soon from 2 months after it, then overdue (R-043, R-045)."""
    if facts.paused:
        return _PAUSED
    base = _base(facts, facts.clinical)
    due = add_months(base, numbers.clinical_months)
    if day > due:
        return Answer(OVERDUE, due, due + _DAY, "overdue")
    if numbers.clinical_soon_days:
        soon = due - timedelta(days=numbers.clinical_soon_days)
    else:
        soon = add_months(base, numbers.clinical_months - 1)
    return Answer(DUE_SOON, due, None, "due_soon") if day >= soon else Answer(MET, due, None, "met")


def appraisal(facts: Facts, day: date, numbers: Numbers) -> Answer:
    """Appraisal: due 12 months after the base, soon from 30 days before, then overdue (R-042)."""
    if facts.paused:
        return _PAUSED
    due = add_months(_base(facts, facts.appraisal), numbers.appraisal_months)
    if day > due:
        return Answer(OVERDUE, due, due + _DAY, "overdue")
    if day >= due - timedelta(days=numbers.appraisal_soon_days):
        return Answer(DUE_SOON, due, None, "due_soon")
    return Answer(MET, due, None, "met")


def health_coaching(facts: Facts, day: date, numbers: Numbers, soon_from: date) -> Answer:
    """Health coaching supervision: at least 60 individual minutes in each calendar month (R-046, R-047).

    A short month is overdue in the next one, until that one has 60 minutes. `soon_from` is the fifth-last working day
    of the day's month (`last_working_days`).
    """
    if facts.paused:
        return _PAUSED
    if facts.minutes_now >= numbers.coaching_minutes:
        return _MET
    first = day.replace(day=1)
    if (
        facts.minutes_before < numbers.coaching_minutes
        and facts.days_before >= numbers.coaching_days_in_month
        and not facts.paused_this_month
    ):
        return Answer(OVERDUE, first - _DAY, first, "short_month")
    if day >= soon_from and facts.days_now >= numbers.coaching_days_in_month:
        return Answer(DUE_SOON, last_of_month(day), None, "month_not_full")
    return _MET


@lru_cache(maxsize=64)
def last_of_month(day: date) -> date:
    """The last day of the day's month."""
    return day.replace(day=calendar.monthrange(day.year, day.month)[1])


def last_working_days(day: date, count: int, is_bank_holiday: Callable[[date], bool]) -> date:
    """The first of the last `count` working days of the day's month (Monday to Friday, no bank holiday)."""
    at = last_of_month(day)
    while True:
        if at.weekday() < 5 and not is_bank_holiday(at):
            count -= 1
            if count == 0:
                return at
        at -= _DAY


def named(facts: Facts, covered: bool, until: date | None) -> Answer:
    """A supervisor of this kind is named: an agreement covers the day (R-040)."""
    if covered:
        return _MET
    since = facts.started_on
    if until is not None and until + _DAY > since:
        since = until + _DAY
    return Answer(NOT_MET, None, since, "nobody_named")


def supervisor_eligible(facts: Facts) -> Answer:
    """The health coaching supervisor named today meets the supervisor's standard today (R-049 to R-054)."""
    if facts.supervisor_eligible is None:
        return _NO_AGREEMENT
    return _MET if facts.supervisor_eligible else Answer(NOT_MET, reason="supervisor_not_eligible")


def answers(facts: Facts, day: date, numbers: Numbers, soon_from: date) -> Iterable[tuple[str, Answer]]:
    """Every supervision rule's answer, in the order of the rules' names."""
    return (
        ("supervision.appraisal", appraisal(facts, day, numbers)),
        ("supervision.clinical", clinical(facts, day, numbers)),
        ("supervision.health_coaching", health_coaching(facts, day, numbers, soon_from)),
        ("supervision.line", line(facts, day, numbers)),
        ("supervision.named.clinical", named(facts, facts.named_clinical, facts.named_clinical_until)),
        (
            "supervision.named.health_coaching",
            named(facts, facts.named_health_coaching, facts.named_health_coaching_until),
        ),
        ("supervision.named.line", named(facts, facts.named_line, facts.named_line_until)),
        ("supervision.supervisor_eligible", supervisor_eligible(facts)),
    )
