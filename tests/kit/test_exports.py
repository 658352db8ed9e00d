"""CSV and XLSX files: what people open in a spreadsheet, and nothing that it would calculate."""

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time
from io import BytesIO, StringIO
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook

from hwbc.kit.exports import (
    DATE,
    NUMBER,
    Column,
    Part,
    csv_response,
    csv_text,
    file_name,
    harmless,
    write_xlsx,
    xlsx_response,
)

STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"]


@pytest.mark.parametrize("start", STARTS)
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


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")), min_size=1))
def test_every_text_is_written_harmless(texts: list[str]) -> None:
    [_, *rows] = read("".join(csv_text(("A",), [(text, "b") for text in texts])))
    assert rows == [[harmless(text), "b"] for text in texts]


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
    name = file_name('Coaches Riverside PCN/"../x\r\n 2026-03-31', "csv")
    response = csv_response(name, ("A",), [("é",)])
    assert response.headers["Content-Disposition"] == 'attachment; filename="coaches-riverside-pcnx-2026-03-31.csv"'
    assert response.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert response.streaming
    assert response.getvalue().decode("utf-8-sig") == "A\r\né\r\n"


# --- XLSX -------------------------------------------------------------------------------------------------------------

HEADER = (Column("Name", "Of the coach."), Column("Due on", kind=DATE), Column("Count", kind=NUMBER, width=9))


def book(rows: Sequence[Sequence[Any]], parts: Sequence[Part] = (), header: Sequence[Column] = HEADER) -> Workbook:
    """A file as it is when somebody opens it."""
    file = BytesIO()
    write_xlsx(file, title="Coaches", read_me=parts, sheet="Coaches", header=header, rows=rows)
    file.seek(0)
    return load_workbook(file)


def test_the_rows_stand_on_the_second_sheet_under_a_bold_header_that_stays_in_sight() -> None:
    opened = book([("Asha", date(2026, 3, 31), 7), ("Bo", None, 0)])
    assert opened.sheetnames == ["Read me", "Coaches"]
    sheet = opened["Coaches"]
    assert list(sheet.iter_rows(values_only=True)) == [
        ("Name", "Due on", "Count"),
        ("Asha", datetime(2026, 3, 31), 7),  # noqa: DTZ001  a spreadsheet knows no zone
        ("Bo", None, 0),
    ]
    assert sheet["B2"].is_date
    assert sheet["B2"].number_format == "d mmmm yyyy"
    assert all(cell.font.bold for cell in sheet[1])
    assert not sheet["A2"].font.bold
    assert (sheet.freeze_panes, sheet.auto_filter.ref, sheet.print_title_rows) == ("A2", "A1:C3", "$1:$1")
    widths = [sheet.column_dimensions[letter].width for letter in "ABC"]
    assert widths == [24, 18, 9]


def test_a_sheet_without_rows_has_its_header() -> None:
    sheet = book([])["Coaches"]
    assert list(sheet.iter_rows(values_only=True)) == [("Name", "Due on", "Count")]
    assert sheet.auto_filter.ref == "A1:C1"


def test_the_first_sheet_says_what_the_file_is() -> None:
    parts = [
        Part("About this file", [("Rows", 12), ("As at", date(2026, 3, 31)), ("Filters", "Name: =1+1")]),
        Part("Columns", [("=cmd", "+44"), ("-1", "@x")]),
    ]
    opened = book([], parts)
    sheet = opened["Read me"]
    assert [tuple(cell for cell in row if cell is not None) for row in sheet.iter_rows(values_only=True)] == [
        ("Coaches",), (),
        ("About this file",), ("Rows", 12), ("As at", datetime(2026, 3, 31)), ("Filters", "Name: =1+1"), (),  # noqa: DTZ001
        ("Columns",), ("=cmd", "+44"), ("-1", "@x"),
    ]  # fmt: skip
    assert {cell.data_type for row in sheet.iter_rows() for cell in row} == {"s", "n", "d"}
    assert opened.active is sheet  # what is seen first


