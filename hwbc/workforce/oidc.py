"""Signing in at the OpenID provider that the settings name: what is asked of it, and what its answer proves.

allauth keeps the state, makes the addresses and fetches the tokens. What it leaves out is here: the nonce, the
signature of the ID token (allauth trusts the connection by which it came), and that the answer is the named issuer's.
"""

import hmac
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import jwt
import structlog
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.internal import statekit
from allauth.socialaccount.models import SocialApp
from allauth.socialaccount.providers.base.constants import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.provider import OpenIDConnectProvider
from allauth.socialaccount.providers.openid_connect.views import OpenIDConnectOAuth2Adapter
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.urls import reverse
from django.utils.crypto import get_random_string
from requests import RequestException, Session

from hwbc.workforce import sign_in
from hwbc.workforce.accounts import themself
from hwbc.workforce.actions import factors as actions
from hwbc.workforce.models import User
from hwbc.workforce.queries import accounts_at, known_at_provider
from hwbc.workforce.sign_in import How

_log = structlog.get_logger(__name__)

_KEY = "oidc"  # the state's key for the one provider there is
_LEEWAY = 60  # seconds by which clocks may differ
_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512")  # never a shared secret
_LONGEST = 191  # characters of a subject


class Failed(Exception):
    """Nobody was signed in: the sentence is for whoever tried, the code for the log."""

    sentence = ""
    status = 400

    def __init__(self, code: str) -> None:
        self.code = code
        super().__init__(self.sentence.format(name=settings.OIDC_NAME))


class Cancelled(Failed):
    """The person, or the provider, said no."""

    sentence = "{name} did not sign you in."


class Stale(Failed):
    """Not this browser's, begun too long ago, or an answer that was used already."""

    sentence = "This sign-in took too long, was begun in another browser, or has been used already."


class Away(Failed):
    """The provider cannot be asked."""

    sentence = "{name} cannot be reached at the moment. Try again in a few minutes, or sign in another way."
    status = 502


class Untrusted(Failed):
    """The answer does not prove what it says."""

    sentence = "What {name} answered could not be checked, so nobody was signed in."


class Stranger(Failed):
    """Nobody was invited with an address that the provider vouches for, or their account is closed."""

    sentence = "You cannot sign in here with {name}. Ask whoever invited you."
    status = 403


@dataclass(frozen=True)
class Identity:
    """Somebody, as the provider knows them. `email` is empty unless the provider vouches for it."""

    issuer: str
    subject: str
    email: str
    second_factor: bool
    phishing_resistant: bool

    @property
    def how(self) -> How:
        """How a session that they begin is begun."""
        if not self.second_factor:
            return How.OIDC_ALONE
        return How.OIDC_RESISTANT if self.phishing_resistant else How.OIDC


def configured() -> bool:
    """Whether the settings name a provider."""
    return bool(settings.OIDC_NAME)


class Adapter(DefaultSocialAccountAdapter):  # type: ignore[misc]
    """Follows no redirect: what the provider says of itself are the addresses, and one that sends us on is away."""

    def get_requests_session(self) -> Session:
        session: Session = super().get_requests_session()
        session.max_redirects = 0
        return session


class _Exchange(OpenIDConnectOAuth2Adapter):  # type: ignore[misc]
    """The provider of the settings: allauth would ask a table, and the address that the browser asked for."""

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request, _KEY)
        app = SocialApp(
            provider="openid_connect",
            provider_id=_KEY,
            name=settings.OIDC_NAME,
            client_id=settings.OIDC_CLIENT_ID,
            secret=settings.OIDC_CLIENT_SECRET,
            settings={"server_url": settings.OIDC_SERVER_URL, "oauth_pkce_enabled": True},
        )
        self.provider = OpenIDConnectProvider(request, app=app)

    def get_provider(self) -> OpenIDConnectProvider:
        return self.provider

    def get_callback_url(self, request: HttpRequest, app: SocialApp) -> str:
        return callback_url()

    @property
    def openid_config(self) -> Any:
        found = super().openid_config
        if str(found["issuer"]).rstrip("/") != settings.OIDC_SERVER_URL:
            raise Untrusted("the discovery document is another issuer's")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if settings.OIDC_SERVER_URL.startswith("https://") and not str(found[name]).startswith("https://"):
                raise Untrusted(f"{name} is not https")
        return found


def callback_url() -> str:
    """The address to which the provider sends people back: always the same, whatever the browser asked for."""
    return f"{settings.BASE_URL}{reverse('account_provider_back')}"


@contextmanager
def _asking() -> Iterator[None]:
    """What a provider sends may be anything: whatever is wrong with it, nobody is signed in."""
    try:
        yield
    except RequestException as fault:
        raise Away(f"{type(fault).__name__}") from fault
    except OAuth2Error as fault:  # what the token endpoint says instead of a token
        if "invalid_grant" in str(fault):
            raise Stale("the code is not taken") from fault
        raise Away("no token: are OIDC_CLIENT_ID and OIDC_CLIENT_SECRET right?") from fault
    except (jwt.PyJWTError, ValueError, KeyError, TypeError, AttributeError) as fault:
        raise Untrusted(f"{type(fault).__name__}") from fault


# --- There ------------------------------------------------------------------------------------------------------------


