"""What a list costs as a file, beside the bare writers of CSV and XLSX, each in a process of its own."""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection
from django.http import QueryDict
from openpyxl import Workbook

from hwbc.compliance.as_at import read
from hwbc.compliance.exporting import files
from hwbc.compliance.exporting.lists import COACHES
from hwbc.kit.exports import CSV, XLSX, Row, csv_text, write_xlsx
from hwbc.workforce import walls
from hwbc.workforce.access import actor_of
from hwbc.workforce.models import Organisation, User
from hwbc.workforce.roles import Role
from tests.bench.compliance import DAY, workforce
from tests.bench.pages import database
from tests.cast import OrganisationFactory, Person, person

LARGE, SMALL = 100_000, 5_000
RULES = 13  # of each coach of the bench
_WHY = "Last line supervision 3 September 2026. Was due 3 October 2026: overdue against the standard since 11 October."


def rows(count: int) -> Iterator[Row]:
    """Rows of ten cells, as those of the list of coaches are."""
    due = date(2026, 10, 3)
    for n in range(count):
        day = due + timedelta(days=n % 90)
        yield (f"C{n}", f"Coach Number{n}", "Riverside PCN", "supervision.line", "Line management", "overdue", day,
               None if n % 3 else day, _WHY, "WDF")  # fmt: skip


def bare_csv(count: int) -> Iterator[str]:
    """The least that it takes: everything in one piece, and nothing made harmless."""
    file = StringIO(newline="")
    csv.writer(file).writerows(rows(count))
    yield file.getvalue()


def our_csv(count: int) -> Iterator[str]:
    """The same in pieces, harmless."""
    return csv_text([column.label for column in COACHES.header][:10], rows(count))


def bare_xlsx(count: int) -> Iterator[int]:
    """One sheet by openpyxl, row by row."""
    with tempfile.TemporaryFile() as file:
        book = Workbook(write_only=True)
        sheet: Any = book.create_sheet("Rows")
        for row in rows(count):
            sheet.append(row)
        book.save(file)
        yield file.tell()


def our_xlsx(count: int) -> Iterator[int]:
    """The same with a first sheet, days written out, and text that stays text."""
    with tempfile.TemporaryFile() as file:
        write_xlsx(file, title="T", read_me=[], sheet="Rows", header=COACHES.header[:10], rows=rows(count))
        yield file.tell()


def _stored(form: str) -> Iterator[Any]:
    """The list of coaches as the worker makes it, of everything that the bench's auditor sees; not recorded."""
    given = QueryDict(f"as-at={DAY.isoformat()}")
    with walls.lifted("bench"):
        user = User.objects.get(email="bench.auditor@example.org")
    actor, as_at = actor_of(user), read(given)
    with walls.within(actor.scope):
        found = COACHES.find(actor, given, as_at)
        if form == CSV:
            yield from csv_text(COACHES.labels, found.lines)
            return
        with tempfile.TemporaryFile() as file:
            files.write(file, form, actor=actor, export=COACHES, found=found, given=given, as_at=as_at)
            yield file.tell()


def stored_csv(count: int) -> Iterator[str]:
    """From the database to the last letter."""
    return _stored(CSV)


def stored_xlsx(count: int) -> Iterator[int]:
    """From the database to the finished workbook."""
    return _stored(XLSX)


MAKERS: dict[str, Callable[[int], Iterable[Any]]] = {
    made.__name__: made for made in (bare_csv, our_csv, stored_csv, bare_xlsx, our_xlsx, stored_xlsx)
}


def child(maker: str, count: int) -> None:
    """Make one file, and say what it took: seconds, seconds to the first piece, peak megabytes."""
    connection.ensure_connection()  # the web server and the worker have one already
    began, first = time.perf_counter(), 0.0
    for _ in MAKERS[maker](count):
        first = first or time.perf_counter() - began
    seconds = time.perf_counter() - began
    peak = int(Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0]) / 1024
    print(seconds, first, peak)


_COMMAND = """
import sys, django
django.setup()
from tests.bench import exporting
exporting.child(sys.argv[1], int(sys.argv[2]))
"""
Took = tuple[float, float, float]


