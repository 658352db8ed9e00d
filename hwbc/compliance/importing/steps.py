"""What the rows of a sheet become: for each kind of record, where its columns come from and when it is the same."""

# ruff: noqa: S608 — statements are put together from the names of tables and columns; every value is a parameter

from dataclasses import dataclass

from django.db.models import Model

from coaching.models import Allocation, CoachingSession, Referral
from hwbc.workforce.models import Absence, Coach, Period, Post
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from training.models import Course, Exemption, Requirement, TrainingRecord

_OF = "%(register)s and {0}.reference_key = s.{1}"
_COACH = "join workforce_coach c on c.register_id = " + _OF.format("c", "coach_ref")
_COURSE = "join training_course k on k.register_id = " + _OF.format("k", "course_ref")
_SUPERVISOR = "join supervision_supervisor v on v.register_id = " + _OF.format("v", "supervisor_ref")
_REFERRAL = "join coaching_referral r on r.register_id = " + _OF.format("r", "referral_ref")


@dataclass(frozen=True)
class Step:
    """One kind of record made of a sheet. `key` and `data` are columns and the SQL that fills them from `source`.

    What people edit (`in_place`) is updated with its version; a fact is voided and recorded anew. A period whose only
    change is that it got an end, gets its end.
    """

    model: type[Model]
    source: str
    key: dict[str, str]
    data: dict[str, str]
    in_place: bool = False
    decides: bool = True  # whether the row of the sheet is new when this record is
    nullable: tuple[str, ...] = ()  # columns of the key that may be blank
    match: str = ""  # how the record that is there already is found, where the key alone does not say
    once: tuple[tuple[str, str], ...] = ()  # columns that are written when the record is made, and never compared

    @property
    def table(self) -> str:
        """The table of the record."""
        return self.model._meta.db_table

    @property
    def found(self) -> str:
        """The temporary table of what was found: a row of the sheet, its record if there is one, and what to do."""
        return f"import_found_{self.table}"

    @property
    def is_period(self) -> bool:
        """Whether the record is a period."""
        return issubclass(self.model, Period)


def _reference(sheet_key: str) -> dict[str, str]:
    return {"register_id": "%(register)s", "reference_key": f"s.{sheet_key}"}


def _brought(sheet_key: str) -> tuple[tuple[str, str], ...]:
    return (("reference", f"s.{sheet_key}_as_brought"),)


def _period(start: str = 's."from"', end: str = 's."to"') -> tuple[dict[str, str], dict[str, str]]:
    return {"starts_on": start}, {"ends_on": end}


def _same(*columns: str) -> dict[str, str]:
    return {column: f"s.{column}" for column in columns}


# A blank says nothing: it does not open a referral again that was closed on a page.
_CLOSED_ON_A_PAGE = (
    "(s.closed_on is null and b.closed_on is not null and exists (select 1 from workforce_auditevent e "
    "where e.kind = 'coaching.referral' and e.record = b.uuid::text and e.what = 'referral.close' "
    "and e.outcome = 'done'))"
)
_FROM, _TO = _period()

# A referral may have been handed on: the allocation that the row speaks of, else the latest.
_THE_ALLOCATION = """
left join lateral (
    select a.* from coaching_allocation a where a.referral_id = s.referral_id and a.voided_at is null
    order by (a.coach_id = s.coach_id and a.starts_on = s.starts_on) desc nulls last, a.starts_on desc, a.id desc
    limit 1
) old on true
"""

