"""What is asked about referrals and coaching sessions: received, given to a coach, logged, ended; and overrides."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.core.exceptions import ValidationError

from coaching.models import CoachingSession, Referral, SessionNote
from coaching.queries import Eligible
from coaching.sentences import WARNINGS
from hwbc.compliance.forms.lists import ListFilter, choice
from hwbc.compliance.forms.recording import MINUTES_IN_A_DAY, DayField, Entered, OneOf, Versioned
from hwbc.kit.fields import CharacterCount
from hwbc.kit.layout import Button, Field
from hwbc.kit.periods import today
from hwbc.workforce.models import Organisation
from hwbc.workforce.recording import REASON_LENGTH
from training.actions import EXEMPTION_REASON_LENGTH

NOTE_LENGTH = 10_000
NO_NAMES = "Write no names, addresses or NHS numbers."
Shown = Mapping[str, Mapping[str, Any]]


# --- Sessions ---------------------------------------------------------------------------------------------------------


class LogSession(Entered):
    """One session of one referral, in eight fields."""

    submit = "Save session"
    shown: ClassVar[Shown] = {"minutes": {"width": 4, "suffix": "minutes"}, "note": {"rows": 4}}

    held_on = DayField(label="Date")
    mode = forms.ChoiceField(label="How", choices=CoachingSession.Mode.choices, widget=forms.RadioSelect)
    minutes = forms.IntegerField(
        label="Length",
        help_text="If it did not take place: as long as it was planned.",
        min_value=1,
        max_value=MINUTES_IN_A_DAY,
        error_messages={
            "required": "Enter how many minutes it took",
            "invalid": "The length must be a whole number of minutes, such as 45",
            "min_value": "The length must be 1 minute or more",
            "max_value": f"The length must be {MINUTES_IN_A_DAY:,} minutes or fewer",
        },
    )
    outcome = forms.ChoiceField(
        label="What became of it",
        choices=CoachingSession.Outcome.choices,
        widget=forms.RadioSelect,
        error_messages={"required": "Select what became of it"},
    )
    note = forms.CharField(
        label="Note", required=False, max_length=NOTE_LENGTH, widget=CharacterCount(attrs={"rows": 4}),
        help_text=f"What you want to find again. {NO_NAMES}",
    )  # fmt: skip
    next_step = forms.CharField(
        label="Next step", required=False, max_length=300,
        help_text=f"Stands on your caseload. {NO_NAMES}",
    )  # fmt: skip
    goal_progress = forms.ChoiceField(
        label="Progress towards the goal",
        required=False,
        choices=[*SessionNote.Progress.choices, ("", "Not talked about")],
        widget=forms.RadioSelect,
    )
    activity = forms.ChoiceField(
        label="Activity code",
        required=False,
        choices=[("", "No code"), *SessionNote.Activity.choices],
        help_text="The national term that fits best.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        defaults = {"held_on": today(), "outcome": CoachingSession.Outcome.ATTENDED}
        self.initial = {**defaults, **self.initial}


class CorrectSession(LogSession):
    """What a session should have said, and why. `session`: the one that it stands for, as it was read."""

    submit = "Save the correction"

    because = forms.CharField(
        label="Why it is corrected", max_length=REASON_LENGTH, widget=CharacterCount,
        help_text=f"The entry as it was stays readable, with this reason. {NO_NAMES}",
    )  # fmt: skip
    session = forms.UUIDField(widget=forms.HiddenInput)


class WithdrawSession(Entered):
    """Why a session is withdrawn."""

    submit = ""

    because = forms.CharField(
        label="Why it is withdrawn", max_length=REASON_LENGTH, widget=CharacterCount,
        help_text=f"The reason stays beside the entry. {NO_NAMES}",
    )  # fmt: skip

    def layout(self) -> list[Any]:
        """The reason, and a button that warns."""
        return ["token", "because", Button("Withdraw this session", variant="warning")]


# --- Ends -------------------------------------------------------------------------------------------------------------


class CloseReferral(Versioned):
    """How and when a referral ended."""

    submit = "Close this referral"

    outcome = forms.ChoiceField(
        label="How it ended",
        choices=[("", "---------"), *Referral.Outcome.choices],
        error_messages={"required": "Select how it ended"},
    )
    closed_on = DayField(label="Last day", help_text="From the end of this day it is no longer on a caseload.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"closed_on": today(), **self.initial}


class HandBack(Versioned):
    """Nothing is asked: the button says what will happen."""

    submit = ""

    def layout(self) -> list[Any]:
        """The button."""
        return ["token", "version", Button("Hand back this referral", variant="warning")]


# --- Waiting referrals ------------------------------------------------------------------------------------------------


class ReferralFilter(ListFilter):
    """Narrows the waiting referrals: a place, a source, a priority."""

    narrows = ("place", "source", "priority")

    source = choice("From", "All sources", "a source")
    priority = choice("Priority", "Any priority", "a priority")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offer("source", Referral.Source.choices)
        self.offer("priority", Referral.Priority.choices)


class ReceiveReferral(Entered):
    """A referral that has reached a PCN; nobody's name. `places`: each PCN with its practices."""

    submit = "Save referral"
    shown: ClassVar[Shown] = {"reference": {"width": 20}}

    pcn = OneOf(label="PCN")
    reference = forms.CharField(
        label="Reference", max_length=100,
        help_text="By which you find the person in your own records. Not a name, and not an NHS number.",
    )  # fmt: skip
    source = forms.ChoiceField(label="Who asked", choices=[("", "---------"), *Referral.Source.choices])
    practice = OneOf(label="Practice of the person", required=False)
    priority = forms.ChoiceField(
        label="Priority", choices=Referral.Priority.choices, widget=forms.RadioSelect, initial=Referral.Priority.ROUTINE
    )
    received_on = DayField(label="Received on", help_text="The wait counts from this day.")

    def __init__(
        self, *args: Any, places: Sequence[tuple[Organisation, Sequence[Organisation]]], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        several = len(places) > 1
        pcns = [(pcn.uuid, pcn.name, pcn) for pcn, _ in places]
        self.fields["pcn"].offer(pcns, blank=several)  # type: ignore[attr-defined]
        practices = [
            (each.uuid, f"{each.name}, {pcn.name}" if several else each.name, each)
            for pcn, below in places
            for each in below
        ]
        rows = [("", "Not known, or none", None), *practices]
        self.fields["practice"].offer(rows, blank=False)  # type: ignore[attr-defined]
        if not practices:
            del self.fields["practice"]
        self.initial = {"received_on": today(), **self.initial}


class _CoachChoice(forms.ChoiceField):
    """Shows the coaches who are ready; lets every eligible one through to the gate, which refuses in its own words."""

    widget = forms.RadioSelect
    eligible: Mapping[str, Eligible]

    def valid_value(self, value: Any) -> bool:
        return str(value) in self.eligible


class Allocate(Versioned):
    """Which coach takes the referral. `eligible`: those with a post at its PCN."""

    submit = "Allocate"

    coach = _CoachChoice(
        label="Coach",
        error_messages={
            "required": "Select a coach",
            "invalid_choice": "Select one of the coaches who have a post at this PCN",
        },
    )

    def __init__(self, *args: Any, eligible: Sequence[Eligible], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["coach"]
        field.eligible = {str(each.uuid): each for each in eligible}
        field.choices = [(str(each.uuid), each.name) for each in eligible if each.readiness.ready]

    def layout(self) -> list[Any]:
        """The coaches who are ready, each with what there is to know before choosing."""
        chosen: Any = self.fields["coach"]
        hints = {key: _known_of(each) for key, each in chosen.eligible.items()}
        return ["token", "version", Field("coach", hints=hints)]

    @property
    def chosen(self) -> Eligible:
        """The coach who was chosen."""
        field: Any = self.fields["coach"]
        found: Eligible = field.eligible[self.cleaned_data["coach"]]
        return found


def load(coach: Eligible) -> str:
    """How busy a coach is, in words."""
    cases = f"{coach.open_cases} open case{'' if coach.open_cases == 1 else 's'}"
    each = coach.open_cases / coach.hours_per_week
    return f"{cases} for {coach.hours_per_week.normalize():f} hours a week ({each:.2f} for each hour)"


def _known_of(coach: Eligible) -> str:
    warned = " ".join(WARNINGS[code] for code in coach.warnings)
    return f"{load(coach)}.{f' Warning: {warned}' if warned else ''}"


# --- Overrides --------------------------------------------------------------------------------------------------------


class OverrideGate(Entered):
    """Why a coach who is not ready may take referrals, and until when."""

    submit = ""

    reason = forms.CharField(
        label="Reason", max_length=EXEMPTION_REASON_LENGTH, widget=CharacterCount,
        help_text="Shown to the coach, their line manager and their PCN manager. Name no patients.",
    )  # fmt: skip
    ends_on = DayField(label="Last day", help_text="Every override ends. The day itself is still included.")

    def layout(self) -> list[Any]:
        """The two answers, and a button that says what it does."""
        return ["token", "reason", "ends_on", Button("Override the rule", variant="warning")]

    def clean_ends_on(self) -> Any:
        """Today or later: one that is over would allow nothing."""
        day = self.cleaned_data["ends_on"]
        if day is not None and day < today():
            raise ValidationError("The last day must be today or later")
        return day
