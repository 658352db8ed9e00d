"""Whether the background jobs are alive."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from hwbc.standards.models import Heartbeat

# Beat asks every minute; three missed ones are no accident.
STALE_AFTER = timedelta(minutes=3)


@dataclass(frozen=True)
class Pulse:
    """When a worker was last asked and last answered."""

    asked_at: datetime | None
    answered_at: datetime | None

    def alive(self, now: datetime) -> bool:
        """Whether a worker answered within STALE_AFTER."""
        return self.answered_at is not None and now - self.answered_at <= STALE_AFTER

    @property
    def waiting(self) -> bool:
        """Whether a worker was asked and has not answered since."""
        return self.asked_at is not None and (self.answered_at is None or self.answered_at < self.asked_at)


def pulse() -> Pulse:
    """The last pulse; both moments None where no worker was ever asked."""
    row = Heartbeat.objects.filter(pk=1).first()
    return Pulse(row.asked_at, row.answered_at) if row else Pulse(None, None)
