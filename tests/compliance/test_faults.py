"""Nothing lost and nothing twice: workers killed, schedules doubled, the broker emptied, entries in the midst of a run.

Real workers, schedules, broker and database. `-s` prints what was done and what was found.
"""

import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import date, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection, models, transaction
from django.utils import timezone

from hwbc.celery import app
from hwbc.compliance import checks
from hwbc.compliance.tasks import checks as message
from hwbc.kit.periods import today
from hwbc.standards import actions
from hwbc.standards.models import Flag, FlagEvent, Notification, Run
from hwbc.standards.queries import CHECKS_LOCK, nobody_at_work
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Coach, Grant, Organisation, Post, User
from hwbc.workforce.roles import Can, Role
from supervision.models import Meeting, Supervisor
from tests.cast import Cast
from tests.conftest import wait_for
from tests.facts import everything
from tests.workbooks import random_workbook, write_csv_folder

pytestmark = pytest.mark.django_db(transaction=True)
RUN = Actor.system("tests")
SEED, COACHES = 20, 120
LOOK = checks.look  # tests put something in its place


# --- What was found -----------------------------------------------------------------------------------------------


class Found:
    """Flags and notifications, beside what they should be by a calculation of their own."""

    def __init__(self) -> None:
        with walls.lifted("tests"):
            flags = list(Flag.objects.select_related("coach"))
            self.open = Counter((flag.coach_id, flag.rule) for flag in flags if flag.cleared_at is None)
            self.computed = {(red.coach, red.rule) for red in LOOK(today()).red}
            events = Counter(FlagEvent.objects.values_list("flag", "what"))
            noted = {(flag.pk, "raised") for flag in flags} | {(f.pk, "cleared") for f in flags if f.cleared_at}
            self.events_wrong = set(events) ^ noted
            self.events_twice = [event for event, count in events.items() if count > 1]
            told = Notification.objects.filter(kind="flag_raised").values_list("user", "record")
            self.told = Counter(told)
            posts = list(Post.objects.filter(voided_at=None))
            grants = list(Grant.objects.filter(revoked_at=None))
            self.to_tell = {(user, flag.uuid) for flag in flags for user in _to_tell(flag, posts, grants)}
            self.outcomes = Counter(Run.objects.filter(kind="checks").values_list("outcome", flat=True))

    @property
    def twice(self) -> int:
        return sum(count - 1 for counter in (self.open, self.told) for count in counter.values()) + len(
            self.events_twice
        )

    def flags_are_right(self) -> bool:
        """Flags as computed anew, each raised and cleared once."""
        return set(self.open) == self.computed and not self.events_wrong and not self.twice

    def is_right(self) -> bool:
        """And everybody was told who is to be."""
        return self.flags_are_right() and set(self.told) == self.to_tell

    def line(self, what: str) -> str:
        runs = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes.items()))
        flags = f"{sum(self.open.values())}/{len(self.computed)}"
        told = f"{sum(self.told.values())}/{len(self.to_tell)}"
        return f"{what:<58}{flags:>10}{told:>11}{self.twice:>7}  {runs}"


HEAD = f"{'what was done':<58}{'flags/all':>10}{'told/all':>11}{'twice':>7}  runs by now"
_OF_KIND = {
    "line": Role.LINE_SUPERVISOR, "appraisal": Role.LINE_SUPERVISOR, "clinical": Role.CLINICAL_SUPERVISOR,
    "health_coaching": Role.COACHING_SUPERVISOR, "supervisor_eligible": Role.COACHING_SUPERVISOR,
}  # fmt: skip


def _to_tell(flag: Flag, posts: list[Post], grants: list[Grant]) -> set[int]:
    """The slow way: the coach, the supervisors of that kind, and the managers of the PCNs of their posts that day."""
    theirs = [Role.COACH]
    if flag.rule.startswith("supervision."):
        theirs.append(_OF_KIND[flag.rule.rpartition(".")[2]])
    pcns = {
        post.pcn_id
        for post in posts
        if post.coach_id == flag.coach_id
        and post.starts_on <= flag.raised_on
        and (post.ends_on is None or post.ends_on >= flag.raised_on)
    }
    return {
        grant.user_id
        for grant in grants
        if (grant.coach_id == flag.coach_id and grant.role in theirs)
        or (grant.organisation_id in pcns and grant.role == Role.PCN_MANAGER)
    }


