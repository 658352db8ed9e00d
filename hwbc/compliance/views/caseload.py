"""A coach's own work: the caseload, one case with its sessions, a session written down in under a minute, its end."""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, NamedTuple, cast
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from coaching.actions import referrals, sessions
from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from coaching.queries import Case, around, caseload, is_opened, left, readiness, whose_case, words_of
from coaching.sentences import WARNINGS, missing_piece
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import DEFINITIONS
from hwbc.compliance.evidence import mark
from hwbc.compliance.exporting.offers import offer
from hwbc.compliance.forms.coaching import CloseReferral, CorrectSession, HandBack, LogSession, WithdrawSession
from hwbc.compliance.forms.recording import Entered
from hwbc.compliance.sentences import written
from hwbc.kit.tables import Column, Table
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.audit import reads
from hwbc.workforce.models import Coach, User
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale

CASE_COLUMNS: list[Column[Case]] = [
    Column("referral", "Referral", lambda case: case.reference),
    Column("priority", "Priority", lambda case: case.priority != Referral.Priority.URGENT),
    Column("accepted", "Accepted", lambda case: case.accepted_on),
    Column("sessions", "Attended sessions", lambda case: case.contacts.attended if case.contacts else -1, numeric=True),
    Column("last", "Last contact", lambda case: (case.contacts and case.contacts.last_on) or date.min),
    Column("next", "Next step"),
    Column("action", "Action"),
]


# --- The caseload -----------------------------------------------------------------------------------------------------


def listed(actor: Actor, as_at: AsAt) -> dict[int, list[Case]]:
    """The list and its export are this: of each coach that the actor is, the open cases."""
    coaches = sorted(actor.own(Can.LOG_SESSIONS))
    return {coach: caseload(actor, coach, as_at.day, as_at.moment) for coach in coaches}


def exported(actor: Actor, cases: Mapping[int, list[Case]]) -> list[Case]:
    """Those that the actor may take away as a file."""
    own = actor.own(Can.EXPORT)
    return [case for coach, theirs in cases.items() if coach in own for case in theirs]


@needs(Can.LOG_SESSIONS)
@reads("caseload.read")
@require_safe
@any_day
def my_caseload(request: Request, as_at: AsAt) -> HttpResponse:
    """The referrals that the actor, a coach, has on the day; where there are none, whether they may take any."""
    actor = request.actor
    by_coach = listed(actor, as_at)
    cases = [case for theirs in by_coach.values() for case in theirs]
    if cases:
        theirs = [coach for coach, some in by_coach.items() if some]
        request.reading.about(cast(User, request.user), cases=len(cases))
        request.reading.concerns(theirs[0] if len(theirs) == 1 else None)
    table = Table(cases, CASE_COLUMNS, request.GET, noun=("open case", "open cases"))
    context: dict[str, Any] = {
        "as_at": as_at,
        "table": table,
        "definition": DEFINITIONS["caseload"][1],
        "urgent": sum(case.priority == Referral.Priority.URGENT for case in cases),
        "export": offer("caseload", len(exported(actor, by_coach)), as_at),
    }
    if not cases:
        own = [coach for coach in by_coach if coach in actor.coaches(Can.SEE_STANDING)]
        gate = readiness(own, as_at.day, as_at.moment).values()
        context["ready"] = any(each.ready for each in gate)
        context["missing"] = [missing_piece(each.missing) for each in gate if each.missing]
    if as_at.form.errors:
        context["form"] = as_at.form
    return render(request, "coaching/caseload.html", context)


# --- One case ---------------------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """A coach's time with a referral, as it was known. `post_ended_on`: where their post at the PCN ended before it."""

    row: Allocation
    coach: str
    last_day: date | None
    post_ended_on: date | None
    warnings: list[str]
    mark: str


class Said(NamedTuple):
    """A session as it was known: its mark, whether it was withdrawn by then, whether the actor may change it.

    `words`: whether what was said in it is for the actor: the coach whose case it was then or became later, and whoever
    has opened the case today with a reason. Everybody else sees that it took place; the database shows them no more.
    """

    row: CoachingSession
    mark: str
    withdrawn: bool
    theirs: bool
    words: bool


