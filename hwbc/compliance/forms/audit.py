"""What the audit is narrowed to."""

from datetime import date
from typing import Any

from django import forms
from django.db.models import Q

from hwbc.compliance.forms.lists import ListFilter, choice
from hwbc.compliance.sentences import written
from hwbc.compliance.trail import KINDS, Asked
from hwbc.kit.fields import DATE_PARTS, DateField
from hwbc.kit.periods import FIRST_YEAR, LAST_YEAR
from hwbc.workforce.models import AuditEvent

DAYS = ("since", "until")


class AuditFilter(ListFilter):
    """Narrows the audit: who did it, to what, what kind of thing, how it ended, and when."""

    narrows = ("who", "record", "kind", "outcome", "since", "until")
    #: The same as parameters of the address.
    parameters = (*narrows[:4], *(f"{day}_{part}" for day in DAYS for part in DATE_PARTS))

    who = forms.CharField(
        label="Who did it", required=False, max_length=100, help_text="A name, or a part of it.",
        error_messages={"max_length": "The name must be 100 characters or fewer"},
    )  # fmt: skip
    record = forms.CharField(
        label="About which record", required=False, max_length=100,
        help_text="The reference of a coach or a referral, or a long identifier.",
        error_messages={"max_length": "The reference must be 100 characters or fewer"},
    )  # fmt: skip
    kind = choice("What", "Everything", "what was done")
    outcome = choice("How it ended", "Done or refused", "how it ended")
    since = DateField(label="From", required=False)
    until = DateField(label="Until", required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, nodes=[], keep={}, **kwargs)
        self.fields.pop("place", None)
        self.offer("kind", [(code, words) for code, (words, _) in KINDS.items()])
        self.offer("outcome", list(AuditEvent.Outcome.choices))

    def clean(self) -> dict[str, Any]:
        """Two days within the years that the service knows, in their order."""
        asked: dict[str, Any] = super().clean() or self.cleaned_data
        for name in DAYS:
            day = asked.get(name)
            if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
                self.add_error(name, f"The year must be between {FIRST_YEAR} and {LAST_YEAR}")
        since, until = asked.get("since"), asked.get("until")
        if since and until and until < since:
            self.add_error("until", "The last day cannot be before the first day")
        return asked

    def day(self, name: str) -> date | None:
        """One of the two days; None where anything in the form is wrong."""
        return self.cleaned_data.get(name) if self.is_valid() else None

    def chosen(self, record: Q) -> Asked:
        """What is looked for. `record`: what was typed about one, as a condition."""
        words = tuple(self.given("who").split())
        return Asked(words, record, self.given("kind"), self.given("outcome"), self.day("since"), self.day("until"))

    def chips(self) -> list[tuple[str, str, str]]:
        """What the list is narrowed to, days in words."""
        return [
            (name, label, written(day) if name in DAYS and (day := self.day(name)) else words)
            for name, label, words in super().chips()
        ]
