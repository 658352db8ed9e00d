"""Before a fact about a coach is written down: who may, whether it is there already, and what cannot be true.

The actions of every app ask here, so that the same mistake is refused in the same words wherever it is made.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models
from django.db.models import Q
from django.utils.formats import date_format

from hwbc.kit.periods import today
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.audit import Line
from hwbc.workforce.models import Coach, Named, Period, Post
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import content, latest

M = TypeVar("M", bound=models.Model)
T = TypeVar("T", bound=Period)

REASON_LENGTH = 500
SENT_OTHERWISE = (
    "This form was sent before with other answers, and those were kept. Open it again to record something else."
)


# --- Who may --------------------------------------------------------------------------------------------------------


class NotTheirs(Refused):
    """The actor's roles allow it, but not for this record; says why."""

    def __init__(self, can: Can, reason: str) -> None:
        super().__init__(can)
        self.reason = reason
        self.args = (reason,)


def reached(actor: Actor, can: Can, coach: Coach, *days: date | None) -> int | None:
    """Let the actor write what happened to a coach on `days`; others who write about the coach wait until it is done.

    Returns the PCN for the audit line: of a post today, else the latest, those that the actor reaches first. A manager
    writes up to the last day of the coach's last post in their PCNs, as far as they see; a job of the service, what the
    scope it runs in lets it. Raises Refused.
    """
    if not actor.job and coach.pk not in actor.coaches(can):
        raise Refused(can)
    _wait_for(coach)
    posts = Post.objects.filter(coach=coach, voided_at=None).order_by("starts_on", "id")
    periods = [(pcn, start, end or date.max) for pcn, start, end in posts.values_list("pcn", "starts_on", "ends_on")]
    if not actor.job and coach.pk not in actor.own(can):
        theirs = actor.pcns(can)
        last = max((end for pcn, _, end in periods if pcn in theirs), default=date.min)
        if any(day is not None and day > last for day in days):
            raise NotTheirs(
                can,
                f"{coach.name}’s last day here is {date_format(last)}: what comes later is for the next PCN to record.",
            )
    near, now = {pcn for grant in actor.grants for pcn in grant.pcns}, today()
    at = max(periods, key=lambda post: (post[0] in near, post[1] <= now <= post[2], post[1]), default=None)
    return at and at[0]


def _wait_for(coach: Coach) -> None:
    """Writers about one coach wait for each other here; what is checked then still holds when it is written."""
    Coach.objects.select_for_update(no_key=True).get(pk=coach.pk)


# --- Whether it is there already --------------------------------------------------------------------------------------


def sent_before(row: M) -> M | None:
    """What was made when this form was sent before: by its uuid; where rows have none, the live row that says the same.

    Raises ValidationError for a uuid that was sent with other answers.
    """
    said, rows = content(row), type(row)._default_manager
    if not isinstance(row, Named):
        return rows.filter(voided_at=None, **said).first()
    found = rows.filter(uuid=row.uuid).first()
    if found is not None and content(found) != said:
        raise ValidationError(SENT_OTHERWISE)
    return found


def corrected_before(row: M, correct: M) -> M | None:
    """What stands in the row's place, if it says what the correction says: sent before, or nothing to correct."""
    now: Any = latest(row)
    return now if now.voided_at is None and content(now) == content(correct) else None


def overlapping(row: T, *same: str) -> T | None:
    """A live period with the same things that shares a day with this one: the first."""
    others = type(row)._default_manager.filter(voided_at=None, **{name: getattr(row, name) for name in same})
    others = others.exclude(pk=row.pk).filter(Q(ends_on=None) | Q(ends_on__gte=row.starts_on))
    if row.ends_on is not None:
        others = others.filter(starts_on__lte=row.ends_on)
    return others.order_by("starts_on").first()


# --- What cannot be true ----------------------------------------------------------------------------------------------


