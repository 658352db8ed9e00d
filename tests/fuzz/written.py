"""What a request wrote: every row as it was before and after, kept by triggers, undone with the request."""

import json
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

from django.apps import apps
from django.db import connection, models

from hwbc.workforce import walls
from hwbc.workforce.models import Organisation
from tests.cast import Cast, Person

# In a schema of its own: the walls take the rights of every table of the service's that no model declares.
_LAY = """
create schema fuzz;
create table fuzz.written (
  number bigint generated always as identity primary key, tab text, op text, old jsonb, new jsonb
);
create function fuzz.keep() returns trigger language plpgsql security definer as $$
begin
  insert into fuzz.written (tab, op, old, new) values
    (tg_table_name, tg_op, case when tg_op <> 'INSERT' then to_jsonb(old) end,
     case when tg_op <> 'DELETE' then to_jsonb(new) end);
  return null;
end $$;
grant usage on schema fuzz to public;
grant select on fuzz.written to public;
"""


@contextmanager
def laid() -> Iterator[None]:
    """The triggers stand on every table for as long as this lasts. Outside every transaction."""
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute(_LAY)
        for table in walls.declared():
            cursor.execute(
                f'create trigger fuzz after insert or update or delete on "{table}" '
                "for each row execute function fuzz.keep()"
            )
    try:
        yield
    finally:
        with walls.as_owner(), connection.cursor() as cursor:
            cursor.execute("drop schema fuzz cascade")  # and the triggers with their function


@dataclass(frozen=True)
class Written:
    """One row that was written."""

    table: str
    op: str
    old: dict[str, Any] | None
    new: dict[str, Any] | None

    def __str__(self) -> str:
        which = {name: value for name, value in (self.new or self.old or {}).items() if name in ("id", "uuid")}
        return f"{self.op} {self.table} {which} {self.changes}"[:1_000]

    @property
    def changes(self) -> dict[str, Any]:
        """The columns that this changed, with what they hold now."""
        old, new = self.old or {}, self.new or {}
        return {name: value for name, value in new.items() if self.old is None or value != old.get(name)}


def last() -> int:
    """The number of what was written last."""
    with connection.cursor() as cursor:
        cursor.execute("select coalesce(max(number), 0) from fuzz.written")
        return int(cursor.fetchone()[0])


def rows(since: int) -> list[Written]:
    """What was written after that, in its order."""
    with connection.cursor() as cursor:
        cursor.execute("select tab, op, old, new from fuzz.written where number > %s order by number", [since])
        return [
            Written(table, op, *(json.loads(row) if isinstance(row, str) else row for row in both))
            for table, op, *both in cursor.fetchall()
        ]


# --- Whose it is ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Reach:
    """Whom a visitor may write about, told by hand from the cast: the service's own reach is what is tried here."""

    user: int | None
    pcns: frozenset[int]
    coaches: frozenset[int]
    places: frozenset[int]  # with the PCNs, where access is given and what happens is audited


def reach(cast: Cast, person: Person | None) -> Reach:
    """Of a member of the cast, with the coaches that a page's records brought."""
    places: dict[str, tuple[list[Organisation], list[Organisation]]] = {
        "mo": ([cast.riverside], []),
        "asha": ([cast.riverside], []),
        "sam": ([], [cast.riverside]),
        "lee": ([cast.riverside, cast.hilltop], [cast.northfield]),
        "zed": ([cast.lakeside], []),
        "nobody_yet": ([], []),
    }
    name = next((name for name in places if person is not None and getattr(cast, name).user == person.user), None)
    if person is None or name is None:
        return Reach(None, frozenset(), frozenset(), frozenset())
    pcns, others = ([place.pk for place in some] for some in places[name])
    if name in ("asha", "sam"):
        coaches = {cast.coach_asha.pk}
    else:
        with walls.lifted("tests"), connection.cursor() as cursor:
            cursor.execute("select coach_id from workforce_post where pcn_id = any(%s)", [pcns])
            coaches = {coach for (coach,) in cursor.fetchall()}
    return Reach(person.user.pk, frozenset(pcns), frozenset(coaches), frozenset(pcns + others))


