"""The walk: every cell of the matrix asked for, with both walls, with either alone, or with none; nothing is kept.

BOTH     the service as it is
SECOND   the checks in Python are taken away: what is shown and changed is what the database lets through
FIRST    the walls of the database are taken away: it shows and takes every row
NEITHER  the control: without both, the walk has to find what it is looking for
"""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import pytest
from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest
from django.test import Client
from django.urls import reverse

from hwbc.workforce import access, walls
from hwbc.workforce.access import Actor
from hwbc.workforce.checks import pages
from hwbc.workforce.models import Coach, Organisation, Reached
from hwbc.workforce.roles import Can, Role
from tests.cast import just_now, signed_in
from tests.matrix.table import (
    ADDED_TO_BY_ALL,
    AT,
    METHODS,
    PAGES,
    SAID_TO,
    SHOWN_BY,
    Row,
    Visitor,
    expected,
    letter,
)
from tests.matrix.world import Known, World, walled

BOTH, SECOND, FIRST, NEITHER = "both walls", "the database alone", "Python alone", "neither"
_WITHOUT_PYTHON, _WITHOUT_DATABASE = (SECOND, NEITHER), (FIRST, NEITHER)
_mode = BOTH

# --- Taking walls away ------------------------------------------------------------------------------------------------


class Unchecked(Actor):
    """An actor whom Python lets do everything, everywhere. The scope told to the database is the true one."""

    def can(self, can: Can) -> bool:
        return True

    def coaches(self, can: Can) -> frozenset[int]:
        return _everything(Coach)

    own = coaches

    def pcns(self, can: Can) -> frozenset[int]:
        return _everything(Organisation, kind=Organisation.Kind.PCN)

    def nodes(self, can: Can) -> frozenset[int]:
        return _everything(Organisation)

    def gives(self, role: Role) -> frozenset[int]:
        return _everything(Organisation)


_kept: dict[tuple[Any, ...], frozenset[int]] = {}


def _everything(model: Any, **which: Any) -> frozenset[int]:
    asked = (model, *which.items())
    if asked not in _kept:
        with walls.lifted("tests"):
            _kept[asked] = frozenset(model.objects.filter(**which).values_list("pk", flat=True))
    return _kept[asked]


