"""Files that people open in a spreadsheet: CSV, written as it is sent, with cells that are never taken for formulas."""

import csv
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.http import StreamingHttpResponse
from django.utils.text import slugify

# What a spreadsheet takes for the beginning of a formula (or skips on the way to one); the last four are the full-width
# forms that some take for the same.
_FORMULA = tuple("=+-@\t\r\n＝＋－＠")
_CHUNK = 500  # rows sent at once

Row = Sequence[Any]


def harmless(value: Any) -> Any:
    """A cell that a spreadsheet shows and never calculates: text that looks like a formula gets an apostrophe."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


class _Echo:
    """A file that gives back what is written to it."""

    def write(self, text: str) -> str:
        return text


def csv_text(header: Row, rows: Iterable[Row]) -> Iterator[str]:
    """A CSV file in pieces. None is an empty cell; a date is written yyyy-mm-dd."""
    write = csv.writer(_Echo()).writerow
    piece = ["\ufeff", write(header)]  # without the mark, Excel reads names in the wrong letters
    for row in rows:
        piece.append(write([harmless(value) for value in row]))
        if len(piece) >= _CHUNK:
            yield "".join(piece)
            piece = []
    yield "".join(piece)


def csv_response(name: str, header: Row, rows: Iterable[Row]) -> StreamingHttpResponse:
    """The file as an answer to be saved; `name` without its ending becomes letters, digits and hyphens.

    The rows are read while the answer is sent: those that ask the database need a scope of their own
    (hwbc.workforce.walls.stream).
    """
    response = StreamingHttpResponse(csv_text(header, rows), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{slugify(name)}.csv"'
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response
