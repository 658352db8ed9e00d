"""How we count: every rule in words."""

from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import (
    DEFINITIONS,
    DOCUMENTS,
    GROUPS,
    NOT_AN_ENFORCEMENT_LEVER,
    NUMBER_WORDS,
    REQUIRED,
    RULES,
    STATES,
    WORST_FIRST,
    Rule,
    anchor,
    number_shown,
    required_rule,
)
from hwbc.compliance.queries import InForce, people, required_courses, standards_in_force
from hwbc.compliance.sentences import MEETING_WORDS
from hwbc.workforce.access import Request, needs
from hwbc.workforce.roles import Can


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def how_we_count(request: Request, as_at: AsAt) -> HttpResponse:
    """Every rule with the numbers in force at the actor's places on the day, their sources, and what each count is."""
    actor = request.actor
    seen = people(actor, as_at.day, as_at.moment)
    pcns = actor.pcns(Can.SEE_STANDING).union(*(person.pcns for person in seen))
    standards = standards_in_force(pcns, as_at.day, as_at.moment)
    registers = {person.register for person in seen if person.register} | actor.nodes(Can.SEE_STANDING)
    courses = required_courses(registers, as_at.moment)
    names = _names(standards)
    _, *reasons = MEETING_WORDS.values()
    context: dict[str, Any] = {
        "as_at": as_at,
        "standards": list(zip(names, standards, strict=True)),
        "states": [(state, STATES[state][2]) for state in WORST_FIRST],
        "groups": [
            (
                group,
                anchor(group),
                [_explained(rule, names, standards) for rule in RULES.values() if rule.group == group],
            )
            for group in GROUPS
            if group != REQUIRED
        ],
        "required": anchor(REQUIRED),
        "courses": [(course, _explained(required_rule("", course.asked), names, standards)) for course in courses],
        "reasons": reasons,
        "definitions": DEFINITIONS.values(),
        "documents": DOCUMENTS.items(),
        "guidance": NOT_AN_ENFORCEMENT_LEVER,
    }
    return render(
        request, "compliance/how_we_count.html", context | ({"form": as_at.form} if as_at.form.errors else {})
    )


def _names(standards: list[InForce]) -> list[str]:
    """The standards' names, each with its place where two have the same."""
    count = Counter(standard.numbers.name for standard in standards)
    return [
        standard.numbers.name
        if count[standard.numbers.name] == 1
        else f"{standard.numbers.name} ({standard.set_at or 'preset'})"
        for standard in standards
    ]


def _explained(rule: Rule, names: list[str], standards: list[InForce]) -> dict[str, Any]:
    """A rule with what the standards in force ask, and every number of theirs with its source.

    Where the standards say the same it stands once, without their names.
    """

    def differing(said: Iterable[Any]) -> list[tuple[str, Any]]:
        by_what: dict[Any, list[str]] = {}
        for name, what in zip(names, said, strict=True):
            by_what.setdefault(what, []).append(name)
        return [("" if len(by_what) == 1 else ", ".join(whose), what) for what, whose in by_what.items()]

    return {
        "rule": rule,
        "anchor": anchor(rule.code),
        "asks": differing(rule.asks(standard.numbers) for standard in standards),
        "numbers": [
            (NUMBER_WORDS[key], whose, value, source)
            for key in rule.numbers
            for whose, (value, source) in differing(
                (number_shown(key, getattr(standard.numbers, key)), standard.sources[key]) for standard in standards
            )
        ],
    }
