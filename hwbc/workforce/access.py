"""The front door: who asks, what the page needs, and which rows exist for them.

A page declares what it needs with `@needs(Can.…)`, `@signed_in` or `@public("reason")`; one that declares nothing does
not open. `FrontDoor` is the innermost middleware: it finds the actor and opens the database's scope around the view.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import cached_property, wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec
from uuid import UUID

import structlog
from django.contrib import messages
from django.contrib.auth.models import AnonymousUser
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.db import InterfaceError, OperationalError
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.template import loader
from django.utils.http import url_has_allowed_host_and_scheme

from hwbc.kit.periods import today
from hwbc.workforce import sign_in, walls
from hwbc.workforce.queries import Granted, reach
from hwbc.workforce.roles import ASK, GIVES, SUPERVISORS, Can, Role
from hwbc.workforce.sessions import clock

if TYPE_CHECKING:
    from hwbc.workforce.audit import Line
    from hwbc.workforce.models import User

_log = structlog.get_logger(__name__)

P = ParamSpec("P")
_REFUSES = {403: "role", 404: "record", 429: "too_many"}  # status → what was missing, or too much
_DATABASE_AWAY = (OperationalError, InterfaceError)
View = Callable[Concatenate["Request", P], HttpResponseBase]

# allauth's pages cannot declare anything themselves: URL name → why it is open to whoever comes, or "signed in".
SIGNED_IN = "signed in"
PART_WAY = "signed in, also where a second factor is still missing"
LIBRARY_PAGES = {
    "account_login": "signing in",
    "account_logout": "signing out shows the sign-in page to whoever is out already",
    "account_reset_password": "a forgotten password",
    "account_reset_password_done": "a forgotten password",
    "account_reset_password_from_key": "the link in an invitation or of a forgotten password",
    "account_reset_password_from_key_done": "the link in an invitation or of a forgotten password",
    "account_inactive": "says that the account is closed",
    "account_change_password": SIGNED_IN,
    "account_reauthenticate": PART_WAY,
    "mfa_authenticate": "the second step of signing in",
    "mfa_login_webauthn": "signing in with a passkey",
    "mfa_reauthenticate": PART_WAY,
    "mfa_reauthenticate_webauthn": PART_WAY,
}


@dataclass(frozen=True)
class Actor:
    """Who asks: a user with live grants, somebody unknown, or a job of the service itself."""

    user_id: int | None
    name: str
    grants: tuple[Granted, ...] = ()
    job: str = ""

    @classmethod
    def system(cls, job: str) -> "Actor":
        """A scheduled job or a command. It reaches nothing by itself."""
        return cls(None, job, job=job)

    def can(self, can: Can) -> bool:
        """Whether any live grant allows it, anywhere."""
        return any(grant.allows(can) for grant in self.grants)

    def coaches(self, can: Can) -> frozenset[int]:
        """The coaches for whom it is allowed."""
        return frozenset(coach for grant in self.grants if grant.allows(can) for coach in grant.coaches)

    def own(self, can: Can) -> frozenset[int]:
        """The coaches for whom it is allowed one by one: themself, or those they supervise."""
        return frozenset(grant.coach_id for grant in self.grants if grant.coach_id is not None and grant.allows(can))

    def pcns(self, can: Can) -> frozenset[int]:
        """The PCNs in which it is allowed for everybody there."""
        return frozenset(pcn for grant in self._whole(can) for pcn in grant.pcns)

    def nodes(self, can: Can) -> frozenset[int]:
        """The organisations, of every kind, at which it is allowed for everybody there."""
        return frozenset(node for grant in self._whole(can) for node in grant.nodes)

    def gives(self, role: Role) -> frozenset[int]:
        """The organisations at which the actor may give this role: at or below a whole place of theirs."""
        givers = [grant for grant in self._whole(Can.INVITE) if role in GIVES.get(grant.role, ())]
        return frozenset(node for grant in givers for node in grant.nodes)

    def _whole(self, can: Can) -> list[Granted]:
        return [grant for grant in self.grants if grant.coach_id is None and grant.allows(can)]

    def around(self, can: Can) -> frozenset[int]:
        """The PCNs in which it is allowed at all: for everybody there, or for one coach.

        A coach's work lies in a PCN, and the database's wall is the PCN; which of it is the coach's own is for
        `for_actor`.
        """
        return frozenset(pcn for grant in self.grants if grant.allows(can) for pcn in grant.pcns)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles held in the actor's own right, each once."""
        return tuple(dict.fromkeys(grant.role for grant in self.grants if grant.stands_in_for is None))

    @property
    def deputises(self) -> tuple[Granted, ...]:
        """The grants that they hold as somebody's deputy."""
        return tuple(grant for grant in self.grants if grant.stands_in_for is not None)

    @property
    def place(self) -> int | None:
        """Where they belong: the place of their first role, one of their own right before one as somebody's deputy."""
        first = min(self.grants, key=lambda grant: grant.stands_in_for is not None, default=None)
        return first.organisation_id if first else None

    @property
    def by(self) -> str:
        """In which role something is done, as the audit and the history keep it: the roles held, those of somebody
        else's marked; or the job."""
        roles = [*self.roles, *(f"{grant.role} (deputy)" for grant in self.deputises)]
        return self.job or ", ".join(dict.fromkeys(roles)) or "nobody"

    @cached_property
    def scope(self) -> walls.Scope:
        """What the database shows this actor."""
        return walls.Scope(
            self.user_id,
            coaches=tuple(sorted(self.coaches(Can.SEE_STANDING))),
            pcns=tuple(sorted(self.around(Can.SEE_WORK))),
            care=tuple(sorted(self.around(Can.SEE_PATIENTS))),
            nodes=tuple(sorted(self.nodes(Can.INVITE))),
            by=self.by,
            audits=tuple(sorted(self.nodes(Can.SEE_AUDIT))),
            own=tuple(sorted(self.own(Can.SEE_AUDIT))),
            cases=tuple(sorted(self.own(Can.LOG_SESSIONS))),
        )


