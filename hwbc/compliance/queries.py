"""Facts of every app, handed to the rules: the one answer for the page, the job, the report and the gate."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple
from uuid import UUID

import holidays
from django.db import connection

from coaching import queries as coaching_facts
from coaching import rules as coaching_rules
from hwbc.standards.queries import Asked, moment
from hwbc.standards.rules import NOT_APPLICABLE, Answer, Numbers
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Organisation
from hwbc.workforce.queries import covers, known
from hwbc.workforce.roles import Can
from supervision import queries as supervision_facts
from supervision import rules as supervision_rules
from training import queries as training_facts
from training import rules as training_rules

_NO_POST = Answer(NOT_APPLICABLE, reason="no_post")
RULES = (
    "supervision.appraisal",
    "supervision.clinical",
    "supervision.health_coaching",
    "supervision.line",
    "supervision.named.clinical",
    "supervision.named.health_coaching",
    "supervision.named.line",
    "supervision.supervisor_eligible",
    "training.arrs_eligible",
    "training.before_referrals",
    "training.referral_ready",
)


BATCH = 25_000  # coaches whose facts are held at once: memory stays flat above it
_Person = tuple[int, int | None, str]  # number, register, reference


class Standing(NamedTuple):
    """One coach on a day: every rule's answer, by rule, and the numbers it was asked with (None: no post that day)."""

    coach: int
    reference: str
    pcn: int | None
    numbers: Numbers | None
    facts: supervision_rules.Facts | None
    answers: list[tuple[str, Answer]]
    required: Mapping[str, training_rules.Required]  # what is asked by each rule training.required:…


@lru_cache(maxsize=1)
def _bank_holidays() -> Any:
    return holidays.country_holidays("GB", subdiv="ENG")


def is_bank_holiday(day: date) -> bool:
    """A bank holiday of England and Wales. A holiday that falls on a weekend is no working day anyway."""
    return day in _bank_holidays()


_COACHES = """
select c.id, c.register_id, coalesce(nullif(c.reference, ''), c.uuid::text)
  from workforce_coach c
 where (%(coaches)s::bigint[] is null or c.id = any(%(coaches)s::bigint[]))
 order by coalesce(nullif(c.reference, ''), c.uuid::text) collate "C", c.id
"""


def standings(day: date, known: datetime | None = None, coaches: Sequence[int] | None = None) -> Iterator[Standing]:
    """Every coach's standing on a day, as known at a moment (now): sorted by reference. `coaches`: only these.

    Sees what the scope shows; facts about a coach are shown whole or not at all (walls).
    """
    with connection.cursor() as cursor:
        cursor.execute(_COACHES, {"coaches": list(coaches) if coaches is not None else None})
        people: list[_Person] = cursor.fetchall()
    yield from standings_of(people, day, known, everybody=coaches is None)


def standings_of(
    people: Sequence[tuple[int, int | None, str]],
    day: date,
    known: datetime | None = None,
    *,
    everybody: bool = False,
) -> Iterator[Standing]:
    """The same for coaches whose number, register and reference are known already, in their order."""
    at = moment(known)
    asked = Asked(day, at)
    parameters = {"day": day, "known": at, **asked.parameters()}
    required = training_facts.requirements(parameters)
    for first in range(0, len(people), BATCH):
        some = people[first : first + BATCH]
        whole = everybody and len(some) == len(people)
        within = None if whole else [person[0] for person in some]
        yield from _batch(some, {**parameters, "coaches": within}, asked, required)


def _batch(
    people: Sequence[_Person],
    parameters: dict[str, Any],
    asked: Asked,
    required: dict[int | None, list[tuple[int, training_rules.Required]]],
) -> Iterator[Standing]:
    day: date = parameters["day"]
    supervision = supervision_facts.facts(parameters)
    training = training_facts.standing(parameters)
    untrained = coaching_facts.first_untrained(parameters)
    done = training_facts.done(parameters, [course for courses in required.values() for course, _ in courses])
    names = {register: {f"training.required:{q.course}": q for _, q in asks} for register, asks in required.items()}
    soon: dict[int, date] = {}

    for coach, register, reference in people:
        rules = names.get(register, {})
        if coach not in supervision or coach not in training:
            nothing = [(rule, _NO_POST) for rule in (*RULES, *rules)]
            yield Standing(coach, reference, None, None, None, nothing, rules)
            continue
        pcn, facts = supervision[coach]
        numbers = asked.at(pcn)
        count = numbers.coaching_soon_working_days
        if count not in soon:
            soon[count] = supervision_rules.last_working_days(day, count, is_bank_holiday)
        funded, enrolled, completed, exempt = training[coach]
        answers = [
            *supervision_rules.answers(facts, day, numbers, soon[count]),
            ("training.arrs_eligible", training_rules.arrs_eligible(funded, enrolled)),
            (
                "training.before_referrals",
                coaching_rules.before_referrals(completed, exempt, untrained.get(coach)),
            ),
            ("training.referral_ready", coaching_rules.referral_ready(completed, exempt)),
        ]
        for rule, (course, asks) in zip(rules, required.get(register, ()), strict=True):
            done_on, excused = done.get((coach, course), (None, False))
            answers.append((rule, training_rules.required(asks, facts.started_on, done_on, excused, day, numbers)))
        yield Standing(coach, reference, pcn, numbers, facts, answers, rules)


def ready_for_referrals(coaches: Sequence[int], day: date) -> set[int]:
    """The gate: of these coaches, those who may take a referral on a day; held so until the transaction ends."""
    coaching_facts.hold(coaches)
    found = coaching_facts.readiness(coaches, day, coaching_facts.LATEST)
    return {coach for coach, readiness in found.items() if readiness.ready}


