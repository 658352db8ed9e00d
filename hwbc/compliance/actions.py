"""The only code that writes for pages that span all apps: what leaves the service as a file is recorded."""

from datetime import date, datetime

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action


@action("export.list", reads=True)
def record_export(
    actor: Actor,
    line: Line,
    *,
    name: str,
    form: str,
    coaches: int | None,
    rows: int,
    day: date,
    known: datetime | None,
    at: int | None,
    filters: dict[str, str | bool],
) -> None:
    """A list was exported as a file: how much of it, about how many coaches, as at which day, narrowed to what.

    `at`: the place that the file is about, where it is one. `filters`: codes; of a name only that one was searched for.
    """
    line.what = f"export.{name}"
    line.kind, line.organisation_id = f"{name}.{form}", at
    line.facts = {
        "coaches": coaches,
        "rows": rows,
        "day": day.isoformat(),
        "known": known.isoformat() if known else None,
        "filters": filters,
    }
