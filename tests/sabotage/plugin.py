"""In the test process of a sabotage: does what is done to the database, and writes down how every test ended."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from tests.sabotage.kinds import Sql
from tests.sabotage.sabotages import BY_NAME

# Faults by which a test notices: an assertion; and what is missing where the test itself looks for it, as in
# `[line] = audited(…)` and `AuditEvent.objects.get(…)`.
_ASSERTED = {"AssertionError", "Failed"}  # Failed: pytest.raises, when nothing was raised
_MISSED = {"ValueError", "DoesNotExist", "KeyError", "IndexError"}
_endings: list[dict[str, Any]] = []


def _noticed(call: pytest.CallInfo[None], root: Path) -> bool:
    """Whether a test failed because it noticed something, and not because the sabotaged code broke down."""
    assert call.excinfo is not None
    kind = type(call.excinfo.value).__name__
    if call.when != "call" or kind in _ASSERTED:
        return call.when == "call"
    ours = [entry.path for entry in call.excinfo.traceback if Path(entry.path).is_relative_to(root)]
    return kind in _MISSED and bool(ours) and Path(ours[-1]).is_relative_to(root / "tests")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which sabotage, and where the runner reads how it ended."""
    parser.addoption("--sabotage", default="")
    parser.addoption("--endings", required=True)


def _do(step: Sql, statement: str) -> None:
    from hwbc.workforce import walls

    if step.superuser:
        url = os.environ.get("DATABASE_SUPERUSER_URL") or settings.OWNER_DATABASE_URL.replace(
            "hwbc_owner@", "postgres@"
        )
        with psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True) as superuser:
            superuser.execute(statement)
        connection.close()
        return
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute(statement)


@pytest.fixture(scope="session", autouse=True)
def _sabotaged(request: pytest.FixtureRequest, django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    name = request.config.getoption("--sabotage")
    steps = BY_NAME[name].statements if name else ()
    with django_db_blocker.unblock():
        for step in steps:
            _do(step, step.statement)
    yield
    with django_db_blocker.unblock():
        for step in steps:
            if step.undo:
                _do(step, step.undo)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    """How a phase of a test ended, and with what kind of fault."""
    report = yield
    if report.when == "call" or report.outcome != "passed":
        ending = {"test": item.nodeid, "outcome": report.outcome, "fault": "", "noticed": False}
        if call.excinfo and report.outcome == "failed":
            ending["fault"] = type(call.excinfo.value).__name__
            ending["noticed"] = _noticed(call, item.config.rootpath)
        _endings.append(ending)
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write it down."""
    Path(session.config.getoption("--endings")).write_text(json.dumps(_endings))
