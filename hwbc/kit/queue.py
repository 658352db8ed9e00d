"""Sending a message about something that stands in the database already."""

from typing import Any

import structlog
from celery import Task
from django.db import transaction
from kombu.exceptions import OperationalError

log = structlog.get_logger(__name__)


def nudge(task: "Task[Any, Any]", *args: Any, expires: int = 3600) -> None:
    """After the commit, tell a worker that there is something to do.

    What must happen is a row first: while the broker is down the message is lost and nothing else, and the next
    scheduled run finds the row. `expires` is in seconds; arguments are identifiers.
    """

    def send() -> None:
        try:
            task.apply_async(args, expires=expires, retry=False)
        except OperationalError:
            log.warning("message_lost", task=task.name)

    transaction.on_commit(send)
