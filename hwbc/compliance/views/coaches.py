"""The list of coaches."""

from collections.abc import Mapping
from datetime import date
from typing import Any, NamedTuple

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.columns import ATTENTION, IN_RED, OF_A_COACH, Chosen, Line, covers, is_shown, narrowed, title
from hwbc.compliance.exporting.offers import offer
from hwbc.compliance.forms.lists import CoachFilter
from hwbc.compliance.queries import Node, people, standings_by_coach, tree
from hwbc.compliance.sentences import written
from hwbc.compliance.templatetags.compliance import state_cell
from hwbc.kit.tables import Column, Table
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.roles import ASK, SUPERVISORS, Can, Role
from training.rules import Required


class Listing(NamedTuple):
    """What the address asks for: the form, the places, whom the actor sees and who of them is left."""

    form: CoachFilter
    nodes: list[Node]
    seen: int
    lines: list[Line]
    chosen: Chosen
    required: Mapping[str, Required]
    shows_pcn: bool


def listed(actor: Actor, given: QueryDict, as_at: AsAt) -> Listing:
    """The list and its export are this, and differ in how they show it."""
    nodes = tree(actor)
    seen = people(actor, as_at.day, as_at.moment)
    standings = standings_by_coach(seen, as_at.day, as_at.moment)
    required = {code: asked for standing in standings.values() for code, asked in standing.required.items()}
    sort = {"sort": given["sort"]} if given.get("sort") else {}
    form = CoachFilter(given, nodes=nodes, required=required, keep={**sort, **as_at.parameters})
    chosen = form.chosen()
    several = len({pcn for person in seen for pcn in person.pcns} | actor.pcns(Can.SEE_STANDING)) > 1
    at_one = chosen.place is not None and len(chosen.place.pcns) == 1
    return Listing(form, nodes, len(seen), narrowed(seen, standings, chosen), chosen, required, several and not at_one)


def _columns(listing: Listing) -> list[Column[Line]]:
    """Name and PCN, then every rule in nine columns, or the chosen one in three."""
    columns: list[Column[Line]] = [Column("name", "Coach", lambda line: line.person.sort_name)]
    if listing.shows_pcn:
        columns.append(Column("pcn", "PCN", lambda line: line.person.places))
    if rule := listing.chosen.rule:
        return [
            *columns,
            Column("state", "State", lambda line: line.cell(rule).rank),
            Column("why", "Why"),
            Column("due", "Due", lambda line: str(line.cell(rule).due_on or "later")),
        ]
    return columns + [
        Column(shown.key, shown.label, lambda line, shown=shown: shown.of(line.standing).rank)  # type: ignore[misc]
        for shown in OF_A_COACH
    ]


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def coaches(request: Request, as_at: AsAt) -> HttpResponse:
    """Every coach with a post on the day, with a state for each rule; narrowed and sorted by the address."""
    listing = listed(request.actor, request.GET, as_at)
    rule, state = listing.chosen.rule, listing.chosen.state
    default = "state" if rule else "name"
    table = Table(listing.lines, _columns(listing), request.GET, noun=("coach", "coaches"), default=default)
    faulty = next((form for form in (listing.form, as_at.form) if form.errors), None)
    rows = answered(exported(request.actor, listing.lines), rule)
    context: dict[str, Any] = {
        "as_at": as_at,
        "table": table,
        "filter": listing.form,
        "seen": listing.seen,
        "rows": [_shown(line, rule) for line in table.rows],
        "shows_pcn": listing.shows_pcn,
        "rule": title(rule, listing.required) if rule else "",
        "chips": [(label, words, table.href(page=None, **{name: None})) for name, label, words in listing.form.chips()],
        "clear": request.path + as_at.query,
        "counted": _counted(request.actor, listing, as_at.day),
        "ask": ASK,
        "summary": [] if state else _summary(listing, table),
        "export": offer("coaches", rows, as_at, listing.form, each="coach and rule"),
    }
    return render(request, "compliance/coaches.html", context | ({"form": faulty} if faulty else {}))


def _shown(line: Line, rule: str) -> dict[str, Any]:
    """A row: every column's state with its note, or the chosen rule's with its reasons."""
    if not rule:
        cells = [(shown.label, shown.of(line.standing)) for shown in OF_A_COACH]
        return {"person": line.person, "cells": [state_cell(label, cell.state, cell.note) for label, cell in cells]}
    return {"person": line.person, "cell": line.cell(rule), "why": line.why(rule)}


def _counted(actor: Actor, listing: Listing, day: date) -> str:
    """Who is counted, in words that stand beside the count."""
    place = listing.chosen.place
    tops = [place.name] if place else [node.name for node in listing.nodes if node.depth == 0]
    roles = () if place else actor.roles
    where = []
    if tops:
        where.append(f"at {' or '.join(tops) if len(tops) < 4 else f'the {len(tops)} places where you have a role'}")
    if any(role in SUPERVISORS for role in roles):
        where.append("whom you supervise")
    counted = [f"every coach with a post on {written(day)} {' or '.join(where)}"] if where else []
    if Role.COACH in roles:
        counted.append("yourself" if where else f"yourself, if you have a post on {written(day)}")
    return " and ".join(counted)


def _summary(listing: Listing, table: Table[Line]) -> list[tuple[int, str, str]]:
    """How many of the coaches have something red, or at least due soon; each with the address of those rows."""
    found: list[tuple[int, str, str]] = []
    for state, words in ((IN_RED, "overdue or not met"), (ATTENTION, "overdue, not met or due soon")):
        count = sum(is_shown(line.standing, listing.chosen.rule, state) for line in listing.lines)
        if count and count not in [before for before, _, _ in found]:
            found.append((count, words, table.href(page=None, state=state)))
    return found


def exported(actor: Actor, lines: list[Line]) -> list[Line]:
    """Those of the coaches that the actor may take away as a file."""
    own, pcns = actor.own(Can.EXPORT), actor.pcns(Can.EXPORT)
    return [line for line in lines if line.person.pk in own or not pcns.isdisjoint(line.person.pcns)]


def answered(lines: list[Line], rule: str) -> int:
    """How many answers these coaches have: to the rule, or rules together, that are asked about; "" for all."""
    return sum(not rule or covers(rule, code) for line in lines for code, _ in line.standing.answers)
