"""Facts of supervision for many coaches at once; and the one place that says whether a meeting counts."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Q

from hwbc.workforce.queries import (
    GROUND,
    SUBJECT,
    AboutCoaches,
    covers,
    known,
    known_end,
    shown_end,
    withdrawal,
    withdrawn,
)
from supervision.models import Agreement, Meeting, Supervisor
from supervision.rules import CLINICAL_ROLES, Facts


def _newest(name: str, kind: str) -> str:
    """SQL: the newest evidence of a kind on the first day of interval `i`, joined by this name."""
    return f"""left join lateral (select e.number, e.text, e.evidenced_on from supervision_evidence e
        where e.supervisor_id = i.supervisor_id and e.kind = '{kind}' and e.evidenced_on <= i.from_day and {known("e")}
        order by e.evidenced_on desc limit 1) {name} on true"""


def _shown(since: str = "months.before_first", whose: str = "true") -> str:
    """SQL: what supervisors had shown, the newest of each kind, in intervals from one piece of evidence to the next.

    Only intervals that reach into the day `since` or later are filled, of supervisors `e.supervisor_id` for whom
    `whose` holds: the rules ask about no meeting before the last calendar month.
    """
    return f"""
shown as materialized (
    select i.supervisor_id, i.from_day, i.until, t.number as tier, y.number as years, h.number as nhs_hours,
           c.number as caseload, c.evidenced_on as caseload_on, o.evidenced_on as own_on
      from (select supervisor_id, evidenced_on as from_day,
                   lead(evidenced_on, 1, 'infinity') over (partition by supervisor_id order by evidenced_on) - 1
                       as until
              from (select distinct e.supervisor_id, e.evidenced_on from supervision_evidence e
                     where {known("e")} and e.evidenced_on <= %(day)s and {whose}) as changes) as i
      cross join months
      {_newest("t", "tier")}
      {_newest("y", "coaching_years")}
      {_newest("h", "nhs_coaching_hours")}
      {_newest("c", "caseload_hours")}
      {_newest("o", "own_supervision")}
     where i.until >= {since}
)
"""


def _standard(day: str) -> dict[str, str]:
    """SQL, item by item: what `v` shows is what is asked, on a day, of a supervisor of coach `p` (R-049 to R-054)."""
    fresh = "+ make_interval(months => p.supervisor_evidence_months)"
    return {
        "tier": "v.tier >= p.supervisor_tier",
        "experience": "(coalesce(v.years >= p.supervisor_years, false)"
        " or coalesce(v.nhs_hours >= p.supervisor_nhs_hours, false))",
        "caseload": f"v.caseload >= p.supervisor_caseload_hours and {day} <= v.caseload_on {fresh}",
        "own_supervision": f"{day} <= v.own_on {fresh}",
    }


def _eligible(day: str) -> str:
    """SQL: a supervisor who has shown `v` may give health coaching supervision on a day to coach `p`."""
    return f"coalesce({' and '.join(_standard(day).values())}, false)"


def verdict(eligible: str = _eligible("m.held_on")) -> str:
    """SQL: 'counts' (rules, section 4), or the code that says why not. Of meeting `m`, supervisor `s`, coach `p`.

    `eligible` is asked of health coaching meetings alone, of what the supervisor had shown (`v`).
    """
    return f"""case
        when m.status <> 'held' then m.status
        when m.held_on > %(day)s then 'after_the_day'
        when m.format <> 'individual' then 'group'
        when m.ad_hoc then 'ad_hoc'
        when s.coach_id = m.coach_id then 'own_supervisor'
        when m.kind = 'clinical' and s.role not in {CLINICAL_ROLES} then 'not_a_clinician'
        when m.kind = 'health_coaching' and not {eligible} then 'supervisor_not_eligible'
        else 'counts' end"""


def _last(kind: str) -> str:
    """SQL: the last counted meeting of a kind in the current employment; a walk back along the index to the first.

    `offset 0`: the supervisor is looked up, and not all of them read for every coach.
    """
    return f"""(select m.held_on
       from supervision_meeting m
       join lateral (select * from supervision_supervisor where id = m.supervisor_id offset 0) s on true
      where m.coach_id = p.coach_id and m.kind = '{kind}' and {known("m")}
        and m.held_on <= %(day)s and m.held_on >= p.started_on and {verdict(eligible="true")} = 'counts'
      order by m.held_on desc limit 1)"""


_FACTS = f"""
with {GROUND}, {_shown()},
pauses as materialized (
    select p.coach_id, bool_or(m.day between a.first_day and a.last_day) as paused,
           max(a.last_day + 1) filter (where a.last_day < m.day) as returned_on,
           bool_or(a.first_day <= m.day and a.last_day >= m.first) as paused_this_month,
           sum(greatest(0, least(a.last_day, p.ended_on, m.before_last)
                           - greatest(a.first_day, p.started_on, m.before_first) + 1)) as days_before,
           sum(greatest(0, least(a.last_day, p.ended_on, m.last)
                           - greatest(a.first_day, p.started_on, m.first) + 1)) as days_now
      from pausing a join present p on p.coach_id = a.coach_id cross join months m
     group by p.coach_id
), agreements as materialized (
    select p.coach_id,
           bool_or(g.kind = 'line' and g.last_day >= %(day)s) as line,
           bool_or(g.kind = 'clinical' and g.last_day >= %(day)s) as clinical,
           bool_or(g.kind = 'health_coaching' and g.last_day >= %(day)s) as health_coaching,
           max(g.last_day) filter (where g.kind = 'line' and g.last_day < %(day)s) as line_until,
           max(g.last_day) filter (where g.kind = 'clinical' and g.last_day < %(day)s) as clinical_until,
           max(g.last_day) filter (where g.kind = 'health_coaching' and g.last_day < %(day)s) as health_coaching_until,
           bool_or(case when g.kind = 'health_coaching' and g.last_day >= %(day)s
                        then {_eligible("%(day)s::date")} end) as eligible
      from present p
      join (select coach_id, kind, supervisor_id, {known_end("t")} as last_day from supervision_agreement t
             where {known("t")} and starts_on <= %(day)s) g on g.coach_id = p.coach_id
      cross join months
      left join shown v on v.supervisor_id = g.supervisor_id and v.until = months.forever
     group by p.coach_id
), minutes as materialized (
    select m.coach_id,
           sum(m.minutes) filter (where m.held_on < months.first) as minutes_before,
           sum(m.minutes) filter (where m.held_on >= months.first) as minutes_now
      from months
      join supervision_meeting m on m.kind = 'health_coaching' and m.held_on between months.before_first and months.day
      join present p on p.coach_id = m.coach_id
      join supervision_supervisor s on s.id = m.supervisor_id
      left join shown v on v.supervisor_id = m.supervisor_id and m.held_on between v.from_day and v.until
     where {known("m")} and {verdict()} = 'counts'
     group by m.coach_id
)
select p.coach_id, p.pcn_id, p.started_on, u.returned_on, coalesce(u.paused, false),
       {_last("line")}, {_last("clinical")}, {_last("appraisal")},
       coalesce(m.minutes_before, 0)::int, coalesce(m.minutes_now, 0)::int,
       greatest(0, least(p.ended_on, months.before_last) - greatest(p.started_on, months.before_first) + 1)
           - coalesce(u.days_before, 0)::int,
       greatest(0, least(p.ended_on, months.last) - greatest(p.started_on, months.first) + 1)
           - coalesce(u.days_now, 0)::int,
       coalesce(u.paused_this_month, false),
       coalesce(g.line, false), coalesce(g.clinical, false), coalesce(g.health_coaching, false),
       g.line_until, g.clinical_until, g.health_coaching_until, g.eligible
  from present p cross join months
  left join pauses u on u.coach_id = p.coach_id
  left join agreements g on g.coach_id = p.coach_id
  left join minutes m on m.coach_id = p.coach_id