# --- The world, workers and the broker ----------------------------------------------------------------------------


@pytest.fixture
def world(transactional_db: None, tmp_path: Path) -> None:
    """A random service, a manager in each PCN, and accounts for a tenth of the coaches and their supervisors."""
    call_command("flush", interactive=False, verbosity=0)
    write_csv_folder(random_workbook(SEED, coaches=COACHES, centre=today()), tmp_path / "sheets", SEED)
    call_command("import_workbook", str(tmp_path / "sheets"), stdout=StringIO())
    with walls.lifted("tests"):
        since = today() - timedelta(days=9)
        pcns = list(Organisation.objects.filter(kind="pcn"))
        coaches = list(Coach.objects.order_by("pk"))[::10]
        accounts = iter(
            User.objects.bulk_create(
                User(email=f"p{n}@example.org", name=f"Person {n}", sort_name=f"person {n}")
                for n in range(len(pcns) + 4 * len(coaches))
            )
        )
        grants = [Grant(user=next(accounts), role=Role.PCN_MANAGER, organisation=pcn, starts_on=since) for pcn in pcns]
        grants += [
            Grant(user=next(accounts), role=role, organisation=pcns[0], coach=coach, starts_on=since)
            for coach in coaches
            for role in (Role.COACH, Role.LINE_SUPERVISOR, Role.CLINICAL_SUPERVISOR, Role.COACHING_SUPERVISOR)
        ]
        Grant.objects.bulk_create(grants)


@contextmanager
def processes(env: dict[str, str], *commands: Sequence[str]) -> Iterator["list[subprocess.Popen[bytes]]"]:
    """Processes of Celery, each with its children in a group of their own; gone at the end."""
    started = [
        subprocess.Popen([sys.executable, *command], env=env, cwd=settings.BASE_DIR, start_new_session=True)
        for command in commands
    ]
    try:
        yield started
    finally:
        for process in started:
            kill(process)


def kill(process: "subprocess.Popen[bytes]") -> None:
    """With -9, it and its children."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(20)


@contextmanager
def workers(env: dict[str, str], *names: str) -> Iterator["list[subprocess.Popen[bytes]]"]:
    """Real workers, ready."""
    command = ("-m", "celery", "--quiet", "-A", "hwbc", "worker", "--concurrency=1", "--loglevel=WARNING")
    alone = ("--without-gossip", "--without-mingle")
    with processes(env, *((*command, *alone, f"--hostname={name}@%h") for name in names)) as started:
        wait_for(lambda: len(app.control.ping(timeout=0.3) or ()) == len(names), what="the workers to answer")
        yield started


_BEAT = """
import sys
from hwbc.celery import app
app.conf.beat_schedule["checks"]["schedule"] = 0.5  # seconds, where the service takes two minutes
app.Beat(schedule=sys.argv[1], loglevel="ERROR", quiet=True).run()
"""


@contextmanager
def broker() -> Iterator[Any]:
    """What the broker keeps for this test process."""
    with app.connection_for_write() as link:
        channel: Any = link.default_channel
        yield channel.client


def flush_broker() -> None:
    """Everything that the broker knows of this test's queue, gone."""
    with broker() as kept:
        kept.flushdb()


def messages() -> int:
    """How many wait in the queue."""
    with broker() as kept:
        return int(kept.llen("celery"))


def tick() -> None:
    """What beat sends."""
    message.apply_async()


def others_wait(at_least: int = 1) -> bool:
    """Whether other connections wait for a lock in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(distinct w.pid) from pg_locks w where not w.granted and exists"
            " (select from pg_locks l join pg_database d on d.oid = l.database"
            "   where l.pid = w.pid and d.datname = current_database())"
        )
        return bool(cursor.fetchone()[0] >= at_least)


@contextmanager
def held(statement: str) -> Iterator[None]:
    """A lock of ours, which a run comes to and waits for."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)
        yield


