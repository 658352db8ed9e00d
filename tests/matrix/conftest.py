"""The matrix's world, made once a module in a transaction that is given up at its end; and its totals."""

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.cast import Cast
from tests.matrix import walking
from tests.matrix.walking import snapshot
from tests.matrix.world import World, make, walled


@pytest.fixture(scope="module")
def world(copy_of_the_cast: Callable[[], Cast], django_db_blocker: Any) -> Iterator[World]:
    """Everybody in the matrix."""
    with django_db_blocker.unblock(), transaction.atomic():
        made = make(copy_of_the_cast())
        made.before = snapshot(walled())
        yield made
        transaction.set_rollback(True)


@pytest.fixture
def switches(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Both walls can be taken away. The log of so many requests, most of them refused, is not written."""
    walking.prepare(monkeypatch)
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """What was asked, and what was answered, in all processes together."""
    totals: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, counted in getattr(report, "user_properties", ()):
                if name == "totals" and getattr(report, "when", "") == "call":
                    totals.update(counted)
    if totals:
        terminalreporter.section("The matrix")
        for name, count in sorted(totals.items()):
            terminalreporter.write_line(f"{count:>9,}  {name}")
