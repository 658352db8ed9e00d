"""Handing out referrals: what waits, a new one received, and the coach who takes it, through the gate."""

from typing import Any, NamedTuple
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from coaching.actions import referrals as actions
from coaching.actions.referrals import AlreadyAllocated, NotReady
from coaching.models import Allocation, Referral
from coaching.queries import Eligible, Waiting, eligible, left, receiving, waiting
from coaching.sentences import WARNINGS, missing_piece
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import DEFINITIONS
from hwbc.compliance.checks import check_coaches
from hwbc.compliance.exporting.offers import offer
from hwbc.compliance.forms.coaching import Allocate, ReceiveReferral, ReferralFilter, load
from hwbc.compliance.queries import Node, tree
from hwbc.compliance.sentences import written
from hwbc.compliance.views.caseload import title
from hwbc.kit.periods import today
from hwbc.kit.tables import Column, Table
from hwbc.standards.actions import TooEarly
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.models import Coach
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale

COLUMNS: list[Column[Waiting]] = [
    Column("referral", "Referral", lambda row: row.reference),
    Column("priority", "Priority", lambda row: (row.priority != Referral.Priority.URGENT, -row.days)),
    Column("received", "Received", lambda row: row.received_on),
    Column("days", "Days waiting", lambda row: row.days, numeric=True),
    Column("source", "From", lambda row: (Referral.Source(row.source).label, row.practice or "")),
    Column("proposed", "Proposed coach", lambda row: (row.proposed_coach is None, row.proposed_coach or "")),
]
PCN: Column[Waiting] = Column("pcn", "PCN", lambda row: row.pcn)
ACTION: Column[Waiting] = Column("action", "Action")


class Shown(NamedTuple):
    """A waiting referral as the list shows it."""

    row: Waiting
    source: str
    may_allocate: bool


# --- What waits -------------------------------------------------------------------------------------------------------


class Listing(NamedTuple):
    """What the address asks for: the form, the places, all that wait and those that are left."""

    form: ReferralFilter
    nodes: list[Node]
    everything: list[Waiting]
    found: list[Waiting]


def listed(actor: Actor, given: QueryDict, as_at: AsAt) -> Listing:
    """The list and its export are this: urgent first, then the longest."""
    nodes = tree(actor, Can.SEE_WORK)
    sort = {"sort": given["sort"]} if given.get("sort") else {}
    form = ReferralFilter(given, nodes=nodes, keep={**sort, **as_at.parameters})
    everything = waiting(actor, as_at.day, as_at.moment)
    return Listing(form, nodes, everything, [row for row in everything if _left(row, form)])


def exported(actor: Actor, found: list[Waiting]) -> list[Waiting]:
    """Those of the PCNs whose records the actor may take away as a file."""
    pcns = actor.pcns(Can.EXPORT)
    return [row for row in found if row.pcn_id in pcns]


@needs(Can.SEE_WORK)
@require_safe
@any_day
def waiting_list(request: Request, as_at: AsAt) -> HttpResponse:
    """The referrals that no coach has on the day, or one who has left: urgent first, then the longest."""
    actor = request.actor
    form, _, everything, found = listed(actor, request.GET, as_at)
    several = len(actor.pcns(Can.SEE_WORK)) > 1
    allocates = actor.pcns(Can.ALLOCATE) if as_at.is_now else frozenset()
    columns = [*COLUMNS, *([PCN] if several else []), *([ACTION] if allocates else [])]
    table = Table(found, columns, request.GET, noun=("waiting referral", "waiting referrals"))
    context: dict[str, Any] = {
        "as_at": as_at,
        "table": table,
        "rows": [Shown(row, Referral.Source(row.source).label, row.pcn_id in allocates) for row in table.rows],
        "everything": len(everything),
        "sees_openings": actor.can(Can.SEE_OPENED),
        "urgent": sum(row.priority == Referral.Priority.URGENT for row in found),
        "left": sum(row.post_ended_on is not None for row in found),
        "filter": form,
        "chips": [(label, words, table.href(page=None, **{name: None})) for name, label, words in form.chips()],
        "clear": request.path + as_at.query,
        "definition": DEFINITIONS["waiting"][1],
        "several": several,
        "allocates": allocates,
        "oversees": bool(actor.pcns(Can.SEE_WORK)),
        "may_receive": actor.can(Can.ALLOCATE) and as_at.is_now,
        "export": offer("referrals", len(exported(actor, found)), as_at, form),
    }
    faulty = next((each for each in (form, as_at.form) if each.errors), None)
    return render(request, "coaching/waiting.html", context | ({"form": faulty} if faulty else {}))


def _left(row: Waiting, form: ReferralFilter) -> bool:
    place, source, priority = form.node, form.given("source"), form.given("priority")
    return (
        (place is None or row.pcn_id in place.pcns)
        and (not source or row.source == source)
        and (not priority or row.priority == priority)
    )


