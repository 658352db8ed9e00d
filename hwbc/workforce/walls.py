"""The walls: which rows exist for whoever asks, held by PostgreSQL itself.

Each model declares its wall (`wall = by_coach("coach_id")`). `build()` makes the database's policies and privileges
equal to those declarations after every `migrate`; `within(scope)` tells the database who asks; `lifted(reason)` is the
one way to see all. What stands here is the second wall: the first is `Model.objects.for_actor(actor)`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, TypeVar

import environ
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, transaction

from hwbc.workforce import history

LIFTED = "hwbc_all"  # the role that lifts: granted to the application with inherit false, set true
SELECT, INSERT, UPDATE, DELETE = "SELECT", "INSERT", "UPDATE", "DELETE"
ALL = (SELECT, INSERT, UPDATE, DELETE)

T = TypeVar("T")


@dataclass(frozen=True)
class Wall:
    """Who may see and write a table's rows. `shows` and `takes` are SQL conditions; None: no row-level policy.

    Where new rows are taken from others than see them, `changes` says which rows may be changed; without it, none.
    `keys` says by which columns `shows` lets somebody through, each with the part of the scope it is held against: a
    row's history is shown by the same (`hwbc.workforce.history`).
    """

    shows: str | None
    takes: str | None
    rights: tuple[str, ...] = ALL
    why: str = ""
    changes: str | None = None
    keys: tuple[tuple[str, str], ...] = ()


def among(column: str, setting: str) -> str:
    """SQL: that a column is among what this part of the scope names."""
    # No missing_ok and no nullif: without a scope this raises, and never shows an empty page and a green job.
    # PostgreSQL makes a hash of the sub-select once per query: compared with an array, every row would be held against
    # all of a hub's coaches. What a query itself asks for (`=` on bigint is leakproof) reaches the index before it.
    return f"{column} in (select unnest(current_setting('hwbc.{setting}')::bigint[]))"


def is_user(column: str) -> str:
    """SQL: that a column is the user who asks."""
    return f"{column} = (select current_setting('hwbc.user')::bigint)"


def _by(setting: str, column: str) -> Wall:
    condition = is_user(column) if setting == "user" else among(column, setting)
    return Wall(condition, condition, keys=((setting, column),))


def by_coach(column: str = "coach_id") -> Wall:
    """Seen, whole, by whoever reaches the coach, wherever it was written: a rule must never see half its facts."""
    return _by("coaches", column)


def by_pcn(column: str = "pcn_id") -> Wall:
    """Places and work without a patient's identity: seen by whoever works in or oversees the PCN."""
    return _by("pcns", column)


def by_care(column: str = "pcn_id") -> Wall:
    """What identifies or concerns a patient: seen by the roles of the PCN that care, never by a training hub."""
    return _by("care", column)


def by_node(column: str = "organisation_id") -> Wall:
    """Who has access: seen by whoever gives and ends access at that organisation."""
    return _by("nodes", column)


def by_user(column: str = "user_id") -> Wall:
    """Somebody's own: drafts, notifications, exports."""
    return _by("user", column)


def either(*walls: Wall) -> Wall:
    """Seen by whoever any of the walls lets through."""
    condition = " or ".join(str(wall.shows) for wall in walls)
    return Wall(condition, condition, keys=tuple(key for wall in walls for key in wall.keys))


def given() -> Wall:
    """Who has access: a grant is shown to its holder, where access is given, and to whoever reaches its coach.

    It is made and ended only by somebody who gives access somewhere: at its place, or for a coach whom they reach. A
    holder's own grant is theirs to see and never to write.
    """
    gives = "(select current_setting('hwbc.nodes')) <> '{}'"
    writes = f"{by_node().shows} or ({by_coach().shows} and {gives})"
    shown = either(by_user(), by_node(), by_coach())
    return Wall(shown.shows, writes, (SELECT, INSERT, UPDATE), changes=writes, keys=shown.keys)


