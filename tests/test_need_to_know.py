"""Need to know: what is confidential is shown to those who may see it, and comes out nowhere else."""

import time

import pytest

from tests.cast import Cast
from tests.need_to_know import Seen, World, addresses, judged, make_world, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cast: Cast) -> World:
    return make_world(cast)


def test_walk(world: World) -> None:
    seen = Seen()
    start = time.time()
    where = addresses(world)
    print(time.time() - start, sum(map(len, where.values())))
    for who in world.people:
        start = time.time()
        walk(world, who, where, seen)
        print(who, round(time.time() - start, 1), seen.statuses)
    leaks, shown = judged(world, seen)
    print("\n".join(leaks))
    by = {}
    for (name, relation), at in shown.items():
        by.setdefault(name, []).append(f"{relation.role}/{relation.to} @ {at}")
    for name in sorted(by):
        print(name, *sorted(by[name]), sep="\n     ")
    assert not leaks
