"""A drill: a service is backed up while people work, comes back elsewhere as it was, and whatever differs is named."""

import hashlib
import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.core.cache import cache
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection
from django.test import Client
from django.urls import reverse

from hwbc.embedded import clients
from hwbc.embedded.trouble import Trouble
from hwbc.kit.environment import with_password
from hwbc.kit.periods import today
from hwbc.standards.actions import answer, load_preset
from hwbc.workforce import actions, backup, sealing, walls
from hwbc.workforce.models import AuditEvent, Change, Coach, Organisation
from tests import facts
from tests.cast import SETUP, Cast, came_in, make_cast
from tests.conftest import wait_for
from tests.matrix import world

# What nobody writes, or writes in the demo alone.
EMPTY = {
    "account_emailconfirmation", "auth_group", "auth_group_permissions", "socialaccount_socialapp",
    "socialaccount_socialtoken", "workforce_demo",
}  # fmt: skip


@dataclass(frozen=True)
class Service:
    """What was made, the backup of it, and what was said."""

    cast: Cast
    file: Path
    said: str
    manage: Callable[..., "subprocess.CompletedProcess[str]"]

    @property
    def contents(self) -> backup.Contents:
        with zipfile.ZipFile(self.file) as archive:
            return backup.Contents.of(archive.read(backup.CONTENTS))


@pytest.fixture(scope="module")
def service(
    own_database: None, django_db_blocker: Any, child_env: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Service:
    """Rows in every table, committed, and a backup of them."""

    def manage(*arguments: str | Path, database: str = "") -> "subprocess.CompletedProcess[str]":
        url = child_env["DATABASE_URL"]
        if database:
            url = url.replace(f"/{connection.settings_dict['NAME']}", f"/{database}")
        command = [sys.executable, settings.BASE_DIR / "manage.py", *arguments]
        env = {**child_env, "DATABASE_URL": url}
        return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60)

    file = tmp_path_factory.mktemp("backups") / "service.backup"
    with django_db_blocker.unblock():
        cast = make_cast()
        world.make(cast)
        facts.everything(cast, count=2)
        with walls.lifted("tests"):
            load_preset(SETUP, preset="Monthly clinical", organisation=cast.riverside, starts_on=today())
            answer()
            SocialAccount.objects.create(user=cast.mo.user, provider="provider", uid="mo")
        assert cast.mo.client.get(reverse("home")).status_code == 200
        cache.set("something", 1)
        sealing.seal()
        done = manage("backup", file)
        assert done.returncode == 0, done.stderr
        connection.close()
    return Service(cast, file, done.stdout, manage)


@pytest.fixture(autouse=True)
def _unblocked(service: Service, django_db_blocker: Any) -> Iterator[None]:
    with django_db_blocker.unblock():
        yield
        connection.close()


@contextmanager
def a_database(name: str) -> Iterator[str]:
    """An empty one beside the tests' own, for the block."""
    name = f"{connection.settings_dict['NAME']}_{name}"
    owner_does(f'drop database if exists "{name}"')
    owner_does(f'create database "{name}" template template0')
    try:
        yield name
    finally:
        connection.close()
        owner_does(f'drop database "{name}" with (force)')


def owner_does(statement: str, *values: Any) -> None:
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute(statement, values or None)


@contextmanager
def at(database: str) -> Iterator[None]:
    """This process is a service on that database."""
    before = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = database
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["NAME"] = before


@pytest.fixture(scope="module")
def restored(service: Service, django_db_blocker: Any) -> Iterator[tuple[str, str]]:
    """The database into which the backup came back, and what was said."""
    with django_db_blocker.unblock(), a_database("restored") as name:
        done = service.manage("restore", service.file, database=name)
        assert done.returncode == 0, done.stderr
        yield name, done.stdout


@pytest.fixture
def another(service: Service) -> Iterator[str]:
    """An empty database."""
    with a_database("another") as name:
        yield name


