"""What is asked about flags."""

from typing import Any

from django import forms

from hwbc.compliance.catalogue import GROUPS
from hwbc.kit.fields import CharacterCount, NhsukForm
from hwbc.kit.layout import Field


class Acknowledge(NhsukForm, forms.Form):
    """What is being done about a flag."""

    submit = "Acknowledge"

    note = forms.CharField(
        label="What is being done about it",
        max_length=500,
        widget=CharacterCount,
        help_text="For example, who meets when. Name no patients. Everybody who may see the coach can read it.",
    )


SHOW = [("", "Everything"), ("red", "Overdue or not met"), ("due_soon", "Due soon"), ("open", "Not acknowledged")]


class FlagFilter(NhsukForm, forms.Form):
    """Narrows the findings: a group of rules, what is shown, a place."""

    method = "get"
    submit = "Apply"
    mark_optional = False

    group = forms.ChoiceField(label="Rules", required=False, choices=[("", "All"), *((g, g) for g in GROUPS)])
    show = forms.ChoiceField(label="Show", required=False, choices=SHOW)
    place = forms.ChoiceField(label="Place", required=False)

    def __init__(self, *args: Any, places: list[tuple[str, str]], keep: dict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["place"].choices = [("", "All that you see"), *places]  # type: ignore[attr-defined]
        if len(places) < 2:
            del self.fields["place"]
        for name, value in keep.items():
            self.fields[name] = forms.CharField(widget=forms.HiddenInput, required=False, initial=value)

    def layout(self) -> list[Any]:
        """The questions, one under the other."""
        return [Field(name) for name in self.fields]
