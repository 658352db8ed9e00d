"""Whatever is read from outside is read, or refused in a sentence: never another fault, never without bounds."""

import gc
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import QueryDict
from django.http.multipartparser import MultiPartParserError
from django.test import RequestFactory

from hwbc.compliance import as_at
from hwbc.compliance.forms.imports import Columns
from hwbc.compliance.importing import reading
from hwbc.compliance.importing.faults import NotImportable
from hwbc.compliance.importing.files import check_packed
from hwbc.compliance.importing.reading import Workbook, read
from hwbc.compliance.importing.sheets import BY_NAME
from hwbc.kit.periods import read_day, read_moment
from hwbc.kit.tables import Column, Table
from tests.fuzz import files, values
from tests.fuzz.conftest import FULL
from tests.fuzz.sending import encoded, multipart

LONGEST = 20  # seconds of the processor: half of it and less where no others are served at the same time
MOST = 200_000_000  # bytes that reading one file may need beside what there was
FILES = 3_000 if FULL else 100
TEXTS = 20_000 if FULL else 500
PARTS = 20 if FULL else 1  # of the files: each a test of its own, so that both processes have some

RecordProperty = Callable[[str, object], None]


class TooLong(BaseException):
    """Not an Exception: whoever catches whatever a library raises does not catch this."""


@contextmanager
def bounded() -> Iterator[Callable[[], tuple[float, float]]]:
    """For at most LONGEST seconds; the function says how long it took, and how much memory at its peak."""

    def stop(*_: Any) -> None:
        raise TooLong

    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    base, begun = _memory("VmRSS"), time.process_time()
    before = signal.signal(signal.SIGVTALRM, stop)
    signal.setitimer(signal.ITIMER_VIRTUAL, 3 * LONGEST)  # so that one does not hang; LONGEST is asserted of the time
    try:
        yield lambda: (time.process_time() - begun, max(0, _memory("VmHWM") - base))
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)


