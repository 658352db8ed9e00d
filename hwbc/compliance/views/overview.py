"""All PCNs at a glance."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hwbc.compliance import trends
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import DEFINITIONS, RULES, STATES, SUPERVISORS, WORST_FIRST, anchor
from hwbc.compliance.catalogue import REQUIRED as REQUIRED_COURSES
from hwbc.compliance.columns import OF_A_PCN, REQUIRED, Shown
from hwbc.compliance.exporting.offers import offer
from hwbc.compliance.forms.lists import PcnFilter
from hwbc.compliance.queries import Node, people, standings_by_coach, tree, waiting_referrals
from hwbc.compliance.shares import Counter, Row
from hwbc.kit.tables import Column, Table
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.roles import ASK, Can


class Listing(NamedTuple):
    """What the address asks for: the form, the places, the PCNs among them with their rows, and what they count."""

    form: PcnFilter
    nodes: list[Node]
    pcns: list[Node]
    columns: list[Shown]
    rows: list[Row]  # one a PCN, in their order
    coaches: dict[int, list[int]]  # PCN → those with a post there
    states: dict[int, list[str]]  # coach → the state in each column
    total: Row
    place: str | None  # whose coaches are those of all rows


def listed(actor: Actor, given: QueryDict, as_at: AsAt) -> Listing:
    """The list and its export are this."""
    nodes = tree(actor, Can.SEE_OVERVIEW)
    sort = {"sort": given["sort"]} if given.get("sort") else {}
    rules = [(shown.rules[0], shown.title) for shown in OF_A_PCN]
    form = PcnFilter(given, nodes=nodes, rules=rules, keep={**sort, **as_at.parameters})
    chosen = form.given("rule")
    columns = [shown for shown in OF_A_PCN if chosen in ("", shown.rules[0])]
    pcns = [node for node in nodes if node.kind == "pcn" and (form.node is None or node.pk in form.node.pcns)]
    within = {node.pk for node in pcns}

    seen = people(actor, as_at.day, as_at.moment, can=Can.SEE_OVERVIEW, place=form.node.pk if form.node else None)
    standings = standings_by_coach(seen, as_at.day, as_at.moment)
    states = {pk: [shown.of(standing).state for shown in columns] for pk, standing in standings.items()}
    at: dict[int, list[int]] = {pcn: [] for pcn in within}
    for person in seen:
        for pcn in within.intersection(person.pcns):
            at[pcn].append(person.pk)
    counted = waiting_referrals(actor, as_at.day, as_at.moment)
    waiting = {pcn: counted.get(pcn, 0) for pcn in within & actor.pcns(Can.SEE_WORK)}

    counter = Counter(columns, states, as_at.parameters)
    rows = [counter.row(node.name, at[node.pk], waiting.get(node.pk), node.code) for node in pcns]
    place = _all_of(actor, form.node, nodes)
    total = counter.row("All", list(states), sum(waiting.values()), place)
    return Listing(form, nodes, pcns, columns, rows, at, states, total, place)


def exported(actor: Actor, listing: Listing) -> list[tuple[Node, Row]]:
    """Those of the PCNs whose figures the actor may take away as a file."""
    within = actor.pcns(Can.EXPORT)
    return [(pcn, row) for pcn, row in zip(listing.pcns, listing.rows, strict=True) if pcn.pk in within]


@needs(Can.SEE_OVERVIEW)
@require_safe
@any_day
def overview(request: Request, as_at: AsAt) -> HttpResponse:
    """Each PCN with its coaches: how many are on track with each rule, of how many it is asked of."""
    actor = request.actor
    listing = listed(actor, request.GET, as_at)
    form, columns, rows, total = listing.form, listing.columns, listing.rows, listing.total
    table = Table(rows, _table_columns(columns), request.GET, noun=("PCN", "PCNs"), default="pcn")
    faulty = next((each for each in (form, as_at.form) if each.errors), None)
    figures = len(exported(actor, listing)) * len(columns)
    context: dict[str, Any] = {
        "as_at": as_at,
        "table": table,
        "rows": [*table.rows, total] if len(rows) > 1 else table.rows,
        "total": total,
        "trend": trends.for_actor(actor, set(listing.coaches), as_at, total.shares, listing.place) if rows else None,
        "filter": form,
        "chips": [(label, words, table.href(page=None, **{name: None})) for name, label, words in form.chips()],
        "clear": request.path + as_at.query,
        "places": [form.node] if form.node else [node for node in listing.nodes if node.depth == 0],
        "definitions": [definition(shown) for shown in columns],
        "counted": DEFINITIONS,
        "ask": ASK,
        "export": offer("overview", figures, as_at, form, each="PCN and rule"),
    }
    return render(request, "compliance/overview.html", context | ({"form": faulty} if faulty else {}))


def _all_of(actor: Actor, chosen: Node | None, nodes: Sequence[Node]) -> str | None:
    """The place whose coaches are exactly those of all rows: "" for no place at all, None where there is none."""
    tops = [node for node in nodes if node.depth == 0]
    if chosen is not None:
        return chosen.code
    if len(tops) == 1:
        return tops[0].code
    return None if actor.own(Can.SEE_STANDING) else ""


def _table_columns(columns: Sequence[Shown]) -> list[Column[Row]]:
    first: list[Column[Row]] = [
        Column("pcn", "PCN", lambda row: row.name.casefold()),
        Column("coaches", "Coaches", lambda row: row.coaches.value, numeric=True),
        Column("waiting", "Waiting referrals", lambda row: -1 if row.waiting is None else row.waiting, numeric=True),
    ]
    shares: list[Column[Row]] = [
        Column(shown.key, shown.label, lambda row, n=n: row.shares[n].rank)  # type: ignore[misc]
        for n, shown in enumerate(columns)
    ]
    states: list[Column[Row]] = [
        Column(state, STATES[state][0], lambda row, n=n: row.states[n].number.value, numeric=True)  # type: ignore[misc]
        for n, state in enumerate(WORST_FIRST)
    ]
    return first + shares + (states if len(columns) == 1 else [])


def definition(shown: Shown) -> tuple[str, str, str]:
    """A column's heading, what is counted, and where "How we count" says so."""
    [rule] = shown.rules
    if rule in RULES:
        return shown.title, RULES[rule].counted, anchor(rule)
    if rule == REQUIRED:
        return shown.title, "Every course that the service requires of the coach, as one.", anchor(REQUIRED_COURSES)
    return shown.title, "The line, the clinical and the health coaching supervisor, as one.", anchor(SUPERVISORS)
