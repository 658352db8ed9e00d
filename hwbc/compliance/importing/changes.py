"""What an import would change, told in the words of the workbook: in which cell, what stands there now, what then."""

# ruff: noqa: S608 — statements are put together from the names of tables and columns; every value is a parameter

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, NamedTuple

from django.contrib.postgres.fields import ArrayField
from django.db import models

from hwbc.compliance.importing.cells import in_words
from hwbc.compliance.importing.reading import Workbook
from hwbc.compliance.importing.sheets import BY_NAME
from hwbc.compliance.importing.staging import execute
from hwbc.compliance.importing.steps import Step
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Coach
from hwbc.workforce.roles import Can


class Change(NamedTuple):
    """A value that changes: its column, what stands there now (None where that is not theirs to see), and what then."""

    column: str
    before: str | None
    after: str


class Examples:
    """The first rows of each sheet that are new, and that change what is there; and new coaches who are probably known.

    `changed`: sheet → row → what changes. `same_people`: row, reference and service of the one who is known.
    """

    MOST = 20  # rows of a sheet that change
    NEW = 5

    def __init__(self, actor: Actor) -> None:
        self._sees = {
            "reasons": sorted(actor.coaches(Can.SEE_REASONS)),
            "patients": sorted(actor.pcns(Can.SEE_PATIENTS)),
            "coaches": sorted(actor.coaches(Can.IMPORT)),
        }
        self.new: dict[str, list[int]] = {}
        self.changed: dict[str, dict[int, list[Change]]] = {}
        self.same_people: list[tuple[int, str, str]] = []

    def of(self, sheet: str, step: Step, params: dict[str, Any]) -> None:
        """Look at one kind of record, between finding and writing."""
        params = params | self._sees
        told = ", ".join(_told(step))
        self._add(
            sheet,
            execute(
                f"select f.row, array_to_json(array_remove(array[{told}], null))::text from {step.found} f "
                f"join {step.table} old on old.id = f.old_id "
                f"where f.what in ('changed', 'ended', 'gone') order by f.row limit {self.MOST}",
                params,
            ),
        )
        if step.model is Coach:
            self.same_people += [(row, said, of) for row, said, of in execute(_SAME_PEOPLE, params)]

    def of_organisations(self) -> None:
        """The same for organisations."""
        self._add("organisations", execute(f"{_ORGANISATIONS} limit {self.MOST}", {}))

    def of_new(self, sheet: str, found: str) -> None:
        """The first rows that are new, as the import counts them."""
        rows = execute(
            f"select row from ({found}) found group by row having bool_or(decides and what = 'new') "
            f"order by row limit {self.NEW}",
            {},
        )
        self.new[sheet] = [row for (row,) in rows]

    def _add(self, sheet: str, found: list[tuple[Any, ...]]) -> None:
        rows = self.changed.setdefault(sheet, {})
        for row, changes in found:
            if row in rows or len(rows) < self.MOST:
                rows.setdefault(row, []).extend(Change(*each) for each in json.loads(changes))


# --- From columns of the database to columns of the workbook ---------------------------------------------------------

_NOT_SHOWN = {"sort_name", ("coaching_allocation", "pcn_id"), ("coaching_coachingsession", "pcn_id")}
_COLUMN: dict[Any, str] = {
    "employer_id": "employer_code",
    "organisation_id": "organisation_code",
    "practice_id": "practice_code",
    "pcn_id": "pcn_code",
    "supervisor_id": "supervisor_ref",
    "coach_id": "coach_ref",
    "proposed_coach_id": "coach_ref",
    "number": "value",
    "text": "value",
    "ends_on": "to",
    ("workforce_post", "ends_on"): "left_on",
    ("coaching_allocation", "ends_on"): "closed_on",
    ("coaching_allocation", "starts_on"): "accepted_on",
}
_NAME_OF = {
    "workforce_organisation": "(select n.code from workforce_organisation n where n.id = {})",
    "supervision_supervisor": "(select n.reference from supervision_supervisor n where n.id = {})",
    "workforce_coach": "(select case when n.id = any(%(coaches)s::bigint[]) then n.reference "
    "else 'another PCN’s coach' end from workforce_coach n where n.id = {})",
}
_DAY = "to_char({}, 'FMDD FMMonth YYYY')"