@pytest.fixture(scope="module")
def never_filled(service: Service, django_db_blocker: Any) -> Iterator[str]:
    """An empty database that stays so."""
    with django_db_blocker.unblock(), a_database("never") as name:
        yield name


def restoring(file: Path, database: str) -> str:
    said = StringIO()
    with at(database):
        call_command("restore", str(file), stdout=said)
    return said.getvalue()


def rows_of_everything() -> dict[str, list[str]]:
    """Every row of every table, by a query that is not the product's."""
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("select tablename from pg_tables where schemaname = 'public'")
        tables = [name for [name] in cursor.fetchall()]
        found = {}
        for table in tables:
            cursor.execute(f'select t::text from "{table}" t')
            found[table] = sorted(row for [row] in cursor.fetchall())
    return found


def is_empty(database: str) -> bool:
    with at(database):
        return rows_of_everything() == {}


# --- The drill --------------------------------------------------------------------------------------------------------


def test_every_row_of_every_table_comes_back_as_it_was(service: Service, restored: tuple[str, str]) -> None:
    here = rows_of_everything()
    assert {table for table, rows in here.items() if not rows} == EMPTY
    with at(restored[0]):
        there = rows_of_everything()
    assert there == here
    rows = sum(map(len, here.values()))
    assert service.contents.rows == rows
    assert f"{len(here)} tables, {rows:,} rows" in service.said
    assert f"{len(here)} tables, {rows:,} rows" in restored[1]
    assert f"Head of the audit's chain: {sealing.last().hash}" in service.said
    assert "Walls: nothing to change.\nHistory: nothing to change." in restored[1]
    assert f"Head: {service.contents.head}" in restored[1]


def test_the_file_is_for_its_owner_alone_and_nothing_else_is_left(service: Service) -> None:
    assert service.file.stat().st_mode & 0o777 == 0o600
    assert list(service.file.parent.iterdir()) == [service.file]
    assert len(service.said.splitlines()) == 1
    assert f"{service.file.stat().st_size:,} bytes" in service.said


def test_the_walls_stand_there(service: Service, restored: tuple[str, str]) -> None:
    cast = service.cast
    with at(restored[0]):
        assert walls.faults() == []
        with pytest.raises(DatabaseError, match=r"hwbc\.|invalid input syntax"):
            list(Coach.objects.all())
        with walls.within(walls.NOBODY):
            assert not Coach.objects.exists()
        with walls.within(cast.zed.actor.scope):
            assert not Coach.objects.filter(pk=cast.coach_asha.pk).exists()
        with walls.within(cast.mo.actor.scope):
            assert Coach.objects.filter(pk=cast.coach_asha.pk).exists()
        with pytest.raises(DatabaseError, match="permission denied"), walls.lifted("tests"):
            AuditEvent.objects.update(by="x")


def test_people_go_on_there(service: Service, restored: tuple[str, str]) -> None:
    """Somebody signs in, changes something, and it is kept once; the chain goes on from where it was."""
    cast, client = service.cast, Client()
    with at(restored[0]):
        assert came_in(client, cast.mo.user).status_code == 302
        assert cast.coach_asha.name in client.get(reverse("coaches")).content.decode()
        with walls.lifted("tests"):
            changes = Change.objects.filter(kind="workforce.organisation").count()
            made = actions.add_organisation(SETUP, code="U12345", name="Made there", kind="pcn")
            assert Change.objects.filter(kind="workforce.organisation").count() == changes + 1
            assert made.pk > cast.lakeside.pk
        assert sealing.seal() > 0
        assert sealing.verify(service.contents.head).fault is None
    with walls.lifted("tests"):
        assert not Organisation.objects.filter(code="U12345").exists()  # there, and not here


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        ("update training_course set title = title || '.' where id = (select min(id) from training_course)",
         "training_course has as many rows, and they say something else"),
        ("delete from workforce_signin where id = (select min(id) from workforce_signin)", "workforce_signin has"),
        ("insert into auth_group (name) values ('New')", "auth_group has 1 row instead of 0"),
        ("drop table workforce_demo", "workforce_demo is missing"),
        ("create table stray (id int)", "stray was not there"),
    ],
)  # fmt: skip
def test_one_row_that_differs_is_named(service: Service, restored: tuple[str, str], statement: str, says: str) -> None:
    """The control of the drill: the comparison bites, and names the table."""
    with at(restored[0]), walls.as_owner():
        before = backup.counted()
        with connection.cursor() as cursor:
            cursor.execute("begin")
            cursor.execute(statement)
            now = backup._counted(cursor)
            cursor.execute("rollback")
    found = backup.differences(before, now)
    assert says in "; ".join(found)
    # Of what has a history the owner's change is kept too.
    assert {line.split()[0] for line in found} <= {says.split()[0], "workforce_change"}


