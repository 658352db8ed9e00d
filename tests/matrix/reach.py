"""Reach, which decides what both walls let through, against its slow second calculation on many random worlds."""

from collections import Counter
from typing import Any

import pytest
from django.db import transaction

from hwbc.workforce import walls
from hwbc.workforce.queries import reach
from tests.cast import Cast
from tests.matrix.oracle import Random, differences, reached_anything

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("hundred", range(4))
def test_reach_is_what_it_is_slowly(hundred: int, cast: Cast, record_property: Any) -> None:
    users = [cast.mo.user, cast.sam.user, cast.nobody_yet.user]
    totals: Counter[str] = Counter()
    for seed in range(hundred * 100, hundred * 100 + 100):
        with walls.lifted("tests"), transaction.atomic():
            days = Random(users, seed).make()
            assert differences(users, days, reach) == [], seed
            totals += Counter(
                {
                    "worlds of reach": 1,
                    "answers of reach, each calculated twice": len(users) * len(days),
                    "answers of reach with somebody in them": reached_anything(users, days, reach),
                }
            )
            transaction.set_rollback(True)
    record_property("totals", dict(totals))
    assert totals["answers of reach with somebody in them"] > 200