"""
_ASKED = AboutCoaches("supervision", _FACTS)


def facts(parameters: Mapping[str, Any]) -> dict[int, tuple[int, Facts]]:
    """Coach → PCN of the current employment, and facts, for every coach with a post on the day.

    The parameters are those of hwbc.workforce.queries.GROUND.
    """
    with _ASKED.ask(parameters) as cursor:
        return {row[0]: (row[1], Facts._make(row[2:])) for row in cursor.fetchall()}


# --- Supervisors and access -------------------------------------------------------------------------------------------


class WithoutAccess(NamedTuple):
    """A supervisor who has no account, and the coaches (of those asked about) whom they supervise, by name."""

    supervisor: Supervisor
    coaches: tuple[str, ...]


def without_access(coaches: Collection[int], day: date) -> list[WithoutAccess]:
    """Supervisors without an account who have an agreement, on the day or later, with one of these coaches; by name."""
    agreements = (
        Agreement.objects.filter(
            Q(ends_on=None) | Q(ends_on__gte=day), coach__in=coaches, voided_at=None, supervisor__user=None
        )
        .select_related("supervisor", "coach")
        .order_by("supervisor__name", "supervisor_id", "coach__sort_name", "coach_id")
    )
    return [
        WithoutAccess(supervisor, tuple(dict.fromkeys(each.coach.name for each in theirs)))
        for supervisor, theirs in groupby(agreements, key=lambda agreement: agreement.supervisor)
    ]


def acting(user_id: int | None, coaches: Collection[int], kind: str, day: date) -> Supervisor | None:
    """As whom somebody records a meeting of a kind with these coaches: by an agreement with them, best on the day.

    An appraisal is the line manager's (R-042). None for somebody who is no supervisor.
    """
    theirs = Agreement.Kind.LINE if kind == Meeting.Kind.APPRAISAL else kind
    with connection.cursor() as cursor:
        cursor.execute(_ACTING, {"user": user_id, "coaches": list(coaches), "kind": theirs, "day": day})
        found = cursor.fetchone()
    return Supervisor.objects.get(pk=found[0]) if found else None


_ACTING = """
select s.id
  from supervision_supervisor s
  left join supervision_agreement a on a.supervisor_id = s.id and a.kind = %(kind)s and a.voided_at is null
                                   and a.coach_id = any(%(coaches)s::bigint[])
 where s.user_id = %(user)s
 order by coalesce(%(day)s between a.starts_on and coalesce(a.ends_on, 'infinity'), false) desc,
          a.starts_on desc nulls last, s.id
 limit 1
