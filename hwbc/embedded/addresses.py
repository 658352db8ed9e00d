"""Where the embedded servers listen. Imports nothing but the standard library: the settings need it."""

import contextlib
import hashlib
import os
import secrets
import tempfile
from pathlib import Path
from urllib.parse import quote

from hwbc.embedded.trouble import cannot_write

APP, OWNER, LIFTED, NAME = "hwbc_app", "hwbc_owner", "hwbc_all", "hwbc"
DATABASE_SOCKET, BROKER_SOCKET = ".s.PGSQL.5432", "valkey.sock"
DEFAULT_ADDRESS = "http://127.0.0.1:8000"
LONGEST_SOCKET_PATH = 107  # bytes, the kernel's limit for a unix socket's address


def sockets(var: Path) -> Path:
    """The folder of the sockets: `var/run`, or one below the temporary folder where that path cannot be an address.

    It may be too long for the kernel; and a comma would be two addresses to PostgreSQL's client.
    """
    folder = var / "run"
    if len(os.fsencode(folder / DATABASE_SOCKET)) <= LONGEST_SOCKET_PATH and "," not in str(folder):
        return folder
    return Path(tempfile.gettempdir()) / f"hwbc-{hashlib.sha256(os.fsencode(var)).hexdigest()[:16]}"


def database_url(var: Path, role: str) -> str:
    """The embedded database's URL for one of its logins; django-environ does not unquote `%2F` hosts."""
    return f"postgres://{role}@/{NAME}?host={quote(str(sockets(var)))}&port=5432"


def broker_url(var: Path) -> str:
    """The embedded broker's URL."""
    return f"redis+socket://{quote(str(sockets(var)))}/{BROKER_SOCKET}"


def local_address(var: Path) -> str:
    """Where this copy's `manage.py start` answers, or would: it writes its address into its lock."""
    with contextlib.suppress(OSError):
        return (var / "locks" / "start").read_text().partition(" ")[0] or DEFAULT_ADDRESS
    return DEFAULT_ADDRESS


def local_secret(var: Path) -> str:
    """This copy's own secret key: made once, kept in `var/secret-key`, readable by its owner alone."""
    file = var / "secret-key"
    try:
        if not file.exists():
            var.mkdir(parents=True, exist_ok=True)
            made = var / f".secret-key-{os.getpid()}"
            made.touch(mode=0o600)
            made.write_text(secrets.token_urlsafe(50))
            with contextlib.suppress(FileExistsError):
                os.link(made, file)  # of two that start at once, the first one's stays
            made.unlink()
        return file.read_text()
    except OSError as error:
        raise cannot_write(error, var) from None
