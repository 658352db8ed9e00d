"""The only code that writes for pages that span all apps: what leaves the service as a file is recorded."""

from datetime import date, datetime

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action


@action("export.coaches")
def record_export(
    actor: Actor,
    line: Line,
    *,
    coaches: int,
    rows: int,
    day: date,
    known: datetime | None,
    at: int | None,
    filters: dict[str, str | bool],
) -> None:
    """Coaches and their standing were exported: how many, as at which day, narrowed to what.

    `at`: the place that the file is about, where it is one. `filters`: codes; of a name only that one was searched for.
    """
    line.kind, line.organisation_id = "coaches.csv", at
    line.facts = {
        "coaches": coaches,
        "rows": rows,
        "day": day.isoformat(),
        "known": known.isoformat() if known else None,
        "filters": filters,
    }
