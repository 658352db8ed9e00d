"""The training rules (rules, section 4): required courses, and "can be claimed". Plain functions of facts and a day."""

from datetime import date, timedelta
from typing import NamedTuple

from hwbc.kit.months import add_months
from hwbc.standards.rules import DUE_SOON, MET, NOT_APPLICABLE, NOT_MET, OVERDUE, Answer, Numbers

_DAY = timedelta(days=1)
_MET = Answer(MET, reason="met")
_NOT_ARRS = Answer(NOT_APPLICABLE, reason="not_funded_by_arrs")
_NOT_YET = Answer(NOT_APPLICABLE, reason="does_not_apply_yet")


class Required(NamedTuple):
    """What is asked: a course, for how long it holds, and within how many days of starting it is to be done."""

    course: str
    validity_months: int | None
    within_days: int
    applies_from: date | None
    title: str = ""


def arrs_eligible(funded: bool, enrolled: bool) -> Answer:
    """ "Can be claimed": a post funded by ARRS asks for enrolment in a PCI health coaching course (R-005, R-006).

    `funded`: a post covering the day is funded by ARRS. `enrolled`: by the day, and not withdrawn by it.
    """
    if not funded:
        return _NOT_ARRS
    return _MET if enrolled else Answer(NOT_MET, reason="not_enrolled")


def required(asked: Required, started_on: date, done: date | None, exempt: bool, day: date, numbers: Numbers) -> Answer:
    """A required course: done in time, and again before it expires.

    `started_on`: of the current employment. `done`: the latest day, by `day`, on which the course was done.
    """
    if asked.applies_from is not None and asked.applies_from > day:
        return _NOT_YET
    if exempt:
        return Answer(MET, reason="exempt")
    if done is None:
        start = started_on if asked.applies_from is None else max(started_on, asked.applies_from)
        allowed = start + timedelta(days=asked.within_days)
        if day <= allowed:
            return Answer(DUE_SOON, allowed, None, "to_be_done")
        return Answer(NOT_MET, allowed, allowed + _DAY, "never_done")
    if asked.validity_months is None:
        return _MET
    expires = add_months(done, asked.validity_months)
    if day > expires:
        return Answer(OVERDUE, expires, expires + _DAY, "expired")
    if day >= expires - timedelta(days=numbers.required_soon_days):
        return Answer(DUE_SOON, expires, None, "expires_soon")
    return Answer(MET, expires, None, "met")
