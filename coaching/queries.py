"""Facts of referrals for many coaches at once."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, NamedTuple

from django.db import connection

from coaching.models import Referral
from hwbc.workforce.queries import GROUND, SUBJECT, covers, known, known_end, shown_end
from training.queries import COMPLETED_ON

_FIRST_UNTRAINED = f"""
with {GROUND}
select a.coach_id, min(a.starts_on)
  from present p
  join coaching_allocation a on a.coach_id = p.coach_id
 where {known("a")} and a.starts_on <= %(day)s
   and not exists (select 1 from training_exemption x
                    where x.coach_id = a.coach_id and x.rule = 'training.before_referrals'
                      and {covers("x", "a.starts_on")})
 group by a.coach_id
"""


def first_untrained(parameters: Mapping[str, Any]) -> dict[int, date]:
    """Coach → the first day, by the day asked about, on which they took a referral without an exemption covering it.

    Whether they had completed their training by then is for `coaching.rules.before_referrals`: completion by the day
    asked about clears what came before it.
    """
    with connection.cursor() as cursor:
        cursor.execute(_FIRST_UNTRAINED, parameters)
        return dict(cursor)


# --- One coach: what the page about their caseload shows --------------------------------------------------------------


class Taken(NamedTuple):
    """A referral that a coach took. Nobody's identity; what lies behind a wall is null."""

    seen: bool  # the actor may see the referral; otherwise it is at another PCN
    reference: str | None
    pcn: str | None
    source: str | None
    priority: str | None
    received_on: date | None
    taken_on: date
    last_day: date | None  # of the allocation
    open: bool  # on the day
    closed: bool  # the referral ended with the allocation; otherwise it was handed on
    outcome: str
    readiness: str  # on the day it was taken: trained, exempt, untrained
    sees_contacts: bool
    contacts: int | None  # attended sessions on days of the allocation, up to the day
    last_contact: date | None
    recorded_at: datetime
    imported: bool

    @property
    def source_words(self) -> str:
        """Who asked."""
        return Referral.Source(self.source).label if self.source else ""

    @property
    def is_urgent(self) -> bool:
        """Whether it was urgent."""
        return self.priority == Referral.Priority.URGENT


_TAKEN = f"""
with {GROUND}, {SUBJECT}, completion as (
    select min({COMPLETED_ON}) as completed_on
      from subject p
      join training_trainingrecord t on t.coach_id = p.coach_id and {known("t")}
      join training_course c on c.id = t.course_id and c.kind = 'pci_health_coaching'
)
select r.id is not null, coalesce(nullif(r.reference, ''), r.uuid::text), o.name, r.source, r.priority, r.received_on,
       a.starts_on, {shown_end("a.last_day")}, a.last_day >= %(day)s,
       coalesce(a.last_day < %(day)s and r.closed_on <= a.last_day, false),
       case when a.last_day < %(day)s and r.closed_on <= a.last_day then r.outcome else '' end,
       case when a.starts_on >= f.completed_on then 'trained'
            when exists (select 1 from training_exemption x
                          where x.coach_id = a.coach_id and x.rule = 'training.before_referrals'
                            and {covers("x", "a.starts_on")}) then 'exempt'
            else 'untrained' end,
       coalesce(r.pcn_id = any(%(care)s::bigint[]), false), k.contacts, k.last_contact, a.recorded_at, a.imported
  from (select t.*, {known_end("t")} as last_day from coaching_allocation t
         where t.coach_id = any(%(coaches)s::bigint[]) and {known("t")} and t.starts_on <= %(day)s) a
 cross join completion f
  left join coaching_referral r on r.id = a.referral_id and r.pcn_id = any(%(work)s::bigint[])
  left join workforce_organisation o on o.id = r.pcn_id
  left join lateral (
    select count(*) as contacts, max(s.held_on) as last_contact from coaching_coachingsession s
     where s.referral_id = r.id and s.outcome = 'attended' and {known("s")}
       and s.held_on between a.starts_on and least(a.last_day, %(day)s)
  ) k on r.pcn_id = any(%(care)s::bigint[])
 order by a.last_day >= %(day)s desc, a.starts_on desc, a.id desc
"""


def taken(parameters: Mapping[str, Any]) -> list[Taken]:
    """The referrals that a coach had taken by the day: the open ones first, then the newest.

    Parameters: those of hwbc.workforce.queries.GROUND for one coach, `until`, and the PCNs whose work (`work`) and
    whose patients' contacts (`care`) may be seen.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, parameters)
        return [Taken._make(row) for row in cursor]
