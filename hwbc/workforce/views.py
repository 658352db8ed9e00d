"""Signing in, part two: second factors, and one's own sessions. Each page works without JavaScript but for passkeys."""

from typing import Any
from uuid import UUID

import structlog
from allauth.account.adapter import get_adapter
from allauth.account.internal.flows.login import record_authentication
from allauth.account.internal.flows.reauthentication import did_recently_reauthenticate
from allauth.account.utils import get_next_redirect_url, perform_login
from allauth.core.ratelimit import consume_or_429
from allauth.mfa.adapter import get_adapter as get_factor_adapter
from allauth.mfa.base.internal.flows import post_authentication
from allauth.mfa.totp.internal.auth import clear_totp_secret, get_totp_secret
from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_safe

from hwbc.kit.qr import svg
from hwbc.workforce import attempts, factors, oidc, sign_in
from hwbc.workforce.access import Request, part_way, public, signed_in
from hwbc.workforce.accounts import go_on, tell, themself
from hwbc.workforce.actions import factors as actions
from hwbc.workforce.forms import AddApp, AddPasskey, UsePasskey
from hwbc.workforce.models import User
from hwbc.workforce.queries import sessions_of
from hwbc.workforce.sessions import confirm
from hwbc.workforce.sign_in import How, Step

_log = structlog.get_logger(__name__)

FORM = ("GET", "HEAD", "POST")


def _user(request: Request) -> User:
    user = request.user
    assert isinstance(user, User)
    return user


def _stranger(request: Request) -> HttpResponse | None:
    """Only the password was shown, and this account has a second factor: whoever this is has to show it first."""
    if request.missing is Step.FACTOR and factors.has(_user(request)):
        logout(request)
        return redirect("account_login")
    return None


def _confirm_first(request: Request, back: str) -> HttpResponse | None:
    """Before second factors change: confirm who it is, unless they have just signed in. None: go on."""
    if request.missing is Step.FACTOR or sign_in.begun_recently(request.session):
        return None
    methods = get_adapter(request).get_reauthentication_methods(request.user)
    if methods and did_recently_reauthenticate(request):  # which says yes where there is nothing to ask for
        return None
    if methods:
        return redirect(f"{methods[0]['url']}?{urlencode({'next': reverse(back)})}")
    if sign_in.how(request.session) not in sign_in.AT_PROVIDER:
        return None
    return confirm.at_provider_again(request, reverse(back))


def _onward(request: Request) -> HttpResponse:
    """To what is still missing, then to the page that was asked for; from there on everything opens."""
    step = sign_in.missing(request.session, request.passkey_asked)
    return redirect(step.value) if step else redirect(sign_in.onward(request.session))


# --- At an OpenID provider --------------------------------------------------------------------------------------------


@public("signing in at the provider that the settings name")
@require_http_methods(FORM)
def begin_at_provider(request: Request) -> HttpResponse:
    """Sends whoever wants to sign in there to the provider."""
    if not oidc.configured():
        raise Http404
    if request.method != "POST":
        return redirect("account_login")
    too_many: HttpResponse | None = consume_or_429(request, action="login")
    if too_many is not None:
        return too_many
    if request.actor.user_id is not None:
        return redirect("home")
    if request.user.is_authenticated:  # only their password was shown: begin anew
        logout(request)
    try:
        there = oidc.address(request, get_next_redirect_url(request))
    except oidc.Failed as failure:
        return _not_signed_in(request, failure)
    return redirect(there)


@public("coming back from the provider that the settings name")
@require_safe
def back_from_provider(request: Request) -> HttpResponse:
    """Signs in whoever the provider says has come back, if they were invited."""
    if not oidc.configured():
        raise Http404
    if request.actor.user_id is not None:
        return redirect("home")
    try:
        identity, next_url = oidc.answer(request)
        user, first = oidc.account_of(identity)
    except oidc.Failed as failure:
        return _not_signed_in(request, failure)
    if request.user.is_authenticated:
        logout(request)
    if first:
        tell(user, "identity_linked")
    record_authentication(request, user, **oidc.recorded(identity.how))
    response: HttpResponse = perform_login(request, user, redirect_url=next_url)
    return response


def _not_signed_in(request: Request, failure: oidc.Failed) -> HttpResponse:
    _log.warning("oidc_failed", kind=type(failure).__name__, code=failure.code)
    return render(request, "account/not_signed_in.html", {"sentence": str(failure)}, status=failure.status)


# --- Setting up -------------------------------------------------------------------------------------------------------


