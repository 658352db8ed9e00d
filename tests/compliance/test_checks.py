"""Flags: raised and cleared exactly once, however many runs there are at once and however they end."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time as clock
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from io import StringIO
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hwbc.compliance import checks
from hwbc.compliance.queries import RULES
from hwbc.kit.periods import today
from hwbc.standards import actions
from hwbc.standards.actions import load_preset
from hwbc.standards.models import Check, Flag, FlagEvent, Notification, Run, Standard
from hwbc.standards.queries import CHECKS_LOCK, Entry, last_checks, ledger, nobody_at_work, overdue
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import AuditEvent, Coach, Grant, Post
from hwbc.workforce.roles import Can
from supervision.models import Meeting, Supervisor
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory
from tests.conftest import wait_for
from tests.facts import everything
from tests.standards.broker import take_away

MOMENT = timezone.now()
RUN = Actor.system("tests")


def open_flags() -> set[tuple[int, str]]:
    with walls.lifted("tests"):
        return set(Flag.objects.filter(cleared_at=None).values_list("coach_id", "rule"))


def computed() -> set[tuple[int, str]]:
    return {(red.coach, red.rule) for red in checks.dry_run(today()).red}


@pytest.mark.django_db
def test_what_is_red_is_flagged_once_and_cleared_when_it_is_green(cast: Cast) -> None:
    first = checks.run_checks(RUN, today())
    assert open_flags() == computed() != set()
    assert (first.outcome, first.counts["raised"], first.counts["cleared"]) == ("done", len(open_flags()), 0)
    second = checks.run_checks(RUN, today())
    assert (second.counts["raised"], second.counts["cleared"]) == (0, 0)

    with walls.lifted("tests"):  # Asha has left: nothing is asked of her any more
        Post.objects.filter(coach=cast.coach_asha).update(
            ends_on=today() - timedelta(days=1), end_recorded_at=timezone.now()
        )
        mine = Flag.objects.filter(coach=cast.coach_asha)
        count = mine.count()
        third = checks.run_checks(RUN, today())
        assert third.counts["cleared"] == count > 0
        assert not mine.filter(cleared_at=None).exists()
        events = FlagEvent.objects.filter(flag__in=mine).values_list("what", flat=True)
        assert sorted(events) == ["cleared"] * count + ["raised"] * count
    assert open_flags() == computed()


@pytest.mark.django_db
def test_the_facts_are_gathered_when_the_waiting_is_over(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a run that waited would write what it had seen before the other one's facts."""
    locks: list[int] = []

    def watched(day: date) -> actions.Seen:
        with connection.cursor() as cursor:
            cursor.execute(
                "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted"
                f" and mode = 'ExclusiveLock' and objid = ({CHECKS_LOCK}::bigint & 4294967295)::oid"
            )
            locks.append(cursor.fetchone()[0])
        return look(day)

    look = checks.look
    monkeypatch.setattr(checks, "look", watched)
    checks.run_checks(RUN, today())
    assert locks == [1]


@pytest.mark.django_db
def test_the_gates_own_answer_is_no_flag(cast: Cast) -> None:
    checks.run_checks(RUN, today())
    assert "training.referral_ready" not in {rule for _, rule in open_flags()}


@pytest.mark.django_db
def test_an_earlier_day_is_refused_and_a_dry_run_is_not(cast: Cast) -> None:
    call_command("run_checks", stdout=StringIO())
    before = (today() - timedelta(days=1)).isoformat()
    with pytest.raises(CommandError, match="an earlier day can only be a dry run"):
        call_command("run_checks", on=today() - timedelta(days=1), stdout=StringIO())
    output = StringIO()
    call_command("run_checks", "--on", before, "--dry-run", stdout=output)
    assert "Nothing was written" in output.getvalue()
    assert set(Run.objects.values_list("outcome", flat=True)) == {"done", "failed"}


@pytest.mark.django_db
def test_the_database_refuses_a_second_open_flag(cast: Cast) -> None:
    checks.run_checks(RUN, today())
    with walls.lifted("tests"):
        flag = Flag.objects.latest("id")
        again = Flag(coach_id=flag.coach_id, rule=flag.rule, state="overdue", raised_on=today())
        with pytest.raises(IntegrityError, match="standards_flag_one_open_a_rule"), transaction.atomic():
            again.save()


