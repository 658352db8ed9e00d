"""Sealing the audit: every event that has become final is a link of one chain of hashes, made by a job, not by pages.

A chain made by requests would let one page wait for the other. An event is final when no older one can come any more:
when every transaction that began to write before its own has ended. Two jobs at once, or one that is killed, lose
nothing: what is not sealed is found again.
"""

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from hwbc.workforce import walls

BATCH, MOST_BATCHES = 1_000, 50
MOST_COUNTED = 10_000
LOCK = "hashtext('hwbc.seal')"
_REASON = "sealing and verifying the audit"
_STARTS_WITH = ""  # what stands for the hash before the first

# Everything that an event says, as the database writes it: the texts are the same on every machine.
_SAYS = """
       e.id::text, to_char(e.at at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), e.user_id::text, e.by,
       e.organisation_id::text, e.coach_id::text, e.patients::text, e.what, e.kind, e.record, e.outcome,
       e.facts::text, e.request
"""

# `oldest`: the oldest transaction that is still at work, of this database. Those of others on the same server write no
# event, and may last for hours; one of which it is not known whose it is counts as ours.
_NOW = """
now as (
    select coalesce(min(at_work), pg_snapshot_xmax(pg_current_snapshot())) as oldest,
           pg_snapshot_xmax(pg_current_snapshot()) as next
      from (select x as at_work from pg_snapshot_xip(pg_current_snapshot()) x
             where not exists (select from pg_locks l join pg_stat_activity a on a.pid = l.pid
                                where l.locktype = 'transactionid' and l.granted and l.mode = 'ExclusiveLock'
                                  and l.transactionid::text::bigint = (x::text::bigint & 4294967295)
                                  and a.datname <> current_database())) as ours
)
"""
_UNSEALED = "not exists (select from workforce_auditseal s where s.event = e.id)"
# Events are sealed in the order (xid, at, id), so that the next ones lie behind the newest link.
_NEWEST = f"""
with {_NOW}
select e.xid::text, e.at, e.id
  from now, workforce_auditseal s join workforce_auditevent e on e.id = s.event
 where s.sequence = (select max(sequence) from workforce_auditseal) and e.xid < now.next
"""  # noqa: S608
_AFTER = "(e.xid, e.at, e.id) > (%s::xid8, %s, %s)"
_NEXT = f"""
with {_NOW}
select {_SAYS}
  from workforce_auditevent e
 where {_AFTER} and e.xid < (select oldest from now) and {_UNSEALED}
 order by e.xid, e.at, e.id limit %s
"""  # noqa: S608
# Where there is no such link: none at all, or one with a number that this server has not come to yet. That is of
# another server's life, of which this database is a copy. Everything is looked at, and what came along goes first.
_FIRST = f"""
with {_NOW}
select {_SAYS}
  from workforce_auditevent e, now
 where (e.xid < now.oldest or e.xid >= now.next) and {_UNSEALED}
 order by e.xid < now.next, e.xid, e.at, e.id limit %s
"""  # noqa: S608
_TAIL = "select count(*), min(at) from (select e.at from workforce_auditevent e where {} and {} limit %s) as tail"

_LAST = "select sequence, hash, sealed_at from workforce_auditseal order by sequence desc limit 1"


class Link(NamedTuple):
    """The newest link of the chain; of an empty one, number 0."""

    sequence: int
    hash: str
    sealed_at: datetime | None


def last() -> Link:
    """The newest link."""
    with connection.cursor() as cursor:
        cursor.execute(_LAST)
        return Link(*(cursor.fetchone() or (0, _STARTS_WITH, None)))


def link(before: str, sequence: int, sealed_at: datetime, says: Sequence[str | None]) -> str:
    """The hash of a link: of the one before, its number and moment, and all that the event says.

    Each piece is told with its length, so that no two events read the same.
    """
    moment = sealed_at.astimezone(UTC).isoformat(timespec="microseconds")
    pieces = (before, str(sequence), moment, *says)
    digest = hashlib.sha256()
    for piece in pieces:
        text = b"-" if piece is None else piece.encode()
        digest.update(b"%d:" % (-1 if piece is None else len(text)) + text)
    return digest.hexdigest()


Place = tuple[str, datetime, UUID]


def newest() -> Place | None:
    """Where the event of the newest link stands in the order; None where everything has to be looked at."""
    with connection.cursor() as cursor:
        cursor.execute(_NEWEST)
        found: Place | None = cursor.fetchone()
        return found


def final_events(limit: int) -> list[tuple[str, ...]]:
    """Events that are not sealed and can be, in their order: what each says, its identifier first."""
    after = newest()
    with connection.cursor() as cursor:
        cursor.execute(*((_NEXT, [*after, limit]) if after else (_FIRST, [limit])))
        return list(cursor.fetchall())


def seal() -> int:
    """Seal what has become final; answers how many events. Nothing, while another does it."""
    from hwbc.workforce.actions import seal_events  # the actions of this app use the audit, and this is beneath it

    done = 0
    for _ in range(MOST_BATCHES):
        with walls.lifted(_REASON):
            count = seal_events(limit=BATCH)
        done += count
        if count < BATCH:
            break
    return done


class Tail(NamedTuple):
    """What is not sealed yet: how many events, counted up to `MOST_COUNTED`, and since when the oldest waits."""

    events: int
    oldest: datetime | None


