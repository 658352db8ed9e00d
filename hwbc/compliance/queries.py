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
from hwbc.kit.prepared import Prepared
from hwbc.standards.presets import SOURCES, WDF
from hwbc.standards.queries import Asked, moment
from hwbc.standards.rules import NOT_APPLICABLE, Answer, Numbers
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Organisation
from hwbc.workforce.queries import TYPES, covers, keep_ground, known
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
    codes: tuple[str, ...]  # of the answers, in their order; the same object for many coaches


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
    parameters = keep_ground(parameters)
    supervision = supervision_facts.facts(parameters)
    training = training_facts.standing(parameters)
    untrained = coaching_facts.first_untrained(parameters)
    done = training_facts.done(parameters, [course for courses in required.values() for course, _ in courses])
    names = {register: {f"training.required:{q.course}": q for _, q in asks} for register, asks in required.items()}
    codes = {register: (*RULES, *rules) for register, rules in names.items()}
    soon: dict[int, date] = {}

    for coach, register, reference in people:
        rules = names.get(register, {})
        named = codes.get(register, RULES)
        if coach not in supervision or coach not in training:
            nothing = [(rule, _NO_POST) for rule in named]
            yield Standing(coach, reference, None, None, None, nothing, rules, named)
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
        yield Standing(coach, reference, pcn, numbers, facts, answers, rules, named)


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


_SEEN = Prepared("people", _PEOPLE, TYPES | {"own": "bigint[]", "place": "bigint", "coach": "bigint"})


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
    with _SEEN.ask(parameters) as cursor:
        return [Person._make((*row[:6], tuple(row[6]), tuple(row[7]))) for row in cursor.fetchall()]


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


class FlagHappened(NamedTuple):
    """What happened to a flag: raised and cleared by a check, acknowledged by somebody."""

    what: str
    at: datetime
    by: str | None
    note: str
    day: date | None  # that the check was for


_EVENTS = """
select e.what, e.at, u.name, e.note, r.day
  from standards_flagevent e
  left join workforce_user u on u.id = e.user_id
  left join standards_run r on r.id = e.run_id
 where e.flag_id = %(flag)s and e.at <= %(known)s
 order by e.at desc, e.id desc
"""


def flag_events(flag: int, known: datetime) -> list[FlagHappened]:
    """What had happened to a flag by a moment, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_EVENTS, {"flag": flag, "known": known})
        return [FlagHappened._make(row) for row in cursor]


def waiting_referrals(actor: Actor, day: date, known: datetime) -> dict[int, int]:
    """PCN → how many referrals wait for a coach at the end of a day: those that the list of referrals shows."""
    return coaching_facts.waiting_by_pcn(actor, day, known)


# --- Lists and "How we count": places as a tree, the standards and courses in force -----------------------------------


class Node(NamedTuple):
    """An ICB, training hub or PCN as lists are narrowed to it. `pcns`: those at or below it."""

    pk: int
    code: str
    name: str
    kind: str
    depth: int  # 0 for the topmost that the actor has
    pcns: frozenset[int]


_ABOVE_PRACTICES = (Organisation.Kind.ICB, Organisation.Kind.TRAINING_HUB, Organisation.Kind.PCN)


def tree(actor: Actor, can: Can = Can.SEE_STANDING) -> list[Node]:
    """The places at or below which the actor has `can` for everybody, each before those below it, then by name."""
    rows = Organisation.objects.filter(pk__in=actor.nodes(can)).order_by("name", "pk")
    found = {row.pk: row for row in rows}
    below: dict[int | None, list[Organisation]] = {}
    for row in found.values():
        below.setdefault(row.parent_id if row.parent_id in found else None, []).append(row)

    def walk(parent: int | None, depth: int) -> list[Node]:
        nodes = []
        for row in below.get(parent, ()):
            under = walk(row.pk, depth + (row.kind in _ABOVE_PRACTICES))
            pcns = frozenset[int]().union(*(node.pcns for node in under))
            if row.kind == Organisation.Kind.PCN:
                pcns |= {row.pk}
            if row.kind in _ABOVE_PRACTICES:
                nodes.append(Node(row.pk, row.code, row.name, row.kind, depth, pcns))
            nodes += under
        return nodes

    return walk(None, 0)


class InForce(NamedTuple):
    """A standard on a day: where it was set and holds, and its numbers with their sources."""

    numbers: Numbers
    sources: Mapping[str, str]
    set_at: str | None  # None: set nowhere, the preset holds
    since: date | None
    pcns: tuple[str, ...]


_STANDARDS = f"""
with recursive live as (
    select s.id, s.organisation_id, s.name, s.starts_on from standards_standard s where {covers("s")}
), below as (
    select l.id as standard_id, l.organisation_id as node from live l
    union
    select b.standard_id, o.id from below b join workforce_organisation o on o.parent_id = b.node
     where not exists (select 1 from live l where l.organisation_id = o.id)
)
select l.name, o.name, l.starts_on, array_agg(p.name order by p.name, p.id),
       (select array_agg(n.key order by n.key) from standards_standardnumber n where n.standard_id = l.id),
       (select array_agg(n.value order by n.key) from standards_standardnumber n where n.standard_id = l.id),
       (select array_agg(n.source order by n.key) from standards_standardnumber n where n.standard_id = l.id)
  from workforce_organisation p
  left join below b on b.node = p.id
  left join live l on l.id = b.standard_id
  left join workforce_organisation o on o.id = l.organisation_id
 where p.id = any(%(pcns)s)
 group by l.id, l.name, o.name, l.starts_on
 order by l.name, o.name
"""


def standards_in_force(pcns: Iterable[int], day: date, known: datetime) -> list[InForce]:
    """The standards that hold at these PCNs on a day, as known at a moment; where none was set, the preset "WDF"."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(_STANDARDS, {"pcns": sorted(pcns), "day": day, "known": known})
        for name, set_at, since, where, keys, values, sources in cursor:
            if name is None:
                found.append(InForce(WDF, SOURCES, None, None, tuple(where)))
            else:
                numbers = Numbers(name=name, **dict(zip(keys or (), values or (), strict=True)))
                said = dict(zip(keys or (), sources or (), strict=True))
                found.append(InForce(numbers, {**SOURCES, **said}, set_at, since, tuple(where)))
    return found or [InForce(WDF, SOURCES, None, None, ())]


class RequiredCourse(NamedTuple):
    """A course that a service requires of its coaches."""

    service: str
    asked: training_rules.Required


_REQUIRED = f"""
select o.name, coalesce(nullif(c.reference, ''), c.uuid::text), q.validity_months, q.within_days, q.applies_from,
       c.title
  from training_requirement q
  join training_course c on c.id = q.course_id
  join workforce_organisation o on o.id = c.register_id
 where c.register_id = any(%(registers)s) and {known("q")}
 order by o.name, o.id, c.title, c.id
"""


def required_courses(registers: Iterable[int], known: datetime) -> list[RequiredCourse]:
    """The courses required of the coaches of these registers, as known at a moment."""
    with connection.cursor() as cursor:
        cursor.execute(_REQUIRED, {"registers": sorted(registers), "known": known})
        return [RequiredCourse(row[0], training_rules.Required(*row[1:])) for row in cursor]
