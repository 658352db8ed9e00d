"""The only code that writes jobs: asked for, taken by a worker, ended, and gone after a week."""

from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from uuid import UUID

from django.core.files.base import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from hwbc.compliance.jobs.queries import FOLDER, is_at_work, not_ended, one_at_a_time
from hwbc.kit.queue import nudge
from hwbc.standards.models import Job
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import ActionRefused, Line, action, upkeep

AT_ONCE = 3  # of one person, asked for and not ended
TRIES = 3  # a job whose worker dies as often is at fault itself


class Answer(NamedTuple):
    """What the work of a job came to: what the page shows, and the file that it made, with its name for the person."""

    result: dict[str, Any]
    refused: bool = False  # the work was done and its answer is no; nothing was saved
    file: Path | None = None
    file_name: str = ""


@action("job.ask")
def ask(
    actor: Actor,
    line: Line,
    *,
    kind: Job.Kind,
    asked: dict[str, Any],
    file: "File[Any] | None" = None,
    file_name: str = "",
    follows: Job | None = None,
) -> Job:
    """Ask the worker to do something: the row first, the message after it. Raises ActionRefused.

    `file` is kept with the job; one job may follow another and use its file. Asking twice to follow answers the first.
    """
    assert actor.user_id is not None
    one_at_a_time(actor.user_id)  # two at once make one follower, and no fourth job
    there: Job | None = Job.objects.filter(follows=follows).first() if follows else None
    if there is not None:
        line.about(there, again=True)
        return there
    if not_ended(actor).count() >= AT_ONCE:
        raise ActionRefused(
            f"{AT_ONCE} jobs of yours are not finished yet. Wait for one of them to end, then try again.", "too_many"
        )
    job = Job(user_id=actor.user_id, kind=kind, asked=asked, follows=follows, file_name=file_name[-200:])
    if file is not None:
        job.file = default_storage.save(f"{FOLDER}/{job.uuid}/brought", file)
    job.save(force_insert=True)
    line.about(job, kind=kind)
    _message(job.uuid)
    return job


def _message(uuid: UUID, **options: Any) -> None:
    from hwbc.compliance.tasks import job as message

    nudge(message, str(uuid), **options)


@upkeep("a worker takes what somebody asked for; the asking is audited")
def take(uuid: UUID) -> Job | None:
    """Take a job that waits: it is this worker's from now on. None where there is none, or another was quicker."""
    with transaction.atomic():
        waiting = Job.objects.select_for_update(skip_locked=True).filter(pk=uuid, outcome=Job.Outcome.WAITING)
        job: Job | None = waiting.first()
        if job is None:
            return None
        job.outcome, job.started_at, job.tries = Job.Outcome.RUNNING, timezone.now(), job.tries + 1
        job.save(update_fields=["outcome", "started_at", "tries"])
        return job


@action("job.end")
def end(actor: Actor, line: Line, *, job: Job, answer: Answer) -> None:
    """The work is done: what it came to, in the transaction of the work itself."""
    values: dict[str, Any] = {"result": answer.result}
    if answer.file is not None:
        with answer.file.open("rb") as made:
            values["file"] = default_storage.save(f"{FOLDER}/{job.uuid}/made", File(made))
        values["file_name"] = answer.file_name
    outcome = Job.Outcome.REFUSED if answer.refused else Job.Outcome.DONE
    mine = Job.objects.filter(pk=job.pk, outcome=Job.Outcome.RUNNING, tries=job.tries)
    if not mine.update(outcome=outcome, ended_at=timezone.now(), progress={}, **values):
        raise RuntimeError(f"Job {job.pk} is not this worker's any more.")
    line.about(job, kind=job.kind, outcome=outcome)


@upkeep("the work was undone; what was asked for is audited")
def fail(job: Job, why: str) -> None:
    """The work broke off, and what it had done was undone. `why`: a code; the page has its words."""
    Job.objects.filter(pk=job.pk, outcome=Job.Outcome.RUNNING, tries=job.tries).update(
        outcome=Job.Outcome.FAILED, ended_at=timezone.now(), progress={}, result={"why": why}
    )


@upkeep("nobody's decision: a worker has died, or a message was lost")
def set_right(now: datetime) -> None:
    """Take back what dead workers left, and send lost messages once more; called every minute.

    What a job had done was undone with its worker. Until a worker has taken its lock it is given a minute.
    """
    for job in Job.objects.filter(outcome=Job.Outcome.RUNNING, started_at__lt=now - Job.GRACE).order_by("asked_at"):
        if is_at_work(job.uuid):
            continue
        if job.tries < TRIES:
            Job.objects.filter(pk=job.pk, outcome=Job.Outcome.RUNNING, tries=job.tries).update(
                outcome=Job.Outcome.WAITING, progress={}
            )
        else:
            fail(job, "interrupted")
    for uuid in Job.objects.filter(outcome=Job.Outcome.WAITING).order_by("asked_at").values_list("pk", flat=True):
        _message(uuid, expires=55)  # the next one comes in a minute


@upkeep("the week that is promised on the page is over")
def forget(now: datetime) -> int:
    """Remove ended jobs after a week, with their files; answers how many. A job that another one follows goes after it.

    Of an import, the numbers stay with its Run.
    """
    old = Job.objects.filter(~Q(ended_at=None), asked_at__lt=now - Job.KEPT_FOR, followed_by=None)
    found = list(old.values_list("pk", flat=True))
    Job.objects.filter(pk__in=found).delete()
    transaction.on_commit(partial(_remove_files, {*map(str, found), *_left_behind(now)}))
    return len(found)


def _left_behind(now: datetime) -> set[str]:
    """Folders of files that belong to no job: a transaction was undone after the file was kept, or a process died."""
    folders = default_storage.listdir(FOLDER)[0] if default_storage.exists(FOLDER) else []
    before = now - Job.KEPT_FOR
    old = {name for name in folders if default_storage.get_modified_time(f"{FOLDER}/{name}") < before}
    return old - {str(uuid) for uuid in Job.objects.filter(pk__in=old).values_list("pk", flat=True)}


def _remove_files(jobs: set[str]) -> None:
    for folder in (f"{FOLDER}/{uuid}" for uuid in jobs):
        if default_storage.exists(folder):
            for name in default_storage.listdir(folder)[1]:
                default_storage.delete(f"{folder}/{name}")
            default_storage.delete(folder)
