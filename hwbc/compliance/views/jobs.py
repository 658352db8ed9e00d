"""What the worker does, or did, for somebody: how far it is, what came of it, its file."""

from typing import Any
from uuid import UUID

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hwbc.compliance.jobs.queries import jobs as asked_for
from hwbc.kit.tables import Column, Table
from hwbc.standards.models import Job
from hwbc.workforce.access import Request, signed_in

# How an outcome is shown: the colour of its tag.
COLOURS = {
    Job.Outcome.WAITING: "grey",
    Job.Outcome.RUNNING: "blue",
    Job.Outcome.DONE: "green",
    Job.Outcome.REFUSED: "red",
    Job.Outcome.FAILED: "red",
}
CONTENT = {".csv": "text/csv; charset=utf-8",
           ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}  # fmt: skip


@signed_in
@require_safe
def jobs(request: Request) -> HttpResponse:
    """The workbooks and exports of the last week that somebody asked for, the newest first."""
    columns: list[Column[Job]] = [Column("what", "What"), Column("when", "Asked for"), Column("state", "State")]
    table = Table(list(asked_for(request.actor)), columns, request.GET, noun=("job", "jobs"))
    rows = [(job, COLOURS[Job.Outcome(job.outcome)]) for job in table.rows]
    return render(request, "jobs/jobs.html", {"table": table, "rows": rows, "kept": Job.KEPT_FOR.days})


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
        "done": found.outcome == Job.Outcome.DONE,
        "refused": found.outcome == Job.Outcome.REFUSED,
        "failed": found.outcome == Job.Outcome.FAILED,
        "colour": COLOURS[Job.Outcome(found.outcome)],
        "kind": f"jobs/{found.kind}.html",
        "kept_until": found.asked_at + Job.KEPT_FOR,
    }
    return render(request, "jobs/job.html", context)


@signed_in
@require_safe
def job_file(request: Request, uuid: UUID) -> HttpResponseBase:
    """The file that a job made, to be saved; of an export, the taking was audited when it was made."""
    found = _found(request, uuid)
    ending = found.file_name[found.file_name.rfind(".") :]
    if found.kind != Job.Kind.EXPORT or not found.file or ending not in CONTENT:
        raise Http404
    response = FileResponse(
        default_storage.open(found.file), as_attachment=True, filename=found.file_name, content_type=CONTENT[ending]
    )
    response["X-Content-Type-Options"] = "nosniff"
    response["Cache-Control"] = "no-store"
    return response


def _found(request: Request, uuid: UUID) -> Job:
    found: Job | None = Job.objects.for_actor(request.actor).filter(pk=uuid).first()
    if found is None:
        raise Http404
    return found
