"""Facts of referrals for many coaches at once."""

from collections.abc import Mapping
from datetime import date
from typing import Any

from django.db import connection

from hwbc.workforce.queries import GROUND, covers, known

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
