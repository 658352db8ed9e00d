"""What is not as it should be, and one flag with its acknowledgement."""

from datetime import datetime, time
from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.exporting.offers import offer
from hwbc.compliance.findings import Finding, finding, findings
from hwbc.compliance.forms.flags import Acknowledge, FlagFilter
from hwbc.compliance.queries import Node, flag_events, last_day, people, standings_by_coach, tree
from hwbc.kit.tables import Column, Table
from hwbc.standards import actions
from hwbc.standards.models import Flag
from hwbc.standards.rules import DUE_SOON
from hwbc.workforce.access import Actor, Refused, Request, needs
from hwbc.workforce.roles import Can

COLUMNS: list[Column[Finding]] = [
    Column("coach", "Coach", lambda found: (found.person.sort_name, found.urgency)),
    Column("rule", "What", lambda found: (found.rule.title, found.urgency)),
    Column("urgency", "Why, and what turns it green", lambda found: found.urgency),
    Column("flag", "Flag", lambda found: (found.flag is None, found.flag and found.flag.raised_on, found.urgency)),
]


class Listing(NamedTuple):
    """What the address asks for: the form, the places, how many coaches the actor sees there, and their findings."""

    form: FlagFilter
    nodes: list[Node]
    seen: int
    everything: int
    found: list[Finding]


def listed(actor: Actor, given: QueryDict, as_at: AsAt) -> Listing:
    """The list and its export are this: the most urgent first."""
    nodes = tree(actor)
    form = FlagFilter(given, nodes=nodes, keep=as_at.parameters)
    place = form.node
    seen = people(actor, as_at.day, as_at.moment, place=place.pk if place else None)
    everything = findings(seen, standings_by_coach(seen, as_at.day, as_at.moment), as_at)
    found = [each for each in everything if _shown(each, form.given("group"), form.given("show"))]
    return Listing(form, nodes, len(seen), len(everything), found)


def exported(actor: Actor, found: list[Finding]) -> list[Finding]:
    """Those about coaches that the actor may take away as a file."""
    own, pcns = actor.own(Can.EXPORT), actor.pcns(Can.EXPORT)
    return [each for each in found if each.person.pk in own or not pcns.isdisjoint(each.person.pcns)]


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def flags(request: Request, as_at: AsAt) -> HttpResponse:
    """Everything red or due soon that the actor may see, the most urgent first."""
    actor = request.actor
    form, _, seen, everything, found = listed(actor, request.GET, as_at)
    table = Table(found, COLUMNS, request.GET, noun=("finding", "findings"), default="urgency")
    context: dict[str, Any] = {
        "as_at": as_at,
        "table": table,
        "everything": everything,
        "filter": form,
        "chips": [(label, words, table.href(page=None, **{name: None})) for name, label, words in form.chips()],
        "clear": request.path + as_at.query,
        "coaches": seen,
        "may_acknowledge": actor.can(Can.ACKNOWLEDGE) and as_at.is_now,
        "export": offer("flags", len(exported(actor, found)), as_at, form),
    }
    faulty = next((each for each in (form, as_at.form) if each.errors), None)
    return render(request, "compliance/flags.html", context | ({"form": faulty} if faulty else {}))


def _shown(found: Finding, group: str, show: str) -> bool:
    if group and found.rule.group != group:
        return False
    if show == "red":
        return found.is_red
    if show == DUE_SOON:
        return not found.is_red
    return show != "open" or (found.is_red and not (found.flag and found.flag.acknowledged_at))


@needs(Can.SEE_STANDING)
@require_http_methods(["GET", "HEAD", "POST"])
@any_day
def flag(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """One flag: the rule, the answer on the day, what happened to it; and its acknowledgement."""
    actor = request.actor
    raised = Flag.objects.for_actor(actor).select_related("coach").filter(uuid=uuid).first()
    if raised is None or raised.raised_on > as_at.day or raised.raised_at > as_at.moment:
        raise Http404
    until = last_day(actor, raised.coach_id)
    if until is not None and raised.raised_on > until:
        raise Http404
    seen_until = as_at.moment
    if until is not None:  # what others did about it after the coach had left is theirs
        seen_until = min(seen_until, timezone.make_aware(datetime.combine(until, time.max)))
    if until is not None and as_at.day > until:
        as_at = as_at.on(until)
    # A PCN that the coach has left still reads what was so; what is done about it now is for others.
    may = raised.coach_id in actor.coaches(Can.ACKNOWLEDGE) and as_at.is_now
    form = Acknowledge(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        if not may:
            raise Refused(Can.ACKNOWLEDGE)
        if form.is_valid():
            try:
                actions.acknowledge(actor, flag=raised, note=form.cleaned_data["note"])
            except ValidationError as fault:
                form.add_error(None, fault.messages)
            else:
                messages.success(request, "The flag is acknowledged. It stays open until the rule is met.")
                return redirect("flag", uuid=uuid)
    person = next(iter(people(actor, as_at.day, as_at.moment, coach=raised.coach_id)), None)
    found = None
    if person is not None:
        standing = standings_by_coach([person], as_at.day, as_at.moment)[person.pk]
        answer = dict(standing.answers).get(raised.rule)
        found = answer and finding(person, standing, raised.rule, answer, None)
    context: dict[str, Any] = {
        "as_at": as_at,
        "flag": raised,
        "finding": found,
        "events": flag_events(raised.pk, seen_until),
        "acknowledge": form if may and raised.cleared_at is None else None,
        "breadcrumbs": [{"text": "Home", "href": "/"}, {"text": "Flags", "href": f"/flags{as_at.query}"}],
    }
    faulty = next((each for each in (form, as_at.form) if each.errors), None)
    return render(request, "compliance/flag.html", context | ({"form": faulty} if faulty else {}))
