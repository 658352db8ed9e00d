"""Opening a workbook: an XLSX file or a folder of CSV files, neither of which is trusted."""

import csv
import re
import warnings
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from zipfile import BadZipFile, ZipFile

from django.conf import settings
from openpyxl import load_workbook

from hwbc.compliance.importing.cells import shown
from hwbc.compliance.importing.faults import NotImportable

LARGEST = settings.LARGEST_UPLOAD  # bytes on disk
LARGEST_UNPACKED = 500_000_000
LARGEST_RATIO = 200  # of one part, where it is not small; a real sheet packs to a tenth or less often to a fiftieth
SMALL = 5_000_000
# Of one row, or of a part that is no sheet: the library keeps each as an object, of styles in half a kilobyte.
MOST_TAGS = 200_000
MOST_TAGS_OF_TEXTS = 1_500_000  # of the texts of all sheets: four to a text
MOST_PARTS = 5_000
MOST_ROWS = 1_048_576  # what a sheet can have
MOST_COLUMNS = 100

Cells = tuple[Any, ...]
_OLD_FILE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"  # .xls, and the envelope of a file with a password
_ROW = re.compile(rb"<(/?)(?:[\w.-]+:)?row(?=[\s/>])[^<>]*>")
_PIECE = 1_000_000
_LONGEST_TAG = 10_000
_END_OF_DIRECTORY = b"PK\x05\x06"


class Damaged(Exception):
    """One sheet cannot be read to its end; says where and why."""

    def __init__(self, row: int | None, message: str) -> None:
        super().__init__(message)
        self.row, self.message = row, message


@dataclass(frozen=True)
class SheetFile:
    """A sheet as it lies in the file: its name, and its rows with their numbers as the person sees them."""

    name: str
    rows: Iterator[tuple[int, Cells]]
    claims: int | None = None  # how many rows the file says it has: told as progress, and otherwise not believed


@contextmanager
def opened(path: Path, name: str = "") -> Iterator[Iterator[SheetFile]]:
    """The sheets of a workbook; `name` is what messages call it. Raises NotImportable when there is none to read."""
    if not path.exists():
        raise NotImportable(f"There is no file {shown(path)}. Check the name and the folder.")
    try:
        with ExitStack() as stack:
            if path.is_dir():
                yield _folder(path, stack)
            elif not path.is_file():
                raise NotImportable(f"{shown(path)} is not a file. Name an XLSX file or a folder of CSV files.")
            else:
                yield _xlsx(path, name or path.name, stack)
    except OSError as fault:
        raise NotImportable(f"{shown(path)} cannot be read: {fault.strerror}. Check who may read it.") from None


def _too_large(name: str, size: int) -> None:
    if size > LARGEST:
        raise NotImportable(
            f"{shown(name)} has {size / 1e6:,.0f} MB; at most {LARGEST / 1e6:,.0f} MB can be imported. "
            "Split it into several workbooks."
        )


# --- CSV -------------------------------------------------------------------------------------------------------------


def _folder(path: Path, stack: ExitStack) -> Iterator[SheetFile]:
    files = sorted(file for file in path.iterdir() if file.suffix.casefold() == ".csv" and file.is_file())
    if not files:
        raise NotImportable(
            f"The folder {shown(path)} holds no CSV file. Name each one like its sheet, such as coaches.csv."
        )
    _too_large(path.name, sum(file.stat().st_size for file in files))
    streams = [(file.stem, stack.enter_context(file.open(encoding="utf-8-sig", newline=""))) for file in files]
    return (SheetFile(name, _csv_rows(stream)) for name, stream in streams)


def _csv_rows(stream: IO[str]) -> Iterator[tuple[int, Cells]]:
    number = 0
    try:
        for number, row in enumerate(csv.reader(stream, strict=True), start=1):
            yield number, tuple(row)
    except UnicodeDecodeError:
        raise Damaged(None, "The file is not UTF-8. Save it as “CSV UTF-8”.") from None
    except csv.Error as fault:
        raise Damaged(number + 1, f"The row cannot be read ({fault}). Check its quotation marks.") from None


# --- XLSX ------------------------------------------------------------------------------------------------------------


def _xlsx(path: Path, name: str, stack: ExitStack) -> Iterator[SheetFile]:
    file = stack.enter_context(path.open("rb"))  # not by its name: a file that was sent has none
    check_packed(file, path.stat().st_size, name)
    stack.enter_context(warnings.catch_warnings())
    warnings.simplefilter("ignore")  # openpyxl's, about what it leaves out of the styles
    _check_parts(file, name)
    try:
        book = load_workbook(file, read_only=True, keep_links=False)
    except Exception as fault:  # noqa: BLE001 — a hostile file makes the library raise whatever it likes
        raise NotImportable(
            f"{shown(name)} cannot be read as a workbook ({type(fault).__name__}). Save it anew as XLSX."
        ) from None
    stack.callback(book.close)
    return (SheetFile(title, _xlsx_rows(book[title]), _claims(book[title])) for title in book.sheetnames)


