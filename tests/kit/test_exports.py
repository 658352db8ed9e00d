"""CSV files: what people open in a spreadsheet, and nothing that it would calculate."""

import csv
from collections.abc import Iterator
from datetime import date
from io import StringIO

import pytest

from hwbc.kit.exports import csv_response, csv_text, harmless


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_no_cell_begins_as_a_formula_does(start: str) -> None:
    assert harmless(f"{start}1+1") == f"'{start}1+1"


@pytest.mark.parametrize("value", ["Ana-Maria", "a=b", "", " =1", "'=1", None, -5, 1.5, date(2026, 3, 31)])
def test_what_is_no_formula_stays_as_it_is(value: object) -> None:
    assert harmless(value) == value


def read(text: str) -> list[list[str]]:
    assert text.startswith("\ufeff")
    return list(csv.reader(StringIO(text[1:], newline="")))


def test_what_was_written_is_read() -> None:
    rows = [("Zoë “Z” O'Neill", 'a, "b"\nc', None, date(2026, 3, 31), 0), ("=1+1", "@x", "-2", -2, "")]
    assert read("".join(csv_text(("A", "B", "C", "D", "E"), rows))) == [
        ["A", "B", "C", "D", "E"],
        ["Zoë “Z” O'Neill", 'a, "b"\nc', "", "2026-03-31", "0"],
        ["'=1+1", "'@x", "'-2", "-2", ""],
    ]


def test_a_file_without_rows_has_its_header() -> None:
    assert read("".join(csv_text(("A", "B"), []))) == [["A", "B"]]


def test_rows_are_sent_while_later_ones_are_still_made() -> None:
    made = 0

    def rows() -> Iterator[tuple[int]]:
        nonlocal made
        for made in range(1, 5001):
            yield (made,)

    pieces = csv_text(("N",), rows())
    assert next(pieces).startswith("\ufeffN\r\n1\r\n")
    assert made < 1000
    rest = list(pieces)
    assert made == 5000
    assert "".join(rest).endswith("\r\n5000\r\n")
    assert 5 < len(rest) < 50  # in pieces, and not one a row


def test_the_answer_is_a_file_to_be_saved() -> None:
    response = csv_response('Coaches Riverside PCN/"../x\r\n 2026-03-31', ("A",), [("é",)])
    assert response.headers["Content-Disposition"] == 'attachment; filename="coaches-riverside-pcnx-2026-03-31.csv"'
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.streaming
    assert response.getvalue().decode("utf-8-sig") == "A\r\né\r\n"
