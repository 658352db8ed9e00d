"""What no cell shows by itself: rows compared with each other and with what is there already, set-based.

Each check is one statement over the temporary tables that returns the rows at fault, with a word about the other side.
Rows that have a fault already are left out where their blank cells would bring forth another.
"""

# ruff: noqa: S608 — statements are put together from the names of sheets and columns; every value is a parameter

from collections.abc import Iterator
from datetime import date
from typing import Any

from hwbc.compliance.importing import limits
from hwbc.compliance.importing.cells import shown
from hwbc.compliance.importing.faults import Faults
from hwbc.compliance.importing.judging import Check, judge
from hwbc.compliance.importing.limits import Limits
from hwbc.compliance.importing.reading import Workbook
from hwbc.compliance.importing.sheets import BY_NAME, SHEETS, Column, Sheet
from hwbc.compliance.importing.staging import execute, table

# Whether a reference is there already, among what whoever imports reaches: to them the others are not there.
_THERE = {
    "organisations": "select 1 from workforce_organisation t where t.code = {}",
    "coaches": "select 1 from import_reached_coaches t where t.reference_key = {}",
    "referrals": "select 1 from import_reached_referrals t where t.reference_key = {}",
    **{
        sheet: f"select 1 from {name} t where t.register_id = %(register)s and t.reference_key = {{}}"
        for sheet, name in (("courses", "training_course"), ("supervisors", "supervision_supervisor"))
    },
}

_DAY = "to_char({}, 'FMDD FMMonth YYYY')"


def check(book: Workbook, register: int | None, day: date, whose: Limits | None) -> None:
    """Add to the workbook's faults what its staged rows do wrong together and with what is there.

    `whose`: what whoever imports may bring in; None: everything. What they do not reach is compared with nothing.
    """
    params: dict[str, Any] = {"register": register, "day": day}
    limits.reach(whose, params)
    if whose is not None:
        judge(book, limits.checks(book, whose, register), params | whose.params, shut_out=True)
    judge(book, _of_every_sheet(book), params)
    judge(book, _SPECIAL, params)
    _check_tree(book.faults)


# --- What holds for every sheet --------------------------------------------------------------------------------------


def _of_every_sheet(book: Workbook) -> Iterator[Check]:
    for sheet in SHEETS:
        if not book.rows.get(sheet.name):
            continue
        yield _once(sheet)
        for column in sheet.columns:
            if column.refers and column.refers not in book.unreadable:
                yield _refers(sheet, column)
        for start, end in sheet.periods:
            yield Check(
                sheet.name,
                end,
                f"{{value}} is before {start} ({{other}}). Correct one of the two.",
                f"select row, {_DAY.format(_quoted(start))} as other from {table(sheet)} "
                f"where {_quoted(end)} < {_quoted(start)}",
            )
        for column_name in sheet.happened:
            yield _in_the_future(sheet.name, column_name, "true")


def _quoted(name: str) -> str:
    return f'"{name}"'  # "from" and "to" are words of SQL


def _once(sheet: Sheet) -> Check:
    names = [name for column in sheet.columns if column.name in sheet.key for name, _ in column.columns]
    names = [name for name in names if not name.endswith("_as_brought")]
    key = ", ".join(f"coalesce(\"{name}\"::text, '') as k{place}" for place, name in enumerate(names))
    same = " and ".join(f"s.k{place} = d.k{place}" for place in range(len(names)))
    group = ", ".join(f"k{place}" for place in range(len(names)))
    complete = " and ".join(
        f'"{name}" is not null' for name in names if (sheet.name, name) != ("exemptions", "course_ref")
    )
    return Check(
        sheet.name,
        sheet.key[0],
        f"The same {' + '.join(sheet.key)} stands in row {{other}}. Take one of the two rows out.",
        f"with s as (select row, {key} from {table(sheet)} where {complete}) "
        f"select s.row, d.first as other from s join "
        f"(select {group}, min(row) as first from s group by {group} having count(*) > 1) d on {same} "
        "where s.row > d.first",
    )


