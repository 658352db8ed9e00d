"""Change history: what every row was before and after each change, who changed it, in which role, when.

Written by PostgreSQL itself, once a statement, so that nothing gets round it: bulk writes, raw SQL and the import's
INSERT … SELECT are kept like a form's one row. Each model says `history = kept()` or `not_kept("why")`; `build()` makes
the triggers equal to that after every `migrate`. They write with the rights of the tables' owner: the application can
neither add an entry nor change or remove one. Free text is kept out: an entry says that it was changed, and its length.
"""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import structlog
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured
from django.db import DEFAULT_DB_ALIAS, connections, models, transaction

TABLE = "workforce_change"
INSERTED, UPDATED, DELETED = "I", "U", "D"

# Part of a scope (hwbc.workforce.walls) → the column of the history that is held against it.
KEYS = {"user": "holder", "coaches": "coach", "pcns": "pcn", "care": "care", "nodes": "node"}


@dataclass(frozen=True)
class History:
    """What is kept of a table's changes. `why_not`: nothing, for this reason.

    `lengths`: short free texts, of which the length alone is kept, as of every text without a limit; `secrets`: not
    even that; `unrecorded`: columns that are no part of what the row says.
    """

    lengths: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    unrecorded: tuple[str, ...] = ()
    why_not: str = ""


def kept(*, lengths: tuple[str, ...] = (), secrets: tuple[str, ...] = (), unrecorded: tuple[str, ...] = ()) -> History:
    """The history of the model's rows is kept."""
    return History(lengths, secrets, unrecorded)


def not_kept(why: str) -> History:
    """No history of the model's rows, for the reason given; the list of such models is held by a test."""
    return History(why_not=why)


def declared() -> dict[type[models.Model], History]:
    """Model → what is kept of it, for every model of ours. One that declares nothing stops the build."""
    found = {}
    for model in apps.get_models(include_auto_created=True):
        if not hasattr(model, "wall"):  # a library's: walls.OPEN has them
            continue
        history = getattr(model, "history", None)
        if not isinstance(history, History):
            raise ImproperlyConfigured(
                f"{model._meta.label} does not say whether its history is kept: history = kept() or not_kept(…)."
            )
        found[model] = history
    return found


def lengths(model: type[models.Model]) -> tuple[str, ...]:
    """The columns of which the length alone is kept: every text without a limit, and those that the model names."""
    texts = [str(field.column) for field in model._meta.concrete_fields if isinstance(field, models.TextField)]
    history: History = model.history  # type: ignore[attr-defined]
    return tuple(dict.fromkeys([*texts, *history.lengths]))


# --- Who is doing what ------------------------------------------------------------------------------------------------

_doing: ContextVar[str] = ContextVar("hwbc_doing", default="")
_TELL = "select set_config('hwbc.doing', %s, true)"


def said(user_id: int | None, by: str, what: str = "") -> str:
    """Who acts, in which role, by which action and at whose request, as the triggers read it."""
    request = structlog.contextvars.get_contextvars().get("request_id", "")
    return json.dumps({"user": user_id, "by": by, "what": what, "request": str(request)})


@contextmanager
def acting(what: str, user_id: int | None, by: str) -> Iterator[str]:
    """A transaction (a savepoint within another) whose changes are an action's, as the triggers are told.

    Told with the savepoint, in one statement with it. What is undone takes it back; what ends well has to say `CEASE`
    in its last statement, with what this yields: what was being done around it.
    """
    told, outer = said(user_id, by, what), _doing.get()
    fold = _Fold(told)
    with ExitStack() as stack:
        with connections[DEFAULT_DB_ALIAS].execute_wrapper(fold):
            stack.enter_context(transaction.atomic())
        if not fold.told:  # the transaction is this one's own
            with connections[DEFAULT_DB_ALIAS].cursor() as cursor:
                cursor.execute(_TELL, [told])
        token = _doing.set(told)
        try:
            yield outer
        finally:
            _doing.reset(token)


CEASE = _TELL


class _Fold:
    """Says what is being done in one statement with the savepoint that begins it."""

    def __init__(self, doing: str) -> None:
        self.doing = doing
        self.told = False

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if not self.told and sql.startswith("SAVEPOINT"):
            self.told = True
            return execute(f"{sql}; {_TELL}", [self.doing], many, context)
        return execute(sql, params, many, context)


