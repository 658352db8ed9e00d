"""From a file to rows of values: every cell is read, and every one that cannot be is a fault."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from hwbc.compliance.importing import cells, files
from hwbc.compliance.importing.cells import Wrong, shown
from hwbc.compliance.importing.faults import Faults
from hwbc.compliance.importing.sheets import BY_NAME, README, SHEETS, Column, Row, Sheet

Progress = Callable[[str, int], None]  # sheet, rows read so far
EVERY = 5_000  # rows between two reports of progress
_MOST_SEEN = 50_000


@dataclass
class Workbook:
    """What was read: rows by sheet, faults, and the sheets of which nothing could be read."""

    rows: dict[str, list[Row]] = field(default_factory=dict)
    faults: Faults = field(default_factory=Faults)
    unreadable: set[str] = field(default_factory=set)

    @property
    def size(self) -> int:
        """How many rows there are."""
        return sum(map(len, self.rows.values()))


def no_progress(sheet: str, rows: int) -> None:
    """Tell nobody."""


def read(path: Path, progress: Progress = no_progress) -> Workbook:
    """Read a workbook. Raises NotImportable when there is none; whatever else is wrong is among its faults."""
    book = Workbook()
    with files.opened(path) as sheets:
        for found in sheets:
            name = found.name.strip().casefold()
            if name == README:
                continue
            sheet = BY_NAME.get(name)
            if sheet is None:
                known = ", ".join(each.name for each in SHEETS)
                book.faults.add(
                    found.name, None, "", f"There is no such sheet. Take it out or rename it to one of: {known}."
                )
            elif name in book.rows:
                book.faults.add(name, None, "", "There are two sheets of this name. Put their rows into one.")
            else:
                _read_sheet(book, sheet, found.rows, progress)
    return book


def _read_sheet(book: Workbook, sheet: Sheet, lines: Iterator[tuple[int, files.Cells]], progress: Progress) -> None:
    rows = book.rows[sheet.name] = []
    try:
        _, heading = next(lines, (1, ()))
        titles = [_title(cell) for cell in heading]
        plan = _plan(book.faults, sheet, titles)
        if plan is None:
            book.unreadable.add(sheet.name)
            return
        if not plan:
            _expect_nothing(book, sheet, lines)
            return
        untitled = [place for place, title in enumerate(titles) if not title]
        reader = _Reader(sheet, plan, untitled, len(titles), book.faults)
        for number, raw in lines:
            row = reader.row(number, raw)
            if row is not None:
                rows.append(row)
                if len(rows) % EVERY == 0:
                    progress(sheet.name, len(rows))
        progress(sheet.name, len(rows))
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


def _plan(faults: Faults, sheet: Sheet, titles: list[str]) -> list[int | None] | None:
    """For each column of the sheet, where it stands in the file; empty without headings. None: one is wrong."""
    if not any(titles):
        return []
    names = [column.name for column in sheet.columns]
    before = faults.count
    for place, title in enumerate(titles):
        if title and title not in names:
            known = ", ".join(names)
            faults.add(sheet.name, 1, shown(title), f"There is no such column. Take it out or use one of: {known}.")
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
                yield f"column {place + 1}", f"{shown(raw[place])} stands under no heading. Take it out or add one."
