"""One entry about a coach: found, asked, written down, judged at once; and what is shown where somebody was faster."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import models
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from hwbc.compliance import as_at
from hwbc.compliance.catalogue import rule_of
from hwbc.compliance.checks import check_coaches
from hwbc.compliance.forms.recording import Entered, Withdraw, WithdrawVersion
from hwbc.compliance.queries import open_flags, people, standings_by_coach
from hwbc.compliance.record import Limits
from hwbc.compliance.sentences import sentence, written
from hwbc.kit.periods import today
from hwbc.standards.actions import TooEarly
from hwbc.standards.rules import DUE_SOON, MET, NOT_APPLICABLE, NOT_MET, OVERDUE, PAUSED, RED
from hwbc.workforce.access import Actor, Request
from hwbc.workforce.models import Coach
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale, in_words, latest

F = TypeVar("F", bound=Entered)

_STANDS = {
    MET: "is met",
    DUE_SOON: "is due soon",
    OVERDUE: "is overdue against the standard",
    NOT_MET: "is not met",
    PAUSED: "is paused",
    NOT_APPLICABLE: "does not apply",
}


class Said(NamedTuple):
    """What was done, in a sentence; and the rules whose answers may have changed with it."""

    sentence: str
    rules: Sequence[str] = ()


@dataclass(frozen=True)
class Entry:
    """What a page writes down, about whom, and where it is seen afterwards."""

    heading: str
    coaches: Sequence[Coach]
    page: str  # the URL name of the page about the coach; "home" for several coaches
    anchor: str = ""
    told: Sequence[tuple[str, str]] = ()  # what stands there now, in words
    explains: str = ""

    @property
    def coach(self) -> Coach | None:
        """The one coach whom it is about, if it is one."""
        return self.coaches[0] if len(self.coaches) == 1 else None

    @property
    def href(self) -> str:
        """Where what was written down is seen."""
        if self.coach is None or self.page in ("home", "coaches"):
            return reverse(self.page)
        return reverse(self.page, kwargs={"uuid": self.coach.uuid}) + (f"#{self.anchor}" if self.anchor else "")

    @property
    def breadcrumbs(self) -> list[dict[str, str]]:
        """The way to the page."""
        crumbs = [{"text": "Home", "href": reverse("home")}]
        if self.coach is not None:
            crumbs += [
                {"text": "Coaches", "href": reverse("coaches")},
                {"text": self.coach.name, "href": reverse("coach", kwargs={"uuid": self.coach.uuid})},
            ]
        return crumbs


# --- Finding ----------------------------------------------------------------------------------------------------------


def coach_of(actor: Actor, can: Can, uuid: UUID) -> Coach:
    """A coach for whom the actor has `can`. Raises Http404 for any other."""
    coach: Coach | None = Coach.objects.for_actor(actor, can).filter(uuid=uuid).first()
    if coach is None:
        raise Http404
    return coach


def row_of(model: type[models.Model], actor: Actor, can: Can, day: str, **which: Any) -> Any:
    """A row about a coach for whom the actor has `can`, voided or not. Raises Http404 for any other.

    `day`: the field with its first day. A PCN that a coach has left does not learn what came later.
    """
    rows: Any = model.objects.for_actor(actor, can).select_related("coach")  # type: ignore[attr-defined]
    row = rows.filter(**which).first()
    if row is None or getattr(row, day) > Limits(actor, row.coach_id).until(can):
        raise Http404
    return row


def told(row: models.Model, *names: str) -> list[tuple[str, str]]:
    """What a row says, field by field, in words."""
    labels = {"pcn": "PCN", "starts_on": "From", "ends_on": "Until"}
    words = [(labels.get(name) or str(row._meta.get_field(name).verbose_name).capitalize(), name) for name in names]  # type: ignore[union-attr]
    return [(label, in_words(row, name, getattr(row, name)) or "Not recorded") for label, name in words]


def gone(request: Request, row: Any, href: str, again: Callable[[Any], str]) -> HttpResponse | None:
    """Where to go instead of a form about a row that was withdrawn or corrected since; None where it still stands."""
    if request.method == "POST" or row.voided_at is None:
        return None  # the action knows what was sent before
    now = latest(row)
    if now.voided_at is None:
        messages.warning(request, "This entry was corrected meanwhile. Here is how it stands now.")
        return redirect(again(now))
    messages.warning(request, _withdrawn(row))
    return redirect(href)


def _withdrawn(row: Any) -> str:
    on = written(timezone.localdate(row.voided_at))
    return f"This entry was withdrawn on {on}: {row.voided_because}"


# --- Writing down -----------------------------------------------------------------------------------------------------


def filled(form: Callable[..., F], request: Request, initial: Mapping[str, Any] | None = None, **options: Any) -> F:
    """The form: with what was sent, or empty."""
    data = request.POST if request.method == "POST" else None
    return form(data, initial=dict(initial or {}), **options)


def answer(
    request: Request,
    entry: Entry,
    form: Entered,
    save: Callable[[], Any],
    say: Callable[[Any], Said],
    again: Callable[[Any], str] | None = None,
) -> HttpResponse:
    """Show the form; or write down what was sent, check the coach's rules at once, and say what came of it.

    `again`: the address of the same form about another row, for what stands there once somebody else was faster.
    """
    if request.method == "POST" and form.is_valid():
        flagged = _flagged(entry.coaches)
        try:
            made = save()
        except ValidationError as fault:
            form.refuse(fault)
        except Stale as stale:
            return _conflict(request, entry, form, stale, again)
        else:
            coaches = form.cleaned_data.get("coaches") or entry.coaches
            checked = _check(request.actor, coaches)
            said = say(made)
            words = [said.sentence, *_stands(request.actor, coaches, said.rules, flagged)]
            if not checked:
                words.append("The next checks bring the flags up to date.")
            messages.success(request, " ".join(words))
            return redirect(entry.href.partition("#")[0])  # to its top, where the message is
    return render(request, "recording/entry.html", {"entry": entry, "form": form, "breadcrumbs": entry.breadcrumbs})


def withdrawal(
    request: Request,
    entry: Entry,
    row: Any,
    void: Callable[..., None],
    say: Said,
    again: Callable[[Any], str],
) -> HttpResponse:
    """Ask why a row is withdrawn, and withdraw it."""
    if (instead := gone(request, row, entry.href, again)) is not None:
        return instead
    form: Entered = (
        filled(WithdrawVersion, request, {"version": row.version})
        if hasattr(row, "version")
        else filled(Withdraw, request)
    )
    return answer(request, entry, form, lambda: void(request.actor, **form.answers()), lambda _: say, again)


def _check(actor: Actor, coaches: Sequence[Coach]) -> bool:
    """Raise and clear the flags of the coaches; whether that could be done."""
    try:
        check_coaches(actor, [coach.pk for coach in coaches], today())
    except TooEarly:
        return False  # the clock was set back: the entry stands all the same
    return True


def _flagged(coaches: Sequence[Coach]) -> Collection[tuple[int, str]]:
    """The flags that are open: coach and rule."""
    return open_flags([coach.pk for coach in coaches], today(), timezone.now()).keys()


def _stands(
    actor: Actor, coaches: Sequence[Coach], rules: Sequence[str], flagged: Collection[tuple[int, str]]
) -> list[str]:
    """How the rules stand for the coaches now that it is written down, in sentences."""
    if not rules:
        return []
    now = as_at.now()
    wanted = {coach.pk for coach in coaches}
    one = next(iter(wanted)) if len(wanted) == 1 else None
    some = [person for person in people(actor, now.day, now.moment, coach=one) if person.pk in wanted]
    standings = standings_by_coach(some, now.day, now.moment)
    sentences = []
    for person in some:
        standing = standings[person.pk]
        answers = dict(standing.answers)
        for code in rules:
            if (found := answers.get(code)) is None:
                continue
            met_again = found.state not in RED and (person.pk, code) in flagged
            stands = f"{_STANDS[found.state]}{' again' if met_again and found.state == MET else ''}"
            title = rule_of(code, standing.required).title
            sentences.append(f"{title} for {person.name} {stands}. {sentence(standing, code, found)}")
    return sentences


# --- Somebody was faster ----------------------------------------------------------------------------------------------


def _conflict(
    request: Request, entry: Entry, form: Entered, stale: Stale, again: Callable[[Any], str] | None
) -> HttpResponse:
    """Both texts; and the form as it was filled in, about what stands there now, so that nothing typed is lost."""
    current: Any = stale.current
    context: dict[str, Any] = {"entry": entry, "differences": stale.differences}
    if getattr(current, "voided_at", None) is not None:
        context |= {"withdrawn": _withdrawn(current), "back": entry.href}
    elif again is not None:
        data = request.POST.copy()
        if "version" in form.fields:
            data["version"] = str(current.version)
        form.data = data
        form.submit_to = again(current)
        context["again"] = form
    return render(request, "409.html", context, status=409)
