"""What was changed of a record: from what to what, in words, by whom, in which role, when.

The triggers wrote it (`hwbc.workforce.history`); the database shows it to whoever is shown the row. What a page adds is
what Python holds of every page: the last day of which somebody may see something, and what is not for every role.
"""

# ruff: noqa: S608 — the statement is put together from constants of ours; every value is a parameter

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.db import connection, models
from django.http import QueryDict
from django.utils import timezone
from django.utils.formats import date_format

from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from hwbc.compliance.as_at import AsAt
from hwbc.compliance.catalogue import RULES
from hwbc.compliance.record import Record
from hwbc.compliance.sentences import written
from hwbc.compliance.trail import in_general
from hwbc.kit.tables import PER_PAGE, Table
from hwbc.kit.templatetags.nhsuk import clock
from hwbc.workforce import history
from hwbc.workforce.models import Absence, Change, Coach, Grant, Organisation, Post
from hwbc.workforce.roles import Can, Role
from supervision.models import Agreement, Meeting
from training.models import Exemption, TrainingRecord


class _Kind(NamedTuple):
    """A kind of record: its words, the column of the day that it is about, and the word before that day."""

    noun: str
    day: str = ""
    of: str = "from"


# Flags have their history on the coach's page of it: each is raised, acknowledged and cleared there.
_OF_COACH: Mapping[type[models.Model], _Kind] = {
    Coach: _Kind("Coach"),
    Post: _Kind("Post", "starts_on"),
    Absence: _Kind("Absence", "starts_on"),
    Agreement: _Kind("Agreement", "starts_on"),
    Meeting: _Kind("Meeting", "held_on", "of"),
    TrainingRecord: _Kind("Training", "enrolled_on"),
    Exemption: _Kind("Exemption", "starts_on"),
    Allocation: _Kind("Referral taken", "starts_on", "on"),
}
_OTHERS: Mapping[type[models.Model], _Kind] = {
    Referral: _Kind("Referral", "received_on", "of"),
    CoachingSession: _Kind("Session", "held_on", "of"),
    SessionNote: _Kind("Note of the session", "held_on", "of"),
    Grant: _Kind("Access"),
    Organisation: _Kind("Organisation"),
}
_KINDS = {model._meta.label_lower: (model, kind) for kinds in (_OF_COACH, _OTHERS) for model, kind in kinds.items()}
# How a row that another one refers to is called. `places`: the PCNs of whose referrals the reference may be shown.
_NAMES: Mapping[str, str] = {
    "workforce.organisation": "select id, name from workforce_organisation where true",
    "workforce.user": "select id, name from workforce_user where true",
    "workforce.coach": "select id, name from workforce_coach where true",
    "workforce.grant": "select g.id, u.name from workforce_grant g join workforce_user u on u.id = g.user_id",
    "supervision.supervisor": "select id, name from supervision_supervisor where true",
    "training.course": "select id, title from training_course where true",
    "coaching.referral": "select id, coalesce(nullif(reference, ''), uuid::text) from coaching_referral"
    " where pcn_id = any(%(places)s::bigint[])",
}
_UNNAMED = {"workforce.coach": "Another coach", "coaching.referral": "A referral at another PCN"}
# What is no part of what a record says: numbers, keys and clocks. Everything else is shown, also what is added later.
_NOT_SHOWN = frozenset(
    {"id", "uuid", "version", "sort_name", "register_id", "reference_key", "imported", "recorded_at", "granted_at",
     "end_recorded_at", "voided_at", "voided_by_id", "session_id"}
)  # fmt: skip
# Where columns stand that stood in a table once: the history has them as they were written then.
_SINCE: Mapping[str, type[models.Model]] = {CoachingSession._meta.label_lower: SessionNote}
_REASONS: Mapping[str, frozenset[str]] = {  # for those who may see why a coach is away or exempt
    "workforce.absence": frozenset({"kind", "voided_because"}),
    "training.exemption": frozenset({"reason", "voided_because"}),
}
_ADDRESS = (
    "email"  # for whoever gives access, under Access: here it is told that it changed, to everybody who sees the coach
)
_ELSEWHERE = {"pcn_id": "Another PCN", "employer_id": "Another employer"}
_NOT_YOURS = "Not shown to your role"
NOTHING = "Nothing"


