"""What the front door asks: who somebody is, and whom they reach."""

from dataclasses import dataclass
from datetime import date

from django.db import connection

from hwbc.workforce.roles import ALLOWS, Can, Role


@dataclass(frozen=True)
class Granted:
    """One live grant with what it reaches: the organisations at and below its own, their PCNs, their coaches."""

    role: Role
    organisation_id: int
    organisation: str
    coach_id: int | None
    starts_on: date
    ends_on: date | None
    nodes: tuple[int, ...]
    pcns: tuple[int, ...]
    coaches: tuple[int, ...]

    def allows(self, can: Can) -> bool:
        """Whether the grant's role may do this."""
        return can in ALLOWS[self.role]


_REACH = """
with recursive live as (
    select g.id, g.role, g.organisation_id, g.coach_id, g.starts_on, g.ends_on
      from workforce_grant g
     where g.user_id = %(user)s and g.revoked_at is null
       and g.starts_on <= %(day)s and (g.ends_on is null or g.ends_on >= %(day)s)
), below as (
    select id as grant_id, organisation_id as node from live
    union
    select b.grant_id, o.id from below b join workforce_organisation o on o.parent_id = b.node
), places as (
    select b.grant_id, array_agg(b.node order by b.node) as nodes,
           coalesce(array_agg(b.node order by b.node) filter (where o.kind = 'pcn'), '{}') as pcns
      from below b join workforce_organisation o on o.id = b.node
     group by b.grant_id
)
select l.role, l.organisation_id, o.name, l.coach_id, l.starts_on, l.ends_on, p.nodes, p.pcns,
       case when l.coach_id is not null then array[l.coach_id]
            else array(select distinct post.coach_id from workforce_post post
                        where post.pcn_id = any(p.pcns) and post.voided_at is null order by post.coach_id)
       end
  from live l
  join places p on p.grant_id = l.id
  join workforce_organisation o on o.id = l.organisation_id
 order by l.starts_on, l.id
"""


def reach(user_id: int, day: date) -> tuple[Granted, ...]:
    """A user's grants that are live on `day`, each with what it reaches. One query for both walls.

    A PCN reaches a coach through any post there, past or present; a grant for one coach reaches that coach alone.
    Needs the walls lifted: it decides what the scope will be.
    """
    with connection.cursor() as cursor:
        cursor.execute(_REACH, {"user": user_id, "day": day})
        return tuple(
            Granted(Role(role), node, name, coach, starts, ends, tuple(nodes), tuple(pcns), tuple(coaches))
            for role, node, name, coach, starts, ends, nodes, pcns, coaches in cursor.fetchall()
        )


# --- Facts of the ground floor, as at a day, as known at a moment ----------------------------------------------------


def known(table: str) -> str:
    """SQL: the row was recorded by %(known)s and not voided by then."""
    return f"{table}.recorded_at <= %(known)s and ({table}.voided_at is null or {table}.voided_at > %(known)s)"


def known_end(table: str) -> str:
    """SQL: the last day of a period as known at %(known)s; infinity where it is still running, or its end not known."""
    return f"case when {table}.end_recorded_at <= %(known)s then {table}.ends_on else 'infinity'::date end"


def covers(table: str, day: str = "%(day)s::date") -> str:
    """SQL: the period covers a day, as known at %(known)s."""
    return f"({table}.starts_on <= {day} and {day} <= {known_end(table)} and {known(table)})"


def _joined(table: str, same: str) -> str:
    """SQL: periods that follow each other without a free day, joined; over all rows, also those to come."""
    return f"""
    select {same}, min(starts_on) as first_day, max(last_day) as last_day
      from (select *, sum(begins) over (partition by {same} order by starts_on) as island
              from (select *, case when starts_on <= max(last_day) over (partition by {same} order by starts_on
                                        rows between unbounded preceding and 1 preceding) + 1
                              then 0 else 1 end as begins
                      from (select t.*, {known_end("t")} as last_day from {table} t
                             where {known("t")}
                               and (%(coaches)s::bigint[] is null or t.coach_id = any(%(coaches)s::bigint[]))
                           ) as recorded) as marked) as islands
     group by {same}, island
    """


# Common table expressions for the queries of every app; parameters: day, known, coaches (null: all), and the numbers
# that differ from the defaults as arrays (hwbc.standards.queries.parameters).
#   asked: the numbers of each PCN whose standard is not the default one
#   present: one row a coach with a post that covers the day: the current employment (rules, section 2)
#   pausing: the days on which a long absence pauses; a running one from its 14th day on, an ended one all of them
GROUND = f"""
months as (
    select %(day)s::date as day,
           date_trunc('month', %(day)s::date)::date as first,
           (date_trunc('month', %(day)s::date) + interval '1 month - 1 day')::date as last,
           (date_trunc('month', %(day)s::date) - interval '1 month')::date as before_first,
           date_trunc('month', %(day)s::date)::date - 1 as before_last,
           'infinity'::date as forever  -- as a column: compared with a constant, the planner takes a join for tiny
), asked as (
    select * from unnest(%(pcns)s::bigint[], %(pause_after_days)s::int[], %(completed_days)s::int[],
                         %(supervisor_tier)s::int[], %(supervisor_years)s::int[], %(supervisor_nhs_hours)s::int[],
                         %(supervisor_caseload_hours)s::int[], %(supervisor_evidence_months)s::int[])
        as a (pcn_id, pause_after_days, completed_days, supervisor_tier, supervisor_years, supervisor_nhs_hours,
              supervisor_caseload_hours, supervisor_evidence_months)
), employments as ({_joined("workforce_post", "coach_id, pcn_id, employer_id")}
), present as materialized (
    select distinct on (e.coach_id) e.coach_id, e.pcn_id, e.first_day as started_on, e.last_day as ended_on,
           coalesce(a.pause_after_days, d.pause_after_days) as pause_after_days,
           coalesce(a.completed_days, d.completed_days) as completed_days,
           coalesce(a.supervisor_tier, d.supervisor_tier) as supervisor_tier,
           coalesce(a.supervisor_years, d.supervisor_years) as supervisor_years,
           coalesce(a.supervisor_nhs_hours, d.supervisor_nhs_hours) as supervisor_nhs_hours,
           coalesce(a.supervisor_caseload_hours, d.supervisor_caseload_hours) as supervisor_caseload_hours,
           coalesce(a.supervisor_evidence_months, d.supervisor_evidence_months) as supervisor_evidence_months
      from employments e
      join workforce_organisation o on o.id = e.pcn_id
      left join asked a on a.pcn_id = e.pcn_id
      left join asked d on d.pcn_id = 0
     where e.first_day <= %(day)s and e.last_day >= %(day)s
     order by e.coach_id, e.first_day, o.code collate "C"
), pausing as materialized (
    select a.coach_id,
           case when a.last_day = 'infinity' then a.first_day + p.pause_after_days - 1
                else a.first_day end as first_day,
           a.last_day
      from ({_joined("workforce_absence", "coach_id")}) a
      join present p on p.coach_id = a.coach_id
     where a.first_day <= %(day)s
       and (a.last_day = 'infinity' or a.last_day - a.first_day + 1 >= p.pause_after_days)
)
"""
