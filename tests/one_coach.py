"""Questions about one coach: as the pages about them ask the database, and as somebody reads the pages."""

import random
import re
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from html import unescape
from pathlib import Path
from typing import Any

from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.standards.queries import Asked
from hwbc.workforce import walls
from hwbc.workforce.models import Coach
from tests import oracle
from tests.cast import Person
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


# --- Pages as somebody reads them -------------------------------------------------------------------------------------


def address(coach: Coach, page: str = "coach", /, **query: str) -> str:
    return reverse(page, kwargs={"uuid": coach.uuid}, query=query)


def text(who: Person | Client, coach: Coach, page: str = "coach", /, **query: str) -> str:
    """The page as somebody reads it: white space folded, marks kept."""
    client = who.client if isinstance(who, Person) else who
    response = client.get(address(coach, page, **query))
    assert response.status_code == 200, response.status_code
    return " ".join(unescape(response.content.decode()).split())


def words(html: str) -> str:
    """The page without its markup."""
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def day_of(days: int) -> date:
    return today() - timedelta(days=days)


def written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def states(html: str) -> dict[str, str]:
    """Rule → state, as the page says."""
    return dict(re.findall(r'data-rule="([^"]+)" data-state="([^"]+)"', html))