class Subject(NamedTuple):
    """A row whose changes are asked for: its kind and number, the day that it is about, and a post's PCN."""

    kind: str
    pk: int
    day: date | None = None
    pcn: int | None = None


class Difference(NamedTuple):
    """A field that changed, in words. Of a new or removed row: what it said, on one side alone."""

    label: str
    before: str
    after: str


class Entry(NamedTuple):
    """One change of one row. `did`: what they were doing, in the words of the audit."""

    title: str
    verb: str
    at: datetime
    by: str
    role: str
    did: str
    differences: list[Difference]
    op: str


class Changes(Table[Entry]):
    """A page of changes that the database has cut already."""

    def __init__(self, rows: Sequence[Entry], count: int, given: QueryDict) -> None:
        super().__init__(rows, (), given, noun=("change", "changes"))
        self.count = count
        self.noun = "change" if count == 1 else "changes"

    @property
    def rows(self) -> list[Entry]:
        """The changes of the page."""
        return self.all_rows


@dataclass(frozen=True)
class _Sight:
    """What may be shown: up to which day, reasons up to which, referrals of which PCNs, and whether addresses."""

    until: date = date.max
    reasons_until: date = date.max
    places: tuple[int, ...] = ()
    addresses: bool = False
    pcns: frozenset[int] | None = None  # a PCN that the coach has left learns of no other: these are its own


def place(nodes: Iterable[int], code: str) -> Organisation | None:
    """The place with this code, if it is one of these."""
    return Organisation.objects.filter(pk__in=nodes, code=code).first()


# --- Whose ------------------------------------------------------------------------------------------------------------

_SUBJECTS = " union all ".join(
    f"select '{model._meta.label_lower}', id, {kind.day or 'null::date'}, {'pcn_id' if model is Post else 'null'}"
    f" from {model._meta.db_table} where {'id' if model is Coach else 'coach_id'} = %(coach)s"
    for model, kind in _OF_COACH.items()
)


def of_coach(record: Record, given: QueryDict) -> Changes:
    """Everything of a coach that was changed, as far as the actor may see it; the referrals they took with it."""
    with connection.cursor() as cursor:
        cursor.execute(_SUBJECTS, {"coach": record.coach.pk})
        subjects = [Subject(*row) for row in cursor.fetchall()]
    work = Allocation._meta.label_lower
    begun, taken_until = record.parameters["begun"], record.limits.until(Can.SEE_WORK)
    shown = [
        each
        for each in subjects
        if each.day is None or each.day <= (min(begun, taken_until) if each.kind == work else begun)
    ]
    kinds = [kind._meta.label_lower for kind in _OF_COACH]
    if taken_until == date.min:
        kinds.remove(work)
    # A row that was removed has no day any more by which it could be held back.
    everything = begun == date.max and taken_until in (date.min, date.max)
    where = """c.coach = %(coach)s and c.kind = any(%(kinds)s::text[]) and (%(everything)s
               or (c.kind, c.row_id) in (select * from unnest(%(of)s::text[], %(ids)s::bigint[])))"""
    asked = {"coach": record.coach.pk, "kinds": kinds, "everything": everything}
    return _changes(where, asked, shown, record.as_at, _sight(record), given)


def of_fact(record: Record, row: models.Model, given: QueryDict) -> Changes | None:
    """What was changed of one fact about a coach; None where the fact itself is not to be shown."""
    kind = _OF_COACH[type(row)]
    day = getattr(row, kind.day)
    if day > record.parameters["begun"]:
        return None
    subject = Subject(row._meta.label_lower, row.pk, day, row.pcn_id if isinstance(row, Post) else None)
    return _of_rows([subject], record.as_at, _sight(record), given)


def of_rows(rows: Iterable[models.Model], as_at: AsAt, places: Iterable[int], given: QueryDict) -> Changes:
    """What was changed of rows that the actor was shown: `places` are the PCNs whose referrals may be named."""
    subjects = []
    for row in rows:
        day = _KINDS[row._meta.label_lower][1].day
        subjects.append(Subject(row._meta.label_lower, row.pk, getattr(row, day) if day else None))
    return _of_rows(subjects, as_at, _Sight(places=tuple(places)), given)


