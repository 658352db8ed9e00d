"""A list made into a file: its name, the facts about it on the first sheet, and the rows."""

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import IO
from urllib.parse import urlencode

from django.conf import settings
from django.http import QueryDict
from django.urls import reverse
from django.utils import timezone

from hwbc.compliance import actions
from hwbc.compliance.as_at import DAY, AsAt
from hwbc.compliance.catalogue import NOT_AN_ENFORCEMENT_LEVER, STATES
from hwbc.compliance.exporting.lists import Export, Found, definitions
from hwbc.compliance.sentences import written
from hwbc.kit.exports import CSV, Part, Row, csv_text, file_name, write_xlsx
from hwbc.kit.templatetags.nhsuk import clock
from hwbc.workforce.access import Actor


def name(export: Export, found: Found, as_at: AsAt, form: str) -> str:
    """What the file is called: the list, the place where it is about one, the day, and the moment if one was asked."""
    place = found.about.name if found.about else ""
    known = f" as known {timezone.localtime(as_at.known):%Y-%m-%d-%H%M}" if as_at.known else ""
    return file_name(f"{export.title} {place} {as_at.day.isoformat()}{known}", form)


def query(export: Export, given: QueryDict, as_at: AsAt) -> str:
    """What finds the same list again: the filters that it knows, the day, and the moment if one was asked."""
    asked = {filter: given[filter] for filter in export.filters if given.get(filter)}
    return urlencode({**asked, **as_at.parameters, DAY: as_at.day.isoformat()})


def moment(at: datetime) -> str:
    """A moment in London, in words."""
    return f"{written(timezone.localdate(at))} at {clock(at)}"


def read_me(actor: Actor, export: Export, found: Found, given: QueryDict, as_at: AsAt) -> Iterator[Part]:
    """What somebody has to know who finds the file next year."""
    form, now = found.form, timezone.now()
    chosen = [f"{label}: {words}" for _, label, words in form.chips()] if form else []
    faulty = "None: what was asked for could not be read, so the list is whole"
    known = (
        f"{moment(as_at.known)}: later entries are left out"
        if as_at.known
        else f"{moment(as_at.moment)}, when it was made"
    )
    page = f"{reverse(export.key)}?{query(export, given, as_at)}"
    yield Part(
        "About this file",
        [
            ("A row is", export.a_row),
            ("Rows", found.rows),
            ("Filters", "; ".join(chosen) or (faulty if form and form.errors else "None")),
            ("As at", as_at.day),
            ("As known on", known),
            ("Exported by", f"{actor.name}, {', '.join(role.label for role in actor.roles)}"),
            ("Exported on", f"{moment(now)}, London time"),
            ("From", f"{settings.SERVICE_NAME}: {page}"),
            ("An empty cell", "There is nothing to say: no such day, or no such number."),
        ],
    )
    yield Part("Columns", [(column.label, column.means) for column in export.header])
    if export.states:
        yield Part("States", [(f"{code}: {STATES[code][0]}", STATES[code][2]) for code in export.states])
    if rules := found.rules():
        yield Part("Rules", rules)
    counts = [*definitions(export), *([("Guidance", NOT_AN_ENFORCEMENT_LEVER)] if rules else [])]
    if counts:
        yield Part("How we count", counts)


def record(actor: Actor, export: Export, found: Found, as_at: AsAt, form: str) -> None:
    """Say in the audit that the list leaves the service."""
    actions.record_export(
        actor,
        name=export.key,
        form=form,
        coaches=found.coaches,
        rows=found.rows,
        day=as_at.day,
        known=as_at.known,
        at=found.about.pk if found.about else None,
        filters=found.codes,
    )


def write(
    file: IO[bytes],
    form: str,
    *,
    actor: Actor,
    export: Export,
    found: Found,
    given: QueryDict,
    as_at: AsAt,
    lines: Iterable[Row] | None = None,
) -> None:
    """Write the list into a file, as CSV or XLSX. `lines`: the found ones, watched by somebody."""
    rows = found.lines if lines is None else lines
    if form == CSV:
        for piece in csv_text(export.labels, rows):
            file.write(piece.encode())
        return
    write_xlsx(
        file,
        title=f"{export.title} on {written(as_at.day)}",
        read_me=read_me(actor, export, found, given, as_at),
        sheet=export.title,
        header=export.header,
        rows=rows,
    )
