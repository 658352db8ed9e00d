"""Backup and restore: the whole database in one file, and beside the rows how many there are and a hash of them.

The file is a zip of two members: `database.dump`, as pg_dump writes it, and `contents.json`. One file and not two, so
that neither is ever without the other; and its list of members is at its end, so that a part of one is none. Without
this program, `unzip` and pg_restore bring it back. What is here runs as the owner, for whom there are no walls.
"""

import hashlib
import json
import os
import tempfile
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, NamedTuple

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.recorder import MigrationRecorder
from django.utils import timezone
from psycopg.conninfo import make_conninfo

from hwbc.embedded import clients
from hwbc.embedded.trouble import Trouble
from hwbc.workforce import history, sealing

DUMP, CONTENTS = "database.dump", "contents.json"
_BLOCK = 1 << 20  # bytes


class Table(NamedTuple):
    """What is told of a table: how many rows, and the hash of all that they say."""

    rows: int
    hash: str


@dataclass(frozen=True)
class Contents:
    """What was in the database, and what the dump of it is."""

    made_at: str
    server: int  # PostgreSQL's first number, and that of the pg_dump
    program: int
    migrations: list[str]  # "workforce.0001_initial"
    head: str  # the last hash of the audit's chain
    tables: dict[str, Table]
    size: int
    sha256: str

    @property
    def rows(self) -> int:
        """Of all tables together."""
        return sum(table.rows for table in self.tables.values())

    @classmethod
    def of(cls, text: bytes) -> "Contents":
        """As it was written. Raises ValueError, TypeError or AttributeError for anything else."""
        said = json.loads(text)
        return cls(**{**said, "tables": {name: Table(*table) for name, table in said["tables"].items()}})


# --- What there is ----------------------------------------------------------------------------------------------------

# The same rows read the same on every server and in every session; what waits for pg_dump meanwhile is not cut off.
_AS_TEXT = {
    "datestyle": "ISO", "timezone": "UTC", "intervalstyle": "postgres", "bytea_output": "hex",
    "extra_float_digits": "1",
    "row_security": "off",  # an error where a wall would hide rows from the owner too
    "statement_timeout": "0", "idle_in_transaction_session_timeout": "0", "transaction_timeout": "0",
}  # fmt: skip
_SET = "select set_config(name, said.value, true) from pg_settings join jsonb_each_text(%s::jsonb) said on key = name"
_OURS = "n.nspname !~ '^pg_' and n.nspname <> 'information_schema'"
_TABLES = f"""
select case when n.nspname = current_schema() then c.relname else n.nspname || '.' || c.relname end,
       format('%I.%I', n.nspname, c.relname),
       (select string_agg(format('%I', a.attname), ', ' order by a.attname collate "C") from pg_attribute a
         where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped),
       coalesce((select string_agg(format(case when a.attcollation <> 0 then '%I collate "C"' else '%I' end, a.attname),
                                   ', ' order by a.attnum)
                   from pg_index i join pg_attribute a on a.attrelid = c.oid and a.attnum = any(i.indkey)
                  where i.indrelid = c.oid and i.indisprimary), 't::text collate "C"')
  from pg_class c join pg_namespace n on n.oid = c.relnamespace where c.relkind = 'r' and {_OURS}
"""  # noqa: S608  put together from constants of ours


def _counted(cursor: Any) -> dict[str, Table]:
    """Every table, as this transaction sees it."""
    cursor.execute(_SET, [json.dumps(_AS_TEXT)])
    cursor.execute(_TABLES)
    return {
        name: _table(cursor, f"select {columns} from {table} t order by {keys}")  # noqa: S608
        for name, table, columns, keys in sorted(cursor.fetchall())
    }


def _table(cursor: Any, rows: str) -> Table:
    count, digest = 0, hashlib.sha256()
    with cursor.copy(f"copy ({rows}) to stdout") as copy:
        for block in copy:
            count += bytes(block).count(b"\n")  # one a row: those within are written otherwise
            digest.update(block)
    return Table(count, digest.hexdigest())


def counted() -> dict[str, Table]:
    """Every table, as it is now."""
    with _one_moment() as cursor:
        return _counted(cursor)


def differences(were: Mapping[str, Table], now: Mapping[str, Table]) -> list[str]:
    """What of the tables is not as it was, each a sentence without its full stop."""
    found = []
    for name in sorted({*were, *now}):
        before, after = were.get(name), now.get(name)
        if before is None or after is None:
            found.append(f"{name} is missing" if before else f"{name} was not there")
        elif before.rows != after.rows:
            found.append(f"{name} has {_many(after.rows, 'row')} instead of {before.rows:,}")
        elif before.hash != after.hash:
            found.append(f"{name} has as many rows, and they say something else")
    return found