def address(request: HttpRequest, next_url: str | None) -> str:
    """Where to send somebody who wants to sign in at the provider. Raises Failed."""
    exchange = _Exchange(request)
    provider = exchange.get_provider()
    with _asking():
        authorize = exchange.authorize_url
        client = exchange.get_client(request, provider.app)
        there = urlsplit(authorize)
    if f"{there.scheme}://{there.netloc}" not in settings.OIDC_ORIGINS:
        _log.error("oidc_origin", origin=f"{there.scheme}://{there.netloc}", remedy="add it to OIDC_MORE_ORIGINS")
        raise Away("the provider signs in at an origin to which browsers may not be sent")
    parameters = provider.get_pkce_params()
    verifier = parameters.pop("code_verifier")
    nonce = get_random_string(32)
    client.state = provider.stash_redirect_state(
        request, AuthProcess.LOGIN, next_url, pkce_code_verifier=verifier, nonce=nonce
    )
    scope = provider.get_default_scope()
    return str(client.get_redirect_url(authorize, scope, {**parameters, "nonce": nonce}))


# --- And back ---------------------------------------------------------------------------------------------------------


def answer(request: HttpRequest) -> tuple[Identity, str | None]:
    """Who has come back from the provider, and the page that they had asked for. Raises Failed."""
    state = statekit.unstash_state(request, provider_id=_KEY, state_id=request.GET.get("state", ""))
    if state is None:
        raise Stale("no such state")
    if "error" in request.GET or "code" not in request.GET:
        raise Cancelled("access_denied" if request.GET.get("error") == "access_denied" else "no code")
    exchange = _Exchange(request)
    with _asking():
        client = exchange.get_client(request, exchange.get_provider().app)
        tokens = exchange.get_access_token_data(
            request, exchange.get_provider().app, client, pkce_code_verifier=state["pkce_code_verifier"]
        )
        claims = _claims(exchange, tokens["id_token"])
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), state["nonce"].encode()):
            raise Untrusted("nonce")
        return _identity(claims, _more(exchange, claims, tokens)), state.get("next")


def _claims(exchange: _Exchange, token: str) -> dict[str, Any]:
    """What an ID token says, once its signature, issuer, audience and time have been checked."""
    header = jwt.get_unverified_header(token)
    algorithm = header["alg"]
    if algorithm not in _ALGORITHMS:
        raise Untrusted("algorithm")
    with get_adapter().get_requests_session() as session:
        response = session.get(exchange.openid_config["jwks_uri"])
        response.raise_for_status()
    keys = jwt.PyJWKSet.from_dict(response.json()).keys
    usable = [key for key in keys if key.public_key_use in (None, "sig")]
    named = [key for key in usable if key.key_id == header.get("kid")]
    key = (named if "kid" in header else usable)[:1]
    if not key:
        raise Untrusted("key")
    claims: dict[str, Any] = jwt.decode(
        token,
        key[0].key,
        algorithms=[algorithm],
        audience=settings.OIDC_CLIENT_ID,
        issuer=exchange.openid_config["issuer"],
        leeway=_LEEWAY,
        options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
    )
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else settings.OIDC_CLIENT_ID) != settings.OIDC_CLIENT_ID:
        raise Untrusted("azp")
    return claims


def _more(exchange: _Exchange, claims: Mapping[str, Any], tokens: Mapping[str, Any]) -> Mapping[str, Any]:
    """Where the address stands: in the ID token, or in what the provider says of the same person when asked."""
    if claims.get("email") or "userinfo_endpoint" not in exchange.openid_config:
        return claims
    said: dict[str, Any] = exchange._fetch_user_info(tokens["access_token"])
    if said["sub"] != claims["sub"]:
        raise Untrusted("userinfo is somebody else's")
    return said


def _identity(claims: Mapping[str, Any], said: Mapping[str, Any]) -> Identity:
    subject = claims["sub"]
    if not (isinstance(subject, str) and subject.isprintable() and 0 < len(subject) <= _LONGEST):
        raise Untrusted("subject")
    return Identity(
        issuer=str(claims["iss"]),
        subject=subject,
        email=_verified(said),
        second_factor=settings.OIDC_SECOND_FACTOR or "mfa" in _methods(claims),
        phishing_resistant=not _methods(claims).isdisjoint(settings.OIDC_PHISHING_RESISTANT_AMR),
    )


def _verified(said: Mapping[str, Any]) -> str:
    """The address for which the provider vouches, or nothing."""
    email = said.get("email")
    # Letters that become others when they are made small ("K" the kelvin sign) are nobody's address here.
    if not (isinstance(email, str) and email.isascii() and email.isprintable()):
        return ""
    vouched = said.get("email_verified", settings.OIDC_TRUST_EMAIL)
    return email if vouched in (True, "true") else ""


def _methods(claims: Mapping[str, Any]) -> set[str]:
    amr = claims.get("amr") or []
    return {str(method) for method in [*([amr] if isinstance(amr, str) else amr), claims.get("acr") or ""]}


# --- Whose account it is ----------------------------------------------------------------------------------------------


def account_of(identity: Identity) -> tuple[User, bool]:
    """Whose account it is, and whether it was opened in this way for the first time. Raises Stranger.

    By what the provider calls them, once they are linked; before that, by their address. No link moves with an address.
    """
    user = known_at_provider(identity.issuer, identity.subject)
    if user is not None:
        if not user.is_active:
            raise Stranger("closed")
        return user, False
    user = next(iter(accounts_at(identity.email)), None) if identity.email else None
    if user is None:
        raise Stranger("no account" if identity.email else "no verified address")
    try:
        new = actions.link(themself(user), user=user, issuer=identity.issuer, subject=identity.subject)
    except ValidationError as refusal:
        raise Stranger(str(getattr(refusal, "code", None) or "linked at the same time")) from None
    return user, new


def recorded(how: How) -> dict[str, str]:
    """What allauth writes down of the step: `sign_in.by_records` reads it."""
    return {"method": sign_in.PROVIDER, "how": how.value}
