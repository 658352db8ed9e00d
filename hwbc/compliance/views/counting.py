"""How we count: every rule in words."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def how_we_count(request: Request, as_at: AsAt) -> HttpResponse:
    """Every rule, number, source and standard in force."""
    raise Http404
