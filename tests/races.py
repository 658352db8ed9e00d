"""Two people at once, each with a connection of their own: one acts while the other has written and not committed.

No luck is needed: the first commits when the database says that the second waits for it, or when the second is done.
"""

import threading
import time
from collections.abc import Callable
from typing import Any

from django.db import connection

from hwbc.workforce import walls
from hwbc.workforce.access import Actor

Deed = Callable[[], Any]


def at_once(actor: Actor, first: Deed, other: Actor, second: Deed) -> tuple[Any, Any]:
    """What each got: what their deed returned, or the exception it raised. For tests with a committed cast."""
    got: dict[str, Any] = {}
    has_written, has_begun, is_done = threading.Event(), threading.Event(), threading.Event()

    def act(name: str, who: Actor, deed: Deed, before: Deed, after: Deed) -> None:
        try:
            with walls.within(who.scope):
                before()
                got[name] = deed()
                after()
        except Exception as refused:  # noqa: BLE001  what it was is what the test asks
            got[name] = refused
            after()
        finally:
            connection.close()

    def announce() -> None:
        assert has_written.wait(10)
        got["pid"] = _ask("select pg_backend_pid()")
        has_begun.set()

    def let_the_second_come() -> None:
        has_written.set()
        assert has_begun.wait(10)
        end = time.monotonic() + 10
        while not is_done.is_set() and not _ask("select cardinality(pg_blocking_pids(%s)) > 0", got["pid"]):
            assert time.monotonic() < end, "The second neither waits nor ends."
            time.sleep(0.01)

    threads = [
        threading.Thread(target=act, args=("first", actor, first, lambda: None, let_the_second_come)),
        threading.Thread(target=act, args=("second", other, second, announce, is_done.set)),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return got["first"], got["second"]


def _ask(statement: str, *values: Any) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchone()[0]
