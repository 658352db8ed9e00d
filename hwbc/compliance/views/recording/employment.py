"""Employment: posts and absences. Neither has an address of its own: they are found below their coach."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from django.http import Http404, HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from hwbc.compliance.forms.recording import ChangePost, CorrectPost, LastDay, RecordAbsence, RecordPost
from hwbc.compliance.sentences import written
from hwbc.compliance.views.recording.entry import Entry, Said, answer, coach_of, filled, gone, row_of, told, withdrawal
from hwbc.kit.periods import today
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.actions import (
    add_post,
    change_post,
    correct_post,
    end_absence,
    end_post,
    record_absence,
    void_absence,
    void_post,
)
from hwbc.workforce.audit import reads
from hwbc.workforce.models import Absence, Coach, Post
from hwbc.workforce.queries import employers, places
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale
from supervision.actions.access import follow_agreements

CAN = Can.RECORD
PAGE = "coach_employment"
WRITES = ["GET", "HEAD", "POST"]
_POST_SAYS = ("pcn", "employer", "starts_on", "ends_on", "hours_per_week", "funding")
_ABSENCE_SAYS = ("kind", "starts_on", "ends_on")
_CLOCKS = ("supervision.line", "supervision.clinical", "supervision.health_coaching", "supervision.appraisal")


# --- Posts ------------------------------------------------------------------------------------------------------------


@needs(CAN)
@require_http_methods(WRITES)
def new_post(request: Request, uuid: UUID) -> HttpResponse:
    """Record another post of a coach, at a PCN of the actor's."""
    actor, coach = request.actor, coach_of(request.actor, CAN, uuid)
    pcns = places(actor.pcns(CAN))
    form = filled(RecordPost, request, pcns=pcns, employers=employers(actor, CAN, coach.pk))
    explains = (
        "For new hours or funding, change the post that runs instead: then no clock starts again. A post elsewhere, or "
        "with another employer, is another employment."
    )
    return answer(
        request,
        _post_entry("Add a post", coach, explains=explains),
        form,
        lambda: _followed(add_post(actor, coach=coach, **form.answers())),
        lambda made: Said(f"The post at {made.pcn.name} from {written(made.starts_on)} is recorded."),
    )


@needs(CAN)
@require_http_methods(WRITES)
def finish_post(request: Request, uuid: UUID, pk: int) -> HttpResponse:
    """The last day of a post."""
    actor, post = request.actor, _post(request.actor, uuid, pk)
    explains = (
        "After it you see what was so up to that day, and change nothing. Open referrals wait for another coach then."
    )
    entry = _post_entry("End a post", post.coach, told(post, *_POST_SAYS), explains)
    if (instead := gone(request, post, entry.href, lambda now: _url("post_end", now))) is not None:
        return instead
    form = filled(LastDay, request, {"ends_on": post.ends_on, "version": post.version})

    def say(made: Post) -> Said:
        until = f"ends on {written(made.ends_on)}" if made.ends_on else "goes on"
        return Said(f"The post at {made.pcn.name} {until}.")

    return answer(
        request,
        entry,
        form,
        lambda: _followed(end_post(actor, post=post, **form.answers())),
        say,
        lambda now: _url("post_end", now),
    )


@needs(CAN)
@require_http_methods(WRITES)
def alter_post(request: Request, uuid: UUID, pk: int) -> HttpResponse:
    """New hours or funding from a day on."""
    actor, post = request.actor, _post(request.actor, uuid, pk)
    explains = "The post goes on with other hours or funding: one employment, and no clock starts again."
    entry = _post_entry("Change hours or funding", post.coach, told(post, *_POST_SAYS), explains)
    if (instead := gone(request, post, entry.href, lambda now: _url("post_change", now))) is not None:
        return instead
    says = {"hours_per_week": post.hours_per_week, "funding": post.funding, "version": post.version}
    form = filled(ChangePost, request, {"starts_on": today(), **says})
    return answer(
        request,
        entry,
        form,
        lambda: _followed(_changed(actor, post, form.answers())),
        lambda made: Said(f"The change from {written(made.starts_on)} is recorded."),
        lambda now: _url("post_change", now),
    )


def _changed(actor: Actor, post: Post, asked: dict[str, Any]) -> Post:
    """Change a post. Where somebody was faster, what they changed stands in the post that goes on from there."""
    try:
        return change_post(actor, post=post, **asked)
    except Stale as stale:
        theirs = Post.objects.for_actor(actor, CAN).filter(coach=post.coach, pcn=post.pcn, employer=post.employer)
        goes_on = theirs.filter(voided_at=None, starts_on__gt=post.starts_on).select_related("coach")
        names = ("starts_on", "hours_per_week", "funding")
        raise Stale(
            goes_on.order_by("starts_on").last() or stale.current, {name: asked[name] for name in names}
        ) from stale


