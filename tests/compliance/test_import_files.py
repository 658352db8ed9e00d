"""Files that are no workbooks, and workbooks that are not what they seem: each is a sentence."""

import contextlib
import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.worksheet.formula import ArrayFormula

from hwbc.compliance.importing import files
from hwbc.compliance.importing.faults import NotImportable
from hwbc.compliance.importing.reading import read
from tests.compliance.importing import where

HEAD = ["coach_ref", "kind", "from", "to"]


def xlsx(path: Path, *rows: list[Any], sheet: str = "absences") -> Path:
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = sheet
    for row in rows:
        page.append(row)
    book.save(path)
    return path


def says(path: Path) -> str:
    with pytest.raises(NotImportable) as refused:
        read(path)
    sentence = str(refused.value)
    assert sentence.endswith(".")
    return sentence


def test_surroundings(tmp_path: Path) -> None:
    assert "no file" in says(tmp_path / "none.xlsx")
    assert "holds no CSV file" in says(tmp_path)
    text = tmp_path / "notes.xlsx"
    text.write_text("hello")
    assert "not an XLSX file" in says(text)
    text.write_bytes(b"")
    assert "not an XLSX file" in says(text)
    text.write_bytes(b"PK\x03\x04 and then nothing")
    assert "damaged" in says(text)
    with zipfile.ZipFile(text, "w") as packed:
        packed.writestr("letter.txt", "Dear")
    assert "not an XLSX file" in says(text)
    assert "is not a file" in says(Path("/dev/null"))


def test_a_file_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = xlsx(tmp_path / "closed.xlsx", HEAD)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    assert "cannot be read: Permission denied" in says(path)


def test_a_password(tmp_path: Path) -> None:
    path = tmp_path / "secret.xlsx"
    envelope = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600
    path.write_bytes(envelope + "EncryptedPackage".encode("utf-16-le"))
    assert "password" in says(path)
    path.write_bytes(envelope)  # an old .xls
    assert "not an XLSX file" in says(path)
    xlsx(path, HEAD)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 8] |= 1
    path.write_bytes(data)
    assert "password" in says(path)


def test_more_than_a_hundred_megabytes(tmp_path: Path) -> None:
    path = tmp_path / "large.xlsx"
    with path.open("wb") as file:
        file.truncate(101_000_000)
    assert "101 MB; at most 100 MB" in says(path)
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in ("coaches", "absences"):
        with (folder / f"{name}.csv").open("wb") as file:
            file.truncate(60_000_000)
    assert "120 MB; at most 100 MB" in says(folder)


def with_part(path: Path, name: str, megabytes: int) -> None:
    """Put a part of nothing but spaces into a workbook."""
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in source.infolist():
            if part.filename != name:
                packed.writestr(part, source.read(part))
        with packed.open(name, "w", force_zip64=True) as stream:
            for _ in range(megabytes):
                stream.write(b" " * 1_000_000)


def test_what_unpacks_to_much_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = xlsx(tmp_path / "bomb.xlsx", HEAD)
    with_part(path, "xl/worksheets/sheet1.xml", 50)
    assert path.stat().st_size < 200_000
    assert "packed as no workbook is" in says(path)
    monkeypatch.setattr(files, "SMALL", 10**12)
    monkeypatch.setattr(files, "LARGEST_UNPACKED", 40_000_000)
    assert "unpack to more than 40 MB" in says(path)


def with_tags(path: Path, name: str, tags: bytes, before: bytes = b"") -> Path:
    """Put tags into a part of a workbook, before what is named, or at its end."""
    source = zipfile.ZipFile(io.BytesIO(xlsx(path, HEAD, ["C1", "other", date(2026, 1, 1), None]).read_bytes()))
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for part in source.infolist():
            data = source.read(part)
            at = data.rfind(before) if before else len(data)
            packed.writestr(part, data[:at] + tags + data[at:] if part.filename == name else data)
    return path


