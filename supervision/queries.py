"""Facts of supervision for many coaches at once; and the one place that says whether a meeting counts."""

from collections.abc import Mapping
from typing import Any

from django.db import connection

from hwbc.workforce.queries import GROUND, known, known_end
from supervision.rules import CLINICAL_ROLES, Facts


def _newest(kind: str, day: str) -> str:
    """SQL: the newest evidence of a kind, of supervisor `s`, dated on or before a day."""
    return f"""(select e.number from supervision_evidence e
                 where e.supervisor_id = s.id and e.kind = '{kind}' and e.evidenced_on <= {day} and {known("e")}
                 order by e.evidenced_on desc limit 1)"""


def _recent(kind: str, day: str) -> str:
    """SQL: the day of the newest evidence of a kind is no more than twelve months before a day."""
    return f"""{day} <= (select max(e.evidenced_on) from supervision_evidence e
                 where e.supervisor_id = s.id and e.kind = '{kind}' and e.evidenced_on <= {day} and {known("e")}
               ) + make_interval(months => p.supervisor_evidence_months)"""


def _eligible(day: str) -> str:
    """SQL: supervisor `s` may give health coaching supervision on a day, by what is asked of coach `p` (R-049 on)."""
    return f"""coalesce({_newest("tier", day)} >= p.supervisor_tier
        and (coalesce({_newest("coaching_years", day)} >= p.supervisor_years, false)
             or coalesce({_newest("nhs_coaching_hours", day)} >= p.supervisor_nhs_hours, false))
        and {_newest("caseload_hours", day)} >= p.supervisor_caseload_hours
        and {_recent("caseload_hours", day)} and {_recent("own_supervision", day)}, false)"""


# A meeting counts (rules, section 4), or the code says why it does not. Of meeting `m`, supervisor `s`, coach `p`.
VERDICT = f"""case
    when m.status <> 'held' then m.status
    when m.held_on > %(day)s then 'after_the_day'
    when m.format <> 'individual' then 'group'
    when m.ad_hoc then 'ad_hoc'
    when s.coach_id = m.coach_id then 'own_supervisor'
    when m.kind = 'clinical' and s.role not in {CLINICAL_ROLES} then 'not_a_clinician'
    when m.kind = 'health_coaching' and not {_eligible("m.held_on")} then 'supervisor_not_eligible'
    else 'counts' end"""

_FACTS = f"""
with {GROUND},
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
), counted as materialized (
    select m.coach_id, m.kind, m.held_on, m.minutes
      from present p
      join supervision_meeting m on m.coach_id = p.coach_id
      join supervision_supervisor s on s.id = m.supervisor_id
      cross join months
     where {known("m")} and m.held_on <= %(day)s
       and m.held_on >= case when m.kind = 'health_coaching' then months.before_first else p.started_on end
       and {VERDICT} = 'counts'
), meetings as (
    select c.coach_id,
           max(held_on) filter (where kind = 'line') as line,
           max(held_on) filter (where kind = 'clinical') as clinical,
           max(held_on) filter (where kind = 'appraisal') as appraisal,
           sum(minutes) filter (where kind = 'health_coaching' and held_on < months.first) as minutes_before,
           sum(minutes) filter (where kind = 'health_coaching' and held_on >= months.first) as minutes_now
      from counted c cross join months
     group by c.coach_id
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
      join (select coach_id, kind, supervisor_id, starts_on, {known_end("t")} as last_day from supervision_agreement t
             where {known("t")} and starts_on <= %(day)s) g on g.coach_id = p.coach_id
      join supervision_supervisor s on s.id = g.supervisor_id
     group by p.coach_id
)
select p.coach_id, p.started_on, u.returned_on, coalesce(u.paused, false), m.line, m.clinical, m.appraisal,
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
  left join meetings m on m.coach_id = p.coach_id
  left join agreements g on g.coach_id = p.coach_id
"""


def facts(parameters: Mapping[str, Any]) -> dict[int, Facts]:
    """Coach → facts, for every coach with a post on the day; parameters as hwbc.workforce.queries.GROUND has them."""
    with connection.cursor() as cursor:
        cursor.execute(_FACTS, parameters)
        return {row[0]: Facts._make(row[1:]) for row in cursor}