@needs(CAN)
@require_http_methods(WRITES)
def correct(request: Request, uuid: UUID, pk: int) -> HttpResponse:
    """Void a post and record it anew, as it should have been from its first day on."""
    actor, post = request.actor, _post(request.actor, uuid, pk)
    entry = _post_entry("Correct a post", post.coach, told(post, "pcn"))
    if (instead := gone(request, post, entry.href, lambda now: _url("post_correct", now))) is not None:
        return instead
    names = ("employer", "starts_on", "ends_on", "hours_per_week", "funding", "version")
    offered = employers(actor, CAN, post.coach_id)
    form = filled(CorrectPost, request, {name: getattr(post, name) for name in names}, employers=offered)
    return answer(
        request,
        entry,
        form,
        lambda: _followed(correct_post(actor, post=post, **form.answers())),
        lambda made: Said(f"The post at {made.pcn.name} is corrected."),
        lambda now: _url("post_correct", now),
    )


@needs(CAN)
@require_http_methods(WRITES)
def withdraw_post(request: Request, uuid: UUID, pk: int) -> HttpResponse:
    """Void a post that never was."""
    post = _post(request.actor, uuid, pk)
    explains = "For a post that never was. One that is over is ended instead."
    entry = _post_entry("Withdraw a post", post.coach, told(post, *_POST_SAYS), explains)
    theirs = Post.objects.for_actor(request.actor, CAN).filter(coach=post.coach, voided_at=None).exclude(pk=post.pk)
    if not theirs.filter(pcn__in=request.actor.pcns(CAN)).exists():
        entry = replace(entry, page="coaches")  # by then the coach's pages are not theirs any more

    def void(actor: Actor, **asked: Any) -> None:
        void_post(actor, post=post, **asked)
        _followed(post)

    return withdrawal(
        request,
        entry,
        post,
        void,
        Said(f"The post at {post.pcn.name} is withdrawn."),
        lambda now: _url("post_withdraw", now),
    )


def _followed(post: Post) -> Post:
    """Supervisors' access belongs to the PCN of the coach's post: it follows."""
    follow_agreements(coaches=[post.coach_id])
    return post


def _post_entry(heading: str, coach: Coach, says: list[tuple[str, str]] | None = None, explains: str = "") -> Entry:
    return Entry(heading, [coach], PAGE, "posts", says or [], explains)


def _post(actor: Actor, uuid: UUID, pk: int) -> Post:
    """A post of this coach at a PCN where the actor records posts."""
    post: Post = row_of(Post, actor, CAN, "starts_on", coach__uuid=uuid, pk=pk)
    if post.pcn_id not in actor.pcns(CAN):
        raise Http404
    return post


def _url(page: str, row: Any) -> str:
    return reverse(page, kwargs={"uuid": row.coach.uuid, "pk": row.pk})


# --- Absences ---------------------------------------------------------------------------------------------------------


@needs(CAN)
@require_http_methods(WRITES)
def new_absence(request: Request, uuid: UUID) -> HttpResponse:
    """Record days on which a coach is away."""
    actor, coach = request.actor, coach_of(request.actor, CAN, uuid)
    form = filled(RecordAbsence, request)
    explains = "A long absence pauses the supervision clocks; they start again on the day of return."
    return answer(
        request,
        _absence_entry("Record an absence", coach, explains=explains),
        form,
        lambda: record_absence(actor, coach=coach, **form.answers()),
        lambda made: Said(f"The absence from {written(made.starts_on)}{_until(made)} is recorded.", _CLOCKS),
    )


@needs(CAN)
@reads("coach.read_reasons")
@require_http_methods(WRITES)
def finish_absence(request: Request, uuid: UUID, pk: int) -> HttpResponse:
    """The last day of an absence."""
    actor, absence = request.actor, _absence(request, uuid, pk)
    entry = _absence_entry("Set the last day of an absence", absence.coach, told(absence, *_ABSENCE_SAYS))
    if (instead := gone(request, absence, entry.href, lambda now: _url("absence_end", now))) is not None:
        return instead
    form = filled(LastDay, request, {"ends_on": absence.ends_on, "version": absence.version})
    return answer(
        request,
        entry,
        form,
        lambda: end_absence(actor, absence=absence, **form.answers()),
        lambda made: Said(f"The absence from {written(made.starts_on)}{_until(made)} is recorded.", _CLOCKS),
        lambda now: _url("absence_end", now),
    )


@needs(CAN)
@reads("coach.read_reasons")
@require_http_methods(WRITES)
def withdraw_absence(request: Request, uuid: UUID, pk: int) -> HttpResponse:
    """Void an absence that never was."""
    absence = _absence(request, uuid, pk)
    explains = "For an absence that never was. One that is over is ended instead."
    return withdrawal(
        request,
        _absence_entry("Withdraw an absence", absence.coach, told(absence, *_ABSENCE_SAYS), explains),
        absence,
        lambda actor, **asked: void_absence(actor, absence=absence, **asked),
        Said(f"The absence from {written(absence.starts_on)} is withdrawn.", _CLOCKS),
        lambda now: _url("absence_withdraw", now),
    )


def _absence_entry(heading: str, coach: Coach, says: list[tuple[str, str]] | None = None, explains: str = "") -> Entry:
    return Entry(heading, [coach], PAGE, "absences", says or [], explains)


def _absence(request: Request, uuid: UUID, pk: int) -> Absence:
    found: Absence = row_of(Absence, request.actor, CAN, "starts_on", coach__uuid=uuid, pk=pk)
    request.reading.about(found)
    return found


def _until(absence: Absence) -> str:
    return f" to {written(absence.ends_on)}" if absence.ends_on else ", without a last day,"