NOBODY = Actor(None, "somebody not signed in")


class Request(HttpRequest):
    """A request that has come through the front door."""

    actor: Actor
    timed_out: str  # why the session ended with this request, if it did
    session_left: clock.Left  # there where somebody is signed in
    missing: sign_in.Step | None  # what has to be done before anything opens
    passkey_asked: bool  # whether an organisation of whoever has signed in asks for a passkey
    refused_for: str  # why it was refused, where the status alone does not say so: for the log
    reading: "Line"  # of a page made with `@reads`: what to say of the record that it shows


class Refused(PermissionDenied):
    """No live grant of the actor allows what the page needs; says so, and whom to ask."""

    def __init__(self, can: Can) -> None:
        self.can = can
        self.reason = f"None of your roles lets you {can.value}."
        self.ask = f"If you need to, ask {ASK}."
        super().__init__(self.reason)


def actor_of(user: "User", day: date | None = None) -> Actor:
    """The actor that a user is today: for what is done on a user's behalf outside a request."""
    with walls.lifted("reach: it decides what the scope will be"):
        return _actor(user, day or today())


def place_of(user_id: int) -> int | None:
    """Where an account belongs: for what is done to it by somebody unknown. The same work where there is none (0)."""
    with walls.lifted("reach: it decides what the scope will be"):
        return Actor(user_id, "", reach(user_id, today())).place


def has_access_elsewhere(user: "User", actor: Actor, day: date) -> bool:
    """Whether somebody's access, on `day` or later, is not all of it where this actor gives and ends access.

    Of a supervisor's it is enough that the actor manages the coach's access. Only yes or no: where it is, is not told.
    """
    from hwbc.workforce.models import Grant

    with walls.lifted("reach: it decides what the scope will be"):
        live = Grant.objects.filter(Q(ends_on=None) | Q(ends_on__gte=day), user=user, revoked_at=None)
        mine = Q(organisation__in=actor.nodes(Can.INVITE)) | Q(
            role__in=SUPERVISORS, coach__in=actor.coaches(Can.INVITE)
        )
        return live.exclude(mine).exists()