# --- Whom a page is about -------------------------------------------------------------------------------------------


class Person(NamedTuple):
    """A coach with a post on a day, as lists show them. `pcns`: those of the posts for which the actor sees them."""

    pk: int
    uuid: UUID
    name: str
    sort_name: str
    register: int | None
    reference: str
    pcns: tuple[int, ...]
    places: tuple[str, ...]


_PEOPLE = f"""
with recursive below as (
    select %(place)s::bigint as node
    union
    select o.id from below b join workforce_organisation o on o.parent_id = b.node
)
select c.id, c.uuid, c.name, c.sort_name, c.register_id, coalesce(nullif(c.reference, ''), c.uuid::text),
       array_agg(o.id order by o.name, o.id), array_agg(o.name order by o.name, o.id)
  from workforce_coach c
  join workforce_post p on p.coach_id = c.id
  join workforce_organisation o on o.id = p.pcn_id
 where {covers("p")} and {known("c")}
   and (p.pcn_id = any(%(pcns)s) or c.id = any(%(own)s))
   and (%(place)s::bigint is null or p.pcn_id in (select node from below))
   and (%(coach)s::bigint is null or c.id = %(coach)s)
 group by c.id
 order by c.sort_name, c.id
"""


def people(
    actor: Actor,
    day: date,
    known: datetime,
    *,
    can: Can = Can.SEE_STANDING,
    place: int | None = None,
    coach: int | None = None,
    one_by_one: bool | None = None,
) -> list[Person]:
    """The coaches with a post on the day for whom the actor has `can`, sorted by name.

    A PCN sees a coach on the days of their post there and not after it; a coach themself and their supervisors see them
    wherever the post is. `place`: only posts at or below it. `one_by_one`: True, only those granted one by one
    (themself, supervisees); False, only those of whole places.
    """
    parameters: dict[str, Any] = {
        "day": day,
        "known": known,
        "pcns": [] if one_by_one is True else sorted(actor.pcns(can)),
        "own": [] if one_by_one is False else sorted(actor.own(can)),
        "place": place,
        "coach": coach,
    }
    with connection.cursor() as cursor:
        cursor.execute(_PEOPLE, parameters)
        return [Person._make((*row[:6], tuple(row[6]), tuple(row[7]))) for row in cursor]


def standings_by_coach(people: Iterable[Person], day: date, known: datetime) -> dict[int, Standing]:
    """Coach → standing, for these."""
    rows = [(person.pk, person.register, person.reference) for person in people]
    return {standing.coach: standing for standing in standings_of(rows, day, known)}


def last_day(actor: Actor, coach: int, can: Can = Can.SEE_STANDING) -> date | None:
    """The last day on which the actor may see this coach: None without an end, date.min where there never was one.

    For a whole place, the last day of the coach's last post there; somebody granted the coach alone has no end.
    """
    if coach in actor.own(can):
        return None
    with connection.cursor() as cursor:
        cursor.execute(
            "select max(coalesce(ends_on, 'infinity'::date)) = 'infinity'::date, max(ends_on) from workforce_post"
            " where coach_id = %(coach)s and pcn_id = any(%(pcns)s) and voided_at is null",
            {"coach": coach, "pcns": sorted(actor.pcns(can))},
        )
        endless, last = cursor.fetchone()
    return None if endless else last or date.min


class Place(NamedTuple):
    """An organisation that lists can be narrowed to."""

    pk: int
    code: str
    name: str
    kind: str


_LARGEST: dict[str, int] = {"icb": 0, "training_hub": 1, "pcn": 2}


def places(actor: Actor, can: Can = Can.SEE_STANDING) -> list[Place]:
    """The ICBs, training hubs and PCNs at or below which the actor has `can` for everybody; the largest first."""
    kinds = [Organisation.Kind.ICB, Organisation.Kind.TRAINING_HUB, Organisation.Kind.PCN]
    rows = Organisation.objects.filter(pk__in=actor.nodes(can), kind__in=kinds).values_list(
        "pk", "code", "name", "kind"
    )
    return sorted((Place(*row) for row in rows), key=lambda place: (_LARGEST[place.kind], place.name))


class OpenFlag(NamedTuple):
    """A flag as it stood at a moment, with its last acknowledgement."""

    uuid: UUID
    coach: int
    rule: str
    raised_on: date
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    note: str


_FLAGS = """
select f.uuid, f.coach_id, f.rule, f.raised_on, e.at, u.name, coalesce(e.note, '')
  from standards_flag f
  left join lateral (select at, user_id, note from standards_flagevent e
                      where e.flag_id = f.id and e.what = 'acknowledged' and e.at <= %(known)s
                      order by e.at desc, e.id desc limit 1) e on true
  left join workforce_user u on u.id = e.user_id
 where f.coach_id = any(%(coaches)s) and f.raised_on <= %(day)s and f.raised_at <= %(known)s
   and (f.cleared_at is null or f.cleared_at > %(known)s or f.cleared_on > %(day)s)
 order by f.raised_at
"""


def open_flags(coaches: Sequence[int], day: date, known: datetime) -> dict[tuple[int, str], OpenFlag]:
    """(Coach, rule) → the flag that was open at the end of a day, as known at a moment."""
    with connection.cursor() as cursor:
        cursor.execute(_FLAGS, {"coaches": list(coaches), "day": day, "known": known})
        return {(flag.coach, flag.rule): flag for flag in map(OpenFlag._make, cursor)}
