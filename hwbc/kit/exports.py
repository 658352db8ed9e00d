"""Files that people open in a spreadsheet: CSV, written as it is sent, and XLSX. No cell is taken for a formula."""

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from io import StringIO
from itertools import islice
from typing import IO, Any, NamedTuple, TypeVar

from django.http import FileResponse, HttpResponseBase, StreamingHttpResponse
from django.utils import timezone
from django.utils.text import slugify
from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.cell.cell import ERROR_CODES
from openpyxl.styles import Alignment, Font
from openpyxl.utils import get_column_letter
from openpyxl.writer.excel import save_workbook

# What a spreadsheet takes for the beginning of a formula (or skips on the way to one); the last four are the full-width
# forms that some take for the same.
_FORMULA = frozenset("=+-@\t\r\n＝＋－＠")
_CHUNK = 500  # rows sent at once

CSV, XLSX = "csv", "xlsx"
CONTENT = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}
TEXT, DATE, NUMBER = "text", "date", "number"
MOST_ROWS = 1_048_575  # of a sheet, after its header: what a spreadsheet holds

Row = Sequence[Any]
Response = TypeVar("Response", bound=HttpResponseBase)


class Column(NamedTuple):
    """A column of a file: its heading, what stands in it, of what kind it is, and how many characters wide."""

    label: str
    means: str = ""
    kind: str = TEXT
    width: int = 0  # 0: as wide as its kind usually is


def file_name(words: str, form: str) -> str:
    """A file's name of letters, digits and hyphens."""
    return f"{slugify(words)}.{form}"


# --- CSV --------------------------------------------------------------------------------------------------------------


