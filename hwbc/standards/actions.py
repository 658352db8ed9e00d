"""The only code that writes standards, flags, runs, what somebody is told, and the pulse."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.core.exceptions import ValidationError
from django.db import connection, models
from django.utils import timezone

from hwbc.kit.queue import nudge
from hwbc.standards.models import Check, Flag, FlagEvent, Heartbeat, Notification, Run, Standard, StandardNumber
from hwbc.standards.presets import PRESETS, source
from hwbc.standards.queries import CHECKS_LOCK, imports, moment
from hwbc.standards.rules import NUMBER_KEYS
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action, upkeep
from hwbc.workforce.models import Coach, Organisation, User
from hwbc.workforce.queries import covers, holding
from hwbc.workforce.roles import Role


class Red(NamedTuple):
    """A rule that a coach does not meet on the day of a run."""

    coach: int
    rule: str
    state: str
    since: date | None
    due_on: date | None


class Seen(NamedTuple):
    """What is red on a day, and how many coaches were looked at."""

    coaches: int
    red: list[Red]


class TooEarly(Exception):
    """Checks are asked for a day before the last run's: they would clear flags with old facts."""


class TurnTaken(Exception):
    """A run was taken for dead before it came to work, and another one has begun in its place."""


@action("standard.load")
def load_preset(
    actor: Actor,
    line: Line,
    *,
    organisation: Organisation,
    preset: str,
    starts_on: date,
    ends_on: date | None = None,
) -> Standard:
    """Ask an organisation, and all below it, for the numbers of a preset from a day on. Raises ValidationError."""
    if preset not in PRESETS:
        raise ValidationError(f'There is no preset "{preset}". There are: {", ".join(PRESETS)}.')
    standard = Standard(organisation=organisation, name=preset, starts_on=starts_on, ends_on=ends_on)
    standard.validate()
    standard.save()
    StandardNumber.objects.bulk_create(
        StandardNumber(standard=standard, key=key, value=getattr(PRESETS[preset], key), source=source(preset, key))
        for key in NUMBER_KEYS
    )
    line.about(standard, at=organisation, preset=preset)
    return standard


@action("run.start")
def start_run(actor: Actor, line: Line, *, kind: str, day: date, organisation: Organisation | None = None) -> Run:
    """Begin a run: its row stands before its work, so that a run that was killed can be seen."""
    run = Run.objects.create(kind=kind, day=day, organisation=organisation, user_id=actor.user_id)
    line.about(run, at=organisation, kind=kind)
    return run


@action("run.fail")
def fail_run(actor: Actor, line: Line, *, run: Run) -> None:
    """A run ended by an error; what it had done was undone."""
    _end(run, Run.Outcome.FAILED, ended_at=timezone.now())
    line.about(run)


@action("run.interrupt")
def interrupt_run(actor: Actor, line: Line, *, run: Run) -> None:
    """A run says that it is running and is not: what it had done was undone with its process, nobody knows when."""
    _end(run, Run.Outcome.INTERRUPTED)
    line.about(run)


def _end(run: Run, outcome: str, **values: Any) -> None:
    Run.objects.filter(pk=run.pk, outcome=Run.Outcome.RUNNING).update(outcome=outcome, **values)


# --- Flags -----------------------------------------------------------------------------------------------------------

_STAGE = """
create temporary table seen (coach_id bigint, rule text, state text, since date, due_on date) on commit drop
"""
# Each answers with the number of flags by rule; `coaches` are those that were looked at, null everybody.
_RAISE = """
with raised as (
    insert into standards_flag (uuid, coach_id, rule, state, since, due_on, raised_on, raised_at)
    select gen_random_uuid(), coach_id, rule, state, since, due_on, %(day)s, %(now)s from seen
     order by coach_id, rule
    on conflict (coach_id, rule) where cleared_at is null do nothing
    returning id, coach_id, rule
), noted as (
    insert into standards_flagevent (flag_id, coach_id, what, at, run_id, untold)
    select id, coach_id, 'raised', %(now)s, %(run)s, true from raised
)
select rule, count(*) from raised group by rule
"""
_RENEW = """
with renewed as (
    update standards_flag f set state = s.state, since = s.since, due_on = s.due_on
      from seen s
     where s.coach_id = f.coach_id and s.rule = f.rule and f.cleared_at is null
       and (f.state, f.since, f.due_on) is distinct from (s.state, s.since, s.due_on)
    returning f.rule
)
select rule, count(*) from renewed group by rule
"""
_CLEAR = """
with cleared as (
    update standards_flag f set cleared_on = %(day)s, cleared_at = %(now)s
     where f.cleared_at is null and (%(coaches)s::bigint[] is null or f.coach_id = any(%(coaches)s::bigint[]))
       and not exists (select 1 from seen s where s.coach_id = f.coach_id and s.rule = f.rule)
    returning id, coach_id, rule
), noted as (
    insert into standards_flagevent (flag_id, coach_id, what, at, run_id)
    select id, coach_id, 'cleared', %(now)s, %(run)s from cleared
)
select rule, count(*) from cleared group by rule
"""
_OPEN = """
select rule, count(*) from standards_flag f
 where f.cleared_at is null and (%(coaches)s::bigint[] is null or f.coach_id = any(%(coaches)s::bigint[]))
 group by rule
"""