def answered_for(pcn: str = "pcn_id", user: str = "user_id") -> Wall:
    """What somebody did on their own word, and answers for, where patients are cared for: written by themself alone.

    It is shown to them and to whoever gives and ends access there and may see its patients; nobody changes it.
    """
    care, nodes = among(pcn, "care"), among(pcn, "nodes")
    shows, takes = f"{is_user(user)} or ({care} and {nodes})", f"{is_user(user)} and {care}"
    return Wall(shows, takes, (SELECT, INSERT), keys=by_user(user).keys)


def confided(shows: str, takes: str, pcn: str = "pcn_id") -> Wall:
    """Of what concerns a patient, that which is not for everybody who cares there: shown where the condition `shows`
    holds, written and changed where `takes` does, removed by nobody.

    Its history, which keeps the lengths of texts alone, is shown by care.
    """
    care = by_care(pcn)
    writes = f"{care.shows} and {takes}"
    return Wall(f"{care.shows} and ({shows})", writes, (SELECT, INSERT, UPDATE), changes=writes, keys=care.keys)


def append_only(wall: Wall) -> Wall:
    """Anybody may add; what `wall` shows may be read; nobody may change or remove, not even with the wall lifted."""
    return Wall(wall.shows, "true", (SELECT, INSERT), wall.why, keys=wall.keys)


def read_only(*walls: Wall, also: str) -> Wall:
    """Written by the database itself: nobody adds, changes or removes. Seen by whoever one of the walls lets through,
    or where the condition `also` holds."""
    return Wall(f"{also} or {either(*walls).shows}", "false", (SELECT,))


def audited() -> Wall:
    """Who did and read what: one's own doings; what is about a coach, to that coach; the rest to whoever oversees it.

    Overseers (`audits`) see what was done at their places, and to coaches whom they reach, wherever it was done. What
    concerns patients is shown to those of them alone who may see the patients of that PCN.
    """
    at, patients, of = among("organisation_id", "audits"), among("organisation_id", "care"), by_coach().shows
    oversees = "(select current_setting('hwbc.audits')) <> '{}'"
    others = f"case when patients then {at} and {patients} else {at} or ({of} and {oversees}) end"
    return Wall(f"{is_user('user_id')} or {among('coach_id', 'own')} or {others}", None)


def inbox(column: str = "user_id") -> Wall:
    """Anybody may put something in; only whose it is sees it and says that it was read; nobody takes anything out."""
    own = is_user(column)
    return Wall(own, "true", (SELECT, INSERT, UPDATE), changes=own)


def open_to_all(why: str, rights: tuple[str, ...] = ALL) -> Wall:
    """No row-level policy, for the reason given; the list of such tables is held by a test."""
    return Wall(None, None, rights, why)


_CLOSED = open_to_all("not used by this service", rights=())

# Tables of libraries: they cannot declare a wall themselves.
OPEN: dict[str, Wall] = {
    "django_session": open_to_all("read before anybody is known"),
    "django_migrations": open_to_all("readiness compares it with the code", rights=(SELECT,)),
    "django_content_type": open_to_all("names of models", rights=(SELECT,)),
    "account_emailaddress": open_to_all("read before anybody is known"),
    "account_emailconfirmation": _CLOSED,
    "mfa_authenticator": open_to_all("asked before anybody is known, to make them known; its secrets are encrypted"),
    "socialaccount_socialaccount": open_to_all(
        "who somebody is at an OpenID provider: asked before they are known, to make them known; a link never changes",
        rights=(SELECT, INSERT, DELETE),
    ),
    "socialaccount_socialapp": _CLOSED,
    "socialaccount_socialtoken": _CLOSED,
    "auth_group": _CLOSED,
    "auth_group_permissions": _CLOSED,
    "auth_permission": _CLOSED,
    "hwbc_cache": open_to_all("throttling of sign-in, before anybody is known"),
}


# --- Asking within a scope ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Scope:
    """What the database shows: a user's own rows, these coaches', PCNs', PCNs' patients', access at these nodes.

    `audits`: the nodes of which, and `own` the coaches about whom, it shows who did what; `cases`: the coaches of whose
    cases it shows what was said.
    """

    user: int | None = None
    coaches: tuple[int, ...] = ()
    pcns: tuple[int, ...] = ()
    care: tuple[int, ...] = ()
    nodes: tuple[int, ...] = ()
    audits: tuple[int, ...] = ()
    own: tuple[int, ...] = ()
    cases: tuple[int, ...] = ()
    lifts: str | None = field(default=None, repr=False)  # the reason, when the wall is lifted
    by: str = field(default="", repr=False, compare=False)  # the roles held, or the job: for the history


