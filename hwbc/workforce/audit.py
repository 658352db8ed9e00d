"""The writer demands the audit: `@action` is the only way to write, one transaction and one audit line each.

The line is also the pen for facts. A fact is never overwritten: it is voided and recorded anew at one moment, so that
what was known at any moment can be told again. What somebody else has changed meanwhile is not written over: `Stale`.
"""

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from datetime import date, datetime
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, models, transaction
from django.db.models import F, Q
from django.http import HttpResponseBase
from django.utils import timezone
from psycopg.errors import ExclusionViolation, UniqueViolation

from hwbc.workforce import history
from hwbc.workforce.access import Actor, Request, View
from hwbc.workforce.models import AuditEvent, Coach, Fact, Organisation, Period, User
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale, latest

P = ParamSpec("P")
R = TypeVar("R")
M = TypeVar("M", bound=models.Model)


class AuditMissing(RuntimeError):
    """An action ended without saying what it was done to: its work is undone."""


class ActionRefused(ValidationError):
    """What an action will not do, and why: the sentence is for whoever asked, `code` and `facts` for the audit line.

    The action's work is undone and its line is kept, with the outcome "refused". A view catches it and answers: let
    through, it would take the line with it.
    """

    def __init__(self, message: str, code: str, **facts: Any) -> None:
        super().__init__(message, code)
        self.facts = {"refused": code, **facts}


def _as_read(row: models.Model, version: int | None) -> Q:
    """What still holds of a row that nobody has changed since it was read."""
    live = Q(voided_at=None) if isinstance(row, Fact) else Q()
    return live if version is None else live & Q(version=version)


class Line:
    """The audit line of one action, to be filled in by it; and its pen for facts."""

    def __init__(self, what: str, actor: Actor) -> None:
        self.what = what
        self._user_id = actor.user_id
        self.kind = self.record = ""
        # Where the record says no place, where the actor belongs: those who oversee that see it.
        self.organisation_id = self._place = actor.place
        self.coach_id: int | None = None
        self.patients = False
        self.facts: dict[str, Any] = {}

    def about(self, record: models.Model, at: Organisation | int | None = None, **facts: Any) -> None:
        """What the action was done to, and where; `facts` are codes and identifiers, never free text.

        Which coach it is about, and whether it is about patients, is known by the record, or said by `concerns`.
        """
        self.kind = record._meta.label_lower
        self.record = str(getattr(record, "uuid", record.pk))
        self.organisation_id = (at.pk if isinstance(at, Organisation) else at) or self._place
        self.coach_id = record.pk if isinstance(record, Coach) else getattr(record, "coach_id", None)
        self.patients = getattr(record, "of_patients", False)
        self.facts = facts

    def concerns(self, coach: int | None, *, patients: bool = True) -> None:
        """What the record does not say itself: the coach whose case it is, and that it is about patients."""
        self.coach_id, self.patients = coach, patients

    @cached_property
    def now(self) -> datetime:
        """The one moment of everything that the action writes: the first time it is asked, when waiting is over."""
        return timezone.now()

    def insert(self, row: M) -> M:
        """Write a new row. Raises ValidationError where another one, written at the same time, stands in its way."""
        if isinstance(row, Fact):
            row.recorded_at = self.now
        if isinstance(row, Period):
            row.end_recorded_at = None if row.ends_on is None else self.now
        try:
            with transaction.atomic():
                row.save(force_insert=True)
        except IntegrityError as fault:
            if not isinstance(fault.__cause__, UniqueViolation | ExclusionViolation):
                raise
            raise ValidationError(
                "Something else was recorded here at the same time, and nothing of yours was saved. Look and try again."
            ) from fault
        return row

    def change(self, row: M, version: int | None, **values: Any) -> M:
        """Change a row that is still as it was read, of this version. Returns it as it is then. Raises Stale."""
        return self._update(row, version, values, yours=values)

    def unchanged(self, row: models.Model, version: int | None, **yours: Any) -> None:
        """Raises Stale if somebody has changed the row since it was read: asked where a check rests on what it says."""
        if not type(row)._default_manager.filter(_as_read(row, version), pk=row.pk).exists():
            raise Stale(latest(row), yours)

    def end(self, row: M, version: int | None, ends_on: date) -> M:
        """Give a running period its last day, known from this moment on. Returns it as it is then. Raises Stale."""
        values = {"ends_on": ends_on, "end_recorded_at": self.now}
        return self._update(row, version, values, yours={"ends_on": ends_on})

    def void(self, row: models.Model, because: str, version: int | None = None, **yours: Any) -> None:
        """Withdraw a fact, which stays readable with the reason. Raises Stale.

        `yours`: what is to stand in its place, for whoever is too late.
        """
        values = {"voided_at": self.now, "voided_by_id": self._user_id, "voided_because": because}
        self._update(row, version, values, yours=yours or {"voided_because": because})

    def _update(self, row: M, version: int | None, values: dict[str, Any], yours: Mapping[str, Any]) -> M:
        rows = type(row)._default_manager
        if any(field.name == "version" for field in row._meta.concrete_fields):
            values = {**values, "version": F("version") + 1}
        if not rows.filter(_as_read(row, version), pk=row.pk).update(**values):
            raise Stale(latest(row), yours)
        return rows.get(pk=row.pk)