# What is there already and not everybody's to see who may import: column → what of the old row is seen.
_SEEN = {
    ("workforce_absence", "kind"): "old.coach_id = any(%(reasons)s::bigint[])",
    ("training_exemption", "reason"): "old.coach_id = any(%(reasons)s::bigint[])",
    ("training_exemption", "approved_by"): "old.coach_id = any(%(reasons)s::bigint[])",
    ("coaching_coachingsession", "minutes"): "old.pcn_id = any(%(patients)s::bigint[])",
    ("coaching_coachingsession", "outcome"): "old.pcn_id = any(%(patients)s::bigint[])",
}


def _told(step: Step) -> Iterator[str]:
    fields = {field.column: field for field in step.model._meta.concrete_fields}
    for name in step.data:
        if name in _NOT_SHOWN or (step.table, name) in _NOT_SHOWN:
            continue
        column = _COLUMN.get((step.table, name), _COLUMN.get(name, name))
        before, after = (_text(fields[name], f"{row}.{name}") for row in ("old", "f"))
        if condition := _SEEN.get((step.table, name)):
            before = f"case when {condition} then {before} end"
        yield (
            f"case when old.{name} is distinct from f.{name} then jsonb_build_array('{column}', {before}, {after}) end"
        )


def _text(field: Any, value: str) -> str:
    """SQL: a value as the workbook would have it; blank for none."""
    if isinstance(field, models.ForeignKey):
        value = _NAME_OF[field.related_model._meta.db_table].format(value)
    elif isinstance(field, models.DateField):
        value = _DAY.format(value)
    elif isinstance(field, ArrayField):
        value = f"(select string_agg({_DAY.format('d')}, '; ' order by d) from unnest({value}) d)"
    elif isinstance(field, models.BooleanField):
        value = f"case when {value} then 'yes' when not {value} then 'no' end"
    elif isinstance(field, models.DecimalField):
        value = f"trim_scale({value})::text"
    else:
        value = f"{value}::text"
    return f"coalesce({value}, '')"


_ORGANISATIONS = """
select f.row, array_to_json(array_remove(array[
    case when o.name <> f.name then jsonb_build_array('name', o.name, f.name) end,
    case when o.kind <> f.kind then jsonb_build_array('kind', o.kind, f.kind) end,
    case when p.code is distinct from f.parent_code and f.parent_code is not null
         then jsonb_build_array('parent_code', coalesce(p.code, ''), f.parent_code) end], null))::text
from import_found_organisations f join workforce_organisation o on o.id = f.old_id
left join workforce_organisation p on p.id = o.parent_id
where f.what = 'changed' order by f.row
"""

# New coaches whose e-mail address a coach of the actor's has in another service: then they would be there twice.
_SAME_PEOPLE = """
select f.row, coalesce(nullif(c.reference, ''), c.name), coalesce(o.name, 'no service')
from import_found_workforce_coach f
join workforce_coach c on c.email = f.email and c.id = any(%(coaches)s::bigint[])
left join workforce_organisation o on o.id = c.register_id
where f.what = 'new' and c.register_id is distinct from %(register)s order by f.row limit 10
"""


# --- As the page shows it --------------------------------------------------------------------------------------------


def key(book: Workbook, sheet: str, row: int) -> str:
    """What makes a row of the file the same row again, and its name where it has one, in one line."""
    known = BY_NAME[sheet]
    values = book.row(sheet, row)
    named = [column.name for column in known.columns if column.name in ("name", "title")]
    said = (values[known.position(column)] for column in (*known.key, *named))
    return ", ".join(_said(value) for value in said if value is not None)


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "ad hoc" if value else "not ad hoc"  # the one of them that is part of a key
    if isinstance(value, date) and not isinstance(value, datetime):
        return in_words(value)
    return str(value)