@part_way
@require_safe
def second_factor(request: Request) -> HttpResponse:
    """Choose a second factor, where there is none yet."""
    if stranger := _stranger(request):
        return stranger
    if request.missing is not Step.FACTOR:
        return _onward(request)
    context = {"passkey_asked": request.passkey_asked, "passkeys": factors.can_have_passkeys(request)}
    return render(request, "account/security/second_factor.html", context)


@part_way
@require_http_methods(FORM)
def add_app(request: Request) -> HttpResponse:
    """An authenticator app: its QR code, the same as text, and the first code that it shows."""
    user = _user(request)
    if (before := _stranger(request) or _confirm_first(request, "account_app_add")) is not None:
        return before
    if request.missing is Step.PASSKEY or factors.has(user, factors.APP):
        return _onward(request)
    secret = get_totp_secret(regenerate=request.method != "POST")
    form = AddApp(request.POST) if request.method == "POST" else AddApp()
    if request.method == "POST" and form.is_valid() and _app_added(request, user, form, secret):
        return _added(request, user, How.TOTP, "app_added")
    adapter = get_factor_adapter()
    context = {
        "form": form,
        "secret": " ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
        "qr": svg(
            adapter.build_totp_url(user, secret), "QR code for your authenticator app; the key below says the same"
        ),
        "setting_up": request.missing is Step.FACTOR,
    }
    return render(request, "account/security/app.html", context)


def _app_added(request: Request, user: User, form: AddApp, secret: str) -> bool:
    guess = factors.Guess(request, user)
    if not guess.allowed:
        attempts.refused(request, user, attempts.TOO_MANY_CODES)
        form.add_error("code", factors.TOO_MANY)
        return False
    key = request.session.session_key or ""
    try:
        actions.add_app(themself(user), user=user, secret=secret, code=form.cleaned_data["code"], but=key)
    except ValidationError as fault:
        form.add_error(None, fault)
        return False
    guess.was_right()
    clear_totp_secret(request)
    return True


@part_way
@require_http_methods(FORM)
def add_passkey(request: Request) -> HttpResponse:
    """A passkey: the browser makes it, with the device's finger, face or PIN."""
    user = _user(request)
    if (before := _stranger(request) or _confirm_first(request, "account_passkey_add")) is not None:
        return before
    # A session begun with what can be phished adds no passkey where there is one: it has to show that one.
    if request.missing is Step.PASSKEY and factors.has(user, factors.PASSKEY):
        return redirect(Step.PASSKEY.value)
    form = AddPasskey(request.POST) if request.method == "POST" else AddPasskey()
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"].strip() or sign_in.device(request.META.get("HTTP_USER_AGENT", ""))
        credential, key = form.cleaned_data["credential"], request.session.session_key or ""
        actions.add_passkey(themself(user), user=user, name=name, credential=credential, but=key)
        return _added(request, user, How.PASSWORD_PASSKEY, "passkey_added")
    context = {
        "form": form,
        "options": factors.registration(user),
        "passkeys": factors.can_have_passkeys(request),
        "passkey_asked": request.passkey_asked,
        "setting_up": request.missing is not None,
    }
    return render(request, "account/security/passkey.html", context)


def _added(request: Request, user: User, how: How, what: str) -> HttpResponse:
    """A second factor is there. With the first one come the recovery codes."""
    if request.missing is Step.FACTOR:
        sign_in.strengthen(request.session, how)
    if not factors.has(user, factors.CODES):
        actions.make_codes(themself(user), user=user, but=request.session.session_key or "")
        sign_in.show_codes(request.session)
    go_on(request, user)
    tell(user, what)
    messages.success(request, "The passkey was added." if what == "passkey_added" else "The app was added.")
    step = sign_in.missing(request.session, request.passkey_asked)
    return redirect(step.value if step else "account_security")


@part_way
@require_http_methods(FORM)
def use_passkey(request: Request) -> HttpResponse:
    """An organisation asks for a passkey: use one, or add the first."""
    user = _user(request)
    if request.missing is not Step.PASSKEY:
        return _onward(request)
    if not factors.has(user, factors.PASSKEY):
        return redirect("account_passkey_add")
    form = UsePasskey(request.POST, user=user) if request.method == "POST" else UsePasskey(user=user)
    if request.method == "POST" and form.is_valid():
        post_authentication(request, form.cleaned_data["credential"])
        sign_in.strengthen(request.session, How.PASSWORD_PASSKEY)
        confirm.another_key(request)
        return _onward(request)
    context = {
        "form": form,
        "options": factors.authentication(user),
        "passkeys": factors.can_have_passkeys(request),
    }
    return render(request, "account/security/use_passkey.html", context)


