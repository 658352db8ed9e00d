"""Any command works, whether or not anything runs; what a person can put right is one sentence."""

import shutil

import pytest

from tests.embedded.helpers import PROJECT, free_port, manage, processes_of, query, user, wait_until

ELSEWHERE = "postgres://hwbc_app:s3cret@127.0.0.1:1/hwbc"  # nobody listens on port 1


def sentence(process):
    """The one line on stderr of a command that gave up."""
    assert process.returncode == 1, process
    assert "Traceback" not in process.stderr
    (line,) = process.stderr.splitlines()
    return line


def test_a_command_has_the_database_for_its_time(var):
    done = manage(var, "showmigrations", "--plan")
    assert done.returncode == 0, done.stderr
    assert "[ ]" in done.stdout
    assert wait_until(lambda: not processes_of(var))


def test_a_command_shares_the_database_with_whoever_has_it(var):
    with user(var):
        before = processes_of(var, "keeper")
        assert manage(var, "showmigrations").returncode == 0
        assert processes_of(var, "keeper") == before
        assert query(var, "select 1") == 1


@pytest.mark.parametrize("command", [["help"], ["migrate", "--help"], ["--version"], ["check"]])
def test_a_command_without_need_of_the_database_starts_none(var, command):
    assert manage(var, *command).returncode == 0
    assert not (var / "postgres").exists()
    assert not (var / "valkey").exists()


def test_named_servers_are_used_and_none_is_embedded(var):
    with user(var):
        host = var / "run"
        named = {
            "DATABASE_URL": f"postgres://hwbc_app@/hwbc?host={host}",
            "REDIS_URL": f"redis+socket://{host}/valkey.sock",
        }
        own = var / "own"
        done = manage(own, "showmigrations", **named)
        assert done.returncode == 0, done.stderr
        assert not (own / "postgres").exists()
        assert not (own / "valkey").exists()
        del named["REDIS_URL"]
        assert manage(own, "showmigrations", **named).returncode == 0
        assert not (own / "postgres").exists()
        assert (own / "valkey").exists()


def test_an_unreachable_database_is_named_without_its_password(var):
    said = sentence(manage(var, "showmigrations", DATABASE_URL=ELSEWHERE, REDIS_URL="redis://127.0.0.1:1"))
    assert "127.0.0.1" in said
    assert "DATABASE_URL" in said
    assert "s3cret" not in said


def test_an_unreachable_broker_is_named_without_its_password(var):
    said = sentence(manage(var, "start", "--port", str(free_port()), REDIS_URL="redis://:s3cret@127.0.0.1:1/0"))
    assert "127.0.0.1:1" in said
    assert "REDIS_URL" in said
    assert "s3cret" not in said


def test_a_missing_secret_key_in_production_is_said(var):
    said = sentence(manage(var, "showmigrations", DATABASE_URL=ELSEWHERE, REDIS_URL="redis://x", HWBC_LOCAL="false"))
    assert said.startswith("SECRET_KEY is not set.")


def test_a_folder_that_cannot_be_made_is_said(var):
    (var / "file").touch()
    for key in ("", "x" * 50):  # with the settings, and after them
        said = sentence(manage(var / "file", "showmigrations", SECRET_KEY=key))
        assert str(var / "file") in said
        assert "HWBC_VAR" in said


@pytest.mark.parametrize("port", ["many", "0", "65536"])
def test_a_port_that_is_none_is_said(var, port):
    assert f'PORT is "{port}"' in sentence(manage(var, "start", PORT=port))


def test_a_missing_style_sheet_is_said_before_anything_starts(var):
    copy = var / "copy"
    for app in ("hwbc", "coaching", "supervision", "training"):
        shutil.copytree(PROJECT / app, copy / app)
    shutil.copy(PROJECT / "manage.py", copy)
    said = sentence(manage(var, "start", "--port", str(free_port()), PYTHONPATH=str(copy)))
    assert "make setup" in said
    assert not (var / "postgres").exists()


def test_when_a_step_of_the_start_fails_everything_stops(var):
    owner = {"DATABASE_OWNER_URL": "postgres://hwbc_owner@127.0.0.1:1/hwbc"}
    assert "127.0.0.1" in sentence(manage(var, "start", "--port", str(free_port()), **owner))
    assert wait_until(lambda: not processes_of(var))


def test_reset_deletes_this_copys_data_and_nothing_else(var):
    (var / "mine.txt").touch()
    with user(var):
        said = sentence(manage(var, "reset"))
        assert "in use" in said
        assert query(var, "select 1") == 1
    assert wait_until(lambda: not processes_of(var))
    done = manage(var, "reset")
    assert str(var / "postgres") in done.stdout
    assert sorted(path.name for path in var.iterdir()) == ["locks", "mine.txt", "secret-key"]
    assert "Nothing to delete" in manage(var, "reset").stdout