"""


def to_choose(registers: Collection[int], coaches: Collection[int]) -> list[Supervisor]:
    """Supervisors who can be agreed with: of these registers, or who have an agreement with one of these coaches."""
    agreed = Agreement.objects.filter(coach__in=coaches, voided_at=None).values("supervisor")
    return list(Supervisor.objects.filter(Q(register__in=registers) | Q(pk__in=agreed)).order_by("name", "pk"))


# --- One coach: what the page about their supervision shows -----------------------------------------------------------
#
# Parameters: those of hwbc.workforce.queries.GROUND for one coach, with `until` and `begun` as they are said there.

# Whole histories are judged: of the coach's own supervisors alone, so that it costs no more than theirs.
_WHOLE = _shown(
    since="'-infinity'::date",
    whose="e.supervisor_id in (select m.supervisor_id from supervision_meeting m"
    " where m.coach_id = any(%(coaches)s::bigint[]))",
)


class Held(NamedTuple):
    """A meeting as it is known at the moment, with what the rule says of it."""

    kind: str
    supervisor: str
    held_on: date
    minutes: int
    format: str
    ad_hoc: bool
    status: str
    verdict: str  # `verdict`: 'counts', or the code that says why not
    in_employment: bool | None  # held in the current employment; None: no post on the day
    recorded_at: datetime
    imported: bool
    withdrawn: bool
    voided_at: datetime | None  # when, by whom and why; nothing where that was after what may be shown
    voided_by: str | None
    voided_because: str
    uuid: UUID
    supervisors_user: int | None  # who signs in as the supervisor

    @property
    def kind_words(self) -> str:
        """The kind of supervision."""
        return Meeting.Kind(self.kind).label

    @property
    def format_words(self) -> str:
        """Individual or in a group."""
        return Meeting.Format(self.format).label

    @property
    def status_words(self) -> str:
        """Held, planned, cancelled …"""
        return Meeting.Status(self.status).label

    @property
    def outcome(self) -> str:
        """'counts', or why not: beyond the verdict, what was withdrawn, and what another employment was owed.

        Health coaching minutes count whoever was the employer (rules, section 4).
        """
        if self.withdrawn:
            return "withdrawn"
        if self.verdict == "counts" and self.in_employment is None:
            return "no_post"
        if self.verdict == "counts" and not self.in_employment and self.kind != Meeting.Kind.HEALTH_COACHING:
            return "before_employment"
        return self.verdict

    @property
    def counts(self) -> bool:
        """Whether it counts on the day."""
        return self.outcome == "counts"


_HELD = f"""
with {GROUND}, {SUBJECT}, {_WHOLE}
select m.kind, s.name, m.held_on, m.minutes, m.format, m.ad_hoc, m.status, {verdict()},
       m.held_on >= p.started_on, m.recorded_at, m.imported, w.ed, w.at, u.name,
       case when w.at is null then '' else m.voided_because end, m.uuid, s.user_id
  from subject p
  join supervision_meeting m on m.coach_id = p.coach_id
  join supervision_supervisor s on s.id = m.supervisor_id
  left join shown v on v.supervisor_id = m.supervisor_id and m.held_on between v.from_day and v.until
 cross join lateral (select {withdrawn("m")} as ed, {withdrawal("m")} as at) w
  left join workforce_user u on u.id = m.voided_by_id and w.at is not null
 where m.recorded_at <= %(known)s and m.held_on <= %(until)s::date
   and (m.held_on <= %(day)s or (m.status = 'planned' and not w.ed))
 order by m.held_on desc, m.id desc
