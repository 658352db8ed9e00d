"""`manage.py start`: the whole service on this machine, on the loopback interface alone."""

import contextlib
import errno
import http.client
import io
import os
import socket
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand, call_command
from django.db import connections
from kombu import Connection

from hwbc.embedded import locks, servers
from hwbc.embedded.runner import Program, Runner, say
from hwbc.embedded.trouble import Trouble

HOST = "127.0.0.1"
NEXT_STEPS = """\
No account yet? In a second terminal, for a first manager of a first PCN:
  .venv/bin/python manage.py invite you@example.org pcn_manager U99999 --new "Riverside PCN" --name "Your Name"
"""
STOPPING = "Ctrl-C stops everything; what you entered is kept."


class Command(BaseCommand):
    """Servers, migrations, web server, worker and schedule, until Ctrl-C."""

    help = "Run the service on this machine: embedded servers, migrations, web server, worker and schedule."
    requires_system_checks = []  # `migrate` makes them, once the database is there

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The port."""
        parser.add_argument("--port", default=os.environ.get("PORT") or "8000", help="also PORT; 8000 if not given")

    def handle(self, *, port: str, **options: Any) -> None:
        """Run until Ctrl-C, which is an orderly end."""
        with contextlib.suppress(KeyboardInterrupt):
            start(settings.VAR, settings.BASE_DIR, _port(port))


def start(var: Path, project: Path, port: int) -> None:
    """Run everything until told to stop. Raises `Trouble`."""
    address = f"http://{HOST}:{port}"
    wants_demo = _wants_demo(os.environ.get("HWBC_DEMO", ""))
    started = _only_one(var, address)
    _check_port(port)
    if not (Path(settings.STATIC_ROOT) / "staticfiles.json").exists():
        raise Trouble("The style sheet has not been built: run `make setup`.")
    embedded = {"postgres": settings.EMBEDDED_DATABASE, "valkey": settings.EMBEDDED_BROKER}
    servers.use(var, database=embedded["postgres"], broker=embedded["valkey"])
    if not settings.EMBEDDED_BROKER:
        _check_broker(settings.REDIS_URL)
    call_command("migrate", interactive=False, verbosity=0, skip_checks=False)
    if settings.EMBEDDED_DATABASE and wants_demo:
        call_command("demo", if_empty=True)
    next_steps = _about_demo(address) or NEXT_STEPS
    connections.close_all()

    def check() -> None:
        for name in (name for name, needed in embedded.items() if needed):
            if not servers.is_running(var, name):
                log = servers.log_file(var, name)
                raise Trouble(f"The {name} server ended by itself. The end of {log}:\n{servers.last_lines(log)}")

    Runner(_programs(var, project, port, address)).run(
        is_ready=lambda: _answers(port),
        when_ready=lambda: say(f"\nReady: {address}\n{next_steps}{STOPPING}\n"),
        check=check,
    )
    os.close(started)


def _programs(var: Path, project: Path, port: int, address: str) -> list[Program]:
    env = {
        "HWBC_LOCAL": "true",
        "HWBC_VAR": str(var),
        "BASE_URL": os.environ.get("BASE_URL") or address,
        "BIND": f"{HOST}:{port}",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": str(project),
    }
    schedule = var / "beat" / "schedule"
    schedule.parent.mkdir(parents=True, exist_ok=True)
    python = [sys.executable, "-m"]
    celery = [*python, "celery", "--quiet", "--app", "hwbc.celery"]
    alone = ["--without-gossip", "--without-mingle"]  # there is no other worker to wait for
    commands = {
        "web": [*python, "gunicorn", "--config", str(project / "gunicorn.conf.py"), "hwbc.wsgi:application"],
        "worker": [*celery, "worker", "--concurrency", "2", *alone, "--loglevel", "INFO"],
        "beat": [*celery, "beat", "--schedule", str(schedule), "--pidfile=", "--loglevel", "INFO"],
    }
    return [Program(name, command, servers.log_file(var, name), env) for name, command in commands.items()]


def _wants_demo(words: str) -> bool:
    """Whether a database that holds nothing is to become a demo. Raises `Trouble`."""
    if words.lower() not in ("", "yes", "no"):
        raise Trouble(f'HWBC_DEMO is "{words}". It can be yes or no.')
    return words.lower() != "no"


def _about_demo(address: str) -> str:
    """What a demo says of itself, with where to begin; nothing where there is none."""
    said = io.StringIO()
    call_command("demo", about=True, at=address, stdout=said)
    return said.getvalue()


def _port(words: str) -> int:
    if not words.isdecimal() or not 0 < int(words) < 65536:
        raise Trouble(f'PORT is "{words}". It has to be a number from 1 to 65535, such as 8000.')
    return int(words)


def _only_one(var: Path, address: str) -> int:
    """The lock of this folder's one runner, with its address and process number written in it."""
    file = locks.path(var, "start")
    try:
        lock = locks.hold(file, locks.EXCLUSIVE, patience=0)
    except BlockingIOError:
        raise Trouble(
            f"This copy is already running at {file.read_text()}. Use that, or stop it first; "
            "a second copy needs a folder of its own (HWBC_VAR) and a port of its own (PORT)."
        ) from None
    os.truncate(lock, 0)
    os.write(lock, f"{address} (process {os.getpid()})".encode())
    return lock


def _check_port(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Trouble(f"Port {port} is taken by another program. Try `PORT={port + 1} make start`.") from None
            raise Trouble(f"Port {port} cannot be used ({error.strerror}). Try `PORT=8000 make start`.") from None


def _check_broker(url: str) -> None:
    connection = Connection(url, transport_options={"socket_connect_timeout": 3})
    try:
        connection.ensure_connection(max_retries=1, reraise_as_library_errors=False)
    except Exception as error:  # noqa: BLE001  whatever its transport raises
        raise Trouble(f"The broker at {connection.as_uri()} cannot be reached: {error} Check REDIS_URL.") from None
    finally:
        connection.release()


def _answers(port: int) -> bool:
    """Whether the page is there: the web server answers, and its database behind it."""
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
