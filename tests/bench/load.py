"""Pages as people use them: the web server as it is always started, three sizes of service, fifty requests a second.

Requests come when they are due, whether or not the ones before are answered; a late answer is late from the moment at
which its request was due. Whoever asks shares the two cores with the server and its database.
"""

import http.client
import io
import os
import platform
import re
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.management import call_command
from django.db import connection, transaction

from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.models import Coach, Organisation, Post
from hwbc.workforce.roles import Role
from tests.bench.compliance import DAY
from tests.bench.pages import ROUNDS, TIMES, baseline, database, measure
from tests.cast import Person, UserFactory

SIZES = (25, 2_000, 6_000)  # coaches; 5, 400 and 1,200 PCNs
RATE, SECONDS, PEOPLE = 50, 15, 20
_HERE = Path(__file__).parent
LISTS = ("/", "/coaches", "/flags", "/pcns", "/referrals")


class Visitors(NamedTuple):
    """People of one role, and the pages that they go round."""

    name: str
    cookies: list[str]
    pages: list[list[str]]  # of each of them


def shifted(statements: str) -> str:
    """The same statements with every date moved, so that the bench's day is today."""
    by = today() - DAY
    return re.sub(r"date '([\d-]+)'", lambda found: f"date '{date.fromisoformat(found[1]) + by}'", statements)


@contextmanager
def service(size: int) -> Iterator[None]:
    """An invented service with so many coaches, gone at the end."""
    text = shifted("".join((_HERE / name).read_text() for name in ("workforce.sql", "service.sql")))
    with walls.as_owner(), transaction.atomic(), connection.cursor() as cursor:
        for statement in text.strip().rstrip(";").split(";\n"):
            cursor.execute(statement, {"n": size})
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    call_command("run_checks", verbosity=0, stdout=io.StringIO())
    yield
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute(
            "truncate workforce_organisation, workforce_user, supervision_supervisor, training_course cascade"
        )


def visitors() -> list[Visitors]:
    """Managers of PCNs, administrators of a hub of forty PCNs, coaches."""
    with walls.lifted("bench"):
        pcns = list(Organisation.objects.filter(kind="pcn").order_by("pk")[:PEOPLE])
        hubs = list(Organisation.objects.filter(kind="training_hub").order_by("pk")[:PEOPLE])
        posts = list(Post.objects.order_by("pk").select_related("coach", "pcn"))
        seen = {post.pcn_id: post.coach for post in posts}

    def sign_in(role: Role, place: Organisation, coach: Coach | None = None) -> str:
        person = Person(UserFactory.create())
        person.given(role, place, coach, starts_on=today() - timedelta(days=1))
        return cookie(person)

    managers = [sign_in(Role.PCN_MANAGER, pcn) for pcn in pcns]
    one = [[*LISTS, f"/coaches/{seen[pcn.pk].uuid}", f"/coaches/{seen[pcn.pk].uuid}/supervision"] for pcn in pcns]
    admins = [sign_in(Role.HUB_ADMIN, hub) for hub in hubs]
    own = [sign_in(Role.COACH, post.pcn, post.coach) for post in posts[:PEOPLE]]
    return [
        Visitors("PCN managers", managers, one),
        Visitors("hub of 40 PCNs", admins, [list(LISTS)] * len(admins)),
        Visitors("coaches", own, [["/", "/caseload", f"/coaches/{post.coach.uuid}"] for post in posts[:PEOPLE]]),
    ]


def cookie(person: Person) -> str:
    """The cookie of somebody who has signed in."""
    return f"{settings.SESSION_COOKIE_NAME}={person.client.cookies[settings.SESSION_COOKIE_NAME].value}"