@pytest.mark.django_db
def test_a_standard_holds_below_its_organisation_until_a_nearer_one(cast: Cast) -> None:
    def standard_of(coach: str) -> set[str]:
        output = StringIO()
        call_command("compliance", format="json", stdout=output)
        return {answer["standard"] for answer in json.loads(output.getvalue()) if answer["coach"] == coach}

    asha, cai = "ASHA", "CAI"  # as their hub's workbook calls them
    assert standard_of(asha) == {"WDF"}
    with walls.lifted("tests"):
        load_preset(SETUP, organisation=cast.northfield, preset="Monthly clinical", starts_on=today())
        load_preset(SETUP, organisation=cast.hilltop, preset="WDF", starts_on=today() - timedelta(days=9))
    assert standard_of(asha) == {"Monthly clinical"}
    assert standard_of(cai) == {"WDF"}
    with walls.lifted("tests"):
        Standard.objects.filter(organisation=cast.northfield).update(voided_at=timezone.now())
    assert standard_of(asha) == {"WDF"}


# --- What a run says, and the ledger ---------------------------------------------------------------------------------


def london(day: date, hour: int, minute: int = 0) -> datetime:
    return timezone.make_aware(datetime.combine(day, time(hour, minute)))


def a_run(day: date, outcome: str = "done", **values: Any) -> Run:
    return Run.objects.create(kind=Run.Kind.CHECKS, day=day, outcome=outcome, **values)


def test_every_rule_belongs_to_a_check() -> None:
    of = {rule: Check.of(rule) for rule in (*RULES, "training.required:IG")}
    supervision = {rule for rule, check in of.items() if check == Check.SUPERVISION}
    assert supervision == {rule for rule in RULES if rule.startswith("supervision.")}
    assert {rule for rule, check in of.items() if check == Check.TRAINING} == {"training.required:IG"}
    assert {rule for rule, check in of.items() if check == Check.REFERRALS} == {
        "training.arrs_eligible", "training.before_referrals", "training.referral_ready",
    }  # fmt: skip


@pytest.mark.django_db
def test_a_run_counts_for_each_check(cast: Cast) -> None:
    everything(cast)
    run = checks.run_checks(RUN, today())
    found = Counter(Check.of(rule).value for _, rule in open_flags())
    assert set(found) == set(Check)
    assert {check: of["raised"] for check, of in run.counts["checks"].items()} == found
    assert {check: of["open"] for check, of in run.counts["checks"].items()} == found
    assert run.counts["raised"] == run.counts["open"] == sum(found.values())
    with walls.lifted("tests"):
        assert run.counts["coaches"] == Coach.objects.count()
        Flag.objects.filter(rule="training.arrs_eligible").update(since=date(2026, 1, 1))
        Post.objects.filter(coach=cast.coach_asha).update(ends_on=today() - timedelta(days=1), end_recorded_at=MOMENT)
    again = checks.run_checks(RUN, today())
    for what in ("raised", "changed", "cleared", "open"):
        assert again.counts[what] == sum(of[what] for of in again.counts["checks"].values())
    assert again.counts["cleared"] > 0 == again.counts["raised"]
    assert again.counts["checks"]["referrals"]["changed"] > 0 == again.counts["checks"]["training"]["changed"]


@pytest.mark.django_db
def test_the_command_prints_each_check(cast: Cast) -> None:
    output = StringIO()
    call_command("run_checks", stdout=output)
    for check in Check:
        assert f"  {check.label}: " in output.getvalue()


@pytest.mark.django_db
def test_the_ledger_before_any_run_and_after(cast: Cast) -> None:
    now = london(today(), 12)
    for entry in ledger(now):
        assert entry[1:] == (None,) * 9 + (True,)
    run = checks.run_checks(RUN, today())
    entries = ledger(now)
    assert [entry.check for entry in entries] == list(Check)
    for entry in entries:
        counts = run.counts["checks"][entry.check]
        assert entry == Entry(
            entry.check, today(), run.started_at, run.ended_at, Run.Outcome.DONE,
            today(), run.counts["coaches"], counts["raised"], counts["cleared"], counts["open"], False,
        )  # fmt: skip

    later = a_run(today() + timedelta(days=1), "failed", started_at=run.started_at + timedelta(hours=9))
    for entry in ledger(london(later.day, 12)):
        assert (entry.day, entry.outcome, entry.ended_at) == (later.day, "failed", None)
        assert (entry.done_on, entry.looked_at, entry.missed) == (run.day, run.counts["coaches"], True)


