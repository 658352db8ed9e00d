"""What a row says, what stands in its place by now, and two versions of it side by side."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple, TypeVar

from django.db import models
from django.utils.formats import date_format

from hwbc.workforce.models import Fact

M = TypeVar("M", bound=models.Model)


class Difference(NamedTuple):
    """One row of the page that shows two versions (templates/409.html), in words."""

    field: str
    theirs: str
    yours: str


class Stale(Exception):
    """Somebody else was faster, nothing was saved. `current`: what stands there now; `differences`: both versions."""

    def __init__(self, current: models.Model, yours: Mapping[str, Any]) -> None:
        self.current = current
        names = list(yours)
        if isinstance(current, Fact) and current.voided_at is not None and "voided_because" not in yours:
            names.insert(0, "voided_because")
        self.differences = [
            Difference(_label(current, name), in_words(current, name, getattr(current, name)),
                       in_words(current, name, yours.get(name)))
            for name in names
        ]  # fmt: skip
        super().__init__(f"{current._meta.label} {current.pk} was changed meanwhile.")


def _label(row: models.Model, name: str) -> str:
    return str(getattr(row._meta.get_field(name), "verbose_name", name)).capitalize()


def in_words(row: models.Model, name: str, value: Any) -> str:
    """A value of a row's field as a page shows it; "" for nothing."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, date):
        return date_format(value)
    if isinstance(value, list | tuple):
        return ", ".join(in_words(row, name, each) for each in value)
    choices = dict(getattr(row._meta.get_field(name), "flatchoices", ()))
    return str(choices.get(value, value))


def content(row: models.Model) -> dict[str, Any]:
    """What a row says, without its clocks and numbers: what a form asks for."""
    fields = (field for field in row._meta.concrete_fields if field.editable and not field.primary_key)
    return {field.name: getattr(row, field.name) for field in fields}


def latest(row: M) -> M:
    """A row as it is now; for a voided one, what stands in its place: what was recorded at the moment it was voided."""
    rows = type(row)._default_manager
    row = rows.get(pk=row.pk)
    while (moment := getattr(row, "voided_at", None)) is not None:
        of = "coach_id" if hasattr(row, "coach_id") else "supervisor_id"
        others = rows.filter(recorded_at=moment, **{of: getattr(row, of)})
        found = max(others, key=lambda other: _alike(other, row), default=None)
        if found is None:
            break
        row = found
    return row


def _alike(one: models.Model, other: models.Model) -> int:
    said = content(other)
    return sum(value == said[name] for name, value in content(one).items())