@pytest.mark.parametrize(
    ("before", "tag"),
    [
        (b"</row>", b"<c/>"),  # a row without an end
        (b"</sheetData>", b"<a/>"),
        (b"</sheetData>", b"<row/><a/>"),
        (b"</row>", b"<x:c/>"),
        (b"</sheetData>", b"<!-- </row> --><a/>"),
        (b"</sheetData>", b'<row><c a="" b=""/>'),
    ],
)
def test_more_cells_than_a_row_has(tmp_path: Path, before: bytes, tag: bytes) -> None:
    path = with_tags(tmp_path / "cells.xlsx", "xl/worksheets/sheet1.xml", tag * files.MOST_TAGS, before)
    assert "Copy its values into a new workbook" in says(path)
    few = with_tags(path, "xl/worksheets/sheet1.xml", b"<row/>" * files.MOST_TAGS, b"</sheetData>")
    assert len(read(few).rows["absences"]) == 1  # the control: as many rows are read


@pytest.mark.parametrize(("name", "tag"), [("xl/styles.xml", b"<xf/>"), ("xl/workbook.xml", b"<!-- -->")])
def test_more_styles_than_can_be_held(tmp_path: Path, name: str, tag: bytes) -> None:
    path = with_tags(tmp_path / "styles.xlsx", name, tag * files.MOST_TAGS)
    assert "Copy its values into a new workbook" in says(path)


def test_a_directory_that_lies_about_its_sizes(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "liar.xlsx", HEAD)
    with_part(path, "xl/worksheets/sheet1.xml", 30)
    data = bytearray(path.read_bytes())
    at = data.rfind(b"PK\x01\x02")
    data[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(data)
    try:
        book = read(path)
    except NotImportable:
        return
    assert book.faults


def test_thousands_of_parts(tmp_path: Path) -> None:
    path = tmp_path / "parts.xlsx"
    with zipfile.ZipFile(path, "w") as packed:
        for number in range(5_001):
            packed.writestr(str(number), "")
    assert "more parts" in says(path)


def test_a_sheet_that_is_broken_half_way(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "half.xlsx", HEAD, *([["C1", "other", date(2026, 1, 1), None]] * 3_000))
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, "w") as packed:
        for part in source.infolist():
            data = source.read(part)
            packed.writestr(part, data[:-20_000] if part.filename.endswith("sheet1.xml") else data)
    book = read(path)
    assert next(fault.message for fault in book.faults).startswith("The sheet cannot be read further (ParseError)")
    assert book.unreadable == {"absences"}


def test_formulas_are_refused_wherever_they_stand(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "formulas.xlsx",
        HEAD,
        ['="C"&1', "sickness", "=TODAY()", ArrayFormula("D2", "=A1:A2")],
    )
    book = read(path)
    assert where(list(book.faults)) == {("absences", 2, name) for name in ("coach_ref", "from", "to")}
    assert all("formula" in fault.message for fault in book.faults)


def test_cells_of_other_kinds(tmp_path: Path) -> None:
    path = xlsx(
        tmp_path / "kinds.xlsx",
        HEAD,
        [1001, "Sickness", datetime(2026, 1, 5, 9, 30), None],  # noqa: DTZ001
        [1001.0, "other", date(2026, 2, 1), "01/03/2026"],
        [True, "other", 46000, 1.5],
        [date(2026, 1, 1), 5, "x", None],
        [None, None, None, None],
        ["C1", "other", datetime(2026, 1, 5, 9, 30).time(), None],  # noqa: DTZ001
    )
    book = read(path)
    assert book.rows["absences"][:2] == [
        (2, False, "1001", "sickness", date(2026, 1, 5), None),
        (3, False, "1001", "other", date(2026, 2, 1), date(2026, 3, 1)),
    ]
    assert len(book.rows["absences"]) == 5
    assert where(list(book.faults)) == {
        *(("absences", 4, name) for name in ("coach_ref", "from", "to")),
        *(("absences", 5, name) for name in ("coach_ref", "kind", "from")),
        ("absences", 7, "from"),
    }


def test_numbers_as_spreadsheets_keep_them(tmp_path: Path) -> None:
    head = ["coach_ref", "name", "email", "pcn_code", "started_on", "hours_per_week", "funding"]
    row = ["C1", "A B", "a@example.org", "U1", date(2026, 1, 1), 37.300000000000004, "arrs"]
    book = read(xlsx(tmp_path / "hours.xlsx", head, row, sheet="coaches"))
    assert not book.faults
    assert str(book.rows["coaches"][0][9]) == "37.30"


