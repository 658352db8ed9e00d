"""What takes longer than a page may: asked for once, done once, as whoever asked, whatever happens to workers.

Real workers and a real broker where it is about them (`tests.compliance.test_faults` has the tools).
"""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import IntegrityError, OperationalError
from django.urls import reverse
from django.utils import timezone

from hwbc.compliance.importing import jobs as doers
from hwbc.compliance.jobs import actions, queries, work
from hwbc.compliance.jobs.actions import Answer, ask
from hwbc.compliance.tasks import job as message
from hwbc.standards.models import Job
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.actions import end_grant
from hwbc.workforce.audit import ActionRefused
from hwbc.workforce.models import AuditEvent, Coach, Grant, User
from tests.cast import SETUP, Cast
from tests.compliance.bringing import asked, checked, confirmed, done
from tests.compliance.test_faults import at_once, flush_broker, held, in_thread, kill, others_wait, workers
from tests.conftest import wait_for
from tests.races import at_once as two_at_once

A_COACH = {
    "coaches": [
        {"coach_ref": "NEW", "name": "Nia Invented", "email": "nia@example.org", "pcn_code": "U99991",
         "started_on": "2026-01-05", "hours_per_week": "30", "funding": "arrs"}
    ]
}  # fmt: skip
# An import for this service waits here, in the midst of its work.
WAITS = "select pg_advisory_xact_lock(hashtextextended('import for HUB1', 0))"

live = pytest.mark.django_db(transaction=True)


def now(job: Job) -> Job:
    """The job as it stands now, for everybody to see."""
    with walls.lifted("tests"):
        return Job.objects.get(pk=job.pk)


def later(**time: float) -> None:
    """What the schedule does every minute, as if so much time had passed."""
    work.catch_up(timezone.now() + timedelta(**time))


@pytest.fixture
def no_messages() -> Iterator[None]:
    """The broker forgets what others have sent."""
    flush_broker()
    yield
    flush_broker()


# --- Asking ----------------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_what_is_asked_for_is_a_row_with_its_file_and_a_line_in_the_audit(cast: Cast) -> None:
    job = asked(cast.mo, A_COACH, name="our coaches.xlsx")
    assert (job.outcome, job.tries, job.file_name) == ("waiting", 0, "our coaches.xlsx")
    with default_storage.open(job.file) as file:
        assert file.read(2) == b"PK"
    assert Path(default_storage.path(job.file)).stat().st_mode & 0o077 == 0
    with walls.lifted("tests"):
        line = AuditEvent.objects.get(what="job.ask")
    assert (line.user, line.record, line.facts) == (cast.mo.user, str(job.pk), {"kind": "check_workbook"})


@pytest.mark.django_db
def test_nobody_asks_for_more_than_three_at_once(cast: Cast) -> None:
    first = [asked(cast.mo, A_COACH) for _ in range(3)]
    with pytest.raises(ActionRefused, match="3 jobs of yours are not finished yet"):
        asked(cast.mo, A_COACH)
    asked(cast.zed, A_COACH, service="U99993")  # theirs do not count for somebody else
    done(first[0])
    asked(cast.mo, A_COACH)


@pytest.mark.parametrize("guarded", [True, False], ids=["guarded", "control"])
@live
def test_confirming_twice_at_once_imports_once(
    live_cast: Cast, guarded: bool, monkeypatch: pytest.MonkeyPatch, no_messages: None
) -> None:
    """The control: without the lock the second would break on the unique constraint."""
    check = checked(live_cast.mo, A_COACH)
    mo = live_cast.mo.actor
    if not guarded:
        monkeypatch.setattr(actions, "one_at_a_time", lambda user: None)

    def confirm() -> Job:
        return ask(mo, kind=Job.Kind.IMPORT_WORKBOOK, asked={}, follows=check)

    first, second = two_at_once(mo, confirm, mo, confirm)
    if guarded:
        assert first.pk == second.pk
    else:
        assert isinstance(second, IntegrityError)
    with walls.lifted("tests"):
        assert Job.objects.filter(follows=check).count() == 1


# --- Doing -----------------------------------------------------------------------------------------------------------


