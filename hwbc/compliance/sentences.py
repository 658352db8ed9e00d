"""Answers in words: made when they are shown, from the code, the dates and the facts."""

from datetime import date, timedelta
from functools import lru_cache

from hwbc.compliance.queries import Standing
from hwbc.standards.rules import DUE_SOON, RED, Answer, Numbers

_PLAIN = {
    "no_post": "No post on this day.",
    "paused": "On a long absence: the clocks stand still.",
    "not_funded_by_arrs": "No post on this day is funded by ARRS.",
    "not_enrolled": "Not enrolled in PCI-accredited health coaching training, so the post cannot be claimed for.",
    "completed": "The four-day PCI-accredited training is completed.",
    "exempt": "An exemption covers this day.",
    "not_completed": "The four-day PCI-accredited training is not completed, and no exemption covers this day.",
    "no_referrals_taken_yet": "Not trained yet; no referrals taken yet.",
    "no_agreement": "No health coaching supervision agreement on this day.",
    "supervisor_not_eligible": "The named supervisor does not meet the supervisor standard on this day.",
    "does_not_apply_yet": "Not asked for yet on this day.",
}
_KINDS = {
    "supervision.line": ("line supervision", "line"),
    "supervision.clinical": ("clinical supervision", "clinical"),
    "supervision.appraisal": ("appraisal", "appraisal"),
}

# What the verdict on a meeting says (supervision.queries.verdict), in words that stand beside "Does not count"; a page
# knows two more: a meeting of an earlier employment, and one that was withdrawn.
MEETING_WORDS = {
    "counts": "Counts.",
    "planned": "Planned, and not recorded as held.",
    "cancelled": "It was cancelled.",
    "did_not_attend": "The coach did not attend.",
    "after_the_day": "Held after the day that is shown.",
    "group": "Held in a group: the time is shown apart, and is no individual supervision.",
    "ad_hoc": "Ad hoc: a contact between regular meetings never moves the clock.",
    "own_supervisor": "The supervisor is the coach: nobody supervises themself.",
    "not_a_clinician": "The supervisor is not a GP, a senior clinician or an advanced practitioner.",
    "supervisor_not_eligible": "On that day the supervisor did not meet the health coaching supervisor standard.",
    "before_employment": "Held before the present employment began.",
    "withdrawn": "The entry was withdrawn.",
}


@lru_cache(maxsize=4096)  # a file of a hundred thousand rows says the same few hundred days
def written(day: date | None) -> str:
    """A day as it is shown: 15 March 2026."""
    return f"{day.day} {day:%B %Y}" if day else "no date"


def sentence(standing: Standing, rule: str, answer: Answer) -> str:
    """Why the answer is what it is, in a sentence or two."""
    if answer.reason in _PLAIN and not (answer.reason == "exempt" and rule.startswith("training.required:")):
        return _PLAIN[answer.reason]
    if rule in _KINDS:
        return _clock(standing, rule, answer)
    if rule == "supervision.health_coaching":
        return _minutes(standing, answer)
    if rule.startswith("supervision.named."):
        kind = rule.removeprefix("supervision.named.").replace("_", " ")
        if answer.reason == "nobody_named":
            return f"Nobody is named for {kind} supervision since {written(answer.since)}."
        return f"A supervisor is named for {kind} supervision."
    if rule == "supervision.supervisor_eligible":
        return "The named supervisor meets the supervisor standard."
    if answer.reason == "took_referrals_untrained":
        return f"Took a referral on {written(answer.since)} without completed training or an exemption."
    if rule == "training.arrs_eligible":
        return "Enrolled in, or qualified from, PCI-accredited health coaching training."
    return _required(answer)


def remedy(standing: Standing, rule: str, answer: Answer) -> str:
    """What would turn it green, and by when; "" where there is nothing to do."""
    if answer.state not in (*RED, DUE_SOON):
        return ""
    numbers = standing.numbers or Numbers()
    by = f" by {written(answer.due_on)}"
    if rule in _KINDS:
        name, _ = _KINDS[rule]
        meeting = "An appraisal" if rule == "supervision.appraisal" else f"A {name} meeting"
        if answer.state == DUE_SOON:
            last = answer.due_on
            if rule == "supervision.line" and last is not None:
                last += timedelta(days=numbers.line_grace_days)
            return f"{meeting} held by {written(last)} keeps it green."
        return f"{meeting} turns it green from the day it is held."
    if rule == "supervision.health_coaching":
        assert standing.facts is not None
        missing = numbers.coaching_minutes - standing.facts.minutes_now
        until = "this month" if answer.state in RED else f"by {written(answer.due_on)}"
        return f"{missing} more individual minutes {until} turn it green."
    if rule.startswith("supervision.named."):
        who = {"line": "line manager"}.get(kind := rule.rpartition(".")[2], f"{kind.replace('_', ' ')} supervisor")
        return f"An agreement with a {who} turns it green."
    if rule == "supervision.supervisor_eligible":
        return "Newer evidence from the supervisor turns it green, or an agreement with one who meets the standard."
    if rule == "training.arrs_eligible":
        return "Enrolment in PCI-accredited health coaching training turns it green."
    if rule == "training.before_referrals":
        return "Completed training turns it green, or an approved exemption. Until then, no more referrals."
    if rule == "training.referral_ready":
        return "Completed training turns it green, or an approved exemption."
    again = " again" if answer.reason in ("expired", "expires_soon") else ""
    return f"Done{again}{by}, it stays green." if answer.state == DUE_SOON else f"Green once it is done{again}."


def _clock(standing: Standing, rule: str, answer: Answer) -> str:
    name, field = _KINDS[rule]
    last: date | None = getattr(standing.facts, field)
    had = f"Last {name} {written(last)}." if last else f"No {name} counted since the start of this employment."
    said = {
        "met": f"Next due {written(answer.due_on)}.",
        "due_soon": f"Due {written(answer.due_on)}.",
        "grace": f"Was due {written(answer.due_on)}; within the days of grace.",
        "overdue": f"Was due {written(answer.due_on)}: overdue against the standard since {written(answer.since)}.",
    }
    return f"{had} {said[answer.reason]}"


def _minutes(standing: Standing, answer: Answer) -> str:
    facts, numbers = standing.facts, standing.numbers or Numbers()
    assert facts is not None
    counted = (
        f"{facts.minutes_now} minutes of individual supervision counted this month, {facts.minutes_before} last month"
    )
    if answer.reason == "short_month":
        return f"{counted}: below the recommended {numbers.coaching_minutes} a month."
    if answer.reason == "month_not_full":
        missing = numbers.coaching_minutes - facts.minutes_now
        return f"{counted}; {missing} more are recommended by {written(answer.due_on)}."
    return f"{counted}."


def _required(answer: Answer) -> str:
    return {
        "exempt": "An exemption covers this day.",
        "to_be_done": f"Not done yet; to be done by {written(answer.due_on)}.",
        "never_done": f"Never done; was to be done by {written(answer.due_on)}.",
        "expired": f"Expired on {written(answer.due_on)}.",
        "expires_soon": f"Expires on {written(answer.due_on)}.",
        "met": f"Done; holds until {written(answer.due_on)}." if answer.due_on else "Done.",
    }[answer.reason]