"""


def meetings(parameters: Mapping[str, Any]) -> list[Held]:
    """A coach's meetings up to the day, the newest first, and the planned ones after it."""
    with connection.cursor() as cursor:
        cursor.execute(_HELD, parameters)
        return [Held._make(row) for row in cursor]


class Month(NamedTuple):
    """Health coaching supervision in a calendar month, up to the day."""

    first: date
    individual: int  # minutes that count
    in_groups: int  # minutes, shown apart
    days: int  # in the current employment and outside pausing absences; of the whole month, as known on the day


_MONTHS = f"""
with {GROUND}, {SUBJECT}, {_WHOLE}, calendar as (
    select each.first, (each.first + interval '1 month - 1 day')::date as last
      from months, lateral (select (months.first - make_interval(months => n))::date as first
                              from generate_series(0, %(count)s - 1) as n) as each
)
select c.first,
       coalesce(m.individual, 0)::int, coalesce(m.in_groups, 0)::int,
       coalesce(greatest(0, least(p.ended_on, c.last) - greatest(p.started_on, c.first) + 1) - coalesce((
           select sum(greatest(0, least(a.last_day, p.ended_on, c.last)
                                  - greatest(a.first_day, p.started_on, c.first) + 1))
             from pausing a where a.coach_id = p.coach_id), 0), 0)::int
  from calendar c cross join subject p
  left join (
    select date_trunc('month', m.held_on)::date as first,
           sum(m.minutes) filter (where {verdict()} = 'counts') as individual,
           sum(m.minutes) filter (where {verdict()} = 'group') as in_groups
      from subject p
      join supervision_meeting m on m.coach_id = p.coach_id and m.kind = 'health_coaching' and {known("m")}
      join supervision_supervisor s on s.id = m.supervisor_id
      left join shown v on v.supervisor_id = m.supervisor_id and m.held_on between v.from_day and v.until
     group by 1
  ) m on m.first = c.first
 where p.started_on is not null
 order by c.first desc
"""