def _refers(sheet: Sheet, column: Column) -> Check:
    owner = BY_NAME[column.refers]
    staged = column.columns[-1][0]
    return Check(
        sheet.name,
        column.name,
        f"{{value}} is neither in the sheet {owner.name} nor known already. Correct it, or add it there.",
        f"select s.row, '' as other from {table(sheet)} s where s.{staged} is not null "
        f"and not exists (select 1 from {table(owner)} o where o.{owner.makes} = s.{staged}) "
        f"and not exists ({_THERE[owner.name].format(f's.{staged}')})",
    )


def _in_the_future(sheet: str, column: str, where: str) -> Check:
    return Check(
        sheet,
        column,
        "{value} is after today, {day}. What has happened cannot lie in the future: correct the date.",
        f"select row, '' as other from {table(sheet)} where {_quoted(column)} > %(day)s and {where}",
    )


# --- What holds for one sheet ----------------------------------------------------------------------------------------


def _overlap(sheet: str, start: str, end: str, same: tuple[str, ...], there: str, what: str) -> Check:
    """Periods of the same things that share a day, among the rows and with those already there that no row replaces.

    In the order of their starts, a period overlaps an earlier one when one before it lasts until its start: no pairs
    are formed, so a thousand overlapping periods cost no more than a thousand others.
    """
    things = ", ".join(same)
    return Check(
        sheet,
        start,
        f"{what} overlaps another one, {{other}}. Correct the dates of one of the two.",
        f"""
        with brought as (
            select distinct on ({things}, "{start}") row, {things}, "{start}" as f, "{end}" as t,
                   'in row ' || row as label
            from {table(sheet)} where not faulty and ("{end}" is null or "{end}" >= "{start}")
            order by {things}, "{start}", row
        ), known as (
            select null::integer as row, {things}, f, t,
                   case when f > until then 'recorded by the next PCN'
                        else 'recorded already, from ' || {_DAY.format("f")} end as label
            from ({there}) d
            where coach_ref in (select coach_ref from {table(sheet)})
            and not exists (select 1 from {table(sheet)} s
                            where {" and ".join(f"s.{name} = d.{name}" for name in same)} and s."{start}" = d.f)
        ), periods as (
            select row, f, t, label,
                   max((coalesce(t::text, '9999-12-31') || label) collate "C") over (
                       partition by {things} order by f, row rows between unbounded preceding and 1 preceding
                   ) as before,
                   lead(f) over (partition by {things} order by f, row) as next_f,
                   lead(row) over (partition by {things} order by f, row) as next_row,
                   lead(label) over (partition by {things} order by f, row) as next_label
            from (select * from brought union all select * from known) every
        )
        select row, case when left(before, 10)::date >= f then substr(before, 11) else next_label end as other
        from periods
        where row is not null
        and (left(before, 10)::date >= f or (next_row is null and next_f <= coalesce(t, 'infinity')))
        """,
    )


def _two_of(column: str) -> Check:
    return Check(
        "coaches",
        column,
        "{value} is not what row {other} says of the same coach_ref. Write the same in every row of a coach.",
        f"""
        select row, first as other from (
            select row, {column} as said, first_value({column}) over coach as first_said,
                   first_value(row) over coach as first
            from import_coaches where coach_ref is not null and {column} is not null
            window coach as (partition by coach_ref order by row)
        ) every where said <> first_said
        """,
    )


_KINDS = """
select code, kind from import_organisations where code is not null
union all select code, kind from workforce_organisation o
where not exists (select 1 from import_organisations s where s.code = o.code)
"""


def _is_pcn(sheet: str) -> Check:
    return Check(
        sheet,
        "pcn_code",
        "{value} is not a PCN but of the kind {other}. Write the code of the PCN.",
        f"select s.row, o.kind as other from {table(sheet)} s join ({_KINDS}) o on o.code = s.pcn_code "
        "where o.kind <> 'pcn'",
    )


_GIVES = """
select course_ref, gives_certificate from import_courses where course_ref is not null
union all select reference_key, gives_certificate from training_course c
where register_id = %(register)s and not exists (select 1 from import_courses s where s.course_ref = c.reference_key)
"""

