"""Meetings: recorded by the supervisor who held them, for one coach or for a group; corrected, and withdrawn."""

from collections.abc import Sequence
from datetime import date
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from hwbc.compliance import as_at
from hwbc.compliance.evidence import outcome
from hwbc.compliance.forms.recording import CorrectMeeting, RecordMeeting, RecordMeetings
from hwbc.compliance.record import find
from hwbc.compliance.sentences import MEETING_WORDS, written
from hwbc.compliance.views.recording.entry import Entry, Said, answer, coach_of, filled, gone, row_of, told, withdrawal
from hwbc.workforce.access import Actor, Refused, Request, needs
from hwbc.workforce.models import Coach
from hwbc.workforce.recording import NotTheirs
from hwbc.workforce.roles import Can
from supervision.actions.meetings import correct_meeting, record_group, record_meeting, void_meeting
from supervision.models import Meeting, Supervisor
from supervision.queries import acting, meetings
from supervision.roles import kinds

WRITES = ["GET", "HEAD", "POST"]
CAN = Can.RECORD_MEETINGS
PAGE, ANCHOR = "coach_supervision", "meetings"
_SAYS = ("kind", "supervisor", "held_on", "minutes", "format", "status")


@needs(CAN)
@require_http_methods(WRITES)
def new(request: Request, uuid: UUID) -> HttpResponse:
    """Record a meeting with one supervisee; `?kind=` fills in the kind."""
    actor, coach = request.actor, coach_of(request.actor, CAN, uuid)
    given = kinds(actor, coach.pk)
    kind = request.GET.get("kind", "")
    form = filled(RecordMeeting, request, {"kind": kind} if kind in given else {}, kinds=given)
    return answer(
        request,
        Entry("Record a meeting", [coach], PAGE, ANCHOR),
        form,
        lambda: record_meeting(
            actor,
            coach=coach,
            supervisor=_supervisor(actor, [coach], form.cleaned_data["kind"], form.cleaned_data["held_on"]),
            uuid=form.cleaned_data["token"],
            **form.answers(),
        ),
        lambda meeting: _said(actor, meeting, "The meeting is recorded."),
    )


@needs(CAN)
@require_http_methods(WRITES)
def new_for_some(request: Request) -> HttpResponse:
    """Record a meeting with one or several of the actor's supervisees."""
    actor = request.actor
    supervisees = Coach.objects.for_actor(actor, CAN).order_by("sort_name", "pk")
    given = {coach: kinds(actor, coach.pk) for coach in supervisees}
    form = filled(RecordMeetings, request, given=given)

    def save() -> list[Meeting]:
        asked = form.answers("coaches", "format")
        coaches = form.cleaned_data["coaches"]
        supervisor = _supervisor(actor, coaches, asked["kind"], asked["held_on"])
        token = form.cleaned_data["token"]
        if form.cleaned_data["format"] == Meeting.Format.GROUP:
            return record_group(actor, coaches=coaches, supervisor=supervisor, uuid=token, **asked)
        return [record_meeting(actor, coach=coaches[0], supervisor=supervisor, uuid=token, **asked)]

    def say(made: list[Meeting]) -> Said:
        if len(made) == 1:
            return _said(actor, made[0], f"The meeting with {made[0].coach.name} is recorded.")
        names = ", ".join(meeting.coach.name for meeting in made)
        return Said(f"The group meeting is recorded for {len(made)} coaches: {names}. {MEETING_WORDS['group']}")

    explains = "Tick everybody who took part: each of them gets the meeting in their record."
    return answer(request, Entry("Record a meeting", [], "home", explains=explains), form, save, say)


@needs(CAN)
@require_http_methods(WRITES)
def correct(request: Request, uuid: UUID) -> HttpResponse:
    """Void a meeting and record it anew."""
    actor, meeting = request.actor, _meeting(request.actor, uuid)
    coach: Coach = meeting.coach
    entry = Entry("Correct a meeting", [coach], PAGE, ANCHOR)
    if (instead := gone(request, meeting, entry.href, _correct_url)) is not None:
        return instead
    says = {name: getattr(meeting, name) for name in ("kind", "held_on", "minutes", "format", "status", "ad_hoc")}
    form = filled(CorrectMeeting, request, says, kinds=kinds(actor, coach.pk))
    return answer(
        request,
        entry,
        form,
        lambda: correct_meeting(actor, meeting=meeting, supervisor=meeting.supervisor, **form.answers()),
        lambda made: _said(actor, made, "The meeting is corrected."),
        _correct_url,
    )


@needs(CAN)
@require_http_methods(WRITES)
def withdraw(request: Request, uuid: UUID) -> HttpResponse:
    """Void a meeting that never was."""
    meeting = _meeting(request.actor, uuid)
    explains = "It stays readable, struck out, with your reason, and counts for nothing from now on."
    return withdrawal(
        request,
        Entry("Withdraw a meeting", [meeting.coach], PAGE, ANCHOR, told(meeting, *_SAYS), explains),
        meeting,
        lambda actor, because: void_meeting(actor, meeting=meeting, because=because),
        Said(f"The meeting of {written(meeting.held_on)} is withdrawn.", [_rule(meeting)]),
        lambda now: reverse("meeting_withdraw", kwargs={"uuid": now.uuid}),
    )


def _correct_url(meeting: Meeting) -> str:
    return reverse("meeting_correct", kwargs={"uuid": meeting.uuid})


def _rule(meeting: Meeting) -> str:
    return f"supervision.{meeting.kind}"


def _meeting(actor: Actor, uuid: UUID) -> Meeting:
    """A meeting that the actor may write about; refused where it is another supervisor's."""
    meeting: Meeting = row_of(Meeting, actor, CAN, "held_on", uuid=uuid)
    if meeting.kind not in kinds(actor, meeting.coach_id):
        raise NotTheirs(CAN, f"You do not give {meeting.coach.name} supervision of this kind.")
    if meeting.supervisor.user_id not in (None, actor.user_id):
        raise NotTheirs(CAN, f"{meeting.supervisor.name} signs in here and records their meetings themself.")
    return meeting


def _supervisor(actor: Actor, coaches: Sequence[Coach], kind: str, day: date) -> Supervisor:
    """Who the actor is in the register. Refused for somebody who is nobody there."""
    found = acting(actor.user_id, [coach.pk for coach in coaches], kind, day)
    if found is None:
        raise Refused(CAN)
    return found


def _said(actor: Actor, meeting: Meeting, sentence: str) -> Said:
    """What was done, whether the meeting counts, and the rule that it is about."""
    record = find(actor, meeting.coach.uuid, as_at.now())
    found = next((held for held in meetings(record.parameters) if held.uuid == meeting.uuid), None)
    if found is not None and found.outcome in MEETING_WORDS and not found.counts:
        sentence += f" It does not count: {_small(outcome(found))}"
    return Said(sentence, [_rule(meeting)])


def _small(text: str) -> str:
    return text[:1].lower() + text[1:]
