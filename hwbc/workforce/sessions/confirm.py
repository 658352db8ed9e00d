"""Before something that matters a person confirms who they are, unless they did within the last five minutes.

`@confirm_first` on a view whose POST matters; `first(request)` where it depends on what was asked for; `CONFIRMED` for
pages of libraries. What was asked for is kept and one click away afterwards: nothing is done that nobody clicks on.
"""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, Concatenate, ParamSpec
from urllib.parse import urlencode

from allauth.account.adapter import get_adapter
from allauth.account.authentication import get_authentication_records
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse

from hwbc.workforce import sign_in
from hwbc.workforce.models import Draft
from hwbc.workforce.sessions import drafts

P = ParamSpec("P")
View = Callable[Concatenate[Any, P], HttpResponseBase]

RECENT = 5 * 60  # seconds
MANY_ROWS = 50  # an export of more than these
_AT = "confirmed_at"

# Pages of allauth that ask first, whatever the method. What is posted to them is never kept: it is secret.
CONFIRMED = frozenset({"account_change_password"})


def note(request: HttpRequest) -> None:
    """Somebody has just confirmed who they are, in a way that allauth does not know of."""
    request.session[_AT] = time.time()


def another_key(request: HttpRequest) -> None:
    """The session of whoever has just confirmed goes on under a new key: one that was known before opens nothing."""
    from hwbc.workforce.actions.factors import seen

    session, user = request.session, request.user
    session.cycle_key()
    noted = sign_in.noted_as(session)
    if user.is_authenticated and noted:  # the list of their sessions follows at once: ending it there ends this one
        key = session.session_key or ""
        seen(user=user, noted=noted, key=key)
        sign_in.note(session, key)


def on_another_step(request: HttpRequest, **said: Any) -> None:
    """allauth says that somebody has shown something: where that was to confirm, the session's key changes."""
    if said.get("reauthenticated"):
        another_key(request)


def is_recent(request: HttpRequest) -> bool:
    """Whether whoever is signed in has signed in or confirmed who they are within the last five minutes."""
    moments = [float(each["at"]) for each in get_authentication_records(request, request.user)]
    return time.time() - max([*moments, float(request.session.get(_AT, 0))]) < RECENT


def first(request: Any) -> HttpResponse | None:
    """Where to confirm who one is, with the way back to what was asked for; None where that was done just now."""
    if is_recent(request):
        return None
    if request.method != "POST":
        return _ask(request, f"{reverse('go_on')}?{urlencode({'to': request.get_full_path()})}")
    from hwbc.workforce.sessions import actions

    # With the mark of whose form it is: sent again, it settles the draft.
    fields = drafts.fields_of(request.POST, without=())
    request.was_kept = True
    if fields is None or len(request.get_full_path()) > Draft.LONGEST_ADDRESS:
        return _ask(request, reverse("home"))
    held = actions.hold(request.actor, address=request.get_full_path(), fields=fields)
    return _ask(request, reverse("go_on_with", kwargs={"uuid": held.pk}))


def first_on_a_page_of_a_library(request: HttpRequest, name: str | None) -> HttpResponse | None:
    """The same for pages that cannot ask themselves."""
    if name not in CONFIRMED or not request.user.is_authenticated or is_recent(request):
        return None
    return _ask(request, reverse(name))


def confirm_first(
    view: Callable[Concatenate[Any, P], HttpResponseBase],
) -> Callable[Concatenate[Any, P], HttpResponseBase]:
    """What is sent to this page is done only for somebody who has just confirmed who they are."""

    @wraps(view)
    def guarded(request: Any, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.method == "POST" and (instead := first(request)) is not None:
            return instead
        return view(request, *args, **kwargs)

    guarded.confirms = True  # type: ignore[attr-defined]
    return guarded


def at_provider_again(request: HttpRequest, after: str) -> HttpResponse:
    """Who has neither a password nor a factor of ours confirms by signing in at their provider once more."""
    logout(request)
    messages.warning(request, "Sign in again first: this needs you to have signed in within the last five minutes.")
    return redirect(f"{reverse('account_login')}?{urlencode({'next': after})}")


def _ask(request: HttpRequest, after: str) -> HttpResponse:
    nothing_of_ours = not get_adapter(request).get_reauthentication_methods(request.user)
    if nothing_of_ours and sign_in.how(request.session) in sign_in.AT_PROVIDER:
        return at_provider_again(request, after)
    return redirect(f"{reverse('account_reauthenticate')}?{urlencode({'next': after})}")