class State(NamedTuple):
    """How far sealing has come."""

    last: Link
    tail: Tail


def state() -> State:
    """How far sealing has come."""
    with walls.lifted(_REASON), connection.cursor() as cursor:
        after = newest()
        cursor.execute(_TAIL.format(_AFTER if after else "true", _UNSEALED), [*(after or ()), MOST_COUNTED])
        return State(last(), Tail(*cursor.fetchone()))


# --- Verifying ---------------------------------------------------------------------------------------------------


class Fault(NamedTuple):
    """The first thing that is wrong: with which link, which event, of when, and what."""

    sequence: int | None
    event: str
    at: str | None
    says: str


class Verdict(NamedTuple):
    """What verifying found: how many links are right, how many events wait to be sealed and since when.

    `head`: the last hash that is right, to be kept elsewhere.
    """

    fault: Fault | None
    sealed: int
    tail: int
    oldest: datetime | None
    head: str


# A long import writes its event when it ends, and that is of the moment when it began. Nothing takes this long: what is
# older than this, beside what was written before it, was put in by hand.
LATEST = timedelta(days=1)

_LINKS = f"""
select s.sequence, s.event::text, s.hash, s.sealed_at, e.at, {_SAYS}
  from workforce_auditseal s left join workforce_auditevent e on e.id = s.event
 where s.sequence > %s order by s.sequence limit %s
"""  # noqa: S608
_NEVER = f"select count(*), min(e.at) from workforce_auditevent e where {_UNSEALED}"  # noqa: S608
_STRAY = f"""
select e.id::text, e.at::text from workforce_auditevent e
 where (e.xid, e.at, e.id) < (%s::xid8, %s, %s) and {_UNSEALED} order by e.xid, e.at, e.id limit 1
"""  # noqa: S608


class _Row(NamedTuple):
    """A link as it stands, with what the event says now; `at` is None where the event is gone."""

    sequence: int
    event: str
    hash: str
    sealed_at: datetime
    at: datetime | None
    says: tuple[str | None, ...]

    def made(self, before: str, sequence: int) -> str:
        """What its hash would be after that link, with that number."""
        return link(before, sequence, self.sealed_at, self.says)

    def fault(self, says: str) -> Fault:
        when = self.at.isoformat(sep=" ", timespec="seconds") if self.at else None
        return Fault(self.sequence, self.event, when, says)


def verify(head: str = "") -> Verdict:
    """Make the whole chain anew and compare; stops at the first fault. A few links at a time, however long it is.

    `head`: a hash that was the last one once, and has to be in the chain still: else its end was cut off.
    """
    before, count, known = _STARTS_WITH, 0, head == ""
    latest: datetime | None = None
    for row in _rows(0):
        if (fault := _fault(row, before, count + 1, latest)) is not None:
            return Verdict(fault, count, 0, None, before)
        moment = min(row.at or row.sealed_at, row.sealed_at)  # the clock of one web server may have been ahead
        latest = moment if latest is None else max(latest, moment)
        before, count = row.hash, count + 1
        known = known or row.hash == head
    with walls.lifted(_REASON), connection.cursor() as cursor:
        cursor.execute(_NEVER)
        tail, oldest = cursor.fetchone()
        fault = _stray(cursor) if tail else None
    if fault is None and not known:
        fault = Fault(count, "", None, "is not the end: the hash that was kept is not in the chain, which was cut off")
    return Verdict(fault, count, tail, oldest, before)


def _stray(cursor: Any) -> Fault | None:
    """An event that stands in the order before the newest link, and is not sealed."""
    if (after := newest()) is None:
        return None
    cursor.execute(_STRAY, after)
    found = cursor.fetchone()
    says = "was inserted: events that were written after it are sealed, and it is not"
    return Fault(None, found[0], found[1], says) if found else None


def _fault(row: _Row, before: str, expected: int, latest: datetime | None) -> Fault | None:
    if row.sequence != expected:
        gone = str(expected) if row.sequence == expected + 1 else f"{expected} to {row.sequence - 1}"
        return row.fault(f"follows what was removed: link {gone}")
    if row.at is None:
        return row.fault("was removed: its link is there, and the event is not")
    if row.made(before, expected) != row.hash:
        return _why(row, before)
    if latest is not None and row.at < latest - LATEST:
        return row.fault("was inserted: it says to be of a day before those of events that were written earlier")
    return None


def _why(row: _Row, before: str) -> Fault:
    """What was done to a link whose hash is wrong, as far as the links after it tell."""
    for other in _rows(row.sequence):
        if other.made(before, row.sequence) not in (row.hash, other.hash):
            continue
        stood_here = other.sequence == row.sequence + 1 and other.made(before, row.sequence) == other.hash
        if stood_here and row.made(other.hash, other.sequence) != row.hash:
            return row.fault(f"was inserted: before it came in, link {other.sequence} stood here")
        return row.fault(f"was moved: the event {other.event}, of link {other.sequence}, belongs here")
    return row.fault("was altered, it or its link; or the one before it was removed, or is forged")


def _rows(after: int) -> Iterator[_Row]:
    more = True
    while more:
        with walls.lifted(_REASON), connection.cursor() as cursor:
            cursor.execute(_LINKS, [after, BATCH])
            rows = [_Row._make((*row[:5], row[5:])) for row in cursor.fetchall()]
        yield from rows
        more = len(rows) == BATCH
        after = rows[-1].sequence if rows else after
