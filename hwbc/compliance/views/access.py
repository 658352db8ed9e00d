"""People and what they may see and do."""

from uuid import UUID

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.INVITE)
@require_safe
@any_day
def people(request: Request, as_at: AsAt) -> HttpResponse:
    """Who has access."""
    raise Http404


@needs(Can.INVITE)
@require_safe
@any_day
def invite(request: Request, as_at: AsAt) -> HttpResponse:
    """Invite somebody."""
    raise Http404


@needs(Can.INVITE)
@require_safe
@any_day
def end(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """End a grant."""
    raise Http404
