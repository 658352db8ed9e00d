"""One form with every kind of field that the kit knows; the component page shows it. It saves nothing."""

from typing import Any

from django import forms

from hwbc.kit.fields import CharacterCount, DateField, NhsukForm
from hwbc.kit.layout import Component, Field, Section

HOW_OFTEN = [("", "---------"), ("week", "Every week"), ("fortnight", "Every 2 weeks"), ("month", "Every month")]
CONTACT = [("email", "E-mail"), ("phone", "Telephone"), ("none", "Do not contact me")]
THEMES = [
    ("sleep", "Sleep"),
    ("food", "Food and drink"),
    ("activity", "Physical activity"),
    ("other", "Something else"),
]


class ExampleForm(NhsukForm, forms.Form):
    """Notes of a supervision meeting, more or less."""

    submit = "Check this form"
    reveals = {
        "contact": {"email": ["contact_email"], "phone": ["contact_phone"]},
        "themes": {"other": ["other_theme"]},
        "follow_up": {True: ["follow_up_on"]},
    }

    full_name = forms.CharField(label="Full name", widget=forms.TextInput(attrs={"autocomplete": "name"}))
    held_on = DateField(label="Date of the meeting", help_text="For example, 15 3 2026")
    minutes = forms.IntegerField(label="Length in minutes", min_value=1, max_value=480)
    hours = forms.DecimalField(label="Hours a week", required=False, max_digits=4, decimal_places=1)
    how_often = forms.ChoiceField(label="How often you meet", choices=HOW_OFTEN)
    contact = forms.ChoiceField(
        label="How should we contact you?", choices=CONTACT, widget=forms.RadioSelect, help_text="Choose one."
    )
    contact_email = forms.EmailField(label="E-mail address", widget=forms.EmailInput(attrs={"autocomplete": "email"}))
    contact_phone = forms.CharField(
        label="Telephone number", widget=forms.TextInput(attrs={"type": "tel", "autocomplete": "tel"})
    )
    themes = forms.MultipleChoiceField(
        label="What did you talk about?", choices=THEMES, widget=forms.CheckboxSelectMultiple, required=False
    )
    other_theme = forms.CharField(label="What else")
    notes = forms.CharField(label="Notes", widget=CharacterCount, max_length=200, help_text="Name no patients.")
    actions = forms.CharField(label="Actions", widget=forms.Textarea, required=False)
    certificate = forms.FileField(
        label="Certificate",
        required=False,
        help_text="PDF or picture.",
        widget=forms.FileInput(attrs={"accept": ".pdf,image/*"}),
    )
    password = forms.CharField(label="Your password", widget=forms.PasswordInput)
    follow_up = forms.BooleanField(label="Remind us of the next meeting", required=False)
    follow_up_on = DateField(label="Date of the next meeting")
    confirmed = forms.BooleanField(label="We both agree with these notes")
    version = forms.IntegerField(initial=1, widget=forms.HiddenInput)

    def layout(self) -> list[Any]:
        """Everything, in two sections and a rest."""
        minutes = Field("minutes", width=3, suffix="minutes")
        themes = Field("themes", hints={"food": "Includes alcohol."})
        return [
            Section("About the meeting", "full_name", "held_on", minutes, Field("hours", width=4), "how_often"),
            Component("inset-text", text="Both of you can read these notes."),
            Section("What was said", "contact", themes, "notes", "actions"),
            *("certificate", "password", "follow_up", "confirmed"),
        ]
