"""Facts of supervision for many coaches at once; and the one place that says whether a meeting counts."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from hwbc.workforce.queries import GROUND, known, known_end
from supervision.rules import CLINICAL_ROLES, Facts


def _newest(name: str, kind: str) -> str:
    """SQL: the newest evidence of a kind on the first day of interval `i`, joined by this name."""
    return f"""left join lateral (select e.number, e.evidenced_on from supervision_evidence e
        where e.supervisor_id = i.supervisor_id and e.kind = '{kind}' and e.evidenced_on <= i.from_day and {known("e")}
        order by e.evidenced_on desc limit 1) {name} on true"""


# What supervisors had shown, as intervals between one piece of evidence and the next: the newest of each kind.
# Only intervals that reach into `months` or later are filled: the rules ask about no earlier meeting.
SHOWN = f"""
shown as materialized (
    select i.supervisor_id, i.from_day, i.until, t.number as tier, y.number as years, h.number as nhs_hours,
           c.number as caseload, c.evidenced_on as caseload_on, o.evidenced_on as own_on
      from (select supervisor_id, evidenced_on as from_day,
                   lead(evidenced_on, 1, 'infinity') over (partition by supervisor_id order by evidenced_on) - 1
                       as until
              from (select distinct e.supervisor_id, e.evidenced_on from supervision_evidence e
                     where {known("e")} and e.evidenced_on <= %(day)s) as changes) as i
      cross join months
      {_newest("t", "tier")}
      {_newest("y", "coaching_years")}
      {_newest("h", "nhs_coaching_hours")}
      {_newest("c", "caseload_hours")}
      {_newest("o", "own_supervision")}
     where i.until >= months.before_first
)
"""


def _eligible(day: str) -> str:
    """SQL: a supervisor who has shown `v` may give health coaching supervision on a day to coach `p` (R-049 on)."""
    return f"""coalesce(v.tier >= p.supervisor_tier
        and (coalesce(v.years >= p.supervisor_years, false) or coalesce(v.nhs_hours >= p.supervisor_nhs_hours, false))
        and v.caseload >= p.supervisor_caseload_hours
        and {day} <= v.caseload_on + make_interval(months => p.supervisor_evidence_months)
        and {day} <= v.own_on + make_interval(months => p.supervisor_evidence_months), false)"""


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
    """SQL: the last counted meeting of a kind in the current employment; a walk back along the index to the first."""
    return f"""(select m.held_on
       from supervision_meeting m join supervision_supervisor s on s.id = m.supervisor_id
      where m.coach_id = p.coach_id and m.kind = '{kind}' and {known("m")}
        and m.held_on <= %(day)s and m.held_on >= p.started_on and {verdict(eligible="true")} = 'counts'
      order by m.held_on desc limit 1)"""


_FACTS = f"""
with {GROUND}, {SHOWN},
pauses as (
    select p.coach_id, bool_or(m.day between a.first_day and a.last_day) as paused,
           max(a.last_day + 1) filter (where a.last_day < m.day) as returned_on,
           bool_or(a.first_day <= m.day and a.last_day >= m.first) as paused_this_month,
           sum(greatest(0, least(a.last_day, p.ended_on, m.before_last)
                           - greatest(a.first_day, p.started_on, m.before_first) + 1)) as days_before,
           sum(greatest(0, least(a.last_day, p.ended_on, m.last)
                           - greatest(a.first_day, p.started_on, m.first) + 1)) as days_now
      from pausing a join present p on p.coach_id = a.coach_id cross join months m
     group by p.coach_id
), agreements as (
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
  left join (
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
  ) m on m.coach_id = p.coach_id
"""


def facts(parameters: Mapping[str, Any]) -> dict[int, tuple[int, Facts]]:
    """Coach → PCN of the current employment, and facts, for every coach with a post on the day.

    The parameters are those of hwbc.workforce.queries.GROUND.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, parameters)
        return {row[0]: (row[1], Facts._make(row[2:])) for row in cursor}