# --- While people work ------------------------------------------------------------------------------------------------


class Writer:
    """Somebody who adds organisations with a connection of their own, each with its change and its event."""

    def __init__(self, name: str) -> None:
        self.name, self.count = name, 0
        self.go, self.stop = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.write)

    def __enter__(self) -> "Writer":
        """With the application's login, before a command takes the owner's."""
        self.thread.start()
        wait_for(lambda: self.count, what="the first to be written")
        return self

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.go.set()
        self.thread.join(20)

    def write(self) -> None:
        with closing(connection):
            self.add()
            self.go.wait(20)
            while not self.stop.is_set():
                self.add()

    def add(self) -> None:
        with walls.lifted("tests"):
            actions.add_organisation(SETUP, code=f"{self.name[0]}{self.count:05}", name=self.name, kind="pcn")
        self.count += 1

    def found(self) -> tuple[int, int, int]:
        """How many are there, how many of their changes, how many of their events."""
        with walls.lifted("tests"):
            made = Organisation.objects.filter(name=self.name)
            kept = Change.objects.filter(kind="workforce.organisation", row_id__in=made.values("pk"))
            return made.count(), kept.count(), AuditEvent.objects.filter(organisation__in=made).count()


def test_what_is_written_meanwhile_is_in_it_whole_or_not_at_all(service: Service, another: str, tmp_path: Path) -> None:
    with Writer("WHOLE") as writer:
        writer.go.set()
        call_command("backup", str(tmp_path / "b"), stdout=StringIO())
    said = restoring(tmp_path / "b", another)
    assert "As it was at" in said
    with at(another):
        there, changes, events = writer.found()
    assert 0 < there < writer.count
    assert there == changes == events


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
def test_rows_and_their_count_are_of_one_moment(
    service: Service, another: str, tmp_path: Path, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: a dump that begins a moment later has what was written then, and the count has not."""
    running = clients.running

    @contextmanager
    def later(program: Path, *options: str, **how: Any) -> Iterator[Any]:
        before = writer.count
        writer.go.set()
        wait_for(lambda: writer.count > before, what="another to be written")
        if not guarded:
            options = tuple(option for option in options if not option.startswith("--snapshot"))
        with running(program, *options, **how) as pipe:
            yield pipe

    with Writer("GUARDED" if guarded else "CONTROL") as writer:
        monkeypatch.setattr(clients, "running", later)
        call_command("backup", str(tmp_path / "b"), stdout=StringIO())
    monkeypatch.undo()
    if guarded:
        assert "As it was at" in restoring(tmp_path / "b", another)
    else:
        with pytest.raises(CommandError, match=r"workforce_organisation has .* rows instead of"):
            restoring(tmp_path / "b", another)


# --- What is refused --------------------------------------------------------------------------------------------------


def forged(service: Service, file: Path, dump: Callable[[bytes], bytes] = bytes, **said: Any) -> Path:
    """The backup with another dump, of which the contents say what they have to; or with other contents."""
    with zipfile.ZipFile(service.file) as archive:
        content = dump(archive.read(backup.DUMP))
        contents = json.loads(archive.read(backup.CONTENTS))
    contents |= {"sha256": hashlib.sha256(content).hexdigest(), **said}
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(backup.DUMP, content)
        archive.writestr(backup.CONTENTS, json.dumps(contents))
    return file


def test_a_dump_that_was_altered_is_named(service: Service, another: str, tmp_path: Path) -> None:
    tables = {**service.contents.tables, "workforce_coach": (99, "0" * 64), "workforce_post": (1, "0" * 64)}
    with pytest.raises(CommandError, match="Do not use this database") as told:
        restoring(forged(service, tmp_path / "b", tables=tables), another)
    assert "workforce_coach has" in str(told.value)
    assert "workforce_post has" in str(told.value)
    assert "workforce_user" not in str(told.value)


def test_a_chain_that_is_not_the_one_that_was_backed_up_is_named(
    service: Service, another: str, tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match=r"the audit: .* the hash that was kept is not in the chain"):
        restoring(forged(service, tmp_path / "b", head="f" * 64), another)


def test_a_database_that_is_not_empty_is_left_alone(service: Service) -> None:
    before = rows_of_everything()
    done = service.manage("restore", service.file)
    assert done.returncode == 1
    [line] = done.stderr.splitlines()
    assert f'The database "{connection.settings_dict["NAME"]}" is not empty' in line
    assert "make reset" in line
    assert rows_of_everything() == before


def damage(service: Service, file: Path, how: str) -> Path:
    whole = service.file.read_bytes()
    if how == "text":
        file.write_text("no backup")
    elif how == "cut off":
        file.write_bytes(whole[: len(whole) // 2])
    elif how == "one byte":
        file.write_bytes(whole[:5000] + bytes([whole[5000] ^ 1]) + whole[5001:])
    elif how == "its contents gone":
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr(backup.DUMP, b"")
    elif how == "other contents":
        forged(service, file, tables=3)
    elif how == "another dump":
        forged(service, file, sha256="0" * 64)
    elif how == "its dump cut off":
        forged(service, file, lambda dump: dump[: len(dump) * 9 // 10])
    return file


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("missing", "cannot be read: No such file"),
        ("text", "no backup, or damaged"),
        ("cut off", "no backup, or damaged"),
        ("one byte", "no backup, or damaged"),
        ("its contents gone", "no backup, or damaged"),
        ("other contents", "no backup, or damaged"),
        ("another dump", "no backup, or damaged"),
        ("its dump cut off", "pg_restore failed: "),  # the last to be noticed: nothing is kept of what came before
    ],
)
def test_a_bad_file_is_a_sentence_and_leaves_the_database_empty(
    service: Service, never_filled: str, tmp_path: Path, how: str, says: str
) -> None:
    with pytest.raises(Trouble, match=says) as told:
        restoring(damage(service, tmp_path / "b", how), never_filled)
    assert "\n" not in str(told.value)
    assert is_empty(never_filled)


@pytest.mark.parametrize(
    ("said", "says"),
    [
        ({"server": 99}, "The backup is of PostgreSQL 99, and this server is"),
        ({"program": 99}, "There is no pg_restore of PostgreSQL 99 or newer here"),
        ({"migrations": ["workforce.0001_initial", "workforce.0999_later"]}, "does not know workforce.0999_later"),
    ],
)
def test_a_backup_of_something_newer_is_refused(
    service: Service, never_filled: str, tmp_path: Path, said: dict[str, Any], says: str
) -> None:
    with pytest.raises(Trouble, match=says):
        restoring(forged(service, tmp_path / "b", **said), never_filled)
    assert is_empty(never_filled)


def test_what_a_library_has_folded_away_is_no_newer_version(service: Service) -> None:
    contents = backup.Contents(
        **{**vars(service.contents), "migrations": ["account.0000_gone", "sessions.0001_initial"]}
    )
    assert backup.unknown_migrations(contents) == []


def test_a_backup_of_an_older_version_says_what_is_next(
    service: Service, another: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is built from the models of a version that the tables are not of."""
    monkeypatch.setattr(backup, "pending", lambda: ["workforce.0999_later"])
    monkeypatch.setattr(walls, "build", lambda: pytest.fail("built"))
    said = restoring(service.file, another)
    assert "lacks 1 migration of this one: `manage.py migrate` next" in said
    assert f"`manage.py verify_audit --head {service.contents.head}`" in said


def test_what_is_pending_is_what_migrate_would_do(service: Service) -> None:
    assert backup.pending() == []
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("begin")
        cursor.execute("delete from django_migrations where app = 'workforce' and name like '0009%'")
        assert backup.pending() == ["workforce.0009_audit_scope_and_seals"]
        cursor.execute("rollback")


# --- Writing the file -------------------------------------------------------------------------------------------------


def test_a_backup_never_replaces_anything(service: Service, tmp_path: Path) -> None:
    there, link = tmp_path / "there", tmp_path / "link"
    there.write_text("mine")
    link.symlink_to(tmp_path / "nowhere")
    for file in (there, link):
        with pytest.raises(Trouble, match="is there already"):
            call_command("backup", str(file))
    assert there.read_text() == "mine"
    assert sorted(tmp_path.iterdir()) == [link, there]


def test_one_that_came_while_it_was_written_stays(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "b"

    def meanwhile(*_: Any) -> tuple[int, str]:
        file.write_text("theirs")
        return 0, ""

    monkeypatch.setattr(backup, "_dump", meanwhile)
    with pytest.raises(Trouble, match="is there already"):
        call_command("backup", str(file))
    assert file.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [file]


def test_a_folder_that_is_not_there_is_said(service: Service, tmp_path: Path) -> None:
    with pytest.raises(Trouble, match="cannot be written: No such file or directory"):
        call_command("backup", str(tmp_path / "nowhere" / "b"))


def test_without_the_program_it_says_what_to_install(
    service: Service, never_filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clients, "_everywhere", lambda name: [])
    with pytest.raises(Trouble, match=r"There is no pg_dump of PostgreSQL \d+ or newer here: install .*client"):
        call_command("backup", str(tmp_path / "b"))
    with pytest.raises(Trouble, match=r"There is no pg_restore of PostgreSQL \d+ or newer here: install .*client"):
        restoring(service.file, never_filled)
    assert list(tmp_path.iterdir()) == []


def program(folder: Path, name: str, does: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    made = folder / name
    made.write_text(f"#!/bin/sh\n{does}\n")
    made.chmod(0o755)
    return made


def test_a_dump_that_fails_leaves_nothing_and_says_why(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = "echo half; echo 'pg_dump: error: no more room' >&2; echo 'pg_dump: detail: a row' >&2; exit 1"
    monkeypatch.setattr(clients, "nearest", lambda *_: program(tmp_path / "bin", "pg_dump", fails))
    with pytest.raises(Trouble, match=r"^pg_dump failed: no more room$"):
        call_command("backup", str(tmp_path / "b"))
    assert list(tmp_path.iterdir()) == [tmp_path / "bin"]


def test_no_program_is_told_the_password_on_its_command_line_or_any_other_secret(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = f'{{ echo "$*"; echo ---; env; }} >> {tmp_path / "told"}'
    monkeypatch.setattr(clients, "nearest", lambda *_: program(tmp_path / "bin", "pg_dump", told))
    monkeypatch.setenv("SECRET_KEY", "a-key-of-ours")
    with walls.as_owner():
        password = backup._password() or "s3cret"
    monkeypatch.setattr(settings, "OWNER_DATABASE_URL", with_password(settings.OWNER_DATABASE_URL, password))
    call_command("backup", str(tmp_path / "b"), stdout=StringIO())
    line, _, environment = (tmp_path / "told").read_text().partition("---")
    assert f"dbname={connection.settings_dict['NAME']}" in line
    assert password not in line
    assert f"PGPASSWORD={password}\n" in environment
    assert "a-key-of-ours" not in environment
