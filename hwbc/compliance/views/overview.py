"""All PCNs at a glance."""

from django.http import Http404, HttpResponse
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_OVERVIEW)
@require_safe
@any_day
def overview(request: Request, as_at: AsAt) -> HttpResponse:
    """Each PCN, with numerators and denominators."""
    raise Http404
