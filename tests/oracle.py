"""The compliance rules a second time: slow, obvious, plain Python.

It answers from a workbook held as plain data, by looking at days and rows one after the other, so that a person can
check it against the written rules. The real implementation is set-based SQL; a test asks both the same questions.
Nothing here may be shared with that implementation, or the two would be wrong together.
"""

from calendar import monthrange
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any, NamedTuple

Row = dict[str, Any]
Workbook = dict[str, list[Row]]
Period = tuple[date, date | None]  # both ends belong to it; no end: still running

MET = "met"
DUE_SOON = "due_soon"
OVERDUE = "overdue"
NOT_MET = "not_met"
PAUSED = "paused"
NOT_APPLICABLE = "not_applicable"

LINE = "supervision.line"
CLINICAL = "supervision.clinical"
HEALTH_COACHING = "supervision.health_coaching"
APPRAISAL = "supervision.appraisal"
NAMED = "supervision.named."  # and the kind of the agreement
SUPERVISOR_ELIGIBLE = "supervision.supervisor_eligible"
REFERRAL_READY = "training.referral_ready"
BEFORE_REFERRALS = "training.before_referrals"
ARRS_ELIGIBLE = "training.arrs_eligible"
REQUIRED = "training.required:"  # and the reference of the course

AGREEMENT_KINDS = ("line", "clinical", "health_coaching")
CLINICAL_ROLES = ("gp", "senior_clinician", "advanced_practitioner")
ACCREDITED = ("accredited", "assured")
PCI = "pci_health_coaching"


@dataclass(frozen=True)
class Numbers:
    """The numbers of a standard."""

    line_months: int = 1
    line_soon_days: int = 7
    line_grace_days: int = 7
    clinical_months: int = 3
    clinical_soon_months: int | None = 2  # `due_soon` so many months after the base, or, when None,
    clinical_soon_days: int = 7  # so many days before it is due
    appraisal_months: int = 12
    appraisal_soon_days: int = 30
    month_minutes: int = 60
    month_days: int = 15
    last_working_days: int = 5
    pause_after_days: int = 14
    evidence_months: int = 12
    tier: int = 3
    coaching_years: int = 5
    nhs_coaching_hours: int = 500
    caseload_hours: int = 50
    accredited_days: int = 4
    required_soon_days: int = 60


WDF = Numbers()
MONTHLY_CLINICAL = Numbers(clinical_months=1, clinical_soon_months=None)


class Answer(NamedTuple):
    """What one rule says of one coach on one day."""

    coach: str
    rule: str
    state: str
    due_on: date | None
    since: date | None


class Verdict(NamedTuple):
    """An answer without the names of the coach and the rule."""

    state: str
    due_on: date | None = None
    since: date | None = None


# Days and periods


def days_after(day: date, count: int) -> date:
    return day + timedelta(days=count)


