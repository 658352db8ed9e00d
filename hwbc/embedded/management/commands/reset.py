"""`manage.py reset`: throw this copy's data away."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management import BaseCommand

from hwbc.embedded import addresses, locks, servers
from hwbc.embedded.trouble import Trouble

# By name, and never the whole folder: HWBC_VAR may point to one with other things in it. The locks stay, being held.
STATE = ("postgres", "postgres.new", "valkey", "run", "log", "beat", "mail", "files")


class Command(BaseCommand):
    """Delete what the embedded servers and the local service keep."""

    help = "Delete this copy's data: embedded database, broker, files, mail, logs. Named servers are not touched."
    requires_system_checks = []

    def handle(self, **options: Any) -> None:
        """Refuse while anything runs; then delete."""
        with contextlib.ExitStack() as held:
            folders = [folder for folder in (settings.VAR, settings.VAR / "test") if folder.exists()]
            for folder in folders:
                _hold_everything(held, folder)
            gone = [str(path) for folder in folders for path in _state(folder) if _delete(path)]
        self.stdout.write(f"Deleted: {', '.join(gone)}." if gone else f"Nothing to delete in {settings.VAR}.")


def _hold_everything(held: contextlib.ExitStack, var: Path) -> None:
    for name in ("start", *(f"{server}.users" for server in servers.SERVERS)):
        file = locks.path(var, name)
        try:
            held.callback(os.close, locks.hold(file, locks.EXCLUSIVE, patience=5 if name != "start" else 0))
        except BlockingIOError:
            raise Trouble(f"{var} is in use: stop `make start` and every other command of this copy first.") from None


def _state(var: Path) -> list[Path]:
    return [*(var / name for name in STATE), addresses.sockets(var)]


def _delete(path: Path) -> bool:
    if path.is_dir():
        shutil.rmtree(path)
    elif path.exists():
        path.unlink()
    else:
        return False
    return True