@needs(Can.ALLOCATE)
@require_http_methods(["GET", "HEAD", "POST"])
def receive(request: Request) -> HttpResponse:
    """A referral has reached a PCN: written down without saying who the person is."""
    form = ReceiveReferral(request.POST if request.method == "POST" else None, places=receiving(request.actor))
    if request.method == "POST" and form.is_valid():
        try:
            made = actions.receive(request.actor, **form.answers())
        except ValidationError as fault:
            form.refuse(fault)
        else:
            messages.success(request, f"Referral {title(made)} is received: it waits for a coach.")
            return redirect("referral", uuid=made.uuid)
    context = {
        "form": form,
        "heading": "Receive a referral",
        "href": reverse("referrals"),
        "explains": "Nobody’s name or NHS number is kept here: only the reference by which you find the person.",
        "breadcrumbs": _way(),
    }
    return render(request, "coaching/entry.html", context)


def _way(referral: Referral | None = None) -> list[dict[str, str]]:
    crumbs = [{"text": "Home", "href": reverse("home")}, {"text": "Referrals", "href": reverse("referrals")}]
    if referral is not None:
        crumbs.append({"text": title(referral), "href": reverse("referral", kwargs={"uuid": referral.uuid})})
    return crumbs


# --- Who takes it -----------------------------------------------------------------------------------------------------


class NotYet(NamedTuple):
    """A coach who may not take a referral today: what is missing, and how busy they are."""

    coach: Eligible
    missing: str
    load: str


@needs(Can.ALLOCATE)
@require_http_methods(["GET", "HEAD", "POST"])
def allocate(request: Request, uuid: UUID) -> HttpResponse:
    """The coaches of the PCN, those who are ready to choose from; whatever is sent, the gate answers."""
    actor, day = request.actor, today()
    rows = Referral.objects.for_actor(actor, Can.ALLOCATE).filter(uuid=uuid, voided_at=None)
    referral = rows.select_related("pcn", "practice", "proposed_coach").first()
    if referral is None:
        raise Http404
    coaches = eligible(referral.pcn_id, day)
    initial = {"version": referral.version, "coach": _proposed(referral)}
    form = Allocate(request.POST if request.method == "POST" else None, initial=initial, eligible=coaches)
    refused: NotReady | None = None
    taken, status = "", 200
    holder = _holder(actor, referral)
    was_with = holder and holder.left
    if request.method == "POST" and form.is_valid():
        chosen = Coach.objects.for_actor(actor, Can.ALLOCATE).get(pk=form.chosen.pk)
        try:
            made = actions.allocate(
                actor, referral=referral, coach=chosen, day=day, version=form.cleaned_data["version"]
            )
        except AlreadyAllocated as fault:
            taken, status = str(fault.message), 409
        except NotReady as fault:
            refused = fault
            form.add_error("coach", fault.message)
        except ValidationError as fault:
            form.refuse(fault)
        except Stale as stale:
            status = 409
            form = Allocate(initial={"version": stale.current.version}, eligible=coaches)  # type: ignore[attr-defined]
            messages.warning(request, "Somebody changed this referral since you opened it. Look again and choose.")
        else:
            up_to_date(actor, chosen)
            messages.success(request, _allocated(referral, chosen, made, was_with))
            return redirect("referral", uuid=referral.uuid)
    elif holder and not was_with and referral.closed_on is None:
        taken = f"{holder.coach} has this referral."
    context: dict[str, Any] = {
        "referral": referral,
        "title": title(referral),
        "days": (day - referral.received_on).days,
        "form": form,
        "ready": [each for each in coaches if each.readiness.ready],
        "not_ready": [
            NotYet(each, missing_piece(each.readiness.missing), load(each))
            for each in coaches
            if each.readiness.missing
        ],
        "refused": refused,
        "taken": taken,
        "was_with": was_with,
        "may_override": actor.pcns(Can.OVERRIDE).intersection([referral.pcn_id]),
        "breadcrumbs": _way(referral),
    }
    return render(request, "coaching/allocate.html", context, status=status)


def _proposed(referral: Referral) -> str | None:
    return str(referral.proposed_coach.uuid) if referral.proposed_coach else None


class Holder(NamedTuple):
    """Whose name stands on a referral. `left`: with the day, where their post there has ended; "" where it has not."""

    coach: str
    left: str


def _holder(actor: Actor, referral: Referral) -> Holder | None:
    """Who has it now; None for nobody."""
    open_ = Allocation.objects.for_actor(actor, Can.ALLOCATE).filter(referral=referral, ends_on=None, voided_at=None)
    taken = open_.first()
    if taken is None:
        return None
    names = Coach.objects.for_actor(actor, Can.ALLOCATE).filter(pk=taken.coach_id).values_list("name", flat=True)
    name = str(names.first() or "A coach of another PCN")
    last_day = left([taken.pk], today()).get(taken.pk)
    return Holder(name, f"{name}, whose post ended on {written(last_day)}" if last_day else "")


def _allocated(referral: Referral, coach: Coach, made: Allocation, was_with: str | None) -> str:
    said = f"{coach.name} has referral {title(referral)} now."
    if was_with:
        said += f" It was with {was_with}."
    if made.warnings:
        said += f" Recorded with it: {' '.join(WARNINGS[code] for code in made.warnings)}"
    return said


def up_to_date(actor: Actor, coach: Coach) -> None:
    """Raise and clear the coach's flags at once; where the clock was set back, the next checks do it."""
    try:
        check_coaches(actor, [coach.pk], today())
    except TooEarly:
        return
