"""What somebody has typed and not saved: kept for a day, for them alone, and shown again in the same form.

A form that is a `Drafted` carries a signed mark that says who was shown it. By it a text is known as theirs although
their session is over by now, and nobody else can put one there: a form of another site does not know the mark.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple
from uuid import UUID

from django import forms
from django.core import signing
from django.http import HttpRequest, QueryDict

from hwbc.kit.fields import NhsukForm
from hwbc.workforce import walls
from hwbc.workforce.models import Draft

TYPED_BY = "typed_by"
ADDRESS = "draft_address"  # where the form stands, when a page saves a draft by itself
HELD = "held:"  # what was sent before one confirmed who one is: the draft of no form
WAS_HELD = "was_held"  # which of them is sent again
LARGEST = 200_000  # characters of one form
_SALT = "hwbc.typed"
_NEVER = {"csrfmiddlewaretoken", ADDRESS, WAS_HELD}


class Mark(NamedTuple):
    """Who was shown a form, and which; and whether the form has a token by which it is saved once."""

    user_id: int
    form: str
    once: bool = False


def sign(mark: Mark) -> str:
    """The mark as it stands in the page."""
    return signing.dumps(list(mark), salt=_SALT)


def mark_of(posted: QueryDict) -> Mark | None:
    """Who was shown the form that was sent; None where it does not say, or was shown more than a day ago."""
    return read(posted.get(TYPED_BY, ""))


def read(signed: str) -> Mark | None:
    """The mark that was signed; None for anything else, and after a day."""
    try:
        return Mark(*signing.loads(signed, salt=_SALT, max_age=Draft.KEPT_FOR))
    except signing.BadSignature:
        return None


def fields_of(posted: QueryDict, *, without: Iterable[str] = (TYPED_BY,)) -> dict[str, list[str]] | None:
    """What was typed, by field: never a password, a token of the page, or a file. None where it is too much to keep."""
    left_out = {*_NEVER, *without}
    found = {name: values for name, values in posted.lists() if name not in left_out and "password" not in name}
    size = sum(len(name) + sum(map(len, values)) for name, values in found.items())
    return {name: [str(value) for value in values] for name, values in found.items()} if size <= LARGEST else None


@dataclass(frozen=True)
class Kept:
    """What became of something that was sent and could not be taken: whether it is kept, and what to say about it."""

    kept: bool
    files: bool = False

    @property
    def sentence(self) -> str:
        """For whoever typed it."""
        if not self.kept:
            return "What you sent was not saved, and it is too long to be kept: go back and copy it before you go on."
        files = " Files are not kept: choose them again." if self.files else ""
        return f"What you typed is kept for you, and nothing of it has been saved yet.{files}"


def keep_sent(request: Any) -> Kept | None:
    """Keep what was sent for whoever typed it, whoever is signed in by now. None where nothing was typed."""
    from hwbc.workforce.sessions import actions

    if request.method != "POST" or (mark := mark_of(request.POST)) is None:
        return None
    request.was_kept = True
    fields = fields_of(request.POST)
    kept = False
    if fields is not None:
        with walls.within(walls.Scope(mark.user_id)):
            kept = actions.keep(mark, address=request.get_full_path(), fields=fields, sent=True) is not None
    return Kept(kept, bool(request.FILES))


def settle(request: Any, status: int) -> None:
    """A form that was answered with a redirect was saved: its draft is emptied, and what comes late is not kept."""
    from hwbc.workforce.sessions import actions

    if request.method != "POST" or status not in (302, 303) or getattr(request, "was_kept", False):
        return
    if held := request.POST.get(WAS_HELD):
        with suppress(ValueError):
            actions.let_go(request.actor, held=UUID(held))
    mark = mark_of(request.POST)
    if mark is not None and mark.user_id == request.actor.user_id:
        token = request.POST.get("token", "") if mark.once else ""
        actions.settle(mark, address=request.get_full_path(), token=token)


class Drafted(NhsukForm):
    """A form whose answers are kept while they are typed, and shown again when it is opened again.

    Only what the form asks is taken from a draft, and what is sent is checked as ever.
    """

    #: The address to send it to, where that is not the page it stands on
    submit_to = ""
    #: Kinds of fields that are never filled in from a draft
    not_kept: ClassVar[tuple[type[forms.Widget], ...]] = (forms.FileInput, forms.PasswordInput)

    draft: Draft | None = None
    typed_by = ""
    address = ""

    def before_shown(self, request: HttpRequest) -> None:
        """Fill in the draft, if there is one and nothing was sent; and mark the form as this person's."""
        actor = getattr(request, "actor", None)
        if actor is None or actor.user_id is None:
            return
        self.address = self.submit_to or request.get_full_path()
        self.typed_by = sign(Mark(actor.user_id, type(self).__name__, "token" in self.fields))
        if not self.is_bound:
            rows = Draft.objects.for_actor(actor).filter(address=self.address, form=type(self).__name__, settled=False)
            self.draft = rows.first()
        if self.draft is not None:
            self.initial = {**self.initial, **self._typed(self.draft.fields)}

    def _typed(self, fields: dict[str, list[str]]) -> dict[str, Any]:
        data = QueryDict(mutable=True)
        for name, values in fields.items():
            data.setlist(name, values)
        found = {}
        for name, field in self.fields.items():
            widget = field.widget
            if isinstance(widget, self.not_kept) or widget.value_omitted_from_data(data, {}, self.add_prefix(name)):
                continue
            found[name] = widget.value_from_datadict(data, {}, self.add_prefix(name))
        return found