def _apply(red: Iterable[Red], day: date, *, run: Run | None, coaches: list[int] | None) -> dict[str, Any]:
    """Make the open flags of these coaches (None: of everybody) equal to what is red. The lock is the caller's."""
    parameters: dict[str, Any] = {"day": day, "now": timezone.now(), "run": run and run.pk, "coaches": coaches}
    by_check: dict[Check, Counter[str]] = {check: Counter() for check in Check}
    with connection.cursor() as cursor:
        cursor.execute(_STAGE)
        with cursor.copy("copy seen from stdin") as copy:
            for row in red:
                copy.write_row(row)
        for what, statement in (("raised", _RAISE), ("changed", _RENEW), ("cleared", _CLEAR), ("open", _OPEN)):
            cursor.execute(statement, parameters)
            for rule, count in cursor.fetchall():
                by_check[Check.of(rule)][what] += count
        cursor.execute("drop table seen")  # for whoever comes next in this transaction, under whatever role
    checks = {
        check.value: {what: counted[what] for what in ("raised", "changed", "cleared", "open")}
        for check, counted in by_check.items()
    }
    return {**sum(by_check.values(), Counter()), "checks": checks}


def _last_day() -> date:
    days = Run.objects.filter(kind=Run.Kind.CHECKS, outcome=Run.Outcome.DONE).aggregate(last=models.Max("day"))
    return days["last"] or date.min


@action("run.checks")
def apply_checks(actor: Actor, line: Line, *, run: Run, look: Callable[[], Seen]) -> dict[str, Any]:
    """Make the open flags equal to what is red: raise what is missing, clear what is red no more, exactly once; and
    tell whoever is to know of what was raised.

    Runs at the same time wait for each other, and the partial unique index holds even where they would not. `look` is
    called when the waiting is over: what was seen before another run wrote would undo what that one saw.
    Raises TooEarly for a day before the last finished run's, and TurnTaken. The walls are lifted by the caller.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_advisory_xact_lock({CHECKS_LOCK})")
    if not Run.objects.filter(pk=run.pk, outcome=Run.Outcome.RUNNING).exists():
        raise TurnTaken("Another run began at the same moment. Look what it did, and start again if need be.")
    if run.day < (last := _last_day()):
        raise TooEarly(f"The last checks were for {last:%d/%m/%Y}; an earlier day can only be a dry run.")
    brought = imports()  # before looking: what comes later is looked at by the next run
    seen = look()
    counts = {"imports": brought, "coaches": seen.coaches, "raised": 0, "changed": 0, "cleared": 0, "open": 0}
    counts |= _apply(seen.red, run.day, run=run, coaches=None)
    counts["told"] = _tell_of_raised_flags(run.day)
    _end(run, Run.Outcome.DONE, ended_at=timezone.now(), counts=counts)
    line.about(run, **counts)
    return counts


@action("flag.check")
def check_flags(
    actor: Actor, line: Line, *, coaches: Collection[int], day: date, look: Callable[[date], Seen]
) -> dict[str, int]:
    """Make the open flags of these coaches, whom the scope shows, equal to what is red now; touch nobody else's.

    Beside other entries, but one coach at a time, and never beside a run: whoever looked first and wrote last would
    undo what the other saw. So this may wait for a run to end. It comes last in a transaction, once and for all its
    coaches: an entry that went on to ask for other locks could wait for one that waits for it. Whoever else locks a
    coach does it `for no key update`, or a run would have to wait for them. Where a run was for a later day already, as
    around midnight, flags are those of that day, and stay so.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_advisory_xact_lock_shared({CHECKS_LOCK})")
    locked = list(Coach.objects.filter(pk__in=coaches).order_by("pk").select_for_update(no_key=True))
    day = max(day, _last_day())
    counts = _apply(look(day).red, day, run=None, coaches=[coach.pk for coach in locked])
    done = {what: counts.get(what, 0) for what in ("raised", "changed", "cleared", "open")}
    others: dict[str, Any] = {"coaches": [str(coach.uuid) for coach in locked]} if len(locked) > 1 else {}
    line.about(locked[0], **done, **others)
    return done


