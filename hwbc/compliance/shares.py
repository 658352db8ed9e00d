"""Coaches counted by the state of each rule: a PCN in numbers, and every number with the address of its rows."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import quote, urlencode

from django.urls import reverse
from django.utils.html import format_html

from hwbc.compliance.catalogue import STATES, WORST_FIRST
from hwbc.compliance.columns import ASKED, IN_RED, ON_TRACK, SHOWN, Shown
from hwbc.kit.charts import percent
from hwbc.standards.rules import RED


class Number(NamedTuple):
    """How many coaches, and the address of exactly those; None where no address is exactly those."""

    value: int
    href: str | None

    @property
    def link(self) -> str:
        """As it is shown: a link where there are rows behind it."""
        if not self.value or self.href is None:
            return str(self.value)
        return format_html('<a href="{}">{}</a>', self.href, self.value)


class Share(NamedTuple):
    """Of the coaches of whom a rule is asked, those for whom it is met or due soon, and the others."""

    shown: Shown
    on_track: Number
    asked: Number
    red: Number

    @property
    def percent(self) -> int | None:
        """The share in per cent: 100 only when it is all, 0 only when it is none; None where nobody is asked."""
        return percent(self.on_track.value, self.asked.value)

    @property
    def rank(self) -> tuple[float, int]:
        """Sorts the lowest share first, of equal ones that of more coaches; where nobody is asked, last."""
        part, whole = self.on_track.value, self.asked.value
        return (part / whole if whole else 2.0, -whole)


class InState(NamedTuple):
    """The coaches in one state with a rule."""

    words: str
    number: Number
    is_red: bool


class Row(NamedTuple):
    """A PCN, or all of them together."""

    name: str
    coaches: Number
    waiting: int | None  # None: the actor does not see the work of this PCN
    shares: list[Share]
    states: list[InState]  # of the rule, where there is but one; the worst first


class Counter:
    """Counts coaches by their state in each column. `states`: coach → those; `address`: what every link keeps."""

    def __init__(self, columns: Sequence[Shown], states: Mapping[int, list[str]], address: Mapping[str, str]) -> None:
        self.columns = columns
        self.states = states
        # Forty PCNs have more than a thousand numbers: what their addresses share is made once.
        self._list = reverse("coaches")
        self._asked = {
            (shown.rules[0], state): urlencode({"rule": shown.rules[0], "state": state, **address})
            for shown in columns
            for state in SHOWN
        }
        self._everybody = urlencode(address)

    def row(self, name: str, coaches: Sequence[int], waiting: int | None, place: str | None) -> Row:
        """Some coaches, counted. `place` narrows the list to exactly them: "" no place at all, None: none would."""
        found = list(zip(*(self.states[coach] for coach in coaches), strict=True)) or [()] * len(self.columns)
        shares = [
            Share(shown, *(self._number(states, place, shown, asked) for asked in (ON_TRACK, ASKED, IN_RED)))
            for shown, states in zip(self.columns, found, strict=True)
        ]
        each = []
        if len(self.columns) == 1:
            each = [
                InState(STATES[state][0], self._number(found[0], place, self.columns[0], state), state in RED)
                for state in WORST_FIRST
            ]
        return Row(name, Number(len(coaches), self._href(place, self._everybody)), waiting, shares, each)

    def _number(self, found: Sequence[str], place: str | None, shown: Shown, state: str) -> Number:
        _, states = SHOWN[state]
        query = self._asked[shown.rules[0], state]
        return Number(sum(each in states for each in found), self._href(place, query))

    def _href(self, place: str | None, query: str) -> str | None:
        if place is None:
            return None
        asked = "&".join(filter(None, [f"place={quote(place)}" if place else "", query]))
        return f"{self._list}?{asked}" if asked else self._list
