"""Lock files. The kernel lets go of a lock when the last process that has it open ends, however it ends."""

import fcntl
import os
import time
from pathlib import Path

SHARED, EXCLUSIVE = fcntl.LOCK_SH, fcntl.LOCK_EX


def path(var: Path, name: str) -> Path:
    """Where the lock of this name lies."""
    return var / "locks" / name


def hold(file: Path, mode: int, *, patience: float | None = None) -> int:
    """Take the lock and return its descriptor, which a new program does not inherit.

    Waits as long as it takes, or `patience` seconds at most, and then raises `BlockingIOError`.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        if patience is None:
            fcntl.flock(descriptor, mode)
        else:
            _try(descriptor, mode, time.monotonic() + patience)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _try(descriptor: int, mode: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.02)


def is_held(file: Path) -> bool:
    """Whether somebody holds the lock exclusively."""
    try:
        os.close(hold(file, SHARED, patience=0))
    except BlockingIOError:
        return True
    return False
