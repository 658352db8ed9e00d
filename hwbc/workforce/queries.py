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
