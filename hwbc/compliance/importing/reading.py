"""From a file to rows of values: every cell is read, and every one that cannot be is a fault."""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from openpyxl.utils import get_column_letter

from hwbc.compliance.importing import cells, files
from hwbc.compliance.importing.cells import Wrong, shown
from hwbc.compliance.importing.faults import Fault, Faults
from hwbc.compliance.importing.sheets import BY_NAME, README, SHEETS, Column, Row, Sheet

Progress = Callable[[str, int, int | None], None]  # sheet, rows read so far, of how many where the file says it
# Sheet → a heading of the file, in small letters → the column that it is; "" for one that is left out.
Mapped = Mapping[str, Mapping[str, str]]
EVERY = 5_000  # rows between two reports of progress
_MOST_SEEN = 50_000
_MOST_HEADINGS = 1_000  # blank ones with them: each of them costs time in every row
# On the sheet that is not imported: it outlives every spreadsheet program, which other marks in a file do not.
DEMO_MARK = "This is the workbook of a demo: everything and everybody in it is invented."
_MARKED_WITHIN = 20  # rows


@dataclass
class Workbook:
    """What was read: rows by sheet, faults, and the sheets of which nothing could be read.

    `titles`: the headings of each sheet as they stand in the file. `unknown`: those that are no columns of the sheet.
    """

    rows: dict[str, list[Row]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    unreadable: set[str] = field(default_factory=set)
    is_demo: bool = False  # made by the demo, of invented people
    titles: dict[str, list[str]] = field(default_factory=dict)
    unknown: dict[str, list[str]] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.rows.values()))

    def row(self, sheet: str, number: int) -> Row:
        """The row of a sheet with this number."""
        rows = self.rows[sheet]
        return rows[bisect_left(rows, (number,))]

    def cell(self, sheet: str, row: int | None, column: str) -> str:
        """What a spreadsheet calls a cell, such as supervision!C14; "" where the file has no such column."""
        titles = self.titles.get(sheet, [])
        if row is None or column not in titles:
            return ""
        return f"{sheet}!{get_column_letter(titles.index(column) + 1)}{row}"

    def cell_of(self, fault: Fault) -> str:
        """The cell that a fault is about."""
        if fault.column.startswith(_BESIDE):
            return f"{fault.sheet}!{get_column_letter(int(fault.column.removeprefix(_BESIDE)))}{fault.row}"
        quoted = next((title for title in self.titles.get(fault.sheet, []) if shown(title) == fault.column), "")
        return self.cell(fault.sheet, fault.row, quoted or fault.column)


_BESIDE = "column "  # and its number: a value that stands under no heading


def no_progress(sheet: str, rows: int, of: int | None) -> None:
    """Tell nobody."""


def read(path: Path, progress: Progress = no_progress, *, name: str = "", mapped: Mapped | None = None) -> Workbook:
    """Read a workbook. Raises NotImportable when there is none; whatever else is wrong is among its faults.

    `name`: what messages call the file, where its own name says nothing.
    """
    book = Workbook()
    with files.opened(path, name) as sheets:
        for found in sheets:
            title = found.name.strip().casefold()
            if title == README:
                book.is_demo = not path.is_dir() and _is_marked(found.rows)
                continue
            sheet = BY_NAME.get(title)
            if sheet is None:
                known = ", ".join(each.name for each in SHEETS)
                book.faults.add(
                    found.name, None, "", f"There is no such sheet. Take it out or rename it to one of: {known}."
                )
            elif title in book.rows:
                book.faults.add(title, None, "", "There are two sheets of this name. Put their rows into one.")
            else:
                _read_sheet(book, sheet, found, progress, (mapped or {}).get(title, {}))
    return book


def _is_marked(lines: Iterator[tuple[int, files.Cells]]) -> bool:
    try:
        return any(_title(cell) == DEMO_MARK.casefold() for _, row in islice(lines, _MARKED_WITHIN) for cell in row)
    except files.Damaged:
        return False  # nobody needs this sheet


def _read_sheet(
    book: Workbook, sheet: Sheet, found: files.SheetFile, progress: Progress, mapped: Mapping[str, str]
) -> None:
    rows = book.rows[sheet.name] = []
    lines = found.rows

    def tell() -> None:
        of = found.claims if found.claims and found.claims >= len(rows) else None
        progress(sheet.name, len(rows), of)

    try:
        _, heading = next(lines, (1, ()))
        given = [_title(cell) for cell in heading]
        left_out = {place for place, title in enumerate(given) if mapped.get(title) == ""}
        titles = book.titles[sheet.name] = [mapped.get(title, title) for title in given]
        plan = _plan(book, sheet, titles)
        if plan is None:
            book.unreadable.add(sheet.name)
            return
        if not plan:
            _expect_nothing(book, sheet, lines)
            return
        untitled = [place for place, title in enumerate(titles) if not title and place not in left_out]
        reader = _Reader(sheet, plan, untitled, len(titles), book.faults)
        for number, raw in lines:
            row = reader.row(number, raw)
            if row is not None:
                rows.append(row)
                if len(rows) % EVERY == 0:
                    tell()
        tell()
    except files.Damaged as fault:
        book.unreadable.add(sheet.name)
        book.faults.add(sheet.name, fault.row, "", fault.message)


