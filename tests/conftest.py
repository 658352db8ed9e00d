"""Real servers for every test: PostgreSQL with its two logins, Valkey, a worker, a browser."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any
from urllib.parse import quote

import pytest
from django.conf import settings
from django.core.cache import cache
from django.core.management import call_command
from django.db import connection
from django.test.utils import setup_databases, teardown_databases

from hwbc.celery import app
from hwbc.compliance.demo.queries import is_demo
from hwbc.embedded import servers
from hwbc.workforce import walls
from hwbc.workforce.models import User
from tests.cast import Cast, make_cast

# The browser's driver runs an event loop in the thread of the tests; their queries are made between its steps.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"

if settings.EMBEDDED_DATABASE or settings.EMBEDDED_BROKER:
    servers.use(settings.VAR, database=settings.EMBEDDED_DATABASE, broker=settings.EMBEDDED_BROKER)


def broker_of_this_process() -> str:
    """The broker, with a logical database of this test process's own: no other's worker takes its tasks."""
    number = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) + 1
    separator = "&" if "?" in settings.REDIS_URL else "?"
    if settings.REDIS_URL.startswith("redis+socket"):
        return f"{settings.REDIS_URL}{separator}virtual_host={number}"
    return f"{settings.REDIS_URL.rstrip('/')}/{number}"


settings.REDIS_URL = settings.CELERY_BROKER_URL = broker_of_this_process()


@pytest.fixture(scope="session", autouse=True)
def _plain_settings() -> None:
    """Cheap passwords, no limit of requests, mail in memory before the page is there: what the tests are not about."""
    settings.MAIL_IN_BACKGROUND = False
    settings.REQUESTS_A_MINUTE = 0  # one session of a test asks for thousands
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(scope="session")
def django_db_setup(
    request: pytest.FixtureRequest,
    django_test_environment: None,
    django_db_blocker: Any,
    django_db_keepdb: bool,
    django_db_createdb: bool,
    django_db_modify_db_settings: None,
) -> Iterator[None]:
    """The owner makes and drops the test database; the application's login uses it."""
    keepdb = django_db_keepdb and not django_db_createdb
    with django_db_blocker.unblock(), walls.as_owner():
        databases = setup_databases(
            verbosity=request.config.option.verbose,
            interactive=False,
            keepdb=keepdb,
            serialized_aliases=[],
        )
    with django_db_blocker.unblock():
        assert walls.faults() == []
        if keepdb:
            call_command("flush", interactive=False, verbosity=0)
        _made.append(make_cast())
        is_demo()  # asked once a process: no page that is counted is the one that asks
    yield
    if not django_db_keepdb:
        with django_db_blocker.unblock(), connection.cursor() as cursor:
            # A server that a test has killed may not have hung up yet.
            cursor.execute(
                "select pg_terminate_backend(pid) from pg_stat_activity"
                " where datname = current_database() and usename = current_user and pid <> pg_backend_pid()"
            )
        with django_db_blocker.unblock(), walls.as_owner():
            teardown_databases(databases, verbosity=0)


_made: list[Cast] = []  # made once a process; every test gets a copy, and the rows as they were


@pytest.fixture(scope="session")
def copy_of_the_cast(django_db_setup: None) -> Callable[[], Cast]:
    """For a fixture that holds the database for several tests: what `cast` is to one."""
    return _copied


@pytest.fixture
def cast(db: None) -> Cast:
    """Asha, Sam, Mo, Lee, Ann, and Zed who must see nothing of theirs."""
    return _copied()


def _copied() -> Cast:
    if not User.objects.filter(pk=_made[0].mo.user.pk).exists():  # a test that commits has emptied the database
        _made[0] = make_cast()
    return deepcopy(_made[0])


@pytest.fixture
def empty(transactional_db: None) -> None:
    """A database without anybody."""
    call_command("flush", interactive=False, verbosity=0)


@pytest.fixture
def live_cast(transactional_db: None) -> Cast:
    """The same people, committed: for what other processes and threads must see. Nobody has guessed anything yet."""
    call_command("flush", interactive=False, verbosity=0)
    cache.clear()
    return make_cast()


@pytest.fixture(scope="module")
def own_database(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """A database without anybody, for a module that commits what all its tests read; the cast is there after it."""
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)
        cache.clear()
    yield
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)
        cache.clear()
        _made[0] = make_cast()


@pytest.fixture(scope="session")
def child_env(django_db_setup: None) -> dict[str, str]:
    """The environment in which another process of the service uses this test's database and broker."""
    database = connection.settings_dict
    login = f"{database['USER']}:{quote(database['PASSWORD'])}" if database["PASSWORD"] else database["USER"]
    host = database["HOST"] or database["OPTIONS"].get("host", "")
    if host.startswith("/"):
        url = f"postgres://{login}@/{database['NAME']}?host={quote(host)}"
    else:
        url = f"postgres://{login}@{host}:{database['PORT'] or 5432}/{database['NAME']}"
    return {
        **os.environ,
        "DATABASE_URL": url,
        "DATABASE_OWNER_URL": settings.OWNER_DATABASE_URL,
        "REDIS_URL": settings.REDIS_URL,
        "HWBC_LOCAL": "true",
        "HWBC_VAR": str(settings.VAR),
        "LOG_LEVEL": "WARNING",
    }


def wait_for(condition: Any, seconds: float = 20, what: str = "it") -> None:
    """Wait until `condition()` is true; fail, saying what was waited for, after `seconds`."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.05)
    pytest.fail(f"Waited {seconds} seconds for {what}.")


@pytest.fixture
def worker(transactional_db: None, child_env: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """A real Celery worker on this test's database; what this process sends goes to it."""
    process = subprocess.Popen(
        [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "hwbc",
            "worker",
            "--concurrency=1",
            "--without-gossip",
            "--loglevel=INFO",
        ],
        env=child_env,
        cwd=settings.BASE_DIR,
    )
    try:
        wait_for(lambda: app.control.ping(timeout=0.5), what="the worker to answer")
        yield process
    finally:
        process.terminate()
        process.wait(20)


def free_port() -> int:
    """A port of the loopback interface that nobody uses at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
