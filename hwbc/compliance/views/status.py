"""Whether the service and its background jobs run."""

from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hwbc.kit import broker
from hwbc.standards.actions import ask_worker
from hwbc.standards.queries import CHECKED_BY, STALE_AFTER, ledger, pulse
from hwbc.workforce import sealing
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_STATUS)
@require_http_methods(["GET", "HEAD", "POST"])
def status(request: Request) -> HttpResponse:
    """Whether the service and its background jobs run; a POST asks the worker to answer now."""
    if request.method == "POST":
        ask_worker()
        return redirect("status")
    now = timezone.now()
    beat = pulse()
    return render(
        request,
        "compliance/status.html",
        {
            "pulse": beat,
            "alive": beat.alive(now),
            "broker": broker.answers(),
            "stale_after": int(STALE_AFTER.total_seconds() // 60),
            "ledger": ledger(now),
            "checked_by": f"{CHECKED_BY:%-I%p}".lower(),
            "now": now,
            "sealing": sealing.state(),
        },
    )