@pytest.mark.django_db
def test_a_run_of_before_the_ledger_has_no_numbers_for_each_check() -> None:
    a_run(today(), counts={"coaches": 4, "raised": 1})
    for entry in ledger(london(today(), 12)):
        assert (entry.looked_at, entry.raised, entry.missed) == (4, None, False)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("last", "hour", "minute", "missed", "days"),
    [
        # the last day that was checked, counted back from today; the time in London; the days that somebody is told of
        (0, 12, 0, False, []),
        (1, 6, 59, False, []),
        (1, 7, 0, True, [0]),
        (2, 6, 59, True, [1]),
        (2, 7, 0, True, [0, 1]),
        (9, 12, 0, True, [0, 1]),
        (None, 6, 59, True, []),
        (None, 7, 0, True, [0]),
    ],
)
def test_a_day_without_checks_is_noticed(
    last: int | None, hour: int, minute: int, missed: bool, days: list[int]
) -> None:
    day = date(2026, 3, 29)  # the clocks go forward
    if last is not None:
        a_run(day - timedelta(days=last))
        a_run(day - timedelta(days=last), started_at=MOMENT)
    a_run(day, "failed")
    now = london(day, hour, minute)
    assert {entry.missed for entry in ledger(now)} == {missed}
    assert last_checks(now).missed == missed
    before = day - timedelta(days=last) if last is not None else None
    assert overdue(now) == [(day - timedelta(days=back), before) for back in days]


@pytest.mark.django_db
def test_a_day_that_was_missed_before_todays_checks_is_told_of_still() -> None:
    for back in (0, 4):
        a_run(today() - timedelta(days=back))
    assert overdue(london(today(), 8)) == [(today() - timedelta(days=1), today() - timedelta(days=4))]


@pytest.mark.django_db
@pytest.mark.parametrize(("minutes", "alarm"), [(29, False), (31, True)])
def test_nobody_is_alarmed_while_a_run_is_at_it(minutes: int, alarm: bool) -> None:
    now = london(today(), 12)
    a_run(today(), "running", started_at=now - timedelta(minutes=minutes))
    assert overdue(now) == ([(today(), None)] if alarm else [])
    assert {entry.missed for entry in ledger(now)} == {True}  # as the page says it


# --- What is to be done by now ------------------------------------------------------------------------------------


def told_of_missed() -> Counter[tuple[str, str]]:
    with walls.lifted("tests"):
        rows = Notification.objects.filter(kind="checks_missed").values_list("user__name", "key")
        return Counter((name.split()[0], key) for name, key in rows)


@pytest.mark.django_db
def test_a_day_is_checked_once_from_two_in_the_morning(cast: Cast) -> None:
    day = today()
    a_run(day - timedelta(days=1))
    assert checks.catch_up(london(day, 1, 59)) is None
    run = checks.catch_up(london(day, 2))
    assert run is not None
    assert (run.day, run.outcome, run.user_id) == (day, "done", None)
    assert open_flags() == computed() != set()
    for hour in (2, 7, 23):
        assert checks.catch_up(london(day, hour, 30)) is None
    assert told_of_missed() == {}


@pytest.mark.django_db
def test_what_nobody_checked_yesterday_is_checked_at_once_and_told(cast: Cast) -> None:
    a_run(today() - timedelta(days=3))
    for _ in range(2):
        checks.catch_up(london(today(), 0, 10))
    assert open_flags() == computed() != set()
    yesterday = (today() - timedelta(days=1)).isoformat()
    assert told_of_missed() == {(who, yesterday): 1 for who in ("Mo", "Lee", "Zed")}


@pytest.mark.django_db
def test_a_new_service_is_checked_at_once_and_nobody_is_alarmed(cast: Cast) -> None:
    assert checks.catch_up(london(today(), 0, 10)) is not None
    assert told_of_missed() == {}


