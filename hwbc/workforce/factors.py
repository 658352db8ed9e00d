"""Second factors: authenticator app, passkeys, recovery codes. What they are, and whether what was typed is right.

Tables and ceremonies are allauth's; what is written is written by hwbc.workforce.actions.factors.
"""

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from hashlib import sha256
from typing import Any
from uuid import UUID

from allauth.core.internal import ratelimit
from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.webauthn.internal import auth as webauthn
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from fido2.utils import websafe_decode

from hwbc.workforce.models import User

APP, PASSKEY, CODES = (
    Authenticator.Type.TOTP,
    Authenticator.Type.WEBAUTHN,
    Authenticator.Type.RECOVERY_CODES,
)
SECRET = frozenset({"secret", "seed"})  # what allauth encrypts of a factor's data: an app's, and that of the codes
FEW = 3  # recovery codes that are left: time for new ones

WRONG_CODE = (
    "This code is not right, or it has been used already. Enter the code that the app shows now, "
    "or a recovery code that you have not used."
)
TOO_MANY = "There were too many wrong codes. Wait five minutes and try again."
NOT_ACCEPTED = "The passkey was not accepted. Try again, or use another way."


@lru_cache(maxsize=4)
def _fernet(keys: tuple[str, ...]) -> MultiFernet:
    """The first key encrypts, all of them decrypt."""
    digests = [sha256(f"hwbc second factors|{key}".encode()).digest() for key in keys]
    return MultiFernet([Fernet(base64.urlsafe_b64encode(digest)) for digest in digests])


@contextmanager
def _with_its_key() -> Iterator[MultiFernet]:
    try:
        yield _fernet(tuple(settings.MFA_KEYS))
    except InvalidToken:
        raise RuntimeError(
            "MFA_KEY (or SECRET_KEY, where there is none) does not name the key with which this second factor was "
            "stored."
        ) from None


def encrypted_again(stored: Mapping[str, Any]) -> dict[str, Any]:
    """What is stored of a factor, its secrets encrypted with the first key. Raises RuntimeError where one is lost."""
    data = dict(stored)
    with _with_its_key() as keys:
        for name in SECRET.intersection(data):
            data[name] = keys.rotate(data[name].encode()).decode()
    return data


class Adapter(DefaultMFAAdapter):  # type: ignore[misc]
    """What this service does its own way: its name, its words, and nothing readable in the database."""

    error_messages = DefaultMFAAdapter.error_messages | {"incorrect_code": WRONG_CODE}

    def encrypt(self, text: str) -> str:
        """What is stored of a secret."""
        return _fernet(tuple(settings.MFA_KEYS)).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """The secret. Raises RuntimeError where MFA_KEY does not name the key with which it was stored."""
        with _with_its_key() as keys:
            return keys.decrypt(encrypted_text.encode()).decode()

    def get_public_key_credential_user_entity(self, user: User) -> dict[str, Any]:
        """How a passkey names its account: by what nobody can guess, so that nobody learns which accounts there are."""
        return {**super().get_public_key_credential_user_entity(user), "id": user.uuid.bytes}

    def _get_site_name(self) -> str:
        return str(settings.SERVICE_NAME)


def of(user: User) -> list[Authenticator]:
    """Somebody's second factors, the recovery codes last."""
    found = Authenticator.objects.filter(user_id=user.pk).order_by("created_at", "pk")
    return sorted(found, key=lambda factor: (factor.type == CODES, factor.type == PASSKEY))


def has(user: User, *types: str) -> bool:
    """Whether somebody has a second factor of these kinds; recovery codes alone are none."""
    return bool(Authenticator.objects.filter(user_id=user.pk, type__in=types or (APP, PASSKEY)).exists())


def codes_of(user: User) -> list[str]:
    """Somebody's recovery codes that have not been used."""
    found = Authenticator.objects.filter(user_id=user.pk, type=CODES).first()
    return list(found.wrap().get_unused_codes()) if found else []


def can_have_passkeys(request: HttpRequest) -> bool:
    """Whether the address that the browser asked for is a name: browsers bind passkeys to a name, never to a number."""
    host = request.get_host().rpartition(":")[0] or request.get_host()
    return not host.strip("[]").replace(".", "").replace(":", "").isdecimal() and not host.startswith("[")


# --- Codes ------------------------------------------------------------------------------------------------------------


def step_of(secret: str, code: str, after: int = 0) -> int | None:
    """The time step whose code this is, if it comes after the last that was used: each code holds once."""
    for step in yield_hotp_counters_from_time():
        if compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, step))) and step > after:
            return int(step)
    return None


def code_at(secret: str, moment: float | None = None) -> str:
    """What an authenticator app shows at a moment: for tests of the real thing."""
    step = int(moment or time.time()) // 30
    return str(format_hotp_value(hotp_value(secret, step)))


class Guess:
    """One guess at somebody's code: five in five minutes, however many addresses they come from."""

    def __init__(self, request: HttpRequest, user: User) -> None:
        # Per account and per address, as for passwords; a passkey has nothing to guess and is never held up.
        self._usage = ratelimit.consume(
            request, app="allauth.account", action="login_failed", key=f"second factor of {user.uuid}"
        )

    @property
    def allowed(self) -> bool:
        """Whether it may be looked at."""
        return bool(self._usage)

    def was_right(self) -> None:
        """It does not count. The wrong ones before it do: nobody clears their count by knowing one account."""
        if self._usage:
            self._usage.rollback()


# --- Passkeys ---------------------------------------------------------------------------------------------------------


@contextmanager
def ceremony() -> Iterator[None]:
    """What a browser sends may be anything: whatever is wrong with it, the passkey was not accepted."""
    try:
        yield
    except (ValidationError, InvalidSignature, ValueError, TypeError, KeyError, AttributeError):
        raise ValidationError(NOT_ACCEPTED) from None


def owner_of(credential: dict[str, Any]) -> User:
    """Whose passkey it says it is; that it is has still to be proved. Raises what `ceremony` makes a refusal of."""
    handle = websafe_decode(credential["response"]["userHandle"])
    found = User.objects.filter(uuid=UUID(bytes=handle)).first()
    if found is None:
        raise ValidationError(NOT_ACCEPTED)
    return found


def registration(user: User) -> dict[str, Any]:
    """What the browser is asked for to make a passkey: one it can offer by itself, behind a finger, a face or a PIN."""
    options: dict[str, Any] = webauthn.begin_registration(user, True)
    return options


def authentication(user: User) -> dict[str, Any]:
    """What the browser is asked for to use one of this person's passkeys."""
    options: dict[str, Any] = webauthn.begin_authentication(user)
    return options
