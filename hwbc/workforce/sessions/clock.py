"""How long a session lasts: 15 minutes without a request, 10 hours in all. Both clocks stand in the session itself.

Only what a person does moves them: a page that asks by itself says so (`X-Background`), and asking how long one has
does not count. The row is written once a minute at most, so a session may end up to a minute before it has to.
"""

import time
from typing import NamedTuple

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse

CLOCK = "clock"  # in the session: when it began, and when somebody last did something, in seconds
IDLE, LONGEST = "idle", "longest"


class Left(NamedTuple):
    """How many seconds a session still has, and whether that can be extended."""

    seconds: int
    fixed: bool


def _read(request: HttpRequest) -> tuple[int, int] | None:
    found: list[int] | None = request.session.get(CLOCK)
    return (found[0], found[1]) if found else None


def begin(request: HttpRequest) -> None:
    """Start the clocks of a session in which somebody has signed in, unless they run."""
    if _read(request) is None:
        now = int(time.time())
        request.session[CLOCK] = [now, now]


def ended(request: HttpRequest) -> str | None:
    """Why the session is over: nobody did anything for too long, or it has lasted as long as one may; else None."""
    if (clock := _read(request)) is None:
        return None
    began, seen = clock
    now = int(time.time())
    if now - began >= settings.SESSION_LONGEST:
        return LONGEST
    return IDLE if now - seen >= settings.SESSION_IDLE else None


def is_background(request: HttpRequest) -> bool:
    """Whether the page asks by itself, and nobody has done anything."""
    asks = request.path_info == reverse("session") and request.method != "POST"
    return asks or "X-Background" in request.headers


def move(request: HttpRequest, *, exactly: bool = False) -> None:
    """Somebody has done something: the idle clock starts again."""
    begin(request)
    began, seen = _read(request) or (0, 0)
    now = int(time.time())
    if exactly or abs(now - seen) >= min(60, settings.SESSION_IDLE // 15):
        request.session[CLOCK] = [began, now]


def left(request: HttpRequest) -> Left:
    """What is left of the session: nothing where nobody is signed in."""
    clock = _read(request)
    if clock is None or not request.user.is_authenticated:
        return Left(0, fixed=True)
    now = int(time.time())
    idle, longest = clock[1] + settings.SESSION_IDLE - now, clock[0] + settings.SESSION_LONGEST - now
    return Left(max(0, min(idle, longest)), fixed=longest <= idle)
