"""Rules as the columns of a list: which stand together, the one state they are shown as, whom a filter leaves.

The list of coaches, its export and the overview of PCNs all ask `cell`: a number and the rows behind it are one thing.
"""

import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from hwbc.compliance.catalogue import ORDER, REQUIRED_PREFIX, RULES, STATES, WORST_FIRST, rule_of
from hwbc.compliance.queries import Node, Person, Standing
from hwbc.compliance.sentences import sentence
from hwbc.standards.rules import DUE_SOON, MET, NOT_APPLICABLE, NOT_MET, PAUSED, RED, Answer
from training.rules import Required

NAMED, REQUIRED = "supervision.named", "training.required"
# Rules that are asked about together: code → title, what the codes of its rules begin with.
TOGETHER: Mapping[str, tuple[str, str]] = {
    NAMED: ("Named supervisors, all three", f"{NAMED}."),
    REQUIRED: ("Required courses, all", REQUIRED_PREFIX),
}
ELIGIBLE = "supervision.supervisor_eligible"
READY = "training.referral_ready"

ATTENTION, IN_RED, ON_TRACK, ASKED = "attention", "red", "on_track", "asked"
_ON_TRACK = frozenset({MET, DUE_SOON})
# What a list is narrowed to: code → words, states.
SHOWN: Mapping[str, tuple[str, frozenset[str]]] = {
    ATTENTION: ("Needs attention", RED | {DUE_SOON}),
    IN_RED: ("Overdue or not met", RED),
    **{state: (words, frozenset({state})) for state, (words, _, _) in STATES.items()},
    ON_TRACK: ("Met or due soon", _ON_TRACK),
    ASKED: ("Asked: all but paused and does not apply", _ON_TRACK | RED),
}
_NOT_ASKED = (PAUSED, NOT_APPLICABLE)
_RANK = {state: rank for rank, state in enumerate(WORST_FIRST)}


class Cell(NamedTuple):
    """What some rules answer for one coach, as one: the worst state, and the answers that are in it."""

    state: str
    worst: tuple[tuple[str, Answer], ...]
    asked: int  # how many of the rules are neither paused nor do not apply
    note: str = ""

    @property
    def rank(self) -> int:
        """Sorts the worst first."""
        return _RANK[self.state]

    @property
    def due_on(self) -> date | None:
        """The earliest due day of the worst."""
        return min((answer.due_on for _, answer in self.worst if answer.due_on), default=None)


def covers(rule: str, code: str) -> bool:
    """Whether the rule, or the rules together, that are asked about have this one among them."""
    return code == rule or (rule in TOGETHER and code.startswith(TOGETHER[rule][1]))


@lru_cache(maxsize=4096)  # the same few columns of the same few services, for thousands of coaches
def _places(rules: tuple[str, ...], codes: tuple[str, ...]) -> tuple[int, ...]:
    """Where the answers to these rules stand among a coach's answers."""
    return tuple(place for place, code in enumerate(codes) if any(covers(rule, code) for rule in rules))


def cell(standing: Standing, *rules: str) -> Cell:
    """The rules as one. A coach of whom none of them is asked answers "does not apply"."""
    answers = [standing.answers[place] for place in _places(rules, standing.codes)]
    if len(answers) == 1:  # most columns are one rule
        state = answers[0][1].state
        return Cell(state, tuple(answers), int(state not in _NOT_ASKED))
    state = min((answer.state for _, answer in answers), key=_RANK.__getitem__, default=NOT_APPLICABLE)
    worst = tuple(each for each in answers if each[1].state == state)
    return Cell(state, worst, sum(answer.state not in _NOT_ASKED for _, answer in answers))


class Shown(NamedTuple):
    """One column: its heading, and the rules that stand in it. `red`: how what is red of them is called."""

    key: str
    label: str
    rules: tuple[str, ...]
    red: str
    note: Callable[[Standing, Cell], str] = lambda standing, cell: ""

    @property
    def title(self) -> str:
        """The column in full words."""
        [rule] = self.rules
        return title(rule)

    def of(self, standing: Standing) -> Cell:
        """The column's cell for a coach."""
        found = cell(standing, *self.rules)
        return found._replace(note=note) if (note := self.note(standing, found)) else found


def title(rule: str, required: Mapping[str, Required] | None = None) -> str:
    """A rule, or rules together, in full words."""
    return TOGETHER[rule][0] if rule in TOGETHER else rule_of(rule, required or {}).title


