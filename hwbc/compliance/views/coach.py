"""One coach: every rule explained, and what it rests on."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def standing(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every rule, explained."""
    raise Http404


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def supervision(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every meeting, counting or not, and why."""
    raise Http404


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def training(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Training, with what is missing."""
    raise Http404


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def employment(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Posts and absences."""
    raise Http404


@needs(Can.SEE_WORK)
@require_safe
@any_day
def caseload(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Referrals taken."""
    raise Http404


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def history(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """What was written down, and when."""
    raise Http404
