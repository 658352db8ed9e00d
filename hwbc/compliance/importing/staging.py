"""Rows in temporary tables: COPY into a walled table is refused, and what is checked and written is set-based."""

from typing import Any

from django.db import connection
from psycopg import sql

from hwbc.compliance.importing.reading import Workbook
from hwbc.compliance.importing.sheets import SHEETS, Sheet, staged_columns, staged_rows


def table(sheet: Sheet | str) -> str:
    """The temporary table of a sheet."""
    return f"import_{sheet if isinstance(sheet, str) else sheet.name}"


def stage(cursor: Any, book: Workbook) -> None:
    """Put every row that was read into the temporary table of its sheet; they last as long as the transaction."""
    for sheet in SHEETS:
        name, columns = sql.Identifier(table(sheet)), staged_columns(sheet)
        definition = sql.SQL(", ").join(
            sql.SQL("{} " + kind).format(sql.Identifier(column)) for column, kind in columns
        )
        cursor.execute(sql.SQL("drop table if exists pg_temp.{}").format(name))
        cursor.execute(sql.SQL("create temporary table {} ({}) on commit drop").format(name, definition))
        rows = book.rows.get(sheet.name)
        if rows:
            with cursor.copy(sql.SQL("copy {} from stdin").format(name)) as copy:
                for row in staged_rows(sheet, rows):
                    copy.write_row(row)
        cursor.execute(sql.SQL("analyze {}").format(name))


def execute(statement: str, params: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Run one statement over the temporary tables and return its rows, if it has any."""
    with connection.cursor() as cursor:
        cursor.execute(statement, params)
        return cursor.fetchall() if cursor.description else []