def prepare(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give both walls a switch: `_mode`."""
    _kept.clear()
    find_actor, for_actor, tell = access._actor, Reached.for_actor, walls._tell

    def found(*args: Any) -> Actor:
        actor = find_actor(*args)
        if _mode not in _WITHOUT_PYTHON:
            return actor
        unchecked = Unchecked(actor.user_id, actor.name, actor.grants, actor.job)
        unchecked.__dict__["scope"] = actor.scope  # the true one, told to the database
        return unchecked

    def rows(self: Reached, actor: Actor, can: Can | None = None) -> Reached:
        return self.all() if _mode in _WITHOUT_PYTHON else for_actor(self, actor, can)

    def told(scope: walls.Scope | None) -> None:
        without = scope is not None and _mode in _WITHOUT_DATABASE
        tell(replace(scope, lifts=scope.lifts or "tests") if scope is not None and without else scope)

    monkeypatch.setattr(access, "_actor", found)
    monkeypatch.setattr(Reached, "for_actor", rows)
    monkeypatch.setattr(walls, "_tell", told)
    for _, pattern in pages():
        declared = getattr(pattern.callback, "declares", None)
        if isinstance(declared, Can) or declared == access.SIGNED_IN:
            monkeypatch.setattr(pattern, "callback", _opened(pattern.callback, declared))


def _opened(guarded: Callable[..., Any], declared: Any) -> Callable[..., Any]:
    """The view with its door, or without."""
    behind: Callable[..., Any] = guarded.__wrapped__  # type: ignore[attr-defined]

    def view(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        return (behind if _mode in _WITHOUT_PYTHON else guarded)(request, *args, **kwargs)

    view.declares = declared  # type: ignore[attr-defined]
    return view


@contextmanager
def without(mode: str) -> Iterator[None]:
    """With the walls of this mode alone."""
    global _mode
    _mode = mode
    try:
        yield
    finally:
        _mode = BOTH


# --- The second column ------------------------------------------------------------------------------------------------


def shown_rows(world: World, visitor: Visitor) -> dict[str, set[Any]]:
    """Table → the rows that the database may show to the visitor, by the second column."""
    own = None if visitor.is_out else world.people[visitor.who].user.pk

    def shows(row: Known, by: str) -> bool:
        if "audit" in row.as_row:
            return (own is not None and row.user == own) or _in_the_audit(visitor, row)
        if row.as_row:
            theirs = any(at in getattr(visitor, part) for part, at in row.as_row.items() if at and part != "open")
            return theirs or bool(row.as_row["open"]) or (own is not None and row.user == own)
        if by == "own":
            return own is not None and row.user == own
        if by == "own case":
            return row.place in visitor.patients and visitor.letters.get(row.coach) == "s"
        if by == "coaches":
            return row.coach.rstrip("+") in visitor.coaches
        return all(row.place in getattr(visitor, each) for each in by.split(" and "))

    return {
        table: {row.pk for row in world.rows[table] if any(shows(row, by) for by in wall)}
        for table, wall in SHOWN_BY.items()
    }


def _in_the_audit(visitor: Visitor, row: Known) -> bool:
    """What is about a coach, to that coach; the rest to whoever oversees the place, of patients to who cares there."""
    themself = any(visitor.letters.get(name) == "s" for name in (row.coach, f"{row.coach}+"))
    if row.as_row["audit"] == "patients":
        return themself or (row.place in visitor.audits and row.place in visitor.patients)
    return themself or row.place in visitor.audits or (bool(visitor.audits) and row.coach in visitor.coaches)


def said_words(world: World, visitor: Visitor) -> set[str]:
    """The words that pages may show to the visitor, by the first column."""
    own = None if visitor.is_out else world.people[visitor.who].user.pk

    def letters(table: str, row: Known) -> str:
        wall = SHOWN_BY[table]
        if row.user == own and own is not None and "own" in wall:
            return "s"
        if "access" in wall:
            return "m" if row.place in visitor.access else ""
        if "patients and access" in wall:
            return visitor.letters.get(row.place, "").replace("s", "")
        at = visitor.letters.get(row.place, "")
        if "patients" in wall or wall in (("work",), ("own case",)):
            theirs = "s" in visitor.letters.get(row.coach, "") and "s" in at
            return ("s" if theirs else "") + at.replace("s", "")
        of_coach = "".join(visitor.letters.get(name, "") for name in row.coaches | {row.coach})
        return of_coach + at.replace("s", "") if "work" in wall else of_coach

    return {
        word
        for table, rows in world.rows.items()
        for row in rows
        for column, word in row.words.items()
        if set(letters(table, row)) & set(SAID_TO.get(table, {}).get(column, "slchmtad"))
    } | named(world, {"workforce_auditevent": shown_rows(world, visitor)["workforce_auditevent"]})


def named(world: World, shown: dict[str, set[Any]]) -> set[str]:
    """The identifiers of other rows that these rows tell of: an event in the audit, or what somebody was told."""
    return {row.names for table, pks in shown.items() for row in world.rows[table] if row.names and row.pk in pks}


def words_of(world: World, shown: dict[str, set[Any]]) -> set[str]:
    """The words of those rows."""
    return {word for table, rows in world.rows.items() for row in rows if row.pk in shown[table]
            for word in row.words.values()} | named(world, shown)  # fmt: skip


def all_words(world: World) -> set[str]:
    """By which any row is betrayed."""
    return {word for rows in world.rows.values() for row in rows for word in row.words.values()}


# --- Asking -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Cell:
    """One page, about one record, by one method."""

    row: Row
    about: str
    method: str
    url: str
    again: bool

    def __str__(self) -> str:
        return f"{self.method} {self.row.name}{f' of {self.about}' if self.about else ''}"


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    body: str
    location: str

    @property
    def said(self) -> tuple[int, str, str]:
        """What two answers are compared by: without what is new in every answer."""
        return self.status, _FRESH.sub("", self.body), _NEW_JOB.sub("/jobs/", self.location)


_FRESH = re.compile(
    r'data-left="[0-9]*"|data-options="[^"]*"|name="(?:csrfmiddlewaretoken|token|typed_by)"[^>]*>|"token"\s*:\s*"[^"]*"|value="[^"]*"[^>]*name="(?:csrfmiddlewaretoken|token)"'
)
_FORM = "application/x-www-form-urlencoded"  # an empty one
_NEW_JOB = re.compile(r"/jobs/[0-9a-f-]{36}")
_WRITES = re.compile(r'\s*(?:insert into|update|delete from)\s+"?(\w+)', re.IGNORECASE)


def targets(world: World, row: Row) -> Iterable[tuple[str, str]]:
    """About whom, and the address."""
    if row.name == "account_reset_password_from_key":
        yield "", reverse(row.name, kwargs=world.link)
    elif not row.record:
        yield "", reverse(row.name)
    else:
        for about, kwargs in world.records[row.record].items():
            yield about, reverse(row.name, kwargs=kwargs)


def cells(world: World, visitor: Visitor) -> Iterator[Cell]:
    """Every page about every record by GET and POST; by the other methods, about one record of each relation.

    `again`: whether runs two and three ask for it as well: about one record of each relation and PCN. An answer without
    a body, or refused by its method before any row is looked for, they ask for as one visitor alone.
    """
    for row in PAGES:
        seen: set[tuple[str, bool]] = set()
        seen_at: set[tuple[str, str]] = set()
        for about, url in targets(world, row):
            relation = letter(visitor, row, about), about == "Lea"
            at = relation[0], about if about == "Lea" else AT.get(about, about)
            for method in METHODS:
                shows = method in ("GET", "POST")
                if shows or relation not in seen:
                    again = at not in seen_at and (shows or visitor.who == "mo")
                    yield Cell(row, about, method, url, again)
            seen.add(relation)
            seen_at.add(at)


@dataclass
class Walk:
    """A visitor on their way through the cells; what they find is counted, and what is wrong is told."""

    world: World
    visitor: Visitor
    totals: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    shut: set[tuple[str, str]] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.client = Client(raise_request_exception=False)
        if self.visitor.who != "out":
            just_now(signed_in(self.client, self.world.people[self.visitor.who].user))
        self._cookie = self.client.cookies.get(settings.SESSION_COOKIE_NAME)
        self.shown = shown_rows(self.world, self.visitor)
        every = all_words(self.world)
        self.beyond_first = sorted(every - said_words(self.world, self.visitor))
        self.beyond_second = sorted(every - words_of(self.world, self.shown))

    def ask(self, cell: Cell, mode: str) -> tuple[Answer, list[str]]:
        """What a request is answered, and the foreign rows that it changed; afterwards all is as it was."""
        self.client.cookies.clear()
        if self._cookie is not None:
            self.client.cookies[settings.SESSION_COOKIE_NAME] = self._cookie.value
        written: set[str] = set()

        def listen(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            if match := _WRITES.match(sql):
                written.add(match[1])
            return execute(sql, params, many, context)

        with transaction.atomic():
            with without(mode), connection.execute_wrapper(listen):
                response: Any = self.client.generic(
                    cell.method, cell.url, content_type="application/x-www-form-urlencoded"
                )
                content = b"".join(response.streaming_content) if response.streaming else response.content
            changed = self._changed(written) if written & self.foreign_tables else []
            transaction.set_rollback(True)
        self.totals[f"{mode}: {response.status_code}"] += 1
        self.totals[f"{mode}: requests"] += 1
        return Answer(response.status_code, _text(content), response.get("Location", "")), changed

    def says(self, cell: Cell, answer: Answer, words: Iterable[str]) -> list[str]:
        """The words of these that the answer shows; those of its own address are known to whoever asks for it."""
        text = answer.body + answer.location
        return [word for word in words if word in text and word not in cell.url]

    # --- What was changed

    @property
    def foreign_tables(self) -> set[str]:
        """Those in which nobody may change a row that is not shown to them."""
        return set(SHOWN_BY) - set(ADDED_TO_BY_ALL)

    def _changed(self, written: set[str]) -> list[str]:
        """The foreign rows that are not as they were."""
        now = snapshot(written & self.foreign_tables)
        was = {table: self.world.before[table] for table in now}
        return [
            f"{table} {pk}"
            for table in now
            for pk in was[table].keys() | now[table].keys()
            if pk not in self.shown[table] and was[table].get(pk) != now[table].get(pk)
            and not (pk not in was[table] and self._is_own(table, pk))
        ]  # fmt: skip

    def _is_own(self, table: str, pk: Any) -> bool:
        """Whether a row that is new is one that the database shows to the visitor."""
        if self.visitor.is_out:
            return False
        with walls.within(self.world.people[self.visitor.who].actor.scope), connection.cursor() as cursor:
            cursor.execute(f'select exists (select 1 from "{table}" where {_key(table)}::text = %s)', [str(pk)])
            return bool(cursor.fetchone()[0])


def _key(table: str) -> str:
    return str(walled()[table]._meta.pk.column)


def snapshot(tables: Iterable[str]) -> dict[str, dict[Any, str]]:
    """Table → row → what stands in it."""
    found: dict[str, dict[Any, str]] = {}
    with walls.lifted("tests"), connection.cursor() as cursor:
        for table in tables:
            cursor.execute(f'select {_key(table)}, md5(t::text) from "{table}" t')
            found[table] = dict(cursor.fetchall())
    return found


def _text(content: bytes) -> str:
    """A page, or what stands in a workbook."""
    if not content.startswith(b"PK"):
        return content.decode()
    with ZipFile(BytesIO(content)) as book:
        return "\n".join(book.read(name).decode() for name in sorted(book.namelist()) if name.startswith("xl/"))


# --- The three runs ---------------------------------------------------------------------------------------------------


def first_run(walk: Walk, cell: Cell) -> Answer:
    """Both walls: the answer is that of the table, and shows nothing beyond the first column."""
    answer, changed = walk.ask(cell, BOTH)
    wanted = expected(walk.visitor, cell.row, cell.about, cell.method)
    if answer.status != wanted:
        walk.faults.append(f"{cell}: {answer.status}, and the table says {wanted}")
    if (
        wanted == 302
        and walk.visitor.is_out
        and not cell.row.public
        and not answer.location.startswith("/account/sign-in?")
    ):
        walk.faults.append(f"{cell}: leads to {answer.location} and not to sign-in")
    walk.faults += [f"{cell}: shows {word}" for word in walk.says(cell, answer, walk.beyond_first)]
    walk.faults += [f"{cell}: changes {row}" for row in changed]
    return answer


def second_run(walk: Walk, cell: Cell) -> None:
    """The database alone: whatever a page forgets to ask, it shows and changes nothing beyond the second column."""
    answer, changed = walk.ask(cell, SECOND)
    walk.faults += [f"{cell}, by the database alone: shows {w}" for w in walk.says(cell, answer, walk.beyond_second)]
    walk.faults += [f"{cell}, by the database alone: changes {row}" for row in changed]


def third_run(walk: Walk, cell: Cell, answer: Answer) -> None:
    """Python alone: the same answer as with both. A door that is shut, whatever the record, is tried once."""
    if answer.status == 403 or walk.visitor.is_out:
        if (cell.row.name, cell.method) in walk.shut:
            return
        walk.shut.add((cell.row.name, cell.method))
    again, changed = walk.ask(cell, FIRST)
    if again.said != answer.said:
        answer, _ = walk.ask(cell, BOTH)  # a minute may have passed between the two
        again, _ = walk.ask(cell, FIRST)
    if again.status != answer.status:
        walk.faults.append(f"{cell}, by Python alone: {again.status}, and with both walls {answer.status}")
    elif again.said != answer.said:
        walk.faults.append(f"{cell}, by Python alone: {_difference(answer, again)}")
    walk.faults += [f"{cell}, by Python alone: changes {row}" for row in changed]


def _difference(one: Answer, other: Answer) -> str:
    """The first lines that differ."""
    lines = zip(one.said[1].splitlines(), other.said[1].splitlines(), strict=False)
    first = next(((a.strip(), b.strip()) for a, b in lines if a != b), (one.location, other.location))
    return f"{first[1][:200]!r}, and with both walls {first[0][:200]!r}"


def control(walk: Walk, cell: Cell) -> tuple[int, int, int]:
    """Neither wall: how many foreign words, how many foreign changes, and whether the answer is another one."""
    answer, changed = walk.ask(cell, NEITHER)
    status = expected(walk.visitor, cell.row, cell.about, cell.method)
    return len(walk.says(cell, answer, walk.beyond_second)), len(changed), int(answer.status != status)


def shown_exactly(world: World, visitor: Visitor) -> Iterator[tuple[str, set[Any], set[Any]]]:
    """Table by table: the rows that the database shows in the visitor's scope, and those of the second column."""
    said = shown_rows(world, visitor)
    scope = walls.NOBODY if visitor.is_out else world.people[visitor.who].actor.scope
    for table, model in walled().items():
        with walls.within(scope):
            rows: Any = model._default_manager
            yield table, set(rows.values_list("pk", flat=True)), said[table]
