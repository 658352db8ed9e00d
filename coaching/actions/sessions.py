"""Logging coaching sessions, withdrawing them, and recording them anew."""

from collections.abc import Mapping
from datetime import date
from typing import Any, TypedDict, Unpack
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.formats import date_format

from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from coaching.queries import whose_case, words_of
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.audit import Line, action
from hwbc.workforce.recording import SENT_OTHERWISE, Faults, happened, sent_before, stated, tidy
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale

_WITHDRAWN = "This session was withdrawn meanwhile."


class Said(TypedDict):
    """What a coach says of a session, in eight fields. `minutes`: of one that nobody came to, as it was planned."""

    held_on: date
    mode: str
    minutes: int
    outcome: str
    note: str
    next_step: str
    activity: str
    goal_progress: str


@action("session.log")
def log_session(actor: Actor, line: Line, *, referral: Referral, uuid: UUID, **said: Unpack[Said]) -> CoachingSession:
    """Write down a session of a referral that the actor, its coach, had on that day.

    `uuid` belongs to the form that was filled in: sent twice, or twice at once, it makes one session. Raises
    ValidationError, by field, for a day in the future or outside the allocation, for a second session of that day and
    mode, and for a form that was saved already and says something else now; Refused for anybody but the coach.
    """
    referral = _locked(actor, referral)
    return _record(actor, line, referral, uuid, said)


@action("session.void")
def void_session(actor: Actor, line: Line, *, session: CoachingSession, because: str) -> None:
    """Withdraw a session, which stays readable with the reason. By the coach who had the referral on that day.

    Raises ValidationError without a reason, and for one that is withdrawn already; Refused.
    """
    referral = _locked(actor, session.referral)
    session = _still_there(actor, referral, session, {})
    _void(line, session, stated(because))
    line.about(session, at=session.pcn_id, referral=str(referral.uuid))
    line.concerns(whose_case(referral))


@action("session.correct")
def correct_session(
    actor: Actor, line: Line, *, session: CoachingSession, because: str, uuid: UUID, **said: Unpack[Said]
) -> CoachingSession:
    """Withdraw a session and write down at the same moment what is true instead; both stay readable.

    Raises what logging and withdrawing raise; Stale, with both texts, when somebody corrected it meanwhile.
    """
    referral = _locked(actor, session.referral)
    if CoachingSession.objects.filter(uuid=uuid).exists():  # the same form again
        return _record(actor, line, referral, uuid, said)
    session = _still_there(actor, referral, session, said)
    _void(line, session, stated(because))
    corrected = _record(actor, line, referral, uuid, said)
    line.facts["instead_of"] = str(session.uuid)
    return corrected


def _locked(actor: Actor, referral: Referral) -> Referral:
    """The referral, held: its sessions are written one after the other, and not while it is handed on or closed."""
    rows = Referral.objects.for_actor(actor, Can.LOG_SESSIONS).filter(voided_at=None)
    found: Referral | None = rows.select_for_update(of=("self",)).filter(pk=referral.pk).first()
    if found is None:
        raise Refused(Can.LOG_SESSIONS)
    return found


def _record(actor: Actor, line: Line, referral: Referral, uuid: UUID, said: Said) -> CoachingSession:
    rest, noted = _parted(said)
    session = CoachingSession(uuid=uuid, referral=referral, pcn=referral.pcn, **rest)
    words = SessionNote(session=session, pcn=referral.pcn, **noted)
    tidy(session)
    tidy(words, "session", "pcn")  # of the session, which is checked
    sent = sent_before(session)
    if sent is None:
        _check(actor, session)
        line.insert(session)
        if any(_noted(words).values()):
            line.insert(words)
    elif _noted(words_of(sent)) != _noted(words):
        raise ValidationError(SENT_OTHERWISE)
    elif sent.voided_at is not None:
        raise ValidationError(_WITHDRAWN)
    line.about(sent or session, at=referral.pcn_id, referral=str(referral.uuid), again=sent is not None)
    line.concerns(whose_case(referral))
    return sent or session


def _parted(said: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """What stands in the session's row, and what in its note."""
    rest = {name: value for name, value in said.items() if name not in SessionNote.SAID}
    return rest, {name: said[name] for name in SessionNote.SAID if name in said}


def _noted(words: SessionNote) -> dict[str, str]:
    return {name: getattr(words, name) for name in SessionNote.SAID}


def _void(line: Line, session: CoachingSession, because: str) -> None:
    """Withdraw a session; why, is for those who may read what was said in it."""
    line.void(session, "")
    if not SessionNote.objects.filter(session=session).update(voided_because=because):
        line.insert(SessionNote(session=session, pcn_id=session.pcn_id, voided_because=because))


def _check(actor: Actor, session: CoachingSession) -> None:
    faults = Faults()
    happened(faults, "held_on", session.held_on)
    outside = _outside(actor, session)
    same = CoachingSession.objects.filter(
        referral_id=session.referral_id, held_on=session.held_on, mode=session.mode, voided_at=None
    )
    if outside and not faults:
        faults.add("held_on", outside)
    if same.exists():
        mode = session.get_mode_display().lower()
        sentence = f"A session on {date_format(session.held_on)} ({mode}) is recorded already. Correct that one."
        faults.add("held_on", sentence)
    if session.minutes < 1:
        faults.add("minutes", "The length must be 1 minute or more.")
    faults.stop()


def _outside(actor: Actor, session: CoachingSession) -> str | None:
    """Why the actor cannot have held a session of this referral on its day; None where they had it on that day."""
    own = Allocation.objects.filter(
        referral_id=session.referral_id, coach__in=actor.own(Can.LOG_SESSIONS), voided_at=None
    ).order_by("starts_on")
    periods = [(allocation.starts_on, allocation.ends_on or date.max) for allocation in own]
    if not periods:
        raise Refused(Can.LOG_SESSIONS)
    if any(first <= session.held_on <= last for first, last in periods):
        return None
    first, last = periods[0][0], max(last for _, last in periods)
    if session.held_on < first:
        return f"You took this referral on {date_format(first)}: a session cannot be before that."
    if session.held_on > last:
        return f"You had this referral until {date_format(last)}."
    return "You did not have this referral on that day."


def _still_there(
    actor: Actor, referral: Referral, session: CoachingSession, said: Said | dict[str, str]
) -> CoachingSession:
    """The session as it is now, if it is the actor's and nobody has withdrawn it."""
    session = CoachingSession.objects.get(pk=session.pk, referral=referral)
    if _outside(actor, session):
        raise Refused(Can.LOG_SESSIONS)
    if session.voided_at is None:
        return session
    instead = CoachingSession.objects.filter(referral=referral, recorded_at=session.voided_at, voided_at=None).first()
    if said and instead:
        rest, noted = _parted(said)
        stale = Stale(instead, rest)
        stale.differences += Stale(words_of(instead), noted).differences
        raise stale
    raise ValidationError(_WITHDRAWN)
