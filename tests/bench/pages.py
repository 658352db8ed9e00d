"""What a page costs beside a bare Django view, measured in the same run, on a database of its own.

The application is called as the web server calls it, in one thread and without a socket, so that the figures are the
page's and not the network's. CPU is this process's alone; "wall" has the database's time in it as well.
"""

import io
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout
from typing import Any

from django.conf import settings
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_started
from django.db import connection, reset_queries, transaction
from django.http import HttpRequest, HttpResponse
from django.test.utils import CaptureQueriesContext, override_settings, setup_databases, teardown_databases
from django.urls import path

from hwbc.embedded import servers
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.roles import Role
from tests import facts
from tests.cast import Cast, CoachFactory, OrganisationFactory, make_cast

WARM, ROUNDS, TIMES = 20, 5, 40
PAGES = {"home": "/", "coaches": "/coaches", "flags": "/flags", "PCNs": "/pcns", "how we count": "/how-we-count"}


@transaction.non_atomic_requests
def bare(request: HttpRequest) -> HttpResponse:
    """The least that a Django view can be."""
    return HttpResponse("ok", content_type="text/plain")


urlpatterns = [path("", bare)]

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Any]


def call(application: Wsgi, address: str, cookie: str = "") -> int:
    """One request; the number of bytes in the answer."""
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": address,
        "QUERY_STRING": "",
        "HTTP_HOST": "127.0.0.1",
        "HTTP_COOKIE": cookie,
        "REMOTE_ADDR": "127.0.0.1",
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": sys.stderr,
        "wsgi.url_scheme": "http",
    }
    status = ""

    def start(said: str, headers: Any, exc_info: Any = None) -> None:
        nonlocal status
        status = said

    response = application(environ, start)
    size = sum(len(part) for part in response)
    response.close()
    if not status.startswith("200"):
        raise SystemExit(f"{address} answered {status}")
    return size


def measure(name: str, application: Wsgi, address: str, cookie: str = "") -> tuple[str, float, float, int, int]:
    """Name, CPU and median wall milliseconds a request, queries, bytes."""
    for _ in range(WARM):
        size = call(application, address, cookie)
    request_started.disconnect(reset_queries)
    with CaptureQueriesContext(connection) as asked:
        call(application, address, cookie)
    queries = len(asked)  # now: the list is the connection's, and the next request empties it
    request_started.connect(reset_queries)
    cpu, wall = [], []
    for _ in range(ROUNDS):  # the median round: other work on the machine disturbs some of them
        began = time.process_time()
        for _ in range(TIMES):
            called = time.perf_counter()
            call(application, address, cookie)
            wall.append(time.perf_counter() - called)
        cpu.append((time.process_time() - began) / TIMES)
    return name, statistics.median(cpu) * 1000, statistics.median(wall) * 1000, queries, size


@contextmanager
def database() -> Iterator[None]:
    """A database made for this run by the owner, used by the application's login, dropped at the end."""
    if settings.EMBEDDED_DATABASE:
        servers.use(settings.VAR, broker=False)
    connection.settings_dict["TEST"] = {**connection.settings_dict["TEST"], "NAME": f"bench_{os.getpid()}"}
    with walls.as_owner(), redirect_stdout(io.StringIO()):  # Django says that the cache's table is there
        made = setup_databases(verbosity=0, interactive=False, serialized_aliases=[])
    try:
        yield
    finally:
        with walls.as_owner():
            teardown_databases(made, verbosity=0)


def hub_of_forty(cast: Cast) -> None:
    """Lee's hub grows to 40 PCNs with five coaches each."""
    with walls.lifted("bench"):
        for _ in range(38):
            pcn = OrganisationFactory.create(parent=cast.northfield)
            CoachFactory.create_batch(5, pcn=pcn)
    assert cast.lee.user.pk
    cast.ann.given(Role.HUB_ADMIN, cast.icb, starts_on=today())


def main() -> None:
    """Print the table."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    with database():
        cast = make_cast()
        hub_of_forty(cast)
        facts.everything(cast, 24)
        connection.close()
        with walls.as_owner():  # as autovacuum does a minute after an import
            connection.cursor().execute("analyze")
        service = WSGIHandler()
        with override_settings(ROOT_URLCONF="tests.bench.pages", MIDDLEWARE=[]):
            plain = WSGIHandler()

            def cookie(person: Any) -> str:
                return f"{settings.SESSION_COOKIE_NAME}={person.client.cookies[settings.SESSION_COOKIE_NAME].value}"

            rows = [measure("bare Django view, no middleware", plain, "/")]
        rows += [
            measure("/health/live: all middleware, no database", service, "/health/live"),
        ]
        rows += [
            measure(f"{name}, PCN manager, 26 coaches", service, address, cookie(cast.mo))
            for name, address in PAGES.items()
        ]
        rows.append(measure("one coach, standing", service, f"/coaches/{cast.coach_asha.uuid}", cookie(cast.mo)))
        rows += [
            measure(f"{name}, hub of 40 PCNs, 217 coaches", service, address, cookie(cast.lee))
            for name, address in PAGES.items()
        ]
        base = rows[0][1]
        print(
            f"Python {platform.python_version()}, {os.cpu_count()} cores, {ROUNDS} × {TIMES} requests each, one by one"
        )
        print(f"{'page':<44}{'CPU ms':>8}{'× bare':>8}{'wall ms':>9}{'queries':>9}{'bytes':>8}")
        for name, cpu, wall, queries, size in rows:
            print(f"{name:<44}{cpu:>8.2f}{cpu / base:>8.1f}{wall:>9.2f}{queries:>9}{size:>8}")