class Faults(dict[str, list[str]]):
    """What is wrong with a record, by field; all of it is said at once."""

    def add(self, field: str, sentence: str) -> None:
        """Say what is wrong with a field, and what to do."""
        self.setdefault(field, []).append(sentence)

    def stop(self) -> None:
        """Raises ValidationError if anything is wrong."""
        if self:
            raise ValidationError(dict(self))


def tidy(row: models.Model, *may_be_blank: str) -> None:
    """Turn the fields' values into what is stored, without spaces around texts. Raises ValidationError, by field."""
    for field in row._meta.concrete_fields:
        value = getattr(row, field.attname)
        if isinstance(value, str):
            setattr(row, field.attname, value.strip())
    unset = [field.name for field in row._meta.concrete_fields if field.null and getattr(row, field.attname) is None]
    row.clean_fields(exclude=[*unset, *may_be_blank])


def happened(faults: Faults, field: str, *days: date | None) -> None:
    """Refuse days after today."""
    for day in days:
        if day is not None and day > today():
            faults.add(
                field,
                f"{date_format(day)} is after today. What has happened cannot lie in the future: correct the date.",
            )


def holds(faults: Faults, row: Period, what: str, *same: str) -> None:
    """Refuse a period that ends before it starts, or shares a day with another one of the `same` things, if any."""
    if row.ends_on is not None and row.ends_on < row.starts_on:
        faults.add("ends_on", f"The last day cannot be before the first day, {date_format(row.starts_on)}.")
        return
    other = overlapping(row, *same) if same else None
    if other is not None:
        until = f"to {date_format(other.ends_on)}" if other.ends_on else "and still running"
        faults.add(
            "starts_on",
            f"This {what} overlaps one recorded already, from {date_format(other.starts_on)} {until}. "
            "Correct the dates of one of the two.",
        )


def stated(because: str) -> str:
    """Why something is voided, without spaces around it. Raises ValidationError for none, and for a long one."""
    because = because.strip()
    if not because:
        raise ValidationError({"because": "Say why: the reason stays beside what is voided."})
    if len(because) > REASON_LENGTH:
        raise ValidationError({"because": f"Shorten the reason to {REASON_LENGTH} characters or fewer."})
    return because


# --- Voiding and ending -----------------------------------------------------------------------------------------------


def withdraw(actor: Actor, line: Line, row: models.Model, because: str, version: int | None = None) -> None:
    """Void a fact. The same reason by the same person again is the same form sent twice. Raises Stale."""
    because = stated(because)
    now: Any = type(row)._default_manager.get(pk=row.pk)
    if now.voided_at is not None and (now.voided_by_id, now.voided_because) == (actor.user_id, because):
        return
    yours: Mapping[str, Any] = {"voided_because": because, **dict.fromkeys(content(row))}
    line.void(row, because, version, **yours)


def anew(row: M, **changes: Any) -> M:
    """A new row that says what this one says, but for `changes`."""
    return type(row)(**{**content(row), **changes})


def last_day(line: Line, row: T, version: int, ends_on: date | None, what: str, *same: str) -> T:
    """Set the last day of a period; None: it runs after all. Raises ValidationError, and Stale.

    A running one gets its end, and keeps the moment at which it became known. A known end is a fact by then, that
    reports may have been built on: the period is voided and recorded anew.
    """
    now = latest(row)
    if now.voided_at is None and now.ends_on == ends_on:
        return now  # the same form sent twice
    ended = anew(now, ends_on=ends_on)
    if ends_on is not None and now.pk == row.pk and now.ends_on is None:
        ended.pk = row.pk  # it does not overlap itself
        _check_end(ended, what, *same)
        return line.end(row, version, ends_on)
    line.void(row, "Its last day was changed.", version, ends_on=ends_on)
    _check_end(ended, what, *same)
    return line.insert(ended)


def _check_end(row: Period, what: str, *same: str) -> None:
    faults = Faults()
    holds(faults, row, what, *same)
    if "starts_on" in faults:
        faults["ends_on"] = faults.pop("starts_on")  # the field that was asked for
    faults.stop()
