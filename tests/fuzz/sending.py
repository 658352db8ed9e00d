"""Requests as an attacker makes them, each undone when it was looked at; and what may never come of one."""

import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from random import Random
from typing import Any
from urllib.parse import quote_from_bytes, urljoin, urlsplit

from django.core import mail
from django.db import DatabaseError, connection, transaction
from django.test import Client

from tests.fuzz.values import EXECUTES, Pairs, Text
from tests.fuzz.written import Reach, Written, claimed, last, rows, strangers

EXPECTED = {200, 302, 400, 403, 404, 405, 409, 413, 429}
HERE = "http://testserver/"
FORM = "application/x-www-form-urlencoded"
_SHOWN = 1_500  # characters of a request in a report


@dataclass(frozen=True)
class Sent:
    """One request: its address as bytes on the wire, and its body."""

    method: str
    address: str
    body: bytes = b""
    content_type: str = FORM

    def __str__(self) -> str:
        body = repr(self.body)
        more = f" … {len(body):,} characters" if len(body) > _SHOWN else ""
        return f"{self.method} {self.address[:_SHOWN]} ({self.content_type[:80]})\n  {body[:_SHOWN]}{more}"


@dataclass
class Came:
    """What came of it."""

    status: int
    location: str
    written: list[Written]
    faults: list[str] = field(default_factory=list)


def quoted(text: Text, safe: str = "") -> str:
    """Percent-encoded, whatever it is."""
    return quote_from_bytes(text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass"), safe)


def encoded(pairs: Pairs) -> str:
    """A query, or the body of a form."""
    return "&".join(f"{quoted(name)}={quoted(value)}" for name, value in pairs)


def multipart(rng: Random, pairs: Pairs, files: Sequence[tuple[str, str, bytes]]) -> tuple[bytes, str]:
    """A body with files, each with its name; the boundary is now and then another than was said."""

    def raw(text: Text) -> bytes:
        return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")

    said = "boundary" if rng.random() < 0.97 else rng.choice(("other", "", "ä", "x" * 300))
    parts = []
    for name, value in pairs:
        parts += [b'--boundary\r\nContent-Disposition: form-data; name="', raw(name), b'"\r\n\r\n', raw(value), b"\r\n"]
    for name, called, content in files:
        parts += [
            b'--boundary\r\nContent-Disposition: form-data; name="', raw(name), b'"; filename="', raw(called),
            b'"\r\nContent-Type: application/octet-stream\r\n\r\n', content, b"\r\n",
        ]  # fmt: skip
    return b"".join([*parts, b"--boundary--\r\n"]), f"multipart/form-data; boundary={said}"


@contextmanager
def undone() -> Iterator[None]:
    """Whatever is written in here is undone."""
    sid = transaction.savepoint()
    try:
        yield
    finally:
        transaction.savepoint_rollback(sid)
        connection.needs_rollback = False


def send(client: Client, sent: Sent, page: str, reach: Reach) -> Came:
    """Send it, look at what came and at what was written, and undo it. `page` is what the address is of."""
    client.raise_request_exception = False
    cookies = SimpleCookie({name: morsel.value for name, morsel in client.cookies.items()})
    path, _, query = sent.address.partition("?")
    before = last()
    try:
        with undone():
            response: Any = client.generic(
                sent.method, path, sent.body, content_type=sent.content_type, QUERY_STRING=query
            )
            came = Came(response.status_code, response.headers.get("Location", ""), [])
            content = _read(response, came)
            if connection.needs_rollback:
                came.faults.append("the transaction is broken, and the answer does not say so")
                return _seen(response, came, content)
            with _noted(came, "the transaction cannot be committed"), connection.cursor() as cursor:
                cursor.execute("set constraints all immediate; set constraints all deferred")
            if not connection.needs_rollback:
                came.written = rows(before)
            came.faults += strangers(came.written, page, reach) + claimed(came.written, reach)
            return _seen(response, came, content)
    finally:
        client.cookies = cookies
        mail.outbox.clear()


@contextmanager
def _noted(came: Came, what: str) -> Iterator[None]:
    try:
        with transaction.atomic():
            yield
    except DatabaseError as fault:
        came.faults.append(f"{what}: {fault}")


def _read(response: Any, came: Came) -> bytes:
    """The whole answer, with what is made while it is sent."""
    try:
        return bytes(b"".join(response.streaming_content) if response.streaming else response.content)
    except Exception:  # noqa: BLE001 - whatever it is, it is the answer's fault
        came.faults.append(f"the answer breaks off: {traceback.format_exc()}")
        return b""


def _seen(response: Any, came: Came, content: bytes) -> Came:
    if came.status not in EXPECTED:
        came.faults.append(f"status {came.status}")
    if response.exc_info:
        came.faults.append("".join(traceback.format_exception(*response.exc_info))[-6_000:])
    if came.location and urlsplit(urljoin(HERE, came.location.replace("\\", "/"))).netloc != urlsplit(HERE).netloc:
        came.faults.append(f"leads elsewhere: {came.location[:200]}")
    if "html" in response.headers.get("Content-Type", "") and any(text in content for text in EXECUTES):
        came.faults.append("what was sent stands in the page as it is, and a browser would run it")
    return came


@dataclass
class Tally:
    """What was sent and what came of it."""

    statuses: Counter[int] = field(default_factory=Counter)
    wrote: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, sent: Sent, came: Came, more: Sequence[str] = ()) -> None:
        """Count one, and keep what is wrong with it."""
        self.statuses[came.status] += 1
        self.wrote += any(row.table not in ("workforce_auditevent", "django_session") for row in came.written)
        if faults := [*came.faults, *more]:
            self.faults.append(f"{sent}\n→ {came.status}: " + "\n".join(fault[:8_000] for fault in faults))