def _expect_nothing(book: Workbook, sheet: Sheet, lines: Iterator[tuple[int, files.Cells]]) -> None:
    """An empty sheet is a missing one; rows without headings are a fault."""
    if any(_title(cell) for _, row in lines for cell in row):
        book.unreadable.add(sheet.name)
        names = ", ".join(column.name for column in sheet.columns)
        book.faults.add(sheet.name, 1, "", f"The first row is blank. Write the names of the columns there: {names}.")


def _title(cell: object) -> str:
    return "" if cell is None else str(cell).strip().casefold()


def _plan(book: Workbook, sheet: Sheet, titles: list[str]) -> list[int | None] | None:
    """For each column of the sheet, where it stands in the file; empty without headings. None: one is wrong."""
    if not any(titles):
        return []
    names = [column.name for column in sheet.columns]
    faults, before = book.faults, book.faults.count
    if len(titles) > _MOST_HEADINGS:
        faults.add(sheet.name, 1, "", f"There are more than {_MOST_HEADINGS:,} columns. Take out the others.")
        return None
    for place, title in enumerate(titles):
        if title and title not in names:
            known = ", ".join(names)
            faults.add(sheet.name, 1, shown(title), f"There is no such column. Take it out or use one of: {known}.")
            book.unknown.setdefault(sheet.name, []).append(title)
        elif title and title in titles[:place]:
            faults.add(sheet.name, 1, title, "There are two columns of this name. Take one out.")
    for column in sheet.columns:
        if column.required and column.name not in titles:
            faults.add(sheet.name, 1, column.name, "This column is missing. Add it; every row needs it.")
    if faults.count > before:
        return None
    return [titles.index(name) if name in titles else None for name in names]


class _Reader:
    """Reads the rows of one sheet. Texts and dates repeat: each is read once."""

    def __init__(self, sheet: Sheet, plan: list[int | None], untitled: list[int], width: int, faults: Faults) -> None:
        self.sheet, self.untitled, self.width, self.faults = sheet, untitled, width, faults
        self.plan: list[tuple[Column, int | None, dict[Any, Any]]] = [
            (column, place, {}) for column, place in zip(sheet.columns, plan, strict=True)
        ]

    def row(self, number: int, raw: files.Cells) -> Row | None:
        """The values of a row; None for a blank one."""
        values: list[Any] = [number, False]
        wrong: list[tuple[str, str]] = []
        blank = True
        for column, place, seen in self.plan:
            cell = raw[place] if place is not None and place < len(raw) else None
            if type(cell) is str:
                cell = cell.strip()
            if cell is None or cell == "":
                values.append(None)
                if column.required:
                    wrong.append((column.name, "is blank. Fill it in."))
                continue
            blank = False
            try:
                values.append(seen[cell] if cell in seen else self._parse(column, cell, seen))
            except Wrong as fault:
                values.append(None)
                wrong.append((column.name, str(fault)))
        beside = list(self._beside(raw)) if self.untitled or any(raw[self.width :]) else []
        wrong = beside if blank else wrong + beside
        if blank and not wrong:
            return None
        if self.sheet.settle is not None and not blank:
            try:
                self.sheet.settle(values)
            except Wrong as fault:
                wrong.append(("value", str(fault)))
        if wrong:
            values[1] = True
            for name, message in wrong:
                self.faults.add(self.sheet.name, number, name, message)
        return tuple(values)

    @staticmethod
    def _parse(column: Column, cell: Any, seen: dict[Any, Any]) -> Any:
        if isinstance(cell, str):
            value = column.kind.parse(cells.check_text(cell))
        else:
            value = column.kind.parse(cell)
            if not isinstance(cell, datetime):  # 1, 1.0 and True would be one key
                return value
        if len(seen) < _MOST_SEEN:
            seen[cell] = value
        return value

    def _beside(self, raw: files.Cells) -> Iterator[tuple[str, str]]:
        """Values that stand in no column of this sheet."""
        for place in [*self.untitled, *range(self.width, len(raw))]:
            if place < len(raw) and raw[place] is not None and str(raw[place]).strip():
                yield f"{_BESIDE}{place + 1}", f"{shown(raw[place])} stands under no heading. Take it out or add one."