@part_way
@require_http_methods(FORM)
def codes(request: Request) -> HttpResponse:
    """New recovery codes, shown until the person says that they have kept them; a POST says so."""
    if not sign_in.codes_to_show(request.session) or request.missing is Step.FACTOR:
        return redirect("account_security")
    if request.method == "POST":
        sign_in.codes_kept(request.session)
        return _onward(request)
    return render(request, "account/security/codes.html", {"codes": _in_fours(_user(request))})


@part_way
@require_safe
def codes_file(request: Request) -> HttpResponseBase:
    """The same as a text file, as long as they are shown."""
    if not sign_in.codes_to_show(request.session) or request.missing is Step.FACTOR:
        raise Http404
    lines = ["Recovery codes. Each signs you in once, in place of your app or passkey.", "", *_in_fours(_user(request))]
    response = HttpResponse("\n".join(lines) + "\n", content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = 'attachment; filename="recovery codes.txt"'
    return response


def _in_fours(user: User) -> list[str]:
    return [f"{code[:4]} {code[4:]}" for code in factors.codes_of(user)]


# --- Sign-in and security ---------------------------------------------------------------------------------------------


@signed_in
@require_http_methods(FORM)
def security(request: Request) -> HttpResponse:
    """How one signs in, and where one is signed in; a POST makes new recovery codes, or ends sessions."""
    user = _user(request)
    if request.method == "POST":
        return _change(request, user)
    found = factors.of(user)
    left = len(factors.codes_of(user))
    context: dict[str, Any] = {
        "app": next((factor for factor in found if factor.type == factors.APP), None),
        "passkeys": [factor for factor in found if factor.type == factors.PASSKEY],
        "codes": left,
        "few": left <= factors.FEW,
        "has_factor": any(factor.type != factors.CODES for factor in found),
        "has_password": user.has_usable_password(),
        "sessions": sessions_of(user.pk),
        "here": request.session.session_key,
        "how": sign_in.how(request.session),
        "passkey_asked": request.passkey_asked,
    }
    return render(request, "account/security/security.html", context)


def _change(request: Request, user: User) -> HttpResponse:
    key = request.session.session_key or ""
    if "codes" in request.POST:
        if (before := _confirm_first(request, "account_security")) is not None:
            return before
        try:
            actions.make_codes(request.actor, user=user, but=key)
        except ValidationError as fault:
            messages.warning(request, " ".join(fault.messages))
            return redirect("account_security")
        sign_in.show_codes(request.session)
        go_on(request, user)
        tell(user, "codes_made")
        return redirect("account_codes")
    if (before := confirm.first(request)) is not None:
        return before
    if request.POST.get("end") == "others":
        actions.end_sessions(request.actor, user=user, but=key)
        go_on(request, user)
        messages.success(request, "All your other sessions have ended.")
        return redirect("account_security")
    try:
        asked = UUID(request.POST.get("end", ""))
    except ValueError:
        raise Http404 from None
    session = next((each for each in sessions_of(user.pk) if each.uuid == asked), None)
    if session is None:
        messages.warning(request, "This session has ended already.")
    elif session.session_key == key:
        messages.warning(request, "This is the session that you are using. Sign out to end it.")
    else:
        actions.end_session(request.actor, user=user, session=session)
        messages.success(request, f"The session on {session.device} has ended.")
    return redirect("account_security")


@signed_in
@require_http_methods(FORM)
def remove_factor(request: Request, pk: int) -> HttpResponse:
    """Ask before a second factor is removed."""
    user = _user(request)
    factor = next((each for each in factors.of(user) if each.pk == pk and each.type != factors.CODES), None)
    if factor is None:
        raise Http404
    if (before := _confirm_first(request, "account_security")) is not None:
        return before
    if request.method == "POST":
        key = request.session.session_key or ""
        try:
            actions.remove(request.actor, user=user, factor=factor, passkey_asked=request.passkey_asked, but=key)
        except ValidationError as fault:
            messages.warning(request, " ".join(fault.messages))
        else:
            go_on(request, user)
            tell(user, "factor_removed")
            messages.success(request, "It was removed. All your other sessions have ended.")
        return redirect("account_security")
    return render(request, "account/security/remove.html", {"factor": factor, "is_app": factor.type == factors.APP})
