"""The only code that writes standards, flags, runs and the pulse."""

from collections.abc import Callable
from datetime import date
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from hwbc.kit.queue import nudge
from hwbc.standards.models import Flag, FlagEvent, Heartbeat, Run, Standard, StandardNumber
from hwbc.standards.presets import PRESETS, source
from hwbc.standards.rules import NUMBER_KEYS
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action, upkeep
from hwbc.workforce.models import Organisation


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
    Run.objects.filter(pk=run.pk).update(outcome=Run.Outcome.FAILED, ended_at=timezone.now())
    line.about(run)


_STAGE = """
drop table if exists pg_temp.seen;
create temporary table seen (coach_id bigint, rule text, state text, since date, due_on date) on commit drop
"""
_RAISE = """
with raised as (
    insert into standards_flag (uuid, coach_id, rule, state, since, due_on, raised_on, raised_at)
    select gen_random_uuid(), coach_id, rule, state, since, due_on, %(day)s, %(now)s from seen
     order by coach_id, rule
    on conflict (coach_id, rule) where cleared_at is null do nothing
    returning id, coach_id
)
insert into standards_flagevent (flag_id, coach_id, what, at, run_id)
select id, coach_id, 'raised', %(now)s, %(run)s from raised
"""
_RENEW = """
update standards_flag f set state = s.state, since = s.since, due_on = s.due_on
  from seen s
 where s.coach_id = f.coach_id and s.rule = f.rule and f.cleared_at is null
   and (f.state, f.since, f.due_on) is distinct from (s.state, s.since, s.due_on)
"""
_CLEAR = """
with cleared as (
    update standards_flag f set cleared_on = %(day)s, cleared_at = %(now)s
     where f.cleared_at is null
       and not exists (select 1 from seen s where s.coach_id = f.coach_id and s.rule = f.rule)
    returning id, coach_id
)
insert into standards_flagevent (flag_id, coach_id, what, at, run_id)
select id, coach_id, 'cleared', %(now)s, %(run)s from cleared
"""


@action("run.checks")
def apply_checks(actor: Actor, line: Line, *, run: Run, look: Callable[[], Seen]) -> dict[str, int]:
    """Make the open flags equal to what is red: raise what is missing, clear what is red no more, exactly once.

    Runs at the same time wait for each other, and the partial unique index holds even where they would not. `look` is
    called when the waiting is over: what was seen before another run wrote would undo what that one saw.
    Raises TooEarly for a day before the last finished run's.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtext('hwbc.checks'))")
        last = Run.objects.filter(kind=Run.Kind.CHECKS, outcome=Run.Outcome.DONE).order_by("-day").first()
        if last is not None and run.day < last.day:
            raise TooEarly(f"The last checks were for {last.day:%d/%m/%Y}; an earlier day can only be a dry run.")
        seen = look()
        cursor.execute(_STAGE)
        with cursor.copy("copy seen from stdin") as copy:
            for row in seen.red:
                copy.write_row(row)
        parameters: dict[str, Any] = {"day": run.day, "now": timezone.now(), "run": run.pk}
        counts = {"coaches": seen.coaches}
        for what, statement in (("raised", _RAISE), ("changed", _RENEW), ("cleared", _CLEAR)):
            cursor.execute(statement, parameters)
            counts[what] = cursor.rowcount
        cursor.execute("select count(*) from standards_flag where cleared_at is null")
        counts["open"] = cursor.fetchone()[0]
    Run.objects.filter(pk=run.pk).update(outcome=Run.Outcome.DONE, ended_at=timezone.now(), counts=counts)
    line.about(run, **counts)
    return counts


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
    last = FlagEvent.objects.filter(flag=flag, what=event.what).order_by("-at", "-pk").first()
    if last is not None and (last.user_id, last.note) == (event.user_id, event.note):
        return last
    event.save()
    return event


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
