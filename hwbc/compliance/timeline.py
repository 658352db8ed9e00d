"""The history of one coach: everything that was written down about them, newest first, in one query."""

# ruff: noqa: S608 — the statement is put together from constants of ours; every value is a parameter

import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection
from django.http import QueryDict

from coaching.models import Referral
from hwbc.compliance.catalogue import RULES
from hwbc.compliance.evidence import mark
from hwbc.compliance.record import Record
from hwbc.kit.tables import PER_PAGE, Table
from hwbc.standards.models import FlagEvent
from hwbc.workforce.models import Absence, Post
from hwbc.workforce.queries import known_end, shown_end, withdrawal, withdrawn
from hwbc.workforce.roles import Can
from supervision.models import Agreement, Meeting
from training.models import Exemption

_OF_COACH = "t.coach_id = any(%(coaches)s::bigint[])"
# An end that was written down with its beginning is no entry of its own.
_LATER_END = "t.end_recorded_at > t.recorded_at + interval '1 minute'"


def _facts(
    what: str, table: str, facts: str, *, day: str = "t.starts_on", to: str = "null::date", more: str = ""
) -> str:
    """SQL: entries of a table of facts, withdrawn ones among them."""
    return f"""
    select '{what}' as what, t.id, {day} as on_day, {to} as to_day, t.recorded_at, t.imported,
           {withdrawn("t")} as withdrawn, {withdrawal("t")} as voided_at, t.voided_by_id as by_id,
           t.voided_because as words, jsonb_build_object({facts}) as facts
      from {table} t {more}
     where {_OF_COACH} and t.recorded_at <= %(known)s and {day} <= %(begun)s
    """


def _period(what: str, table: str, facts: str, more: str = "") -> str:
    """SQL: entries of a table of periods; and ends that were written down later."""
    end = shown_end(f"({known_end('t')})")
    return f"""{_facts(what, table, facts, to=end, more=more)}
    union all
    select '{what}_end', t.id, t.ends_on, null, t.end_recorded_at, t.imported,
           {withdrawn("t")}, {withdrawal("t")}, t.voided_by_id, t.voided_because, jsonb_build_object({facts})
      from {table} t {more}
     where {_OF_COACH} and t.end_recorded_at <= %(known)s and {_LATER_END} and t.ends_on <= %(begun)s
    """