def harmless(value: Any) -> Any:
    """A cell that a spreadsheet shows and never calculates: text that looks like a formula gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value


def csv_text(header: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    """A CSV file in pieces. None is an empty cell; a date is written yyyy-mm-dd."""
    buffer = StringIO(newline="")
    write = csv.writer(buffer).writerows
    buffer.write("\ufeff")  # without the mark, Excel reads names in the wrong letters
    write([header])
    rows = iter(rows)
    while some := list(islice(rows, _CHUNK)):
        # `harmless`, without a call for each of a million cells.
        write(
            [
                [f"'{value}" if isinstance(value, str) and value[:1] in _FORMULA else value for value in row]
                for row in some
            ]
        )
        yield buffer.getvalue()
        buffer.seek(0)
        buffer.truncate()
    yield buffer.getvalue()


def csv_response(name: str, header: Sequence[str], rows: Iterable[Row]) -> StreamingHttpResponse:
    """The file as an answer to be saved under a name.

    The rows are read while the answer is sent: those that ask the database need a scope of their own
    (hwbc.workforce.walls.stream).
    """
    return _to_be_saved(StreamingHttpResponse(csv_text(header, rows), content_type=CONTENT[CSV]), name)


def _to_be_saved(response: Response, name: str) -> Response:
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


# --- XLSX -------------------------------------------------------------------------------------------------------------


class Part(NamedTuple):
    """A part of the read-me: its heading, and lines of a name with what is to be said of it."""

    heading: str
    lines: Sequence[tuple[str, Any]]


_DAY = "d mmmm yyyy"
_WIDTHS = {TEXT: 24, DATE: 18, NUMBER: 12}
_NAMES, _WORDS = 30, 100  # widths of the read-me's two columns
_LONGEST = 32_767  # letters in a cell, as a spreadsheet counts them
_CUT = " … [cut: too long for a cell]"
# Not allowed in XML, or taken out of it on the way: control characters, halves of a letter, two that are none.
_NOT_WRITTEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")


def _said(text: str) -> str:
    """Text that a cell can hold."""
    text = _NOT_WRITTEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    if len(text) * 2 > _LONGEST and len(counted := text.encode("utf-16-le")) > _LONGEST * 2:
        return counted[: (_LONGEST - len(_CUT)) * 2].decode("utf-16-le", "ignore") + _CUT
    return text


class _Cells:
    """Makes the cells of a sheet. A cell is written before the next of its kind is filled, so there is one of each."""

    def __init__(self, sheet: Any) -> None:
        self._sheet = sheet
        self._day = self.styled(number_format=_DAY)
        self._text = self.styled(quotePrefix=True)  # stays text when somebody edits it

    def styled(self, **style: Any) -> Any:
        """A cell of this style."""
        cell = WriteOnlyCell(self._sheet)
        for name, value in style.items():
            setattr(cell, name, value)
        return cell

    def of(self, value: Any) -> Any:
        """What stands for a value in a row: a day as a day, text as text whatever it looks like."""
        if isinstance(value, str):
            text = _said(value)
            if text[:1] in _FORMULA or text in ERROR_CODES:
                return _filled(self._text, text)
            return text or None  # a text of no letters is no cell
        if isinstance(value, datetime):
            value = timezone.localdate(value) if timezone.is_aware(value) else value.date()
        if isinstance(value, date):
            self._day.value = value
            return self._day
        return value


def _filled(cell: Any, value: Any) -> Any:
    cell.value = (_said(value) or None) if isinstance(value, str) else value
    if isinstance(cell.value, str):
        cell.data_type = "s"
    return cell


def write_xlsx(
    file: IO[bytes],
    *,
    title: str,
    read_me: Iterable[Part],
    sheet: str,
    header: Sequence[Column],
    rows: Iterable[Row],
) -> None:
    """A workbook of two sheets: what it is, in words, then the rows. None is an empty cell.

    The rows go to a temporary file as they come: memory does not grow with them. At most MOST_ROWS.
    """
    book = Workbook(write_only=True)
    book.properties.title, book.properties.creator = _said(title), ""
    _write_read_me(book.create_sheet("Read me"), title, read_me)
    data: Any = book.create_sheet(sheet)
    data.freeze_panes = "A2"
    data.print_title_rows = "1:1"
    data.page_setup.orientation, data.page_setup.fitToHeight = "landscape", 0
    data.sheet_properties.pageSetUpPr.fitToPage = True
    letters = [get_column_letter(number) for number in range(1, len(header) + 1)]
    for letter, column in zip(letters, header, strict=True):
        data.column_dimensions[letter].width = column.width or _WIDTHS[column.kind]
    cells = _Cells(data)
    bold = [cells.styled(font=Font(bold=True)) for _ in header]
    data.append([_filled(cell, column.label) for cell, column in zip(bold, header, strict=True)])
    count, of = 0, cells.of
    for count, row in enumerate(rows, start=1):  # noqa: B007  it is asked for after the loop
        data.append(_row(of, row))
    data.auto_filter.ref = f"A1:{letters[-1]}{count + 1}"
    save_workbook(book, file)


def _row(of: Any, row: Row) -> Any:
    """A row whose cells are made one by one, as they are written."""
    for value in row:
        yield of(value)


def _write_read_me(sheet: Any, title: str, parts: Iterable[Part]) -> None:
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = _NAMES, _WORDS
    sheet.page_setup.orientation, sheet.page_setup.fitToHeight = "landscape", 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True
    cells = _Cells(sheet)
    top = Alignment(vertical="top", wrap_text=True)
    heading = cells.styled(font=Font(bold=True, size=16))
    part_heading = cells.styled(font=Font(bold=True, size=13))
    name = cells.styled(font=Font(bold=True), alignment=top)
    words = cells.styled(alignment=Alignment(vertical="top", horizontal="left", wrap_text=True))
    day = cells.styled(alignment=Alignment(vertical="top", horizontal="left"), number_format=_DAY)
    sheet.append([_filled(heading, title)])
    for part in parts:
        sheet.append([])
        sheet.append([_filled(part_heading, part.heading)])
        for label, value in part.lines:
            sheet.append([_filled(name, label), _filled(day if isinstance(value, date) else words, value)])


def xlsx_response(name: str, file: IO[bytes]) -> FileResponse:
    """A workbook that was written to a file, as an answer to be saved under a name; the file is closed with it."""
    file.seek(0)
    return _to_be_saved(FileResponse(file, content_type=CONTENT[XLSX]), name)
