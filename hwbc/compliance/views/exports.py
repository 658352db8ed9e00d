"""Lists as files: one that is made while somebody waits, and one that the worker is asked for."""

from tempfile import TemporaryFile

from django.contrib import messages
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_GET, require_POST

from hwbc.compliance.as_at import AsAt, any_day, read
from hwbc.compliance.exporting import files
from hwbc.compliance.exporting.lists import EXPORTS, Export
from hwbc.compliance.exporting.offers import Offer
from hwbc.compliance.jobs import actions
from hwbc.kit.exports import CONTENT, CSV, csv_response, file_name, xlsx_response
from hwbc.standards.models import Job
from hwbc.workforce.access import Actor, Refused, Request, needs
from hwbc.workforce.audit import ActionRefused
from hwbc.workforce.roles import Can
from hwbc.workforce.sessions import confirm


@needs(Can.EXPORT)
@require_GET
@any_day
def export(request: Request, as_at: AsAt, name: str) -> HttpResponseBase:
    """What a list shows, as a CSV or XLSX file; recorded in the audit. A large one can only be asked for.

    Everything is read before the answer begins, so that the audit knows how much leaves; only the text is made later.
    """
    actor, given = request.actor, request.GET
    wanted, form = _wanted(actor, name, given.get("format", CSV))
    found = wanted.find(actor, given, as_at)
    offered = Offer(name, files.query(wanted, given, as_at), found.rows)
    if offered.is_large:
        page = f"{reverse(name)}?{offered.query}"
        breadcrumbs = [{"text": "Home", "href": reverse("home")}, {"text": wanted.title, "href": page}]
        context = {"title": wanted.title, "export": offered, "breadcrumbs": breadcrumbs}
        return render(request, "exports/large.html", context)
    if found.rows > confirm.MANY_ROWS and (instead := confirm.first(request)) is not None:
        return instead
    files.record(actor, wanted, found, as_at, form)
    called = files.name(wanted, found, as_at, form)
    if form == CSV:
        return csv_response(called, wanted.labels, found.lines)
    file = TemporaryFile()  # noqa: SIM115  the answer closes it
    files.write(file, form, actor=actor, export=wanted, found=found, given=given, as_at=as_at)
    return xlsx_response(called, file)


@needs(Can.EXPORT)
@require_POST
@confirm.confirm_first
def ask(request: Request) -> HttpResponse:
    """Ask the worker for a list as a file: with the filters and the day of `query`, with the access it has then."""
    posted = request.POST
    wanted, form = _wanted(request.actor, posted.get("list", ""), posted.get("format", ""))
    given = QueryDict(posted.get("query", ""))
    as_at = read(given)
    asked = {"list": wanted.key, "format": form, "query": files.query(wanted, given, as_at)}
    called = file_name(f"{wanted.title} {as_at.day.isoformat()}", form)
    try:
        job = actions.ask(request.actor, kind=Job.Kind.EXPORT, asked=asked, file_name=called)
    except ActionRefused as refusal:
        messages.warning(request, refusal.message)
        return redirect(f"{reverse(wanted.key)}?{asked['query']}")
    return redirect("job", uuid=job.pk)


def _wanted(actor: Actor, name: str, form: str) -> tuple[Export, str]:
    """The list of that name and the format. Raises Http404 where there is none, Refused where its page would."""
    if name not in EXPORTS or form not in CONTENT:
        raise Http404
    wanted = EXPORTS[name]
    if not actor.can(wanted.needs):
        raise Refused(wanted.needs)
    return wanted, form