def check_packed(file: IO[bytes], size: int, name: str, instead: str = ", or as a folder of CSV files") -> None:
    """Refuse what is not an XLSX file, or would unpack to more than can be read. Nothing is unpacked here.

    `instead`: what else there is to be saved as. Raises NotImportable.
    """
    _too_large(name, size)
    name = shown(name)
    not_xlsx = f"{name} is not an XLSX file. Save it as “Excel Workbook (.xlsx)”{instead}."
    file.seek(0)
    start = file.read(len(_OLD_FILE))
    file.seek(max(0, size - 65_557))
    tail = file.read()
    if start == _OLD_FILE:
        file.seek(0)
        if "EncryptedPackage".encode("utf-16-le") in file.read():
            raise NotImportable(f"{name} is protected with a password. Save it without one.")
        raise NotImportable(not_xlsx)
    if not start.startswith(b"PK"):
        raise NotImportable(not_xlsx)
    end = tail.rfind(_END_OF_DIRECTORY)
    if end >= 0 and int.from_bytes(tail[end + 10 : end + 12], "little") > MOST_PARTS:
        raise NotImportable(f"{name} has more parts than a workbook has. Save it anew as XLSX.")
    try:
        with ZipFile(file) as packed:
            parts = packed.infolist()
    except (BadZipFile, OSError, NotImplementedError, ValueError):
        raise NotImportable(f"{name} is damaged. Save it anew as XLSX.") from None
    if any(part.flag_bits & 1 for part in parts):
        raise NotImportable(f"{name} is protected with a password. Save it without one.")
    # Reading stops where the directory says that a part ends: no part unpacks to more than is declared here.
    if sum(part.file_size for part in parts) > LARGEST_UNPACKED or any(
        part.file_size > SMALL and part.file_size > LARGEST_RATIO * max(part.compress_size, 1) for part in parts
    ):
        raise NotImportable(
            f"{name} would unpack to more than {LARGEST_UNPACKED / 1e6:,.0f} MB, or is packed as no workbook is. "
            "Split it into several workbooks."
        )
    if not any(part.filename.casefold() == "xl/workbook.xml" for part in parts):
        raise NotImportable(not_xlsx)


def _check_parts(file: IO[bytes], name: str) -> None:
    """Refuse parts of which the library would make more objects than can be held. Raises NotImportable."""
    try:
        with ZipFile(file) as packed:
            for part in packed.infolist():
                called = part.filename.casefold()
                with packed.open(part) as stream:
                    if called.startswith("xl/worksheets/"):
                        fits = _sheet_fits(stream)
                    else:
                        fits = _fits(stream, MOST_TAGS_OF_TEXTS if called.endswith("sharedstrings.xml") else MOST_TAGS)
                if not fits:
                    raise NotImportable(
                        f"{shown(name)} holds more styles, texts or cells in a row than can be read. "
                        "Copy its values into a new workbook."
                    )
    except NotImportable:
        raise
    except Exception:  # noqa: BLE001 — a hostile file makes the library raise whatever it likes
        raise NotImportable(f"{shown(name)} is damaged. Save it anew as XLSX.") from None


def _tags(data: bytes, start: int = 0, end: int | None = None) -> int:
    """How many tags there are; four attributes count as one."""
    return data.count(b"<", start, end) + data.count(b"=", start, end) // 4


def _fits(stream: IO[bytes], most: int) -> bool:
    tags = 0
    while tags <= most and (piece := stream.read(_PIECE)):
        tags += _tags(piece)
    return tags <= most


def _sheet_fits(stream: IO[bytes]) -> bool:
    """Whether no row has too many tags, nor all that stands beside the rows: the library forgets a row at its end.

    Comments, and whatever else could hide where a row ends, stand in no sheet that a spreadsheet program wrote.
    """
    in_row, tags, beside, rest, first = False, 0, 0, b"", True
    while piece := stream.read(_PIECE):
        data = rest + piece
        end = data.rfind(b">") + 1
        data, rest = data[:end], data[end:]
        if len(rest) > SMALL or b"<!" in data or data.find(b"<?", 1 if first else 0) >= 0:
            return False
        at, first = 0, first and not data
        for found in _ROW.finditer(data):
            count = _tags(data, at, found.start())
            tags, beside = (tags + count, beside) if in_row else (tags, beside + count)
            if tags > MOST_TAGS or beside > MOST_TAGS or found.end() - found.start() > _LONGEST_TAG:
                return False
            at = found.end()
            if found[1]:
                in_row, tags = False, 0
            elif not found[0].endswith(b"/>"):
                in_row = True
        count = _tags(data, at)
        tags, beside = (tags + count, beside) if in_row else (tags, beside + count)
        if tags > MOST_TAGS or beside > MOST_TAGS:
            return False
    return True


def _claims(sheet: Any) -> int | None:
    rows = getattr(sheet, "max_row", None)
    return rows - 1 if isinstance(rows, int) and 1 < rows <= MOST_ROWS else None


def _xlsx_rows(sheet: Any) -> Iterator[tuple[int, Cells]]:
    if not hasattr(sheet, "iter_rows"):
        raise Damaged(None, "This is a chart, not a sheet of rows. Take it out.")
    sheet.reset_dimensions()  # what the file says about its own size is not believed
    number = 0
    try:
        heading: Cells = next(sheet.iter_rows(max_row=1, values_only=True), ())
        last = max((place for place, cell in enumerate(heading) if cell is not None and str(cell).strip()), default=-1)
        heading = heading[: last + 1]  # a blank one far to the right would make every row as wide
        yield 1, heading
        width = max(len(heading), MOST_COLUMNS)
        for number, row in enumerate(sheet.iter_rows(min_row=2, max_col=width, values_only=True), start=2):
            if number > MOST_ROWS:
                raise Damaged(number, f"There are more than {MOST_ROWS:,} rows. Split the workbook.")
            yield number, row
    except Damaged:
        raise
    except Exception as fault:  # noqa: BLE001 — a hostile file makes the library raise whatever it likes
        raise Damaged(
            number + 1, f"The sheet cannot be read further ({type(fault).__name__}). Save the workbook anew as XLSX."
        ) from None
