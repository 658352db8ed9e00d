"""The component page: everything the kit can show, once."""

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.views.decorators.http import require_http_methods

from hwbc.kit.example import ExampleForm

TAGS = {"Not started": "white", "In progress": "blue", "Waiting": "yellow", "Overdue": "red", "Up to date": "green"}


def showcase() -> dict[str, Any]:
    """Parameters of the components that are more than a line."""
    people = [
        ("Asha Patel", "15 March 2026", "12"),
        ("Lee O'Connor", "No date recorded", "0"),
        ("Sam Whitfield-Montgomery", "2 February 2026", "104"),
    ]
    incomplete = {"tag": {"text": "Incomplete", "colour": "blue"}}
    return {
        "tags": [{"text": text, "colour": colour} for text, colour in TAGS.items()],
        "summary_list": {
            "rows": [
                {"key": {"text": "Name"}, "value": {"text": "Asha Patel"},
                 "actions": {"items": [{"href": "#", "text": "Change", "visuallyHiddenText": "name"}]}},
                {"key": {"text": "Employer"}, "value": {"text": "Riverside Primary Care Network"}},
                {"key": {"text": "Left on"}, "value": {"text": "No date recorded"}},
            ]
        },
        "table": {
            "caption": "Coaches and their people",
            "firstCellIsHeader": True,
            "head": ["Coach", "Last supervision", {"text": "People", "format": "numeric"}],
            "rows": [[name, on, {"text": count, "format": "numeric"}] for name, on, count in people],
        },
        "task_list": {
            "items": [
                {"title": {"text": "Book the 4-day course"}, "href": "#", "status": {"text": "Completed"}},
                {"title": {"text": "Name the supervisors"}, "href": "#", "status": incomplete},
                {"title": {"text": "Take the first referral"}, "status": {"text": "Cannot start yet"}},
            ]
        },
        "pagination": {"previous": {"href": "#"}, "next": {"href": "#"},
                       "items": [{"number": 1, "href": "#"}, {"number": 2, "href": "#", "current": True}]},
        "tabs": {
            "items": [
                {"label": "Active", "id": "active", "panel": {"html": mark_safe("<h3>Active</h3><p>12 people</p>")}},
                {"label": "Waiting", "id": "waiting", "panel": {"html": mark_safe("<h3>Waiting</h3><p>No people</p>")}},
            ]
        },
        "do": {"title": "Do", "type": "tick", "items": [{"item": "record the meeting on the day"}]},
        "dont": {"title": "Don't", "type": "cross", "items": [{"item": "name patients in your notes"}]},
    }  # fmt: skip


@require_http_methods(["GET", "HEAD", "POST"])
def components(request: HttpRequest) -> HttpResponse:
    """Every component, and a form with every field; sent, it comes back with its errors. Nothing is saved.

    For who works on the service: there is no such page outside a local copy.
    """
    if not settings.LOCAL:
        raise Http404
    form = ExampleForm(request.POST, request.FILES) if request.method == "POST" else ExampleForm()
    breadcrumbs = [{"text": "Home", "href": "/"}]
    return render(request, "components/everything.html", {"form": form, "breadcrumbs": breadcrumbs} | showcase())