@live
def test_a_worker_does_it(live_cast: Cast, worker: Any) -> None:
    job = asked(live_cast.mo, A_COACH)
    wait_for(lambda: now(job).ended_at, what="the worker")
    ended = now(job)
    assert (ended.outcome, ended.tries, ended.progress) == ("done", 1, {})
    assert ended.result["sheets"][0]["new"] == 1
    with walls.lifted("tests"):
        line = AuditEvent.objects.get(what="job.end")
    assert (line.user, line.by, line.facts["outcome"]) == (live_cast.mo.user, "pcn_manager", "done")


@live
def test_workers_at_once_do_it_once(live_cast: Cast, no_messages: None) -> None:
    job = asked(live_cast.mo, A_COACH)
    got: list[Job | None] = []
    at_once(4, lambda: got.append(work.do(job.pk)))
    assert len(got) == 4
    assert [each.outcome for each in got if each is not None] == ["done"]
    assert now(job).tries == 1


@live
def test_whoever_asked_sees_how_far_it_is_while_it_is_done(live_cast: Cast, no_messages: None) -> None:
    job = asked(live_cast.mo, A_COACH)
    page = reverse("job", kwargs={"uuid": job.pk})
    assert "Waiting" in live_cast.mo.client.get(page).content.decode()
    with ThreadPoolExecutor(1) as pool:
        with held(WAITS):
            doing = pool.submit(in_thread(lambda: work.do(job.pk)))
            wait_for(others_wait, what="the import to wait")
            assert now(job).progress == {"what": "checking", "done": None, "of": None}
            html = live_cast.mo.client.get(page).content.decode()
        doing.result(20)
    assert "Checking your workbook" in html
    assert "data-follow" in html
    assert "Checking …" in html
    assert (now(job).progress, now(job).outcome) == ({}, "done")
    assert "data-follow" not in live_cast.mo.client.get(page).content.decode()


@pytest.mark.django_db
def test_one_that_waits_for_long_says_so(cast: Cast) -> None:
    job = asked(cast.mo, A_COACH)
    page = reverse("job", kwargs={"uuid": job.pk})
    assert "A worker takes it in a moment." in cast.mo.client.get(page).content.decode()
    with walls.lifted("tests"):
        Job.objects.update(asked_at=timezone.now() - timedelta(minutes=6))
    assert "the background jobs may have stopped" in cast.mo.client.get(page).content.decode()