def test_a_size_that_the_sheet_claims_is_not_believed(tmp_path: Path) -> None:
    path = xlsx(tmp_path / "claims.xlsx", HEAD, ["C1", "other", date(2026, 1, 1), None])
    source = zipfile.ZipFile(io.BytesIO(path.read_bytes()))
    with zipfile.ZipFile(path, "w") as packed:
        for part in source.infolist():
            data = source.read(part)
            if part.filename.endswith("sheet1.xml"):
                data = data.replace(b'ref="A1:D2"', b'ref="A1:XFD1048576"')
                data = data.replace(b"</sheetData>", b'<row r="2000000000"/></sheetData>')
            packed.writestr(part, data)
    book = read(path)
    assert len(book.rows["absences"]) == 1
    assert "more than 1,048,576 rows" in next(fault.message for fault in book.faults)


def test_headings_far_to_the_right_do_not_make_every_row_as_wide(tmp_path: Path) -> None:
    def far(heading: str) -> Path:
        path = tmp_path / "wide.xlsx"
        book = Workbook()
        page = book.active
        assert page is not None
        page.title = "absences"
        page.append(HEAD)
        page.append(["C1", "other", date(2026, 1, 1), None])
        page.cell(1, 16_384, heading)
        book.save(path)
        return path

    with files.opened(far(" ")) as sheets:
        assert [len(row) for sheet in sheets for _, row in sheet.rows] == [len(HEAD), files.MOST_COLUMNS]
    assert len(read(far(" ")).rows["absences"]) == 1
    for path in (far("coach_ref"), far("unknown")):
        book = read(path)
        assert book.unreadable == {"absences"}
        assert [fault.message for fault in book.faults] == ["There are more than 1,000 columns. Take out the others."]


@pytest.mark.parametrize(
    ("data", "row", "says"),
    [
        (b"coach_ref,kind,from\nC1,other,01/01/2026\n\xff\n", None, "not UTF-8"),
        (b'coach_ref,kind,from\nC1,"other,01/01/2026\n', 2, "quotation marks"),
        (b"coach_ref,kind,from\nC1,oth\0er,01/01/2026\n", 2, ""),
        (b"coach_ref;kind;from\nC1;other;01/01/2026\n", 1, "no such column"),
    ],
)
def test_csv_files_that_cannot_be_read(tmp_path: Path, data: bytes, row: int | None, says: str) -> None:
    (tmp_path / "absences.csv").write_bytes(data)
    [fault, *_] = read(tmp_path).faults
    assert (fault.sheet, fault.row) == ("absences", row)
    assert says in fault.message


def test_csv_as_spreadsheets_write_it(tmp_path: Path) -> None:
    text = "\ufeffCoach_Ref , KIND,from,to\r\n C1 ,other,01/02/2026,\r\n\r\n,,,\r\nC2,other,2026-02-01,2026-02-03\r\n"
    (tmp_path / "Absences.CSV").write_text(text, encoding="utf-8", newline="")
    (tmp_path / "read me.csv").write_text("whatever stands here")
    (tmp_path / "notes.txt").write_text("nor this")
    book = read(tmp_path)
    assert not book.faults
    assert book.rows["absences"] == [
        (2, False, "C1", "other", date(2026, 2, 1), None),
        (5, False, "C2", "other", date(2026, 2, 1), date(2026, 2, 3)),
    ]


@given(data=st.binary(max_size=300), at=st.floats(0, 1))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_damage_anywhere_is_at_worst_a_sentence(tmp_path: Path, data: bytes, at: float) -> None:
    path = xlsx(tmp_path / "damaged.xlsx", HEAD, ["C1", "other", date(2026, 1, 1), None])
    whole = path.read_bytes()
    start = int(at * len(whole))
    path.write_bytes(whole[:start] + data + whole[start + len(data) :])
    with contextlib.suppress(NotImportable):
        read(path)
