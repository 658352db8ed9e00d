"""The writer demands the audit: `@action` is the only way to write, one transaction and one audit line each."""

from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

import structlog
from django.db import connection, models, transaction

from hwbc.workforce.access import Actor
from hwbc.workforce.models import AuditEvent, Organisation
from hwbc.workforce.roles import Can

P = ParamSpec("P")
R = TypeVar("R")


class AuditMissing(RuntimeError):
    """An action ended without saying what it was done to: its work is undone."""


class Line:
    """The audit line of one action, to be filled in by it."""

    def __init__(self, what: str) -> None:
        self.what = what
        self.kind = self.record = ""
        self.organisation_id: int | None = None
        self.facts: dict[str, Any] = {}

    def about(self, record: models.Model, at: Organisation | int | None = None, **facts: Any) -> None:
        """What the action was done to, and where; `facts` are codes and identifiers, never free text."""
        self.kind = record._meta.label_lower
        self.record = str(getattr(record, "uuid", record.pk))
        self.organisation_id = at.pk if isinstance(at, Organisation) else at
        self.facts = facts


def action(what: str) -> Callable[[Callable[Concatenate[Actor, Line, P], R]], Callable[Concatenate[Actor, P], R]]:
    """Make a function an action: it gets the actor and its audit line, and is called with the actor.

    One transaction; deferred constraints are checked at its end, so that a broken one is raised here and not at commit.
    Raises AuditMissing when the function does not say what it was done to (`line.about(record)`).
    """

    def decorate(function: Callable[Concatenate[Actor, Line, P], R]) -> Callable[Concatenate[Actor, P], R]:
        @wraps(function)
        def act(actor: Actor, /, *args: P.args, **kwargs: P.kwargs) -> R:
            line = Line(what)
            with transaction.atomic():
                result = function(actor, line, *args, **kwargs)
                _check_constraints()
                if not line.kind:
                    raise AuditMissing(f"The action {what} does not say what it was done to.")
                _write(actor, line)
            return result

        act.action = what  # type: ignore[attr-defined]
        return act

    return decorate


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
    line = Line("page.refuse")
    line.kind, line.facts = "page", {"page": page, "needs": can.name}
    _write(actor, line, AuditEvent.Outcome.REFUSED)


def _check_constraints() -> None:
    with connection.cursor() as cursor:
        cursor.execute("set constraints all immediate; set constraints all deferred")


def _write(actor: Actor, line: Line, outcome: str = AuditEvent.Outcome.DONE) -> None:
    AuditEvent.objects.create(
        user_id=actor.user_id,
        by=actor.job or ", ".join(actor.roles) or "nobody",
        organisation_id=line.organisation_id,
        what=line.what,
        kind=line.kind,
        record=line.record,
        outcome=outcome,
        facts=line.facts,
        request=str(structlog.contextvars.get_contextvars().get("request_id", "")),
    )
