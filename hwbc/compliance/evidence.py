"""What an answer rests on, in words: rules explained, months, supervisors, what is missing of a training, absences."""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import NamedTuple

from django.utils import timezone

from coaching import rules as coaching_rules
from hwbc.compliance.catalogue import GROUPS, WORST_FIRST
from hwbc.compliance.findings import Finding, finding
from hwbc.compliance.queries import OpenFlag, Standing, open_flags
from hwbc.compliance.record import Record
from hwbc.compliance.sentences import MEETING_WORDS, written
from hwbc.kit.months import add_months
from hwbc.standards.rules import DUE_SOON, RED, Answer, Numbers
from hwbc.workforce.queries import Away
from hwbc.workforce.rules import entry
from supervision.queries import Evidenced, Held, Month
from training import queries as training_facts
from training import rules as training_rules

READY, BEFORE, CLAIM = "training.referral_ready", "training.before_referrals", "training.arrs_eligible"
_OUTCOMES = {**MEETING_WORDS, "no_post": "No post on the day that is shown, so nothing is owed."}
_MARKS = {"": "", "late": "Late entry", "imported": "Imported"}


def mark(happened_on: date, recorded_at: datetime, imported: bool) -> str:
    """How a fact came to be known, where that is worth saying: "Late entry", "Imported"."""
    return _MARKS[entry(happened_on, timezone.localdate(recorded_at), imported)]


# --- Standing ---------------------------------------------------------------------------------------------------------


class Explained(NamedTuple):
    """One rule of one coach: the answer in words, its flag whatever the state is now, and where its evidence stands."""

    anchor: str
    finding: Finding
    flag: OpenFlag | None
    evidence: str

    @property
    def needs_somebody(self) -> bool:
        """Whether there is something to do."""
        return self.finding.answer.state in (*RED, DUE_SOON)


def explained(record: Record, standing: Standing) -> list[Explained]:
    """Every rule of the coach on the day, in the order of the catalogue's groups."""
    flags = open_flags([record.coach.pk], record.day, _flags_known(record))
    person = record.person
    rules = []
    for code, answer in standing.answers:
        found = finding(person, standing, code, answer, None)
        rules.append(Explained("", found, flags.get((record.coach.pk, code)), _evidence(record, code)))
    rules.sort(key=lambda each: (GROUPS.index(each.finding.rule.group), _ORDER.get(each.finding.rule.code, 0)))
    return [each._replace(anchor=f"rule-{number}") for number, each in enumerate(rules, 1)]


# Within a group: the two questions about referrals side by side.
_ORDER = {rule: number for number, rule in enumerate((
    "supervision.line", "supervision.clinical", "supervision.health_coaching", "supervision.appraisal",
    "supervision.named.line", "supervision.named.clinical", "supervision.named.health_coaching",
    "supervision.supervisor_eligible", READY, BEFORE, CLAIM,
))}  # fmt: skip


def _flags_known(record: Record) -> datetime:
    """The moment up to which flags are shown: where the coach has left, what others did afterwards is theirs."""
    if not record.limited:
        return record.as_at.moment
    end = timezone.make_aware(datetime.combine(record.until, time.max))
    return min(end, record.as_at.moment)


def _evidence(record: Record, code: str) -> str:
    """Where the facts behind a rule stand."""
    app, _, rule = code.partition(".")
    if app == "training":
        anchor = "required" if rule.startswith("required:") else "claimed" if code == CLAIM else "ready"
        return record.href("coach_training", anchor)
    if rule.startswith("named."):
        return record.href("coach_supervision", "agreements")
    if rule == "supervisor_eligible":
        return record.href("coach_supervision", "evidence")
    if rule == "health_coaching":
        return record.href("coach_supervision", "minutes")
    return record.href("coach_supervision", "meetings", kind=rule)


# --- Supervision ------------------------------------------------------------------------------------------------------


def outcome(meeting: Held) -> str:
    """Whether a meeting counts, or why not, in words."""
    return _OUTCOMES[meeting.outcome]


class MonthShown(NamedTuple):
    """A calendar month of health coaching supervision. `state`: met, short, running, not_asked."""

    month: Month
    state: str
    missing: int  # minutes


def months_shown(months: Iterable[Month], day: date, numbers: Numbers) -> list[MonthShown]:
    """What each month comes to on a day. A coach answers for a month with enough days in it (rules, section 4)."""
    shown = []
    for month in months:
        missing = max(0, numbers.coaching_minutes - month.individual)
        if not missing:
            state = "met"
        elif month.days < numbers.coaching_days_in_month:
            state = "not_asked"
        else:
            state = "running" if month.first == day.replace(day=1) else "short"
        shown.append(MonthShown(month, state, missing))
    return shown


class Item(NamedTuple):
    """One of the four things that are asked of a health coaching supervisor."""

    asks: str
    shown: str
    on: str
    holds: bool


def items(shown: Evidenced, numbers: Numbers) -> list[Item]:
    """What is asked of the supervisor, what they had shown by the day, and whether it holds on it."""
    experience = [
        (f"{_number(value)} {words}", day)
        for value, day, words in (
            (shown.years, shown.years_on, "years of coaching"),
            (shown.nhs_hours, shown.nhs_hours_on, "hours of coaching in the NHS"),
        )
        if value is not None and day is not None
    ]
    return [
        Item(
            f"Tier {numbers.supervisor_tier} or above",
            f"Tier {_number(shown.tier)}" if shown.tier is not None else "",
            written(shown.tier_on) if shown.tier_on else "",
            shown.meets_tier,
        ),
        Item(
            f"{numbers.supervisor_years} years of coaching, or {numbers.supervisor_nhs_hours} hours of it in the NHS",
            "; ".join(words for words, _ in experience),
            "; ".join(written(day) for _, day in experience),
            shown.meets_experience,
        ),
        Item(
            f"{numbers.supervisor_caseload_hours} hours of own caseload in twelve months",
            f"{_number(shown.caseload)} hours" if shown.caseload is not None else "",
            _until(shown.caseload_on, numbers),
            shown.meets_caseload,
        ),
        Item(
            "Supervision of their own",
            (shown.own or "Shown, nobody named") if shown.own_on else "",
            _until(shown.own_on, numbers),
            shown.meets_own_supervision,
        ),
    ]


