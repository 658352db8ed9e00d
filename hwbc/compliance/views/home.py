"""Where somebody lands: what needs them today."""

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hwbc.workforce.access import Request, signed_in
from hwbc.workforce.models import Coach
from hwbc.workforce.roles import ASK, Can


@signed_in
@require_safe
def home(request: Request) -> HttpResponse:
    """Where somebody lands: what they have access to, and whom they reach."""
    coaches = Coach.objects.for_actor(request.actor)
    return render(
        request,
        "compliance/home.html",
        {
            "actor": request.actor,
            "sees_coaches": request.actor.can(Can.SEE_STANDING),
            "coaches": coaches.count() if request.actor.can(Can.SEE_STANDING) else None,
            "ask": ASK,
        },
    )
