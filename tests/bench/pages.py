"""What a page costs beside a bare Django view: asking for it and measuring, on a database of its own.

The application is called as the web server calls it, in one thread and without a socket, so that the figures are the
page's and not the network's. CPU is this process's alone; "wall" has the database's time in it as well.
"""

import io
import os
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
from hwbc.workforce import walls

WARM, ROUNDS, TIMES = 10, 5, 10


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


def baseline() -> tuple[str, float, float, int, int]:
    """The same of a bare view without middleware."""
    with override_settings(ROOT_URLCONF="tests.bench.pages", MIDDLEWARE=[]):
        return measure("a bare Django view, no middleware", WSGIHandler(), "/")


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
