"""The rules that need referrals, in the words of the rules' text; no database."""

from datetime import date

from coaching.rules import before_referrals, referral_ready


def test_an_untrained_coach_who_takes_referrals() -> None:
    accepted = date(2026, 5, 9)
    assert before_referrals(True, False, accepted).state == "met"
    assert before_referrals(False, True, accepted).state == "met"
    assert before_referrals(False, False, accepted) == ("not_met", None, accepted, "took_referrals_untrained")
    assert before_referrals(False, False, None) == ("met", None, None, "no_referrals_taken_yet")
    assert referral_ready(True, False).state == referral_ready(False, True).state == "met"