def months(parameters: Mapping[str, Any], count: int) -> list[Month]:
    """The day's month and those before it, so many, the newest first; none without a post on the day.

    Minutes count whoever was the employer then (rules, section 4).
    """
    with connection.cursor() as cursor:
        cursor.execute(_MONTHS, {**parameters, "count": count})
        return [Month._make(row) for row in cursor]


class Agreed(NamedTuple):
    """An agreement with a supervisor."""

    kind: str
    supervisor: str
    role: str
    starts_on: date
    ends_on: date | None
    covers: bool  # the day
    begun: bool  # by the day
    recorded_at: datetime
    imported: bool
    uuid: UUID

    @property
    def kind_words(self) -> str:
        """The kind of supervision."""
        return Agreement.Kind(self.kind).label

    @property
    def role_words(self) -> str:
        """What the supervisor is."""
        return Supervisor.Role(self.role).label


_AGREED = f"""
select t.kind, s.name, s.role, t.starts_on, {shown_end("t.last_day")}, %(day)s between t.starts_on and t.last_day,
       t.starts_on <= %(day)s, t.recorded_at, t.imported, t.uuid
  from (select t.*, {known_end("t")} as last_day from supervision_agreement t
         where t.coach_id = any(%(coaches)s::bigint[]) and {known("t")} and t.starts_on <= %(begun)s) t
  join supervision_supervisor s on s.id = t.supervisor_id
 order by %(day)s between t.starts_on and t.last_day desc, t.starts_on desc, t.kind, t.id
"""


def agreements(parameters: Mapping[str, Any]) -> list[Agreed]:
    """A coach's agreements: those that hold on the day first, then the newest."""
    with connection.cursor() as cursor:
        cursor.execute(_AGREED, parameters)
        return [Agreed._make(row) for row in cursor]


class Evidenced(NamedTuple):
    """What the health coaching supervisor named on the day had shown by it: the newest of each kind, with its day.

    `meets_…`: whether it is what is asked on the day (R-049 to R-054).
    """

    supervisor: str
    tier: Decimal | None
    tier_on: date | None
    years: Decimal | None
    years_on: date | None
    nhs_hours: Decimal | None
    nhs_hours_on: date | None
    caseload: Decimal | None
    caseload_on: date | None
    own: str | None
    own_on: date | None
    meets_tier: bool
    meets_experience: bool
    meets_caseload: bool
    meets_own_supervision: bool


_EVIDENCED = f"""
with {GROUND}, {SUBJECT}, named as (
    select distinct t.supervisor_id, %(day)s::date as from_day from supervision_agreement t
     where t.coach_id = any(%(coaches)s::bigint[]) and t.kind = 'health_coaching' and {covers("t")}
)
select s.name, t.number, t.evidenced_on, y.number, y.evidenced_on, h.number, h.evidenced_on, c.number, c.evidenced_on,
       o.text, o.evidenced_on, {", ".join(f"coalesce({held}, false)" for held in _standard("%(day)s::date").values())}
  from named i
  join supervision_supervisor s on s.id = i.supervisor_id
 cross join subject p
  {_newest("t", "tier")}
  {_newest("y", "coaching_years")}
  {_newest("h", "nhs_coaching_hours")}
  {_newest("c", "caseload_hours")}
  {_newest("o", "own_supervision")}
 cross join lateral (select t.number as tier, y.number as years, h.number as nhs_hours, c.number as caseload,
                            c.evidenced_on as caseload_on, o.evidenced_on as own_on) v
 order by s.name, s.id
"""


def evidence(parameters: Mapping[str, Any]) -> list[Evidenced]:
    """What the health coaching supervisor named on the day had shown by it; none where nobody is named."""
    with connection.cursor() as cursor:
        cursor.execute(_EVIDENCED, parameters)
        return [Evidenced._make(row) for row in cursor]
