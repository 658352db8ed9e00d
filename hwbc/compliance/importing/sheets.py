"""The sheets of the workbook and their columns, exactly as rules, section 6 has them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from coaching.models import CoachingSession, Referral
from hwbc.compliance.importing import cells
from hwbc.compliance.importing.cells import CODE, DAY, DAYS, EMAIL, HOURS, REFERENCE, RULE, YES_NO, Kind, choice
from hwbc.workforce.models import Absence, Organisation, Post, sort_key
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from training.models import Course

README = "read me"  # the one sheet that is not imported

Row = tuple[Any, ...]  # the row's number, whether it has faults, then a value a column
Staged = tuple[tuple[str, str], ...]  # columns of the temporary table, with their types


@dataclass(frozen=True)
class Column:
    """A column of a sheet. `refers` is the sheet in which its references are made."""

    name: str
    kind: Kind
    required: bool = False
    refers: str = ""
    staged: Staged = ()
    spread: Callable[[Any], Row] | None = None

    @property
    def columns(self) -> Staged:
        """What it becomes in the temporary table; for most, one column of the same name."""
        return self.staged or ((self.name, self.kind.sql),)


@dataclass(frozen=True)
class Sheet:
    """A sheet: its columns, what makes a row the same row again, and which dates may not come before which."""

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    makes: str = ""  # the column whose references are made here
    periods: tuple[tuple[str, str], ...] = ()
    happened: tuple[str, ...] = ()  # dates that cannot lie in the future
    example: tuple[str, ...] = ()
    settle: Callable[[list[Any]], None] | None = None  # what one column says about another's kind; raises Wrong

    def position(self, column: str) -> int:
        """Where a column's value stands in a row."""
        return next(place for place, each in enumerate(self.columns, start=2) if each.name == column)


def _key(value: str | None) -> Row:
    return (None if value is None else cells.reference_key(value),)


def _key_as_brought(value: str | None) -> Row:
    return (*_key(value), value)


def _name(value: str | None) -> Row:
    return (value, None if value is None else sort_key(value))


def _rule(value: str | None) -> Row:
    rule, _, course = (value or "").partition(":")
    return (rule or None, cells.reference_key(course) or None)


def _days(value: tuple[date, ...] | None) -> Row:
    return ("{" + ",".join(map(str, value or ())) + "}",)


def _evidence(value: Any) -> Row:
    return (None, value) if isinstance(value, str) else (value, "")


def _settle_evidence(row: list[Any]) -> None:
    kind, value = row[3], row[4]
    if kind is None or kind == Evidence.Kind.OWN_SUPERVISION:
        return
    if value is None:
        raise cells.Wrong("is blank. Write the number that was shown.")
    row[4] = None
    row[4] = cells.as_measure(value)


def _made(name: str) -> Column:
    return Column(name, REFERENCE, True, "", ((name, "text"), (f"{name}_as_brought", "text")), _key_as_brought)


def _to(name: str, sheet: str, required: bool = True) -> Column:
    return Column(name, REFERENCE, required, sheet, ((name, "text"),), _key)


def _organisation(name: str, required: bool = False) -> Column:
    return Column(name, CODE, required, "organisations")


COACH, COURSE = _to("coach_ref", "coaches"), _to("course_ref", "courses")
SUPERVISOR, REFERRAL = _to("supervisor_ref", "supervisors"), _to("referral_ref", "referrals")
FROM, TO = Column("from", DAY, True), Column("to", DAY)
MINUTES = Column("minutes", cells.whole(1, 100_000), True)

