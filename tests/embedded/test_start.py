"""`manage.py start`: everything runs, and however it ends, nothing is left."""

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.embedded.helpers import PROJECT, environment, free_port, kill_all, manage, processes_of, wait_until


class Terminal:
    """A terminal with `manage.py start` in it."""

    def __init__(self, var: Path, leader: Sequence[str] = (), demo: str = "no") -> None:
        self.port, self.said = free_port(), ""
        self.screen, inside = os.openpty()
        self.process = subprocess.Popen(
            [*leader, sys.executable, PROJECT / "manage.py", "start", "--port", str(self.port)],
            env=environment(var, HWBC_DEMO=demo),
            preexec_fn=lambda: os.login_tty(inside),
        )
        os.close(inside)

    def read_until(self, words: str = "") -> str:
        """What it prints up to these words, or to its end."""
        said = b""
        while not words or words.encode() not in said:
            try:
                part = os.read(self.screen, 1000)
            except OSError:  # how a terminal says that the last program has closed it
                part = b""
            if not part:
                assert not words, said.decode()
                break
            said += part
        return said.decode()

    def close(self) -> None:
        """The window is closed."""
        with suppress(OSError):
            os.close(self.screen)


@contextmanager
def started(var: Path, leader: Sequence[str] = (), demo: str = "no") -> Iterator[Terminal]:
    """The service, ready, in a terminal; what it had said by then is in `said`."""
    terminal = Terminal(var, leader, demo)
    try:
        terminal.said = terminal.read_until("what you entered is kept.")
        yield terminal
        terminal.process.wait(30)
    finally:
        terminal.process.kill()
        terminal.process.wait()
        terminal.close()


def test_it_runs_until_ctrl_c_and_keeps_what_was_entered(var):
    with started(var) as terminal:
        assert "manage.py invite you@example.org" in terminal.said
        assert "This is a demo" not in terminal.said
        page = f"http://127.0.0.1:{terminal.port}/health/live"
        with urllib.request.urlopen(page, timeout=5) as answer:
            assert answer.status == 200
        for program in ("gunicorn", "\0worker\0", "\0beat\0", "pginstall", "valkey-server"):
            assert processes_of(var, program), program

        again = manage(var, "start", "--port", str(free_port()))
        assert again.returncode == 1
        assert f"already running at http://127.0.0.1:{terminal.port} (process {terminal.process.pid})" in again.stderr
        assert "in use" in manage(var, "reset").stderr
        assert "[X]" in manage(var, "showmigrations").stdout
        taken = manage(var / "other", "start", "--port", str(terminal.port))
        assert f"Port {terminal.port} is taken" in taken.stderr
        assert f"PORT={terminal.port + 1} make start" in taken.stderr

        os.write(terminal.screen, b"\x03")
        terminal.read_until("Worker exiting")
        os.write(terminal.screen, b"\x03")  # impatience changes nothing
        assert "Traceback" not in terminal.read_until()
    assert terminal.process.returncode == 0
    assert wait_until(lambda: not processes_of(var))
    assert "[X]" in manage(var, "showmigrations").stdout


@pytest.mark.long
def test_the_first_start_makes_a_demo_and_says_where_it_is(var):
    with started(var, demo="") as terminal:
        page = f"http://127.0.0.1:{terminal.port}/demo/"
        assert "Making a demo" in terminal.said
        ready = terminal.said.partition("Ready: ")[2]
        assert f"Sign in as any of them: {page}" in ready
        assert "HWBC_DEMO=no make start" in ready
        assert "manage.py invite" not in ready
        with urllib.request.urlopen(page, timeout=10) as answer:
            assert b"Sign in as Robert Ellwood, PCN manager" in answer.read()
        terminal.process.send_signal(signal.SIGTERM)


def test_what_is_neither_yes_nor_no_is_said_before_anything_starts(var):
    assert 'HWBC_DEMO is "maybe"' in manage(var, "start", "--port", str(free_port()), HWBC_DEMO="maybe").stderr
    assert not (var / "postgres").exists()


@pytest.mark.long
def test_kill_9_leaves_nothing(var):
    with started(var) as terminal:
        terminal.process.kill()
        assert wait_until(lambda: not processes_of(var))


@pytest.mark.long
@pytest.mark.parametrize("leader", [[], ["sh", "-c", 'trap : HUP; "$@"', "sh"]], ids=["alone", "below a deaf leader"])
def test_a_closed_terminal_leaves_nothing(var, leader):
    """Only the leader of the session is told; `make` as the leader waits for us instead of passing it on."""
    with started(var, leader) as terminal:
        terminal.close()
        assert wait_until(lambda: not processes_of(var))


@pytest.mark.long
def test_when_one_program_dies_its_last_words_are_shown_and_everything_stops(var):
    with started(var) as terminal:
        worker = next(pid for pid in processes_of(var, "\0worker\0") if parent(pid) == terminal.process.pid)
        kill_all({worker: "worker"})
        said = terminal.read_until()
    assert terminal.process.returncode == 1
    assert "The worker process ended by itself" in said
    assert wait_until(lambda: not processes_of(var))


@pytest.mark.long
def test_when_a_server_dies_everything_stops(var):
    with started(var) as terminal:
        kill_all(processes_of(var, "valkey-server"))
        assert "The valkey server ended by itself" in terminal.read_until()
    assert terminal.process.returncode == 1


def test_a_taken_port_is_said_before_anything_starts(var):
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        done = manage(var, "start", "--port", str(port))
    assert done.returncode == 1
    assert f"Port {port} is taken" in done.stderr
    assert not (var / "postgres").exists()


def test_sigterm_is_an_orderly_end(var):
    with started(var) as terminal:
        terminal.process.send_signal(signal.SIGTERM)
        terminal.read_until()
    assert terminal.process.returncode == 0


def parent(pid: int) -> int:
    """The process number of the parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