def take(maker: str, count: int, env: dict[str, str]) -> Took:
    """The quickest of three: seconds, seconds to the first piece, peak megabytes."""
    command = [sys.executable, "-c", _COMMAND, maker, str(count)]
    runs = []
    for _ in range(3 if count < LARGE or maker.endswith("csv") else 1):
        done = subprocess.run(command, env=env, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, check=True, text=True)
        seconds, first, peak = map(float, done.stdout.split())
        runs.append((seconds, first, peak))
    return min(runs)


def told(name: str, took: Took, base: float | None = None) -> None:
    """A line of the table."""
    seconds, first, peak = took
    ratio = f"{seconds / base:>7.1f}" if base else f"{'':>7}"
    print(f"{name:<46}{seconds:>9.2f}{ratio}{first * 1000:>14,.0f}{f'{peak:.0f}' if peak else '':>9}")


def asked(address: str, query: str, cookie: str) -> tuple[Took, int]:
    """One request as the web server makes it, after one that warms up: what it took, and bytes."""
    environ: dict[str, Any] = {
        "REQUEST_METHOD": "GET", "PATH_INFO": address, "QUERY_STRING": query, "HTTP_HOST": "127.0.0.1",
        "HTTP_COOKIE": cookie, "REMOTE_ADDR": "127.0.0.1", "SERVER_NAME": "127.0.0.1", "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1", "wsgi.errors": sys.stderr, "wsgi.url_scheme": "http",
    }  # fmt: skip
    application: Any = WSGIHandler()
    best: tuple[Took, int] | None = None
    for _ in range(4):
        began, first, size = time.perf_counter(), 0.0, 0
        response = application({**environ, "wsgi.input": StringIO()}, lambda *said: None)
        for piece in response:
            first = first or time.perf_counter() - began
            size += len(piece)
        took = (time.perf_counter() - began, first, 0.0)
        response.close()
        best = min(best, (took, size)) if best else (took, size)
    assert best is not None
    return best


def oversight() -> tuple[Person, Person]:
    """Who administers a hub of 40 PCNs with five coaches each, and who audits everything."""
    with walls.lifted("bench"):
        top = OrganisationFactory.create(kind=Organisation.Kind.ICB, code="QBB", name="Bench ICB")
        hub = OrganisationFactory.create(kind=Organisation.Kind.TRAINING_HUB, code="HBB", name="Bench hub", parent=top)
        pcns = Organisation.objects.filter(kind=Organisation.Kind.PCN)
        pcns.update(parent=top)
        pcns.filter(pk__in=pcns.order_by("pk").values("pk")[:40]).update(parent=hub)
    lee, auditor = person("Bench Admin"), person("Bench Auditor")
    lee.given(Role.HUB_ADMIN, hub)
    auditor.given(Role.AUDITOR, top)
    return lee, auditor


def main() -> None:
    """Print the table."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    print(f"\n{'lists as files':<46}{'seconds':>9}{'× bare':>7}{'first byte ms':>14}{'peak MB':>9}")
    with database():
        url = connection.settings_dict
        host = url["HOST"] or url["OPTIONS"].get("host", "")
        env = {
            **os.environ,
            "DATABASE_URL": f"postgres://{url['USER']}@/{url['NAME']}?host={host}&port=5432",
            "DATABASE_POOL": "0",
        }
        with workforce(LARGE // RULES):
            lee, _ = oversight()
            cookie = f"{settings.SESSION_COOKIE_NAME}={lee.client.cookies[settings.SESSION_COOKIE_NAME].value}"
            for form in (CSV, XLSX):
                took, size = asked("/coaches/export", f"as-at={DAY.isoformat()}&format={form}", cookie)
                told(f"{form.upper()}, a whole request, 200 coaches, {size / 1024:,.0f} KB", took)
            for form in (CSV, XLSX):
                for count in (SMALL, LARGE) if form == XLSX else (LARGE,):
                    bare = take(f"bare_{form}", count, env)
                    told(f"{form.upper()}, {count:,} rows, bare writer", bare)
                    told(f"{form.upper()}, {count:,} rows", take(f"our_{form}", count, env), bare[0])
                stored = take(f"stored_{form}", LARGE, env)
                told(f"{form.upper()}, {LARGE // RULES * RULES:,} rows from the database", stored, bare[0])
