"""Child processes that end with their parent, and the ways to run one as somebody else than root."""

import ctypes
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Self

_PR_SET_PDEATHSIG = 1
_CLONE_NEWUSER = 0x10000000
_libc = ctypes.CDLL(None, use_errno=True)


def die_with(parent: int, last_signal: signal.Signals) -> None:
    """In a new child: have the kernel send `last_signal` when `parent` dies, even by `kill -9`. Unblocks all signals.

    Only Linux can do this; elsewhere a killed parent leaves its children running. To be called from the main thread's
    child, since the kernel watches the parent's thread.
    """
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    if sys.platform == "linux":
        _libc.prctl(_PR_SET_PDEATHSIG, last_signal)
    if os.getppid() != parent:  # it died before the kernel was asked
        os._exit(1)


def start_tied(
    command: Sequence[str | Path], last_signal: signal.Signals, *, env: dict[str, str], output: IO[bytes] | int
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own, so that the terminal's Ctrl-C is ours alone; it dies with us."""
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        start_new_session=True,
        preexec_fn=partial(die_with, os.getpid(), last_signal),
    )


@dataclass(frozen=True)
class Account:
    """Who a child runs as: ourselves, another user, or root behind the mask of a user namespace."""

    uid: int | None = None
    gid: int | None = None
    masked: bool = False

    @classmethod
    def instead_of_root(cls) -> tuple[Self, Self]:
        """What root can try, best first. The mask leaves the files root's own and works below a private home."""
        nobody = pwd.getpwnam("nobody")
        return cls(masked=True), cls(uid=nobody.pw_uid, gid=nobody.pw_gid)

    def start(
        self,
        command: Sequence[str | Path],
        last_signal: signal.Signals,
        *,
        keep_open: Sequence[int] = (),
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """Start a server's program with our output, an environment free of surprises, and tied to our life."""
        return subprocess.Popen(
            command,
            env={"LC_ALL": "C.UTF-8", "PATH": os.defpath},
            cwd="/",
            stdin=stdin,
            pass_fds=keep_open,
            user=self.uid,
            group=self.gid,
            extra_groups=None if self.uid is None else [],
            preexec_fn=partial(self._become, os.getpid(), last_signal, folder),
        )

    def can_run(self, command: Sequence[str | Path], folder: Path) -> bool:
        """Whether this account reaches the program and the folder."""
        try:
            return self.start(command, signal.SIGKILL, folder=folder).wait() == 0
        except (OSError, subprocess.SubprocessError):
            return False

    def _become(self, parent: int, last_signal: signal.Signals, folder: Path | None) -> None:
        if self.masked:
            _mask_root()
        die_with(parent, last_signal)  # last: the kernel forgets it when credentials change
        if folder:
            os.chdir(folder)


def _mask_root() -> None:
    """Enter a user namespace in which we are `nobody`: a name that exists, for `initdb` looks it up."""
    nobody = pwd.getpwnam("nobody")
    if _libc.unshare(_CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "user namespaces are not allowed here")
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{nobody.pw_uid} 0 1")
    Path("/proc/self/gid_map").write_text(f"{nobody.pw_gid} 0 1")