@pytest.mark.django_db
def test_what_cannot_be_told_stops_no_work(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    class Away:
        def copy(self) -> Any:
            raise OperationalError("There is no connection left.")

    monkeypatch.setattr(work, "connection", Away())
    assert checked(cast.mo, A_COACH).outcome == "done"


@pytest.mark.django_db
def test_what_breaks_off_is_undone_and_said_to_have_failed(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    job = confirmed(cast.mo, checked(cast.mo, A_COACH))

    def breaks_off(*args: Any) -> dict[str, Any]:
        assert Coach.objects.filter(reference="NEW").count() == 0  # behind the wall: nobody reached them at the start
        raise ZeroDivisionError

    monkeypatch.setattr(doers, "_told", breaks_off)
    ended = work.do(job.pk)
    assert ended is not None
    assert (ended.outcome, ended.result) == ("failed", {"why": "broke_off"})
    with walls.lifted("tests"):
        assert not Coach.objects.filter(reference="NEW").exists()
    html = cast.mo.client.get(reverse("job", kwargs={"uuid": job.pk})).content.decode()
    assert "Something went wrong that is not your fault. Nothing was saved." in html
    assert str(job.pk) in html


# --- Workers that die, messages that are lost ------------------------------------------------------------------------


@live
def test_a_lost_message_is_sent_again(
    live_cast: Cast, child_env: dict[str, str], no_messages: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = asked(live_cast.mo, A_COACH)
    flush_broker()
    with workers(child_env, "one"):
        assert now(job).outcome == "waiting"
        later()
        wait_for(lambda: now(job).ended_at, what="the message that was sent again")
    assert (now(job).outcome, now(job).tries) == ("done", 1)


def killed_at_work(env: dict[str, str], job: Job) -> None:
    """A worker takes the job and is killed in the midst of it."""
    with workers(env, "one") as [worker]:
        with held(WAITS):
            message.apply_async((str(job.pk),))
            wait_for(others_wait, what="the worker to be at work")
            kill(worker)
        flush_broker()  # which would hand the message to the next worker
        wait_for(lambda: not at_work(job), what="PostgreSQL to notice")


def at_work(job: Job) -> bool:
    with walls.lifted("tests"):
        return queries.is_at_work(job.pk)


@live
def test_what_a_dead_worker_left_is_done_by_the_next(
    live_cast: Cast, child_env: dict[str, str], no_messages: None
) -> None:
    job = confirmed(live_cast.mo, checked(live_cast.mo, A_COACH))
    flush_broker()
    killed_at_work(child_env, job)
    assert (now(job).outcome, now(job).tries) == ("running", 1)
    later()
    assert now(job).outcome == "running"  # it may have taken the job this very moment
    with workers(child_env, "two"):
        later(minutes=2)
        wait_for(lambda: now(job).ended_at, what="the next worker")
    assert (now(job).outcome, now(job).tries) == ("done", 2)
    with walls.lifted("tests"):
        assert Coach.objects.filter(reference="NEW").count() == 1


@live
def test_a_job_that_three_workers_died_of_is_given_up(
    live_cast: Cast, child_env: dict[str, str], no_messages: None
) -> None:
    job = asked(live_cast.mo, A_COACH)
    flush_broker()
    for time in (1, 2, 3):
        killed_at_work(child_env, job)
        assert (now(job).outcome, now(job).tries) == ("running", time)
        later(minutes=2)
        flush_broker()
    assert (now(job).outcome, now(job).result) == ("failed", {"why": "interrupted"})
    page = live_cast.mo.client.get(reverse("job", kwargs={"uuid": job.pk}))
    assert "stopped three times" in page.content.decode()


@live
def test_one_who_is_at_work_for_long_is_left_alone(live_cast: Cast, no_messages: None) -> None:
    job = asked(live_cast.mo, A_COACH)
    with ThreadPoolExecutor(1) as pool:
        with held(WAITS):
            doing = pool.submit(in_thread(lambda: work.do(job.pk)))
            wait_for(others_wait, what="the import to wait")
            later(minutes=20)
            assert now(job).outcome == "running"
        assert doing.result(20).outcome == "done"
    assert now(job).tries == 1


@live
def test_one_who_was_given_up_for_dead_does_nothing_any_more(live_cast: Cast, no_messages: None) -> None:
    job = confirmed(live_cast.mo, checked(live_cast.mo, A_COACH))
    with walls.lifted("tests"):
        slow = actions.take(job.pk)  # and then nothing for two minutes
    assert slow is not None
    later(minutes=2)
    done(job)
    work._work(live_cast.mo.actor, slow)
    assert (now(job).outcome, now(job).tries) == ("done", 2)
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="workbook.import").count() == 1


@live
def test_what_takes_too_long_is_stopped_with_its_statement(
    live_cast: Cast, child_env: dict[str, str], no_messages: None
) -> None:
    """In the midst of a statement; afterwards the same process goes on with the next job."""
    long, short = asked(live_cast.mo, A_COACH), asked(live_cast.mo, A_COACH, service="U99991")
    flush_broker()
    with workers(child_env, "one"):
        with held(WAITS):
            message.apply_async((str(long.pk),), soft_time_limit=2)
            wait_for(others_wait, what="the import to wait")
            wait_for(lambda: now(long).ended_at, what="its time to be over")
            assert (now(long).outcome, now(long).result) == ("failed", {"why": "too_long"})
            assert not others_wait()
            message.apply_async((str(short.pk),))
            wait_for(lambda: now(short).ended_at, what="the next job")
        assert now(short).outcome == "done"
    page = live_cast.mo.client.get(reverse("job", kwargs={"uuid": long.pk}))
    assert "took longer than half an hour" in page.content.decode()


# --- Whose it is -----------------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_a_job_is_there_for_whoever_asked_alone(cast: Cast) -> None:
    job = checked(cast.mo, A_COACH)
    assert cast.mo.client.get(reverse("job", kwargs={"uuid": job.pk})).status_code == 200
    assert "Workbook check" in cast.mo.client.get(reverse("jobs")).content.decode()
    for other in (cast.zed, cast.lee, cast.ann):
        for page in ("job", "job_file", "import_faults"):
            status = other.client.get(reverse(page, kwargs={"uuid": job.pk})).status_code
            assert status == (403 if other is cast.ann and page == "import_faults" else 404)
        if other is not cast.ann:
            assert other.client.post(reverse("import_confirm", kwargs={"uuid": job.pk})).status_code == 404
        assert "Workbook check" not in other.client.get(reverse("jobs")).content.decode()
        with walls.within(other.actor.scope):
            assert not Job.objects.filter(pk=job.pk).exists()  # the wall itself, whatever a page asks
            assert Job.objects.filter(pk=job.pk).update(outcome="failed") == 0


@pytest.mark.django_db
def test_access_is_judged_when_it_is_done(cast: Cast) -> None:
    first, second = asked(cast.mo, A_COACH), asked(cast.mo, A_COACH)
    with walls.lifted("tests"):
        end_grant(SETUP, grant=Grant.objects.get(user=cast.mo.user))
    ended = done(first)
    assert ended.outcome == "refused"
    assert "may not bring in a workbook" in ended.result["why"]
    with walls.lifted("tests"):
        User.objects.filter(pk=cast.mo.user.pk).update(is_active=False)
    ended = work.do(second.pk)  # type: ignore[assignment]
    assert (ended.outcome, ended.result) == ("failed", {"why": "no_access"})


@pytest.mark.django_db
@pytest.mark.parametrize("kind", list(Job.Kind))
def test_a_job_is_done_in_the_scope_of_whoever_asked(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, kind: Job.Kind
) -> None:
    """Whatever its work forgets to ask: the database shows it what it shows them, and no more."""
    seen: list[tuple[set[str], set[int]]] = []

    def forgets_who_asked(actor: Actor, job: Job, tell: work.Teller) -> Answer:
        coaches = set(Coach.objects.values_list("name", flat=True))
        seen.append((coaches, set(Job.objects.values_list("user", flat=True))))
        return Answer({})

    monkeypatch.setattr(work, "_doer", lambda kind: forgets_who_asked)
    for who in (cast.mo, cast.zed):
        actor = who.actor
        with walls.within(actor.scope):
            job = ask(actor, kind=kind, asked={})
        ended = work.do(job.pk)
        assert ended is not None
        assert ended.outcome == "done"
    assert seen == [({"Asha Rahman", "Bo Lindqvist"}, {cast.mo.user.pk}), ({"Dot Ferreira"}, {cast.zed.user.pk})]


# --- Gone after a week -----------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_after_a_week_the_job_and_its_file_are_gone(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    kept, gone = checked(cast.mo, A_COACH), checked(cast.mo, A_COACH)
    waits = asked(cast.mo, A_COACH)
    ago = timezone.now() - timedelta(days=7, minutes=1)
    with walls.lifted("tests"):
        Job.objects.exclude(pk=kept.pk).update(asked_at=ago)
    files = {job.pk: job.file for job in (kept, gone, waits)}
    with django_capture_on_commit_callbacks(execute=True):
        later()
    with walls.lifted("tests"):
        assert set(Job.objects.values_list("pk", flat=True)) == {kept.pk, waits.pk}  # what is not done is not forgotten
    assert {pk for pk, file in files.items() if default_storage.exists(file)} == {kept.pk, waits.pk}
    assert not default_storage.exists(f"jobs/{gone.pk}")
    assert cast.mo.client.get(reverse("job", kwargs={"uuid": gone.pk})).status_code == 404


@pytest.mark.django_db
def test_a_check_goes_after_its_import(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    check = checked(cast.mo, A_COACH)
    done(confirmed(cast.mo, check))
    with walls.lifted("tests"):
        Job.objects.update(asked_at=timezone.now() - timedelta(days=8))
    for left in (1, 0):
        with django_capture_on_commit_callbacks(execute=True):
            later()
        with walls.lifted("tests"):
            assert Job.objects.count() == left
    assert not default_storage.exists(check.file)
    with walls.lifted("tests"):
        assert Coach.objects.filter(reference="NEW").exists()  # what was imported stays


@pytest.mark.django_db
def test_files_that_belong_to_no_job_are_removed_too(cast: Cast, django_capture_on_commit_callbacks: Any) -> None:
    left = default_storage.save("jobs/11111111-1111-4111-8111-111111111111/brought", ContentFile(b"PK"))
    for days, there in ((6, True), (8, False)):
        with django_capture_on_commit_callbacks(execute=True):
            later(days=days)
        assert default_storage.exists(left) == there
