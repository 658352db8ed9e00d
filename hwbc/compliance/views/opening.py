"""A case that is not one's own: opened with a reason, and who did so."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from coaching.actions.opening import open_case
from coaching.models import Opening, Referral
from coaching.queries import around
from hwbc.compliance.forms.opening import FindCase, OpenCase
from hwbc.kit.tables import Column, Table
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.roles import Can

COLUMNS: list[Column[Opening]] = [
    Column("when", "When", lambda opening: opening.at),
    Column("who", "Who", lambda opening: (opening.user.sort_name, opening.user_id)),
    Column("case", "Case", lambda opening: opening.referral.reference),
    Column("why", "Why"),
]


@needs(Can.SEE_PATIENTS)
@require_http_methods(["GET", "HEAD", "POST"])
def find(request: Request) -> HttpResponse:
    """Open a case that is not one's own, by its reference."""
    form = FindCase(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        referral = around(request.actor).filter(reference_key=asked["reference"].strip().casefold()).first()
        if referral is None:
            form.add_error("reference", "There is no case with this reference at your PCN. Check it and try again.")
        elif done := _opened(request, form, referral):
            return done
    return _asked(request, form, "")


@needs(Can.SEE_PATIENTS)
@require_http_methods(["GET", "HEAD", "POST"])
def open_(request: Request, uuid: UUID) -> HttpResponse:
    """Open a case that is not one's own, to which a link has led."""
    referral = around(request.actor).filter(uuid=uuid).first()
    if referral is None:
        raise Http404
    form = OpenCase(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and (done := _opened(request, form, referral)):
        return done
    seen = Referral.objects.for_actor(request.actor).filter(pk=referral.pk).exists()
    return _asked(request, form, str(referral.reference or referral.uuid) if seen else "")


def _opened(request: Request, form: OpenCase, referral: Referral) -> HttpResponse | None:
    try:
        open_case(request.actor, referral=referral, reason=form.cleaned_data["reason"])
    except ValidationError as fault:
        form.refuse(fault)
        return None
    messages.success(request, "The case is open to you until the end of today. That you opened it is recorded.")
    return redirect("referral", uuid=referral.uuid)


def _asked(request: Request, form: OpenCase, title: str) -> HttpResponse:
    context = {"form": form, "title": title, "breadcrumbs": _way(request.actor)}
    return render(request, "coaching/open_case.html", context)


def _way(actor: Actor) -> list[dict[str, Any]]:
    name, text = ("caseload", "Caseload") if actor.can(Can.LOG_SESSIONS) else ("referrals", "Referrals")
    return [{"text": "Home", "href": reverse("home")}, {"text": text, "href": reverse(name)}]


@needs(Can.SEE_OPENED)
@require_safe
def openings(request: Request) -> HttpResponse:
    """Who opened a case that is not theirs, and why."""
    rows = Opening.objects.for_actor(request.actor).filter(pcn__in=request.actor.pcns(Can.SEE_OPENED))
    found = list(rows.select_related("user", "referral", "pcn").order_by("-at", "pk"))
    table = Table(found, COLUMNS, request.GET, noun=("opening", "openings"))
    context = {"table": table, "breadcrumbs": _way(request.actor)}
    return render(request, "coaching/openings.html", context)