@pytest.mark.django_db
def test_what_is_imported_after_the_days_checks_is_checked_too(cast: Cast) -> None:
    now = london(today(), 12)
    assert checks.catch_up(now) is not None
    everything(cast)
    assert open_flags() != computed()
    again = checks.catch_up(now)
    assert again is not None
    assert again.counts["raised"] > 0
    assert open_flags() == computed()
    assert checks.catch_up(now) is None


@pytest.mark.django_db
def test_after_checks_of_a_day_to_come_flags_stay_those_of_that_day(cast: Cast) -> None:
    tomorrow = today() + timedelta(days=1)
    checks.run_checks(RUN, tomorrow)
    assert checks.catch_up(london(today(), 12)) is None
    everything(cast)
    run = checks.catch_up(london(today(), 12))
    assert run is not None
    assert (run.day, run.outcome) == (tomorrow, "done")


@pytest.mark.django_db
def test_checks_that_fail_are_told_of_once_and_tried_again(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    a_run(today() - timedelta(days=1))

    def fail(day: date) -> actions.Seen:
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(checks, "look", fail)
        for hour, alarmed in ((3, False), (6, False), (7, True), (8, True)):
            with pytest.raises(ZeroDivisionError):
                checks.catch_up(london(today(), hour))
            assert bool(told_of_missed()) == alarmed
    assert told_of_missed() == {(who, today().isoformat()): 1 for who in ("Mo", "Lee", "Zed")}
    assert Run.objects.filter(outcome="failed").count() == 4
    assert checks.catch_up(london(today(), 9)) is not None
    assert open_flags() == computed() != set()


@pytest.mark.django_db
def test_a_run_whose_process_is_gone_is_called_interrupted(cast: Cast) -> None:
    dead = a_run(today(), "running")
    run = checks.catch_up(london(today(), 12))
    assert run is not None
    dead.refresh_from_db()
    assert (dead.outcome, dead.ended_at) == ("interrupted", None)
    late = a_run(today(), "running")
    assert checks.catch_up(london(today(), 12)) is None  # the day is done; what is dead is called so all the same
    late.refresh_from_db()
    assert late.outcome == "interrupted"


def advisory_locks() -> int:
    """How many are held or waited for in this database."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select count(*) from pg_locks l join pg_database d on d.oid = l.database"
            " where d.datname = current_database() and locktype = 'advisory'"
        )
        return int(cursor.fetchone()[0])


@contextmanager
def others_take(*locks: str) -> Iterator[None]:
    """Other connections hold these locks, or wait for them, one after another."""
    let_go = threading.Event()

    def take(lock: str) -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"select {lock}({CHECKS_LOCK})")
                let_go.wait(20)
        finally:
            connection.close()

    with ThreadPoolExecutor(len(locks)) as pool:
        try:
            for number, lock in enumerate(locks, 1):
                pool.submit(take, lock)
                wait_for(lambda number=number: advisory_locks() == number, what=lock)
            yield
        finally:
            let_go.set()


ENTRY, WORK = "pg_advisory_xact_lock_shared", "pg_advisory_xact_lock"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("locks", "is_alive"),
    [((WORK,), True), ((ENTRY, WORK), True), ((ENTRY,), False)],
    ids=["at work", "waiting for an entry", "only an entry"],
)
def test_a_run_that_is_alive_is_left_to_its_work(live_cast: Cast, locks: tuple[str, ...], is_alive: bool) -> None:
    said = a_run(today(), "running")
    with others_take(*locks):
        with transaction.atomic():
            assert nobody_at_work() == (not is_alive)
        if is_alive:
            assert checks.catch_up(london(today(), 12)) is None
            assert list(Run.objects.values_list("outcome", flat=True)) == ["running"]
    assert checks.catch_up(london(today(), 12)) is not None
    said.refresh_from_db()
    assert said.outcome == "interrupted"


@pytest.mark.django_db
def test_a_run_that_was_taken_for_dead_does_not_go_on(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between writing its row and asking for its lock it looks dead to another tick."""

    def begun_and_overtaken(*args: Any, **kwargs: Any) -> Run:
        run = start_run(*args, **kwargs)
        actions.interrupt_run(RUN, run=run)
        return run

    start_run = actions.start_run
    monkeypatch.setattr(actions, "start_run", begun_and_overtaken)
    assert checks.catch_up(london(today(), 12)) is None
    with pytest.raises(CommandError, match="Another run began at the same moment"):
        call_command("run_checks", stdout=StringIO())
    assert set(Run.objects.values_list("outcome", flat=True)) == {"interrupted"}
    assert open_flags() == set()


# --- A few coaches at once, after an entry ------------------------------------------------------------------------


def an_entry(cast: Cast, *coaches: Coach) -> None:
    """These coaches met their line manager today."""
    with walls.lifted("tests"):
        supervisor = Supervisor.objects.create(name="Pat Quill", role="line_manager")
        for coach in coaches:
            Meeting.objects.create(
                coach=coach, kind="line", supervisor=supervisor, held_on=today(), minutes=60, format="individual",
                status="held",
            )  # fmt: skip


def of(flags: set[tuple[int, str]], *coaches: Coach) -> set[tuple[int, str]]:
    return {(coach, rule) for coach, rule in flags if coach in {each.pk for each in coaches}}


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["asha", "sam", "mo", "lee"])
def test_an_entry_sets_the_flags_of_its_coach_right_and_nobody_elses(cast: Cast, who: str) -> None:
    checks.run_checks(RUN, today())
    an_entry(cast, cast.coach_asha, cast.coach_bo)
    before = open_flags()
    actor = getattr(cast, who).actor
    with walls.within(actor.scope):
        done = checks.check_coaches(actor, [cast.coach_asha.pk], today())
    assert of(open_flags(), cast.coach_asha) == of(computed(), cast.coach_asha)
    others = (cast.coach_bo, cast.coach_cai, cast.coach_dot)
    assert of(open_flags(), *others) == of(before, *others)
    assert (cast.coach_bo.pk, "supervision.line") in open_flags()  # until the checks come to him
    assert done == {"raised": 0, "changed": 0, "cleared": 1, "open": len(of(computed(), cast.coach_asha))}
    with walls.lifted("tests"):
        event = FlagEvent.objects.get(what="cleared")
        assert (event.coach, event.run, event.untold) == (cast.coach_asha, None, False)
        line = AuditEvent.objects.get(what="flag.check")
        assert (line.user_id, line.record, line.facts) == (actor.user_id, str(cast.coach_asha.uuid), done)


