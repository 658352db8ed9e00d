"""An empty workbook to begin with: every sheet, its columns, and one invented row each."""

from collections.abc import Iterable
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
from hwbc.compliance.importing.sheets import README, SHEETS, Column, Sheet

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
    path.write_bytes(template())


def template() -> bytes:
    """The empty workbook as a file."""
    book = new_book(_README)
    for sheet in SHEETS:
        page = add_page(book, sheet)
        page.append([_example(page, column, said) for column, said in zip(sheet.columns, sheet.example, strict=True)])
    return packed(book)


def new_book(readme: Iterable[str]) -> Workbook:
    """A workbook that has nothing yet but the sheet that is read by people and not imported."""
    book = Workbook(write_only=True)
    page = book.create_sheet(README)
    page.column_dimensions["A"].width = 110
    for line in readme:
        page.append([line])
    return book


def add_page(book: Workbook, sheet: Sheet) -> Any:
    """A sheet with the headings of its columns; its rows are appended."""
    page = book.create_sheet(sheet.name)
    page.freeze_panes = "A2"
    for number, column in enumerate(sheet.columns, start=1):
        page.column_dimensions[get_column_letter(number)].width = max(16, len(column.name) + 4)
    page.append([_heading(page, column) for column in sheet.columns])
    return page


def packed(book: Workbook) -> bytes:
    """The workbook as the file that it becomes."""
    file = BytesIO()
    save_workbook(book, file)
    return file.getvalue()


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