NOBODY = Scope()
_scope: ContextVar[Scope | None] = ContextVar("hwbc_scope", default=None)

_TELL = """
select set_config('role', %s, true), set_config('hwbc.user', %s, true), set_config('hwbc.coaches', %s, true),
       set_config('hwbc.pcns', %s, true), set_config('hwbc.care', %s, true), set_config('hwbc.nodes', %s, true),
       set_config('hwbc.audits', %s, true), set_config('hwbc.own', %s, true), set_config('hwbc.cases', %s, true),
       set_config('hwbc.who', %s, true)
"""


def _array(ids: Sequence[int]) -> str:
    return "{" + ",".join(map(str, ids)) + "}"


def _tell(scope: Scope | None) -> None:
    """Say to the database, for this transaction, who asks. No scope is '': every walled query then raises."""
    if scope is None:
        values = ["none", *[""] * 9]
    else:
        role = LIFTED if scope.lifts else "none"
        seen = (scope.coaches, scope.pcns, scope.care, scope.nodes, scope.audits, scope.own, scope.cases)
        values = [role, str(scope.user or 0), *map(_array, seen), history.said(scope.user, scope.by)]
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(_TELL, values)


@contextmanager
def within(scope: Scope) -> Iterator[None]:
    """Ask the database as `scope`, in a transaction. Nested, the outer scope is restored at the end."""
    outer = _scope.get()
    nested = connections[DEFAULT_DB_ALIAS].in_atomic_block
    with transaction.atomic():
        token = _scope.set(scope)
        try:
            _tell(scope)
            yield
            # Told for this transaction only: its end forgets the scope, and the rollback of a savepoint restores the
            # outer one. What is left is a savepoint that is kept.
            if nested and not connections[DEFAULT_DB_ALIAS].needs_rollback:
                _tell(outer)
        finally:
            _scope.reset(token)


@contextmanager
def entered(find: Callable[[], Scope]) -> Iterator[None]:
    """The front door's way: one transaction in which `find` sees every row, and everything after it the found scope."""
    with within(Scope(lifts="reach: it decides what the scope will be")):
        scope = find()
        _scope.set(scope)
        _tell(scope)
        yield


@contextmanager
def lifted(reason: str) -> Iterator[None]:
    """See and write every row. The callers are a short list that the architecture test holds; `reason` is theirs."""
    outer = _scope.get() or NOBODY
    with within(Scope(outer.user, lifts=reason, by=outer.by or reason)):
        yield


def stream(scope: Scope, rows: Callable[[], Iterable[T]]) -> Iterator[T]:
    """Rows that are read after the response has begun: the request's scope is gone by then, so this opens its own.

    `rows` is called inside it: a generator expression would have asked the database already.
    """
    with within(scope):
        yield from rows()


# --- The two logins ----------------------------------------------------------------------------------------------

_SWAPPED = ("USER", "PASSWORD", "HOST", "PORT")

_FOUR_LINES = (
    "create role hwbc_owner login; create role hwbc_app login; create role hwbc_all nologin; "
    "grant hwbc_all to hwbc_app with inherit false, set true;"
)


@contextmanager
def as_owner(alias: str = DEFAULT_DB_ALIAS) -> Iterator[None]:
    """Use the owner's login for as long as this lasts: for a short list of commands, held by the architecture test."""
    connection = connections[alias]
    if not settings.OWNER_DATABASE_URL:
        raise ImproperlyConfigured(
            "DATABASE_OWNER_URL is not set. "
            "This needs the database's owner, and DATABASE_URL is the application's login. "
            f"Once per cluster, as superuser: {_FOUR_LINES} Then let hwbc_owner own the database."
        )
    owner = environ.Env.db_url_config(settings.OWNER_DATABASE_URL)
    login: dict[str, Any] = connection.settings_dict
    before = {key: login[key] for key in (*_SWAPPED, "OPTIONS")}
    after = {key: owner.get(key, "") for key in _SWAPPED}
    if after == {key: before[key] for key in _SWAPPED}:
        yield  # nested: the owner's login is in use already
        return
    if connection.in_atomic_block:
        raise RuntimeError("The login cannot change inside a transaction.")
    kept = {key: value for key, value in before["OPTIONS"].items() if key not in ("pool", "host", "port")}
    _hang_up(alias)
    login.update(after, OPTIONS={**kept, **owner.get("OPTIONS", {})})
    try:
        yield
    finally:
        _hang_up(alias)
        login.update(before)


