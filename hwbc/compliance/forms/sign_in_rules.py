"""Whether a place asks for a passkey."""

from typing import Any

from django import forms

from hwbc.kit.fields import DateField, NhsukForm
from hwbc.workforce.models import Organisation

ASK, ASK_NOT = "yes", "no"


class SignInRules(NhsukForm, forms.Form):
    """One place, and from when it asks for a passkey."""

    reveals = {"asks": {ASK: ["starts_on"]}}

    # A place and the version of it that was shown: whoever comes second is told.
    place = forms.ChoiceField(label="Place")
    asks = forms.ChoiceField(
        label="Does it ask for a passkey?", choices=[(ASK, "Yes"), (ASK_NOT, "No")], widget=forms.RadioSelect
    )
    starts_on = DateField(label="From which day?", help_text="For example, 15 3 2027. Today, and it holds at once.")

    def __init__(self, *args: Any, places: list[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.places = {f"{place.code}.{place.version}": place for place in places}
        place = self.fields["place"]
        assert isinstance(place, forms.ChoiceField)
        # A version that is gone by now is told as such, and not as a wrong choice.
        sent = self.data.get("place", "") if self.is_bound else ""
        old = next((each for each in places if sent.partition(".")[0] == each.code), None)
        if old is not None and sent.partition(".")[2].isdecimal():
            self.places.setdefault(sent, old)
        place.choices = [(key, found.name) for key, found in self.places.items()]

    @property
    def chosen(self) -> dict[str, Any]:
        """What the action is asked for."""
        said = self.cleaned_data
        key = said["place"]
        return {
            "organisation": self.places[key],
            "version": int(key.partition(".")[2]),
            "passkey_from": said["starts_on"] if said["asks"] == ASK else None,
        }