@contextmanager
def _one_moment() -> Iterator[Any]:
    """Everything that is asked in the block is answered as of one moment."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set transaction isolation level repeatable read, read only")
        yield cursor


def _server() -> int:
    return int(connection.pg_version) // 10_000  # type: ignore[attr-defined]


def _migrations() -> list[str]:
    return sorted(".".join(key) for key in MigrationRecorder(connection).applied_migrations())


def pending() -> list[str]:
    """The migrations of this version that the database has not got yet."""
    executor = MigrationExecutor(connection)
    return [str(migration) for migration, _ in executor.migration_plan(executor.loader.graph.leaf_nodes())]


def _target() -> list[str]:
    """The options by which a program reaches the database that this process uses; no secret is among them."""
    connection.ensure_connection()
    known = connection.connection.info.get_parameters()
    return ["--dbname", make_conninfo(**{name: value for name, value in known.items() if "password" not in name})]


def _password() -> str:
    connection.ensure_connection()
    return str(connection.connection.info.password)


def _many(count: int, what: str) -> str:
    return f"{count:,} {what}{'' if count == 1 else 's'}"


# --- Backing up -------------------------------------------------------------------------------------------------------


def back_up(file: Path) -> Contents:
    """Write the whole database, as of one moment, while others go on writing. Raises `Trouble`."""
    program = clients.nearest("pg_dump", _server())
    with _new(file) as out, _one_moment() as cursor, zipfile.ZipFile(out, "w") as archive:
        cursor.execute("select pg_export_snapshot()")
        [snapshot] = cursor.fetchone()
        cursor.execute(_SET, [json.dumps(_AS_TEXT)])  # before the wait
        with archive.open(DUMP, "w", force_zip64=True) as member:
            size, sha256 = _dump(program, snapshot, member)
        contents = Contents(
            timezone.now().isoformat(timespec="seconds"),
            _server(),
            clients.version_of(program),
            _migrations(),
            sealing.last().hash,
            _counted(cursor),
            size,
            sha256,
        )
        archive.writestr(CONTENTS, json.dumps(asdict(contents), indent=1))
    return contents


def _dump(program: Path, snapshot: str, out: IO[bytes]) -> tuple[int, str]:
    """The dump of what that snapshot shows; answers its size and hash."""
    size, digest = 0, hashlib.sha256()
    options = ["--format=custom", f"--snapshot={snapshot}", *_target()]
    with clients.running(program, *options, password=_password()) as dump:
        for block in _blocks(dump):
            out.write(block)
            digest.update(block)
            size += len(block)
    return size, digest.hexdigest()


def _blocks(file: IO[bytes]) -> Iterable[bytes]:
    return iter(lambda: file.read(_BLOCK), b"")


@contextmanager
def _new(file: Path) -> Iterator[IO[bytes]]:
    """A file that is there when it is whole, for its owner alone, and never in place of another. Raises `Trouble`."""
    taken = Trouble(f"{file} is there already, and a backup never replaces one: choose another name.")
    if os.path.lexists(file):
        raise taken
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{file.name}.", dir=file.parent)  # of mode 0600
        try:
            with os.fdopen(descriptor, "wb") as out:
                yield out
                out.flush()
                os.fsync(descriptor)
            os.link(name, file)  # refuses where somebody was faster
        finally:
            Path(name).unlink()
        _keep(file.parent)
    except FileExistsError:
        raise taken from None
    except OSError as fault:
        raise Trouble(f"{file} cannot be written: {fault.strerror or fault}.") from None


def _keep(folder: Path) -> None:
    """Have the disk know the folder's names."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


# --- Restoring --------------------------------------------------------------------------------------------------------

_THERE = f"""
select c.relname from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and {_OURS}
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by c.relkind <> 'r', c.relname limit 1
"""  # noqa: S608  put together from constants of ours


def restore(file: Path) -> Contents:
    """Bring a backup back into an empty database, all or nothing. Answers what has to be there. Raises `Trouble`."""
    with _opened(file) as archive:
        contents = _read(file, archive)
        _check_target(contents)
        program = clients.nearest("pg_restore", max(_server(), contents.program))
        options = ["--exit-on-error", "--single-transaction", "--no-owner", *_target()]
        with (
            archive.open(DUMP) as dump,
            clients.running(program, *options, password=_password(), reads=True) as into,
        ):
            for block in _blocks(dump):
                into.write(block)
    return contents


@contextmanager
def _opened(file: Path) -> Iterator[zipfile.ZipFile]:
    try:
        with zipfile.ZipFile(file) as archive:
            yield archive
    except (zipfile.BadZipFile, EOFError):
        raise _damaged(file) from None
    except OSError as fault:
        raise Trouble(f"{file} cannot be read: {fault.strerror or fault}.") from None


def _damaged(file: Path) -> Trouble:
    return Trouble(f"{file} is no backup, or damaged, or a part of one: nothing was restored. Take another one.")


def _read(file: Path, archive: zipfile.ZipFile) -> Contents:
    """What the file says of itself, when its dump is the one that was written."""
    try:
        contents = Contents.of(archive.read(CONTENTS))
        digest = hashlib.sha256()
        with archive.open(DUMP) as dump:
            for block in _blocks(dump):
                digest.update(block)
    except (KeyError, ValueError, TypeError, AttributeError, NotImplementedError, RuntimeError):
        raise _damaged(file) from None
    if digest.hexdigest() != contents.sha256:
        raise _damaged(file)
    return contents


def _check_target(contents: Contents) -> None:
    """The database is empty, of a server that is not older, and its code not of before the backup's."""
    with connection.cursor() as cursor:
        cursor.execute(_THERE)
        there = cursor.fetchone()
    if there:
        raise Trouble(
            f'The database "{connection.settings_dict["NAME"]}" is not empty (it has {there[0]}), and a backup is '
            "restored into an empty one alone: make one (as superuser, create database … owner hwbc_owner) and name "
            "it in DATABASE_URL; the embedded one is empty after `make reset`."
        )
    if _server() < contents.server:
        raise Trouble(
            f"The backup is of PostgreSQL {contents.server}, and this server is {_server()}: restore into "
            f"{contents.server} or newer."
        )
    unknown = unknown_migrations(contents)
    if unknown:
        raise Trouble(
            f"The backup is of a newer version of the service than this one, which does not know {unknown[0]}: "
            "restore it with the version that made it, or a newer one."
        )


def unknown_migrations(contents: Contents) -> list[str]:
    """Those of our own apps that the backup has and this version has not. Libraries may fold theirs together."""
    here = {".".join(key) for key in MigrationLoader(None).disk_migrations}
    ours = {model._meta.app_label for model in history.declared()}
    return [name for name in contents.migrations if name.partition(".")[0] in ours and name not in here]