def _hang_up(alias: str) -> None:
    connection: Any = connections[alias]
    connection.close()
    if connection.settings_dict["OPTIONS"].get("pool"):
        connection.close_pool()


# --- Building ----------------------------------------------------------------------------------------------------


def declared() -> dict[str, Wall]:
    """Table → wall, for every table there should be. A model that declares none stops the build."""
    walls = dict(OPEN)
    for model in apps.get_models(include_auto_created=True):
        table = model._meta.db_table
        if model._meta.proxy or not model._meta.managed or table in OPEN:
            continue
        wall = getattr(model, "wall", None)
        if not isinstance(wall, Wall):
            raise ImproperlyConfigured(f"{model._meta.label} declares no wall. Give it one of hwbc.workforce.walls.")
        walls[table] = wall
    return walls


_STATE = """
select c.relname, c.relrowsecurity, c.relforcerowsecurity,
       (select coalesce(array_agg(p.polname::text order by p.polname), '{}') from pg_policy p where p.polrelid = c.oid),
       (select coalesce(string_agg(concat_ws('|', p.polname, p.polcmd, p.polpermissive, p.polroles::regrole[]::text,
                 pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)),
                 E'\\n' order by p.polname), '')
          from pg_policy p where p.polrelid = c.oid),
       (select d.description from pg_policy p join pg_description d on d.objoid = p.oid
         where p.polrelid = c.oid and p.polname = 'wall'),
       (select coalesce(array_agg(distinct coalesce(r.rolname::text, 'public') || ':' || a.privilege_type), '{}')
          from aclexplode(c.relacl) a left join pg_roles r on r.oid = a.grantee
         where a.grantee = 0 or r.rolname = any(%s))
from pg_class c
where c.relkind in ('r', 'p', 'm', 'v', 'f') and c.relnamespace = current_schema()::regnamespace
order by c.relname
"""


@dataclass(frozen=True)
class _Table:
    name: str
    secured: bool
    forced: bool
    policies: list[str]
    policies_say: str
    comment: str | None
    privileges: list[str]


def _tables(cursor: Any) -> list[_Table]:
    cursor.execute(_STATE, [[settings.APPLICATION_LOGIN, LIFTED]])
    return [_Table(*row) for row in cursor.fetchall()]


def _sign(definition: str, table: _Table) -> str:
    """What the wall was built from, together with what PostgreSQL made of it: differs after any change by hand."""
    state = f"{definition}\n{table.policies_say}"
    return hashlib.sha256(state.encode()).hexdigest()


def build() -> list[str]:
    """Make policies and privileges equal to what the models declare. Writes differences only; returns what it did.

    Runs as the owner. A table that nobody declares loses every right.
    """
    app = settings.APPLICATION_LOGIN
    done: list[str] = []
    with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:

        def do(statement: str) -> None:
            cursor.execute(statement)
            done.append(statement)

        walls = declared()
        present = {table.name: table for table in _tables(cursor)}
        rebuilt: dict[str, str] = {}
        for name, table in present.items():
            wall = walls.get(name)
            definition = _definition(name, wall, app)
            if definition != "" and (table.comment != _sign(definition, table) or not table.secured or table.forced):
                for policy in table.policies:
                    do(f'drop policy "{policy}" on "{name}"')
                do(f'alter table "{name}" enable row level security, no force row level security')
                for statement in definition.splitlines():
                    do(statement)
                rebuilt[name] = definition
            elif definition == "" and (table.secured or table.policies):
                for policy in table.policies:
                    do(f'drop policy "{policy}" on "{name}"')
                do(f'alter table "{name}" disable row level security')
            rights = {f"{role}:{right}" for role in (app, LIFTED) for right in (wall.rights if wall else ())}
            if set(table.privileges) != rights:
                do(f'revoke all on "{name}" from public, "{app}", {LIFTED}')
                if wall and wall.rights:
                    do(f'grant {", ".join(wall.rights)} on "{name}" to "{app}", {LIFTED}')
        if rebuilt:
            for table in _tables(cursor):
                if table.name in rebuilt:
                    signature = _sign(rebuilt[table.name], table)
                    cursor.execute(f"comment on policy wall on \"{table.name}\" is '{signature}'")
    return done


