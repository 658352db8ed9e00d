"""Everything that the rules can say has its words: codes, states, numbers, sources, reasons."""

import re
from typing import Any

import pytest

from hwbc.compliance import queries
from hwbc.compliance.catalogue import (
    DOCUMENTS,
    GROUPS,
    NUMBER_WORDS,
    ORDER,
    REQUIRED,
    RULES,
    STATES,
    WORST_FIRST,
    number_shown,
    required_rule,
    rule_of,
)
from hwbc.compliance.columns import OF_A_COACH, OF_A_PCN, covers, rule_choices
from hwbc.compliance.sentences import MEETING_WORDS
from hwbc.kit.periods import today
from hwbc.standards import rules
from hwbc.standards.presets import PRESETS, SOURCES, source
from hwbc.standards.rules import NUMBER_KEYS, Numbers
from hwbc.workforce import walls
from supervision.models import Meeting
from supervision.queries import verdict
from tests import facts
from tests.cast import Cast
from training.rules import Required

COURSE = Required("IG", 12, 30, None, "Data security")
EVERY_RULE = [*RULES.values(), required_rule("training.required:IG", COURSE)]
# Numbers that no rule's own words name: key → why.
NOT_IN_A_RULE: dict[str, str] = {}


def numbers(values: dict[str, Any]) -> Numbers:
    return Numbers(**values)


def test_every_rule_that_has_an_answer_has_its_words() -> None:
    assert set(RULES) == set(queries.RULES)
    assert set(ORDER) == set(RULES)
    assert {rule.group for rule in RULES.values()} | {REQUIRED} == set(GROUPS)


@pytest.mark.django_db
def test_every_answer_of_real_coaches_has_its_words(cast: Cast) -> None:
    facts.everything(cast, 6)
    answered = set()
    with walls.lifted("tests"):
        for standing in queries.standings(today()):
            for code, answer in standing.answers:
                rule = rule_of(code, standing.required)
                answered.add(rule.code)
                assert rule.title
                assert answer.state in STATES
    assert answered == {*RULES, "training.required:IG"}


def test_every_state_has_words_a_colour_and_a_place_in_the_order() -> None:
    known = {rules.MET, rules.DUE_SOON, rules.OVERDUE, rules.NOT_MET, rules.PAUSED, rules.NOT_APPLICABLE}
    assert set(STATES) == set(WORST_FIRST) == known
    assert len({words for words, _, _ in STATES.values()}) == len(known)
    assert {state for state, (_, colour, _) in STATES.items() if colour == "red"} == rules.RED


def test_every_number_is_named_by_a_rule_and_has_words_and_a_source() -> None:
    named = {key for rule in EVERY_RULE for key in rule.numbers}
    assert named | set(NOT_IN_A_RULE) == set(NUMBER_KEYS)
    assert not named & set(NOT_IN_A_RULE)
    assert set(NUMBER_WORDS) == set(SOURCES) == set(NUMBER_KEYS)
    assert all(source(preset, key) for preset in PRESETS for key in NUMBER_KEYS)


@pytest.mark.parametrize("rule", EVERY_RULE, ids=lambda rule: rule.code)
def test_what_a_rule_asks_changes_with_its_numbers(rule) -> None:
    """Else a number would stand in the words that is not the one in force. Those that the words leave to the list of
    numbers are the pause, and the months for which evidence holds."""
    elsewhere = {"pause_after_days", "supervisor_evidence_months"}
    for key in set(rule.numbers) - elsewhere:
        assert "97" in rule.asks(numbers({key: 97})), key
        assert "97" not in rule.asks(Numbers())
    assert not re.search(r"\b1 (days|months|working days)\b", rule.asks(numbers(dict.fromkeys(NUMBER_KEYS, 1))))


def test_no_rule_is_without_its_source() -> None:
    for rule in RULES.values():
        assert re.search(r"R-\d{3}|DES", rule.sources), rule.code
        for letter in re.findall(r"\bS\d\b", rule.sources):
            assert letter in DOCUMENTS


def test_soon_without_a_number_of_days_is_said_in_words() -> None:
    assert number_shown("clinical_soon_days", 0) == "the last month before it"
    assert number_shown("clinical_soon_days", 7) == "7"
    assert number_shown("line_soon_days", 0) == "0"


def test_every_reason_why_a_meeting_does_not_count_has_words() -> None:
    said = set(re.findall(r"(?:then|else) '(\w+)'", verdict()))
    stored = set(Meeting.Status.values) - {Meeting.Status.HELD}
    of_the_page = {"before_employment", "withdrawn"}
    assert {*said, *stored, *of_the_page} == set(MEETING_WORDS)
    assert {"group", "ad_hoc", "counts"} < said
    assert all(MEETING_WORDS.values())
    assert len(set(MEETING_WORDS.values())) == len(MEETING_WORDS)


def test_nothing_is_called_a_breach() -> None:
    words = " ".join(
        [*(rule.asks(Numbers()) + rule.counted + rule.title for rule in EVERY_RULE), *map(str, STATES.values())]
    )
    assert not re.search(r"breach|violat|fail", words, re.IGNORECASE)


@pytest.mark.parametrize("columns", [OF_A_COACH, OF_A_PCN], ids=["of a coach", "of a PCN"])
def test_every_rule_stands_in_exactly_one_column(columns) -> None:
    for code in [*RULES, "training.required:IG"]:
        assert sum(any(covers(rule, code) for rule in shown.rules) for shown in columns) == 1, code
    assert len({shown.key for shown in columns}) == len(columns)


def test_a_list_can_be_narrowed_to_every_rule_and_to_those_that_stand_together() -> None:
    choices = rule_choices({"training.required:IG": COURSE})
    codes = [code for code, _ in choices]
    assert {*RULES, "training.required:IG", "supervision.named", "training.required"} == set(codes)
    assert len(codes) == len(set(codes))
    assert dict(choices)["training.required:IG"] == "Data security"
    assert {rule for shown in OF_A_PCN for rule in shown.rules} <= set(codes)