def add_months(day: date, count: int) -> date:
    """The same day of the month `count` months on, or the last day of a shorter month."""
    year, month = divmod(day.year * 12 + day.month - 1 + count, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def first_of_month(day: date) -> date:
    return day.replace(day=1)


def last_of_month(day: date) -> date:
    return day.replace(day=monthrange(day.year, day.month)[1])


def each_day(first: date, last: date) -> Iterator[date]:
    day = first
    while day <= last:
        yield day
        day = days_after(day, 1)


def covers(first: date, last: date | None, day: date) -> bool:
    return first <= day and (last is None or day <= last)


def joined(periods: Iterable[Period]) -> list[Period]:
    """Periods that follow each other without a free day, made into one."""
    result: list[Period] = []
    for first, last in sorted(periods, key=lambda period: period[0]):
        if result:
            begun, ended = result[-1]
            if ended is None:
                continue  # it runs for ever and takes in everything that follows
            if first <= days_after(ended, 1):
                result[-1] = (begun, None if last is None else max(ended, last))
                continue
        result.append((first, last))
    return result


BANK_HOLIDAYS = {  # England and Wales
    2024: ["01-01", "03-29", "04-01", "05-06", "05-27", "08-26", "12-25", "12-26"],
    2025: ["01-01", "04-18", "04-21", "05-05", "05-26", "08-25", "12-25", "12-26"],
    2026: ["01-01", "04-03", "04-06", "05-04", "05-25", "08-31", "12-25", "12-28"],
    2027: ["01-01", "03-26", "03-29", "05-03", "05-31", "08-30", "12-27", "12-28"],
    2028: ["01-03", "04-14", "04-17", "05-01", "05-29", "08-28", "12-25", "12-26"],
}


def is_working_day(day: date) -> bool:
    """Monday to Friday and no bank holiday; a year whose holidays are not typed in above is a KeyError."""
    holidays = BANK_HOLIDAYS[day.year]
    return day.weekday() < 5 and f"{day:%m-%d}" not in holidays


def nth_last_working_day(month: date, count: int) -> date:
    """The `count`th working day of the month, counted from its end."""
    working_days = [day for day in each_day(first_of_month(month), last_of_month(month)) if is_working_day(day)]
    return working_days[-count]


# What the workbook says, as it was known at a moment

DATED_SHEETS = {  # the sheets whose rows are facts with a date, and the column in which a row's period ends
    "coaches": "left_on",
    "absences": "to",
    "training": None,
    "exemptions": "to",
    "supervisor_evidence": None,
    "agreements": "to",
    "supervision": None,
    "referrals": None,
}


def key(reference: str) -> str:
    """References and codes are the same whatever their letters."""
    return reference.strip().casefold()


def known_rows(workbook: Workbook, sheet: str, known: datetime | None) -> list[Row]:
    """The rows of a sheet that were known at the moment `known`, with only the ends known by then.

    None is now: everything recorded counts, and so do all voids and ends.
    """
    result = []
    end_column = DATED_SHEETS.get(sheet)
    for row in workbook.get(sheet, []):
        recorded_at, voided_at, end_recorded_at = (
            row.get(hidden) for hidden in ("_recorded_at", "_voided_at", "_end_recorded_at")
        )
        if recorded_at is not None and known is not None and recorded_at > known:
            continue
        if voided_at is not None and (known is None or voided_at <= known):
            continue
        if end_column and end_recorded_at is not None and known is not None and end_recorded_at > known:
            row = {**row, end_column: None}
        result.append(row)
    return result


class Employment(NamedTuple):
    """Posts at one PCN and employer that follow each other without a free day."""

    start: date
    pcn_code: str
    end: date | None


@dataclass
class Coach:
    """All that was known of one coach."""

    ref: str
    posts: list[Row] = field(default_factory=list)
    absences: list[Row] = field(default_factory=list)
    training: list[Row] = field(default_factory=list)
    exemptions: list[Row] = field(default_factory=list)
    agreements: list[Row] = field(default_factory=list)
    meetings: list[Row] = field(default_factory=list)
    referrals: list[Row] = field(default_factory=list)
    joined_absences: list[Period] = field(default_factory=list)
    employments: list[Employment] = field(default_factory=list)


class Book:
    """The workbook, its rows put with the coach, the course and the supervisor they belong to."""

    def __init__(self, workbook: Workbook, numbers: Numbers, known: datetime | None) -> None:
        self.numbers = numbers
        self.courses = {key(row["course_ref"]): row for row in workbook.get("courses", [])}
        self.requirements = workbook.get("requirements", [])
        self.supervisors = {key(row["supervisor_ref"]): row for row in workbook.get("supervisors", [])}
        self.evidence: dict[str, list[Row]] = {}
        for row in known_rows(workbook, "supervisor_evidence", known):
            self.evidence.setdefault(key(row["supervisor_ref"]), []).append(row)

        self.coaches: dict[str, Coach] = {}
        for row in workbook.get("coaches", []):
            self.coaches.setdefault(key(row["coach_ref"]), Coach(row["coach_ref"]))
        for sheet, name in [
            ("coaches", "posts"),
            ("absences", "absences"),
            ("training", "training"),
            ("exemptions", "exemptions"),
            ("agreements", "agreements"),
            ("supervision", "meetings"),
            ("referrals", "referrals"),
        ]:
            for row in known_rows(workbook, sheet, known):
                if row.get("coach_ref"):  # a referral may have none
                    getattr(self.coaches[key(row["coach_ref"])], name).append(row)
        for coach in self.coaches.values():
            coach.joined_absences = joined((row["from"], row.get("to")) for row in coach.absences)
            coach.employments = list(employments_of(coach))


def employments_of(coach: Coach) -> Iterator[Employment]:
    by_place: dict[tuple[str, str], list[Period]] = {}
    for post in coach.posts:
        place = (key(post["pcn_code"]), key(post.get("employer_code") or post["pcn_code"]))
        by_place.setdefault(place, []).append((post["started_on"], post.get("left_on")))
    for (pcn_code, _employer), periods in by_place.items():
        for start, end in joined(periods):
            yield Employment(start, pcn_code, end)


def has_left(coach: Coach, pcn_code: str, day: date) -> bool:
    """Whether a coach has worked at a PCN, and does not any more on this day."""
    began = [post for post in coach.posts if key(post["pcn_code"]) == key(pcn_code) and post["started_on"] <= day]
    return bool(began) and all(post.get("left_on") is not None and post["left_on"] < day for post in began)


# Supervisors


def is_eligible(book: Book, supervisor_ref: str, kind: str, day: date) -> bool:
    """Whether somebody may give supervision of this kind on this day."""
    numbers = book.numbers
    supervisor = key(supervisor_ref)
    if kind in ("line", "appraisal"):
        return True
    if kind == "clinical":
        return book.supervisors[supervisor]["role"] in CLINICAL_ROLES

    newest: dict[str, Row] = {}  # of each kind of evidence, on or before the day
    for row in book.evidence.get(supervisor, []):
        found = newest.get(row["kind"])
        if row["evidenced_on"] <= day and (found is None or row["evidenced_on"] > found["evidenced_on"]):
            newest[row["kind"]] = row

    def reaches(evidence_kind: str, least: int) -> bool:
        return evidence_kind in newest and newest[evidence_kind]["value"] >= least

    def is_fresh(evidence_kind: str) -> bool:
        if evidence_kind not in newest:
            return False
        return day <= add_months(newest[evidence_kind]["evidenced_on"], numbers.evidence_months)

    return (
        reaches("tier", numbers.tier)
        and (
            reaches("coaching_years", numbers.coaching_years)
            or reaches("nhs_coaching_hours", numbers.nhs_coaching_hours)
        )
        and reaches("caseload_hours", numbers.caseload_hours)
        and is_fresh("caseload_hours")
        and is_fresh("own_supervision")
    )


def meeting_counts(book: Book, coach: Coach, meeting: Row, day: date) -> bool:
    """Whether a supervision meeting counts as at `day`."""
    supervisor = book.supervisors[key(meeting["supervisor_ref"])]
    return (
        meeting["held_on"] <= day
        and meeting["status"] == "held"
        and meeting["format"] == "individual"
        and not meeting.get("ad_hoc")
        and key(supervisor.get("coach_ref") or "") != key(coach.ref)
        and is_eligible(book, meeting["supervisor_ref"], meeting["kind"], meeting["held_on"])
    )


# Courses


def completed_on(book: Book, record: Row, day: date) -> date | None:
    """The day on which this record of a PCI health coaching course was completed, if it was by `day`."""
    course = book.courses[key(record["course_ref"])]
    if course["kind"] != PCI or course["accreditation"] not in ACCREDITED or withdrawn(record, day):
        return None
    first = course.get("accredited_from") or date.min
    accredited_days = [
        attended
        for attended in sorted(set(record.get("attended_on") or []))
        if covers(first, course.get("accredited_to"), attended)
    ]
    certificate_on = record.get("certificate_on")
    if certificate_on is None or len(accredited_days) < book.numbers.accredited_days:
        return None
    completed = max(certificate_on, accredited_days[book.numbers.accredited_days - 1])
    return completed if completed <= day else None


def done_on(book: Book, record: Row, day: date) -> date | None:
    """The day on which the course of this record was done, if it was by `day`."""
    course = book.courses[key(record["course_ref"])]
    if course["kind"] == PCI:
        return completed_on(book, record, day)
    if withdrawn(record, day):
        return None
    done: date | None = None
    if course["gives_certificate"]:
        done = record.get("certificate_on")
    else:
        days = sorted(set(record.get("attended_on") or []))
        needed = course.get("days") or 1
        if len(days) >= needed:
            done = days[needed - 1]
    return done if done is not None and done <= day else None


def withdrawn(record: Row, day: date) -> bool:
    return record.get("withdrawn_on") is not None and record["withdrawn_on"] <= day


def is_exempt(coach: Coach, rule: str, day: date) -> bool:
    return any(key(row["rule"]) == key(rule) and covers(row["from"], row.get("to"), day) for row in coach.exemptions)


def has_completed(book: Book, coach: Coach, day: date) -> bool:
    return any(completed_on(book, record, day) is not None for record in coach.training)


# One coach on one day


class Judge:
    """One coach on a day on which they are in post."""

    def __init__(self, book: Book, coach: Coach, employment: Employment, day: date) -> None:
        self.book = book
        self.numbers = book.numbers
        self.coach = coach
        self.employment = employment
        self.day = day

    def is_pausing(self, other: date) -> bool:
        """Whether `other` is a day on which the clocks stand, going by the absences that have begun by the day asked.

        An absence with an end pauses from its first day if it is long enough; a running one from the day on which it
        has become long enough, and for ever.
        """
        long_enough = self.numbers.pause_after_days
        for first, last in self.coach.joined_absences:
            if first > self.day:
                continue
            if last is None:
                if other >= days_after(first, long_enough - 1):
                    return True
            elif (last - first).days + 1 >= long_enough and first <= other <= last:
                return True
        return False

    def returned_on(self) -> date | None:
        """The day after the last pausing absence."""
        returns = [
            days_after(last, 1)
            for first, last in self.coach.joined_absences
            if last is not None and last < self.day and (last - first).days + 1 >= self.numbers.pause_after_days
        ]
        return max(returns, default=None)

    def base(self, kind: str) -> date:
        """The day from which the clock of this kind of supervision runs."""
        dates = [self.employment.start]
        returned_on = self.returned_on()
        if returned_on is not None:
            dates.append(returned_on)
        dates += [
            meeting["held_on"]
            for meeting in self.coach.meetings
            if meeting["kind"] == kind
            and meeting["held_on"] >= self.employment.start
            and meeting_counts(self.book, self.coach, meeting, self.day)
        ]
        return max(dates)

    def clock(self, due: date, soon_from: date, overdue_from: date) -> Verdict:
        if self.is_pausing(self.day):
            return Verdict(PAUSED)
        if self.day >= overdue_from:
            return Verdict(OVERDUE, due, overdue_from)
        if self.day >= soon_from:
            return Verdict(DUE_SOON, due)
        return Verdict(MET, due)

    def line(self) -> Verdict:
        due = add_months(self.base("line"), self.numbers.line_months)
        return self.clock(
            due, days_after(due, -self.numbers.line_soon_days), days_after(due, self.numbers.line_grace_days + 1)
        )

    def clinical(self) -> Verdict:
        base = self.base("clinical")
        due = add_months(base, self.numbers.clinical_months)
        if self.numbers.clinical_soon_months is not None:
            soon_from = add_months(base, self.numbers.clinical_soon_months)
        else:
            soon_from = days_after(due, -self.numbers.clinical_soon_days)
        return self.clock(due, soon_from, days_after(due, 1))

    def appraisal(self) -> Verdict:
        due = add_months(self.base("appraisal"), self.numbers.appraisal_months)
        return self.clock(due, days_after(due, -self.numbers.appraisal_soon_days), days_after(due, 1))

    def minutes_in(self, month: date) -> int:
        """Minutes of counted health coaching supervision in a calendar month, whoever the employer was."""
        return sum(
            meeting["minutes"]
            for meeting in self.coach.meetings
            if meeting["kind"] == "health_coaching"
            and first_of_month(meeting["held_on"]) == first_of_month(month)
            and meeting_counts(self.book, self.coach, meeting, self.day)
        )

    def answers_for(self, month: date) -> bool:
        """Whether enough days of a calendar month lie in the current employment and in no pausing absence."""
        days = 0
        for day in each_day(first_of_month(month), last_of_month(month)):
            if covers(self.employment.start, self.employment.end, day) and not self.is_pausing(day):
                days += 1
        return days >= self.numbers.month_days

    def health_coaching(self) -> Verdict:
        if self.is_pausing(self.day):
            return Verdict(PAUSED)
        first, last = first_of_month(self.day), last_of_month(self.day)
        last_of_previous = days_after(first, -1)
        enough_now = self.minutes_in(first) >= self.numbers.month_minutes
        if (
            self.answers_for(last_of_previous)
            and not any(self.is_pausing(day) for day in each_day(first, self.day))
            and self.minutes_in(last_of_previous) < self.numbers.month_minutes
            and not enough_now
        ):
            return Verdict(OVERDUE, last_of_previous, first)
        if enough_now:
            return Verdict(MET)
        if self.day >= nth_last_working_day(first, self.numbers.last_working_days) and self.answers_for(first):
            return Verdict(DUE_SOON, last)
        return Verdict(MET)

    def agreements(self, kind: str) -> list[Row]:
        """The agreements of this kind that cover the day, the one that began last at the end."""
        return sorted(
            (
                row
                for row in self.coach.agreements
                if row["kind"] == kind and covers(row["from"], row.get("to"), self.day)
            ),
            key=lambda row: row["from"],
        )

    def named(self, kind: str) -> Verdict:
        if self.agreements(kind):
            return Verdict(MET)
        dates = [self.employment.start]
        dates += [
            days_after(row["to"], 1)
            for row in self.coach.agreements
            if row["kind"] == kind and row.get("to") is not None and row["to"] < self.day
        ]
        return Verdict(NOT_MET, None, max(dates))

    def supervisor_eligible(self) -> Verdict:
        agreements = self.agreements("health_coaching")
        if not agreements:
            return Verdict(NOT_APPLICABLE)
        eligible = is_eligible(self.book, agreements[-1]["supervisor_ref"], "health_coaching", self.day)
        return Verdict(MET if eligible else NOT_MET)

    def referral_ready(self) -> Verdict:
        ready = has_completed(self.book, self.coach, self.day) or is_exempt(self.coach, BEFORE_REFERRALS, self.day)
        return Verdict(MET if ready else NOT_MET)

    def before_referrals(self) -> Verdict:
        if has_completed(self.book, self.coach, self.day) or is_exempt(self.coach, BEFORE_REFERRALS, self.day):
            return Verdict(MET)
        uncovered = [
            row["accepted_on"]
            for row in self.coach.referrals
            if row.get("accepted_on") is not None
            and row["accepted_on"] <= self.day
            and not is_exempt(self.coach, BEFORE_REFERRALS, row["accepted_on"])
        ]
        return Verdict(NOT_MET, None, min(uncovered)) if uncovered else Verdict(MET)

    def arrs_eligible(self) -> Verdict:
        if not any(
            post["funding"] == "arrs" and covers(post["started_on"], post.get("left_on"), self.day)
            for post in self.coach.posts
        ):
            return Verdict(NOT_APPLICABLE)
        enrolled = any(
            self.book.courses[key(record["course_ref"])]["kind"] == PCI
            and record["enrolled_on"] <= self.day
            and not withdrawn(record, self.day)
            for record in self.coach.training
        )
        return Verdict(MET if enrolled else NOT_MET)

    def required(self, requirement: Row) -> Verdict:
        course_ref = requirement["course_ref"]
        applies_from = requirement.get("applies_from")
        if applies_from is not None and self.day < applies_from:
            return Verdict(NOT_APPLICABLE)
        if is_exempt(self.coach, REQUIRED + course_ref, self.day):
            return Verdict(MET)
        days_done = [
            done_on(self.book, record, self.day)
            for record in self.coach.training
            if key(record["course_ref"]) == key(course_ref)
        ]
        done = max((found for found in days_done if found is not None), default=None)
        if done is None:
            first = self.employment.start if applies_from is None else max(self.employment.start, applies_from)
            last_allowed = days_after(first, requirement["within_days"])
            if self.day <= last_allowed:
                return Verdict(DUE_SOON, last_allowed)
            return Verdict(NOT_MET, last_allowed, days_after(last_allowed, 1))
        if requirement.get("validity_months") is None:
            return Verdict(MET)
        expires = add_months(done, requirement["validity_months"])
        if self.day > expires:
            return Verdict(OVERDUE, expires, days_after(expires, 1))
        if self.day >= days_after(expires, -self.numbers.required_soon_days):
            return Verdict(DUE_SOON, expires)
        return Verdict(MET, expires)

    def verdicts(self) -> dict[str, Verdict]:
        result = {
            LINE: self.line(),
            CLINICAL: self.clinical(),
            HEALTH_COACHING: self.health_coaching(),
            APPRAISAL: self.appraisal(),
            SUPERVISOR_ELIGIBLE: self.supervisor_eligible(),
            REFERRAL_READY: self.referral_ready(),
            BEFORE_REFERRALS: self.before_referrals(),
            ARRS_ELIGIBLE: self.arrs_eligible(),
        }
        for kind in AGREEMENT_KINDS:
            result[NAMED + kind] = self.named(kind)
        for requirement in self.book.requirements:
            result[REQUIRED + requirement["course_ref"]] = self.required(requirement)
        return result


def course_ref_as_in_courses(book: Book, rule: str) -> str:
    """The rule with its course written as the courses sheet writes it."""
    if not rule.startswith(REQUIRED):
        return rule
    return REQUIRED + str(book.courses[key(rule.removeprefix(REQUIRED))]["course_ref"])


def current_employment(coach: Coach, day: date) -> Employment | None:
    """The employment with a post covering the day; of several the one begun first, then the lower PCN code."""
    covering = [employment for employment in coach.employments if covers(employment.start, employment.end, day)]
    return min(covering, key=lambda employment: (employment.start, employment.pcn_code), default=None)


def rules_of(book: Book) -> list[str]:
    """Every rule there is for this workbook."""
    rules = [
        LINE,
        CLINICAL,
        HEALTH_COACHING,
        APPRAISAL,
        *(NAMED + kind for kind in AGREEMENT_KINDS),
        SUPERVISOR_ELIGIBLE,
        REFERRAL_READY,
        BEFORE_REFERRALS,
        ARRS_ELIGIBLE,
    ]
    return rules + [REQUIRED + row["course_ref"] for row in book.requirements]


def answers(workbook: Workbook, day: date, numbers: Numbers = WDF, known: datetime | None = None) -> list[Answer]:
    """Every rule's answer for every coach of the workbook on a day, sorted by coach, then rule.

    `known` is the moment up to which things had been written down; None is now.
    """
    book = Book(workbook, numbers, known)
    result = []
    for coach in book.coaches.values():
        employment = current_employment(coach, day)
        if employment is None:
            verdicts = dict.fromkeys(rules_of(book), Verdict(NOT_APPLICABLE))
        else:
            verdicts = Judge(book, coach, employment, day).verdicts()
        for rule, verdict in verdicts.items():
            result.append(Answer(coach.ref, course_ref_as_in_courses(book, rule), *verdict))
    return sorted(result, key=lambda answer: (answer.coach, answer.rule))