def _definition(name: str, wall: Wall | None, app: str) -> str:
    """The policies of one table, one statement a line; none for an open or unknown one."""
    if wall is None or wall.shows is None:
        return ""
    if wall.shows == wall.takes:
        policies = [f'create policy wall on "{name}" to "{app}" using ({wall.shows}) with check ({wall.takes})']
    else:
        policies = [
            f'create policy wall on "{name}" for select to "{app}" using ({wall.shows})',
            f'create policy wall_takes on "{name}" for insert to "{app}" with check ({wall.takes})',
        ]
        if wall.changes is not None:
            policies.append(
                f'create policy wall_changes on "{name}" for update to "{app}" '
                f"using ({wall.changes}) with check ({wall.changes})"
            )
    return "\n".join([*policies, f'create policy lifted on "{name}" to {LIFTED} using (true) with check (true)'])


# --- Refusing to start -------------------------------------------------------------------------------------------

_FAULTS = """
select r.rolname, r.rolsuper, r.rolbypassrls,
       (select min(c.relname) from pg_class c
         where c.relowner = r.oid and c.relkind in ('r', 'p') and c.relnamespace = current_schema()::regnamespace),
       (select min(o.rolname) from pg_roles o
         where o.oid <> r.oid and o.rolname <> %(lifted)s and pg_has_role(r.oid, o.oid, 'member')
           and (o.oid = d.datdba
                or exists (select 1 from pg_class c where c.relowner = o.oid and c.relkind in ('r', 'p')
                              and c.relnamespace = current_schema()::regnamespace))),
       exists (select 1 from pg_roles where rolname = %(lifted)s),
       exists (select 1 from pg_roles o where o.rolname = %(lifted)s and pg_has_role(r.oid, o.oid, 'usage')),
       exists (select 1 from pg_roles o where o.rolname = %(lifted)s and pg_has_role(r.oid, o.oid, 'set')),
       current_setting('server_version_num')::int / 10000
from pg_roles r, pg_database d where r.rolname = session_user and d.datname = current_database()
"""


def faults() -> list[str]:
    """Why this login must not serve anybody: each a sentence with its remedy. Empty when the walls hold for it."""
    with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
        cursor.execute(_FAULTS, {"lifted": LIFTED})
        name, superuser, bypass, owned, owner, exists, inherits, may_set, version = cursor.fetchone()
    found = []
    if version < 16:
        found.append(f"PostgreSQL {version} is too old: 16 or newer is needed.")
    if superuser:
        found.append(f'"{name}" is a superuser, and no wall holds for one: use a login without that right.')
    if bypass:
        found.append(f'"{name}" has BYPASSRLS, and no wall holds for it: alter role "{name}" nobypassrls.')
    if owned:
        found.append(f'"{name}" owns the table {owned}, and no wall holds for an owner: use the application\'s login.')
    if owner:
        found.append(f'"{name}" is a member of the owner "{owner}": revoke "{owner}" from "{name}".')
    if not exists or not may_set:
        found.append(f'"{name}" cannot become {LIFTED}: grant {LIFTED} to "{name}" with inherit false, set true.')
    if exists and inherits:
        found.append(
            f'"{name}" inherits {LIFTED}, so every wall is open: grant {LIFTED} to "{name}" with inherit false.'
        )
    return found


def refuse() -> None:
    """Stop the process, with the reasons, when the database login is one that no wall holds for."""
    found = faults()
    connections[DEFAULT_DB_ALIAS].close()
    if found:
        raise SystemExit("Refusing to start. " + " ".join(found))
