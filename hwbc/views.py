"""Health, and the pages for what goes wrong."""

import structlog
from django.db import DatabaseError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template import loader
from django.views.decorators.cache import never_cache

from hwbc.kit import broker
from hwbc.workforce.access import Request, public, to_sign_in
from hwbc.workforce.sessions.drafts import keep_sent


@public("asked by load balancers; says nothing", rows=False)
@transaction.non_atomic_requests
@never_cache
def live(request: HttpRequest) -> HttpResponse:
    """The process answers. Asks nothing of the database or the broker."""
    return HttpResponse("ok\n", content_type="text/plain")


@public("asked by load balancers; says which part is away and no more", rows=False)
@transaction.non_atomic_requests
@never_cache
def ready(request: HttpRequest) -> JsonResponse:
    """Requests can be served: 503 while the database is away or not migrated.

    A broker that is away is said but stops nothing: every page works without it.
    """
    parts = {"database": _database(), "broker": "ok" if broker.answers() else "unreachable"}
    return JsonResponse(parts, status=200 if parts["database"] == "ok" else 503)


def _database() -> str:
    try:
        executor = MigrationExecutor(connection)
        return "ok" if not executor.migration_plan(executor.loader.graph.leaf_nodes()) else "not migrated"
    except DatabaseError:
        return "unreachable"


def server_error(request: HttpRequest) -> HttpResponse:
    """Something failed: a plain page with the reference under which the log has it. Reads no rows."""
    reference = structlog.contextvars.get_contextvars().get("request_id", "")
    return HttpResponse(loader.render_to_string("500.html", {"reference": str(reference)[:8]}), status=500)


def csrf_failure(request: Request, reason: str = "") -> HttpResponse:
    """A form whose token is not this browser's, or no longer: nothing is done, and what was typed is kept."""
    if request.actor.user_id is None and "typed_by" in request.POST:
        return to_sign_in(request)
    request.refused_for = "token"
    kept = keep_sent(request)
    context = {"kept": kept, "address": request.get_full_path()}
    return render(request, "403_csrf.html", context, status=403)
