"""What is asked of whoever opens a case that is not theirs."""

from django import forms

from coaching.models import Opening
from hwbc.compliance.forms.recording import Entered
from hwbc.kit.fields import CharacterCount


class OpenCase(Entered):
    """Why."""

    submit = "Open this case"

    reason = forms.CharField(
        label="Why you need to open it",
        max_length=Opening.REASON_LENGTH,
        widget=CharacterCount,
        help_text="For example, that you cover for a colleague who is ill. Your PCN’s managers read it. Name no one.",
        error_messages={"required": "Enter why you need to open it"},
    )


class FindCase(OpenCase):
    """Which case, by its reference; and why."""

    reference = forms.CharField(
        label="Reference of the case",
        max_length=100,
        help_text="As it stands in your PCN’s records.",
        error_messages={"required": "Enter the reference of the case"},
    )

    field_order = ("token", "reference", "reason")
