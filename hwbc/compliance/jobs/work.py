"""Doing what was asked for: as whoever asked, in one transaction, telling how far it is."""

import json
import time
from collections.abc import Callable
from datetime import datetime
from types import TracebackType
from typing import Any, Self
from uuid import UUID

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import connection
from django.db.backends.base.base import BaseDatabaseWrapper

from hwbc.compliance.jobs import actions
from hwbc.compliance.jobs.actions import Answer
from hwbc.compliance.jobs.queries import hold
from hwbc.standards.models import Job
from hwbc.workforce import walls
from hwbc.workforce.access import Actor, actor_of

log = structlog.get_logger(__name__)
_FINDS = "jobs: whose they are is not known before"
_OFTEN = 0.5  # seconds between two words about how far it is


class Teller:
    """Tells whoever asked how far their job is: `tell("reading supervision", 1200, 5000)`.

    The work's own transaction shows nothing of itself until it ends; this has a connection of its own.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._told_at = 0.0
        self._line: BaseDatabaseWrapper | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        if self._line is not None:
            self._line.close()

    def __call__(self, what: str, done: int | None = None, of: int | None = None) -> None:
        if (now := time.monotonic()) < self._told_at + _OFTEN:
            return
        self._told_at = now
        if self._line is None:
            self._line = connection.copy()
            assert self._line is not None
            self._line.set_autocommit(False)
        with self._line.cursor() as cursor:
            cursor.execute("select set_config('hwbc.user', %s, true)", [str(self._job.user_id)])
            cursor.execute(
                "update standards_job set progress = %s::jsonb where uuid = %s and ended_at is null",
                [json.dumps({"what": what, "done": done, "of": of}), self._job.pk],
            )
        self._line.commit()


Doer = Callable[[Actor, Job, Teller], Answer]


def _doer(kind: str) -> Doer:
    """Who does a kind of job. Imported late: they are what the pages that ask are made of."""
    from hwbc.compliance.exporting.jobs import export
    from hwbc.compliance.importing.jobs import check_workbook, import_workbook

    doers: dict[str, Doer] = {
        Job.Kind.CHECK_WORKBOOK: check_workbook,
        Job.Kind.IMPORT_WORKBOOK: import_workbook,
        Job.Kind.EXPORT: export,
    }
    return doers[kind]


def do(uuid: UUID) -> Job | None:
    """Do a job, if it still waits. Returns it as it ended; None where another worker has it.

    As whoever asked, with the roles that they have now. What breaks off is undone and said to have failed.
    """
    with walls.lifted(_FINDS):
        job = actions.take(uuid)
        if job is None:
            return None
        user = job.user
    actor = actor_of(user)
    try:
        with walls.within(actor.scope), Teller(job) as tell:
            hold(job.uuid)
            answer = _doer(job.kind)(actor, job, tell)
            actions.end(actor, job=job, answer=answer)
        if answer.file is not None:
            answer.file.unlink(missing_ok=True)
    except Exception as fault:  # whatever broke off, whoever asked is told that it did
        log.exception("job_failed", job=str(job.uuid), kind=job.kind)
        with walls.lifted(_FINDS):
            actions.fail(job, "too_long" if isinstance(fault, SoftTimeLimitExceeded) else "broke_off")
    with walls.lifted(_FINDS):
        job.refresh_from_db()
    return job


def catch_up(now: datetime) -> dict[str, Any]:
    """What dead workers and lost messages left undone is set right; what is a week old is forgotten."""
    with walls.lifted(_FINDS):
        actions.set_right(now)
        return {"forgotten": actions.forget(now)}
