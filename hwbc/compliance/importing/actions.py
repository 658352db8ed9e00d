"""The only code that writes what a workbook brings."""

# ruff: noqa: S608 — statements are put together from the names of tables and columns; every value is a parameter

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.db import IntegrityError, OperationalError, connection
from django.utils import timezone

from coaching.queries import LATEST, hold, readiness
from coaching.sentences import missing_piece
from hwbc.compliance.importing.cells import shown
from hwbc.compliance.importing.changes import Examples
from hwbc.compliance.importing.checks import check
from hwbc.compliance.importing.faults import Collided, NotImportable, NotImported
from hwbc.compliance.importing.limits import Limits
from hwbc.compliance.importing.reading import Workbook
from hwbc.compliance.importing.sheets import SHEETS
from hwbc.compliance.importing.staging import execute, stage
from hwbc.compliance.importing.steps import STEPS, Step, find
from hwbc.standards.models import Run
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Demo, Organisation
from supervision.actions.access import follow_agreements

_TOPS = (Organisation.Kind.ICB, Organisation.Kind.TRAINING_HUB, Organisation.Kind.PCN)
_WHY_VOID = "imported again: changed"

Params = dict[str, Any]


@dataclass(frozen=True)
class Counts:
    """What became of the rows of a sheet."""

    new: int = 0
    changed: int = 0
    unchanged: int = 0


@dataclass(frozen=True)
class Report:
    """What an import did: for which organisation, and how many rows of each sheet."""

    register: Organisation
    counts: dict[str, Counts]

    @property
    def changed_nothing(self) -> bool:
        """Whether everything was there already."""
        return not any(counts.new or counts.changed for counts in self.counts.values())


@action("workbook.import")
def import_rows(
    actor: Actor,
    line: Line,
    *,
    book: Workbook,
    day: date,
    code: str | None = None,
    limits: Actor | None = None,
    examples: Examples | None = None,
    tell: Callable[[str], None] = lambda what: None,
) -> Report:
    """Check the rows of a workbook and write them, for the organisation `code`; the caller's walls are lifted.

    `limits`: who may bring in only what they reach; None: everything, as the command does. `examples`: what is to be
    looked at more closely, while it can be seen.
    Imports for one organisation wait for each other. Raises NotImported with every fault there is, or NotImportable.
    """
    started = timezone.now()
    tell("checking")
    # Rows written a moment ago have no statistics yet: a plan of nested loops, made without them, takes minutes.
    execute("set local enable_nestloop = off", {})
    with connection.cursor() as cursor:
        stage(cursor, book)
    code = _register(book, code)
    _wait(f"import for {code}")
    if book.rows.get("organisations"):
        _wait("import of organisations")  # every service's tree is one: always the last lock
    _never_mix(book)
    register = Organisation.objects.filter(code=code).first()
    check(book, register.pk if register else None, day, Limits.of(limits) if limits else None)
    _stop_at_faults(book)
    params = {"now": started, "user": actor.user_id, "day": day, "why": _WHY_VOID}
    try:
        counts = {"organisations": _write_organisations(params, examples)} if book.rows.get("organisations") else {}
        register = Organisation.objects.get(code=code)
        params["register"] = register.pk
        for sheet, steps in STEPS.items():
            if book.rows.get(sheet):
                tell(f"writing {sheet}")
                counts[sheet] = _write(sheet, steps, params, examples)
    except (IntegrityError, OperationalError) as fault:
        raise Collided(fault) from fault
    execute("set local enable_nestloop to default", {})
    if book.rows.get("referrals"):
        _pass_the_gate(book, day)
    followed = follow_agreements()
    report = Report(register, counts)
    numbers = {sheet: [each.new, each.changed, each.unchanged] for sheet, each in counts.items()}
    run = Run.objects.create(
        kind=Run.Kind.IMPORT,
        day=day,
        organisation=register,
        user_id=actor.user_id,
        started_at=started,
        ended_at=timezone.now(),
        outcome=Run.Outcome.DONE,
        counts=numbers,
    )
    line.about(run, at=register, rows=numbers, access=followed._asdict())
    return report