# In the order in which they are written: what is referred to comes first. Organisations, whose parents may come in
# any order, are written by themselves.
STEPS: dict[str, tuple[Step, ...]] = {
    "coaches": (
        Step(
            Coach,
            "(select distinct on (coach_ref) * from import_coaches order by coach_ref, row) s",
            _reference("coach_ref"),
            _same("name", "sort_name", "email"),
            in_place=True,
            decides=False,
            once=_brought("coach_ref"),
        ),
        Step(
            Post,
            "import_coaches s join workforce_organisation p on p.code = s.pcn_code "
            f"join workforce_organisation e on e.code = coalesce(s.employer_code, s.pcn_code) {_COACH}",
            {"coach_id": "c.id", "pcn_id": "p.id", "starts_on": "s.started_on"},
            {"employer_id": "e.id", "ends_on": "s.left_on", **_same("hours_per_week", "funding")},
        ),
    ),
    "absences": (
        Step(Absence, f"import_absences s {_COACH}", {"coach_id": "c.id", **_FROM}, {**_same("kind"), **_TO}),
    ),
    "courses": (
        Step(
            Course,
            "import_courses s",
            _reference("course_ref"),
            {
                **_same("title", "provider", "kind", "accreditation", "accredited_from", "accredited_to"),
                **_same("gives_certificate"),
                "days": "coalesce(s.days, 1)",
            },
            in_place=True,
            once=_brought("course_ref"),
        ),
    ),
    "requirements": (
        Step(
            Requirement,
            f"import_requirements s {_COURSE}",
            {"course_id": "k.id"},
            _same("validity_months", "within_days", "applies_from"),
        ),
    ),
    "training": (
        Step(
            TrainingRecord,
            f"import_training s {_COACH} {_COURSE}",
            {"coach_id": "c.id", "course_id": "k.id", "enrolled_on": "s.enrolled_on"},
            {
                **_same("attended_on", "withdrawn_on", "certificate_on"),
                "certificate_number": "coalesce(s.certificate_number, '')",
            },
        ),
    ),
    "exemptions": (
        Step(
            Exemption,
            f"import_exemptions s {_COACH} left {_COURSE}",
            {"coach_id": "c.id", "rule": "s.rule", "course_id": "k.id", **_FROM},
            {**_TO, **_same("reason", "approved_by")},
            nullable=("course_id",),
        ),
    ),
    "supervisors": (
        Step(
            Supervisor,
            f"import_supervisors s left join workforce_organisation o on o.code = s.organisation_code left {_COACH}",
            _reference("supervisor_ref"),
            {
                **_same("name", "role"),
                "email": "coalesce(s.email, '')",
                "organisation_id": "o.id",
                "coach_id": "c.id",
            },
            in_place=True,
            once=_brought("supervisor_ref"),
        ),
    ),
    "supervisor_evidence": (
        Step(
            Evidence,
            f"import_supervisor_evidence s {_SUPERVISOR}",
            {"supervisor_id": "v.id", **_same("kind", "evidenced_on")},
            {"number": "s.number", "text": "coalesce(s.text, '')"},
        ),
    ),
    "agreements": (
        Step(
            Agreement,
            f"import_agreements s {_COACH} {_SUPERVISOR}",
            {"coach_id": "c.id", **_same("kind"), **_FROM},
            {"supervisor_id": "v.id", **_TO},
        ),
    ),
    "supervision": (
        Step(
            Meeting,
            f"import_supervision s {_COACH} {_SUPERVISOR}",
            {"coach_id": "c.id", "supervisor_id": "v.id", **_same("kind", "held_on", "format", "ad_hoc")},
            _same("minutes", "status"),
        ),
    ),
    "referrals": (
        Step(
            Referral,
            "import_referrals s join workforce_organisation p on p.code = s.pcn_code "
            f"left join workforce_organisation o on o.code = s.practice_code left {_COACH} "
            "left join coaching_referral b on b.register_id = %(register)s and b.reference_key = s.referral_ref",
            _reference("referral_ref"),
            {
                "pcn_id": "p.id",
                "practice_id": "o.id",
                **_same("source", "priority", "received_on"),
                "closed_on": f"case when {_CLOSED_ON_A_PAGE} then b.closed_on else s.closed_on end",
                "proposed_coach_id": "case when s.accepted_on is null then c.id end",
                "outcome": f"case when {_CLOSED_ON_A_PAGE} then b.outcome else coalesce(s.outcome, '') end",
            },
            in_place=True,
            once=_brought("referral_ref"),
        ),
        Step(
            Allocation,
            f"import_referrals s {_REFERRAL} left {_COACH}",
            {"referral_id": "r.id"},
            {
                "coach_id": "case when s.accepted_on is not null then c.id end",
                "starts_on": "s.accepted_on",
                "ends_on": "case when s.accepted_on is not null then s.closed_on end",
                "pcn_id": "r.pcn_id",
            },
            decides=False,
            match=_THE_ALLOCATION,
        ),
    ),
    "coaching_sessions": (
        Step(
            CoachingSession,
            f"import_coaching_sessions s {_REFERRAL}",
            {"referral_id": "r.id", **_same("held_on", "mode")},
            {"pcn_id": "r.pcn_id", **_same("minutes", "outcome")},
        ),
    ),
}


# --- What is there already -------------------------------------------------------------------------------------------

# A blank says nothing: it takes away an end or an acceptance that a workbook brought, never one recorded on a page.
ENDED_BY_IMPORT = (
    "exists (select 1 from standards_run i where i.kind = 'import' and i.started_at = old.end_recorded_at)"
)


def find(step: Step) -> str:
    """SQL: each row of the sheet beside the record that is there already (`old_id`), and what has to be done (`what`).

    Parameter: `register`.
    """
    columns = {**step.key, **step.data, **dict(step.once)}
    match = step.match or _match(step)
    same = {name: f"s.{name} is not distinct from old.{name}" for name in step.data}
    cases = [f"when {' and '.join(same.values())} then 'same'"]
    if step.is_period:
        but_the_end = [condition for name, condition in same.items() if name != "ends_on"]
        kept = " and ".join([*but_the_end, "s.ends_on is null", "old.ends_on is not null", f"not {ENDED_BY_IMPORT}"])
        ended = " and ".join([*but_the_end, "old.ends_on is null"])
        cases = [
            # Only an allocation may have no start: the referral is not, or no longer, accepted.
            "when s.starts_on is null then case when old.imported then 'gone' else 'same' end",
            "when old.id is null then 'new'",
            *cases,
            f"when {ended} then 'ended'",
            f"when {kept} then 'same'",
        ]
    else:
        cases.insert(0, "when old.id is null then 'new'")
    return f"""
        select s.*, old.id as old_id, case {" ".join(cases)} else 'changed' end as what
        from (select s.row, {", ".join(f"{said} as {name}" for name, said in columns.items())} from {step.source}) s
        {match}
    """


def _match(step: Step) -> str:
    same = [f"old.{name} {'is not distinct from' if name in step.nullable else '='} s.{name}" for name in step.key]
    live = [] if step.in_place else ["old.voided_at is null"]
    return f"left join {step.table} old on {' and '.join(same + live)}"
