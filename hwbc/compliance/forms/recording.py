"""What is asked when something about a coach is written down: meetings, agreements, training, employment, exemptions.

Every form carries a token, made when it is first shown: the same form sent twice makes one row. A form about a row that
can change carries the version that was read as well.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar
from uuid import uuid4

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from django.db.models.fields import BLANK_CHOICE_DASH

from hwbc.kit.fields import CharacterCount, DateField
from hwbc.kit.layout import Button, Field
from hwbc.kit.periods import FIRST_YEAR, LAST_YEAR, read_day, today
from hwbc.workforce.models import Absence, Coach, Organisation, Post
from hwbc.workforce.recording import REASON_LENGTH
from hwbc.workforce.sessions.drafts import Drafted
from supervision.models import Agreement, Meeting, Supervisor
from training.actions import EXEMPTION_REASON_LENGTH
from training.models import Course, Exemption

MINUTES_IN_A_DAY = 24 * 60
MOST_DAYS = 100  # of one enrolment
NEW = "new"
REGISTERED = "registered"


# --- Pieces -----------------------------------------------------------------------------------------------------------


class DayField(DateField):
    """A day of the years that the service knows."""

    def to_python(self, value: Any) -> date | None:
        """The day; ValidationError says what is wrong with it."""
        day = super().to_python(value)
        if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
            raise self.error(f"must have a year between {FIRST_YEAR} and {LAST_YEAR}", ["year"])
        return day


class DaysField(forms.Field):
    """Several days, one a line. Its errors name the line."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> list[date]:
        """The days, sorted, each once."""
        days, wrong = set(), []
        lines = str(value or "").splitlines()
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                days.add(read_day(line))
            except ValueError as fault:
                wrong.append(f"Line {number}: {fault}")
        if len(days) > MOST_DAYS:
            wrong.append(f"Enter {MOST_DAYS} days or fewer")
        if wrong:
            raise ValidationError(wrong)
        return sorted(days)

    def prepare_value(self, value: Any) -> Any:
        """One day a line, as people write them."""
        return value if value is None or isinstance(value, str) else "\n".join(f"{day:%d/%m/%Y}" for day in value)


class OneOf(forms.ChoiceField):
    """One of the things that the form offers; cleaned, it is the thing itself."""

    things: Mapping[str, Any]

    def offer(self, things: Iterable[tuple[Any, str, Any]], *, blank: bool = True) -> None:
        """Each thing as its key, its words and itself."""
        things = list(things)
        self.things = {str(key): thing for key, _, thing in things}
        choices = [(str(key), words) for key, words, _ in things]
        self.choices = [*(BLANK_CHOICE_DASH if blank else []), *choices]

    def to_python(self, value: Any) -> Any:
        """The key; None where none was chosen, and where it was not asked at all."""
        return super().to_python(value) or None

    def clean(self, value: Any) -> Any:
        """The thing; None where none was chosen."""
        return self.things.get(super().clean(value))


class _Several(forms.MultipleChoiceField):
    """Some of the coaches that the form offers."""

    widget = forms.CheckboxSelectMultiple
    things: Mapping[str, Coach]

    def offer(self, coaches: Iterable[Coach]) -> None:
        self.things = {str(coach.uuid): coach for coach in coaches}
        self.choices = [(key, coach.name) for key, coach in self.things.items()]

    def clean(self, value: Any) -> list[Coach]:
        return [self.things[key] for key in super().clean(value)]


def _choice(label: str, choices: Sequence[tuple[str, str]], **options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, widget=forms.RadioSelect, **options)


def _reason(label: str, help_text: str) -> Any:
    return forms.CharField(label=label, help_text=help_text, max_length=REASON_LENGTH, widget=CharacterCount)


