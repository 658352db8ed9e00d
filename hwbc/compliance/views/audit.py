"""Who did and read what: the audit of the places that somebody oversees, and who has looked at one case."""

from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import Http404, HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from coaching.models import Referral
from coaching.queries import whose_case
from hwbc.compliance import trail
from hwbc.compliance.exporting.offers import AT_ONCE, Offer
from hwbc.compliance.forms.audit import DAYS, AuditFilter
from hwbc.compliance.views.caseload import title
from hwbc.kit.fields import DATE_PARTS
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.models import AuditEvent
from hwbc.workforce.roles import Can

AFTER = "after"


class Listing(NamedTuple):
    """What the address asks for: the form, what is looked for, and what is found."""

    form: AuditFilter
    asked: trail.Asked
    found: QuerySet[AuditEvent]


def listed(actor: Actor, given: QueryDict) -> Listing:
    """The list and its export are this: the newest first."""
    form = AuditFilter(given)
    record: Q | None = Q()
    if typed := form.given("record"):
        record = trail.about(actor, typed)
        if record is None:
            form.add_error("record", "There is no coach or referral with this reference that you see")
    asked = form.chosen(record or Q())
    return Listing(form, asked, trail.events(actor, asked))


@needs(Can.SEE_AUDIT)
@require_safe
def audit(request: Request) -> HttpResponse:
    """Who did and read what: one's own doings, and what was done where the actor oversees it."""
    actor, given = request.actor, request.GET
    form, asked, found = listed(actor, given)
    after = given.get(AFTER, "")
    page = trail.page(actor, found, after)
    kept = {name: given[name] for name in form.parameters if given.get(name)}
    context: dict[str, Any] = {
        "page": page,
        "older": _address(kept, **{AFTER: page.older}) if page.older else "",
        "newest": _address(kept) if after else "",
        "since": asked.first_day,
        "filter": form,
        "chips": [(label, words, _address(_without(kept, name))) for name, label, words in form.chips()],
        "clear": request.path,
        "oversees": bool(actor.nodes(Can.SEE_AUDIT)),
        "sees_patients": bool(actor.pcns(Can.SEE_AUDIT) & actor.pcns(Can.SEE_PATIENTS)),
        "sees_opened": actor.can(Can.SEE_OPENED),
        "export": _offer(found, kept) if page.rows and actor.can(Can.EXPORT) else None,
        "breadcrumbs": [{"text": "Home", "href": reverse("home")}],
    }
    return render(request, "compliance/audit.html", context | ({"form": form} if form.errors else {}))


def _offer(found: QuerySet[AuditEvent], kept: dict[str, str]) -> Offer:
    """The list as a file. More than can be made at once is not counted: there may be millions."""
    rows = found.order_by()[: AT_ONCE + 1].count()
    return Offer("audit", _address(kept).removeprefix("?"), rows, each="event", beyond=rows > AT_ONCE)


def _without(kept: dict[str, str], name: str) -> dict[str, str]:
    gone = [f"{name}_{part}" for part in DATE_PARTS] if name in DAYS else [name]
    return {key: value for key, value in kept.items() if key not in gone}


def _address(kept: dict[str, str], **more: str) -> str:
    query = QueryDict(mutable=True)
    query.update({**kept, **more})
    return f"?{query.urlencode()}"


@needs(Can.SEE_PATIENTS)
@require_safe
def looked(request: Request, uuid: UUID) -> HttpResponse:
    """Who has looked at a case: for the coach who has it, and for whoever manages the PCN."""
    actor = request.actor
    rows = Referral.objects.for_actor(actor, Can.SEE_PATIENTS).filter(uuid=uuid, voided_at=None)
    row: Referral | None = rows.select_related("pcn").first()
    if row is None or not may_see_readers(actor, row):
        raise Http404
    page = trail.page(actor, trail.readers(actor, row), request.GET.get(AFTER, ""))
    href = reverse("referral", kwargs={"uuid": uuid})
    context: dict[str, Any] = {
        "title": title(row),
        "page": page,
        "older": _address({}, **{AFTER: page.older}) if page.older else "",
        "newest": request.path if request.GET.get(AFTER) else "",
        "manages": row.pcn_id in actor.pcns(Can.SEE_AUDIT),
        "breadcrumbs": [
            {"text": "Home", "href": reverse("home")},
            {"text": f"Referral {title(row)}", "href": href},
        ],
    }
    return render(request, "coaching/looked.html", context)


def may_see_readers(actor: Actor, referral: Referral) -> bool:
    """Whether the actor sees who has looked at a case: who manages the PCN, and the coach who has it or had it last."""
    manages = referral.pcn_id in actor.pcns(Can.SEE_AUDIT) & actor.pcns(Can.SEE_PATIENTS)
    return manages or whose_case(referral) in actor.own(Can.SEE_AUDIT)