def let_go() -> None:
    """Until PostgreSQL has noticed that a dead worker is dead."""

    def nobody() -> bool:
        with transaction.atomic():
            return nobody_at_work()

    wait_for(nobody, what="the dead run's lock to be let go")


def runs(outcome: str) -> int:
    return Run.objects.filter(kind="checks", outcome=outcome).count()


def in_thread(work: Callable[[], Any]) -> Callable[[], Any]:
    """The same, for a thread: its connection is closed at the end."""

    def worked() -> Any:
        try:
            return work()
        finally:
            connection.close()

    return worked


# --- Workers that die, schedules that double, a broker that forgets ------------------------------------------------

POINTS = {
    "waiting for its turn": f"select pg_advisory_xact_lock_shared({CHECKS_LOCK})",
    "raising flags": "lock table standards_flag in exclusive mode",
    "telling people": "lock table standards_notification in exclusive mode",
}


def test_however_often_workers_die_and_the_broker_forgets_it_is_all_done_once(
    world: None, child_env: dict[str, str], tmp_path: Path
) -> None:
    rng = random.Random(SEED)
    table = [HEAD]

    def look(what: str) -> Found:
        found = Found()
        table.append(found.line(what))
        return found

    def dies_at(point: str, die: Callable[[], object]) -> None:
        with held(POINTS[point]):
            tick()
            wait_for(others_wait, what=f"the run to be {point}")
            die()
        let_go()

    def dies_sometime(worker: "subprocess.Popen[bytes]") -> None:
        a_day_later(rng)
        before, patience = Run.objects.count(), time.monotonic() + 20
        tick()
        while Run.objects.count() == before and time.monotonic() < patience:
            time.sleep(0.002)
        time.sleep(rng.uniform(0, length))
        kill(worker)
        let_go()

    flush_broker()
    began = time.perf_counter()
    checks.dry_run(today())
    length = time.perf_counter() - began

    with workers(child_env, "one") as [worker]:
        dies_at("raising flags", lambda: kill(worker))
    found = look("a worker killed while raising flags")
    assert (found.outcomes, found.open, found.told) == ({"running": 1}, {}, {})

    with workers(child_env, "one") as [worker]:
        for point in ("waiting for its turn", "telling people"):
            dies_at(point, lambda: os.kill(child_of(worker), signal.SIGKILL))
            look(f"its child killed while {point}")
        tick()
        wait_for(lambda: runs("done") == 1, what="the same worker to do it")
        found = look("the next message")
        assert found.is_right()
        assert found.outcomes == {"interrupted": 3, "done": 1}
        dies_sometime(worker)
        assert look("other facts; killed at a random moment").twice == 0
    with workers(child_env, "one") as [worker]:
        dies_sometime(worker)
        assert look("other facts; killed at a random moment").twice == 0

    a_day_later(rng)
    done = runs("done")
    tick()
    assert messages() > 0
    flush_broker()
    with workers(child_env, "one", "two"):
        assert (messages(), runs("done")) == (0, done)
        look("other facts; the broker emptied before a worker came")
        with processes(child_env, *(("-c", _BEAT, str(tmp_path / name)) for name in ("beat-1", "beat-2"))):
            wait_for(lambda: runs("done") > done, what="a schedule's message")
            time.sleep(1.5)  # three more messages of each
            assert runs("done") == done + 1
            healed = look("two schedules, two workers")
            flush_broker()
            a_day_later(rng)
            flush_broker()
            wait_for(lambda: runs("done") > done + 1, what="the schedules to go on")
            time.sleep(1.5)
    last = look("other facts; the broker emptied under all of them")
    print("\n".join(["", *table]))
    assert healed.is_right()
    assert last.is_right()
    assert (last.outcomes["done"], last.outcomes["running"]) == (done + 2, 0)
    with walls.lifted("tests"):
        assert FlagEvent.objects.filter(what="cleared").exists()
        missed = Counter(Notification.objects.filter(kind="checks_missed").values_list("key", "user"))
        managers = set(Grant.objects.filter(role=Role.PCN_MANAGER).values_list("user", flat=True))
    yesterday = (today() - timedelta(days=1)).isoformat()
    # Every time, yesterday had passed without checks: told once.
    assert missed == Counter((yesterday, manager) for manager in managers)


