"""What is asked about flags."""

from typing import Any

from django import forms

from hwbc.compliance.catalogue import GROUPS
from hwbc.compliance.forms.lists import ListFilter, choice
from hwbc.kit.fields import CharacterCount
from hwbc.standards.rules import DUE_SOON
from hwbc.workforce.sessions.drafts import Drafted


class Acknowledge(Drafted, forms.Form):
    """What is being done about a flag."""

    submit = "Acknowledge"

    note = forms.CharField(
        label="What is being done about it",
        max_length=500,
        widget=CharacterCount,
        help_text="For example, who meets when. Name no patients. Everybody who may see the coach can read it.",
    )


SHOW = [("red", "Overdue or not met"), (DUE_SOON, "Due soon"), ("open", "Not acknowledged")]


class FlagFilter(ListFilter):
    """Narrows the findings: a place, a group of rules, what is shown."""

    narrows = ("place", "group", "show")

    group = choice("Rules", "All rules", "a group of rules")
    show = choice("Show", "Everything", "what to show")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("group", [(group, group) for group in GROUPS])
        self.offer("show", SHOW)