_COACH_OF_SUPERVISOR = """
select supervisor_ref, coach_ref from import_supervisors
union all select v.reference_key, c.reference_key from supervision_supervisor v
join import_reached_coaches c on c.id = v.coach_id
where v.register_id = %(register)s
and not exists (select 1 from import_supervisors s where s.supervisor_ref = v.reference_key)
"""

_SPECIAL = (
    Check(
        "organisations",
        "kind",
        "{value}: coaches have posts at this PCN, so it stays one. Write pcn, or move the posts first.",
        """
        select s.row, '' as other from import_organisations s join workforce_organisation o on o.code = s.code
        where o.kind = 'pcn' and s.kind <> 'pcn' and not s.faulty
        and exists (select 1 from workforce_post p where p.pcn_id = o.id and p.voided_at is null)
        """,
    ),
    _two_of("name"),
    _two_of("email"),
    _is_pcn("coaches"),
    _is_pcn("referrals"),
    _overlap(
        "coaches",
        "started_on",
        "left_on",
        ("coach_ref", "pcn_code"),
        """
        select c.reference_key as coach_ref, o.code as pcn_code, p.starts_on as f, p.ends_on as t, c.until
        from workforce_post p join import_reached_coaches c on c.id = p.coach_id
        join workforce_organisation o on o.id = p.pcn_id
        where p.voided_at is null
        """,
        "This post of the coach at the PCN",
    ),
    _overlap(
        "absences",
        "from",
        "to",
        ("coach_ref",),
        """
        select c.reference_key as coach_ref, a.starts_on as f, a.ends_on as t, c.until
        from workforce_absence a join import_reached_coaches c on c.id = a.coach_id
        where a.voided_at is null
        """,
        "This absence of the coach",
    ),
    _overlap(
        "agreements",
        "from",
        "to",
        ("coach_ref", "kind"),
        """
        select c.reference_key as coach_ref, a.kind, a.starts_on as f, a.ends_on as t, c.until
        from supervision_agreement a join import_reached_coaches c on c.id = a.coach_id
        where a.voided_at is null
        """,
        "This agreement of the coach, of the same kind,",
    ),
    Check(
        "courses",
        "gives_certificate",
        "A PCI health coaching course gives a certificate. Write yes, or correct the kind.",
        "select row, '' as other from import_courses where kind = 'pci_health_coaching' and not gives_certificate",
    ),
    Check(
        "courses",
        "gives_certificate",
        "Coaches hold certificates of this course already. Write yes.",
        """
        select s.row, '' as other from import_courses s
        join training_course c on c.register_id = %(register)s and c.reference_key = s.course_ref
        where not s.gives_certificate and not s.faulty and exists (
            select 1 from training_trainingrecord t join workforce_coach k on k.id = t.coach_id
            where t.course_id = c.id and t.voided_at is null and t.certificate_on is not null
            and not exists (select 1 from import_training i where i.coach_ref = k.reference_key
                            and i.course_ref = s.course_ref and i.enrolled_on = t.enrolled_on))
        """,
    ),
    Check(
        "training",
        "attended_on",
        "{other} is after today, {day}. What has happened cannot lie in the future: correct the date.",
        f"select row, {_DAY.format('(select max(d) from unnest(attended_on) d)')} as other from import_training "
        "where %(day)s < any (attended_on)",
    ),
    Check(
        "training",
        "certificate_on",
        "{value} is before the enrolment ({other}). Correct one of the two.",
        f"select row, {_DAY.format('enrolled_on')} as other from import_training where certificate_on < enrolled_on",
    ),
    Check(
        "training",
        "certificate_number",
        "{value} has no date. Write the date of the certificate into certificate_on.",
        "select row, '' as other from import_training "
        "where not faulty and certificate_number is not null and certificate_on is null",
    ),
    Check(
        "training",
        "withdrawn_on",
        "A coach who has withdrawn has no certificate. Leave withdrawn_on or certificate_on blank.",
        "select row, '' as other from import_training where withdrawn_on is not null and certificate_on is not null",
    ),
    Check(
        "training",
        "certificate_on",
        "{value}: this course gives no certificate. Leave the date blank, or correct gives_certificate of the course.",
        f"select s.row, '' as other from import_training s join ({_GIVES}) c on c.course_ref = s.course_ref "
        "where s.certificate_on is not null and not c.gives_certificate",
    ),
    Check(
        "supervisors",
        "coach_ref",
        "{value} has an agreement with this supervisor{other}: nobody is their own supervisor. Correct either.",
        f"""
        select s.row, coalesce(' from ' || {_DAY.format("min(a.starts_on) filter (where a.starts_on <= c.until)")}, '')
            as other
        from import_supervisors s
        join supervision_supervisor v on v.register_id = %(register)s and v.reference_key = s.supervisor_ref
        join import_reached_coaches c on c.reference_key = s.coach_ref
        join supervision_agreement a on a.supervisor_id = v.id and a.coach_id = c.id and a.voided_at is null
        where not s.faulty and not exists (select 1 from import_agreements i
                          where i.coach_ref = s.coach_ref and i.kind = a.kind and i."from" = a.starts_on)
        group by s.row
        """,
    ),
    Check(
        "agreements",
        "supervisor_ref",
        "{value} is this coach: nobody is their own supervisor. Name another supervisor.",
        f"select s.row, '' as other from import_agreements s "
        f"join ({_COACH_OF_SUPERVISOR}) v on v.supervisor_ref = s.supervisor_ref and v.coach_ref = s.coach_ref",
    ),
    _in_the_future("supervision", "held_on", "status = 'held'"),
    Check(
        "referrals",
        "coach_ref",
        "is blank, but accepted_on is not. Name the coach who accepted it, or leave accepted_on blank.",
        "select row, '' as other from import_referrals "
        "where not faulty and accepted_on is not null and coach_ref is null",
    ),
    Check(
        "referrals",
        "coach_ref",
        "{value}: the referral has been handed on since, here. Take the row out; change who took it on its page.",
        """
        select s.row, '' as other from import_referrals s
        join import_reached_referrals r on r.reference_key = s.referral_ref
        where (select count(*) from coaching_allocation a where a.referral_id = r.id and a.voided_at is null) > 1
        and not exists (
            select 1 from coaching_allocation a join workforce_coach c on c.id = a.coach_id
            where a.referral_id = r.id and a.voided_at is null and a.starts_on = s.accepted_on
            and c.register_id = %(register)s and c.reference_key = s.coach_ref
            and (a.ends_on is null or a.ends_on = s.closed_on))
        """,
    ),
    _in_the_future("coaching_sessions", "held_on", "outcome = 'attended'"),
)


