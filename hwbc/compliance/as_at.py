"""As at any day, and as known at any moment: which of them a page is asked for, and how its links keep them.

`?as-at=2026-03-31&known-at=2026-04-02T09:00`; without them, today and now. Nothing is changed but as at today.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.datastructures import MultiValueDict

from hwbc.kit.fields import DateField, NhsukForm
from hwbc.kit.layout import Field
from hwbc.kit.periods import FIRST_YEAR, LAST_YEAR, read_day, read_moment, today
from hwbc.workforce.access import Request

P = ParamSpec("P")
DAY, KNOWN = "as-at", "known-at"
_PARTS = tuple(f"{name}_{part}" for name in ("day", "known") for part in ("day", "month", "year"))
_OURS = {DAY, KNOWN, "page", "clock", *_PARTS}


class AsAtForm(NhsukForm, forms.Form):
    """Asks for a day, and for how long ago its answer is to be remembered. Other parameters of the address are kept."""

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

    def __init__(self, *args: Any, keep: MultiValueDict[str, str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in keep:
            if name not in _OURS:
                self.fields[name] = forms.CharField(widget=forms.HiddenInput, required=False, initial=keep[name])

    def layout(self) -> list[Any]:
        """The three questions, and what is kept."""
        return ["day", "known", Field("clock", width=5), *(name for name in self.fields if name not in self._asked)]

    _asked = ("day", "known", "clock")

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
    form: AsAtForm

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
        return AsAt(day, self.moment, self.known, self.today, self.form)


def now() -> AsAt:
    """Today, as known now; for what is not asked by a page."""
    day = today()
    return AsAt(day, timezone.now(), None, day, AsAtForm(keep=MultiValueDict()))


def read(request: HttpRequest) -> AsAt:
    """What the request asks for. What cannot be read is said in the form's errors, and today is shown."""
    day, known = today(), None
    given = request.GET
    faults = []
    try:
        day = read_day(given[DAY]) if given.get(DAY) else day
    except ValueError as fault:
        faults.append(str(fault))
    try:
        known = read_moment(given[KNOWN]) if given.get(KNOWN) else None
    except ValueError as fault:
        faults.append(str(fault))
    if any(part in given for part in _PARTS):
        form = AsAtForm(given, keep=given)
        if form.is_valid():
            day, known = form.cleaned_data["day"], form.moment()
    else:
        local = timezone.localtime(known) if known else None
        initial = {"day": day, "known": local and local.date(), "clock": local and f"{local:%H:%M}"}
        form = AsAtForm(initial=initial, keep=given)
        if faults:
            form.is_bound, form.cleaned_data = True, {}
            form._errors = forms.utils.ErrorDict(renderer=form.renderer)  # type: ignore[attr-defined]
            for sentence in faults:
                form.add_error(None, sentence)
    return AsAt(day, known or timezone.now(), known, today(), form)


View = Callable[Concatenate[Request, AsAt, P], HttpResponse]


def any_day(view: View[P]) -> Callable[Concatenate[Request, P], HttpResponseBase]:
    """The page can be asked for any day: it gets the `AsAt` after its request.

    The form's parts lead to the one address of that day. A POST as at another day changes nothing and says so.
    """

    @wraps(view)
    def asked(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        as_at = read(request)
        if any(part in request.GET for part in _PARTS) and as_at.form.is_valid():
            kept = [(name, value) for name in request.GET if name not in _OURS for value in request.GET.getlist(name)]
            query = urlencode([*kept, *as_at.parameters.items()])
            return redirect(f"{request.path}?{query}" if query else request.path)
        if request.method == "POST" and not as_at.is_now:
            messages.warning(request, "Nothing was changed: you were looking at another day. Here is today.")
            return redirect(request.path)
        return view(request, as_at, *args, **kwargs)

    return asked