SHEETS = (
    Sheet(
        "organisations",
        (
            Column("code", CODE, True),
            Column("name", cells.text(), True),
            Column("kind", choice(Organisation.Kind.values), True),
            _organisation("parent_code"),
        ),
        key=("code",),
        makes="code",
        example=("EXAMPLE-PCN", "Example Primary Care Network (invented)", "pcn", ""),
    ),
    Sheet(
        "coaches",
        (
            _made("coach_ref"),
            Column("name", cells.text(), True, "", (("name", "text"), ("sort_name", "text")), _name),
            Column("email", EMAIL, True),
            _organisation("pcn_code", required=True),
            _organisation("employer_code"),
            Column("started_on", DAY, True),
            Column("left_on", DAY),
            Column("hours_per_week", HOURS, True),
            Column("funding", choice(Post.Funding.values), True),
        ),
        key=("coach_ref", "pcn_code", "started_on"),
        makes="coach_ref",
        periods=(("started_on", "left_on"),),
        example=(
            "EXAMPLE-C1",
            "Example Coach (invented)",
            "coach@example.org",
            "EXAMPLE-PCN",
            "",
            "2025-01-06",
            "",
            "37.5",
            "arrs",
        ),
    ),
    Sheet(
        "absences",
        (COACH, Column("kind", choice(Absence.Kind.values), True), FROM, TO),
        key=("coach_ref", "from"),
        periods=(("from", "to"),),
        example=("EXAMPLE-C1", "annual_leave", "2025-04-14", "2025-04-18"),
    ),
    Sheet(
        "courses",
        (
            _made("course_ref"),
            Column("title", cells.text(), True),
            Column("provider", cells.text(), True),
            Column("kind", choice(Course.Kind.values), True),
            Column("accreditation", choice(Course.Accreditation.values), True),
            Column("accredited_from", DAY),
            Column("accredited_to", DAY),
            Column("gives_certificate", YES_NO, True),
            Column("days", cells.whole(1, 1_000)),
        ),
        key=("course_ref",),
        makes="course_ref",
        periods=(("accredited_from", "accredited_to"),),
        example=(
            "EXAMPLE-HC",
            "Example health coaching course (invented)",
            "Example provider",
            "pci_health_coaching",
            "accredited",
            "2024-01-01",
            "",
            "yes",
            "4",
        ),
    ),
    Sheet(
        "requirements",
        (
            COURSE,
            Column("validity_months", cells.whole(1, 1_200)),
            Column("within_days", cells.whole(0, 36_500), True),
            Column("applies_from", DAY),
        ),
        key=("course_ref",),
        example=("EXAMPLE-HC", "", "180", "2025-01-01"),
    ),
    Sheet(
        "training",
        (
            COACH,
            COURSE,
            Column("enrolled_on", DAY, True),
            Column("attended_on", DAYS, False, "", (("attended_on", "date[]"),), _days),
            Column("withdrawn_on", DAY),
            Column("certificate_on", DAY),
            Column("certificate_number", cells.text(100)),
        ),
        key=("coach_ref", "course_ref", "enrolled_on"),
        periods=(("enrolled_on", "withdrawn_on"),),
        happened=("certificate_on",),
        example=(
            "EXAMPLE-C1",
            "EXAMPLE-HC",
            "2025-01-13",
            "2025-01-20; 2025-01-21; 2025-02-03; 2025-02-04",
            "",
            "2025-02-20",
            "EXAMPLE-1",
        ),
    ),
    Sheet(
        "exemptions",
        (
            COACH,
            Column("rule", RULE, True, "courses", (("rule", "text"), ("course_ref", "text")), _rule),
            FROM,
            Column("to", DAY, True),
            Column("reason", cells.text(2_000), True),
            Column("approved_by", cells.text(), True),
        ),
        key=("coach_ref", "rule", "from"),
        periods=(("from", "to"),),
        example=(
            "EXAMPLE-C1",
            "training.required:EXAMPLE-HC",
            "2025-01-06",
            "2025-02-20",
            "Example: course booked",
            "Example Manager",
        ),
    ),
    Sheet(
        "supervisors",
        (
            _made("supervisor_ref"),
            Column("name", cells.text(), True),
            Column("email", EMAIL),
            _organisation("organisation_code"),
            Column("role", choice(Supervisor.Role.values), True),
            _to("coach_ref", "coaches", required=False),
        ),
        key=("supervisor_ref",),
        makes="supervisor_ref",
        example=("EXAMPLE-S1", "Example Supervisor (invented)", "supervisor@example.org", "EXAMPLE-PCN", "gp", ""),
    ),
    Sheet(
        "supervisor_evidence",
        (
            SUPERVISOR,
            Column("kind", choice(Evidence.Kind.values), True),
            Column("value", cells.EVIDENCE, False, "", (("number", "numeric"), ("text", "text")), _evidence),
            Column("evidenced_on", DAY, True),
        ),
        key=("supervisor_ref", "kind", "evidenced_on"),
        happened=("evidenced_on",),
        settle=_settle_evidence,
        example=("EXAMPLE-S1", "tier", "3", "2025-01-02"),
    ),
    Sheet(
        "agreements",
        (COACH, Column("kind", choice(Agreement.Kind.values), True), SUPERVISOR, FROM, TO),
        key=("coach_ref", "kind", "from"),
        periods=(("from", "to"),),
        example=("EXAMPLE-C1", "clinical", "EXAMPLE-S1", "2025-01-06", ""),
    ),
    Sheet(
        "supervision",
        (
            COACH,
            Column("kind", choice(Meeting.Kind.values), True),
            SUPERVISOR,
            Column("held_on", DAY, True),
            MINUTES,
            Column("format", choice(Meeting.Format.values), True),
            Column("status", choice(Meeting.Status.values), True),
            Column("ad_hoc", YES_NO, False, "", (("ad_hoc", "boolean"),), lambda value: (bool(value),)),
        ),
        key=("coach_ref", "kind", "supervisor_ref", "held_on", "format", "ad_hoc"),
        example=("EXAMPLE-C1", "clinical", "EXAMPLE-S1", "2025-03-03", "60", "individual", "held", "no"),
    ),
    Sheet(
        "referrals",
        (
            _made("referral_ref"),
            _organisation("pcn_code", required=True),
            _organisation("practice_code"),
            Column("source", choice(Referral.Source.values), True),
            Column("priority", choice(Referral.Priority.values), True),
            Column("received_on", DAY, True),
            _to("coach_ref", "coaches", required=False),
            Column("accepted_on", DAY),
            Column("closed_on", DAY),
            Column("outcome", cells.text()),
        ),
        key=("referral_ref",),
        makes="referral_ref",
        periods=(("received_on", "closed_on"), ("accepted_on", "closed_on")),
        happened=("accepted_on",),
        example=(
            "EXAMPLE-R1",
            "EXAMPLE-PCN",
            "",
            "gp_practice",
            "routine",
            "2025-03-10",
            "EXAMPLE-C1",
            "2025-03-12",
            "",
            "",
        ),
    ),
    Sheet(
        "coaching_sessions",
        (
            REFERRAL,
            Column("held_on", DAY, True),
            Column("mode", choice(CoachingSession.Mode.values), True),
            MINUTES,
            Column("outcome", choice(CoachingSession.Outcome.values), True),
        ),
        key=("referral_ref", "held_on", "mode"),
        example=("EXAMPLE-R1", "2025-03-24", "phone", "45", "attended"),
    ),
)

BY_NAME = {sheet.name: sheet for sheet in SHEETS}


def staged_columns(sheet: Sheet) -> Staged:
    """The columns of a sheet's temporary table."""
    return (
        ("row", "integer"),
        ("faulty", "boolean"),
        *(pair for column in sheet.columns for pair in column.columns),
    )


def staged_rows(sheet: Sheet, rows: list[Row]) -> Iterator[Row]:
    """The rows of a sheet as its temporary table takes them."""
    spreads = [column.spread for column in sheet.columns]
    if not any(spreads):
        yield from rows
        return
    for row in rows:
        staged = [row[0], row[1]]
        for spread, value in zip(spreads, row[2:], strict=True):
            if spread is None:
                staged.append(value)
            else:
                staged += spread(value)
        yield tuple(staged)