def _of_rows(subjects: list[Subject], as_at: AsAt, sight: _Sight, given: QueryDict) -> Changes:
    where = """c.row_id = any(%(ids)s::bigint[])
               and (c.kind, c.row_id) in (select * from unnest(%(of)s::text[], %(ids)s::bigint[]))"""
    return _changes(where, {}, subjects, as_at, sight, given)


def _sight(record: Record) -> _Sight:
    return _Sight(
        record.until,
        record.limits.until(Can.SEE_REASONS),
        tuple(record.places(Can.SEE_WORK)),
        record.coach.pk in record.actor.coaches(Can.INVITE),
        frozenset(record.actor.pcns(record.can)) if record.has_left else None,
    )


# --- Asking -----------------------------------------------------------------------------------------------------------

_PAGE = f"""
with entries as materialized (
    select c.* from workforce_change c
     where {{where}} and (%(known)s::timestamptz is null or c.at <= %(known)s)
       and (c.at at time zone 'Europe/London')::date <= %(until)s::date
), pages as (select greatest(1, ceil(count(*) / {PER_PAGE}.0)) as count from entries)
select e.kind, e.row_id, e.op, e.said, e.at, u.name, e.by, e.what, (select count(*) from entries)
  from entries e left join workforce_user u on u.id = e.user_id
 order by e.at desc, e.id desc
 limit {PER_PAGE} offset (select (least(%(page)s, count) - 1) * {PER_PAGE} from pages)::bigint
"""


