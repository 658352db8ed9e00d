"""Several programs run as one: all start, and when one ends or we are told to stop, all end."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from hwbc.embedded.processes import start_tied
from hwbc.embedded.servers import last_lines
from hwbc.embedded.trouble import Trouble

_TO_STOP = 10.0  # seconds
_TO_BE_READY = 60.0
_TICK = 0.2


@dataclass(frozen=True)
class Program:
    """One program, its log, and what it gets besides our environment."""

    name: str
    command: Sequence[str]
    log: Path
    env: dict[str, str]


class Runner:
    """Starts the programs in the order given and stops them in the reverse. Told to stop by SIGINT, SIGTERM, SIGHUP.

    The signals are blocked and taken one at a time, so a second Ctrl-C cannot interrupt the stopping; and a runner that
    is killed takes its programs with it, because the kernel signals them (`start_tied`).
    """

    def __init__(self, programs: Sequence[Program]) -> None:
        self.programs = programs
        self.running: list[tuple[Program, subprocess.Popen[bytes]]] = []
        self.printers: list[threading.Thread] = []
        self.signals = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD}
        self.terminal = os.isatty(0)
        if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # nohup
            self.signals.remove(signal.SIGHUP)
            self.terminal = False

    def run(self, *, is_ready: Callable[[], bool], when_ready: Callable[[], None], check: Callable[[], None]) -> None:
        """Run until told to stop. Raises `Trouble` when a program ends by itself, or with what `check` raises."""
        before = signal.pthread_sigmask(signal.SIG_BLOCK, self.signals)
        try:
            for program in self.programs:
                env = os.environ | program.env
                process = start_tied(program.command, signal.SIGTERM, env=env, output=subprocess.PIPE)
                self.running.append((program, process))
            self._print_output()
            self._watch(is_ready, when_ready, check)
        finally:
            self._stop()
            while signal.sigtimedwait(self.signals, 0):
                pass  # a second Ctrl-C, come while stopping
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def _watch(self, is_ready: Callable[[], bool], when_ready: Callable[[], None], check: Callable[[], None]) -> None:
        ready = False
        deadline = time.monotonic() + _TO_BE_READY
        while True:
            received = signal.sigtimedwait(self.signals, 5 * _TICK if ready else _TICK)
            if received and received.si_signo != signal.SIGCHLD:
                return
            if self.terminal and not os.isatty(0):  # closed, and only the leader of its session (make?) was told
                return
            for program, process in self.running:
                if process.poll() is not None:
                    raise Trouble(_last_words(f"The {program.name} process ended by itself", program.log))
            check()
            if not ready and is_ready():
                ready = True
                when_ready()
            if not ready and time.monotonic() > deadline:
                first = self.programs[0]
                raise Trouble(_last_words(f"No answer from the {first.name} process in a minute", first.log))

    def _stop(self) -> None:
        """Ask all to end; whoever has not in ten seconds is killed, with its children."""
        for _, process in reversed(self.running):
            process.terminate()
        deadline = time.monotonic() + _TO_STOP
        for _, process in self.running:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, deadline - time.monotonic()))
            with contextlib.suppress(ProcessLookupError):  # its group, for children that outlived it too
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        for printer in self.printers:
            printer.join(timeout=1)

    def _print_output(self) -> None:
        """Copy each program's lines to its log and, with its name before them, to the terminal."""
        width = max(len(program.name) for program in self.programs)
        for program, process in self.running:
            printer = threading.Thread(
                target=_copy, args=[process, program.log, program.name.ljust(width)], daemon=True
            )
            printer.start()
            self.printers.append(printer)


def _copy(process: subprocess.Popen[bytes], log: Path, name: str) -> None:
    with log.open("wb", buffering=0) as kept:
        for line in process.stdout or ():
            kept.write(line)
            say(f"{name} | {line.decode(errors='replace').rstrip()}")  # without a terminal the log goes on


def _last_words(what: str, log: Path) -> str:
    time.sleep(_TICK)  # for its last lines to arrive
    return f"{what}. The end of {log}:\n{last_lines(log)}"


def say(line: str) -> None:
    """Print a line, if there is still a terminal to print on."""
    with contextlib.suppress(OSError):
        sys.stdout.write(f"{line}\n")  # in one piece, for several threads say something
        sys.stdout.flush()
