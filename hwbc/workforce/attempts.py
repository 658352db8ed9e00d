"""Signing in, or confirming who one is, that did not work: each time a line of the log, now and then an audit event.

An event a window of throttling, account and reason: nobody fills the audit by guessing. What was typed is in neither.
"""

from hashlib import sha256

import structlog
from django.core.cache import cache
from django.http import HttpRequest

from hwbc.workforce.access import place_of
from hwbc.workforce.audit import record_attempt
from hwbc.workforce.models import User

_log = structlog.get_logger(__name__)

EVERY = 5 * 60  # seconds: the window of ACCOUNT_RATE_LIMITS
WRONG_PASSWORD, WRONG_CODE, WRONG_PASSKEY, CLOSED = "wrong_password", "wrong_code", "wrong_passkey", "account_closed"
TOO_MANY_PASSWORDS, TOO_MANY_CODES = "too_many_passwords", "too_many_codes"
HELD_UP = frozenset({TOO_MANY_PASSWORDS, TOO_MANY_CODES})


def refused(request: HttpRequest, user: User | None, why: str, typed: str = "") -> None:
    """Somebody was refused at an account; None where there is none at the address that was typed."""
    note(request, user, why)
    key = sha256((str(user.uuid) if user else typed).encode()).hexdigest()
    place = place_of(user.pk if user else 0)
    if cache.add(f"attempt:{why}:{key}", True, EVERY):
        record_attempt(user, place, "account.confirm" if request.user.is_authenticated else "account.attempt", why)


def note(request: HttpRequest, user: User | None, why: str) -> None:
    """The line in the log alone: where the audit has it already, or nobody says whose account it is."""
    event = "sign_in_held_up" if why in HELD_UP else "sign_in_failed"
    _log.warning(event, why=why, user=user.pk if user else None, confirming=request.user.is_authenticated)
