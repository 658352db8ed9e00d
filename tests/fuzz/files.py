"""Workbooks that nobody should send: a good one with its bytes, its parts or its cells changed, and bombs."""

import re
import struct
from collections.abc import Callable, Iterator
from datetime import date
from io import BytesIO
from random import Random
from warnings import catch_warnings, simplefilter
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_LZMA, ZIP_STORED, ZipFile, ZipInfo

from openpyxl import Workbook

Parts = dict[str, bytes]
SHEET, SHARED = "xl/worksheets/sheet1.xml", "xl/sharedStrings.xml"
_TYPES_PART = "[Content_Types].xml"
HEAD = ["coach_ref", "kind", "from", "to"]
_PROLOGUE = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
_EPILOGUE = b"</sheetData></worksheet>"
_STRINGS = b'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">'
_LAUGHS = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha">' + b"".join(
    b'<!ENTITY %c "%s">' % (98 + n, (b"&%c;" % (97 + n)) * 10) for n in range(12)
) + b"]>"  # fmt: skip


def good(rows: int = 3) -> Parts:
    """The parts of a workbook that can be read: a sheet of absences and one of coaches."""
    book = Workbook()
    page = book.active
    assert page is not None
    page.title = "absences"
    page.append(HEAD)
    for number in range(rows):
        page.append([f"C{number}", "other", date(2026, 1, 1), "01/02/2026"])
    coaches = book.create_sheet("coaches")
    coaches.append(["coach_ref", "name", "email", "pcn_code", "started_on", "hours_per_week", "funding"])
    coaches.append(["C1", "A Invented", "a@example.org", "U1", date(2026, 1, 1), 37.5, "arrs"])
    file = BytesIO()
    book.save(file)
    with ZipFile(file) as packed:
        return _shared({part.filename: packed.read(part) for part in packed.infolist()})


def _shared(parts: Parts) -> Parts:
    """The texts of the first sheet in a part of their own, as spreadsheet programs write them."""
    texts: list[bytes] = []

    def number(found: re.Match[bytes]) -> bytes:
        texts.append(found[1])
        return b't="s"><v>%d</v>' % (len(texts) - 1)

    sheet = re.sub(rb't="inlineStr"><is><t>([^<]*)</t></is>', number, parts[SHEET])
    assert texts
    strings = _STRINGS + b"".join(b"<si><t>%s</t></si>" % text for text in texts) + b"</sst>"
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    types = parts[_TYPES_PART].replace(
        b"</Types>", b'<Override PartName="/%s" ContentType="%s"/></Types>' % (SHARED.encode(), kind)
    )
    return parts | {SHEET: sheet, SHARED: strings, _TYPES_PART: types}


def packed(parts: Parts, how: int = ZIP_DEFLATED) -> bytes:
    """The parts as one file."""
    file = BytesIO()
    with ZipFile(file, "w", how) as book, catch_warnings():
        simplefilter("ignore")  # two parts of one name: on purpose
        for name, content in parts.items():
            book.writestr(name, content)
    return file.getvalue()


def with_rows(rows: bytes) -> bytes:
    """A good workbook whose first sheet has these rows."""
    return packed(good() | {SHEET: _PROLOGUE + rows + _EPILOGUE})


def _heading(*cells: bytes) -> bytes:
    named = [
        b'<c r="%c1" t="inlineStr"><is><t>%s</t></is></c>' % (65 + n, each.encode()) for n, each in enumerate(HEAD)
    ]
    return b'<row r="1">' + b"".join([*named, *cells]) + b"</row>"


# --- Bombs ------------------------------------------------------------------------------------------------------------


