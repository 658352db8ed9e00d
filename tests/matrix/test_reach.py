"""Reach against its slow second calculation, on a few worlds; and that a broken one is found out (more: reach.py)."""

import pytest
from django.db import transaction

from hwbc.workforce import queries, walls
from hwbc.workforce.queries import reach
from tests.cast import Cast
from tests.matrix.oracle import Random, broken, differences

pytestmark = pytest.mark.django_db


def test_reach_is_what_it_is_slowly_on_some_worlds(cast: Cast) -> None:
    users = [cast.mo.user, cast.sam.user, cast.nobody_yet.user]
    for seed in range(1000, 1012):
        with walls.lifted("tests"), transaction.atomic():
            days = Random(users, seed).make()
            assert differences(users, days, reach) == [], seed
            transaction.set_rollback(True)


@pytest.mark.parametrize(
    ("part", "instead"),
    [
        ("g.revoked_at is null", "true"),
        ("g.ends_on >= %(day)s", "g.ends_on > %(day)s"),
        ("g.starts_on <= %(day)s", "true"),
        ("o.parent_id = b.node", "o.id = b.node"),
        ("post.voided_at is null", "true"),
        ("o.kind = 'pcn'", "true"),
        ("then array[l.coach_id]", "then '{}'::bigint[]"),
        ("post.pcn_id = any(p.pcns)", "post.pcn_id = l.organisation_id"),
        ("b.revoked_at is null", "true"),  # of whom a deputy stands in for
        ("and u.is_active", ""),
        ("o.passkey_from <= %(day)s", "o.passkey_from is not null"),
    ],
)
def test_positive_control_a_broken_reach_is_found_out(part: str, instead: str, cast: Cast) -> None:
    assert queries._REACH.count(part) == 1
    users, found = [cast.mo.user, cast.sam.user, cast.nobody_yet.user], []
    for seed in range(1000, 1150):  # until it is found
        with walls.lifted("tests"), transaction.atomic():
            days = Random(users, seed).make()
            found += differences(users, days, broken(part, instead))
            transaction.set_rollback(True)
        if found:
            break
    assert found