class Entered(Drafted, forms.Form):
    """A form whose answers an action writes down. Fields are named as the action's parameters are."""

    token = forms.UUIDField(widget=forms.HiddenInput)

    #: How fields are shown that need more than their name
    shown: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial.setdefault("token", uuid4())

    @property
    def helper(self) -> Any:
        """How the form is shown; with its own address, if it has one."""
        helper = super().helper
        helper.form_action = self.submit_to
        return helper

    def layout(self) -> list[Any]:
        """The fields in their order."""
        revealed = self.revealed_by()
        return [Field(name, **self.shown.get(name, {})) for name in self.fields if name not in revealed]

    def refuse(self, fault: ValidationError) -> None:
        """Show why the action did not do it: beside the fields where it names any that are asked."""
        by_field = fault.error_dict if hasattr(fault, "error_dict") else {NON_FIELD_ERRORS: fault.error_list}
        for name, errors in by_field.items():
            self.add_error(name if name in self.fields else None, ValidationError(errors))

    def answers(self, *without: str) -> dict[str, Any]:
        """What was answered, as parameters of the action."""
        return {name: value for name, value in self.cleaned_data.items() if name not in ("token", *without)}


class Versioned(Entered):
    """A form about a row that others may have changed since it was read."""

    version = forms.IntegerField(widget=forms.HiddenInput, min_value=1)


class Withdraw(Entered):
    """Why something that was written down is withdrawn."""

    submit = ""

    because = _reason("Why it is withdrawn", "The reason stays beside the entry. Name no patients.")

    def layout(self) -> list[Any]:
        """The reason, and a button that warns."""
        return ["because", Button("Withdraw this entry", variant="warning")]


class WithdrawVersion(Withdraw, Versioned):
    """The same for a row that has a version."""


# --- Meetings ---------------------------------------------------------------------------------------------------------


