"""Real processes: users of the servers, commands, the runner; and what is left of them."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import environ
import psycopg

from hwbc.embedded import addresses

PROJECT = Path(__file__).resolve().parent.parent.parent
_USER = """
import sys
from pathlib import Path
from hwbc.embedded import servers
from hwbc.embedded.trouble import Trouble
try:
    servers.use(Path(sys.argv[1]), database="postgres" in sys.argv, broker="valkey" in sys.argv)
except Trouble as trouble:
    sys.exit(str(trouble))
print("up", flush=True)
sys.stdin.read()
"""


def environment(var: Path, **more: str) -> dict[str, str]:
    """Ours, without what names other servers or another state folder."""
    foreign = {"DATABASE_URL", "DATABASE_OWNER_URL", "REDIS_URL", "PORT", "BASE_URL", "DATABASE_POOL"}
    ours = {name: value for name, value in os.environ.items() if name not in foreign}
    return ours | {"HWBC_VAR": str(var), "HWBC_FSYNC": "off", "HWBC_LOCAL": "true", "PYTHONPATH": str(PROJECT)} | more


@contextmanager
def user(var: Path, *names: str, **env: str) -> Iterator["subprocess.Popen[str]"]:
    """A process that uses the servers until the block ends."""
    command = [sys.executable, "-c", _USER, str(var), *(names or ("postgres", "valkey"))]
    with subprocess.Popen(
        command,
        env=environment(var, **env),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout
        assert process.stderr
        try:
            said = process.stdout.readline()
            assert said == "up\n", process.stderr.read()
            yield process
        finally:
            with suppress(BrokenPipeError):
                process.stdin.close()  # type: ignore[union-attr]
            process.wait(30)


def refusal(var: Path, **env: str) -> str:
    """What a user is told who cannot have the servers."""
    try:
        with user(var, **env):
            raise RuntimeError("the servers started")
    except AssertionError as error:
        return str(error).splitlines()[0]


def manage(var: Path, *arguments: str, **env: str) -> "subprocess.CompletedProcess[str]":
    """Run one `manage.py` command to its end; PYTHONPATH names another copy of the project."""
    env = environment(var, **env)
    return subprocess.run(
        [sys.executable, Path(env["PYTHONPATH"]) / "manage.py", *arguments],
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def query(var: Path, sql: str, role: str = addresses.APP) -> Any:
    """The first value of the answer, asked with the URL that the settings use."""
    settings = environ.Env.db_url_config(addresses.database_url(var, role))
    with psycopg.connect(dbname=settings["NAME"], user=settings["USER"], **settings["OPTIONS"]) as connection:
        cursor = connection.execute(sql)
        row = cursor.fetchone() if cursor.description else None
    return row and row[0]


def processes_of(var: Path, containing: str = "") -> dict[int, str]:
    """The processes whose command line or environment names the folder, and whose command line has `containing`."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            with suppress(OSError):
                command = (entry / "cmdline").read_bytes()
                if os.fsencode(var) in command + (entry / "environ").read_bytes() and containing.encode() in command:
                    found[int(entry.name)] = command.replace(b"\0", b" ").decode(errors="replace")
    return found


def kill_all(processes: dict[int, str]) -> None:
    """With SIGKILL."""
    for pid in processes:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def wait_until(happened: Callable[[], object], seconds: float = 20) -> bool:
    """Whether it happened in that time."""
    deadline = time.monotonic() + seconds
    while not happened():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