def _until(day: date | None, numbers: Numbers) -> str:
    if day is None:
        return ""
    return f"{written(day)}, holds until {written(add_months(day, numbers.supervisor_evidence_months))}"


def _number(value: Decimal | None) -> str:
    """A number without the zeros that its column adds: 6, 7.5."""
    return f"{value.normalize():f}" if value is not None else ""


# --- Training ---------------------------------------------------------------------------------------------------------


class Course(NamedTuple):
    """A required course, with what it rests on."""

    finding: Finding
    done_on: date | None
    recorded: bool  # there is a record of it at all


class Training(NamedTuple):
    """The answers of the training rules on the day."""

    ready: Finding
    claim: Finding
    required: list[Course]


def training(record: Record, records: list[training_facts.Record]) -> Training | None:
    """Ready for referrals, can be claimed, and the required courses; None without a post on the day."""
    facts = training_facts.standing(record.parameters).get(record.coach.pk)
    if facts is None or record.current is None:
        return None
    asked = training_facts.requirements(record.parameters).get(record.coach.register_id, [])
    done = training_facts.done(record.parameters, [course for course, _ in asked])
    names = {f"training.required:{required.course}": required for _, required in asked}
    standing = Standing(record.coach.pk, record.reference, record.current.pcn_id, record.numbers, None, [], names, ())
    enrolled = {each.course_id for each in records}

    def said(rule: str, answer: Answer) -> Finding:
        return finding(record.person, standing, rule, answer, None)

    required = []
    for rule, (course, asks) in zip(names, asked, strict=True):
        done_on, excused = done.get((record.coach.pk, course), (None, False))
        answer = training_rules.required(
            asks, record.current.employed_from, done_on, excused, record.day, record.numbers
        )
        required.append(Course(said(rule, answer), done_on, course in enrolled))
    required.sort(key=lambda each: (WORST_FIRST.index(each.finding.answer.state), each.finding.rule.title))
    return Training(
        said(READY, coaching_rules.referral_ready(facts.completed, facts.exempt)),
        said(CLAIM, training_rules.arrs_eligible(facts.funded, facts.enrolled)),
        required,
    )


def missing(record: training_facts.Record, day: date) -> list[str]:
    """What keeps an enrolment on health coaching training from being completed by a day; nothing where it is."""
    if record.done_on is not None:
        return []
    pieces = []
    if record.withdrawn_on is not None and record.withdrawn_on <= day:
        pieces.append(f"withdrawn on {written(record.withdrawn_on)}")
    if not record.is_accredited:
        pieces.append(f"the course is not accredited or assured (accreditation: {record.accreditation_words.lower()})")
    elif record.counted_days < record.asked:
        pieces.append(f"{record.counted_days} of {record.asked} accredited days attended")
        for attended in record.attended:
            if attended.worth == "outside":
                pieces.append(f"day {written(attended.day)} lay outside the accreditation {accreditation(record)}")
            elif attended.worth == "after_the_day":
                pieces.append(f"day {written(attended.day)} is after the day that is shown")
    if record.certificate_on is None:
        pieces.append("no certificate yet")
    elif record.certificate_on > day:
        pieces.append(f"the certificate is of {written(record.certificate_on)}, after the day that is shown")
    return pieces


def accreditation(record: training_facts.Record) -> str:
    """The dates between which a course is accredited; "" where it has none."""
    first, last = record.accredited_from, record.accredited_to
    if first and last:
        return f"{written(first)} to {written(last)}"
    return f"from {written(first)}" if first else f"until {written(last)}" if last else ""


def nearest(records: Iterable[training_facts.Record], day: date) -> training_facts.Record | None:
    """The enrolment on health coaching training that is completed or nearest to it; None where there is none."""
    return min(
        (record for record in records if record.is_health_coaching),
        key=lambda record: (
            record.done_on or date.max,
            record.withdrawn_on is not None and record.withdrawn_on <= day,
            not record.is_accredited,
            -record.counted_days,
            record.certificate_on is None,
        ),
        default=None,
    )


# --- Employment -------------------------------------------------------------------------------------------------------


def pauses(away: Away, record: Record) -> str:
    """What an absence does to the supervision clocks (rules, section 2)."""
    if not away.begun:
        return "Not begun on this day."
    if record.current is None:
        return "No post on this day, so no clock runs."
    if away.pauses_from is None:
        return f"Too short to pause the clocks: that takes {away.pause_after_days} days."
    if away.pauses_from > record.day:
        return f"Pauses the clocks from {written(away.pauses_from)}, its day {away.pause_after_days}, if it goes on."
    if away.pauses_to is None:
        return f"Pauses the clocks from {written(away.pauses_from)} until it ends."
    return f"Pauses the clocks from {written(away.pauses_from)} to {written(away.pauses_to)}."


def joined(away: Away) -> str:
    """Of an absence that is part of a longer one: which."""
    if not away.joined:
        return ""
    if away.joined_to is None:
        return f"One absence with its neighbours, from {written(away.joined_from)} on."
    days = (away.joined_to - away.joined_from) / timedelta(days=1) + 1
    return (
        f"One absence of {days:.0f} days with its neighbours, "
        f"from {written(away.joined_from)} to {written(away.joined_to)}."
    )
