"""Scheduled and asked-for jobs of what spans all apps: fetch, action."""

from uuid import UUID

from celery import shared_task
from django.utils import timezone

from hwbc.compliance.checks import catch_up
from hwbc.compliance.jobs import work
from hwbc.standards.queries import LONGEST_RUN
from hwbc.workforce import sealing


@shared_task(time_limit=int(LONGEST_RUN.total_seconds()))
def checks() -> None:
    """Do what is to be done by now and was not. Beat asks every two minutes, an entry that raised a flag at once.

    Twice is once, and what was not done this time is done the next: a message may get lost, and may come twice.
    """
    catch_up(timezone.now())


_LONGEST = 30 * 60  # seconds: a job that takes longer is broken off, and says so


@shared_task(soft_time_limit=_LONGEST, time_limit=_LONGEST + 60)
def job(uuid: str) -> None:
    """Do what somebody asked for. A message that comes twice finds nothing to do."""
    work.do(UUID(uuid))


@shared_task
def seal() -> None:
    """Every minute: what became final in the audit is sealed. One at a time; what this one leaves, the next takes."""
    sealing.seal()


@shared_task
def jobs() -> None:
    """Every minute: what a lost message or a dead worker left undone is done all the same; old jobs are forgotten."""
    work.catch_up(timezone.now())