# --- Building ---------------------------------------------------------------------------------------------------------

_TRIGGERS = {
    "insert": "REFERENCING NEW TABLE AS new_rows",
    "update": "REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "REFERENCING OLD TABLE AS old_rows",
}

_BODY = """
#variable_conflict use_variable
declare
    h_told jsonb := coalesce(nullif(current_setting('hwbc.doing', true), ''),
                             nullif(current_setting('hwbc.who', true), ''), '{{}}')::jsonb;
    h_at timestamptz := clock_timestamp();
    h_who bigint := (h_told ->> 'user')::bigint;
    h_by text := left(coalesce(nullif(h_told ->> 'by', ''), 'nobody'), 200);
    h_what text := left(coalesce(h_told ->> 'what', ''), 60);
    h_request text := left(coalesce(h_told ->> 'request', ''), 40);
    h_row record;
begin
    if tg_op = 'INSERT' then
        insert into {table} (at, kind, row_id, op, said, user_id, by, what, request, {columns})
        select h_at, '{kind}', r.id, 'I', {whole}, h_who, h_by, h_what, h_request, {values} from new_rows r;
    elsif tg_op = 'DELETE' then
        insert into {table} (at, kind, row_id, op, said, user_id, by, what, request, {columns})
        select h_at, '{kind}', r.id, 'D', {whole}, h_who, h_by, h_what, h_request, {values} from old_rows r;
    else
        if exists (select from new_rows n where not exists (select from old_rows o where o.id = n.id)) then
            raise exception 'The number of a row of {of} never changes: its history is known by it.';
        end if;
        insert into {table} (at, kind, row_id, op, said, user_id, by, what, request, {columns})
        select h_at, '{kind}', r.id, 'U', r.d, h_who, h_by, h_what, h_request, {values}
          from (select n.*, jsonb_strip_nulls(jsonb_build_object({differences})) as d
                  from old_rows o join new_rows n on n.id = o.id where o is distinct from n) r
         where r.d <> '{{}}';{follow}
    end if;
    return null;
end
"""
# The history is shown to whoever is shown the row: where the row moves to others' sight, its history goes with it.
_FOLLOW = """
        for h_row in select r.id, {values} from old_rows o join new_rows r on r.id = o.id
                      where ({old}) is distinct from ({new}) loop
            update {table} set {set} where kind = '{kind}' and row_id = h_row.id;
        end loop;"""


def _function(model: type[models.Model]) -> str:
    return f"history_of_{model._meta.db_table}"


def _list(columns: tuple[str, ...]) -> str:
    return "array[" + ", ".join(f"'{column}'" for column in columns) + "]::text[]"


def _difference(column: str, short: tuple[str, ...], secret: tuple[str, ...]) -> str:
    """SQL: a changed column with what it said before and after; null where it is as it was."""
    if column in secret:
        pair = "null, null"
    elif column in short:
        pair = f'length(o."{column}"), length(n."{column}")'
    else:
        pair = f'o."{column}", n."{column}"'
    changed = f'o."{column}" is distinct from n."{column}"'
    return f"'{column}', case when {changed} then jsonb_build_array({pair}) end"


