"""What is not as it should be, one line a coach and rule: the answer in words, the way out, and the flag."""

from collections.abc import Iterable, Iterator
from datetime import date
from typing import NamedTuple

from hwbc.compliance.as_at import AsAt
from hwbc.compliance.catalogue import Rule, rule_of
from hwbc.compliance.checks import NO_FLAG
from hwbc.compliance.queries import OpenFlag, Person, Standing, open_flags
from hwbc.compliance.sentences import remedy, sentence
from hwbc.standards.rules import DUE_SOON, RED, Answer


class Finding(NamedTuple):
    """A rule that a coach does not meet, or soon will not. `flag`: None where no check has flagged it.

    Its sentences are made when they are shown: of hundreds of findings a page shows a few.
    """

    person: Person
    rule: Rule
    answer: Answer
    standing: Standing
    flag: OpenFlag | None

    @property
    def standard(self) -> str:
        """The name of the standard in force."""
        return self.standing.numbers.name if self.standing.numbers else ""

    @property
    def asks(self) -> str:
        """The rule in words, with the numbers in force; "" where there was no post."""
        return self.rule.asks(self.standing.numbers) if self.standing.numbers else ""

    @property
    def why(self) -> str:
        """Why the answer is what it is."""
        return sentence(self.standing, self.rule.code, self.answer)

    @property
    def remedy(self) -> str:
        """What would turn it green, and by when."""
        return remedy(self.standing, self.rule.code, self.answer)

    @property
    def is_red(self) -> bool:
        """Whether it is more than due soon: what a check raises a flag for."""
        return self.answer.state in RED

    @property
    def urgency(self) -> tuple[int, date, str]:
        """Sorts the most urgent first: untrained and taking referrals; red, the longest first; then due soon."""
        if self.rule.code == "training.before_referrals":
            rank = 0
        elif self.answer.state in RED:
            rank = 1 if self.rule.code != "training.arrs_eligible" else 2
        else:
            rank = 3
        return rank, self.answer.since or self.answer.due_on or date.max, self.person.sort_name


def findings(people: Iterable[Person], standings: dict[int, Standing], as_at: AsAt) -> list[Finding]:
    """Everything red or due soon of these coaches, the most urgent first; with the flags of that day."""
    people = list(people)
    flags = open_flags([person.pk for person in people], as_at.day, as_at.moment)
    found = [finding for person in people for finding in _of(person, standings[person.pk], flags)]
    return sorted(found, key=lambda finding: finding.urgency)


def _of(person: Person, standing: Standing, flags: dict[tuple[int, str], OpenFlag]) -> Iterator[Finding]:
    for code, answer in standing.answers:
        if answer.state in (*RED, DUE_SOON) and code != NO_FLAG:
            yield finding(person, standing, code, answer, flags.get((person.pk, code)))


def finding(person: Person, standing: Standing, code: str, answer: Answer, flag: OpenFlag | None) -> Finding:
    """One answer with its rule and its flag."""
    rule = rule_of(code, standing.required)
    return Finding(person, rule, answer, standing, flag if answer.state in RED else None)
