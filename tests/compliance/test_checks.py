"""Flags: raised and cleared exactly once, however many runs there are at once and however they end."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from datetime import date, timedelta
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from hwbc.compliance import checks
from hwbc.kit.periods import today
from hwbc.standards import actions
from hwbc.standards.actions import load_preset
from hwbc.standards.models import Flag, FlagEvent, Run, Standard
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Post
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory

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
            cursor.execute("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()")
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

    asha, cai = str(cast.coach_asha.uuid), str(cast.coach_cai.uuid)
    assert standard_of(asha) == {"WDF"}
    with walls.lifted("tests"):
        load_preset(SETUP, organisation=cast.northfield, preset="Monthly clinical", starts_on=today())
        load_preset(SETUP, organisation=cast.hilltop, preset="WDF", starts_on=today() - timedelta(days=9))
    assert standard_of(asha) == {"Monthly clinical"}
    assert standard_of(cai) == {"WDF"}
    with walls.lifted("tests"):
        Standard.objects.filter(organisation=cast.northfield).update(voided_at=timezone.now())
    assert standard_of(asha) == {"WDF"}


@pytest.mark.django_db(transaction=True)
def test_eight_runs_at_once_with_two_killed_equal_one_run(live_cast: Cast, child_env: dict[str, str]) -> None:
    with walls.lifted("tests"):
        pcns = OrganisationFactory.create_batch(5, parent=live_cast.northfield)
        for n in range(150):
            CoachFactory.create(pcn=pcns[n % 5])
    command = [sys.executable, "manage.py", "run_checks"]

    runs = [subprocess.Popen(command, env=child_env, cwd=settings.BASE_DIR, stdout=subprocess.PIPE) for _ in range(8)]
    rng = random.Random(7)
    time.sleep(1.0)
    for victim in rng.sample(runs, 2):
        time.sleep(rng.uniform(0, 0.5))
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