def _never_mix(book: Workbook) -> None:
    """Invented people and real ones never share a database: in a demo everybody signs in as anybody."""
    demo = Demo.objects.exists()
    if demo and not book.is_demo:
        raise NotImportable(
            "This database is a demo, in which everybody can sign in as anybody: never bring in real people. "
            "Only the demo's own workbook can be brought in, with its sheet “read me” as it was. "
            "For your own data start without the demo: HWBC_DEMO=no make start, in a fresh copy or after make reset."
        )
    if book.is_demo and not demo:
        raise NotImportable(
            "This is the workbook of a demo, and everybody in it is invented: it can be brought into a demo only. "
            "make start makes one in a fresh copy; for your own data begin with manage.py workbook_template."
        )


def _stop_at_faults(book: Workbook) -> None:
    if book.faults:
        book.faults.sort(sheet.name for sheet in SHEETS)
        raise NotImported(book.faults)


def _wait(name: str) -> None:
    execute("select pg_advisory_xact_lock(hashtextextended(%(name)s, 0))", {"name": name})


def _register(book: Workbook, code: str | None) -> str:
    """The code of the organisation that the workbook is imported for: named, or the one at the top."""
    brought = execute(
        "select code, parent_code is null and kind = any(%(tops)s) from import_organisations", {"tops": [*_TOPS]}
    )
    if code is not None:
        code = code.strip().upper()
        if (code, True) in brought or (code, False) in brought or Organisation.objects.filter(code=code).exists():
            return code
        raise NotImportable(
            f"There is no organisation {shown(code)} in the workbook or here. Check the code after --for."
        )
    tops = {each for each, is_top in brought if is_top and each}
    if not tops:
        tops = set(Organisation.objects.filter(parent=None, kind__in=_TOPS).values_list("code", flat=True))
    if len(tops) == 1:
        return str(tops.pop())
    why = (
        f"The organisations at the top are {', '.join(sorted(tops)[:5])}{' …' if len(tops) > 5 else ''}."
        if tops
        else "There is no organisation yet: add the sheet organisations."
    )
    sentence = f"{why} Say for which one the workbook is imported: --for CODE."
    if not book.faults:
        raise NotImportable(sentence)
    book.faults.add("organisations", None, "", sentence)
    _stop_at_faults(book)
    raise AssertionError("unreachable")


# --- Writing ---------------------------------------------------------------------------------------------------------


def _write_organisations(params: Params, examples: Examples | None) -> Counts:
    """Organisations, whose parents may come in any order. A blank parent_code leaves a parent as it is."""
    execute("drop table if exists pg_temp.import_found_organisations", params)
    execute(
        """
        create temporary table import_found_organisations on commit drop as
        select s.row, s.code, s.name, s.kind, s.parent_code, o.id as old_id,
               case when o.id is null then 'new'
                    when (s.name, s.kind) = (o.name, o.kind) and coalesce(s.parent_code = p.code, s.parent_code is null)
                    then 'same' else 'changed' end as what
        from import_organisations s
        left join workforce_organisation o on o.code = s.code left join workforce_organisation p on p.id = o.parent_id
        """,
        params,
    )
    found = "select row, what, true as decides from import_found_organisations"
    if examples:
        examples.of_organisations()
        examples.of_new("organisations", found)
    for statement in (
        """
        insert into workforce_organisation (uuid, code, name, kind, version)
        select gen_random_uuid(), code, name, kind, 1 from import_found_organisations where what = 'new' order by row
        """,
        """
        update workforce_organisation o set name = f.name, kind = f.kind, version = o.version + 1
        from import_found_organisations f where f.what = 'changed' and o.id = f.old_id
        """,
        """
        update workforce_organisation o set parent_id = p.id
        from import_found_organisations f join workforce_organisation p on p.code = f.parent_code
        where f.what <> 'same' and o.code = f.code
        """,
    ):
        execute(statement, params)
    return _count(found)


def _write(sheet: str, steps: tuple[Step, ...], params: Params, examples: Examples | None) -> Counts:
    for step in steps:
        execute(f"drop table if exists pg_temp.{step.found}", params)
        execute(f"create temporary table {step.found} on commit drop as {find(step)}", params)
        if examples:
            examples.of(sheet, step, params)
        if step.in_place:
            execute(_update(step), params)
        else:
            execute(_void(step), params)
        if step.is_period:
            execute(_end(step), params)
        execute(_insert(step), params)
        if step.table == "coaching_referral":
            _move_with_referrals(params)
    found = " union all ".join(
        f"select row, what, {str(step.decides).lower()} as decides from {step.found}" for step in steps
    )
    if examples:
        examples.of_new(sheet, found)
    return _count(found)