@needs(Can.SEE_WORK)
@reads("referral.read")
@require_safe
@any_day
def referral(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """One referral without anybody's identity: who has had it, and its sessions for those who may see them.

    Somebody else's case at one's own PCN asks for a reason first.
    """
    actor = request.actor
    if not Referral.objects.for_actor(actor).filter(uuid=uuid).exists() and around(actor).filter(uuid=uuid).exists():
        return redirect("case_open", uuid=uuid)
    row = _referral(actor, uuid)
    if row.received_on > as_at.day or row.recorded_at > as_at.moment:
        raise Http404
    taken = _taken(actor, row, as_at)
    mine = [each for each in taken if each.row.coach_id in actor.own(Can.LOG_SESSIONS)]
    closed = row.closed_on is not None and row.closed_on <= as_at.day
    holder = next((each for each in taken if each.last_day is None or each.last_day > as_at.day), None)
    was_with = holder if holder and holder.post_ended_on else None  # they have left: it waits
    if was_with:
        holder = None
    opened = row.pcn_id in actor.around(Can.SEE_PATIENTS) and is_opened(actor, row)
    sees = row.pcn_id in actor.pcns(Can.SEE_PATIENTS) or bool(mine) or opened
    found = _sessions(actor, row, as_at, mine, opened) if sees else []
    words = any(said.words for said in found)
    latest = holder or was_with or (taken[0] if taken else None)
    whose = latest.row.coach_id if latest else whose_case(row)  # a colleague's list of who had it is empty
    manages = row.pcn_id in actor.pcns(Can.SEE_AUDIT) & actor.pcns(Can.SEE_PATIENTS)
    if sees:
        request.reading.about(row, at=row.pcn_id, sessions=len(found), words=words, reason=opened)
        request.reading.concerns(whose)
    table = Table(found, [], request.GET, noun=("session", "sessions"))
    allocates = row.pcn_id in actor.pcns(Can.ALLOCATE)
    context: dict[str, Any] = {
        "as_at": as_at,
        "referral": row,
        "title": title(row),
        "outcome": outcome_of(row),
        "closed": closed,
        "holder": None if closed else holder,
        "was_with": None if closed else was_with,
        "taken": taken,
        "sees_sessions": sees,
        "sees_readers": manages or whose in actor.own(Can.SEE_AUDIT),
        "table": table,
        "opened": opened,
        "may_open": any(not said.words for said in found),
        "attended": sum(s.row.outcome == "attended" and not s.withdrawn for s in found),
        "may_log": bool(mine) and as_at.is_now,
        "may_allocate": allocates and not closed and holder is None and as_at.is_now,
        "may_close": not closed and (allocates or (holder or was_with) in mine) and as_at.is_now,
        "may_hand_back": not closed and holder is not None and (allocates or holder in mine) and as_at.is_now,
        "breadcrumbs": _way(actor, as_at.query),
    }
    if as_at.form.errors:
        context["form"] = as_at.form
    return render(request, "coaching/referral.html", context)


def title(referral: Referral) -> str:
    """How pages call a referral: by its reference, and where there is none by its number."""
    return str(referral.reference or referral.uuid)


def outcome_of(referral: Referral) -> str:
    """How it ended, in words; those of a workbook as they came."""
    return dict(Referral.Outcome.choices).get(referral.outcome, referral.outcome) or "no outcome recorded"


def _way(actor: Actor, query: str = "") -> list[dict[str, str]]:
    coach = actor.can(Can.LOG_SESSIONS)
    name, text = ("caseload", "Caseload") if coach else ("referrals", "Referrals")
    return [{"text": "Home", "href": f"{reverse('home')}{query}"}, {"text": text, "href": f"{reverse(name)}{query}"}]


def _referral(actor: Actor, uuid: UUID, can: Can = Can.SEE_WORK) -> Referral:
    rows = Referral.objects.for_actor(actor, can).filter(uuid=uuid, voided_at=None)
    found: Referral | None = rows.select_related("pcn", "practice", "proposed_coach").first()
    if found is None:
        raise Http404
    return found


def _taken(actor: Actor, referral: Referral, as_at: AsAt) -> list[Taken]:
    """Who has had it by the day, the newest first. A coach whom the actor does not reach has no name."""
    rows = Allocation.objects.for_actor(actor).filter(
        referral=referral, voided_at=None, starts_on__lte=as_at.day, recorded_at__lte=as_at.moment
    )
    allocations = list(rows.select_related("allocated_by").order_by("-starts_on", "-pk"))
    names = {grant.coach_id: grant.stands_in_for for grant in actor.deputises if grant.coach_id}
    coaches = Coach.objects.for_actor(actor).filter(pk__in=[each.coach_id for each in allocations])
    names |= dict(coaches.values_list("pk", "name"))
    ended = left([each.pk for each in allocations], as_at.day, as_at.moment)
    last_days = [
        each.ends_on if each.end_recorded_at and each.end_recorded_at <= as_at.moment else None for each in allocations
    ]
    return [
        Taken(
            each,
            names.get(each.coach_id) or "Another coach",
            last_day,
            day if (day := ended.get(each.pk)) and day < (last_day or date.max) else None,
            [WARNINGS[code] for code in each.warnings],
            mark(each.starts_on, each.recorded_at, each.imported),
        )
        for each, last_day in zip(allocations, last_days, strict=True)
    ]


def _sessions(actor: Actor, referral: Referral, as_at: AsAt, mine: list[Taken], opened: bool) -> list[Said]:
    """What was recorded by the moment, the newest first, with what was withdrawn since."""
    rows = CoachingSession.objects.for_actor(actor).filter(
        referral=referral, held_on__lte=as_at.day, recorded_at__lte=as_at.moment
    )
    return [
        Said(
            row,
            mark(row.held_on, row.recorded_at, row.imported),
            row.voided_at is not None and row.voided_at <= as_at.moment,
            as_at.is_now and _had(mine, row.held_on),
            opened or any(row.held_on <= (each.last_day or date.max) for each in mine),
        )
        for row in rows.select_related("voided_by", "words").order_by("-held_on", "-recorded_at", "-pk")
    ]


def _had(mine: list[Taken], day: date) -> bool:
    return any(each.row.starts_on <= day <= (each.last_day or date.max) for each in mine)


# --- Sessions ---------------------------------------------------------------------------------------------------------


@needs(Can.LOG_SESSIONS)
@require_http_methods(["GET", "HEAD", "POST"])
def log_session(request: Request, uuid: UUID) -> HttpResponse:
    """One session, in eight fields; how and how long as the last one was."""
    row = _referral(request.actor, uuid, Can.LOG_SESSIONS)
    last = (
        CoachingSession.objects.for_actor(request.actor, Can.LOG_SESSIONS)
        .filter(referral=row, voided_at=None)
        .order_by("-held_on", "-recorded_at")
        .first()
    )
    usual = {"mode": last.mode, "minutes": last.minutes} if last else {}
    form = LogSession(request.POST if request.method == "POST" else None, initial=usual)

    def save() -> str:
        token = form.cleaned_data["token"]
        said = sessions.log_session(request.actor, referral=row, uuid=token, **form.answers())
        return f"The session of {written(said.held_on)} is saved."

    return _entered(request, row, form, save, heading="Log a session")


@needs(Can.LOG_SESSIONS)
@reads("session.read")
@require_http_methods(["GET", "HEAD", "POST"])
def correct_session(request: Request, uuid: UUID, session: UUID) -> HttpResponse:
    """What a session should have said: it is withdrawn and recorded anew."""
    row = _referral(request.actor, uuid, Can.LOG_SESSIONS)
    theirs = _session(request, row, session)
    names, words = (name for name in LogSession.base_fields if name != "token"), words_of(theirs)
    as_read = {name: getattr(words if name in SessionNote.SAID else theirs, name) for name in names}
    as_read["session"] = theirs.uuid
    form = CorrectSession(request.POST if request.method == "POST" else None, initial=as_read)
    if request.method != "POST" and theirs.voided_at is not None:
        return _gone(request, row)

    def save() -> str:
        read = _session(request, row, form.cleaned_data["session"])
        token = form.cleaned_data["token"]
        sessions.correct_session(request.actor, session=read, uuid=token, **form.answers("session"))
        return "The session is corrected. The entry as it was stays readable below."

    return _entered(request, row, form, save, heading="Correct a session")


@needs(Can.LOG_SESSIONS)
@reads("session.read")
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_session(request: Request, uuid: UUID, session: UUID) -> HttpResponse:
    """Why a session is withdrawn; it stays readable."""
    row = _referral(request.actor, uuid, Can.LOG_SESSIONS)
    theirs = _session(request, row, session)
    form = WithdrawSession(request.POST if request.method == "POST" else None)
    if theirs.voided_at is not None:
        return _gone(request, row)

    def save() -> str:
        sessions.void_session(request.actor, session=theirs, because=form.cleaned_data["because"])
        return "The session is withdrawn. It stays readable below, with the reason."

    told = {
        "Date": written(theirs.held_on),
        "How": f"{theirs.get_mode_display()}, {theirs.minutes} minutes",
        "What became of it": theirs.get_outcome_display(),
    }
    return _entered(request, row, form, save, heading="Withdraw this session?", told=told)


def _session(request: Request, referral: Referral, uuid: UUID) -> CoachingSession:
    rows = CoachingSession.objects.for_actor(request.actor, Can.LOG_SESSIONS).select_related("referral")
    found: CoachingSession | None = rows.filter(referral=referral, uuid=uuid).first()
    if found is None:
        raise Http404
    own = request.actor.own(Can.LOG_SESSIONS)
    request.reading.about(referral, at=referral.pcn_id, session=str(uuid))
    request.reading.concerns(min(own) if len(own) == 1 else None)
    return found


def _gone(request: Request, referral: Referral) -> HttpResponse:
    messages.warning(request, "This session was withdrawn or corrected meanwhile. Here is how it stands now.")
    return redirect("referral", uuid=referral.uuid)


# --- Ends -------------------------------------------------------------------------------------------------------------


@needs(Can.END_CASES)
@require_http_methods(["GET", "HEAD", "POST"])
def close(request: Request, uuid: UUID) -> HttpResponse:
    """How a referral ended."""
    row = _referral(request.actor, uuid, Can.END_CASES)
    form = CloseReferral(request.POST if request.method == "POST" else None, initial={"version": row.version})
    if instead := _too_late(request, row, held=False):
        return instead

    def save() -> str:
        ended = referrals.close(request.actor, referral=row, **form.answers())
        return f"{title(ended)} is closed. It is on no caseload any more."

    return _entered(request, row, form, save, heading="Close this referral")


@needs(Can.END_CASES)
@require_http_methods(["GET", "HEAD", "POST"])
def hand_back(request: Request, uuid: UUID) -> HttpResponse:
    """A coach has the referral no more: it waits for another."""
    row = _referral(request.actor, uuid, Can.END_CASES)
    form = HandBack(request.POST if request.method == "POST" else None, initial={"version": row.version})
    if instead := _too_late(request, row, held=True):
        return instead

    def save() -> str:
        referrals.hand_back(request.actor, referral=row, **form.answers())
        return f"{title(row)} is handed back: it waits for another coach."

    explains = "From now on it waits for another coach, urgent before routine. Its sessions stay with it."
    return _entered(request, row, form, save, heading="Hand back this referral?", explains=explains)


def _too_late(request: Request, referral: Referral, *, held: bool) -> HttpResponse | None:
    """Where to go instead of the question: it has ended already, or the actor has it no more. `held`: a coach must."""
    actor = request.actor
    rows = Allocation.objects.for_actor(actor).filter(referral=referral, ends_on=None, voided_at=None)
    holder = rows.values_list("coach", flat=True).first()
    allocates = referral.pcn_id in actor.pcns(Can.ALLOCATE)
    if referral.closed_on is not None:
        said = f"This referral was closed already, on {written(referral.closed_on)}: {outcome_of(referral)}."
    elif not allocates and holder not in actor.own(Can.LOG_SESSIONS):
        said = "You do not have this referral any more."
    elif held and holder is None:
        said = "No coach has this referral: it waits already."
    else:
        return None
    messages.warning(request, f"{said} Nothing was changed.")
    return redirect("referral", uuid=referral.uuid)


# --- What these pages have in common ----------------------------------------------------------------------------------


def _entered(
    request: Request,
    referral: Referral,
    form: Entered,
    save: Callable[[], str],
    *,
    heading: str,
    told: Mapping[str, str] | None = None,
    explains: str = "",
) -> HttpResponse:
    """Show the form; or write down what was sent and go back to the case. What was typed is never lost."""
    href = reverse("referral", kwargs={"uuid": referral.uuid})
    if request.method == "POST" and form.is_valid():
        try:
            done = save()
        except ValidationError as fault:
            form.refuse(fault)
        except Stale as stale:
            return conflict(request, form, stale, href)
        else:
            messages.success(request, done)
            return redirect(href)
    context = {
        "form": form,
        "heading": heading,
        "title": title(referral),
        "told": told,
        "explains": explains,
        "href": href,
        "breadcrumbs": [*_way(request.actor), {"text": title(referral), "href": href}],
    }
    return render(request, "coaching/entry.html", context)


def conflict(request: Request, form: Entered, stale: Stale, href: str) -> HttpResponse:
    """Both texts; and the form as it was filled in, about what stands there now."""
    current: Any = stale.current
    data = request.POST.copy()
    name, value = ("version", current.version) if "version" in form.fields else ("session", current.uuid)
    data[name] = str(value)
    form.data = data
    context = {"differences": stale.differences, "again": form, "entry": {"href": href}}
    return render(request, "409.html", context, status=409)