@pytest.mark.django_db
def test_several_coaches_at_once_and_only_those_who_are_reached(cast: Cast) -> None:
    checks.run_checks(RUN, today())
    everybody = (cast.coach_asha, cast.coach_bo, cast.coach_cai, cast.coach_dot)
    an_entry(cast, *everybody)
    mo = cast.mo.actor
    with walls.within(mo.scope):
        assert checks.check_coaches(mo, [coach.pk for coach in everybody], today())["cleared"] == 2
    ours, theirs = everybody[:2], everybody[2:]
    assert of(open_flags(), *ours) == of(computed(), *ours)
    assert {(coach.pk, "supervision.line") for coach in theirs} <= open_flags()
    with walls.lifted("tests"):
        line = AuditEvent.objects.get(what="flag.check")
    assert line.facts["coaches"] == [str(coach.uuid) for coach in ours]


@pytest.mark.django_db
def test_somebody_elses_coach_is_left_alone(cast: Cast) -> None:
    checks.run_checks(RUN, today())
    an_entry(cast, cast.coach_asha)
    before = open_flags()
    zed = cast.zed.actor
    with walls.within(zed.scope):
        assert set(checks.check_coaches(zed, [cast.coach_asha.pk], today()).values()) == {0}
    assert open_flags() == before
    with walls.lifted("tests"):
        assert not AuditEvent.objects.filter(what="flag.check").exists()


@pytest.mark.django_db
def test_what_an_entry_raises_is_told_by_the_next_tick_to_whom_the_entry_cannot_see(cast: Cast) -> None:
    asha = cast.asha.actor
    with walls.within(asha.scope):
        assert not Grant.objects.filter(user=cast.mo.user).exists()
        raised = checks.check_coaches(asha, [cast.coach_asha.pk], today())["raised"]
    assert raised > 0
    told = Notification.objects.filter(kind="flag_raised", coach=cast.coach_asha)
    with walls.lifted("tests"):
        assert FlagEvent.objects.filter(untold=True).count() == raised
        assert not told.exists()
    checks.catch_up(london(today(), 12))
    checks.catch_up(london(today(), 12))
    with walls.lifted("tests"):
        assert not FlagEvent.objects.filter(untold=True).exists()
        assert told.filter(user=cast.asha.user).count() == told.filter(user=cast.mo.user).count() == raised
        assert 0 < told.filter(user=cast.sam.user).count() < raised
        assert not told.filter(user=cast.zed.user).exists()


