"""Letting an untrained coach take referrals for a while: the page that interrupts, and the report of them all."""

from dataclasses import replace
from datetime import date
from typing import Any, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from coaching.actions import referrals as actions
from coaching.models import Referral
from coaching.queries import Override, overrides, readiness
from coaching.sentences import missing_piece
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import RULES
from hwbc.compliance.exporting.offers import offer
from hwbc.compliance.forms.coaching import OverrideGate
from hwbc.compliance.sentences import written
from hwbc.compliance.views.caseload import title
from hwbc.compliance.views.referrals import up_to_date
from hwbc.kit.periods import today
from hwbc.kit.tables import Column, Table
from hwbc.standards.queries import Asked
from hwbc.standards.rules import Numbers
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.audit import reads
from hwbc.workforce.models import Coach, Post, User
from hwbc.workforce.roles import Can

RULE = "training.before_referrals"
COLUMNS: list[Column[Override]] = [
    Column("coach", "Coach", lambda row: row.coach_name.casefold()),
    Column("state", "State", lambda row: ("current", "to come", "past").index(row.state)),
    Column("from", "From", lambda row: row.starts_on),
    Column("to", "To", lambda row: row.ends_on),
    Column("reason", "Reason"),
    Column("approver", "Approved by", lambda row: row.approved_by.casefold()),
    Column("taken", "Referrals taken under it", lambda row: len(row.taken)),
]


@needs(Can.OVERRIDE)
@require_http_methods(["GET", "HEAD", "POST"])
def override(request: Request, uuid: UUID) -> HttpResponse:
    """What is missing, what the rule says, and who answers for going on all the same."""
    actor, day = request.actor, today()
    coach = Coach.objects.for_actor(actor, Can.OVERRIDE).filter(uuid=uuid).first()
    if coach is None:
        raise Http404
    referral = _referral(actor, request.GET.get("referral", ""))
    gate = readiness([coach.pk], day)[coach.pk]
    form = OverrideGate(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            actions.override(
                actor, coach=coach, starts_on=day, ends_on=asked["ends_on"], reason=asked["reason"], uuid=asked["token"]
            )
        except ValidationError as fault:
            form.refuse(fault)
        else:
            up_to_date(actor, coach)
            until = written(asked["ends_on"])
            messages.success(request, f"{coach.name} may take referrals until {until}, on your approval.")
            return redirect("referral_allocate", uuid=referral.uuid) if referral else redirect("overrides")
    back = reverse("referral_allocate", kwargs={"uuid": referral.uuid}) if referral else reverse("overrides")
    context: dict[str, Any] = {
        "coach": coach,
        "referral": title(referral) if referral else "",
        "form": form,
        "ready": gate.ready,
        "missing": missing_piece(gate.missing) if gate.missing else "",
        "asks": RULES[RULE].asks(_numbers(actor, coach, day)),
        "sources": RULES[RULE].sources,
        "back_to": back,
        "breadcrumbs": [
            {"text": "Home", "href": reverse("home")},
            {"text": f"Allocate {title(referral)}" if referral else "Overrides", "href": back},
        ],
    }
    return render(request, "coaching/override.html", context)


def _numbers(actor: Actor, coach: Coach, day: date) -> Numbers:
    """Those of the standard where the coach's latest post is, as far as the actor reaches."""
    posts = Post.objects.for_actor(actor, Can.OVERRIDE).filter(coach=coach, starts_on__lte=day, voided_at=None)
    return Asked(day, timezone.now()).at(posts.order_by("-starts_on").values_list("pcn", flat=True).first() or 0)


def _referral(actor: Actor, asked: str) -> Referral | None:
    """The referral for which it is, if it is for one. Raises Http404 for one that the actor does not hand out."""
    if not asked:
        return None
    try:
        uuid = UUID(asked)
    except ValueError:
        raise Http404 from None
    found: Referral | None = Referral.objects.for_actor(actor, Can.ALLOCATE).filter(uuid=uuid, voided_at=None).first()
    if found is None:
        raise Http404
    return found


def exported(actor: Actor, as_at: AsAt, found: list[Override] | None = None) -> list[Override]:
    """Those that the actor may take away as a file: what the grants that allow it show. `found`: what all grants show.

    An override is shown with what was taken under it, and how much of that depends on the grant.
    """
    grants = tuple(grant for grant in actor.grants if grant.allows(Can.EXPORT))
    if found is not None and all(grant in grants for grant in actor.grants if grant.allows(Can.SEE_STANDING)):
        return found
    return overrides(replace(actor, grants=grants), as_at.day, as_at.moment)


@needs(Can.SEE_STANDING)
@reads("overrides.read")
@require_safe
@any_day
def report(request: Request, as_at: AsAt) -> HttpResponse:
    """Every override, those that run first: for whom, why, on whose approval, and what was taken under it."""
    found = overrides(request.actor, as_at.day, as_at.moment)
    table = Table(found, COLUMNS, request.GET, noun=("override", "overrides"))
    if shown := [str(row.coach) for row in table.rows if row.reason]:
        request.reading.about(cast(User, request.user), coaches=sorted(set(shown)))
    context: dict[str, Any] = {
        "as_at": as_at,
        "table": table,
        "current": sum(row.state == "current" for row in found),
        "taken": sum(len(row.taken) for row in found),
        "sees_work": request.actor.can(Can.SEE_WORK),
        "export": offer("overrides", len(exported(request.actor, as_at, found)), as_at),
        "breadcrumbs": [
            {"text": "Home", "href": f"{reverse('home')}{as_at.query}"},
            *(
                [{"text": "Referrals", "href": f"{reverse('referrals')}{as_at.query}"}]
                if request.actor.can(Can.SEE_WORK)
                else []
            ),
        ],
    }
    if as_at.form.errors:
        context["form"] = as_at.form
    return render(request, "coaching/overrides.html", context)
