"""A large list as a file, made by the worker as whoever asked for it."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import NamedTemporaryFile

from django.http import QueryDict

from hwbc.compliance.as_at import read
from hwbc.compliance.exporting import files
from hwbc.compliance.exporting.lists import EXPORTS
from hwbc.compliance.jobs.actions import Answer
from hwbc.compliance.jobs.work import Teller
from hwbc.kit.exports import MOST_ROWS, XLSX, Row
from hwbc.standards.models import Job
from hwbc.workforce.access import Actor
from hwbc.workforce.roles import Can


def export(actor: Actor, job: Job, tell: Teller) -> Answer:
    """Make the file that was asked for, of what the person may see and export now.

    `job.asked`: `list` (a key of EXPORTS), `format`, and `query`, the address's filters with the day.
    """
    wanted, form = EXPORTS[job.asked["list"]], job.asked["format"]
    if not (actor.can(Can.EXPORT) and actor.can(wanted.needs)):
        return Answer({"why": "no_access"}, refused=True)
    given = QueryDict(job.asked["query"])
    as_at = read(given)
    tell("reading the list")
    found = wanted.find(actor, given, as_at)
    if form == XLSX and found.rows > MOST_ROWS:
        return Answer({"why": "too_many_rows", "rows": found.rows, "most": MOST_ROWS}, refused=True)
    with NamedTemporaryFile(prefix="export-", delete=False) as file:
        path = Path(file.name)
        try:
            lines = _told(found.lines, found.rows, tell)
            files.write(file, form, actor=actor, export=wanted, found=found, given=given, as_at=as_at, lines=lines)
            files.record(actor, wanted, found, as_at, form)
        except BaseException:
            path.unlink()
            raise
    result = {"rows": found.rows, "size": path.stat().st_size, "reach": _reach(actor)}
    return Answer(result, file=path, file_name=files.name(wanted, found, as_at, form))


Reach = dict[str, list[list[int]]]
# What decides which rows a file has, and what stands in them.
_DECIDE = (
    Can.EXPORT,
    Can.SEE_STANDING,
    Can.SEE_OVERVIEW,
    Can.SEE_WORK,
    Can.SEE_REASONS,
    Can.SEE_PATIENTS,
    Can.SEE_AUDIT,
)


def _reach(actor: Actor) -> Reach:
    """Of each of these, the PCNs and the coaches for whom the actor has it."""
    return {can.name: [sorted(actor.pcns(can)), sorted(actor.own(can))] for can in _DECIDE}


def may_still_have(actor: Actor, job: Job) -> bool:
    """Whether the person still reaches everything that they reached when the file was made."""
    before: Reach = job.result["reach"]
    now = _reach(actor)
    return all(set(had) <= set(has) for can in before for had, has in zip(before[can], now[can], strict=True))


def _told(rows: Iterable[Row], of: int, tell: Teller) -> Iterator[Row]:
    for done, row in enumerate(rows, start=1):
        if done % 500 == 0:
            tell("writing rows", done, of)
        yield row
