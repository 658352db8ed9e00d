"""How a session was begun, and what is still missing before it opens anything.

The one place that says so: the pages that sign somebody in write it here, the front door reads it on every request.
"""

import ipaddress
import time
from collections.abc import Iterable, Mapping, MutableMapping
from enum import Enum, StrEnum
from typing import Any

from django.conf import settings

Session = MutableMapping[str, Any]

_KEY, _NEXT, _CODES = "sign_in", "sign_in_next", "sign_in_codes"
PROVIDER = "socialaccount"  # allauth's name for signing in at a provider
SEEN_EVERY = 5 * 60  # seconds: how old "last used" may be


class How(StrEnum):
    """How a session was begun, by all that was shown for it."""

    PASSWORD = "password"  # noqa: S105 - alone: it opens nothing but the pages that set a second factor up
    TOTP = "password+totp"
    RECOVERY = "password+recovery"
    PASSWORD_PASSKEY = "password+passkey"  # noqa: S105 - a name
    PASSKEY = "passkey"
    OIDC = "oidc"  # at a provider that answers for a second factor
    OIDC_RESISTANT = "oidc-resistant"  # and for one that cannot be phished
    OIDC_ALONE = "oidc-alone"  # at a provider that answers for no second factor: as little as a password
    OIDC_TOTP = "oidc+totp"
    OIDC_RECOVERY = "oidc+recovery"
    OIDC_PASSKEY = "oidc+passkey"
    DEMO = "demo"


#: Cannot be given away to a page that only looks like ours. A demo has nobody to protect.
PHISHING_RESISTANT = frozenset({How.PASSKEY, How.PASSWORD_PASSKEY, How.OIDC_RESISTANT, How.OIDC_PASSKEY, How.DEMO})
#: Nothing but the first step was shown.
FIRST_STEP = frozenset({How.PASSWORD, How.OIDC_ALONE})
RECOVERY = frozenset({How.RECOVERY, How.OIDC_RECOVERY})

_AFTER_PROVIDER = {
    How.TOTP: How.OIDC_TOTP,
    How.RECOVERY: How.OIDC_RECOVERY,
    How.PASSWORD_PASSKEY: How.OIDC_PASSKEY,
}
#: Begun at an OpenID provider.
AT_PROVIDER = frozenset({How.OIDC, How.OIDC_RESISTANT, How.OIDC_ALONE, *_AFTER_PROVIDER.values()})


class Step(Enum):
    """What has to be done before anything else opens; the value is its page."""

    FACTOR = "account_second_factor"
    CODES = "account_codes"
    PASSKEY = "account_passkey_use"


def begin(session: Session, how: How) -> None:
    """Somebody has just signed in in this session."""
    now = time.time()
    session[_KEY] = {"how": how.value, "at": now, "seen": now, "key": ""}


def strengthen(session: Session, how: How) -> None:
    """More has been shown since the session began: `how` as if it had begun with a password."""
    how = _with(_begun(session), how)
    session[_KEY] = {"at": time.time(), "seen": 0, "key": "", **session.get(_KEY, {}), "how": how.value}


def _with(first: How | None, shown: How) -> How:
    return _AFTER_PROVIDER.get(shown, shown) if first in AT_PROVIDER else shown


def how(session: Mapping[str, Any]) -> How | None:
    """How the session was begun; None where nothing says so, as in one that another program made."""
    return _begun(session)


def _begun(session: Mapping[str, Any]) -> How | None:
    try:
        return How(session.get(_KEY, {}).get("how"))
    except ValueError:
        return None


def begun_recently(session: Mapping[str, Any]) -> bool:
    """Whether somebody has signed in in it so lately that they need not confirm again that it is them."""
    began = float(session.get(_KEY, {}).get("at", 0))
    return 0 <= time.time() - began < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT


def by_records(records: Iterable[Mapping[str, Any]]) -> How:
    """How, from what allauth has written down of the steps."""
    found = How.PASSWORD
    for record in records:
        method = record.get("method")
        if record.get("reauthenticated"):
            continue
        if method == "password":
            found = How.PASSWORD
        elif method == PROVIDER:
            found = How(record["how"])
        elif method == "mfa":
            if record.get("passwordless"):
                return How.PASSKEY
            shown = {"totp": How.TOTP, "recovery_codes": How.RECOVERY, "webauthn": How.PASSWORD_PASSKEY}
            found = _with(found, shown[record["type"]])
    return found


def missing(session: Mapping[str, Any], passkey_asked: bool) -> Step | None:
    """What this session has to do before anything else opens. `passkey_asked`: by an organisation of the person's."""
    begun = how(session)
    if begun is None or begun in FIRST_STEP:
        return Step.FACTOR
    if session.get(_CODES):
        return Step.CODES
    if passkey_asked and begun not in PHISHING_RESISTANT:
        return Step.PASSKEY
    return None


# --- Recovery codes are shown once ------------------------------------------------------------------------------------


def show_codes(session: Session) -> None:
    """New recovery codes were made: nothing else opens before they were looked at."""
    session[_CODES] = True


def codes_to_show(session: Mapping[str, Any]) -> bool:
    """Whether new recovery codes wait to be looked at in this session."""
    return bool(session.get(_CODES))


def codes_kept(session: Session) -> None:
    """The person says that they have kept them."""
    session.pop(_CODES, None)


# --- Where somebody wanted to go --------------------------------------------------------------------------------------


def come_back_to(session: Session, path: str) -> None:
    """Keep the page that was asked for until everything is there."""
    session[_NEXT] = path


def onward(session: Session) -> str:
    """The page that was asked for; the home page if none was."""
    return str(session.pop(_NEXT, "/"))


# --- The list of one's own sessions -----------------------------------------------------------------------------------


def noted_as(session: Mapping[str, Any]) -> str:
    """The key under which this session stands in the list; a session's key changes with what it may do."""
    return str(session.get(_KEY, {}).get("key", ""))


def is_due(session: Mapping[str, Any], key: str) -> bool:
    """Whether the list has to be told that this session was used, or has another key."""
    noted = session.get(_KEY)
    if not noted or not noted.get("key"):
        return False
    return bool(noted["key"] != key or time.time() - noted.get("seen", 0) >= SEEN_EVERY)


def note(session: Session, key: str) -> None:
    """The list has been told."""
    session[_KEY] = {**session[_KEY], "key": key, "seen": time.time()}


_BROWSERS = (("Edg", "Edge"), ("OPR/", "Opera"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"),
             ("Chrome/", "Chrome"), ("CriOS/", "Chrome"), ("Safari/", "Safari"))  # fmt: skip
_SYSTEMS = (("Windows", "Windows"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Android", "Android"),
            ("CrOS", "ChromeOS"), ("Mac OS X", "Mac"), ("Linux", "Linux"))  # fmt: skip


def device(user_agent: str) -> str:
    """Browser and system, from what the browser says of itself: "Firefox on Windows"."""
    browser = next((name for sign, name in _BROWSERS if sign in user_agent), "A browser")
    system = next((name for sign, name in _SYSTEMS if sign in user_agent), "")
    return f"{browser} on {system}" if system else browser


def network(address: str) -> str:
    """An address, shortened to the network it lies in: "203.0.113.x"."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "unknown"
    if parsed.version == 4:
        return address.rpartition(".")[0] + ".x"
    return f"{ipaddress.ip_network(f'{parsed}/48', strict=False).network_address}…"
