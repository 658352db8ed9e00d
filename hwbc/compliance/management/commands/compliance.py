"""`compliance`: every rule's answer for every coach, for a machine (rules, section 7)."""

import csv
import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hwbc.compliance.management.arguments import day, moment
from hwbc.compliance.queries import standings
from hwbc.compliance.sentences import sentence
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.models import Organisation

COLUMNS = ("coach", "rule", "state", "due_on", "since", "reason", "standard")


class Command(BaseCommand):
    help = "Print every rule's answer for every coach, as at a day and as known at a moment."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--as-at", type=day, metavar="DATE", help="the day asked about (default: today in London)")
        parser.add_argument("--known-at", type=moment, metavar="MOMENT", help="only what was recorded by then")
        parser.add_argument("--organisation", metavar="CODE", help="only coaches employed at or under it on that day")
        parser.add_argument("--format", choices=["json", "csv", "table"], default="table")

    def handle(self, *args: Any, **options: Any) -> None:
        with walls.lifted("compliance on the command line"):
            rows = _rows(options)
            getattr(self, f"_{options['format']}")(rows)

    def _json(self, rows: Iterable[tuple[Any, ...]]) -> None:
        opening = "["
        for row in rows:
            self.stdout.write(opening + json.dumps(dict(zip(COLUMNS, row, strict=True))), ending="")
            opening = ",\n"
        self.stdout.write("]" if opening != "[" else "[]")

    def _csv(self, rows: Iterable[tuple[Any, ...]]) -> None:
        writer = csv.writer(self.stdout, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)

    def _table(self, rows: Iterable[tuple[Any, ...]]) -> None:
        for row in (COLUMNS, *rows):
            coach, rule, state, due_on, since, reason, standard = (text or "–" for text in row)
            self.stdout.write(f"{coach:<10} {rule:<34} {state:<14} {due_on:<10} {since:<10} {standard:<16} {reason}")


def _rows(options: dict[str, Any]) -> Iterator[tuple[Any, ...]]:
    below = _below(options["organisation"]) if options["organisation"] else None
    for standing in standings(options["as_at"] or today(), options["known_at"]):
        if below is not None and standing.pcn not in below:
            continue
        standard = standing.numbers.name if standing.numbers else None
        for rule, answer in sorted(standing.answers):
            due_on, since = (value.isoformat() if value else None for value in (answer.due_on, answer.since))
            why = sentence(standing, rule, answer)
            yield standing.reference, rule, answer.state, due_on, since, why, standard


def _below(code: str) -> set[int]:
    """The organisation and everything under it. Raises CommandError for an unknown code."""
    children: dict[int | None, list[int]] = {}
    for pk, parent in Organisation.objects.values_list("pk", "parent_id"):
        children.setdefault(parent, []).append(pk)
    top = Organisation.objects.filter(code=code.strip().upper()).values_list("pk", flat=True).first()
    if top is None:
        raise CommandError(f'There is no organisation "{code}". Check the code.')
    found, open_ends = {top}, [top]
    while open_ends:
        new = [child for child in children.get(open_ends.pop(), []) if child not in found]
        found.update(new)
        open_ends += new
    return found
