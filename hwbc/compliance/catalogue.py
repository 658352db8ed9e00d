"""Every rule in words: what it asks, with the numbers in force, where that comes from, and how it is counted.

The page "How we count", the lists and every explanation are made from this. The rules themselves are in `rules.py` of
each app; their words follow the standard (R-… are its statements, S0 to S4 the documents they stand in).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from hwbc.standards.rules import DUE_SOON, MET, NOT_APPLICABLE, NOT_MET, OVERDUE, PAUSED, Numbers
from hwbc.workforce.rules import LATE_AFTER
from training.rules import Required

SUPERVISION, SUPERVISORS, TRAINING, REQUIRED = "Supervision", "Supervisors", "Training", "Required courses"
GROUPS = (SUPERVISION, SUPERVISORS, TRAINING, REQUIRED)

STATES: dict[str, tuple[str, str, str]] = {  # state → words, colour of its tag, meaning
    MET: ("Met", "green", "Nothing to do."),
    DUE_SOON: ("Due soon", "orange", "Act now and it stays green; includes the days of grace."),
    OVERDUE: ("Overdue", "red", "The recommended time has passed."),
    NOT_MET: ("Not met", "red", "Something required is missing."),
    PAUSED: ("Paused", "grey", "On a long absence: the clocks stand still."),
    NOT_APPLICABLE: ("Does not apply", "white", "No post on that day, or the rule does not concern this post."),
}
# The worst first: what a group of rules is shown as, and how columns of states are sorted.
WORST_FIRST = (NOT_MET, OVERDUE, DUE_SOON, MET, PAUSED, NOT_APPLICABLE)


@dataclass(frozen=True)
class Rule:
    """One rule in words. `asks` is given the numbers of the standard in force; `numbers` names those it uses."""

    code: str
    title: str
    group: str
    asks: Callable[[Numbers], str]
    counted: str
    sources: str
    numbers: tuple[str, ...] = ()


def _months(count: int) -> str:
    return "every month" if count == 1 else f"every {count} months"


def _days(count: int) -> str:
    return "1 day" if count == 1 else f"{count} days"


def _working_days(count: int) -> str:
    return "1 working day" if count == 1 else f"{count} working days"


_CLOCK = (
    "The clock starts at the latest of: the start of the present employment, the return from a long absence, the last "
    "meeting that counts. On a long absence it is paused."
)
_COUNTS = (
    "A meeting counts when it was held, individually, was not ad hoc, and the supervisor is not the coach and may give "
    "this supervision on that day. "
)
_MINUTES = "Only individual minutes count; time in groups is shown apart. Whole calendar months are counted."

_RULES = (
    Rule(
        "supervision.line", "Line management", SUPERVISION,
        lambda n: (
            f"A meeting with the line manager {_months(n.line_months)}. Due soon from {_days(n.line_soon_days)} "
            f"before; overdue when {_days(n.line_grace_days)} of grace have passed."
        ),
        _COUNTS + _CLOCK, "R-042; S2 section 6, S4",
        ("line_months", "line_soon_days", "line_grace_days", "pause_after_days"),
    ),
    Rule(
        "supervision.clinical", "Clinical supervision", SUPERVISION,
        lambda n: (
            f"A meeting with a named clinician {_months(n.clinical_months)}. Due soon "
            + (f"from {_days(n.clinical_soon_days)} before." if n.clinical_soon_days else "from a month before.")
        ),
        _COUNTS + "Clinicians are GPs, senior clinicians and advanced practitioners. " + _CLOCK,
        "R-043, R-045; S2 section 6, S4 (S0 and the NHSE quick reference say monthly)",
        ("clinical_months", "clinical_soon_days", "pause_after_days"),
    ),
    Rule(
        "supervision.health_coaching", "Health coaching supervision", SUPERVISION,
        lambda n: (
            f"{n.coaching_minutes} to {n.coaching_minutes_upper} minutes as an individual in every calendar month. "
            f"A month with fewer than {n.coaching_minutes} is overdue from the first of the next, until that has them; "
            f"it is due soon when {_working_days(n.coaching_soon_working_days)} of it are left. Asked for months with "
            f"at least {_days(n.coaching_days_in_month)} in the post and outside long absences."
        ),
        _COUNTS + _MINUTES,
        "R-046, R-047, R-049 to R-054; S2 section 6, S3, S4",
        ("coaching_minutes", "coaching_minutes_upper", "coaching_days_in_month", "coaching_soon_working_days",
         "pause_after_days"),
    ),
    Rule(
        "supervision.appraisal", "Appraisal", SUPERVISION,
        lambda n: f"An appraisal {_months(n.appraisal_months)}. Due soon from {_days(n.appraisal_soon_days)} before.",
        _COUNTS + _CLOCK, "R-042; S2 section 6",
        ("appraisal_months", "appraisal_soon_days", "pause_after_days"),
    ),
    Rule(
        "supervision.named.line", "Named line manager", SUPERVISORS,
        lambda n: "A named line manager at all times.",
        "An agreement of this kind covers the day.", "R-040, R-042; S2 section 6",
    ),
    Rule(
        "supervision.named.clinical", "Named clinical supervisor", SUPERVISORS,
        lambda n: "A named clinical supervisor at all times.",
        "An agreement of this kind covers the day.", "R-040, R-043; S2 section 6, S4",
    ),
    Rule(
        "supervision.named.health_coaching", "Named health coaching supervisor", SUPERVISORS,
        lambda n: "A named health coaching supervisor at all times.",
        "An agreement of this kind covers the day.", "R-040, R-046; S2 section 6, S4",
    ),
    Rule(
        "supervision.supervisor_eligible", "Health coaching supervisor meets the standard", SUPERVISORS,
        lambda n: (
            f"The named health coaching supervisor is a practitioner of tier {n.supervisor_tier} or above, with "
            f"{n.supervisor_years} years of coaching or {n.supervisor_nhs_hours} hours of it in the NHS, "
            f"{n.supervisor_caseload_hours} hours of own caseload in twelve months, and supervision of their own."
        ),
        "Judged on the newest evidence of each kind up to the day; evidence of caseload and of own supervision holds "
        "for twelve months unless the standard says otherwise.",
        "R-049 to R-054; S2 section 6, S3, S4",
        ("supervisor_tier", "supervisor_years", "supervisor_nhs_hours", "supervisor_caseload_hours",
         "supervisor_evidence_months"),
    ),
    Rule(
        "training.before_referrals", "Trained before taking referrals", TRAINING,
        lambda n: (
            f"No referral is taken before the {n.completed_days}-day PCI-accredited health coaching training is "
            "completed, unless an exemption covers the day."
        ),
        "Not met when any referral was accepted without completed training or an exemption; completing it later clears "
        "it. Met with no referrals taken yet is shown so: see “Ready for referrals”.",
        "R-030, R-031; S2 section 5, S3", ("completed_days",),
    ),
    Rule(
        "training.referral_ready", "Ready for referrals", TRAINING,
        lambda n: (
            f"The {n.completed_days}-day PCI-accredited health coaching training is completed, or an exemption covers "
            "the day. The gate asks this whenever a referral is given to a coach."
        ),
        "Completed: so many different days attended while the course was accredited or assured, and a certificate. "
        "Days of two enrolments are never added.",
        "R-006, R-030; S0, S1, S2, S3", ("completed_days",),
    ),
    Rule(
        "training.arrs_eligible", "Can be claimed", TRAINING,
        lambda n: (
            "A coach whose post is paid by the Additional Roles Reimbursement Scheme is enrolled in, or qualified "
            "from, PCI-accredited health coaching training."
        ),
        "Asked of posts funded by the scheme; enrolment up to the day, and not withdrawn by it. Another question than "
        "being ready for referrals.",
        "R-005, R-006; the Network Contract DES as training hubs quote it",
    ),
)  # fmt: skip
RULES: Mapping[str, Rule] = {rule.code: rule for rule in _RULES}
# Those of a list's columns, in the order in which they are read.
ORDER: tuple[str, ...] = tuple(RULES)
REQUIRED_PREFIX = "training.required:"

# What each number of a standard is.
NUMBER_WORDS: Mapping[str, str] = {
    "line_months": "Months between meetings with the line manager",
    "line_soon_days": "Days before the due day from which line management is due soon",
    "line_grace_days": "Days of grace after the due day",
    "clinical_months": "Months between clinical supervision meetings",
    "clinical_soon_days": "Days before the due day from which clinical supervision is due soon",
    "coaching_minutes": "Minutes of individual health coaching supervision in a calendar month",
    "coaching_minutes_upper": "Upper end of what is recommended; more is never a fault",
    "coaching_days_in_month": "Days in the post, in a month, from which the month is asked for",
    "coaching_soon_working_days": "Last working days of a month on which it is due soon",
    "appraisal_months": "Months between appraisals",
    "appraisal_soon_days": "Days before the due day from which an appraisal is due soon",
    "pause_after_days": "Days of absence, both ends counted, from which it is a long one and pauses the clocks",
    "completed_days": "Different accredited days to be attended",
    "required_soon_days": "Days before it expires from which a course is due soon",
    "supervisor_tier": "Tier of practice, at least",
    "supervisor_years": "Years of coaching, or else the hours below",
    "supervisor_nhs_hours": "Hours of coaching in the NHS, or else the years above",
    "supervisor_caseload_hours": "Hours of own caseload in twelve months, at least",
    "supervisor_evidence_months": "Months for which evidence of caseload and of own supervision holds",
}


def number_shown(key: str, value: int) -> str:
    """A number of a standard as it is shown."""
    if key == "clinical_soon_days" and value == 0:
        return "the last month before it"  # the preset's "every two to three months"
    return str(value)


# Counts that more than one page shows: the same words beside the number and on "How we count".
DEFINITIONS: Mapping[str, tuple[str, str]] = {
    "coaches": (
        "Coaches",
        (
            "Everybody with a post on the day, its first and last day with it, at a place where you have a role; and, "
            "if you supervise coaches or are one, those whom you supervise and yourself, wherever the post is."
        ),
    ),
    "on_track": (
        "Met or due soon, of those asked",
        (
            "Of the coaches of whom a rule is asked on the day, those for whom it is met or due soon. Coaches on a "
            "long absence (paused) and coaches to whom the rule does not apply are in neither number. Several rules "
            "shown as one are as good as the worst of them."
        ),
    ),
    "two_pcns": (
        "Coaches with two posts",
        (
            "A coach with posts in two PCNs on the day is counted in both, and once in the total. Their rules are "
            "judged once, by the employment that began first."
        ),
    ),
    "by_month": (
        "Shares by month",
        (
            "Met or due soon, of those asked, at the end of each of the last 18 months that have ended. Counted after "
            "the nightly checks and after an import, every month anew: a late entry changes the past with the next "
            "ones. Over several PCNs, a coach with posts in two of them on that day is counted in both; such a month's "
            "numbers lead to no list. The last point is the page's own day, and counts each coach once."
        ),
    ),
    "waiting": (
        "Waiting referrals",
        (
            "Referrals that a PCN had received by the day, that were not closed by then, and that no coach has on it, "
            "or one whose post at the PCN had ended before."
        ),
    ),
    "caseload": (
        "Caseload",
        (
            "Open allocations: referrals that a coach has on the day, the days they are taken and closed with them. "
            "When the coach’s post at the PCN has ended, the referral is on no caseload: it waits."
        ),
    ),
    "flags": (
        "Flags",
        (
            "Raised by the nightly checks for every rule that is overdue or not met, but for “Ready for referrals”; "
            "one flag a coach and rule, open until the checks find the rule in another state."
        ),
    ),
    "late": (
        "Late entry",
        (
            f"Written down more than {LATE_AFTER} days after it happened. It counts from the day it happened all the "
            "same."
        ),
    ),
    "imported": (
        "Imported",
        "Brought in with a workbook: when it was first written down is not known, so it is never called late.",
    ),
    "as_at": (
        "As at a day, as known at a moment",
        (
            "A day of the past is answered with the standard, the posts and the facts of that day. What was written "
            "down later counts, unless you ask what was known at an earlier moment."
        ),
    ),
}
# The documents behind the letters that stand beside the rules.
DOCUMENTS: Mapping[str, str] = {
    "S0": "Gloucestershire primary care web page on health and wellbeing coaches (2022/23)",
    "S1": "Black Country training hub web page",
    "S2": "Summary of NHS England's Health and Wellbeing Coach Workforce Development Framework (WDF)",
    "S3": "NHS England and NHS Improvement recruitment pack: job description, person specification, interviews",
    "S4": "Training hub paper on health coaching supervision in Bedfordshire, Luton and Milton Keynes (2023)",
    "R-…": "A statement of one of these documents, by its number in this service's register of them",
}
NOT_AN_ENFORCEMENT_LEVER = (
    "These documents are guidance and recommendations, not an enforcement lever. What is late is “overdue against the "
    "standard”; it says nothing about a person's work."
)


def anchor(code: str) -> str:
    """Where "How we count" explains a rule, or a group of rules."""
    return "".join(c if c.isalnum() else "-" for c in code.lower())


def required_rule(code: str, asked: Required) -> Rule:
    """The rule of one required course, in words."""
    again = f", and again {_months(asked.validity_months)}" if asked.validity_months else ""
    within = "on the first day" if asked.within_days == 0 else f"within {_days(asked.within_days)} of starting"
    return Rule(
        code,
        asked.title or asked.course,
        REQUIRED,
        lambda n: (
            f"Done {within}, and due soon until then{again}."
            + (f" Due soon again from {_days(n.required_soon_days)} before it expires." if again else "")
        ),
        "Done on the date of the certificate or, for a course that gives none, on the last day that was needed.",
        "what this service requires of its coaches; set with the course, and no source confirms an interval",
        ("required_soon_days",),
    )


def rule_of(code: str, required: Mapping[str, Required]) -> Rule:
    """The rule behind a code; `required` as in a Standing."""
    return RULES.get(code) or required_rule(code, required[code])
