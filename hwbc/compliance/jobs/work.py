"""Doing what was asked for: as whoever asked, in one transaction, telling how far it is."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import Error as DatabaseError
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from hwbc.compliance.jobs import actions
from hwbc.compliance.jobs.actions import Answer
from hwbc.compliance.jobs.queries import hold
from hwbc.standards.models import Job
from hwbc.workforce import walls
from hwbc.workforce.access import Actor, actor_of
from hwbc.workforce.sessions import actions as drafts

log = structlog.get_logger(__name__)
_FINDS = "jobs: whose they are is not known before"
_OFTEN = 0.5  # seconds between two words about how far it is


class Teller:
    """Tells whoever asked how far their job is: `tell("reading supervision", 1200, 5000)`.

    The work's own transaction shows nothing of itself until it ends; this has a connection of its own. What cannot be
    told is not told: the work goes on.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._what = ""
        self._told_at = 0.0
        self._line: BaseDatabaseWrapper | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._hang_up()

    def __call__(self, what: str, done: int | None = None, of: int | None = None) -> None:
        now = time.monotonic()
        if what == self._what and now < self._told_at + _OFTEN:
            return
        self._what, self._told_at = what, now
        try:
            self._tell({"what": what, "done": done, "of": of})
        except DatabaseError:
            log.warning("progress_not_told", job=str(self._job.uuid))
            self._hang_up()

    def _tell(self, progress: dict[str, Any]) -> None:
        if self._line is None:
            self._line = connection.copy()
            assert self._line is not None
            self._line.set_autocommit(False)
        with self._line.cursor() as cursor:
            cursor.execute("select set_config('hwbc.user', %s, true)", [str(self._job.user_id)])
            cursor.execute("set local lock_timeout = '1s'")  # it waits for nobody: least of all for the work itself
            cursor.execute(
                "update standards_job set progress = %s::jsonb where uuid = %s and ended_at is null",
                [json.dumps(progress), self._job.pk],
            )
        self._line.commit()

    def _hang_up(self) -> None:
        if self._line is not None:
            self._line.close()
            self._line = None


class _Ended(Exception):
    """There is nothing to do: why, as a code that the page has words for."""


Doer = Callable[[Actor, Job, Teller], Answer]


def _doer(kind: Job.Kind) -> Doer:
    """Who does a kind of job. Imported late: they are what the pages that ask are made of."""
    if kind == Job.Kind.EXPORT:
        from hwbc.compliance.exporting.jobs import export

        return export
    from hwbc.compliance.importing.jobs import check_workbook, import_workbook

    return {Job.Kind.CHECK_WORKBOOK: check_workbook, Job.Kind.IMPORT_WORKBOOK: import_workbook}[kind]


def do(uuid: UUID) -> Job | None:
    """Do a job, if it still waits. Returns it as it ended; None where another worker has it.

    As whoever asked, with the roles that they have now: what these do not allow any more is the doer's to refuse. What
    breaks off is undone and said to have failed.
    """
    with walls.lifted(_FINDS):
        job = actions.take(uuid)
        if job is None:
            return None
        user = job.user
    try:
        _work(actor_of(user), job)
    except Exception as fault:  # whatever broke off, whoever asked is told that it did
        if not isinstance(fault, _Ended):
            log.exception("job_failed", job=str(job.uuid), kind=job.kind)
        with walls.lifted(_FINDS):
            actions.fail(job, _why(fault))
    with walls.lifted(_FINDS):
        job.refresh_from_db()
    return job


def _work(actor: Actor, job: Job) -> None:
    if actor.user_id is None:  # the account is closed
        raise _Ended("no_access")
    answer: Answer | None = None
    try:
        with walls.within(actor.scope), Teller(job) as tell, _cancelling():
            if not hold(job):
                return
            answer = _doer(Job.Kind(job.kind))(actor, job, tell)
            actions.end(actor, job=job, answer=answer)
    finally:
        if answer is not None and answer.file is not None:
            answer.file.unlink(missing_ok=True)


@contextmanager
def _cancelling() -> Iterator[None]:
    """A job that takes too long is stopped in the midst of a statement: the database is told to stop as well.

    Otherwise it would go on, with its locks, until it noticed that nobody listens any more.
    """
    try:
        yield
    except SoftTimeLimitExceeded:
        if connection.connection is not None:
            connection.connection.cancel_safe()
        raise


def _why(fault: Exception) -> str:
    if isinstance(fault, _Ended):
        return str(fault)
    return "too_long" if isinstance(fault, SoftTimeLimitExceeded) else "broke_off"


def catch_up(now: datetime) -> dict[str, Any]:
    """What dead workers and lost messages left undone is set right; old jobs and drafts are forgotten."""
    with walls.lifted(_FINDS):
        actions.set_right(now)
        return {"forgotten": actions.forget(now), "drafts": drafts.forget(now)}