def _body(model: type[models.Model], history: History, there: list[str]) -> str:
    """The text of a table's trigger function, for the columns that are there."""
    table, keys = model._meta.db_table, tuple(model.wall.keys)  # type: ignore[attr-defined]
    if model._meta.pk.column != "id" or not isinstance(model._meta.pk, models.BigAutoField):
        raise ImproperlyConfigured(f"{model._meta.label}: history is kept of rows with a number; this has another key.")
    if not keys and model.wall.shows is not None:  # type: ignore[attr-defined]
        raise ImproperlyConfigured(f"{model._meta.label}: its wall does not say by which columns (walls.Wall.keys).")
    short, secret = lengths(model), history.secrets
    unknown = {*short, *secret, *history.unrecorded} - set(there)
    if unknown:
        raise ImproperlyConfigured(f"{model._meta.label}: its history names columns that it has not: {unknown}.")
    out = (*short, *secret, *history.unrecorded)
    whole = f"to_jsonb(r) - {_list(out)}" if out else "to_jsonb(r)"
    if short:
        whole += " || jsonb_build_object(" + ", ".join(f"'{c}', nullif(length(r.{c}), 0)" for c in short) + ")"
    columns = [KEYS[part] for part, _ in keys] or ["is_open"]
    values = [f"r.{column}" for _, column in keys] or ["true"]
    follow = ""
    if any(column != "id" for _, column in keys):
        follow = _FOLLOW.format(
            table=TABLE,
            kind=model._meta.label_lower,
            values=", ".join(f"r.{column} as {KEYS[part]}" for part, column in keys),
            old=", ".join(f"o.{column}" for _, column in keys),
            new=", ".join(f"r.{column}" for _, column in keys),
            set=", ".join(f"{KEYS[part]} = h_row.{KEYS[part]}" for part, _ in keys),
        )
    return _BODY.format(
        table=TABLE,
        of=table,
        kind=model._meta.label_lower,
        whole=f"jsonb_strip_nulls({whole})",
        columns=", ".join(columns),
        values=", ".join(values),
        differences=", ".join(
            _difference(column, short, secret) for column in there if column not in history.unrecorded
        ),
        follow=follow,
    )


_STATE = """
select c.relname, t.tgname, pg_get_triggerdef(t.oid), t.tgenabled = 'O'
  from pg_trigger t join pg_class c on c.oid = t.tgrelid
 where t.tgname like 'history\\_%' and not t.tgisinternal and c.relnamespace = current_schema()::regnamespace
"""
_COLUMNS = """
select c.relname, array_agg(a.attname::text order by a.attnum)
  from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relkind = 'r' and c.relnamespace = current_schema()::regnamespace group by c.relname
"""
_FUNCTIONS = """
select p.proname, p.prosrc, p.prosecdef, p.proconfig, pg_get_userbyid(p.proowner) = current_user,
       array(select case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
               from aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) a where a.grantee <> p.proowner)
  from pg_proc p where p.proname like 'history\\_of\\_%' and p.pronamespace = current_schema()::regnamespace
"""


def build() -> list[str]:
    """Make functions and triggers equal to what the models declare. Writes differences only; returns what it did.

    Runs as the owner, after the tables are there.
    """
    done: list[str] = []
    with transaction.atomic(), connections[DEFAULT_DB_ALIAS].cursor() as cursor:

        def do(statement: str) -> None:
            cursor.execute(statement)
            done.append(statement)

        cursor.execute("select current_schema()")
        [schema] = cursor.fetchone()
        cursor.execute(_STATE)
        triggers = {(table, name): (text, on) for table, name, text, on in cursor.fetchall()}
        cursor.execute(_COLUMNS)
        columns = dict(cursor.fetchall())
        cursor.execute(_FUNCTIONS)
        functions = {name: rest for name, *rest in cursor.fetchall()}
        # No plan that was made for one row may serve a hundred thousand: the two sets of rows are joined by hash.
        config = [f"search_path={schema}, pg_temp", "enable_nestloop=off"]
        for model, history in declared().items():
            if history.why_not:
                continue
            table, name = model._meta.db_table, _function(model)
            body = _body(model, history, columns.get(table, []))
            *there, others = functions.pop(name, [None, ["public"]])
            if there != [body, True, config, True]:
                do(
                    f'create or replace function "{schema}".{name}() returns trigger language plpgsql security definer '
                    f"set search_path to {schema}, pg_temp set enable_nestloop to off as $history${body}$history$"
                )
            if others:
                # Whoever may execute it could hang it on a table of their own, and so write what never was.
                do(f'revoke all on function "{schema}".{name}() from {", ".join(others)}')
            for event, rows in _TRIGGERS.items():
                wanted = (
                    f"CREATE TRIGGER history_{event} AFTER {event.upper()} ON {schema}.{table} {rows} "
                    f"FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
                )
                if triggers.pop((table, f"history_{event}"), None) != (wanted, True):
                    do(f'drop trigger if exists history_{event} on "{table}"')
                    do(wanted)
        for table, name in triggers:
            do(f'drop trigger "{name}" on "{table}"')
        for name in functions:
            do(f'drop function "{schema}"."{name}"()')
    return done