def action(
    what: str, *, reads: bool = False
) -> Callable[[Callable[Concatenate[Actor, Line, P], R]], Callable[Concatenate[Actor, P], R]]:
    """Make a function an action: it gets the actor and its audit line, and is called with the actor.

    One transaction; deferred constraints are checked at its end, so that a broken one is raised here and not at commit.
    What it refuses (ActionRefused) is undone and leaves a line too. `reads`: it writes nothing but its line, so that
    there is nothing to undo and nothing to check.
    Raises AuditMissing when the function does not say what it was done to (`line.about(record)`).
    """

    def decorate(function: Callable[Concatenate[Actor, Line, P], R]) -> Callable[Concatenate[Actor, P], R]:
        @wraps(function)
        def act(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            line = Line(what, actor)
            try:
                with nullcontext("") if reads else history.acting(what, actor.user_id, actor.by) as around:
                    result = function(actor, line, *args, **kwargs)
                    if not reads:
                        _check_constraints(history.CEASE, around)
                    if not line.kind:
                        raise AuditMissing(f"The action {what} does not say what it was done to.")
                    _write(actor, line)
            except ActionRefused as refusal:
                line.facts = {**line.facts, **refusal.facts}
                _write(actor, line, AuditEvent.Outcome.REFUSED)
                raise
            return result

        act.action = what  # type: ignore[attr-defined]
        return act

    return decorate


def reads(what: str) -> Callable[[View[P]], View[P]]:
    """The page shows what the audit keeps of who has read it; stands below `@needs`, and is one line a page.

    The view says of what when it has found it (`request.reading.about(record)`). One that shows nothing of the kind,
    leads elsewhere or finds nothing says nothing, and there is no line.
    """

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def shown(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            request.reading = Line(what, request.actor)
            response = view(request, *args, **kwargs)
            if request.reading.kind and response.status_code in _SHOWS:
                _write(request.actor, request.reading)
            return response

        shown.reads = what  # type: ignore[attr-defined]
        return shown

    return decorate


_SHOWS = (200, 409)  # a page; what somebody else wrote meanwhile, beside what is written now


def upkeep(reason: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """A write that is nobody's decision and tells nothing of anybody, such as a pulse: a transaction, no audit line."""

    def decorate(function: Callable[P, R]) -> Callable[P, R]:
        @wraps(function)
        def act(*args: P.args, **kwargs: P.kwargs) -> R:
            with transaction.atomic():
                result = function(*args, **kwargs)
                _check_constraints()
            return result

        act.action = reason  # type: ignore[attr-defined]
        return act

    return decorate


def record_refusal(actor: Actor, can: Can, page: str | None) -> None:
    """A page was refused: kept although the page's own work is undone."""
    line = Line("page.refuse", actor)
    line.kind, line.facts = "page", {"page": page, "needs": can.name}
    _write(actor, line, AuditEvent.Outcome.REFUSED)


def record_attempt(user: User | None, place: int | None, what: str, why: str) -> None:
    """Somebody did not get in, or did not show that they are who they say: an event of the account that it was about.

    Where there is no such account it is written too and taken back, so that nobody learns it from the time it takes.
    """
    line = Line(what, Actor(user.pk if user else None, ""))
    line.kind, line.record = User._meta.label_lower, str(user.uuid) if user else ""
    line.organisation_id, line.facts = place, {"refused": why}
    before = transaction.savepoint()
    _write(Actor(user.pk if user else None, ""), line, AuditEvent.Outcome.REFUSED)
    (transaction.savepoint_commit if user else transaction.savepoint_rollback)(before)


def _check_constraints(then: str = "", *params: str) -> None:
    """Deferred constraints are checked now; `then` is done in the same statement."""
    with connection.cursor() as cursor:
        cursor.execute(f"set constraints all immediate; set constraints all deferred; {then}", params or None)


def _write(actor: Actor, line: Line, outcome: str = AuditEvent.Outcome.DONE) -> None:
    AuditEvent.objects.create(
        user_id=actor.user_id,
        by=actor.by,
        organisation_id=line.organisation_id,
        coach_id=line.coach_id,
        patients=line.patients,
        what=line.what,
        kind=line.kind,
        record=line.record,
        outcome=outcome,
        facts=line.facts,
        request=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
