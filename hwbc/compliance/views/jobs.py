"""What the worker does, or did, for somebody: how far it is, what came of it, its file."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.files.storage import default_storage
from django.http import Http404, HttpResponse, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from hwbc.compliance.exporting.jobs import may_still_have
from hwbc.compliance.jobs.queries import jobs as asked_for
from hwbc.compliance.views import imports
from hwbc.kit.exports import CONTENT
from hwbc.kit.tables import Column, Table
from hwbc.standards.models import Job
from hwbc.workforce.access import Request, signed_in
from hwbc.workforce.sessions import confirm

TITLE = "Workbooks and exports"
_LATE = timedelta(minutes=5)

# How an outcome is shown: the colour of its tag.
COLOURS = {
    Job.Outcome.WAITING: "grey",
    Job.Outcome.RUNNING: "blue",
    Job.Outcome.DONE: "green",
    Job.Outcome.REFUSED: "red",
    Job.Outcome.FAILED: "red",
}
# What more there is to say about a kind of job than the page has by itself.
TOLD: dict[str, Callable[[Job, Job | None], dict[str, Any]]] = {
    Job.Kind.CHECK_WORKBOOK: imports.told,
    Job.Kind.IMPORT_WORKBOOK: imports.told,
}


@signed_in
@require_safe
def jobs(request: Request) -> HttpResponse:
    """The workbooks and exports of the last week that somebody asked for, the newest first."""
    columns: list[Column[Job]] = [Column("what", "What"), Column("when", "Asked for"), Column("state", "State")]
    table = Table(list(asked_for(request.actor)), columns, request.GET, noun=("job", "jobs"))
    rows = [(job, *_state(job)) for job in table.rows]
    return render(request, "jobs/jobs.html", {"table": table, "rows": rows, "kept": Job.KEPT_FOR.days})


def _state(job: Job) -> tuple[str, str]:
    """How a job stands in the list: in words, and the colour of its tag."""
    if job.kind == Job.Kind.CHECK_WORKBOOK and job.outcome == Job.Outcome.DONE:
        return ("Nothing to import", "grey") if job.result["nothing"] else ("Not imported yet", "yellow")
    if "faults" in job.result:
        return "To correct", "red"
    return job.get_outcome_display(), COLOURS[Job.Outcome(job.outcome)]


@signed_in
@require_safe
def job(request: Request, uuid: UUID) -> HttpResponse:
    """One job: how far it is while it waits and runs, what came of it afterwards."""
    found = _found(request, uuid)
    next_one = Job.objects.for_actor(request.actor).filter(follows=found).first()
    context: dict[str, Any] = {
        "job": found,
        "next_one": next_one,
        "ended": found.ended_at is not None,
        "late": timezone.now() - found.asked_at > _LATE,
        "done": found.outcome == Job.Outcome.DONE,
        "refused": found.outcome == Job.Outcome.REFUSED,
        "failed": found.outcome == Job.Outcome.FAILED,
        "kind": f"jobs/{found.kind}.html",
        "kept_until": found.asked_at + Job.KEPT_FOR,
        "heading": found.get_kind_display(),
        "breadcrumbs": [{"text": "Home", "href": reverse("home")}, {"text": TITLE, "href": reverse("jobs")}],
    }
    if found.kind in TOLD:
        context |= TOLD[found.kind](found, next_one)
    return render(request, "jobs/job.html", context)


@signed_in
@require_safe
def job_file(request: Request, uuid: UUID) -> HttpResponseBase:
    """The file that a job made, to be saved; of an export, the taking was audited when it was made."""
    found = _found(request, uuid)
    form = found.file_name.rpartition(".")[2]
    if found.kind != Job.Kind.EXPORT or form not in CONTENT or not (found.file and default_storage.exists(found.file)):
        raise Http404
    if not may_still_have(request.actor, found):
        messages.warning(request, "You may see less now than when this file was made. Ask for the list again.")
        return redirect("job", uuid=uuid)
    if found.result["rows"] > confirm.MANY_ROWS and (instead := confirm.first(request)) is not None:
        return instead
    response = StreamingHttpResponse(_pieces(found.file), content_type=CONTENT[form])
    response["Content-Disposition"] = content_disposition_header(True, found.file_name)
    response["Content-Length"] = default_storage.size(found.file)
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _pieces(name: str) -> Iterator[bytes]:
    with default_storage.open(name) as file:
        yield from file.chunks()


def _found(request: Request, uuid: UUID) -> Job:
    found: Job | None = Job.objects.for_actor(request.actor).filter(pk=uuid).first()
    if found is None:
        raise Http404
    return found
