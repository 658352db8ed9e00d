"""The cheap part of the matrix: that it is whole, what each visitor's database shows, and a few of them walking.

The whole walk is `make matrix` (walk.py).
"""

import pytest

from hwbc.workforce import walls
from hwbc.workforce.checks import pages
from hwbc.workforce.roles import Role
from tests.matrix.table import OWNERS, PAGES, PUBLIC, RECORDS, ROWS, SHOWN_BY, VISITORS, WHO, letter
from tests.matrix.walking import Walk, cells, first_run, second_run, shown_exactly
from tests.matrix.world import World, walled

# --- It is whole ------------------------------------------------------------------------------------------------------


def test_every_page_of_the_url_configuration_has_a_row() -> None:
    assert {pattern.name for _, pattern in pages()} == set(ROWS)
    assert len(ROWS) == len(PAGES)


def test_every_row_says_what_each_visitor_is_answered() -> None:
    assert set(VISITORS) == set(WHO)
    assert all(row.record in RECORDS for row in PAGES if row.record)
    assert all(row.methods or row.public for row in PAGES)
    assert not [row.name for row in PAGES if row.record and row.opens == PUBLIC]


def test_every_table_with_a_wall_is_in_the_second_column() -> None:
    assert set(walled()) == set(SHOWN_BY)


def test_every_role_visits_and_every_record_is_somebodys_and_somebody_elses(world: World) -> None:
    with walls.lifted("tests"):
        roles = {role for person in world.people.values() for role in person.user.grants.values_list("role", flat=True)}
    assert roles == set(Role)
    for kind, records in world.records.items():
        rows = [row for row in PAGES if row.record == kind]
        assert rows, f"no page names a {kind}"
        assert len(records) >= len(OWNERS), kind
        for row in rows:
            seen = {bool(letter(visitor, row, about)) for visitor in VISITORS.values() for about in records}
            assert seen == {True, False}, row.name


# --- What the database shows ------------------------------------------------------------------------------------------


def test_the_database_shows_exactly_what_the_second_column_says(world: World) -> None:
    wrong, shown_to_some, shown_not_to_all = [], set(), set()
    for visitor in VISITORS.values():
        for table, shown, said in shown_exactly(world, visitor):
            if shown != said:
                wrong.append(f"{visitor.who}, {table}: {len(shown - said)} too many, {len(said - shown)} too few")
            shown_to_some |= {table} if shown else set()
            shown_not_to_all |= {table} if len(shown) < len(world.rows[table]) else set()
    assert not wrong, "\n".join(wrong)
    assert shown_to_some == shown_not_to_all == set(SHOWN_BY)


# --- A few of them walking --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("who", ["zed", "cleo"])
def test_some_pages_answer_what_the_table_says(who: str, world: World, switches: None) -> None:
    walk = Walk(world, VISITORS[who])
    seen = set()
    for cell in cells(world, walk.visitor):
        relation = cell.row.name, letter(walk.visitor, cell.row, cell.about)
        if cell.method == "GET" and relation not in seen:
            seen.add(relation)
            first_run(walk, cell)
            if cell.row.record == "coach":
                second_run(walk, cell)
    assert not walk.faults, "\n".join(walk.faults)
