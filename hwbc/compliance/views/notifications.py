"""What somebody was told."""

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hwbc.compliance.notices import leads_to, said
from hwbc.kit.tables import Column, Table
from hwbc.standards import actions
from hwbc.standards.models import Notification
from hwbc.standards.queries import notifications, unread_count
from hwbc.workforce.access import Request, signed_in

KEPT = 500  # the newest; what is older is still on the record of the coach


@signed_in
@require_http_methods(["GET", "HEAD", "POST"])
def all_of_them(request: Request) -> HttpResponse:
    """What one was told, the newest first; a POST says that all of it was read."""
    actor = request.actor
    if request.method == "POST":
        read = actions.mark_all_read(actor)
        messages.success(request, f"{read} marked as read." if read else "Everything was read already.")
        return redirect("notifications")
    columns: list[Column[Notification]] = [Column("what", "What"), Column("when", "When"), Column("read", "Read")]
    rows = list(notifications(actor)[:KEPT])
    table = Table(rows, columns, request.GET, noun=("notification", "notifications"))
    context: dict[str, Any] = {
        "table": table,
        "rows": [(row, said(row), leads_to(row)) for row in table.rows],
        "unread": unread_count(actor),
        "kept": KEPT if len(rows) == KEPT else None,
    }
    return render(request, "compliance/notifications.html", context)


@signed_in
@require_http_methods(["POST"])
def read(request: Request, uuid: UUID) -> HttpResponse:
    """One was read: on to what it is about."""
    told = Notification.objects.for_actor(request.actor).select_related("coach").filter(pk=uuid).first()
    if told is None:
        raise Http404
    actions.mark_read(request.actor, notification=told)
    return redirect(leads_to(told) or "notifications")
