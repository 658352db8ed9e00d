"""The embedded servers, for whoever needs them: `use` has them running for as long as this process lives.

Each server has a keeper (`hwbc.embedded.keeper`), which the first user starts and which stops the server after the last
one. Nothing has to be closed: the kernel frees the user's lock, however the user ends. Standard library only.
"""

import os
import stat
import subprocess
import sys
from pathlib import Path

from hwbc.embedded import addresses, locks
from hwbc.embedded.trouble import Trouble, cannot_write

SERVERS = ("postgres", "valkey")
_PROJECT = Path(__file__).resolve().parent.parent.parent
_LOG_LIMIT = 1_000_000  # bytes; a longer one is set aside at the next start
_used: dict[Path, int] = {}  # the locks that say "in use", held until this process ends


def use(var: Path, *, database: bool = True, broker: bool = True) -> None:
    """Have the embedded servers running, from now until this process ends. Raises `Trouble`."""
    wanted = [name for name, needed in zip(SERVERS, (database, broker), strict=True) if needed]
    if not wanted:
        return
    try:
        _make_socket_folder(var)
        for name in wanted:
            _use(var, name)
    except OSError as error:
        raise cannot_write(error, var) from None


def is_running(var: Path, name: str) -> bool:
    """Whether the server has a keeper. To be asked by one of its users."""
    return locks.is_held(locks.path(var, f"{name}.keeper"))


def log_file(var: Path, name: str) -> Path:
    """The log of this name, in a folder that exists."""
    file = var / "log" / f"{name}.log"
    file.parent.mkdir(parents=True, exist_ok=True)
    return file


def last_lines(file: Path, count: int = 10) -> str:
    """The end of a log."""
    return "\n".join(file.read_text(errors="replace").splitlines()[-count:]) if file.exists() else ""


def _use(var: Path, name: str) -> None:
    users = locks.path(var, f"{name}.users")
    if users not in _used:
        _used[users] = locks.hold(users, locks.SHARED)  # waits for a keeper that is just stopping
    starting = locks.hold(locks.path(var, f"{name}.start"), locks.EXCLUSIVE)
    try:
        if not is_running(var, name):
            _start_keeper(var, name)
    finally:
        os.close(starting)


def _start_keeper(var: Path, name: str) -> None:
    log = log_file(var, name)
    if log.exists() and log.stat().st_size > _LOG_LIMIT:
        log.replace(log.with_suffix(".old.log"))
    reading, writing = os.pipe()
    with log.open("ab") as output, os.fdopen(reading) as answer:
        try:
            subprocess.run(
                [sys.executable, "-m", "hwbc.embedded.keeper", name, str(var), str(writing)],
                cwd=_PROJECT,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                pass_fds=[writing],
                start_new_session=True,
                check=True,
            )
        finally:
            os.close(writing)
        said = answer.read()
    if said != "ready":
        raise Trouble(f"{said or 'The keeper of an embedded server ended at once.'} (Log: {log})")


def _make_socket_folder(var: Path) -> None:
    """A folder that only we enter: whoever reaches the sockets has the data, for there are no passwords."""
    folder = addresses.sockets(var)
    if len(os.fsencode(folder / addresses.DATABASE_SOCKET)) > addresses.LONGEST_SOCKET_PATH:
        raise Trouble(f"{folder} is too long a path for a socket: move HWBC_VAR, or TMPDIR, to a shorter one.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    ours = os.geteuid() == 0 or found.st_uid == os.geteuid()
    if not stat.S_ISDIR(found.st_mode) or not ours or stat.S_IMODE(found.st_mode) & 0o077:
        raise Trouble(f"{folder} is open to other users, or theirs: delete it and try again, or move HWBC_VAR.")
