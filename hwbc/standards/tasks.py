"""Scheduled and asked-for jobs: fetch, action."""

from celery import shared_task

from hwbc.standards import actions


@shared_task
def heartbeat() -> None:
    """Answer that a worker is there. Beat sends it every minute, the service status page when asked to."""
    actions.answer()