_WITH_SUPERVISOR = "join supervision_supervisor s on s.id = t.supervisor_id"
_WITH_COURSE = "left join training_course c on c.id = t.course_id"
_ENTRIES = " union all ".join(
    (
        _period(
            "post",
            "workforce_post",
            "'pcn', o.name, 'pcn_id', o.id, 'employer', e.name, 'hours', t.hours_per_week, 'funding', t.funding,"
            f" 'outlasts', ({known_end('t')}) > %(until)s::date",
            "join workforce_organisation o on o.id = t.pcn_id join workforce_organisation e on e.id = t.employer_id",
        ),
        _period("absence", "workforce_absence", "'kind', t.kind"),
        _period("agreement", "supervision_agreement", "'kind', t.kind, 'supervisor', s.name", _WITH_SUPERVISOR),
        _facts(
            "meeting",
            "supervision_meeting",
            "'kind', t.kind, 'supervisor', s.name, 'minutes', t.minutes, 'format', t.format, 'status', t.status,"
            " 'ad_hoc', t.ad_hoc",
            day="t.held_on",
            more=_WITH_SUPERVISOR,
        ),
        _facts(
            "training",
            "training_trainingrecord",
            "'step', step.name, 'course', c.title, 'number', t.certificate_number, 'days',"
            " (select count(distinct d) from unnest(t.attended_on) as d where d <= %(begun)s)",
            day="step.day",
            more=f"""{_WITH_COURSE} cross join lateral (values ('enrolled', t.enrolled_on),
                ('certificate', t.certificate_on), ('withdrawn', t.withdrawn_on)) as step (name, day)""",
        ),
        _facts(
            "exemption",
            "training_exemption",
            "'rule', t.rule, 'course', c.title, 'approved_by', t.approved_by, 'reason', t.reason",
            to=shown_end(f"({known_end('t')})"),
            more=_WITH_COURSE,
        ),
        f"""select * from ({
            _period(
                "allocation",
                "coaching_allocation",
                "'reference', coalesce(nullif(r.reference, ''), r.uuid::text), 'source', r.source, 'pcn', o.name",
                "left join coaching_referral r on r.id = t.referral_id and r.pcn_id = any(%(work)s::bigint[])"
                " left join workforce_organisation o on o.id = r.pcn_id",
            )
        }) as taken where on_day <= %(work_until)s::date""",
        f"""
    select 'flag', t.id, day.day, null, t.at, false, false, null, t.user_id, t.note,
           jsonb_build_object('step', t.what, 'rule', f.rule, 'course', c.title)
      from standards_flagevent t
      join standards_flag f on f.id = t.flag_id
      join workforce_coach k on k.id = t.coach_id
      left join training_course c on c.register_id is not distinct from k.register_id
            and f.rule = 'training.required:' || coalesce(nullif(c.reference, ''), c.uuid::text)
     cross join lateral (select case t.what when 'raised' then f.raised_on when 'cleared' then f.cleared_on
                                else (t.at at time zone 'Europe/London')::date end as day) day
     where {_OF_COACH} and t.at <= %(known)s and day.day <= %(begun)s
       and (t.at at time zone 'Europe/London')::date <= %(until)s::date
    """,
    )
)
_PAGE = f"""
with entries as materialized ({_ENTRIES}), pages as (
    select greatest(1, ceil(count(*) / {PER_PAGE}.0)) as count from entries
)
select e.what, e.on_day, e.to_day, e.recorded_at, e.imported, e.withdrawn, e.voided_at, u.name, e.words, e.facts,
       (select count(*) from entries)
  from entries e
  left join workforce_user u on u.id = e.by_id and (e.voided_at is not null or e.what = 'flag')
 order by e.on_day desc, e.recorded_at desc, e.what, e.id desc
 limit {PER_PAGE} offset (select (least(%(page)s, count) - 1) * {PER_PAGE} from pages)::bigint
"""


class Entry(NamedTuple):
    """One thing that was written down. `words`: why it was withdrawn, or the note of an acknowledgement."""

    what: str
    on_day: date
    to_day: date | None
    recorded_at: datetime
    mark: str
    withdrawn: bool
    voided_at: datetime | None
    by: str | None
    words: str
    title: str
    details: str


class Timeline(Table[Entry]):
    """A page of entries that the database has cut already."""

    def __init__(self, rows: Sequence[Entry], count: int, given: QueryDict) -> None:
        super().__init__(rows, (), given, noun=("entry", "entries"))
        self.count = count
        self.noun = "entry" if count == 1 else "entries"

    @property
    def rows(self) -> list[Entry]:
        """The entries of the page."""
        return self.all_rows


def timeline(record: Record, given: QueryDict) -> Timeline:
    """The page of a coach's history that the address asks for.

    Referrals stand in it for those who may see the coach's work, reasons for those who may see reasons.
    """
    asked = given.get("page", "")
    parameters = {
        **record.parameters,
        "work": record.places(Can.SEE_WORK),
        "work_until": record.limits.until(Can.SEE_WORK),
        "page": max(1, int(asked)) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 1,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PAGE, parameters)
        rows = cursor.fetchall()
    entries = [_entry(record, json.loads(row[-2]), *row[:-2]) for row in rows]
    return Timeline(entries, rows[0][-1] if rows else 0, given)


