"""The keeper of one embedded server: starts it, and stops it when nobody uses it any more.

`python -m hwbc.embedded.keeper NAME VAR ANSWER`, started by `hwbc.embedded.servers.use` alone. Writes `ready`, or what
is wrong, to the descriptor ANSWER. Whoever uses the server holds a shared lock; the keeper waits for that lock
exclusively, and so gets it exactly when the last user has ended, be it by `kill -9`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from hwbc.embedded import locks
from hwbc.embedded.postgres import Postgres
from hwbc.embedded.trouble import Trouble
from hwbc.embedded.valkey import Valkey


class Server(Protocol):
    """What the keeper asks of a server."""

    title: str
    stop_signals: tuple[signal.Signals, ...]

    def prepare(self) -> None: ...
    def start(self, lock: int) -> subprocess.Popen[bytes]: ...
    def is_ready(self, process: subprocess.Popen[bytes]) -> bool: ...


_SERVERS: dict[str, Callable[[Path], Server]] = {"postgres": Postgres, "valkey": Valkey}
_SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
_TO_START = 60.0  # seconds: recovery after a crash takes its time
_TO_STOP = 20.0


def main(name: str, var: Path, answer: int) -> int:
    """Keep one server until its last user has gone."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _SIGNALS)  # taken one at a time by sigwait
    try:
        alive = locks.hold(locks.path(var, f"{name}.keeper"), locks.EXCLUSIVE)
        server = _SERVERS[name](var)
        process = _start(server, _exclusive(server, locks.path(var, f"{name}.server")))
    except (Trouble, OSError) as trouble:
        _say(answer, str(trouble))
        return 1
    _say(answer, "ready")

    users = locks.path(var, f"{name}.users")
    threading.Thread(target=_wait_for_last_user, args=[users], daemon=True).start()
    while signal.sigwait(_SIGNALS) == signal.SIGCHLD and process.poll() is None:
        pass  # a child's child
    died = process.poll() is not None
    os.close(alive)  # from here on a new user starts a new keeper, which waits for this server's end
    _stop(server, process)
    return int(died)


def _exclusive(server: Server, lock: Path) -> int:
    """The lock that the server's processes share: free when none is left, also of a keeper that was killed."""
    try:
        return locks.hold(lock, locks.EXCLUSIVE, patience=_TO_START)
    except BlockingIOError:
        raise Trouble(f"The last {server.title} of this folder is still stopping: try again in a minute.") from None


def _start(server: Server, lock: int) -> subprocess.Popen[bytes]:
    server.prepare()
    process = server.start(lock)
    os.close(lock)  # the server's own from here
    deadline = time.monotonic() + _TO_START
    while not server.is_ready(process):
        if process.poll() is not None or time.monotonic() > deadline:
            _stop(server, process)
            raise Trouble(f"The embedded {server.title} did not start; its log says why.")
        time.sleep(0.01)
    return process


def _stop(server: Server, process: subprocess.Popen[bytes]) -> None:
    for stop_signal in (*server.stop_signals, signal.SIGKILL):
        process.send_signal(stop_signal)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_TO_STOP)
            return


def _wait_for_last_user(users: Path) -> None:
    locks.hold(users, locks.EXCLUSIVE)
    os.kill(os.getpid(), signal.SIGTERM)


def _say(answer: int, words: str) -> None:
    with contextlib.suppress(BrokenPipeError):  # who asked may be gone; then the lock is free and we stop at once
        os.write(answer, words.encode())
    os.close(answer)


if __name__ == "__main__":
    if os.fork():  # nobody's child: it outlives the user who happened to come first
        os._exit(0)
    sys.exit(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
