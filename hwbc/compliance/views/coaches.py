"""The list of coaches, and its export."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def coaches(request: Request, as_at: AsAt) -> HttpResponse:
    """Every coach, with a state for each rule."""
    raise Http404


@needs(Can.EXPORT)
@require_safe
@any_day
def export(request: Request, as_at: AsAt) -> HttpResponse:
    """The same rows as a file."""
    raise Http404
