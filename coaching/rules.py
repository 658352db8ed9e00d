"""The rules that need referrals: trained before taking any (rules, section 4; R-030, R-031)."""

from datetime import date

from hwbc.standards.rules import MET, NOT_MET, Answer

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