def _changes(
    where: str, parameters: dict[str, Any], subjects: list[Subject], as_at: AsAt, sight: _Sight, given: QueryDict
) -> Changes:
    asked = given.get("page", "")
    parameters |= {
        "of": [each.kind for each in subjects],
        "ids": [each.pk for each in subjects],
        "known": as_at.known,
        "until": sight.until,
        "page": max(1, int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGE.format(where=where), parameters)
        rows = cursor.fetchall()
    about = {(each.kind, each.pk): each for each in subjects}
    found = [(about.get((row[0], row[1]), Subject(row[0], row[1])), json.loads(row[3]), row) for row in rows]
    names = _names([(subject, said, row[2]) for subject, said, row in found], sight)
    entries = [_entry(subject, said, row, names, sight) for subject, said, row in found]
    return Changes(entries, rows[0][-1] if rows else 0, given)


Names = dict[tuple[str, int], str]


def _names(found: list[tuple[Subject, dict[str, Any], str]], sight: _Sight) -> Names:
    """What the rows are called that are referred to, in one query; those that are not shown have no name."""
    wanted: dict[str, set[int]] = {label: set() for label in _NAMES}
    for subject, said, op in found:
        for column, value in said.items():
            target = _target(subject.kind, column)
            if target in wanted:
                wanted[target].update(each for each in (value if op == Change.Op.UPDATED else [value]) if each)
    statement = " union all ".join(
        f"select '{label}', named.* from ({sql}) named (id, name) where id = any(%({label.replace('.', '_')})s)"
        for label, sql in _NAMES.items()
    )
    asked = {label.replace(".", "_"): sorted(ids) for label, ids in wanted.items()}
    with connection.cursor() as cursor:
        cursor.execute(statement, {**asked, "places": list(sight.places)})
        return {(label, pk): name for label, pk, name in cursor.fetchall()}


# --- Words ------------------------------------------------------------------------------------------------------------


@cache
def _fields(kind: str) -> dict[str, Any]:
    model = apps.get_model(kind)
    since = _SINCE.get(kind, model)
    return {field.column: field for each in (model, since) for field in each._meta.concrete_fields}


def _target(kind: str, column: str) -> str | None:
    """The model that a column refers to."""
    field = _fields(kind).get(column)
    return field.related_model._meta.label_lower if field is not None and field.is_relation else None


def _entry(subject: Subject, said: dict[str, Any], row: tuple[Any, ...], names: Names, sight: _Sight) -> Entry:
    _, _, op, _, at, name, by, what, _ = row
    kind = _KINDS[subject.kind][1]
    day = subject.day or (date.fromisoformat(said[kind.day]) if op != "U" and kind.day in said else None)
    differences = []
    order = {column: place for place, column in enumerate(_fields(subject.kind))}  # JSON has one of its own
    for column, value in sorted(said.items(), key=lambda item: order.get(item[0], len(order))):
        if column in _NOT_SHOWN or (column == "coach_id" and kind in _OF_COACH.values()):
            continue
        before, after = value if op == Change.Op.UPDATED else (None, value)
        if op == Change.Op.DELETED:
            before, after = value, None
        elif op == Change.Op.INSERTED and value in ("", []):
            continue
        told = [_told(subject, day, column, each, names, sight) for each in (before, after)]
        differences.append(Difference(_label(subject.kind, column), *told))
    title = f"{kind.noun} {kind.of} {written(day)}" if day else kind.noun
    roles = ", ".join(Role(each).label if each in Role.values else each for each in by.split(", "))
    if name is None:
        name, roles = _nobody(by)
    did = f"{'which' if name == _SERVICE else 'who'} {done}" if (done := in_general(what)) else ""
    return Entry(title, _verb(op, said), at, name, roles, did, differences, op)


_SERVICE = "The service"


def _nobody(by: str) -> tuple[str, str]:
    return ("Nobody that the service knows", "") if by == "nobody" else (_SERVICE, f"job “{by}”")


def _verb(op: str, said: dict[str, Any]) -> str:
    if op != Change.Op.UPDATED:
        return str(Change.Op(op).label)
    if said.get("voided_at", [None, None])[1] is not None:
        return "Withdrawn"
    return "Changed"


def _label(kind: str, column: str) -> str:
    field = _fields(kind).get(column)
    if column == "voided_because":
        return "Reason"
    label = str(field.verbose_name) if field is not None else column.replace("_", " ")
    return {"starts on": "First day", "ends on": "Last day", "pcn": "PCN"}.get(label, label[:1].upper() + label[1:])


def _told(subject: Subject, day: date | None, column: str, value: Any, names: Names, sight: _Sight) -> str:
    """A value as a page shows it to whoever asks."""
    model = _KINDS[subject.kind][0]
    if column in model.history.secrets:  # type: ignore[attr-defined]
        return "Not kept"
    if column in _REASONS.get(subject.kind, ()) and (day or date.max) > sight.reasons_until:
        return _NOT_YOURS
    if column == _ADDRESS and not sight.addresses:
        return _NOT_YOURS
    if value is None or value == "" or value == []:
        return NOTHING
    if subject.kind == "workforce.post" and column in _ELSEWHERE and sight.pcns is not None:
        pcn = value if column == "pcn_id" else subject.pcn
        if pcn not in sight.pcns:
            return _ELSEWHERE[column]
    if column in (*history.lengths(model), *history.lengths(_SINCE.get(subject.kind, model))):
        return f"A text of {value} character{'' if value == 1 else 's'}" if value else NOTHING
    if column == "rule" and value in RULES:
        return RULES[value].title
    target = _target(subject.kind, column)
    if target is not None:
        return names.get((target, value), _UNNAMED.get(target, "Recorded"))
    return _plain(_fields(subject.kind).get(column), value, sight.until)


def _plain(field: Any, value: Any, until: date) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(getattr(field, "base_field", None), each, until) for each in value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(field, models.DateTimeField):
        moment = timezone.localtime(datetime.fromisoformat(value))
        return f"{date_format(moment.date())} at {clock(moment)}" if moment.date() <= until else _later(until)
    if isinstance(field, models.DateField):
        on = date.fromisoformat(value)
        return date_format(on) if on <= until else _later(until)
    if isinstance(field, models.DecimalField):
        return f"{Decimal(str(value)):f}".rstrip("0").rstrip(".")
    return str(dict(getattr(field, "flatchoices", None) or ()).get(value, value))


def _later(until: date) -> str:
    return f"Not by {written(until)}"
