"""A workbook brought in on the page, for tests: asked for as somebody, done as the worker does it."""

from io import BytesIO
from typing import Any

from django.core.files.base import ContentFile
from openpyxl import Workbook

from hwbc.compliance.importing.sheets import BY_NAME
from hwbc.compliance.jobs import work
from hwbc.compliance.jobs.actions import ask
from hwbc.standards.models import Job
from hwbc.workforce import walls
from tests.cast import Person

Sheets = dict[str, list[dict[str, Any]]]
HUB = "HUB1"  # whose references the cast has


def packed(sheets: Sheets) -> bytes:
    """An XLSX file: with every column of a sheet, or with those alone that its rows have, if one is no column of it."""
    book = Workbook(write_only=True)
    for name, rows in sheets.items():
        page = book.create_sheet(name)
        titles = [column.name for column in BY_NAME[name].columns] if name in BY_NAME else []
        if not all(key in titles for row in rows for key in row):
            titles = list(dict.fromkeys(key for row in rows for key in row))
        page.append(titles)
        for row in rows:
            page.append([row.get(title) for title in titles])
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def asked(person: Person, sheets: Sheets, service: str = HUB, name: str = "workbook.xlsx") -> Job:
    """A check that somebody asks for."""
    actor = person.actor
    with walls.within(actor.scope):
        file = ContentFile(packed(sheets))
        return ask(actor, kind=Job.Kind.CHECK_WORKBOOK, asked={"service": service}, file=file, file_name=name)


def confirmed(person: Person, check: Job) -> Job:
    """The import of what was checked, asked for."""
    actor = person.actor
    with walls.within(actor.scope):
        return ask(actor, kind=Job.Kind.IMPORT_WORKBOOK, asked={}, follows=check, file_name=check.file_name)


def done(job: Job) -> Job:
    """The job as the worker leaves it."""
    ended = work.do(job.pk)
    assert ended is not None
    assert ended.outcome != Job.Outcome.FAILED, ended.result
    return ended


def checked(person: Person, sheets: Sheets, service: str = HUB) -> Job:
    """The check of a workbook."""
    return done(asked(person, sheets, service))


def imported(person: Person, sheets: Sheets, service: str = HUB) -> Job:
    """The import of a workbook that was checked."""
    check = checked(person, sheets, service)
    assert check.outcome == Job.Outcome.DONE, check.result
    return done(confirmed(person, check))


def faults(job: Job) -> list[tuple[str, int | None, str]]:
    """Sheet, row and column of each fault."""
    return [(sheet, row, column) for sheet, row, column, _, _ in job.result.get("faults", [])]


def counts(job: Job) -> dict[str, tuple[int, int, int]]:
    """New, changed and unchanged of each sheet."""
    return {sheet["name"]: (sheet["new"], sheet["changed"], sheet["unchanged"]) for sheet in job.result["sheets"]}
