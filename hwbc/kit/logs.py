"""What a log line may say: identifiers, never a secret, what somebody searched for, or what a record says."""

import re
import traceback
from collections.abc import Iterator, MutableMapping
from typing import Any

from structlog.typing import ExcInfo

_KEY_IN_ADDRESS = re.compile(r"(/account/password/choose/)[^\s?]+")


def without_secrets(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: an address is logged without its query, and nowhere with the key of an invitation.

    Django says the whole path of what went wrong, as in "Service Unavailable: /account/…".
    """
    request = event.get("request")
    if isinstance(request, str):
        event["request"] = request.partition("?")[0]
    for name in ("request", "event"):
        if isinstance(event.get(name), str):
            event[name] = _KEY_IN_ADDRESS.sub(r"\1…", event[name])
    return event


def without_words(logger: Any, method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """structlog processor: what an exception says is not repeated in the line, as Celery does.

    Its words may be a record's: PostgreSQL quotes the whole row that breaks a constraint of an open table.
    """
    said = event.get("event")
    fault = _exception(event.get("exc_info"))
    if isinstance(said, str) and fault is not None:
        for each in _chain(fault):
            for words in (repr(each), str(each)):
                said = said.replace(words, _name(each)) if words else said
        event["event"] = said
    return event


def where_it_broke(exc_info: ExcInfo) -> str:
    """A traceback without the exceptions' words: the kind and place of each; a database's code and constraint."""
    parts = []
    for fault in reversed(list(_chain(exc_info[1]))):
        frames = "".join(traceback.format_tb(fault.__traceback__))
        parts.append(f"Traceback (most recent call last):\n{frames}{_name(fault)}{_of_database(fault)}")
    return "\n\nwhich led to\n\n".join(parts)


def _exception(found: Any) -> BaseException | None:
    return found[1] if isinstance(found, tuple) else found if isinstance(found, BaseException) else None


def _chain(fault: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while fault is not None and id(fault) not in seen:
        seen.add(id(fault))
        yield fault
        fault = fault.__cause__ or (None if fault.__suppress_context__ else fault.__context__)


def _name(fault: BaseException) -> str:
    return f"{type(fault).__module__}.{type(fault).__qualname__}".removeprefix("builtins.")


def _of_database(fault: BaseException) -> str:
    told = getattr(fault, "diag", None)
    names = ("sqlstate", "table_name", "column_name", "constraint_name")
    said = [f"{name}={value}" for name in names if (value := getattr(told, name, None))]
    return f" ({', '.join(said)})" if said else ""
