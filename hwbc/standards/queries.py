"""Which numbers are asked where on a day; what the checks did, and whether the background jobs are alive; the news."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import NamedTuple

from django.db import connection, models
from django.utils import timezone

from hwbc.kit.prepared import Prepared
from hwbc.standards.models import Check, FlagEvent, Heartbeat, Notification, Run
from hwbc.standards.presets import WDF
from hwbc.standards.rules import Numbers
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Reached
from hwbc.workforce.queries import TYPES, covers

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


_HOLD = Prepared("standards", _IN_FORCE, TYPES)


class Asked:
    """The numbers in force on a day, as known at a moment, for each organisation (rules, section 1).

    An organisation without a standard of its own has that of its nearest ancestor; none anywhere, the preset "WDF".
    """

    def __init__(self, day: date, known: datetime) -> None:
        self._numbers: dict[int, Numbers] = {}
        #: Organisation → the numbers of its own standard.
        self.own: dict[int, Numbers] = {}
        with _HOLD.ask({"day": day, "known": known}) as cursor:
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


# --- The checks: what was done, and whether it was done in time ------------------------------------------------------

CHECKED_FROM = time(2)  # London: when a day's checks begin, if somebody is there to begin them
CHECKED_BY = time(7)  # London: by then today's checks have run; before it, yesterday's are enough
# A hundred thousand coaches take two minutes the first time, and a fraction of it later. One that hangs is ended.
LONGEST_RUN = timedelta(minutes=30)


@dataclass(frozen=True)
class LastChecks:
    """The last checks that came to their end, and whether some should have run since."""

    run: Run | None
    missed: bool


def last_checks(now: datetime) -> LastChecks:
    """The last finished checks as at a moment."""
    run = _checks().filter(outcome=Run.Outcome.DONE).order_by("-day", "-started_at").first()
    return LastChecks(run, run is None or run.day < expected_on(now))


def expected_on(now: datetime) -> date:
    """The last day whose checks are to be done by a moment."""
    local = timezone.localtime(now)
    return local.date() if local.time() >= CHECKED_BY else local.date() - timedelta(days=1)


def _checks() -> models.QuerySet[Run]:
    return Run.objects.filter(kind=Run.Kind.CHECKS)


class Entry(NamedTuple):
    """One check in the ledger: the last run that was begun, and what the last one that was finished found."""

    check: Check
    day: date | None  # of the last run that was begun; None where none ever was, as in what follows
    started_at: datetime | None
    ended_at: datetime | None  # None too where it runs, or its process died
    outcome: Run.Outcome | None
    done_on: date | None  # the day of the last run that was finished, and what it looked at and did
    looked_at: int | None  # coaches
    raised: int | None  # flags
    cleared: int | None
    open: int | None
    missed: bool  # no run was finished for the last day that should have one


def ledger(now: datetime) -> list[Entry]:
    """Each nightly check as at a moment: when it last ran, what it looked at, raised and cleared, and if it was missed.

    Today's is missed from CHECKED_BY on, yesterday's before it. Computed when it is asked: it is right also where the
    worker that would raise the alarm is dead.
    """
    last = _checks().order_by("-started_at", "-pk").first()
    done = last_checks(now)
    counts = done.run.counts if done.run else {}
    return [
        Entry(
            check,
            day=last.day if last else None,
            started_at=last.started_at if last else None,
            ended_at=last.ended_at if last else None,
            outcome=Run.Outcome(last.outcome) if last else None,
            done_on=done.run.day if done.run else None,
            looked_at=counts.get("coaches"),
            raised=of.get("raised"),
            cleared=of.get("cleared"),
            open=of.get("open"),
            missed=done.missed,
        )
        for check in Check
        for of in [counts.get("checks", {}).get(check, {})]
    ]


class Overdue(NamedTuple):
    """Checks that were not made: the last day without them, and the last one with them, if there was one."""

    day: date
    last: date | None


def overdue(now: datetime) -> list[Overdue]:
    """Of today and yesterday, the days whose checks were to be done by a moment and never were.

    Yesterday counts from the first day that was checked at all: a new service has missed nothing. Today does not count
    while a run is at it.
    """
    today = timezone.localdate(now)
    yesterday = today - timedelta(days=1)
    days = list(
        _checks().filter(outcome=Run.Outcome.DONE).order_by("-day").values_list("day", flat=True).distinct()[:2]
    )
    found = []
    at_it = any(run.started_at > now - LONGEST_RUN for run in said_to_be_running())
    if not (days and days[0] >= today) and expected_on(now) == today and not at_it:
        found.append(Overdue(today, days[0] if days else None))
    before = next((day for day in days if day < today), None)
    if before is not None and before < yesterday:
        found.append(Overdue(yesterday, before))
    return found


# The locks of the checks, each held to the end of its transaction.
#   checks: one run at a time holds it alone, while it looks and writes. Checks of a few coaches share it: they look and
#           write beside each other, and never beside a run.
#   tick:   whoever decides whether a run is to begin holds it alone, for a moment.
# Always in this order: tick, checks, then coaches by number. A run takes no lock on a coach that an entry holds.
CHECKS_LOCK = "hashtext('hwbc.checks')"
TICK_LOCK = "hashtext('hwbc.tick')"


def nobody_at_work() -> bool:
    """Whether no run of the checks is at work or waits for its turn, and nobody else is asking; keeps it so meanwhile.

    A run holds its lock for as long as it works and asks for it while it waits, and PostgreSQL lets go of it when the
    run's process dies: where the lock can be shared, whatever still says "running" is dead, or has not come to ask.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_try_advisory_xact_lock({TICK_LOCK})")
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(f"select pg_try_advisory_xact_lock_shared({CHECKS_LOCK})")
        return bool(cursor.fetchone()[0])


def said_to_be_running() -> list[Run]:
    """The checks that say that they are running."""
    return list(_checks().filter(outcome=Run.Outcome.RUNNING).order_by("pk"))


def imports() -> int:
    """How many workbooks were ever imported."""
    return Run.objects.filter(kind=Run.Kind.IMPORT, outcome=Run.Outcome.DONE).count()


def due_on(now: datetime) -> date | None:
    """The day for which checks are to be made at a moment; None where they were, or it is too early in the night.

    A workbook that was imported since asks for them once more. Checks made by hand for a day to come are not gone back
    behind.
    """
    local = timezone.localtime(now)
    today = local.date()
    last = last_checks(now).run
    if last is None:
        return today
    begun = local.time() >= CHECKED_FROM
    if last.day >= (today if begun else today - timedelta(days=1)) and last.counts.get("imports", 0) == imports():
        return None
    return max(today, last.day)


def somebody_is_untold() -> bool:
    """Whether a flag was raised of which nobody has been told yet. Needs the walls lifted."""
    return FlagEvent.objects.filter(untold=True).exists()


# --- What somebody is told -------------------------------------------------------------------------------------------


def notifications(actor: Actor) -> Reached:
    """What somebody was told, the newest first, with the coach. What is about a coach goes with the access to them."""
    rows: Reached = Notification.objects.for_actor(actor).select_related("coach")
    return rows


def unread_count(actor: Actor) -> int:
    """How much of it they have not read."""
    return Notification.objects.for_actor(actor).filter(read_at=None).count()
