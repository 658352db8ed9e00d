"""Judging staged rows: each check is one statement that returns the rows at fault, and every one becomes a fault."""

# ruff: noqa: S608 — statements are put together from the names of sheets and columns; every value is a parameter

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hwbc.compliance.importing.cells import in_words, shown
from hwbc.compliance.importing.reading import Workbook
from hwbc.compliance.importing.sheets import BY_NAME
from hwbc.compliance.importing.staging import execute, table

LISTED = 1_000  # faults that one check lists; more are counted


@dataclass(frozen=True)
class Check:
    """Rows of a sheet that are at fault in a column: `statement` returns `row, other`."""

    sheet: str
    column: str
    message: str  # {value}: what stands there; {other}: what the statement returned; {day}: today
    statement: str


def judge(book: Workbook, checks: Iterable[Check], params: dict[str, Any], *, shut_out: bool = False) -> None:
    """Add to the workbook's faults the rows that the checks find.

    `shut_out`: rows at fault are `faulty` from then on, and are not compared with what is there already.
    """
    for check in checks:
        found = execute(
            f"select row, other, count(*) over () from ({check.statement}) found order by row limit {LISTED}", params
        )
        if not found:
            continue
        sheet = BY_NAME[check.sheet]
        for row, other, _ in found:
            value = (
                shown(book.row(check.sheet, row)[sheet.position(check.column)]) if "{value}" in check.message else ""
            )
            message = check.message.format(value=value, other=other, day=in_words(params["day"]))
            book.faults.add(check.sheet, row, check.column, message)
        book.faults.more(check.sheet, found[0][2] - len(found))
        if shut_out:
            name = table(sheet)
            execute(f"update {name} set faulty = true from ({check.statement}) f where {name}.row = f.row", params)
