"""What is asked about people's access: who stands in for whom."""

from collections.abc import Sequence
from typing import Any

from hwbc.compliance.forms.recording import DayField, Entered, OneOf
from hwbc.kit.periods import today
from hwbc.workforce.models import User


class NameDeputy(Entered):
    """Who stands in, and for how long. `offered`: who may."""

    submit = "Name the deputy"

    user = OneOf(label="Deputy", error_messages={"required": "Select who stands in"})
    starts_on = DayField(label="From")
    ends_on = DayField(label="Until", help_text="The last day. It ends by itself.")

    def __init__(self, *args: Any, offered: Sequence[User], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        rows = [(user.uuid, f"{user.name}, {user.email}", user) for user in offered]
        self.fields["user"].offer(rows, blank=len(rows) > 1)  # type: ignore[attr-defined]
        self.initial = {"starts_on": today(), **self.initial}