def _supervisors(standing: Standing, found: Cell) -> str:
    answers = dict(standing.answers)
    named = [answer.state for code, answer in answers.items() if covers(NAMED, code)]
    if found.state != NOT_MET:
        return ""
    if (count := named.count(MET)) < len(named):
        return f"{count} of {len(named)} named"
    return "Not eligible"


def _courses(standing: Standing, found: Cell) -> str:
    return f"{len(found.worst)} of {found.asked}" if found.asked and found.state != MET else ""


LINE = Shown("line", "Line", ("supervision.line",), "overdue")
CLINICAL = Shown("clinical", "Clinical", ("supervision.clinical",), "overdue")
COACHING = Shown("coaching", "Health coaching", ("supervision.health_coaching",), "overdue")
APPRAISAL = Shown("appraisal", "Appraisal", ("supervision.appraisal",), "overdue")
BEFORE = Shown("before", "Before referrals", ("training.before_referrals",), "not met")
CLAIM = Shown("claim", "Can be claimed", ("training.arrs_eligible",), "not met")

# Of one coach, every rule in nine columns.
OF_A_COACH = (
    LINE, CLINICAL, COACHING, APPRAISAL,
    Shown("supervisors", "Supervisors", (NAMED, ELIGIBLE), "not met", _supervisors),
    BEFORE,
    Shown("ready", "Ready", (READY,), "not met"),
    CLAIM,
    Shown("required", "Required", (REQUIRED,), "overdue or not met", _courses),
)  # fmt: skip
# Of a PCN, one rule a column: what is named and who may supervise are two questions.
OF_A_PCN = (
    LINE, CLINICAL, COACHING, APPRAISAL,
    Shown("named", "Named supervisors", (NAMED,), "not met"),
    Shown("eligible", "Supervisor eligible", (ELIGIBLE,), "not met"),
    Shown("before", "Trained before referrals", ("training.before_referrals",), "not met"),
    Shown("ready", "Ready for referrals", (READY,), "not met"),
    CLAIM,
    Shown("required", "Required courses", (REQUIRED,), "overdue or not met"),
)  # fmt: skip


def rule_choices(required: Mapping[str, Required]) -> list[tuple[str, str]]:
    """Every rule that a list can be narrowed to, in the order they are read; `required` as in a Standing."""
    alone = [(code, RULES[code].title) for code in ORDER]
    first = next(index for index, (code, _) in enumerate(alone) if covers(NAMED, code))
    courses = sorted(((code, title(code, required)) for code in required), key=lambda choice: choice[1].casefold())
    together = {code: (code, words) for code, (words, _) in TOGETHER.items()}
    return [*alone[:first], together[NAMED], *alone[first:], together[REQUIRED], *courses]


class Chosen(NamedTuple):
    """What a list of coaches is narrowed to; empty: nothing."""

    place: Node | None = None
    words: tuple[str, ...] = ()  # folded; each stands in the coach's name
    rule: str = ""
    state: str = ""


class Line(NamedTuple):
    """A coach on a list."""

    person: Person
    standing: Standing

    def cell(self, rule: str) -> Cell:
        """What a rule, or rules together, answer."""
        return cell(self.standing, rule)

    def why(self, rule: str) -> list[tuple[str, str]]:
        """The answers behind a cell in words: the course's title where there are several, and the sentence."""
        return [
            (title(code, self.standing.required) if rule == REQUIRED else "", sentence(self.standing, code, answer))
            for code, answer in self.cell(rule).worst
        ] or [("", "Not asked where this coach works.")]


def folded(text: str) -> str:
    """Text as it is searched: without regard to case and accents ("Zoë" is found by "zoe")."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(c))


def narrowed(people: Iterable[Person], standings: Mapping[int, Standing], chosen: Chosen) -> list[Line]:
    """The coaches that a filter leaves, in their order; of each, the PCNs that lie at the chosen place."""
    lines = []
    for person in people:
        if chosen.place is not None:
            here = [at for at in zip(person.pcns, person.places, strict=True) if at[0] in chosen.place.pcns]
            if not here:
                continue
            person = person._replace(pcns=tuple(pk for pk, _ in here), places=tuple(name for _, name in here))
        name = folded(person.name) if chosen.words else ""
        standing = standings[person.pk]
        if all(word in name for word in chosen.words) and is_shown(standing, chosen.rule, chosen.state):
            lines.append(Line(person, standing))
    return lines


def is_shown(standing: Standing, rule: str, state: str) -> bool:
    """Whether a coach is among those asked for: in such a state with the rule or, without one, with any rule."""
    if not state:
        return True
    _, states = SHOWN[state]
    if rule:
        return cell(standing, rule).state in states
    return any(answer.state in states for _, answer in standing.answers)
