"""Meetings: recorded once, corrected by voiding and recording anew."""

from collections.abc import Collection
from datetime import date
from uuid import UUID, uuid4, uuid5

from django.core.exceptions import ValidationError
from django.utils.formats import date_format

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Coach
from hwbc.workforce.recording import (
    Faults,
    NotTheirs,
    anew,
    corrected_before,
    happened,
    reached,
    sent_before,
    stated,
    tidy,
    withdraw,
)
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import content
from supervision.models import Meeting, Supervisor
from supervision.roles import is_themself, kinds

_TOOK_PLACE = (Meeting.Status.HELD, Meeting.Status.DID_NOT_ATTEND)


@action("meeting.record")
def record_meeting(
    actor: Actor,
    line: Line,
    *,
    coach: Coach,
    kind: str,
    supervisor: Supervisor,
    held_on: date,
    minutes: int,
    format: str = Meeting.Format.INDIVIDUAL,
    status: str = Meeting.Status.HELD,
    ad_hoc: bool = False,
    uuid: UUID | None = None,
) -> Meeting:
    """Record a meeting of one coach. The same `uuid` (the form's token) again returns the meeting that it made.

    Raises ValidationError by field; and Refused, for a kind of supervision that the actor does not give this coach.
    """
    pcn = _reach(actor, coach, kind, supervisor, held_on)
    meeting = Meeting(
        uuid=uuid or uuid4(),
        coach=coach,
        kind=kind,
        supervisor=supervisor,
        held_on=held_on,
        minutes=minutes,
        format=format,
        status=status,
        ad_hoc=ad_hoc,
    )
    sent = _sent_before(meeting)
    meeting = sent or _insert(line, meeting)
    line.about(meeting, at=pcn, coach=str(coach.uuid), kind=kind, again=sent is not None)
    return meeting


@action("meeting.record_group")
def record_group(
    actor: Actor,
    line: Line,
    *,
    coaches: Collection[Coach],
    kind: str,
    supervisor: Supervisor,
    held_on: date,
    minutes: int,
    status: str = Meeting.Status.HELD,
    ad_hoc: bool = False,
    uuid: UUID | None = None,
) -> list[Meeting]:
    """Record one group meeting for several coaches: a meeting for each, or none at all.

    Each meeting's uuid follows from the form's token and the coach. Raises as `record_meeting` does; what concerns one
    coach names them, under "coaches".
    """
    if not coaches:
        raise ValidationError({"coaches": "Choose at least one coach."})
    token = uuid or uuid4()
    meetings, again, faults, pcn = [], 0, Faults(), None
    for coach in sorted(set(coaches), key=lambda coach: coach.pk):  # in one order: two groups never wait in a circle
        pcn = _reach(actor, coach, kind, supervisor, held_on)
        meeting = Meeting(
            uuid=uuid5(token, str(coach.uuid)),
            coach=coach,
            kind=kind,
            supervisor=supervisor,
            held_on=held_on,
            minutes=minutes,
            format=Meeting.Format.GROUP,
            status=status,
            ad_hoc=ad_hoc,
        )
        sent = _sent_before(meeting)
        if sent is not None:
            again += 1
            meetings.append(sent)
            continue
        shared, own = _faults(meeting)
        faults.update(shared)
        for sentence in own.values():
            faults.add("coaches", f"{coach.name}: {' '.join(sentence)}")
        meetings.append(meeting)
    faults.stop()
    meetings = [meeting if meeting.pk else line.insert(meeting) for meeting in meetings]
    line.about(
        supervisor,
        at=pcn,
        kind=kind,
        meetings=[str(meeting.uuid) for meeting in meetings],
        coaches=[str(meeting.coach.uuid) for meeting in meetings],
        again=again,
    )
    return meetings


@action("meeting.correct")
def correct_meeting(
    actor: Actor,
    line: Line,
    *,
    meeting: Meeting,
    because: str,
    kind: str,
    supervisor: Supervisor,
    held_on: date,
    minutes: int,
    format: str,
    status: str,
    ad_hoc: bool,
) -> Meeting:
    """What was recorded of a meeting was wrong: it is voided and recorded anew, and the new one returned.

    Raises ValidationError by field, Refused, and Stale for a meeting that somebody else has corrected or voided.
    """
    _reach(actor, meeting.coach, meeting.kind, meeting.supervisor, meeting.held_on)
    pcn = _reach(actor, meeting.coach, kind, supervisor, held_on)
    correct = anew(
        meeting,
        kind=kind,
        supervisor=supervisor,
        held_on=held_on,
        minutes=minutes,
        format=format,
        status=status,
        ad_hoc=ad_hoc,
    )
    tidy(correct)
    done = corrected_before(meeting, correct)
    if done is None:
        line.void(meeting, stated(because), **content(correct))
        done = _insert(line, correct)
    line.about(done, at=pcn, coach=str(meeting.coach.uuid), kind=kind, was=str(meeting.uuid))
    return done


@action("meeting.void")
def void_meeting(actor: Actor, line: Line, *, meeting: Meeting, because: str) -> None:
    """A meeting was recorded that never was. Raises ValidationError, Refused, and Stale where it is void already."""
    pcn = _reach(actor, meeting.coach, meeting.kind, meeting.supervisor, meeting.held_on)
    withdraw(actor, line, meeting, because)
    line.about(meeting, at=pcn, coach=str(meeting.coach.uuid), kind=meeting.kind)


def _reach(actor: Actor, coach: Coach, kind: str, supervisor: Supervisor, held_on: date) -> int | None:
    """Supervisors write the meetings of their own kind; those of a supervisor who signs in here, they alone."""
    pcn = reached(actor, Can.RECORD_MEETINGS, coach, held_on)
    if kind not in kinds(actor, coach.pk):
        raise NotTheirs(Can.RECORD_MEETINGS, f"You do not give {coach.name} supervision of this kind.")
    if supervisor.user_id not in (None, actor.user_id):
        raise NotTheirs(Can.RECORD_MEETINGS, f"{supervisor.name} signs in here and records their meetings themself.")
    return pcn


def _sent_before(meeting: Meeting) -> Meeting | None:
    tidy(meeting)
    return sent_before(meeting)


def _insert(line: Line, meeting: Meeting) -> Meeting:
    shared, own = _faults(meeting)
    Faults(shared | own).stop()
    return line.insert(meeting)


def _faults(meeting: Meeting) -> tuple[Faults, Faults]:
    """What is wrong with a meeting for whoever took part, and what is wrong for its coach."""
    shared, own = Faults(), Faults()
    if meeting.status in _TOOK_PLACE:
        happened(shared, "held_on", meeting.held_on)
    if meeting.minutes < 1:
        shared.add("minutes", "Enter how long it lasted: 1 minute or more.")
    if is_themself(meeting.supervisor, meeting.coach):
        own.add("supervisor", "Nobody is their own supervisor: choose somebody else.")
    same = Meeting.objects.filter(
        coach=meeting.coach,
        kind=meeting.kind,
        supervisor=meeting.supervisor,
        held_on=meeting.held_on,
        format=meeting.format,
        ad_hoc=meeting.ad_hoc,
        voided_at=None,
    ).first()
    if same is not None:
        kind = same.kind.replace("_", " ")
        own.add(
            "held_on",
            f"This meeting is recorded already: {date_format(same.held_on)}, {kind}, {same.minutes} minutes.",
        )
    return shared, own