@action("flag.acknowledge")
def acknowledge(actor: Actor, line: Line, *, flag: Flag, note: str) -> FlagEvent:
    """Say that somebody has seen an open flag and what is being done; it stays open until the rule is met.

    The same note by the same person again, as by a double click, is one acknowledgement. Raises ValidationError for a
    flag that has been cleared meanwhile, and for an empty or long note.
    """
    flag = Flag.objects.select_for_update().get(pk=flag.pk)
    if flag.cleared_at is not None:
        raise ValidationError("This flag was cleared meanwhile: there is nothing left to acknowledge.")
    event = FlagEvent(
        flag=flag, coach_id=flag.coach_id, what=FlagEvent.What.ACKNOWLEDGED, user_id=actor.user_id, note=note.strip()
    )
    if not event.note:
        raise ValidationError("Say what is being done about it.")
    event.clean_fields(exclude=["run"])
    line.about(flag, rule=flag.rule)
    last: FlagEvent | None = FlagEvent.objects.filter(flag=flag, what=event.what).order_by("-at", "-pk").first()
    if last is not None and (last.user_id, last.note) == (event.user_id, event.note):
        return last
    event.save()
    return event


# --- Shares by month -------------------------------------------------------------------------------------------------


class Counted(NamedTuple):
    """Of a PCN's coaches on a day: of how many a rule was asked, and for how many it was on track."""

    pcn: int
    on: date
    rule: str
    on_track: int
    asked: int


_STAGE_SHARES = """
create temporary table counted (pcn_id bigint, "on" date, rule text, on_track integer, asked integer) on commit drop
"""
_KEEP_SHARES = """
insert into standards_monthlyshare (pcn_id, "on", rule, on_track, asked, counted_at)
select pcn_id, "on", rule, on_track, asked, %(known)s from counted order by pcn_id, "on", rule
on conflict (pcn_id, "on", rule) do update
   set on_track = excluded.on_track, asked = excluded.asked, counted_at = excluded.counted_at
"""


@upkeep("follows from facts that are in the audit; counts of staff that are made anew after every run of the checks")
def keep_shares(months: Iterable[list[Counted]], *, known: datetime) -> int:
    """Put these counts, as known at a moment, in the place of all there were; answers how many there are now.

    What is not among them goes: nothing is lost, for any month can be counted anew. `months` is asked for one after
    the other, so that one at a time is held. The walls are lifted by the caller.
    """
    with connection.cursor() as cursor:
        cursor.execute(_STAGE_SHARES)
        for counted in months:
            with cursor.copy("copy counted from stdin") as copy:
                for row in counted:
                    copy.write_row(row)
        cursor.execute(_KEEP_SHARES, {"known": known})
        kept: int = cursor.rowcount
        cursor.execute("delete from standards_monthlyshare where counted_at <> %(known)s", {"known": known})
        cursor.execute("drop table counted")
    return kept


# --- What somebody is told -------------------------------------------------------------------------------------------

# Whose supervision a rule is about: who is told of it, beside the coach and the managers of the PCN.
_SUPERVISORS: Mapping[str, Role] = {
    "supervision.line": Role.LINE_SUPERVISOR,
    "supervision.appraisal": Role.LINE_SUPERVISOR,
    "supervision.named.line": Role.LINE_SUPERVISOR,
    "supervision.clinical": Role.CLINICAL_SUPERVISOR,
    "supervision.named.clinical": Role.CLINICAL_SUPERVISOR,
    "supervision.health_coaching": Role.COACHING_SUPERVISOR,
    "supervision.named.health_coaching": Role.COACHING_SUPERVISOR,
    "supervision.supervisor_eligible": Role.COACHING_SUPERVISOR,
}
_LIVE = """
    g.revoked_at is null and g.starts_on <= %(day)s and (g.ends_on is null or g.ends_on >= %(day)s)
"""
_TELL = f"""
with news as (
    update standards_flagevent set untold = false where untold returning flag_id
), raised as materialized (
    select f.id, f.uuid, f.coach_id, f.rule, f.state, f.since, f.due_on
      from news n join standards_flag f on f.id = n.flag_id
     where f.cleared_at is null  -- one that was cleared before anybody heard of it is no news
), theirs as (
    select r.id, g.user_id
      from raised r
      left join unnest(%(rules)s::text[], %(roles)s::text[]) as s (rule, role) on s.rule = r.rule
      join workforce_grant g on g.coach_id = r.coach_id and {_LIVE}
       and (g.role = s.role or (g.role = 'coach' and g.deputises_id is null))
    union
    select r.id, g.user_id
      from raised r
      join workforce_post p on p.coach_id = r.coach_id and {covers("p")}
      join workforce_grant g on g.organisation_id = p.pcn_id and g.role = 'pcn_manager' and {_LIVE}
)
insert into standards_notification (uuid, user_id, made_at, kind, key, coach_id, record, facts)
select gen_random_uuid(), t.user_id, %(now)s, 'flag_raised', r.uuid::text, r.coach_id, r.uuid,
       jsonb_build_object('rule', r.rule, 'state', r.state, 'since', r.since, 'due_on', r.due_on)
  from theirs t
  join raised r on r.id = t.id
  join workforce_user u on u.id = t.user_id and u.is_active
 order by t.user_id, r.id
on conflict do nothing
"""  # noqa: S608  put together from constants of ours; every value is a parameter


