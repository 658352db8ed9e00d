"""What was changed of a record, and by whom: of a coach as a whole, of one fact, a referral, a grant, a place."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import models
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from hwbc.compliance import changes
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.record import Record, find
from hwbc.compliance.sentences import written
from hwbc.workforce.access import Request, needs
from hwbc.workforce.models import Absence, Grant, OfCoach, Post
from hwbc.workforce.roles import Can
from supervision.models import Agreement, Meeting
from training.models import Exemption, TrainingRecord


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def of_coach(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every change of what is recorded about a coach."""
    record = find(request.actor, uuid, as_at)
    return _of_coach(request, record, changes.of_coach(record, request.GET), "")


def of(model: type[OfCoach], what: str, day: str) -> Callable[..., HttpResponseBase]:
    """The page of one kind of fact about a coach: `what` it is called with the day that it is about."""

    @needs(Can.SEE_STANDING)
    @require_safe
    @any_day
    def page(request: Request, as_at: AsAt, uuid: UUID, pk: int | None = None) -> HttpResponse:
        """Every change of one fact about a coach."""
        which = {"uuid": uuid} if pk is None else {"coach__uuid": uuid, "pk": pk}
        row = model.objects.for_actor(request.actor).filter(**which).select_related("coach").first()
        if row is None:
            raise Http404
        record = find(request.actor, row.coach.uuid, as_at)
        table = changes.of_fact(record, row, request.GET)
        if table is None or row.recorded_at > as_at.moment:
            raise Http404
        return _of_coach(request, record, table, f"{what} {written(getattr(row, day))}")

    return page


of_meeting = of(Meeting, "Meeting of", "held_on")
of_training = of(TrainingRecord, "Training from", "enrolled_on")
of_agreement = of(Agreement, "Agreement from", "starts_on")
of_exemption = of(Exemption, "Exemption from", "starts_on")
of_post = of(Post, "Post from", "starts_on")
of_absence = of(Absence, "Absence from", "starts_on")


def _of_coach(request: Request, record: Record, table: changes.Changes, of: str) -> HttpResponse:
    context: dict[str, Any] = {
        "record": record,
        "as_at": record.as_at,
        "table": table,
        "of": of,
        "sections": record.sections("coach_history"),
        "breadcrumbs": [
            {"text": "Home", "href": reverse("home")},
            {"text": "Coaches", "href": f"{reverse('coaches')}{record.as_at.query}"},
            {"text": record.name, "href": record.href("coach")},
            {"text": "History", "href": record.href("coach_history")},
        ],
        "everything": record.href("coach_changes"),
    }
    if record.as_at.form.errors:
        context["form"] = record.as_at.form
    return render(request, "compliance/changes/coach.html", context)


@needs(Can.SEE_WORK)
@require_safe
@any_day
def of_referral(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every change of a referral, of who took it, of its sessions and their notes for those who may see them."""
    actor = request.actor
    row = Referral.objects.for_actor(actor).filter(uuid=uuid, voided_at=None).first()
    if row is None or row.received_on > as_at.day or row.recorded_at > as_at.moment:
        raise Http404
    rows: list[models.Model] = [row, *Allocation.objects.for_actor(actor).filter(referral=row)]
    if actor.can(Can.SEE_PATIENTS):
        rows += CoachingSession.objects.for_actor(actor).filter(referral=row, held_on__lte=as_at.day)
        notes = SessionNote.objects.for_actor(actor).select_related("session")
        rows += notes.filter(session__referral=row, session__held_on__lte=as_at.day)
    name = str(row.reference or row.uuid)
    href = f"{reverse('referral', kwargs={'uuid': row.uuid})}{as_at.query}"
    return _of_rows(request, f"Referral {name}", rows, as_at, [row.pcn_id], {"text": f"Referral {name}", "href": href})


@needs(Can.INVITE)
@require_safe
@any_day
def of_access(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every change of a grant."""
    grant = Grant.objects.for_actor(request.actor).filter(uuid=uuid).select_related("user").first()
    if grant is None:
        raise Http404
    title = f"{grant.get_role_display()}: {grant.user.name}"
    back = {"text": "People and access", "href": reverse("access")}
    return _of_rows(request, title, [grant], as_at, [], back)


@needs(Can.SEE_OVERVIEW)
@require_safe
@any_day
def of_organisation(request: Request, as_at: AsAt, code: str) -> HttpResponse:
    """Every change of a place whose figures the actor sees."""
    row = changes.place(request.actor.nodes(Can.SEE_OVERVIEW), code)
    if row is None:
        raise Http404
    back = {"text": "PCNs", "href": f"{reverse('overview')}{as_at.query}"}
    return _of_rows(request, row.name, [row], as_at, [], back)


def _of_rows(
    request: Request, title: str, rows: list[models.Model], as_at: AsAt, places: list[int], back: dict[str, str]
) -> HttpResponse:
    context: dict[str, Any] = {
        "title": title,
        "table": changes.of_rows(rows, as_at, places, request.GET),
        "as_at": as_at,
        "breadcrumbs": [{"text": "Home", "href": reverse("home")}, back],
    }
    if as_at.form.errors:
        context["form"] = as_at.form
    return render(request, "compliance/changes/record.html", context)
