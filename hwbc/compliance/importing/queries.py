"""For which services somebody may bring in a workbook, and what they brought in before."""

from datetime import datetime
from typing import NamedTuple

from django.db.models import Count, Q

from hwbc.standards.models import Run
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Coach, Organisation
from hwbc.workforce.roles import Can

_KINDS = (Organisation.Kind.ICB, Organisation.Kind.TRAINING_HUB, Organisation.Kind.PCN)  # the largest first
_SHOWN = 5


class Service(NamedTuple):
    """An organisation that a workbook can be imported for, and how many of the actor's coaches it has references of."""

    organisation: Organisation
    coaches: int


def services(actor: Actor) -> list[Service]:
    """Where the actor may import, and where the references of their coaches belong: the most coaches first."""
    theirs = Coach.objects.for_actor(actor, Can.IMPORT).exclude(register=None)
    counts = dict(theirs.order_by().values_list("register").annotate(Count("pk")))
    places = Organisation.objects.filter(Q(pk__in=actor.nodes(Can.IMPORT), kind__in=_KINDS) | Q(pk__in=counts))
    found = [Service(place, counts.get(place.pk, 0)) for place in places]
    return sorted(found, key=lambda each: (-each.coaches, _size(each.organisation), each.organisation.name))


def _size(place: Organisation) -> int:
    kinds: list[str] = list(_KINDS)
    return kinds.index(place.kind) if place.kind in kinds else len(kinds)


class Brought(NamedTuple):
    """A workbook that was imported, with the rows of all its sheets together."""

    run: Run
    new: int
    changed: int
    unchanged: int


def last_imports(actor: Actor) -> list[Brought]:
    """The last workbooks that the actor imported, the newest first."""
    runs = Run.objects.filter(kind=Run.Kind.IMPORT, user=actor.user_id).select_related("organisation")[:_SHOWN]
    return [Brought(run, *map(sum, zip(*run.counts.values(), strict=True))) for run in runs if run.counts]


def imported_since(moment: datetime, code: str) -> bool:
    """Whether a workbook was imported for an organisation since."""
    return Run.objects.filter(kind=Run.Kind.IMPORT, organisation__code=code, started_at__gt=moment).exists()
