"""Shares by month: what is counted at the end of each for every PCN, and how a page reads it again.

Counted by the checks, a moment after each run (docs/decisions/0014): the last months that have ended, all of them anew,
for a late entry changes the past. Every number is what `columns.cell` says, as on the overview of PCNs for that day.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from itertools import dropwhile
from typing import NamedTuple
from urllib.parse import quote, urlencode

from django.db import connection
from django.db.models import Max
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString

from hwbc.compliance.as_at import DAY, AsAt
from hwbc.compliance.columns import ASKED, OF_A_PCN, ON_TRACK, SHOWN, cell
from hwbc.compliance.queries import standings
from hwbc.compliance.shares import Share
from hwbc.kit.charts import Point, Series, data_table, line_chart
from hwbc.standards.actions import Counted
from hwbc.standards.models import MonthlyShare, Run
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Organisation
from hwbc.workforce.queries import covers, known

MONTHS = 18  # that are counted, and shown before the page's own day
# Beside the rules, how many of a PCN's coaches have a post at another one too: a sum over PCNs counts them twice.
IN_TWO = "posts.two_pcns"
# Of all rules, those that say most: what "Home" has room for.
TELLING = tuple(shown for shown in OF_A_PCN if shown.key in ("line", "clinical", "coaching", "ready"))
(_, _ON_TRACK), (_, _ASKED) = SHOWN[ON_TRACK], SHOWN[ASKED]
# Whoever counts holds this to the end of their transaction, and asks for no other lock.
_LOCK = "hashtext('hwbc.shares')"


# --- Counting: the walls are lifted by the caller ---------------------------------------------------------------------


def ended_months(today: date) -> list[date]:
    """The last days of the last MONTHS months that have ended before a day, the oldest first."""
    days = [today.replace(day=1) - timedelta(days=1)]
    while len(days) < MONTHS:
        days.append(days[-1].replace(day=1) - timedelta(days=1))
    return days[::-1]


def due(now: datetime) -> list[date]:
    """The months to be counted at a moment; none where they were since the last checks, or somebody is at it.

    Nothing says so but the rows themselves: a count that was lost, with its process or its message, is due still.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_try_advisory_xact_lock({_LOCK})")
        if not cursor.fetchone()[0]:
            return []
    done = Run.objects.filter(kind=Run.Kind.CHECKS, outcome=Run.Outcome.DONE).aggregate(at=Max("ended_at"))["at"]
    months = ended_months(timezone.localdate(now))
    if done is None or MonthlyShare.objects.filter(on=months[-1], counted_at__gte=done).exists():
        return []
    return months


_PCNS_OF = f"""
select p.coach_id, array_agg(distinct p.pcn_id)
  from workforce_post p join workforce_coach c on c.id = p.coach_id
 where {covers("p")} and {known("c")}
 group by p.coach_id
"""  # noqa: S608  put together from constants of ours; every value is a parameter


def counted(months: Iterable[date], at: datetime) -> Iterator[list[Counted]]:
    """Each of these days, with what is known at a moment: every PCN and rule, also where nobody was asked."""
    pcns = list(Organisation.objects.filter(kind=Organisation.Kind.PCN).order_by("pk").values_list("pk", flat=True))
    for on in months if pcns else ():
        with connection.cursor() as cursor:
            cursor.execute(_PCNS_OF, {"day": on, "known": at})
            pcns_of: dict[int, list[int]] = dict(cursor.fetchall())
        alike: dict[int, Counter[tuple[str, ...]]] = defaultdict(Counter)  # coaches with the same states in all columns
        in_two: Counter[int] = Counter()
        for standing in standings(on, at):
            if here := pcns_of.get(standing.coach):
                states = tuple(cell(standing, *shown.rules).state for shown in OF_A_PCN)
                for pcn in here:
                    alike[pcn][states] += 1
                if len(here) > 1:
                    in_two.update(here)
        yield [row for pcn in pcns for row in [*_rows(pcn, on, alike[pcn]), Counted(pcn, on, IN_TWO, 0, in_two[pcn])]]


def _rows(pcn: int, on: date, alike: Counter[tuple[str, ...]]) -> Iterator[Counted]:
    for column, shown in enumerate(OF_A_PCN):
        part = sum(count for states, count in alike.items() if states[column] in _ON_TRACK)
        whole = sum(count for states, count in alike.items() if states[column] in _ASKED)
        yield Counted(pcn, on, shown.rules[0], part, whole)


# --- Reading ---------------------------------------------------------------------------------------------------------