@pytest.mark.parametrize("start", [*STARTS, "=HYPERLINK(", "=", "==", "#N/A", "#REF!", "+44", "-1", "@x"])
def test_no_cell_is_a_formula_or_an_error(start: str) -> None:
    [_, row] = book([(start, f"{start}1", f"{start}cmd|' /C calc'!A0")])["Coaches"].iter_rows()
    assert {cell.data_type for cell in row} == {"s"}
    kept = start.replace("\r", "\n")
    assert [cell.value for cell in row] == [kept, f"{kept}1", f"{kept}cmd|' /C calc'!A0"]  # and no apostrophe
    assert row[1].quotePrefix or start.startswith("#")  # edited in a spreadsheet, it stays text


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("a\x00b\x08c\x0bd\x1fe", "abcde"), ("a\r\nb\rc\nd", "a\nb\nc\nd"), ("tab\tb", "tab\tb"),
        ("\ufffe\uffff", ""), ("half \ud800 letter", "half  letter"), ("Zoë 🎉 <b>&amp;", "Zoë 🎉 <b>&amp;"),
        ("  spaces  ", "  spaces  "), ("\x00=1+1", "=1+1"),
    ],
    ids=["control", "ends of lines", "tab", "no letters", "surrogate", "markup", "spaces", "hidden formula"],
)  # fmt: skip
def test_what_a_file_cannot_hold_is_taken_out(text: str, kept: str) -> None:
    cell = book([(text, None, 1)])["Coaches"]["A2"]
    assert (cell.value or "") == kept
    assert cell.data_type == ("s" if kept else "n")


@pytest.mark.parametrize("letter", ["x", "é", "🎉"])
def test_text_that_is_too_long_for_a_cell_is_cut_and_says_so(letter: str) -> None:
    def units(text: str) -> int:
        return len(text.encode("utf-16-le")) // 2

    whole = letter * (32_767 // units(letter))
    assert book([(whole, None, 1)])["Coaches"]["A2"].value == whole
    cut = book([(whole + letter, None, 1)])["Coaches"]["A2"].value
    assert cut.endswith(f"{letter} … [cut: too long for a cell]")
    assert 32_760 < units(cut) <= 32_767


def test_a_moment_becomes_its_day_in_london() -> None:
    late = datetime(2026, 6, 30, 23, 30, tzinfo=UTC)  # half past midnight in London
    assert book([("Asha", late, 1)])["Coaches"]["B2"].value == datetime(2026, 7, 1)  # noqa: DTZ001


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")),
            st.dates(date(1900, 3, 1), date(2199, 12, 31)),
            st.integers(-(10**12), 10**12),
        ),
        max_size=5,
    )
)
def test_what_was_written_is_opened(rows: list[tuple[str, date, int]]) -> None:
    [_, *opened] = book(rows)["Coaches"].iter_rows()
    assert [(a.value or "", b.value, c.value) for a, b, c in opened] == [
        (name, datetime.combine(day, time.min), count) for name, day, count in rows
    ]
    assert all(cell.data_type != "f" for row in opened for cell in row)


def test_a_workbook_is_an_answer_to_be_saved_and_its_file_is_closed() -> None:
    file = BytesIO()
    write_xlsx(file, title="T", read_me=[], sheet="T", header=HEADER, rows=[])
    response = xlsx_response("coaches-2026-03-31.xlsx", file)
    assert response.headers["Content-Disposition"] == 'attachment; filename="coaches-2026-03-31.xlsx"'
    assert response.headers["Content-Type"] == "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "no-store"
    assert int(response.headers["Content-Length"]) == len(file.getvalue())
    assert load_workbook(BytesIO(response.getvalue())).sheetnames == ["Read me", "T"]
    response.close()
    assert file.closed
