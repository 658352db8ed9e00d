"""The only code that writes standards, flags, runs and the pulse."""

from django.utils import timezone

from hwbc.kit.queue import nudge
from hwbc.standards.models import Heartbeat
from hwbc.workforce.audit import upkeep


@upkeep("a pulse is nobody's decision")
def ask_worker() -> None:
    """Ask the worker to answer: the row first, the message after it."""
    from hwbc.standards.tasks import heartbeat

    Heartbeat.objects.update_or_create(pk=1, defaults={"asked_at": timezone.now()})
    nudge(heartbeat, expires=60)


@upkeep("a pulse is nobody's decision")
def answer() -> None:
    """A worker answers; called by the worker alone."""
    Heartbeat.objects.update_or_create(pk=1, defaults={"answered_at": timezone.now()})
