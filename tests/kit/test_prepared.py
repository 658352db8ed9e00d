"""Statements that are planned once a connection: the same answers, fewer plans."""

from collections.abc import Sequence

import pytest
from django.conf import LazySettings
from django.db import connection

from hwbc.kit.prepared import MANY, Prepared

pytestmark = pytest.mark.django_db

SQL = """
select n from generate_series(1, %(top)s) n
 where n %% 2 = 0 and (%(some)s::bigint[] is null or n = any(%(some)s::bigint[])) and n <= %(top)s order by n
"""
EVEN = Prepared("test_even", SQL, {"top": "int", "some": "bigint[]"}, some="some")


def asked(some: Sequence[int] | None, top: int = 10) -> list[int]:
    with EVEN.ask({"top": top, "some": some, "not asked": "left out"}) as cursor:
        return [n for (n,) in cursor.fetchall()]


def plans() -> int | None:
    """How often it was planned or executed as a prepared statement on this connection; None: never prepared."""
    with connection.cursor() as cursor:
        cursor.execute("select generic_plans + custom_plans from pg_prepared_statements where name = %s", [EVEN.name])
        found = cursor.fetchone()
    return found and int(found[0])


def test_it_answers_as_the_statement_does() -> None:
    assert asked([1, 2, 3, 4, 12]) == [2, 4]
    assert asked([]) == []
    assert asked([6], top=5) == []
    assert asked(None) == [2, 4, 6, 8, 10]
    assert asked([*range(MANY + 1)]) == [2, 4, 6, 8, 10]


def test_some_are_asked_for_by_the_prepared_statement_and_all_or_very_many_are_not() -> None:
    asked([2])
    before = plans()
    assert before is not None
    asked([4])
    assert plans() == before + 1
    asked(None)
    asked([*range(MANY + 1)])
    assert plans() == before + 1


def test_behind_a_pooler_that_pools_by_transaction_nothing_is_prepared(settings: LazySettings) -> None:
    asked([2])
    before = plans()
    settings.DATABASE_PREPARED = False
    assert asked([2, 3]) == [2]
    assert plans() == before


def test_a_new_connection_prepares_anew() -> None:
    asked([2])
    connection.connection.execute(f"deallocate {EVEN.name}")
    from hwbc.kit import prepared

    prepared._known.pop(connection.connection)
    assert asked([2]) == [2]
    assert plans() == 1


def test_a_transaction_that_is_undone_undoes_no_statement() -> None:
    connection.connection.execute("deallocate all")
    from hwbc.kit import prepared

    prepared._known.pop(connection.connection, None)
    from django.db import transaction

    with transaction.atomic():
        assert asked([2]) == [2]
        transaction.set_rollback(True)
    assert asked([4]) == [4]
    assert plans() == 2