def _update(step: Step) -> str:
    new = ", ".join(f"{name} = f.{name}" for name in step.data)
    return (
        f"update {step.table} t set {new}, version = t.version + 1 "
        f"from {step.found} f where f.what = 'changed' and t.id = f.old_id"
    )


def _void(step: Step) -> str:
    return (
        f"update {step.table} t set voided_at = %(now)s, voided_by_id = %(user)s, voided_because = %(why)s "
        f"from {step.found} f where f.what in ('changed', 'gone') and t.id = f.old_id"
    )


def _end(step: Step) -> str:
    return (
        f"update {step.table} t set ends_on = f.ends_on, end_recorded_at = %(now)s, version = t.version + 1 "
        f"from {step.found} f where f.what = 'ended' and t.id = f.old_id"
    )


def _insert(step: Step) -> str:
    columns = {name: name for name in (*step.key, *step.data, *dict(step.once))}
    fixed = {
        "uuid": "gen_random_uuid()",
        "version": "1",
        "recorded_at": "%(now)s",
        "imported": "true",
        "voided_because": "''",
        "end_recorded_at": "case when ends_on is not null then %(now)s end",
    }
    known = {field.column for field in step.model._meta.concrete_fields}
    columns |= {name: said for name, said in fixed.items() if name in known}
    what = "('new')" if step.in_place else "('new', 'changed')"
    return (
        f"insert into {step.table} ({', '.join(columns)}) "
        f"select {', '.join(columns.values())} from {step.found} where what in {what} order by row"
    )


def _move_with_referrals(params: Params) -> None:
    """A referral that has moved to another PCN takes its allocations and sessions with it, and their notes."""
    for table in ("coaching_allocation", "coaching_coachingsession"):
        execute(
            f"update {table} t set pcn_id = f.pcn_id from import_found_coaching_referral f "
            "where f.what = 'changed' and t.referral_id = f.old_id and t.pcn_id <> f.pcn_id",
            params,
        )
    execute(
        "update coaching_sessionnote t set pcn_id = s.pcn_id from coaching_coachingsession s, "
        "import_found_coaching_referral f where f.what = 'changed' and s.referral_id = f.old_id "
        "and t.session_id = s.id and t.pcn_id <> s.pcn_id",
        params,
    )


def _count(found: str) -> Counts:
    [(new, changed, unchanged)] = execute(
        f"""
        select count(*) filter (where is_new), count(*) filter (where not is_new and not is_same),
               count(*) filter (where not is_new and is_same)
        from (select bool_or(decides and what = 'new') as is_new, bool_and(what = 'same') as is_same
              from ({found}) found group by row) counted
        """,
        {},
    )
    return Counts(new, changed, unchanged)


# --- The gate --------------------------------------------------------------------------------------------------------


def _pass_the_gate(book: Workbook, day: date) -> None:
    """A referral accepted on the day of the import passes the gate like any allocation; earlier ones are history."""
    taken = execute(
        """
        select f.row, f.coach_id, c.reference from import_found_coaching_allocation f
        join workforce_coach c on c.id = f.coach_id
        where f.what in ('new', 'changed') and f.starts_on >= %(day)s and not exists (
            select 1 from coaching_allocation a
            where a.id = f.old_id and a.coach_id = f.coach_id and a.starts_on = f.starts_on)
        order by f.row
        """,
        {"day": day},
    )
    if not taken:
        return
    coaches = sorted({coach for _, coach, _ in taken})
    hold(coaches)
    gate = readiness(coaches, day, LATEST)
    for row, coach, reference in taken:
        if (missing := gate[coach].missing) is not None:
            book.faults.add(
                "referrals",
                row,
                "accepted_on",
                f"{shown(reference)} is not referral-ready today: {missing_piece(missing)}. "
                "Give it to another coach, or add what is missing.",
            )
    _stop_at_faults(book)
