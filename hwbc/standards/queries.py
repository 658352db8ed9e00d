"""Which numbers are asked where on a day; and whether the background jobs are alive."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from django.db import connection
from django.utils import timezone

from hwbc.standards.models import Heartbeat, Run
from hwbc.standards.presets import WDF
from hwbc.standards.rules import Numbers
from hwbc.workforce.queries import covers

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


_IN_FORCE = f"""
with recursive live as (
    select s.id, s.organisation_id, s.name from standards_standard s where {covers("s")}
), below as (
    select l.id as standard_id, l.organisation_id as node from live l
    union
    select b.standard_id, o.id from below b join workforce_organisation o on o.parent_id = b.node
     where not exists (select 1 from live l where l.organisation_id = o.id)
)
select l.organisation_id, l.name,
       (select array_agg(b.node) from below b where b.standard_id = l.id),
       (select array_agg(n.key order by n.key) from standards_standardnumber n where n.standard_id = l.id),
       (select array_agg(n.value order by n.key) from standards_standardnumber n where n.standard_id = l.id)
  from live l
"""


class Asked:
    """The numbers in force on a day, as known at a moment, for each organisation (rules, section 1).

    An organisation without a standard of its own has that of its nearest ancestor; none anywhere, the preset "WDF".
    """

    def __init__(self, day: date, known: datetime) -> None:
        self._numbers: dict[int, Numbers] = {}
        #: Organisation → the numbers of its own standard.
        self.own: dict[int, Numbers] = {}
        with connection.cursor() as cursor:
            cursor.execute(_IN_FORCE, {"day": day, "known": known})
            for organisation, name, nodes, keys, values in cursor:
                numbers = Numbers(name=name, **dict(zip(keys or (), values or (), strict=True)))
                self.own[organisation] = numbers
                self._numbers |= dict.fromkeys(nodes, numbers)

    def at(self, organisation: int) -> Numbers:
        """The numbers for an organisation."""
        return self._numbers.get(organisation, WDF)

    def parameters(self) -> dict[str, list[int]]:
        """The parameters of `hwbc.workforce.queries.GROUND`: PCN 0 has the default, others where they differ."""
        rows = {0: WDF, **self._numbers}
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


CHECKED_BY = time(7)  # London: by then today's checks have run; before it, yesterday's are enough


@dataclass(frozen=True)
class LastChecks:
    """The last checks that came to their end, and whether some should have run since."""

    run: Run | None
    missed: bool


def last_checks(now: datetime) -> LastChecks:
    """The last finished checks as at a moment."""
    local = timezone.localtime(now)
    expected = local.date() if local.time() >= CHECKED_BY else local.date() - timedelta(days=1)
    run = Run.objects.filter(kind=Run.Kind.CHECKS, outcome=Run.Outcome.DONE).order_by("-day", "-started_at").first()
    return LastChecks(run, run is None or run.day < expected)
