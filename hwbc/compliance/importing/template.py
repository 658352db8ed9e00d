"""An empty workbook to begin with: every sheet, its columns, and one invented row each."""

from io import BytesIO
from pathlib import Path
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.comments import Comment
from openpyxl.styles import Font, PatternFill
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import save_workbook

from hwbc.compliance.importing import cells
from hwbc.compliance.importing.sheets import README, SHEETS, Column

_REQUIRED = (Font(bold=True), PatternFill("solid", fgColor="D8DDE0"))
_OPTIONAL = (Font(italic=True), PatternFill())

_README = (
    "This workbook is how a service brings its data. This sheet is not imported.",
    "",
    "Every other sheet has one row of example, which is invented: write your own rows in its place.",
    "A sheet that you do not need may be left empty or taken out.",
    "Do not rename sheets or columns; any order will do.",
    "Columns with a bold heading need a value in every row; those in italics may be left blank.",
    "Dates: real dates, dd/mm/yyyy or yyyy-mm-dd. Several dates in one cell: separated by semicolons.",
    "References (coach_ref, course_ref, …) are your own numbers, such as C001; capital or small letters are the same.",
    "A period includes its first and its last day. A blank end still runs.",
    "Formulas are refused: put values into the cells.",
    "",
    "Everything is checked before anything is saved. If one cell is wrong, nothing is saved and every fault is listed.",
    "The same workbook imported again changes nothing; rows that you take out later stay as they were imported.",
)


def write_template(path: Path) -> None:
    """Write the empty workbook. Raises OSError."""
    book = Workbook(write_only=True)
    readme = book.create_sheet(README)
    readme.column_dimensions["A"].width = 110
    for line in _README:
        readme.append([line])
    for sheet in SHEETS:
        page = book.create_sheet(sheet.name)
        page.freeze_panes = "A2"
        for number, column in enumerate(sheet.columns, start=1):
            page.column_dimensions[get_column_letter(number)].width = max(16, len(column.name) + 4)
        page.append([_heading(page, column) for column in sheet.columns])
        page.append([_example(page, column, said) for column, said in zip(sheet.columns, sheet.example, strict=True)])
    packed = BytesIO()
    save_workbook(book, packed)
    path.write_bytes(packed.getvalue())


def _heading(page: Any, column: Column) -> Any:
    cell = WriteOnlyCell(page, column.name)
    cell.font, cell.fill = _REQUIRED if column.required else _OPTIONAL
    said = "Needed in every row." if column.required else "May be left blank."
    if column.kind.hint:
        said += f" {column.kind.hint}"
    if column.refers and column.kind is not cells.RULE:
        said += f" From the sheet {column.refers}, or known already."
    cell.comment = Comment(said, "Workbook", width=300, height=120)
    return cell


def _example(page: Any, column: Column, said: str) -> Any:
    value: Any = column.kind.parse(said) if said and column.kind.sql in ("date", "bigint", "numeric") else said or None
    cell = WriteOnlyCell(page, value)
    if column.kind.sql == "date":
        cell.number_format = "DD/MM/YYYY"
    elif column.kind.sql == "text":
        cell.number_format = "@"
    return cell