def _actor(user: "User", day: date) -> Actor:
    return Actor(user.pk, user.name, reach(user.pk, day)) if user.is_active else NOBODY


_ENDED = {
    clock.IDLE: "You were signed out because nothing was done here for a while.",
    clock.LONGEST: "You were signed out because you had been signed in for as long as one may.",
}


def to_sign_in(request: Request) -> HttpResponse:
    """Sign in, and back to this page. What was typed and sent too late is kept, and is there again afterwards."""
    from hwbc.workforce.sessions import drafts

    said = [_ENDED[why]] if (why := getattr(request, "timed_out", "")) else []
    address = request.get_full_path()
    if (kept := drafts.keep_sent(request)) is not None:
        said = [*(said or ["You are signed out."]), kept.sentence]
    elif request.method not in ("GET", "HEAD"):
        # Nothing can be opened where only something is sent to: back to the page on which it was asked for.
        address = _came_from(request)
        said = [*said, "What you asked for was not done: sign in, and ask again."]
    if said:
        messages.warning(request, " ".join(said))
    return redirect_to_login(address)


def _came_from(request: HttpRequest) -> str:
    origin, came_from = request.build_absolute_uri("/"), request.headers.get("Referer", "")
    here = url_has_allowed_host_and_scheme(came_from, {request.get_host()}) and came_from.startswith(origin)
    return came_from.removeprefix(origin.rstrip("/")) if here else "/"


def needs(can: Can) -> Callable[[View[P]], View[P]]:
    """The page opens for an actor with a live grant that allows `can`; the rows it shows are another matter."""

    def decorate(view: View[P]) -> View[P]:
        @wraps(view)
        def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
            if request.actor.user_id is None:
                return to_sign_in(request)
            if not request.actor.can(can):
                raise Refused(can)
            return view(request, *args, **kwargs)

        guarded.declares = can  # type: ignore[attr-defined]
        return guarded

    return decorate


def signed_in(view: View[P]) -> View[P]:
    """The page opens for everybody who has signed in, also without any live grant."""

    @wraps(view)
    def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if request.actor.user_id is None:
            return to_sign_in(request)
        return view(request, *args, **kwargs)

    guarded.declares = SIGNED_IN  # type: ignore[attr-defined]
    return guarded


