"""The import as a job: what the worker does for somebody who brought a workbook in on the page.

A check is the whole import with everything undone at its end: what it finds and counts is what the import would.
"""

from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from django.core.files.storage import default_storage
from django.db import transaction

from hwbc.compliance.importing.actions import Report, import_rows
from hwbc.compliance.importing.changes import Examples, key
from hwbc.compliance.importing.faults import Collided, NotImportable, NotImported
from hwbc.compliance.importing.queries import services
from hwbc.compliance.importing.reading import Workbook, read
from hwbc.compliance.importing.sheets import SHEETS
from hwbc.compliance.jobs.actions import Answer
from hwbc.compliance.jobs.work import Teller
from hwbc.kit.periods import today
from hwbc.standards.models import Job
from hwbc.workforce import walls
from hwbc.workforce.access import Actor

_BRINGS = "import: it brings what nobody reaches yet; limits.py says what whoever asked may bring"
KEPT = 1_000  # faults that the result of a job lists; more are counted
MOST_TITLES, LONGEST_TITLE = 30, 60  # unknown headings of a sheet that can be said to be a column of ours; letters


def check_workbook(actor: Actor, job: Job, tell: Teller) -> Answer:
    """Say what a workbook would change, or what is wrong with it; nothing is kept."""
    return _bring(actor, job, tell, keep=False)


def import_workbook(actor: Actor, job: Job, tell: Teller) -> Answer:
    """Bring in the workbook that was checked, with all checks made anew."""
    assert job.follows is not None
    return _bring(actor, job.follows, tell, keep=True)


def _bring(actor: Actor, asked: Job, tell: Teller, *, keep: bool) -> Answer:
    """`asked`: the check, with the code of the `service` that it is for, and which `columns` are which of ours."""
    code, mapped = asked.asked["service"], asked.asked.get("columns")
    file = _file(asked)
    if not any(service.organisation.code == code for service in services(actor)):
        return _refused(f"You may not bring in a workbook for the service {code} any more. Choose another one.")
    if not default_storage.exists(file):
        return _refused("The file is not here any more. Choose it again.")
    examples = Examples(actor)
    try:
        path = Path(default_storage.path(file))
        book = read(path, partial(_tell_rows, tell), name=asked.file_name, mapped=mapped)
        with walls.lifted(_BRINGS):
            report = import_rows(
                actor, book=book, day=today(), code=code, limits=actor, examples=examples, tell=tell
            )  # fmt: skip
            if not keep:
                transaction.set_rollback(True)
    except Collided as fault:
        return _refused(fault.sentence)
    except NotImportable as fault:
        return _refused(str(fault))
    except NotImported:
        return Answer(_faults(book), refused=True)
    return Answer(_told(report, examples, book))


def _file(job: Job) -> str:
    """The file of the first of the checks that follow each other."""
    return _file(job.follows) if job.follows else job.file


def _tell_rows(tell: Teller, sheet: str, rows: int, of: int | None) -> None:
    tell(f"reading {sheet}", rows, of)


# --- What the pages show: plain values, as they are kept with the job ------------------------------------------------


def _refused(why: str) -> Answer:
    return Answer({"why": why}, refused=True)


def _faults(book: Workbook) -> dict[str, Any]:
    """All faults counted by sheet, the first ones listed: sheet, row, column, cell, message."""
    faults = book.faults
    order = {sheet.name: place for place, sheet in enumerate(SHEETS)}
    listed = [
        [fault.sheet[:LONGEST_TITLE], fault.row, fault.column, book.cell_of(fault), fault.message]
        for fault in islice(faults, KEPT)
    ]
    counted = sorted(faults.by_sheet.items(), key=lambda each: (order.get(each[0], -1), each[0]))
    return {
        "count": faults.count,
        "by_sheet": [[sheet[:LONGEST_TITLE], count] for sheet, count in counted],
        "faults": listed,
        "unknown": {name: _mappable(titles) for name, titles in book.unknown.items()},
    }


def _mappable(titles: list[str]) -> list[str]:
    """The headings that the page asks about: of a file that has hundreds of them, not all."""
    return [title for title in dict.fromkeys(titles) if len(title) <= LONGEST_TITLE][:MOST_TITLES]


def _told(report: Report, examples: Examples, book: Workbook) -> dict[str, Any]:
    """What an import did, or would do: for which service, and by sheet the numbers and the first rows."""
    sheets = [
        {
            "name": name,
            "new": counts.new,
            "changed": counts.changed,
            "unchanged": counts.unchanged,
            "first_new": [_row(book, name, row) for row in examples.new.get(name, [])],
            "first_changed": [
                [*_row(book, name, row), [[book.cell(name, row, change.column), *change] for change in changes]]
                for row, changes in sorted(examples.changed.get(name, {}).items())
                if changes
            ],
        }
        for name, counts in report.counts.items()
    ]
    return {
        "service": report.register.name,
        "code": report.register.code,
        "sheets": sheets,
        "nothing": report.changed_nothing,
        "same_people": [[*_row(book, "coaches", row), said, of] for row, said, of in examples.same_people],
    }


def _row(book: Workbook, sheet: str, row: int) -> list[Any]:
    return [row, key(book, sheet, row)]