def child_of(worker: "subprocess.Popen[bytes]") -> int:
    """The process in which a worker of one does its work."""
    children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
    wait_for(lambda: children.read_text().strip(), what="a child of the worker")
    return int(children.read_text().split()[-1])


def a_day_later(rng: random.Random) -> None:
    """As if two days had passed since all that was done; some meetings were withdrawn, others are there again."""
    with walls.lifted("tests"):
        for run in Run.objects.filter(day__gte=today() - timedelta(days=1)):
            Run.objects.filter(pk=run.pk).update(day=run.day - timedelta(days=2))
        meetings = list(Meeting.objects.values_list("pk", flat=True))
        some = rng.sample(meetings, len(meetings) // 3)
        Meeting.objects.exclude(pk__in=some).update(voided_at=None)
        Meeting.objects.filter(pk__in=some).update(voided_at=timezone.now())


# --- Several at once, and what stands against it -------------------------------------------------------------------

INDEX = "standards_flag_one_open_a_rule"
OWN_LOCK = "pg_backend_pid()"  # instead of a lock that all take: of each one's own, so nobody waits
TICKS = 4


def at_once(count: int, work: Callable[[], Any]) -> None:
    """The same work so many times at the same moment; none may fail."""
    start = threading.Barrier(count)

    def one() -> None:
        start.wait(20)
        try:
            work()
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as pool:
        for future in [pool.submit(one) for _ in range(count)]:
            future.result(60)


def forget() -> None:
    """No run, no flag, and nobody was told anything."""
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("truncate standards_notification, standards_flagevent, standards_flag, standards_run")


@contextmanager
def without_the_index() -> Iterator[None]:
    """The partial unique index taken away by the owner, and put back in its place."""
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("select pg_get_indexdef(%s::regclass)", [INDEX])
        definition = cursor.fetchone()[0]
        cursor.execute(f"drop index {INDEX}")
    try:
        yield
    finally:
        forget()
        with walls.as_owner(), connection.cursor() as cursor:
            cursor.execute(definition)


def test_ticks_at_once_are_one_run_and_what_each_guard_stands_against(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = [HEAD]

    def ticks(what: str) -> Found:
        forget()
        at_once(TICKS, lambda: checks.catch_up(timezone.now()))
        found = Found()
        table.append(found.line(what))
        return found

    found = ticks(f"{TICKS} ticks at once")
    assert found.is_right()
    assert found.outcomes["done"] == 1

    def begin(now: datetime) -> Run:
        with walls.lifted("tests"):
            return actions.start_run(checks.NIGHTLY, kind="checks", day=today())

    monkeypatch.setattr(checks, "_begin", begin)
    found = ticks("… who do not ask whether another is at work")
    assert found.is_right()
    assert found.outcomes["done"] == TICKS

    everybody_has_looked = threading.Barrier(TICKS)

    def look(day: date) -> actions.Seen:
        seen = LOOK(day)
        everybody_has_looked.wait(20)
        return seen

    monkeypatch.setattr(checks, "look", look)
    monkeypatch.setattr(actions, "CHECKS_LOCK", OWN_LOCK)
    found = ticks("… and do not wait for each other")
    assert found.is_right()
    assert found.outcomes["done"] == TICKS

    with without_the_index():
        careless = re.sub(r"\n\s*on conflict .* do nothing", "", actions._RAISE)
        assert careless != actions._RAISE
        monkeypatch.setattr(actions, "_RAISE", careless)
        found = ticks("… and the index is gone: what it all stands against")
        assert found.twice == (TICKS - 1) * len(found.computed) > 0
    print("\n".join(["", *table]))


def an_entry(cast: Cast) -> None:
    """Asha met her line manager today; it is written down by Mo, and her flags follow."""
    with walls.within(cast.mo.actor.scope):
        Meeting.objects.create(
            coach=cast.coach_asha, kind="line", supervisor=Supervisor.objects.create(name="Pat Quill", role="other"),
            held_on=today(), minutes=60, format="individual", status="held",
        )  # fmt: skip
        checks.check_coaches(cast.mo.actor, [cast.coach_asha.pk], today())


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
def test_an_entry_waits_for_a_run_that_has_looked_already(
    live_cast: Cast, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the lock the run would flag what it saw before the entry."""
    looked, written = threading.Event(), threading.Event()

    def look(day: date, coaches: Sequence[int] | None = None) -> actions.Seen:
        seen = LOOK(day, coaches)
        if coaches is None:
            looked.set()
            assert written.wait(20)
        return seen

    monkeypatch.setattr(checks, "look", look)
    with ThreadPoolExecutor(2) as pool:
        run = pool.submit(in_thread(lambda: checks.run_checks(RUN, today())))
        assert looked.wait(20)
        if not guarded:
            monkeypatch.setattr(actions, "CHECKS_LOCK", OWN_LOCK)
        entry = pool.submit(in_thread(lambda: an_entry(live_cast)))
        if guarded:
            wait_for(others_wait, what="the entry to wait")
        else:
            entry.result(20)
        written.set()
        run.result(20)
        entry.result(20)
    found = Found()
    flagged = (live_cast.coach_asha.pk, "supervision.line")
    assert flagged not in found.computed
    assert (flagged in found.open) == (not guarded)
    assert found.flags_are_right() == guarded


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
def test_an_entry_waits_for_another_about_the_same_coach(
    live_cast: Cast, guarded: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: without the lock on the coach the second would raise again what the first has cleared."""
    checks.run_checks(RUN, today())
    flagged = (live_cast.coach_asha.pk, "supervision.line")
    assert flagged in Found().open
    sam = live_cast.sam.actor
    if not guarded:
        monkeypatch.setattr(models.QuerySet, "select_for_update", lambda rows, **options: rows)

    def second() -> None:
        with walls.within(sam.scope):
            checks.check_coaches(sam, [live_cast.coach_asha.pk], today())

    with ThreadPoolExecutor(1) as pool:
        with transaction.atomic():
            an_entry(live_cast)
            entry = pool.submit(in_thread(second))
            wait_for(others_wait, what="the second entry to wait")
        entry.result(20)
    found = Found()
    assert (flagged in found.open) == (not guarded)
    assert found.flags_are_right() == guarded


def test_entries_in_the_midst_of_runs_leave_every_flag_right(live_cast: Cast) -> None:
    everything(live_cast, count=12)
    checks.run_checks(RUN, today())
    mo = live_cast.mo.actor
    coaches = sorted(mo.coaches(Can.SEE_STANDING))
    seeds = iter(range(100))

    def entries() -> None:
        rng = random.Random(next(seeds))
        for _ in range(15):
            some = rng.sample(coaches, rng.randint(1, 3))
            with walls.within(mo.scope):
                for coach in sorted(some):  # whoever writes about several coaches does it in one order
                    meetings = Meeting.objects.filter(coach=coach)
                    voided_at = rng.choice([None, timezone.now()])
                    for meeting in meetings.order_by("pk"):
                        if rng.random() < 0.5:
                            meetings.filter(pk=meeting.pk).update(voided_at=voided_at)
                checks.check_coaches(mo, some, today())

    def again_and_again() -> None:
        while not ended.is_set():
            checks.run_checks(RUN, today())

    ended = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        runs_on = pool.submit(in_thread(again_and_again))
        try:
            at_once(4, entries)
        finally:
            ended.set()
        runs_on.result(60)
    after = Found()
    checks.catch_up(timezone.now())
    found = Found()
    print("\n".join(["", HEAD, after.line("60 entries in the midst of runs"), found.line("the next tick")]))
    assert after.flags_are_right()
    assert found.flags_are_right()
    with walls.lifted("tests"):
        by_entries = list(FlagEvent.objects.filter(run=None).values_list("what", flat=True))
        still_open = set(Flag.objects.filter(cleared_at=None).values_list("uuid", flat=True))
    assert set(by_entries) == {"raised", "cleared"}
    # What was cleared before anybody heard of it is no news; everything else was told, to the right people.
    assert set(found.told) <= found.to_tell
    assert {(user, flag) for user, flag in found.to_tell if flag in still_open} <= set(found.told)
