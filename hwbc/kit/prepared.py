"""Statements that PostgreSQL plans once a connection, and not at every request.

The large statements behind every page take longer to plan than to answer. They are prepared by their text, so they are
the same statements; what they are asked for is one row of parameters.
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

from django.conf import settings
from django.db import connection

# Above so many, the right plan depends on how many there are: such a statement is planned for what it is asked.
MANY = 500

_PARAMETER = re.compile(r"%\((\w+)\)s")
_OR_ALL = re.compile(r"\(%\((\w+)\)s::bigint\[\] is null or ([\w.]+ = any\(%\(\1\)s::bigint\[\]\))\)")
_known: WeakKeyDictionary[Any, set[str]] = WeakKeyDictionary()


class Prepared:
    """A statement with named parameters, each with its type. Where `some` is given, it names an array of numbers;
    without it, and with more than MANY, the statement is planned anew, for all or for these.
    """

    def __init__(self, name: str, sql: str, types: Mapping[str, str], some: str = "") -> None:
        self.sql = sql
        self._some = some
        sql = _OR_ALL.sub(r"(\2)", sql) if some else sql
        self._parameters = list(dict.fromkeys(_PARAMETER.findall(sql)))
        text = _PARAMETER.sub(lambda found: f"${self._parameters.index(found[1]) + 1}", sql).replace("%%", "%")
        self.name = f"hwbc_{name}_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
        self._prepare = f"prepare {self.name} ({', '.join(types[each] for each in self._parameters)}) as {text}"
        self._execute = f"execute {self.name} ({', '.join('%s' for _ in self._parameters)})"

    @contextmanager
    def ask(self, parameters: Mapping[str, Any]) -> Iterator[Any]:
        """A cursor with the answer."""
        some = parameters[self._some] if self._some else ()
        with connection.cursor() as cursor:
            if some is None or len(some) > MANY or not settings.DATABASE_PREPARED:
                cursor.execute(self.sql, parameters)
            else:
                self._make_sure()
                cursor.execute(self._execute, [parameters[each] for each in self._parameters])
            yield cursor

    def _make_sure(self) -> None:
        prepared = _known.setdefault(connection.connection, set())
        if self.name not in prepared:
            connection.connection.execute(self._prepare)
            prepared.add(self.name)
