"""Bringing in a workbook: upload it, see what it would change or what is wrong with it, confirm, see what it did."""

from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hwbc.compliance.forms.imports import BringIn, Columns
from hwbc.compliance.importing.queries import imported_since, last_imports, services
from hwbc.compliance.importing.template import template as empty_workbook
from hwbc.compliance.jobs.actions import ask
from hwbc.kit.exports import CSV, XLSX, csv_response, file_name, xlsx_response
from hwbc.standards.models import Job
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can

SHOWN = 200  # faults on the page; the file has those that are kept
_CHECK, _IMPORT = Job.Kind.CHECK_WORKBOOK, Job.Kind.IMPORT_WORKBOOK


@needs(Can.IMPORT)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request) -> HttpResponse:
    """Choose a file: it is checked in the background, and nothing of it is saved."""
    offered = services(request.actor)
    if request.method == "POST":
        form = BringIn(request.POST, request.FILES, services=offered)
    else:
        form = BringIn(services=offered, initial={"service": request.GET.get("service")})
    if request.method == "POST" and form.is_valid():
        file = form.cleaned_data["file"]
        try:
            job = ask(request.actor, kind=_CHECK, asked={"service": form.code}, file=file, file_name=file.name)
        except ValidationError as refusal:
            form.add_error(None, refusal)
        else:
            return redirect("job", uuid=job.uuid)
    context = {"form": form, "services": offered, "imports": last_imports(request.actor)}
    return render(request, "imports/new.html", context)


@needs(Can.IMPORT)
@require_safe
def template(request: Request) -> HttpResponseBase:
    """The empty workbook, with an invented row on every sheet."""
    return xlsx_response(file_name("workbook", XLSX), BytesIO(empty_workbook()))


@needs(Can.IMPORT)
@require_POST
def confirm(request: Request, uuid: UUID) -> HttpResponse:
    """Import what was checked. Confirming twice imports once."""
    check = _own(request, uuid, kind=_CHECK, outcome=Job.Outcome.DONE)
    try:
        job = ask(request.actor, kind=_IMPORT, asked={}, follows=check, file_name=check.file_name)
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
        return redirect("job", uuid=check.uuid)
    return redirect("job", uuid=job.uuid)


@needs(Can.IMPORT)
@require_safe
def faults(request: Request, uuid: UUID) -> HttpResponseBase:
    """What is to be corrected in a workbook, as a file: to be worked through beside it."""
    job = _own(request, uuid, kind__in=[_CHECK, _IMPORT], outcome=Job.Outcome.REFUSED)
    if not job.result.get("faults"):
        raise Http404
    rows = [[sheet, row, column, cell, message] for sheet, row, column, cell, message in job.result["faults"]]
    header = ("Sheet", "Row", "Column", "Cell", "What is wrong, and what to do")
    return csv_response(file_name("what to correct", CSV), header, rows)


@needs(Can.IMPORT)
@require_POST
def columns(request: Request, uuid: UUID) -> HttpResponse:
    """Check the same file again, now that it is known which columns its other headings are."""
    check = _own(request, uuid, kind=_CHECK, outcome=Job.Outcome.REFUSED)
    form = Columns(request.POST, unknown=check.result.get("unknown", {}))
    if not form.fields or not form.is_valid():
        raise Http404
    before: dict[str, dict[str, str]] = check.asked.get("columns", {})
    after = {sheet: {**before.get(sheet, {}), **form.mapped.get(sheet, {})} for sheet in {**before, **form.mapped}}
    asked = {"service": check.asked["service"], "columns": after}
    try:
        job = ask(request.actor, kind=_CHECK, asked=asked, follows=check, file_name=check.file_name)
    except ValidationError as refusal:
        messages.warning(request, " ".join(refusal.messages))
        return redirect("job", uuid=check.uuid)
    return redirect("job", uuid=job.uuid)


def _own(request: Request, uuid: UUID, **which: Any) -> Job:
    job: Job | None = Job.objects.for_actor(request.actor).filter(pk=uuid, **which).first()
    if job is None:
        raise Http404
    return job


# --- What the page of a job shows (hwbc.compliance.views.jobs) -------------------------------------------------------


def told(job: Job, next_one: Job | None) -> dict[str, Any]:
    """The heading and the facts of the page about a check or an import."""
    result, checks = job.result, job.kind == _CHECK
    check = job if checks else job.follows
    said: dict[str, Any] = {
        "caption": f"Bring in a workbook: step {2 if checks else 3} of 3",
        "checks": checks,
        "heading": _heading(job, checks),
        "again": f"{reverse('import_new')}?{urlencode({'service': check.asked['service']} if check else {})}",
        "breadcrumbs": [
            {"text": "Home", "href": reverse("home")},
            {"text": "Bring in a workbook", "href": reverse("import_new")},
        ],
    }
    if checks and next_one is None and any(result.get("unknown", {}).values()):
        said["columns"] = form = Columns(unknown=result["unknown"])
        form.submit_to = reverse("import_columns", kwargs={"uuid": job.pk})
    if mapped := job.asked.get("columns"):
        said["mapped"] = [(sheet, title, column) for sheet, them in mapped.items() for title, column in them.items()]
    if "faults" in result:
        said |= {"by_sheet": _by_sheet(result), "shown": min(SHOWN, len(result["faults"]))}
    if "sheets" in result:
        totals = {name: sum(sheet[name] for sheet in result["sheets"]) for name in ("new", "changed", "unchanged")}
        said |= {"totals": totals, "rows": totals["new"] + totals["changed"]}
    if "sheets" in result and checks and next_one is None and job.ended_at is not None:
        said["others_came"] = imported_since(job.ended_at, result["code"])
    if "sheets" in result and not checks and job.follows is not None:
        said["otherwise"] = _numbers(result) != _numbers(job.follows.result)
    return said


def _heading(job: Job, checks: bool) -> str:
    result = job.result
    if job.outcome in (Job.Outcome.WAITING, Job.Outcome.RUNNING):
        return "Checking your workbook" if checks else "Importing your workbook"
    if job.outcome == Job.Outcome.FAILED:
        return "The workbook could not be checked" if checks else "The workbook was not imported"
    if "faults" in result:
        count = result["count"]
        return f"{count:,} thing{'' if count == 1 else 's'} to correct in your workbook"
    if job.outcome == Job.Outcome.REFUSED:
        return "The workbook cannot be imported"
    if result["nothing"]:
        return "Nothing would change" if checks else "Nothing was changed"
    return "Your workbook can be imported" if checks else "Your workbook is imported"


def _numbers(result: dict[str, Any]) -> list[tuple[Any, ...]]:
    return [tuple(sheet[name] for name in ("name", "new", "changed")) for sheet in result.get("sheets", [])]


def _by_sheet(result: dict[str, Any]) -> list[dict[str, Any]]:
    """The faults that are shown, sheet by sheet, each with how many there are in all."""
    listed = result["faults"][:SHOWN]
    return [
        {"name": name, "count": count, "faults": [fault[1:] for fault in listed if fault[0] == name]}
        for name, count in result["by_sheet"]
    ]
