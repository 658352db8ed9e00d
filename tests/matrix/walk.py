"""The whole walk: `make matrix`. Every visitor, every page, every record, every method; three times."""

from collections import Counter
from typing import Any

import pytest

from tests.matrix.table import VISITORS, WHO
from tests.matrix.walking import Walk, cells, control, first_run, second_run, shown_exactly, third_run
from tests.matrix.world import World

each_visitor = pytest.mark.parametrize("who", VISITORS, ids=lambda who: f"{who}, {WHO[who]}")


@each_visitor
def test_both_walls_hold_and_either_alone(who: str, world: World, switches: None, record_property: Any) -> None:
    walk = Walk(world, VISITORS[who])
    for cell in cells(world, walk.visitor):
        walk.totals["cells"] += 1
        answer = first_run(walk, cell)
        if cell.again:
            second_run(walk, cell)
            third_run(walk, cell, answer)
    record_property("totals", dict(walk.totals))
    assert not walk.faults, f"{len(walk.faults)} faults:\n" + "\n".join(walk.faults[:60])


@each_visitor
def test_the_database_shows_exactly_what_the_second_column_says(who: str, world: World) -> None:
    wrong = [
        f"{table}: shows {sorted(map(str, shown - said))} too many, {sorted(map(str, said - shown))} too few"
        for table, shown, said in shown_exactly(world, VISITORS[who])
        if shown != said
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("who", ["zed", "bo", "noor"])
def test_positive_control_without_both_walls_the_walk_finds_foreign_rows(
    who: str, world: World, switches: None, record_property: Any
) -> None:
    walk = Walk(world, VISITORS[who])
    found: Counter[str] = Counter()
    for cell in cells(world, walk.visitor):
        if cell.method in ("GET", "POST"):
            words, changed, otherwise = control(walk, cell)
            found += Counter(
                {"pages with foreign words": bool(words), "foreign rows changed": changed, "answers": otherwise}
            )
    totals = walk.totals + Counter({f"control: {name}": count for name, count in found.items()})
    record_property("totals", dict(totals))
    assert found["pages with foreign words"] > 50
    assert found["foreign rows changed"] > 1  # an empty form changes little: it ends access
    assert found["answers"] > 50
