"""Facts of every app, handed to the rules: the one answer for the page, the job, the report and the gate."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime
from functools import lru_cache
from typing import Any, NamedTuple

import holidays
from django.db import connection

from coaching import queries as coaching_facts
from coaching import rules as coaching_rules
from hwbc.standards.queries import Asked, moment
from hwbc.standards.rules import NOT_APPLICABLE, Answer, Numbers
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
    at = moment(known)
    asked = Asked(day, at)
    with connection.cursor() as cursor:
        cursor.execute(_COACHES, {"coaches": list(coaches) if coaches is not None else None})
        people: list[_Person] = cursor.fetchall()
    parameters = {"day": day, "known": at, **asked.parameters()}
    required = training_facts.requirements(parameters)
    for first in range(0, len(people), BATCH):
        some = people[first : first + BATCH]
        everybody = len(some) == len(people) and coaches is None
        within = None if everybody else [person[0] for person in some]
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
    names = {register: [f"training.required:{q.course}" for _, q in courses] for register, courses in required.items()}
    soon: dict[int, date] = {}

    for coach, register, reference in people:
        rules = names.get(register, ())
        if coach not in supervision or coach not in training:
            nothing = [(rule, _NO_POST) for rule in (*RULES, *rules)]
            yield Standing(coach, reference, None, None, None, nothing)
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
        yield Standing(coach, reference, pcn, numbers, facts, answers)


def ready_for_referrals(coaches: Sequence[int], day: date) -> set[int]:
    """The gate: of these coaches, those who may take a referral on a day."""
    return {
        standing.coach
        for standing in standings(day, coaches=coaches)
        if dict(standing.answers)["training.referral_ready"].state == "met"
    }