# --- The tree --------------------------------------------------------------------------------------------------------


def _check_tree(faults: Faults) -> None:
    """Nobody stands above themselves in the tree that there would be."""
    rows: dict[str, int] = {}
    above: dict[str, str] = {}
    for code, row, parent in execute(
        """
        select s.code, s.row, coalesce(s.parent_code, p.code) from import_organisations s
        left join workforce_organisation o on o.code = s.code left join workforce_organisation p on p.id = o.parent_id
        where s.code is not null
        union all
        select o.code, null, p.code from workforce_organisation o join workforce_organisation p on p.id = o.parent_id
        where not exists (select 1 from import_organisations s where s.code = o.code)
        """,
        {},
    ):
        if row is not None:
            rows[code] = row
        if parent is not None:
            above[code] = parent
    safe: set[str] = set()
    for start in rows:
        path: dict[str, None] = {}
        place: str | None = start
        while place is not None and place not in safe and place not in path:
            path[place] = None
            place = above.get(place)
        if place is not None and place in path:
            circle = list(path)[list(path).index(place) :]
            culprit = next(each for each in circle if each in rows)
            faults.add(
                "organisations",
                rows[culprit],
                "parent_code",
                f"{shown(above[culprit])} lies below {shown(culprit)} itself. Correct the parent of one of them.",
            )
        safe.update(path)