@contextmanager
def web_server() -> Iterator[int]:
    """The web server with its own configuration, on a port of its own; the port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    url = connection.settings_dict
    host = url["HOST"] or url["OPTIONS"].get("host", "")
    env = {
        **os.environ,
        "DATABASE_URL": f"postgres://{url['USER']}@/{url['NAME']}?host={host}&port=5432",
        "HWBC_LOCAL": "true",
        "BIND": f"127.0.0.1:{port}",
        "LOG_LEVEL": "WARNING",
    }
    env.pop("DATABASE_POOL", None)  # the server's own
    command = [sys.executable, "-m", "gunicorn", "--config", "gunicorn.conf.py", "hwbc.wsgi:application"]
    server = subprocess.Popen(command, env=env, cwd=settings.BASE_DIR, stderr=subprocess.DEVNULL)
    try:
        for _ in range(100):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port
    finally:
        server.terminate()
        server.wait()


_local = threading.local()


def ask(port: int, page: str, who: str) -> int:
    """One request over a connection that is kept; the status."""
    line: http.client.HTTPConnection | None = getattr(_local, "line", None)
    if line is None or line.port != port:
        line = _local.line = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        line.request("GET", page, headers={"Cookie": who})
        answer = line.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException):
        line.close()
        return 0
    return answer.status


def load(port: int, who: Visitors, rate: int, seconds: int) -> tuple[list[float], int]:
    """Milliseconds of each request from when it was due, and how many were not answered with 200."""
    took: list[float] = []
    wrong: list[int] = []

    def visit(due: float, page: str, cookie: str) -> None:
        status = ask(port, page, cookie)
        took.append((time.perf_counter() - due) * 1000)
        if status != http.HTTPStatus.OK:
            wrong.append(status)

    with ThreadPoolExecutor(32) as people:
        began = time.perf_counter()
        for n in range(rate * seconds):
            due = began + n / rate
            time.sleep(max(0.0, due - time.perf_counter()))
            person = n % len(who.cookies)
            pages = who.pages[person]
            people.submit(visit, due, pages[n // len(who.cookies) % len(pages)], who.cookies[person])
    return took, len(wrong)


def percentile(values: Sequence[float], part: float) -> float:
    """The value that this part of them does not exceed."""
    return sorted(values)[min(len(values) - 1, int(len(values) * part))]


def main(sizes: Sequence[int] = SIZES) -> None:
    """Print two tables: what a page costs, and how long people wait at fifty requests a second."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    costs, waits = [], []
    with database():
        bare = baseline()
        costs.append((0, "", *bare))
        costs.append((0, "", *measure("/health/live, no database", WSGIHandler(), "/health/live")))
        for size in sizes:
            with service(size):
                application = WSGIHandler()
                people = visitors()
                for who in people:
                    for page in who.pages[0]:
                        name = re.sub(r"[0-9a-f-]{36}", "…", page)
                        costs.append((size, who.name, *measure(name, application, page, who.cookies[0])))
                connection.close()
                with web_server() as port:
                    for who in [Visitors("/health/live", [""], [["/health/live"]]), *people]:
                        load(port, who, 20, 3)  # warm: every thread has its connection and its statements
                        took, wrong = load(port, who, RATE, SECONDS)
                        waits.append(
                            (size, who.name, statistics.median(took), percentile(took, 0.95), max(took), wrong)
                        )
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, {ROUNDS} × {TIMES} requests each, one by one")
    print(f"{'coaches':>7}  {'who':<16}{'page':<36}{'CPU ms':>8}{'× bare':>8}{'wall ms':>9}{'queries':>9}{'bytes':>9}")
    for size, role, page, cpu, wall, queries, length in costs:
        print(
            f"{size or '':>7}  {role:<16}{page:<36}{cpu:>8.2f}{cpu / bare[1]:>8.1f}{wall:>9.2f}{queries:>9}{length:>9,}"
        )
    print(f"\n{RATE} requests a second for {SECONDS} s: milliseconds until the answer is there")
    print(f"{'coaches':>7}  {'who':<16}{'median':>8}{'p95':>8}{'longest':>9}{'not 200':>9}")
    for size, role, median, p95, longest, wrong in waits:
        print(f"{size:>7,}  {role:<16}{median:>8.0f}{p95:>8.0f}{longest:>9.0f}{wrong:>9}")