def bombs() -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Each with its name; made when it is called, for they are large."""
    noise = Random(1).randbytes(300_000)

    def whole(name: str, start: bytes, piece: bytes, end: bytes, size: int) -> Callable[[], bytes]:
        """A part that unpacks to this size of the same piece again and again."""
        return lambda: packed(good() | {name: start + piece * (size // len(piece)) + end})

    def diluted(name: str, start: bytes, piece: bytes, end: bytes, size: int) -> Callable[[], bytes]:
        """The same with as much noise in a comment as the limit of the ratio asks for."""
        comment = b"<!-- " + noise.hex().encode() * 1 + b" -->"
        many = size // 150 // len(noise) + 1
        each = piece * (size // many // len(piece))
        return lambda: packed(good() | {name: start + (comment + each) * many + end})

    def split(count: int, size: int) -> Callable[[], bytes]:
        return lambda: packed(good() | {f"xl/media/{n}.bin": b"\0" * size for n in range(count)})

    style = b'<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs>'
    types = b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    for size in (4_900_000, 30_000_000):
        for name, start, piece, end in (
            (SHARED, _STRINGS, b"<si><t>x</t></si>", b"</sst>"),
            (SHARED, _STRINGS, b"<si/>", b"</sst>"),
            (SHARED, _STRINGS + b"<si><t>", b"x", b"</t></si></sst>"),
            (SHARED, _STRINGS + b"<si>", b"<r><t>x</t></r>", b"</si></sst>"),
            (SHARED, _STRINGS, b"<a/>", b"</sst>"),
            ("xl/styles.xml", style, b"<xf/>", b"</cellXfs></styleSheet>"),
            ("xl/styles.xml", style, b"<!-- -->", b"</cellXfs></styleSheet>"),
            ("xl/workbook.xml", b'<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">',
             b"<a/>", b"</workbook>"),
            ("[Content_Types].xml", types, b'<Default Extension="a" ContentType="b"/>', b"</Types>"),
            ("xl/_rels/workbook.xml.rels",
             b'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">',
             b'<Relationship Id="a" Type="b" Target="c"/>', b"</Relationships>"),
            ("docProps/core.xml", b"<a>", b"<b/>", b"</a>"),
            ("docProps/custom.xml", b"<a>", b"<b/>", b"</a>"),
            ("xl/theme/theme1.xml", b"<a>", b"<b/>", b"</a>"),
            (SHEET, _PROLOGUE + _heading(), b"<row/>", _EPILOGUE),
            (SHEET, _PROLOGUE + _heading(), b'<row><c r="A1"/></row>', _EPILOGUE),
            (SHEET, _PROLOGUE + b"<row>", b"<c/>", b"</row>" + _EPILOGUE),
            (SHEET, _PROLOGUE + _heading() + b'<row><c t="inlineStr"><is><t>', b"x",
             b"</t></is></c></row>" + _EPILOGUE),
            (SHEET, _PROLOGUE + _heading() + b"<row><c><v>", b"9", b"</v></c></row>" + _EPILOGUE),
            (SHEET, _PROLOGUE + _heading() + b'<row><c t="n"><v>', b"9", b"</v></c></row>" + _EPILOGUE),
            (SHEET, _PROLOGUE + b'<row><c t="inlineStr"><is><t>', b"x", b"</t></is></c></row>" + _EPILOGUE),
            (SHEET, _PROLOGUE + _heading(), b"<a>", _EPILOGUE),
            (SHEET, _PROLOGUE, b"<a/>", _EPILOGUE),
            (SHEET, _PROLOGUE + b"</sheetData><mergeCells>", b'<mergeCell ref="A1:XFD1048576"/>',
             b"</mergeCells></worksheet>"),
            (SHEET, b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cols>', b"<col/>",
             b"</cols></worksheet>"),
        ):  # fmt: skip
            if size > 5_000_000 and name == SHEET:
                continue  # a large sheet grows with what is in it, as a real one does
            make = whole if size < 5_000_000 else diluted
            yield f"{name} {piece[:24]!r} {size:,}", make(name, start, piece, end, size)
    yield "25 parts of 20 MB", split(25, 19_000_000)
    yield "4,000 parts", split(4_000, 10)
    for columns in (b"CV1", b"XFD1", b"ZZZ1", b"ZZZZ1", b"ZZZZZZZZZZ1"):
        cell = b'<c r="%s" t="inlineStr"><is><t>x</t></is></c>' % columns
        blank = b'<c r="%s" t="inlineStr"><is><t> </t></is></c>' % columns
        yield f"a heading at {columns!r}", lambda cell=cell: with_rows(_heading(cell))  # type: ignore[misc]
        yield (
            f"a blank heading at {columns!r}",
            lambda blank=blank: with_rows(  # type: ignore[misc]
                _heading(blank) + b'<row><c t="inlineStr"><is><t>C1</t></is></c></row>' * 60_000
            ),
        )
        yield f"a cell at {columns!r}", lambda cell=cell: with_rows(_heading() + b"<row>" + cell + b"</row>")  # type: ignore[misc]
    nested = packed({"inner.zip": packed({"a": b"\0" * 10_000_000})})
    yield "a zip in a zip", lambda: packed(good() | {"xl/embeddings/a.zip": nested})
    yield "a sheet that is a zip", lambda: packed(good() | {SHEET: nested})
    for name in good():
        content = good()[name]
        root = content.find(b"<", content.find(b"?>") + 1 if b"?>" in content[:100] else 0)
        at = content.find(b">", root)
        said = content[root : at + 1].rstrip(b"/>") + b">&m;"
        yield (
            f"a billion laughs in {name}",
            lambda name=name, said=said, rest=content[at + 1 :]: packed(  # type: ignore[misc]
                good() | {name: _LAUGHS + said + rest}
            ),
        )
        yield (
            f"something from outside in {name}",
            lambda name=name, said=said, rest=content[at + 1 :]: packed(  # type: ignore[misc]
                good() | {name: b'<!DOCTYPE x [<!ENTITY m SYSTEM "file:///etc/passwd">]>' + said + rest}
            ),
        )
        yield (
            f"one long entity in {name}",
            lambda name=name, said=said, rest=content[at + 1 :]: packed(  # type: ignore[misc]
                good() | {name: b'<!DOCTYPE x [<!ENTITY m "' + b"x" * 100_000 + b'">]>' + said + b"&m;" * 10_000 + rest}
            ),
        )
    yield (
        "nothing but numbers of strings",
        lambda: with_rows(_heading() + b'<row><c t="s"><v>999999999999</v></c></row>'),
    )
    yield "an old file", lambda: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 100_000
    yield (
        "a password",
        lambda: (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
            + b"\0" * 600
            + "EncryptedPackage".encode("utf-16-le")
            + b"\0" * 9_000_000
        ),
    )
    yield "a file of zeros", lambda: b"\0" * 50_000_000
    yield "PK and zeros", lambda: b"PK\x03\x04" + b"\0" * 50_000_000
    yield "the ends of 3,000 directories", lambda: b"PK\x03\x04" + b"PK\x05\x06" * 3_000
    for how, name in ((ZIP_STORED, "stored"), (ZIP_BZIP2, "bzip2"), (ZIP_LZMA, "lzma")):
        yield f"packed as {name}", lambda how=how: packed(good(), how)  # type: ignore[misc]
        if how != ZIP_STORED:
            yield (
                f"a bomb packed as {name}",
                lambda how=how: packed(  # type: ignore[misc]
                    good() | {SHARED: _STRINGS + b"<si/>" * 900_000 + b"</sst>"}, how
                ),
            )
    yield "XML in UTF-16", lambda: packed(good() | {SHEET: good()[SHEET].decode().encode("utf-16")})
    yield (
        "XML in Latin-1",
        lambda: packed(good() | {SHEET: b'<?xml version="1.0" encoding="latin-1"?>' + good()[SHEET]}),
    )
    yield (
        "XML in nothing known",
        lambda: packed(good() | {SHEET: b'<?xml version="1.0" encoding="x"?>' + good()[SHEET]}),
    )
    yield "200,000 deep", lambda: with_rows(b"<a>" * 200_000 + b"</a>" * 200_000)
    yield "attributes", lambda: with_rows(b"<row " + b" ".join(b'a%d=""' % n for n in range(500_000)) + b"/>")


# --- Changes of a good one --------------------------------------------------------------------------------------------

_NAMES = ("../../../etc/passwd", "/etc/passwd", "C:\\x", "xl/workbook.xml\0", "a" * 3_000, "XL/WORKBOOK.XML", " ", "é")
_VALUES = (
    b"", b"-1", b"0", b"1e400", b"-1e400", b"NaN", b"INF", b"1e-400", b"99999999999999999999", b"2958466", b"-700000",
    b"1.7976931348623157e308", b"abc", b"\xff", b"&#0;", b"&#x1F;", b"&#xFFFE;", b"_x0000_", b"_x005F_", b"=1+1",
    b"TRUE",
    b"2", b"#REF!", b"2026-02-31T00:00:00", b"0000-00-00", b"10000-01-01T00:00:00Z", b"PT1H", b"&amp;" * 50, b"9" * 400,
    b"9" * 5_000, "\u202e😀".encode(),
)  # fmt: skip
_TYPES = (b"s", b"n", b"b", b"d", b"e", b"str", b"inlineStr", b"x", b"")


def _flip(rng: Random, content: bytes) -> bytes:
    data = bytearray(content)
    for _ in range(rng.choice((1, 1, 3, 20))):
        if data:
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return bytes(data)


def _cut(rng: Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _piece(rng: Random, content: bytes) -> bytes:
    """A piece taken out, doubled, or put elsewhere."""
    one, other = sorted((rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)))
    return rng.choice(
        (content[:one] + content[other:], content[:other] + content[one:], content[other:] + content[:one])
    )


def _noise(rng: Random, content: bytes) -> bytes:
    at = rng.randrange(len(content) + 1)
    return content[:at] + rng.randbytes(rng.choice((1, 4, 60))) + content[at:]


_BYTES = (_flip, _cut, _piece, _noise)


def _value(rng: Random, content: bytes) -> bytes:
    """The value or the type of a cell, an attribute, a name, or a whole element."""
    kind = rng.randrange(6)
    if kind == 0:
        return _one(rng, rb"<v>[^<]*</v>", content, b"<v>%s</v>" % rng.choice(_VALUES))
    if kind == 1:
        return _one(rng, rb' t="[^"]*"', content, b' t="%s"' % rng.choice(_TYPES))
    if kind == 2:
        return _one(rng, rb'="[^"]*"', content, b'="%s"' % rng.choice(_VALUES))
    if kind == 3:
        return _one(rng, rb"<[^>]*>", content, b"")
    if kind == 4:
        return _one(rng, rb"<[^>]*/>", content, b"<f>A1+%s</f>" % rng.choice(_VALUES))
    return _one(rng, rb"<t>[^<]*</t>|<t [^<]*</t>", content, b"<t>%s</t>" % rng.choice(_VALUES))


def _one(rng: Random, what: bytes, content: bytes, by: bytes) -> bytes:
    found = list(re.finditer(what, content))
    if not found:
        return content
    match = rng.choice(found)
    return content[: match.start()] + by + content[match.end() :]


def _directory(rng: Random, data: bytes) -> bytes:
    """The directory of the file lies: about sizes, sums, methods, places, numbers of parts."""
    changed = bytearray(data)
    mark, places = rng.choice(
        ((b"PK\x01\x02", ((4, 2), (8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (32, 2), (42, 4))),
         (b"PK\x03\x04", ((4, 2), (6, 2), (8, 2), (14, 4), (18, 4), (22, 4), (26, 2), (28, 2))),
         (b"PK\x05\x06", ((4, 2), (6, 2), (8, 2), (10, 2), (12, 4), (16, 4), (20, 2))))
    )  # fmt: skip
    starts = [found.start() for found in re.finditer(re.escape(mark), data)]
    if starts:
        place, width = rng.choice(places)
        value = rng.choice((0, 1, 8, 12, 99, 0xFFFF, 0xFFFF_FFFF, 0x7FFF_FFFF, rng.randrange(1 << 32)))
        at = rng.choice(starts) + place
        changed[at : at + width] = struct.pack("<I", value)[:width]
    return bytes(changed)


def damaged(rng: Random, parts: Parts) -> bytes:
    """A good workbook with something wrong in it."""
    kind = rng.random()
    if kind < 0.15:
        return rng.choice(_BYTES)(rng, packed(parts))
    if kind < 0.3:
        return _directory(rng, packed(parts, rng.choice((ZIP_DEFLATED, ZIP_STORED))))
    after = dict(parts)
    name = rng.choice(list(after))
    if kind < 0.36:
        del after[name]
    elif kind < 0.42:
        after[rng.choice(_NAMES)] = after.pop(name) if rng.random() < 0.5 else b"x"
    elif kind < 0.46:
        after[name] = after[rng.choice(list(after))]
    elif kind < 0.6:
        after[name] = rng.choice(_BYTES)(rng, after[name])
    else:
        for _ in range(rng.choice((1, 1, 2, 5))):
            name = rng.choice((SHEET, SHEET, SHARED, "xl/workbook.xml", "xl/styles.xml", *after))
            if name in after:
                after[name] = _value(rng, after[name])
    if rng.random() < 0.05:
        file = BytesIO()
        with ZipFile(file, "w") as book, catch_warnings():
            simplefilter("ignore")
            for name, content in after.items():
                entry = ZipInfo(name, (2026, 1, 1, 0, 0, 0))
                entry.external_attr = 0o120777 << 16  # a link
                book.writestr(entry, content)
        return file.getvalue()
    return packed(after)


# --- CSV --------------------------------------------------------------------------------------------------------------

CSV = (
    "coach_ref,kind,from,to\r\n" + "C1,other,01/01/2026,\r\n" * 3 + '"C""2", sickness ,2026-02-01,2026-03-01\r\n'
).encode()
_BITS = (
    b"\xef\xbb\xbf", b"\0", b'"', b'""', b"'", b"\r", b"\n", b"\r\n\r\n", b";", b"\t", b",,,,,", b"\xff", b"\x1a",
    b"\x85",
    "\u2028".encode(), b"=1+1", b"x" * 140_000, b"," * 5_000, b'"' + b"\n" * 500, "😀\u202e".encode(), b"\xed\xa0\x80",
)  # fmt: skip


def csv_damaged(rng: Random) -> bytes:
    """A CSV file with something wrong in it."""
    data = CSV
    kind = rng.randrange(8)
    if kind == 0:
        return data.decode().encode(rng.choice(("utf-16", "utf-16-be", "utf-32", "utf-7", "cp500", "cp1252")))
    if kind == 1:
        return rng.randbytes(rng.randrange(400))
    for _ in range(rng.choice((1, 2, 4))):
        if kind < 5:
            at = rng.randrange(len(data) + 1)
            data = data[:at] + rng.choice(_BITS) + data[at:]
        else:
            data = rng.choice(_BYTES)(rng, data)
    return data
