"""The rules that need referrals: trained before taking any (rules, section 4; R-030, R-031)."""

import re
from collections.abc import Collection, Sequence
from datetime import date
from typing import NamedTuple

from hwbc.standards.rules import MET, NOT_APPLICABLE, NOT_MET, Answer

_COMPLETED = Answer(MET, reason="completed")
_EXEMPT = Answer(MET, reason="exempt")
_NONE_TAKEN = Answer(MET, reason="no_referrals_taken_yet")
_NOT_READY = Answer(NOT_MET, reason="not_completed")


def referral_ready(completed: bool, exempt: bool) -> Answer:
    """The gate's own answer: completed by the day, or an exemption from training.before_referrals covers it."""
    if completed:
        return _COMPLETED
    return _EXEMPT if exempt else _NOT_READY


def before_referrals(completed: bool, exempt: bool, first_untrained: date | None) -> Answer:
    """Is an untrained coach taking referrals?

    `first_untrained`: the first day, by the day asked about, on which the coach accepted a referral and no exemption
    covered that day.
    """
    if completed:
        return _COMPLETED
    if exempt:
        return _EXEMPT
    if first_untrained is not None:
        return Answer(NOT_MET, None, first_untrained, "took_referrals_untrained")
    return _NONE_TAKEN


# --- What is missing, and what is warned of --------------------------------------------------------------------------

NO_POST, NO_COURSE, WITHDRAWN, NOT_ACCREDITED, NOT_COMPLETED = (
    "no_post", "no_course", "withdrawn", "not_accredited", "not_completed",
)  # fmt: skip
_NOBODY = Answer(NOT_APPLICABLE, reason=NO_POST)


class Enrolment(NamedTuple):
    """How far one enrolment on a PCI health coaching course has come by a day."""

    withdrawn_on: date | None  # if by the day
    accredited: bool  # the course is accredited or assured
    days: int  # different days attended by the day, within the course's accreditation
    certified: bool  # a certificate dated by the day


class Missing(NamedTuple):
    """What stands between a coach and their first referral: a code, and the numbers and days for its sentence."""

    code: str
    days: int = 0
    needed: int = 0
    certified: bool = False
    on: date | None = None  # the day of withdrawal
    exempt_until: date | None = None  # the last day of the latest exemption there was


class Readiness(NamedTuple):
    """The gate's answer for one coach and day; `missing` is None where it is yes."""

    answer: Answer
    missing: Missing | None

    @property
    def ready(self) -> bool:
        """Whether the coach may take a referral on the day."""
        return self.answer.state == MET


NO_POST_AT_ALL = Readiness(_NOBODY, Missing(NO_POST))


def readiness(
    completed: bool, exempt: bool, enrolments: Sequence[Enrolment], needed: int, exempt_until: date | None
) -> Readiness:
    """The gate's answer (`referral_ready`) with the missing piece (rules, "Referral-ready"; R-030).

    `needed`: how many accredited days completing takes (R-006). Each enrolment is judged alone, days of two are never
    added: what is missing is said of the one that has come furthest.
    """
    answer = referral_ready(completed, exempt)
    return Readiness(answer, None if answer.state == MET else _missing(enrolments, needed, exempt_until))


def _missing(enrolments: Sequence[Enrolment], needed: int, exempt_until: date | None) -> Missing:
    if not enrolments:
        return Missing(NO_COURSE, exempt_until=exempt_until)
    live = [enrolment for enrolment in enrolments if enrolment.withdrawn_on is None]
    if not live:
        last = max(enrolment.withdrawn_on for enrolment in enrolments if enrolment.withdrawn_on is not None)
        return Missing(WITHDRAWN, on=last, exempt_until=exempt_until)
    accredited = [enrolment for enrolment in live if enrolment.accredited]
    if not accredited:
        return Missing(NOT_ACCREDITED, exempt_until=exempt_until)
    best = max(accredited, key=lambda one: ((one.days >= needed) + one.certified, one.days))
    return Missing(NOT_COMPLETED, best.days, needed, best.certified, exempt_until=exempt_until)


# Kind of course → the warning when none of that kind is done (R-030 asks for an induction, S1 for the basics).
_BASICS = {
    "induction": "no_induction",
    "pci_core": "no_core_skills",
    "social_prescribing": "no_social_prescribing",
}
ON_LONG_ABSENCE = "on_long_absence"
WARNINGS = (*_BASICS.values(), ON_LONG_ABSENCE)


def warnings(done: Collection[str], paused: bool) -> tuple[str, ...]:
    """What is warned of, and does not refuse, when a coach is given a referral; recorded with the allocation.

    `done`: the kinds of course of which one is done by the day. `paused`: a long absence covers the day.
    A full caseload is not among them: no source gives a number, and no PCN can record one yet (R-070).
    """
    found = [warning for kind, warning in _BASICS.items() if kind not in done]
    return (*found, ON_LONG_ABSENCE) if paused else tuple(found)


def holds_nhs_number(text: str) -> bool:
    """Whether ten digits of a text, as they are usually written, pass the check of an NHS number."""
    for written in _TEN_DIGITS.findall(text):
        digits = [int(character) for character in written if character.isdigit()]
        check = 11 - sum(digit * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
        if digits[9] == (0 if check == 11 else check):
            return True
    return False


_TEN_DIGITS = re.compile(r"(?<!\d)\d{3}[ -]?\d{3}[ -]?\d{4}(?!\d)")
