"""Scheduled and asked-for jobs of what spans all apps: fetch, action."""

from celery import shared_task
from django.utils import timezone

from hwbc.compliance.checks import catch_up
from hwbc.standards.queries import LONGEST_RUN


@shared_task(time_limit=int(LONGEST_RUN.total_seconds()))
def checks() -> None:
    """Do what is to be done by now and was not. Beat asks every two minutes, an entry that raised a flag at once.

    Twice is once, and what was not done this time is done the next: a message may get lost, and may come twice.
    """
    catch_up(timezone.now())