class Trend(NamedTuple):
    """What a page shows of months: charts and their table or, in their place, why there are none."""

    charts: list[SafeString]
    table: SafeString
    counted_at: datetime | None
    missing: str = ""


def for_actor(actor: Actor, pcns: Collection[int], as_at: AsAt, present: Sequence[Share], place: str | None) -> Trend:
    """The shares of these PCNs together, month by month up to the page's day. One query.

    `present`: the page's own shares of that day, the last point of each line, and with them which rules are shown.
    `place` narrows the list of coaches to exactly those of these PCNs, as in `shares.Counter.row`.
    """
    if as_at.known is not None:
        return _nothing(
            "Months are counted with what is known when the nightly checks run. As it was known at another moment "
            "they were not kept, so none are shown."
        )
    rules = [share.shown.rules[0] for share in present]
    months = _read(actor, pcns, as_at.day, rules)
    if not months:
        if as_at.day <= ended_months(as_at.today)[0]:
            return _nothing(f"The last {MONTHS} months are counted, and none of them ended before this day.")
        return _nothing("The first months appear after the next nightly checks.")
    asked = list(dropwhile(lambda month: not any(month.of(rule)[1] for rule in rules), months))
    if not asked:
        return _nothing("At the end of the months that are counted nobody here was asked about this.")
    addresses = _Addresses(as_at, asked, place, together=len(pcns) > 1)
    series = [_series(share, asked, addresses, as_at.day) for share in present]
    return Trend(
        [line_chart(each, ("coach", "coaches")) for each in series],
        data_table("Met or due soon, of those asked", series),
        asked[0].counted_at,
    )


def _nothing(why: str) -> Trend:
    return Trend([], SafeString(""), None, why)


class _Month(NamedTuple):
    """The end of a month, summed over PCNs: rule → on track, asked."""

    on: date
    shares: dict[str, tuple[int, int]]
    counted_at: datetime

    def of(self, rule: str) -> tuple[int, int]:
        """A rule's share; of nobody, where the rule is newer than the count."""
        return self.shares.get(rule, (0, 0))

    @property
    def in_two(self) -> int:
        """How many coaches may be counted twice."""
        return self.of(IN_TWO)[1]


# A row a month: two hundred small ones would cost a page more to read than to draw.
_SUMS = """
select "on", jsonb_object_agg(rule, jsonb_build_array(on_track, asked)), max(counted_at)
  from (select "on", rule, sum(on_track) as on_track, sum(asked) as asked, max(counted_at) as counted_at
          from standards_monthlyshare
         where pcn_id = any(%(pcns)s) and "on" < %(before)s and rule = any(%(rules)s)
         group by "on", rule) as summed
 group by "on" order by "on"
"""


def _read(actor: Actor, pcns: Collection[int], before: date, rules: Sequence[str]) -> list[_Month]:
    """The counted months that ended before a day, the oldest first: of those PCNs whose rows `for_actor` would give."""
    seen = sorted(actor.pcns(MonthlyShare.read_by).intersection(pcns))
    with connection.cursor() as cursor:
        cursor.execute(_SUMS, {"pcns": seen, "before": before, "rules": [*rules, IN_TWO]})
        return [_Month(on, json.loads(shares), counted_at) for on, shares, counted_at in cursor]


class _Addresses:
    """The addresses of the coaches behind a month's numbers, as they were known when it was counted."""

    def __init__(self, as_at: AsAt, months: Sequence[_Month], place: str | None, *, together: bool) -> None:
        known = urlencode(replace(as_at, day=as_at.today, known=months[0].counted_at).parameters)  # one moment for all
        # Of each month its own part; None where the list would show a coach once who is counted twice.
        self._on = [
            None if place is None or (together and month.in_two) else f"{DAY}={month.on}&{known}" for month in months
        ]
        self._list = f"{reverse('coaches')}?{f'place={quote(place)}&' if place else ''}"

    def of(self, rule: str) -> list[tuple[str | None, str | None]]:
        """Of a rule, month by month: of those on track and of those asked."""
        on_track, asked = (f"{self._list}rule={quote(rule)}&state={state}&" for state in (ON_TRACK, ASKED))
        return [(on_track + on, asked + on) if on else (None, None) for on in self._on]


def _series(share: Share, months: Sequence[_Month], addresses: _Addresses, day: date) -> Series:
    [rule] = share.shown.rules
    points = [Point(month.on, *month.of(rule), *hrefs) for month, hrefs in zip(months, addresses.of(rule), strict=True)]
    on_track, asked = share.on_track, share.asked
    points.append(Point(day, on_track.value, asked.value, on_track.href, asked.href))
    return Series(share.shown.key, share.shown.title, share.shown.label, points)
