"""Questions about one coach, as the pages about them ask: parameters, and the workbooks that the answers come from."""

import random
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import Any

from django.utils import timezone

from hwbc.standards.queries import Asked
from hwbc.workforce import walls
from hwbc.workforce.models import Coach
from tests import oracle
from tests.compliance.test_answers import brought_in
from tests.workbooks import interesting_days, random_workbook

DAYS = 8


def asked(coach: int, day: date, *, until: date = date.max, known: datetime | None = None) -> dict[str, Any]:
    """The parameters of the queries about a coach on a day; nothing after `until` is shown."""
    moment = known or timezone.now()
    parameters = Asked(day, moment).parameters()
    return {**parameters, "day": day, "known": moment, "coaches": [coach], "until": until, "begun": min(day, until)}


def random_coaches(seed: int, path: Path) -> Iterator[tuple[oracle.Book, oracle.Coach, int, date]]:
    """Every coach of a random workbook that came through the import, on many days. The walls are lifted."""
    workbook = random_workbook(seed)
    brought_in(workbook, path, seed)
    book = oracle.Book(workbook, oracle.WDF, None)
    with walls.lifted("tests"):
        numbers = dict(Coach.objects.values_list("reference_key", "pk"))
        for day in interesting_days(workbook, random.Random(seed), DAYS):
            for key, coach in book.coaches.items():
                yield book, coach, numbers[key], day
