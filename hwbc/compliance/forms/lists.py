"""What lists of coaches and of PCNs are narrowed to."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.http import QueryDict

from hwbc.compliance.columns import SHOWN, Chosen, folded, rule_choices
from hwbc.compliance.queries import Node
from hwbc.kit.fields import NhsukForm
from training.rules import Required

Choices = list[tuple[str, str]]


def choice(label: str, none: str, noun: str) -> forms.ChoiceField:
    """A question of a filter: its label, the words for "not narrowed", and what is to be chosen when it is wrong."""
    return forms.ChoiceField(
        label=label,
        required=False,
        choices=[("", none)],
        error_messages={"invalid_choice": f"Choose {noun} from the list: “%(value)s” is not one of them"},
    )


class ListFilter(NhsukForm, forms.Form):
    """A form of filters in the address of a list. `keep`: other parameters that stay in it, such as the day."""

    method = "get"
    submit = "Apply filters"
    mark_optional = False
    narrows: ClassVar[tuple[str, ...]] = ("place",)

    place = choice("Place", "All places", "a place")

    def __init__(self, given: QueryDict, *, nodes: Sequence[Node], keep: Mapping[str, str], **kwargs: Any) -> None:
        # What is asked for is shown again: without what no page can show.
        asked = {name: "".join(c for c in str(given[name]) if c.isprintable()) for name in given}
        super().__init__(asked, **kwargs)
        self.nodes = {node.code: node for node in nodes}
        if len(nodes) > 1:
            self.offer("place", [(node.code, f"{'– ' * node.depth}{node.name}") for node in nodes])
        elif "place" not in self.data:
            del self.fields["place"]
        else:
            self.offer("place", [(node.code, node.name) for node in nodes])
        for name, value in keep.items():
            self.fields[name] = forms.CharField(widget=forms.HiddenInput, required=False, initial=value)

    def offer(self, name: str, choices: Choices) -> None:
        """Choices of a field, after the one for all."""
        field: Any = self.fields[name]
        field.choices = [*field.choices, *choices]

    def given(self, name: str) -> str:
        """What was chosen; "" for nothing, and where anything in the form is wrong: then the list is not narrowed."""
        return str(self.cleaned_data.get(name) or "") if self.is_valid() else ""

    @property
    def node(self) -> Node | None:
        """The chosen place."""
        return self.nodes.get(self.given("place"))

    def chips(self) -> list[tuple[str, str, str]]:
        """What the list is narrowed to: the field's name, its label, the choice in words."""
        chosen = []
        for name in self.narrows:
            if value := self.given(name):
                words = dict(getattr(self.fields[name], "choices", ())).get(value, value)
                chosen.append((name, str(self.fields[name].label), str(words).lstrip("– ")))
        return chosen


class CoachFilter(ListFilter):
    """Narrows the list of coaches: a place, a name, a rule and a state, or a state across all rules."""

    narrows = ("place", "name", "rule", "state")

    name = forms.CharField(
        label="Name", required=False, max_length=100,
        error_messages={"max_length": "The name must be 100 characters or fewer"},
    )  # fmt: skip
    rule = choice("Rule", "All rules", "a rule")
    state = choice("State", "Any state", "a state")

    def __init__(self, given: QueryDict, *, required: Mapping[str, Required], **kwargs: Any) -> None:
        super().__init__(given, **kwargs)
        self.offer("rule", rule_choices(required))
        self.offer("state", [(code, words) for code, (words, _) in SHOWN.items()])

    def chosen(self) -> Chosen:
        """What the list is narrowed to."""
        words = tuple(folded(self.given("name")).split())
        return Chosen(self.node, words, self.given("rule"), self.given("state"))


class PcnFilter(ListFilter):
    """Narrows the overview: a place, and one rule with all its states instead of all rules."""

    narrows = ("place", "rule")

    rule = choice("Rule", "All rules", "a rule")

    def __init__(self, given: QueryDict, *, rules: Choices, **kwargs: Any) -> None:
        super().__init__(given, **kwargs)
        self.offer("rule", rules)