class RecordMeeting(Entered):
    """One meeting of one coach."""

    submit = "Save meeting"
    shown: ClassVar[Mapping[str, Mapping[str, Any]]] = {"minutes": {"width": 4, "suffix": "minutes"}}

    kind = _choice("Kind of meeting", ())
    held_on = DayField(label="Date", help_text="For example, 15 3 2026")
    minutes = forms.IntegerField(
        label="How long it lasted", min_value=1, max_value=MINUTES_IN_A_DAY,
        error_messages={
            "invalid": "How long it lasted must be a whole number of minutes",
            "min_value": "It must have lasted 1 minute or more",
            "max_value": f"It must have lasted {MINUTES_IN_A_DAY:,} minutes or fewer",
        },
    )  # fmt: skip
    format = _choice(
        "Individual or group", Meeting.Format.choices, help_text="Only individual meetings count as supervision."
    )
    status = _choice("What became of it", Meeting.Status.choices)
    ad_hoc = forms.BooleanField(
        label="Ad hoc",
        required=False,
        help_text="A short contact between regular meetings. It is kept, and never moves the clock.",
    )

    def __init__(self, *args: Any, kinds: Sequence[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["kind"].choices = [(kind, Meeting.Kind(kind).label) for kind in kinds]  # type: ignore[attr-defined]
        defaults = {"held_on": today(), "format": Meeting.Format.INDIVIDUAL, "status": Meeting.Status.HELD}
        if len(kinds) == 1:
            defaults["kind"] = kinds[0]
        self.initial = {**defaults, **self.initial}


class RecordMeetings(RecordMeeting):
    """One meeting of one coach, or of several in a group. `given`: coach → the kinds that the actor gives them."""

    submit = "Save"

    coaches = _Several(label="Who took part")

    def __init__(self, *args: Any, given: Mapping[Coach, Sequence[str]], **kwargs: Any) -> None:
        each = [kind for kind in Meeting.Kind.values if any(kind in kinds for kinds in given.values())]
        super().__init__(*args, kinds=each, **kwargs)
        self.given = given
        self.fields["coaches"].offer(given)  # type: ignore[attr-defined]
        self.order_fields(["coaches"])

    def clean(self) -> dict[str, Any]:
        """Several coaches make a group; each is given this kind of supervision."""
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        coaches, kind = asked.get("coaches", []), asked.get("kind")
        others = [coach.name for coach in coaches if kind and kind not in self.given[coach]]
        if others and kind:
            words = Meeting.Kind(kind).label.lower()
            self.add_error("coaches", f"You do not give {' and '.join(others)} this kind of supervision: {words}")
        if len(coaches) > 1 and asked.get("format") == Meeting.Format.INDIVIDUAL:
            self.add_error("format", "Several coaches took part: select group, or choose one coach")
        return asked


class CorrectMeeting(RecordMeeting):
    """What a meeting should have said, and why."""

    submit = "Save the correction"

    because = _reason("Why it is corrected", "The entry as it was stays readable, with this reason. Name no patients.")


# --- Agreements -------------------------------------------------------------------------------------------------------


class Agree(Entered):
    """Who supervises a coach from a day on: somebody of the register, or somebody who is added to it."""

    submit = "Save agreement"
    reveals = {"who": {REGISTERED: ["supervisor"], NEW: ["name", "role", "email"]}}

    kind = _choice("Kind of supervision", Agreement.Kind.choices)
    who = _choice("Who supervises", ((REGISTERED, "Somebody in the register"), (NEW, "Add a supervisor")))
    supervisor = OneOf(label="Supervisor")
    name = forms.CharField(label="Full name", max_length=200)
    role = _choice("What they are", Supervisor.Role.choices)
    email = forms.EmailField(
        label="E-mail address", required=False, max_length=254,
        help_text="Where they are to sign in here, the address that is invited has to be this one.",
    )  # fmt: skip
    starts_on = DayField(label="From", help_text="The first day of the agreement")
    ends_on = DayField(label="Until", required=False, help_text="The last day. Leave empty while it runs.")

    def __init__(self, *args: Any, supervisors: Iterable[Supervisor], may_add: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = [(each.uuid, f"{each.name}, {Supervisor.Role(each.role).label}", each) for each in supervisors]
        self.fields["supervisor"].offer(rows)  # type: ignore[attr-defined]
        if not may_add:
            self.fields["who"].choices = [(REGISTERED, "Somebody in the register")]  # type: ignore[attr-defined]
        self.initial = {"starts_on": today(), "who": REGISTERED if rows or not may_add else NEW, **self.initial}


class LastDay(Versioned):
    """The last day of what runs."""

    ends_on = DayField(label="Last day", help_text="For example, 15 3 2026. The day itself is still included.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.initial.get("ends_on") and self.may_go_on:
            self.fields["ends_on"].required = False
            self.fields["ends_on"].help_text = "Leave empty if it goes on after all."
        elif not self.initial.get("ends_on"):
            self.initial["ends_on"] = today()

    may_go_on: ClassVar[bool] = True


class ExemptionLastDay(LastDay):
    """The last day of an exemption: every one has one."""

    may_go_on = False


# --- Training ---------------------------------------------------------------------------------------------------------


class RecordTraining(Entered):
    """An enrolment on a course and what became of it."""

    submit = "Save training"
    shown: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "attended_on": {"rows": 5, "width": 10},
        "certificate_number": {"width": 20},
    }

    course = OneOf(label="Course")
    enrolled_on = DayField(label="Enrolled on", help_text="For example, 15 3 2026")
    attended_on = DaysField(
        label="Days attended", required=False, help_text="One date a line, for example 15/03/2026",
    )  # fmt: skip
    certificate_on = DayField(label="Date of the certificate", required=False)
    certificate_number = forms.CharField(label="Number of the certificate", required=False, max_length=100)
    withdrawn_on = DayField(label="Withdrawn from the course on", required=False)

    def __init__(self, *args: Any, courses: Iterable[Course], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["course"].offer(  # type: ignore[attr-defined]
            (each.uuid, f"{each.title} ({each.provider})", each) for each in courses
        )
        if isinstance(course := self.initial.get("course"), Course):
            self.initial["course"] = str(course.uuid)


class CorrectTraining(RecordTraining):
    """What a training record should say, and why it changes."""

    submit = "Save the correction"

    because = _reason("Why it is changed", "The record as it was stays readable, with this reason.")


class AddCertificate(Entered):
    """The certificate of an enrolment."""

    submit = "Save certificate"
    shown: ClassVar[Mapping[str, Mapping[str, Any]]] = {"certificate_number": {"width": 20}}

    certificate_on = DayField(label="Date of the certificate", help_text="The date that stands on it")
    certificate_number = forms.CharField(label="Number of the certificate", required=False, max_length=100)


class RecordExemption(Entered):
    """A rule does not hold for a coach for a while, and why."""

    submit = "Approve this exemption"
    reveals = {"rule": {Exemption.REQUIRED: ["course"]}}

    rule = _choice(
        "What the coach is exempt from",
        ((Exemption.BEFORE_REFERRALS, "Being trained before taking referrals"),
         (Exemption.REQUIRED, "A required course")),
    )  # fmt: skip
    course = OneOf(label="Which course")
    starts_on = DayField(label="From")
    ends_on = DayField(label="Until", help_text="The last day. Every exemption ends.")
    reason = forms.CharField(
        label="Reason", max_length=EXEMPTION_REASON_LENGTH, widget=CharacterCount,
        help_text="Shown to the coach, their line manager and their PCN manager. Name no patients.",
    )  # fmt: skip

    def __init__(self, *args: Any, courses: Iterable[Course], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["course"].offer((each.uuid, each.title, each) for each in courses)  # type: ignore[attr-defined]
        self.initial = {"starts_on": today(), **self.initial}


# --- Employment -------------------------------------------------------------------------------------------------------


class RecordAbsence(Entered):
    """Days on which a coach is away."""

    submit = "Save absence"

    kind = _choice("Why they are away", Absence.Kind.choices)
    starts_on = DayField(label="First day away")
    ends_on = DayField(label="Last day away", required=False, help_text="Leave empty while they are away.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.initial = {"starts_on": today(), **self.initial}


def _hours() -> forms.DecimalField:
    return forms.DecimalField(
        label="Hours a week", max_digits=4, decimal_places=2, min_value=0, max_value=60,
        error_messages=dict.fromkeys(
            ("min_value", "max_value", "max_digits", "max_whole_digits", "max_decimal_places", "invalid"),
            "Hours a week must be a number, more than 0 and no more than 60, such as 37.5",
        ),
    )  # fmt: skip


_NARROW: Mapping[str, Mapping[str, Any]] = {"hours_per_week": {"width": 4, "suffix": "hours"}}


class RecordPost(Entered):
    """Another post of a coach."""

    submit = "Save post"
    shown = _NARROW

    pcn = OneOf(label="PCN")
    employer = OneOf(label="Employed by", required=False, help_text="Leave it as it is where the PCN employs them.")
    starts_on = DayField(label="First day")
    ends_on = DayField(label="Last day", required=False, help_text="Leave empty for a post without an end.")
    hours_per_week = _hours()
    funding = _choice("Who pays", Post.Funding.choices)

    def __init__(
        self, *args: Any, pcns: Iterable[Organisation], employers: Iterable[Organisation], **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        pcns = list(pcns)
        self.fields["pcn"].offer(((each.uuid, each.name, each) for each in pcns), blank=len(pcns) > 1)  # type: ignore[attr-defined]
        rows = [("", "The PCN itself", None), *((each.uuid, each.name, each) for each in employers)]
        self.fields["employer"].offer(rows, blank=False)  # type: ignore[attr-defined]


class CorrectPost(Versioned):
    """What a post should have said from its first day on, and why."""

    submit = "Save the correction"
    shown = _NARROW

    employer = OneOf(label="Employed by")
    starts_on = DayField(label="First day")
    ends_on = DayField(label="Last day", required=False, help_text="Leave empty for a post without an end.")
    hours_per_week = _hours()
    funding = _choice("Who pays", Post.Funding.choices)
    because = _reason("Why it is corrected", "The entry as it was stays readable, with this reason.")

    def __init__(self, *args: Any, employers: Iterable[Organisation], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = ((each.uuid, each.name, each) for each in employers)
        self.fields["employer"].offer(rows, blank=False)  # type: ignore[attr-defined]
        if isinstance(employer := self.initial.get("employer"), Organisation):
            self.initial["employer"] = str(employer.uuid)


class ChangePost(Versioned):
    """New hours or funding from a day on."""

    submit = "Save the change"
    shown = _NARROW

    starts_on = DayField(label="From", help_text="The first day with the new hours or funding")
    hours_per_week = _hours()
    funding = _choice("Who pays", Post.Funding.choices)