@pytest.mark.django_db
def test_an_entry_around_midnight_leaves_the_flags_those_of_the_new_day(cast: Cast) -> None:
    with walls.lifted("tests"):  # Asha's last day is today: tomorrow nothing is asked of her
        Post.objects.filter(coach=cast.coach_asha).update(ends_on=today(), end_recorded_at=MOMENT)
    checks.run_checks(RUN, today() + timedelta(days=1))
    mo = cast.mo.actor
    with walls.within(mo.scope):
        assert set(checks.check_coaches(mo, [cast.coach_asha.pk], today()).values()) == {0}
        assert checks.check_coaches(mo, [cast.coach_bo.pk], today())["open"] > 0


@pytest.mark.django_db
def test_an_entry_costs_as_many_queries_for_ten_coaches_as_for_one(cast: Cast) -> None:
    everything(cast, count=10)
    mo = cast.mo.actor
    counts = []
    with walls.within(mo.scope):
        for some in (sorted(mo.coaches(Can.SEE_STANDING))[:1], mo.coaches(Can.SEE_STANDING)):
            with CaptureQueriesContext(connection) as asked:
                assert checks.check_coaches(mo, some, today())["raised"] > 0
            counts.append(len(asked))
    assert counts[0] == counts[1], asked.captured_queries


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("address", ["redis://127.0.0.1:1/0", "redis+socket:///nowhere/valkey.sock"])
def test_with_the_broker_away_an_entry_is_saved_and_told_of_later(
    live_cast: Cast, address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(monkeypatch, address)
    asha = live_cast.asha.actor
    with walls.within(asha.scope):
        assert checks.check_coaches(asha, [live_cast.coach_asha.pk], today())["raised"] > 0
    assert of(open_flags(), live_cast.coach_asha) == of(computed(), live_cast.coach_asha)
    checks.catch_up(timezone.now())
    with walls.lifted("tests"):
        assert Notification.objects.filter(user=live_cast.mo.user, coach=live_cast.coach_asha).exists()


@pytest.mark.django_db(transaction=True)
def test_an_entry_wakes_the_worker(live_cast: Cast, worker: "subprocess.Popen[bytes]") -> None:
    a_run(today())  # the day is done: what the worker finds to do is telling
    asha = live_cast.asha.actor
    with walls.within(asha.scope):
        checks.check_coaches(asha, [live_cast.coach_asha.pk], today())

    def told() -> bool:
        with walls.lifted("tests"):
            return Notification.objects.filter(user=live_cast.mo.user).exists()

    wait_for(told, what="the managers to be told")


# --- Runs in processes of their own -------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_eight_runs_at_once_with_two_killed_equal_one_run(live_cast: Cast, child_env: dict[str, str]) -> None:
    with walls.lifted("tests"):
        pcns = OrganisationFactory.create_batch(5, parent=live_cast.northfield)
        for n in range(150):
            CoachFactory.create(pcn=pcns[n % 5])
    command = [sys.executable, "manage.py", "run_checks"]

    runs = [subprocess.Popen(command, env=child_env, cwd=settings.BASE_DIR, stdout=subprocess.PIPE) for _ in range(8)]
    rng = random.Random(7)
    clock.sleep(1.0)
    for victim in rng.sample(runs, 2):
        clock.sleep(rng.uniform(0, 0.5))
        os.kill(victim.pid, signal.SIGKILL)
    said = [run.communicate(timeout=120)[0].decode() for run in runs]
    endings = [run.returncode for run in runs]
    print(json.dumps({"exit codes": endings, "said": said}, indent=1))
    assert endings.count(0) >= 6, said

    expected = computed()
    assert open_flags() == expected
    with walls.lifted("tests"):
        assert Flag.objects.count() == len(expected)
        assert FlagEvent.objects.filter(what="raised").count() == len(expected)
        assert not FlagEvent.objects.filter(what="cleared").exists()
        assert Run.objects.filter(outcome="done").count() == endings.count(0)