ANYBODYS = {"django_session"}  # written by every page that says something
# Tables without a wall: which pages write to them.
OPEN = {
    "workforce_user": {"access_invite", "access_suspend", "access_restore", "access_help"},
    "workforce_organisation": {"access_sign_in_rules"},
    "mfa_authenticator": {
        "access_help",
        "account_app_add",
        "account_passkey_add",
        "account_factor_remove",
        "account_codes",
        "account_security",
    },
    "supervision_supervisor": {"agreement_new", "access_invite"},
    "standards_heartbeat": {"status"},
    "hwbc_cache": {"account_login", "account_reset_password", "account_reauthenticate", "account_change_password"},
    "account_emailaddress": {"access_invite"},
}
OWN_ACCOUNT = {
    "account_login", "account_change_password", "account_reset_password_from_key", "account_reset_password",
    "account_reauthenticate", "account_logout",
}  # fmt: skip
_COACH = ("coach_id", "proposed_coach_id")
_BY = ("voided_by_id", "allocated_by_id", "approver_id", "granted_by_id")


def strangers(written: list[Written], page: str, reach: Reach) -> list[str]:
    """The rows that the visitor had no business with, with the reason."""
    return [
        f"{why}: {row}"
        for row in written
        for side in (row.old, row.new)
        if side is not None and (why := _stranger(row.table, side, page, reach))
    ]


def _stranger(table: str, row: dict[str, Any], page: str, reach: Reach) -> str:
    if table in ANYBODYS or table == "workforce_change":  # a change is written by the row that changed, as it is
        return ""
    if table in ("workforce_draft", "workforce_signin"):
        ends = table == "workforce_signin" and page in ("access_suspend", "access_help")
        return "" if row["user_id"] == reach.user or ends or page in OWN_ACCOUNT else "another's draft or sign-in"
    if table == "workforce_user" and page in OWN_ACCOUNT:
        return "" if reach.user in (row["id"], None) else "another's account"
    if table in OPEN:
        return "" if page in OPEN[table] or page in OWN_ACCOUNT else "this page has nothing to write there"
    if table == "workforce_auditevent" and row["what"] == "account.attempt":  # at an account, by nobody knows whom
        return "" if page in OWN_ACCOUNT else "this page signs nobody in"
    if table == "workforce_auditevent":
        if row["user_id"] != reach.user and page not in OWN_ACCOUNT:
            return "another's audit line"
        return "" if row["organisation_id"] in {None, *reach.places} else "an audit line of another place"
    if table == "standards_job":
        return "" if row["user_id"] == reach.user else "another's job"
    if table == "workforce_grant":
        there = row["organisation_id"] in reach.places or row["coach_id"] in reach.coaches
        return "" if there else "a grant at another place"
    tests: list[tuple[str, Callable[[Any], bool]]] = [
        ("pcn_id", reach.pcns.__contains__),
        *((name, reach.coaches.__contains__) for name in _COACH),
    ]
    if table == "workforce_coach":
        return "" if row["id"] in reach.coaches else "another's coach"
    held = [(name, test) for name, test in tests if name in row]
    if not held:
        return "nobody knows whose this is"
    wrong = [name for name, test in held if row[name] is not None and not test(row[name])]
    return f"another's {wrong[0]}" if wrong else ""


def claimed(written: list[Written], reach: Reach) -> list[str]:
    """Rows that say now that somebody else did it."""
    return [
        f"{name} is not the visitor: {row}"
        for row in written
        for name in _BY
        if row.changes.get(name) not in (None, reach.user)
    ]


# --- Two requests compared --------------------------------------------------------------------------------------------

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:[+-]\d\d:\d\d|Z)?")
_NOT_COMPARED = {"django_session", "hwbc_cache", "workforce_change", "workforce_draft", "workforce_signin"}


@cache
def _leads_to() -> dict[tuple[str, str], str]:
    """Table and column of every foreign key → the table that it leads to."""
    return {
        (model._meta.db_table, field.column): field.remote_field.model._meta.db_table
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, models.ForeignKey)
    }


def told(written: list[Written], known: set[str]) -> list[str]:
    """What was written, without what differs each time: new numbers, new identifiers (not `known`), moments."""
    new = {(row.table, row.new["id"]) for row in written if row.op == "INSERT" and row.new and "id" in row.new}
    leads = _leads_to()
    lines = []
    for row in written:
        if row.table in _NOT_COMPARED:
            continue
        said = {}
        for name, value in row.changes.items():
            of = row.table if name == "id" else leads.get((row.table, name))
            said[name] = "new" if of and (of, value) in new else "secret" if name in ("password", "request") else value
        if row.table == "workforce_auditevent" and str(said["record"]).isdecimal():
            app, _, model = str(said["kind"]).partition(".")
            said["record"] = "new" if (f"{app}_{model}", int(said["record"])) in new else said["record"]
        line = f"{row.op} {row.table} {json.dumps(said, sort_keys=True)}"
        line = _UUID.sub(lambda found: found[0] if found[0] in known else "uuid", line)
        lines.append(_MOMENT.sub("moment", line))
    return sorted(lines)
