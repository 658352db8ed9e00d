"""Which numbers are asked where on a day; and whether the background jobs are alive."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q
from django.utils import timezone

from hwbc.standards.models import Heartbeat, Standard
from hwbc.standards.presets import WDF
from hwbc.standards.rules import Numbers
from hwbc.workforce.models import Organisation

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


class Asked:
    """The numbers in force on a day, as known at a moment, for each organisation (rules, section 1).

    An organisation without a standard of its own has that of its nearest ancestor; none anywhere, the preset "WDF".
    """

    def __init__(self, day: date, known: datetime) -> None:
        self._parent: dict[int, int | None] = {}
        self._own: dict[int, Numbers] = {}
        still_known = Q(voided_at__isnull=True) | Q(voided_at__gt=known)
        # An end that was recorded later was not known yet: then the standard was still running.
        running = Q(ends_on__isnull=True) | Q(ends_on__gte=day) | Q(end_recorded_at__gt=known)
        standards = list(
            Standard.objects.filter(still_known, running, starts_on__lte=day, recorded_at__lte=known).prefetch_related(
                "numbers"
            )
        )
        if standards:
            self._parent = dict(Organisation.objects.values_list("id", "parent_id"))
        for standard in standards:
            numbers = {number.key: number.value for number in standard.numbers.all()}
            self._own[standard.organisation_id] = Numbers(name=standard.name, **numbers)

    def at(self, organisation: int) -> Numbers:
        """The numbers for an organisation."""
        place: int | None = organisation
        while place is not None and self._own:
            if place in self._own:
                return self._own[place]
            place = self._parent.get(place)
        return WDF

    def parameters(self) -> dict[str, list[int]]:
        """The parameters of `hwbc.workforce.queries.GROUND`: PCN 0 has the default, others where they differ."""
        differing = {place: self.at(place) for place in self._parent if self.at(place) is not WDF}
        rows = {0: WDF, **differing}
        columns = (
            "pause_after_days",
            "completed_days",
            "supervisor_tier",
            "supervisor_years",
            "supervisor_nhs_hours",
            "supervisor_caseload_hours",
            "supervisor_evidence_months",
        )
        return {"pcns": list(rows), **{c: [getattr(numbers, c) for numbers in rows.values()] for c in columns}}


def moment(known: datetime | None) -> datetime:
    """The moment as of which something is known: now, unless said otherwise."""
    return known or timezone.now()
