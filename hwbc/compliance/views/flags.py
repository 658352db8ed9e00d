"""What is not as it should be."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def flags(request: Request, as_at: AsAt) -> HttpResponse:
    """Every finding."""
    raise Http404


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def flag(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """One flag, and its acknowledgement."""
    raise Http404
