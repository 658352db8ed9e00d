"""What is wrong with a workbook: every fault says where it is and what to do."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

KEPT = 10_000  # faults kept; more are only counted


class NotImportable(Exception):
    """The import cannot begin; one sentence says why and what to do."""


class Collided(NotImportable):
    """Something that stands in the way was written at the same time. `detail` is the database's: not for everybody."""

    sentence = "Something else was changed here at the same time, and nothing was saved. Run it again."

    def __init__(self, detail: object) -> None:
        super().__init__(f"{self.sentence} ({detail})")


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong: in which sheet, row (as the person sees it) and column, and what to do about it."""

    sheet: str
    row: int | None
    column: str
    message: str

    def __str__(self) -> str:
        where = [self.sheet, f"row {self.row}" if self.row else "", self.column]
        return f"{', '.join(part for part in where if part)}: {self.message}"


class Faults:
    """All faults of a workbook. The first ones are kept, so that a file of nothing but faults does not fill memory."""

    def __init__(self) -> None:
        self._kept: list[Fault] = []
        self.by_sheet: Counter[str] = Counter()

    def __bool__(self) -> bool:
        return bool(self.by_sheet)

    @property
    def count(self) -> int:
        """How many there are, kept or not."""
        return self.by_sheet.total()

    def __iter__(self) -> Iterator[Fault]:
        return iter(self._kept)

    def add(self, sheet: str, row: int | None, column: str, message: str) -> None:
        """Note a fault."""
        self.by_sheet[sheet] += 1
        if len(self._kept) < KEPT:
            self._kept.append(Fault(sheet, row, column, message))

    def more(self, sheet: str, uncounted: int) -> None:
        """Count faults that were found and not listed."""
        self.by_sheet[sheet] += uncounted

    def sort(self, sheets: Iterable[str]) -> None:
        """In the order of the sheets, then as one reads: by row. Within a row they stay as they were found."""
        place = {name: number for number, name in enumerate(sheets)}
        self._kept.sort(key=lambda fault: (place.get(fault.sheet, -1), fault.row or 0))


class NotImported(Exception):
    """The workbook has faults; nothing is saved."""

    def __init__(self, faults: Faults) -> None:
        super().__init__(f"{faults.count} faults")
        self.faults = faults