def _tell_of_raised_flags(day: date) -> int:
    """Tell of every flag that was raised and nobody was told of; answers how many notifications that made."""
    now = moment(None)
    roles = {"rules": [*_SUPERVISORS], "roles": [role.value for role in _SUPERVISORS.values()]}
    with connection.cursor() as cursor:
        # Rows written a moment ago have no statistics yet: a plan of nested loops, made without them, takes minutes.
        cursor.execute("set local enable_nestloop = off")
        cursor.execute(_TELL, {"day": day, "known": now, "now": now, **roles})
        made: int = cursor.rowcount
        cursor.execute("set local enable_nestloop to default")
    return made


@upkeep("follows from flags whose raising is in the audit; each row is itself the record of who was told")
def tell_of_raised_flags(*, day: date) -> int:
    """Tell the coach, the supervisors of that kind and the managers of the PCN, once, of what an entry has raised.

    A run tells of its own. Answers how many notifications that made. The walls are lifted by the caller.
    """
    return _tell_of_raised_flags(day)


@upkeep("follows from what an action has done, which is in the audit; each row is itself the record of who was told")
def tell(
    users: Iterable[int],
    *,
    kind: str,
    key: str,
    coach: int | None = None,
    record: UUID | None = None,
    facts: Mapping[str, Any] | None = None,
) -> None:
    """Tell these users something, each of them once: what has the same `kind` and `key` was told already.

    `facts` are codes and dates (ISO), never free text. What is told is not read back: somebody else's is not shown.
    """
    Notification.objects.bulk_create(
        (
            Notification(user_id=user, kind=kind, key=key, coach_id=coach, record=record, facts=dict(facts or {}))
            for user in sorted(set(users))
        ),
        ignore_conflicts=True,
    )


@upkeep("an alarm is nobody's decision; each row is itself the record of who was told")
def tell_checks_missed(*, day: date, last: date | None, on: date) -> None:
    """Tell every hub administrator and PCN manager, once, that a day passed without checks since the last ones.

    `on`: the day on which this is said, and on which they have that role. The walls are lifted by the caller.
    """
    if Notification.objects.filter(kind=Notification.Kind.CHECKS_MISSED, key=day.isoformat()).exists():
        return
    tell(
        holding(on, Role.HUB_ADMIN, Role.PCN_MANAGER).values_list("user", flat=True),
        kind=Notification.Kind.CHECKS_MISSED,
        key=day.isoformat(),
        facts={"day": day.isoformat(), "last": last.isoformat() if last else None},
    )


@action("notification.read")
def mark_read(actor: Actor, line: Line, *, notification: Notification) -> None:
    """Somebody has read what they were told; twice is once. Only one's own: of somebody else's, nothing changes."""
    _unread(actor).filter(pk=notification.pk).update(read_at=timezone.now())
    line.about(notification)


@action("notification.read_all")
def mark_all_read(actor: Actor, line: Line) -> int:
    """Somebody has read everything that they see of what they were told; answers how much they had not."""
    assert actor.user_id is not None
    count = _unread(actor).update(read_at=timezone.now())
    line.about(User.objects.get(pk=actor.user_id), count=count)
    return count


def _unread(actor: Actor) -> models.QuerySet[Notification]:
    rows: models.QuerySet[Notification] = Notification.objects.for_actor(actor).filter(read_at=None)
    return rows


# --- The pulse -------------------------------------------------------------------------------------------------------


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
