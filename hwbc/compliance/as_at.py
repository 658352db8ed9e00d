"""As at any day, and as known at any moment: which of them a page is asked for, and how its links keep them.

`?as-at=2026-03-31&known-at=2026-04-02T09:00`; without them, today and now. Nothing is changed but as at today.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date, datetime, time
from functools import cached_property, wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import parse_qsl, urlencode, urlsplit

from django import forms
from django.contrib import messages
from django.http import HttpResponseBase, QueryDict
from django.shortcuts import redirect
from django.utils import timezone

from hwbc.kit.fields import DateField, NhsukForm
from hwbc.kit.layout import Field
from hwbc.kit.periods import FIRST_YEAR, LAST_YEAR, read_day, read_moment, today
from hwbc.workforce.access import Request

P = ParamSpec("P")
DAY, KNOWN = "as-at", "known-at"


class AsAtForm(NhsukForm, forms.Form):
    """Asks for a day, and for how long ago its answer is to be remembered."""

    method = "get"
    submit = "Show this day"

    day = DateField(label="What was so on", help_text="For example, 31 3 2026")
    known = DateField(
        label="As it was known on",
        required=False,
        help_text="Leave empty for what is known now. Entries made later are left out.",
    )
    clock = forms.CharField(
        label="At this time of that day", required=False, help_text="For example, 09:30. Leave empty for its end."
    )
    next = forms.CharField(widget=forms.HiddenInput, required=False)

    def layout(self) -> list[Any]:
        """The three questions, and where to show the answer."""
        return ["day", "known", Field("clock", width=5), "next"]

    def clean_day(self) -> date | None:
        """A day within the years that the service knows."""
        return _within_reason(self.cleaned_data["day"])

    def clean_known(self) -> date | None:
        """The same for the day of knowing."""
        return _within_reason(self.cleaned_data["known"])

    def clean_clock(self) -> time | None:
        """A time of the day; None where there is none."""
        text = self.cleaned_data["clock"].strip()
        if not text:
            return None
        try:
            return datetime.strptime(text.replace(".", ":"), "%H:%M").time()  # noqa: DTZ007  a time of day alone
        except ValueError:
            raise forms.ValidationError("Write the time as 09:30 or 17:00") from None

    def moment(self) -> datetime | None:
        """The moment of knowing; None: now."""
        known = self.cleaned_data["known"]
        if known is None:
            return None
        return timezone.make_aware(datetime.combine(known, self.cleaned_data["clock"] or time(23, 59, 59)))


def _within_reason(day: date | None) -> date | None:
    if day is not None and not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise forms.ValidationError(f"The year must be between {FIRST_YEAR} and {LAST_YEAR}")
    return day


@dataclass(frozen=True)
class AsAt:
    """The day that a page is about, and the moment as of which it is known."""

    day: date
    moment: datetime
    known: datetime | None  # as asked for; None: now
    today: date
    faults: tuple[str, ...] = ()  # what could not be read of the address, in sentences

    @cached_property
    def form(self) -> AsAtForm:
        """An empty form that holds the faults as its errors, for the page to show as it shows every form's."""
        form = AsAtForm({})
        form.full_clean()
        form.errors.clear()
        for fault in self.faults:
            form.add_error(None, fault)
        return form

    @property
    def is_now(self) -> bool:
        """Today, as known now: what can be changed."""
        return self.day == self.today and self.known is None

    @property
    def query(self) -> str:
        """What a link adds to its address to stay on this day: "" for today."""
        asked = self.parameters
        return f"?{urlencode(asked)}" if asked else ""

    @property
    def parameters(self) -> dict[str, str]:
        """The same as parameters."""
        asked = {}
        if self.day != self.today:
            asked[DAY] = self.day.isoformat()
        if self.known is not None:
            asked[KNOWN] = timezone.localtime(self.known).replace(tzinfo=None).isoformat()
        return asked

    def on(self, day: date) -> "AsAt":
        """The same moment of knowing, about another day."""
        return replace(self, day=day)


def now() -> AsAt:
    """Today, as known now; for what is not asked by a page."""
    day = today()
    return AsAt(day, timezone.now(), None, day)


def read(given: QueryDict) -> AsAt:
    """What an address asks for. What cannot be read is among the faults, and today is meant."""
    faults = []
    day, known = today(), None
    try:
        day = read_day(str(given[DAY])) if given.get(DAY) else day
    except ValueError as fault:
        faults.append(str(fault))
    try:
        known = read_moment(str(given[KNOWN])) if given.get(KNOWN) else None
    except ValueError as fault:
        faults.append(str(fault))
    return AsAt(day, known or timezone.now(), known, today(), tuple(faults))


def address(path: str, day: date, known: datetime | None) -> str:
    """A page's address with its other parameters kept and the day put in; the page number starts anew."""
    parts = urlsplit(path)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in (DAY, KNOWN, "page")]
    asked = AsAt(day, timezone.now(), known, today()).parameters
    query = urlencode([*kept, *asked.items()])
    return f"{parts.path}?{query}" if query else parts.path


View = Callable[Concatenate[Request, AsAt, P], HttpResponseBase]


def any_day(view: View[P]) -> Callable[Concatenate[Request, P], HttpResponseBase]:
    """The page can be asked for any day: it gets the `AsAt` after its request.

    A POST as at another day changes nothing and says so.
    """

    @wraps(view)
    def asked(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        as_at = read(request.GET)
        if request.method == "POST" and not as_at.is_now:
            messages.warning(request, "Nothing was changed: you were looking at another day. Here is today.")
            return redirect(request.path)
        return view(request, as_at, *args, **kwargs)

    return asked