def _memory(which: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(which):
            return float(line.split()[1]) * 1_024
    raise AssertionError(which)


class Read:
    """What came of the files."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.most = {"seconds": 0.0, "megabytes": 0.0}
        self.faults: list[str] = []

    def file(self, name: str, path: Path, *, bound: bool = True) -> None:
        """Read one, as the worker does."""
        outcome = "broke"
        with bounded() as measured:
            try:
                outcome = self._outcome(read(path))
            except NotImportable as refusal:
                outcome = "refused"
                if not str(refusal).endswith("."):
                    self.faults.append(f"{name}: no sentence: {refusal}")
            except TooLong:
                self.faults.append(f"{name}: did not end")
            except Exception as fault:  # noqa: BLE001 - that there is none is what is tried
                self.faults.append(f"{name}: {type(fault).__name__}: {str(fault)[:500]}")
            seconds, memory = measured()
        self.counts[outcome] += 1
        self.most["seconds"] = max(self.most["seconds"], seconds)
        self.most["megabytes"] = max(self.most["megabytes"], memory / 1e6)
        if bound and seconds > LONGEST:
            self.faults.append(f"{name}: took {seconds:.1f} seconds ({outcome})")
        if bound and memory > MOST:
            self.faults.append(f"{name}: needed {memory / 1e6:,.0f} MB ({outcome})")

    def _outcome(self, book: Workbook) -> str:
        for fault in book.faults:
            assert fault.message.endswith((".", ")")), fault
            assert str(fault).isprintable(), fault
            book.cell_of(fault)
        return "read with faults" if book.faults else "read"

    def end(self, record_property: RecordProperty) -> None:
        """Say what came, and fail for what should not have."""
        record_property("parsed", {"counts": dict(self.counts), "most": self.most})

        assert not self.faults, f"{len(self.faults)} faults:\n" + "\n".join(self.faults[:30])


BOMBS = list(files.bombs())
SAMPLE = ("a zip in a zip", "25 parts of 20 MB", "a blank heading at b'ZZZ1'", "a billion laughs in xl/workbook.xml")


@pytest.mark.parametrize("number", range(8 if FULL else 1))
def test_bombs(number: int, tmp_path: Path, record_property: RecordProperty) -> None:
    found = Read()
    chosen = BOMBS[number::8] if FULL else [bomb for bomb in BOMBS if bomb[0] in SAMPLE]
    for name, make in chosen:
        path = tmp_path / "bomb.xlsx"
        path.write_bytes(make())
        gc.collect()
        found.file(f"{name} ({path.stat().st_size:,} bytes)", path)
    found.end(record_property)


@pytest.mark.parametrize("number", range(PARTS))
def test_damaged_workbooks(number: int, tmp_path: Path, rng: Random, record_property: RecordProperty) -> None:
    found, parts = Read(), files.good()
    path = tmp_path / "damaged.xlsx"
    for count in range(FILES // PARTS):
        content = files.damaged(rng, parts)
        path.write_bytes(content)
        found.file(f"damaged workbook {count}", path)
        with suppress(NotImportable):  # as the page does before anything is kept
            check_packed(BytesIO(content), len(content), "damaged.xlsx")
    found.end(record_property)


def test_damaged_csv(tmp_path: Path, rng: Random, record_property: RecordProperty) -> None:
    found = Read()
    for count in range(FILES // 4):
        (tmp_path / "absences.csv").write_bytes(files.csv_damaged(rng))
        found.file(f"damaged CSV file {count}", tmp_path)
    found.end(record_property)


def test_mapped_columns(tmp_path: Path, rng: Random, record_property: RecordProperty) -> None:
    """Headings of a file that are taken for columns: whatever is answered on the page."""
    found = Read()
    for _ in range(TEXTS // 20):
        titles = [_text(rng)[:40] for _ in range(5)]
        form = Columns(QueryDict(_query(rng, [f"absences-{n}" for n in range(6)])), unknown={"absences": titles})
        said = form.mapped if form.is_valid() else {}
        found.counts["mapped" if said else "refused"] += 1
        answers = ["", *(column.name for column in BY_NAME["absences"].columns)]
        assert {answer for them in said.values() for answer in them.values()} <= set(answers)
        mapped = {"absences": {title: rng.choice(answers) for title in ("coach_ref", "kind", "von")}}
        (tmp_path / "absences.csv").write_bytes(b"coach_ref,kind,von\r\nC1,other,2026-01-01\r\n")
        assert isinstance(reading.read(tmp_path, mapped=mapped), Workbook)
    found.end(record_property)


# --- Texts ------------------------------------------------------------------------------------------------------------


def _text(rng: Random) -> str:
    value = values.nasty(rng, ())
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _query(rng: Random, names: list[str]) -> str:
    return encoded([(rng.choice(names), values.nasty(rng, ())) for _ in range(rng.randrange(5))])


def test_days_moments_and_lists(rng: Random, record_property: RecordProperty) -> None:
    found = Read()
    columns = [Column[int]("a", "A", lambda n: n), Column[int]("b", "B")]
    for _ in range(TEXTS):
        text = _text(rng)
        for parse in (read_day, read_moment):
            try:
                parse(text)
                found.counts["read"] += 1
            except ValueError as fault:
                if type(fault) is not ValueError or not str(fault).endswith("."):
                    found.faults.append(f"{parse.__name__}: {text[:60]!r}: no sentence: {fault!r}")
                found.counts["refused"] += 1
        given = QueryDict(_query(rng, ["as-at", "known-at", as_at.DAY, as_at.KNOWN, "sort", "page"]))
        asked = as_at.read(given)
        assert all(fault.endswith(".") for fault in asked.faults)
        assert as_at.read(QueryDict(asked.query.removeprefix("?"))).parameters == asked.parameters
        table = Table(range(60), columns, given, noun=("row", "rows"))
        assert 1 <= table.page <= table.pages
        assert len(table.rows) in (10, 25)
        assert table.headings
        found.counts["addresses"] += 1
    found.end(record_property)


def test_uploads(rng: Random, settings: Any, record_property: RecordProperty) -> None:
    """Bodies with files, whole and damaged: the handler keeps what is not too large, whatever else is wrong."""
    settings.LARGEST_UPLOAD, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 20_000, 10_000
    found = Read()
    for _ in range(TEXTS // 10):
        size = rng.choice((0, 1, 9_999, 10_001, 20_000, 20_001, 60_000))
        body, kind = multipart(rng, [("a", "b")], [("file", _text(rng)[:300], b"x" * size)])
        if rng.random() < 0.4:
            body = rng.choice(
                (body[: rng.randrange(len(body))], body.replace(b"boundary", b"other", 1), rng.randbytes(900))
            )
        request: Any = RequestFactory().generic("POST", "/", body, content_type=kind)
        try:
            kept: list[UploadedFile[Any]] = list(request.FILES.values())
        except (MultiPartParserError, ValidationError):
            found.counts["refused"] += 1
            continue
        for file in kept:
            assert len(file.read()) <= 20_000
        found.counts["read"] += 1
        request.close()
    found.end(record_property)


def test_positive_control_a_reader_that_breaks_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that lets another fault through, one that eats memory, one that does not end in its time."""
    path = tmp_path / "good.xlsx"
    path.write_bytes(files.packed(files.good()))
    found = Read()
    found.file("good", path)
    assert (found.counts["read"], found.faults) == (1, [])

    def breaks(*_: Any, **__: Any) -> Workbook:
        raise KeyError("xl/workbook.xml")

    def eats(*_: Any, **__: Any) -> Workbook:
        assert len(b"x" * int(MOST * 1.2))
        return Workbook()

    def waits(*_: Any, **__: Any) -> Workbook:
        end = time.process_time() + 0.5
        while time.process_time() < end:
            pass
        return Workbook()

    monkeypatch.setattr(f"{__name__}.LONGEST", 0.1)
    for wrong, says in ((breaks, "KeyError"), (eats, "needed"), (waits, "took")):
        monkeypatch.setattr(f"{__name__}.read", wrong)
        found = Read()
        found.file("wrong", path)
        assert says in found.faults[-1]


def test_an_upload_keeps_its_name_to_itself() -> None:
    """The name that a file comes with is no path."""
    assert SimpleUploadedFile("../../x.xlsx", b"").name == "x.xlsx"