def _entry(
    record: Record,
    facts: dict[str, Any],
    what: str,
    on_day: date,
    to_day: date | None,
    recorded_at: datetime,
    imported: bool,
    is_withdrawn: bool,
    voided_at: datetime | None,
    by: str | None,
    words: str,
) -> Entry:
    if what.startswith(("absence", "exemption")) and not record.sees(Can.SEE_REASONS, on_day):
        facts = facts | {"kind": None, "reason": ""}
        words = ""
    if what.startswith("allocation") and facts["reference"] is None:
        words = ""  # why another PCN's was withdrawn is that PCN's
    if what.startswith("post") and facts["outlasts"] and facts["pcn_id"] not in record.actor.pcns(record.can):
        facts = facts | ({"pcn": "another PCN", "employer": "another employer"} if record.has_left else {})
    title, details = _WORDS[what](facts)
    shown_words = words if voided_at or what == "flag" else ""
    marked = "" if what == "flag" else mark(on_day, recorded_at, imported)
    return Entry(what, on_day, to_day, recorded_at, marked, is_withdrawn, voided_at, by, shown_words, title, details)


# --- Words ------------------------------------------------------------------------------------------------------------

_Words = tuple[str, str]
_Say = Callable[[dict[str, Any]], _Words]


def _post(facts: dict[str, Any]) -> _Words:
    paid = "funded by ARRS" if facts["funding"] == Post.Funding.ARRS else "other funding"
    return f"Post at {facts['pcn']}", f"Employed by {facts['employer']}, {facts['hours']:g} hours a week, {paid}"


def _absence(facts: dict[str, Any]) -> _Words:
    return (f"Absence: {Absence.Kind(facts['kind']).label.lower()}" if facts["kind"] else "Absence"), ""


def _agreement(facts: dict[str, Any]) -> _Words:
    return f"{Agreement.Kind(facts['kind']).label}: agreement with {facts['supervisor']}", ""


def _meeting(facts: dict[str, Any]) -> _Words:
    kind = Meeting.Kind(facts["kind"])
    said = [
        Meeting.Status(facts["status"]).label,
        f"{facts['minutes']} minutes",
        Meeting.Format(facts["format"]).label.lower(),
        *(["ad hoc"] if facts["ad_hoc"] else []),
    ]
    name = kind.label if kind == Meeting.Kind.APPRAISAL else f"{kind.label} meeting"
    return f"{name} with {facts['supervisor']}", ", ".join(said)


def _training(facts: dict[str, Any]) -> _Words:
    course, days = facts["course"], facts["days"]
    if facts["step"] == "certificate":
        return f"Certificate: {course}", f"Number {facts['number']}" if facts["number"] else ""
    if facts["step"] == "withdrawn":
        return f"Withdrawn from {course}", ""
    return f"Enrolled on {course}", f"{days} day{'' if days == 1 else 's'} attended" if days else ""


def _exemption(facts: dict[str, Any]) -> _Words:
    rule = RULES[Exemption.BEFORE_REFERRALS].title if facts["rule"] == Exemption.BEFORE_REFERRALS else facts["course"]
    reason = f". Reason: {facts['reason']}" if facts["reason"] else ""
    return f"Exempt: {rule}", f"Approved by {facts['approved_by']}{reason}"


def _allocation(facts: dict[str, Any]) -> _Words:
    if facts["reference"] is None:
        return "Took a referral at another PCN", ""
    return f"Took referral {facts['reference']}", f"{Referral.Source(facts['source']).label}, {facts['pcn']}"


def _allocation_end(facts: dict[str, Any]) -> _Words:
    if facts["reference"] is None:
        return "Last day with a referral at another PCN", ""
    return f"Last day with referral {facts['reference']}", facts["pcn"]


def _flag(facts: dict[str, Any]) -> _Words:
    title = RULES[facts["rule"]].title if facts["rule"] in RULES else facts["course"] or facts["rule"]
    return f"Flag {FlagEvent.What(facts['step']).label.lower()}: {title}", ""


def _last_day(title: _Say) -> _Say:
    """The words of an end: the same, on its last day."""
    return lambda facts: (f"{title(facts)[0]}: last day", "")


_WORDS: dict[str, _Say] = {
    "post": _post,
    "post_end": _last_day(_post),
    "absence": _absence,
    "absence_end": _last_day(_absence),
    "agreement": _agreement,
    "agreement_end": _last_day(_agreement),
    "meeting": _meeting,
    "training": _training,
    "exemption": _exemption,
    "allocation": _allocation,
    "allocation_end": _allocation_end,
    "flag": _flag,
}