def part_way(view: View[P]) -> View[P]:
    """The page opens for whoever has signed in, also before they have shown or set up a second factor.

    It is about `request.user`: without a second factor there is no actor.
    """

    @wraps(view)
    def guarded(request: Request, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        return view(request, *args, **kwargs)

    guarded.declares = PART_WAY  # type: ignore[attr-defined]
    return guarded


def public(reason: str, *, rows: bool = True) -> Callable[[View[P]], View[P]]:
    """The page opens for whoever comes, for this reason. `rows=False`: it is answered without the database."""

    def decorate(view: View[P]) -> View[P]:
        view.declares = reason  # type: ignore[attr-defined]
        view.without_database = not rows  # type: ignore[attr-defined]
        return view

    return decorate


def declaration(view: Callable[..., Any], url_name: str | None) -> Can | str | None:
    """What a page declares, or None."""
    declared: Can | str | None = getattr(view, "declares", None)
    return declared or LIBRARY_PAGES.get(url_name or "")


class FrontDoor:
    """The innermost middleware: finds the actor, opens their scope around the view, and records refusals.

    Inside the scope's transaction the view is a savepoint (ATOMIC_REQUESTS): a refused view loses its work and keeps
    its audit line. Health checks are answered before anything is asked of the database.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Request) -> HttpResponse:
        if request.path_info.startswith("/health/"):
            request.actor = NOBODY
            return self.get_response(request)
        try:
            with walls.entered(lambda: self.find_actor(request).scope):
                response = self.get_response(request)
                self._afterwards(request, response)
        except _DATABASE_AWAY:
            request.actor = NOBODY
            response = database_away(request)
        # Pages say what only this person may see, on computers that others use too.
        response.headers.setdefault("Cache-Control", "no-store")
        return response

    @staticmethod
    def find_actor(request: Request) -> Actor:
        """Who asks: whoever is signed in, with the grants that are live today. Needs the walls lifted.

        A session that has lasted too long ends here. One without a second factor, or without the passkey that an
        organisation asks for, has no actor.
        """
        user, session = request.user, request.session
        request.actor, request.missing, request.passkey_asked = NOBODY, None, False
        if user.is_authenticated and (why := clock.ended(request)):
            from hwbc.workforce.sessions.actions import time_out

            time_out(Actor(user.pk, user.name), user=user, why=why)
            session.flush()
            request.user = AnonymousUser()
            request.timed_out = why
        elif user.is_authenticated:
            if not clock.is_background(request):
                clock.move(request)
            request.session_left = clock.left(request)
            actor = _actor(user, today())
            request.passkey_asked = any(grant.passkey for grant in actor.grants)
            request.missing = sign_in.missing(session, request.passkey_asked)
            if request.missing is None:
                request.actor = actor
                _note_use(user, session)
        return request.actor

    @staticmethod
    def _afterwards(request: Request, response: HttpResponse) -> None:
        """What the view has left to be done: a draft that was saved, clocks that start, a browser that forgets."""
        from hwbc.workforce.sessions import drafts

        _note_refusal(request, response.status_code)
        if request.actor.user_id is not None:
            drafts.settle(request, response.status_code)
        if request.user.is_authenticated:
            clock.begin(request)
        elif request.actor.user_id is not None or _signs_out(request):
            # Signed out with this request: nothing of theirs stays in a browser that others use too.
            response.headers["Clear-Site-Data"] = '"cache", "cookies", "storage"'

    def process_view(
        self, request: Request, view: Callable[..., Any], args: Any, kwargs: Any
    ) -> HttpResponseBase | None:
        name = request.resolver_match.url_name if request.resolver_match else None
        declared = declaration(view, name)
        if declared is None:
            raise ImproperlyConfigured(
                f"The page {request.path} declares nothing: @needs(Can.…), @signed_in or @public."
            )
        from hwbc.workforce.sessions.confirm import first_on_a_page_of_a_library

        step = getattr(request, "missing", None)
        if step is None or not (isinstance(declared, Can) or declared == SIGNED_IN):
            return first_on_a_page_of_a_library(request, name)
        if request.method == "GET":
            sign_in.come_back_to(request.session, request.get_full_path())
        return redirect(step.value)

    def process_exception(self, request: Request, exception: Exception) -> HttpResponse | None:
        if isinstance(exception, _DATABASE_AWAY):
            return database_away(request)
        if isinstance(exception, Refused):
            from hwbc.workforce.audit import record_refusal

            page = request.resolver_match.url_name if request.resolver_match else None
            record_refusal(request.actor, exception.can, page)
            return render(request, "403.html", {"reason": exception.reason, "ask": exception.ask}, status=403)
        return None


def _note_refusal(request: Request, status: int) -> None:
    """A line of the log for what was refused. That a record is not there, or not theirs, is the same answer."""
    match = request.resolver_match
    names_a_record = match is not None and any(isinstance(value, UUID | int) for value in match.kwargs.values())
    if status not in _REFUSES or (status == 404 and not names_a_record):
        return
    kind = getattr(request, "refused_for", _REFUSES[status])
    page = match.url_name if match else None
    _log.warning("refused", kind=kind, status=status, page=page, user=request.user.pk)


def _signs_out(request: Request) -> bool:
    """Whether this is somebody signing out who was in, also where a second factor was still missing."""
    match = request.resolver_match
    return match is not None and match.url_name == "account_logout" and hasattr(request, "session_left")


def _note_use(user: "User", session: Any) -> None:
    """Now and then, that a session is in use: for its owner's list."""
    key = session.session_key or ""
    if sign_in.is_due(session, key):
        from hwbc.workforce.actions.factors import seen

        seen(user=user, noted=sign_in.noted_as(session), key=key)
        sign_in.note(session, key)


def database_away(request: HttpRequest) -> HttpResponse:
    """What is shown while the database cannot be reached: a plain page that asks nothing of it."""
    response = HttpResponse(loader.render_to_string("503.html"), status=503)
    response["Retry-After"] = "30"
    return response
