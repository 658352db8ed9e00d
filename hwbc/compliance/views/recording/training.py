"""Training: enrolments, attended days and certificates, by the coach or their manager; and exemptions."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from hwbc.compliance.forms.recording import (
    AddCertificate,
    CorrectTraining,
    ExemptionLastDay,
    RecordExemption,
    RecordTraining,
)
from hwbc.compliance.sentences import written
from hwbc.compliance.views.recording.entry import Entry, Said, answer, coach_of, filled, gone, row_of, told, withdrawal
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.audit import reads
from hwbc.workforce.models import Coach
from hwbc.workforce.queries import registers
from hwbc.workforce.roles import Can
from training.actions import (
    add_certificate,
    correct_training,
    end_exemption,
    record_exemption,
    record_training,
    void_exemption,
    void_training,
)
from training.models import Course, Exemption, TrainingRecord
from training.queries import courses, required_courses

CAN = Can.RECORD_TRAINING
PAGE, ANCHOR = "coach_training", "records"
_SAYS = ("course", "enrolled_on", "attended_on", "certificate_on", "certificate_number", "withdrawn_on")
_EXEMPTION_SAYS = ("course", "starts_on", "ends_on", "reason", "approved_by")


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: Request, uuid: UUID) -> HttpResponse:
    """Record an enrolment, with what became of it."""
    actor, coach = request.actor, coach_of(request.actor, CAN, uuid)
    form = filled(RecordTraining, request, courses=courses(registers(actor, CAN, coach.pk)))
    return answer(
        request,
        Entry(
            "Add training", [coach], PAGE, ANCHOR, explains="Enter what there is so far; the rest can be added later."
        ),
        form,
        lambda: record_training(actor, coach=coach, uuid=form.cleaned_data["token"], **form.answers()),
        lambda made: _said(made, "is recorded"),
    )


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def correct(request: Request, uuid: UUID) -> HttpResponse:
    """Void a training record and record it anew, with more days or what was wrong put right."""
    actor, record = request.actor, _record(request.actor, uuid)
    entry = Entry("Change a training record", [record.coach], PAGE, ANCHOR)
    if (instead := gone(request, record, entry.href, _correct_url)) is not None:
        return instead
    offered = courses(registers(actor, CAN, record.coach_id))
    if record.course not in offered:  # of a service that the coach has left
        offered = [record.course, *offered]
    says: dict[str, Any] = {name: getattr(record, name) for name in _SAYS}
    form = filled(CorrectTraining, request, says, courses=offered)
    return answer(
        request,
        entry,
        form,
        lambda: correct_training(actor, record=record, **form.answers()),
        lambda made: _said(made, "is changed"),
        _correct_url,
    )


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def certificate(request: Request, uuid: UUID) -> HttpResponse:
    """Add the certificate to an enrolment."""
    actor, record = request.actor, _record(request.actor, uuid)
    entry = Entry(
        "Add a certificate", [record.coach], PAGE, ANCHOR, told(record, "course", "enrolled_on", "attended_on")
    )
    if (instead := gone(request, record, entry.href, _certificate_url)) is not None:
        return instead
    says = {"certificate_on": record.certificate_on, "certificate_number": record.certificate_number}
    form = filled(AddCertificate, request, says)
    return answer(
        request,
        entry,
        form,
        lambda: add_certificate(actor, record=record, **form.answers()),
        lambda made: _said(made, "has its certificate"),
        _certificate_url,
    )


@needs(CAN)
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw(request: Request, uuid: UUID) -> HttpResponse:
    """Void an enrolment that never was."""
    record = _record(request.actor, uuid)
    explains = "For an enrolment that never was. A coach who gave up a course has a day of withdrawal instead."
    return withdrawal(
        request,
        Entry("Withdraw a training record", [record.coach], PAGE, ANCHOR, told(record, *_SAYS), explains),
        record,
        lambda actor, **asked: void_training(actor, record=record, **asked),
        _said(record, "is withdrawn"),
        lambda now: reverse("training_withdraw", kwargs={"uuid": now.uuid}),
    )


def _record(actor: Actor, uuid: UUID) -> TrainingRecord:
    found: TrainingRecord = row_of(TrainingRecord, actor, CAN, "enrolled_on", uuid=uuid)
    return found


def _correct_url(record: TrainingRecord) -> str:
    return reverse("training_correct", kwargs={"uuid": record.uuid})


def _certificate_url(record: TrainingRecord) -> str:
    return reverse("training_certificate", kwargs={"uuid": record.uuid})


def _said(record: TrainingRecord, done: str) -> Said:
    course = record.course
    health_coaching = course.kind == Course.Kind.PCI_HEALTH_COACHING
    rule = "training.referral_ready" if health_coaching else f"training.required:{course.reference or course.uuid}"
    return Said(f"{course.title} {done}.", [rule])


# --- Exemptions -------------------------------------------------------------------------------------------------------


@needs(Can.OVERRIDE)
@require_http_methods(["GET", "HEAD", "POST"])
def exempt(request: Request, uuid: UUID) -> HttpResponse:
    """Approve an exemption."""
    actor, coach = request.actor, coach_of(request.actor, Can.OVERRIDE, uuid)
    offered = required_courses(registers(actor, Can.OVERRIDE, coach.pk))
    form = filled(RecordExemption, request, courses=offered)
    explains = "You approve it: your name stands beside it. Nobody approves an exemption of their own."
    return answer(
        request,
        _exemption_entry("Record an exemption", coach, explains=explains),
        form,
        lambda: record_exemption(actor, coach=coach, uuid=form.cleaned_data["token"], **form.answers()),
        lambda made: Said(f"The exemption is recorded, until {written(made.ends_on)}.", _rules(made)),
    )


@needs(Can.OVERRIDE)
@reads("coach.read_reasons")
@require_http_methods(["GET", "HEAD", "POST"])
def end_exempt(request: Request, uuid: UUID) -> HttpResponse:
    """End an exemption earlier."""
    actor, exemption = request.actor, _exemption(request, uuid)
    explains = "It can end earlier than approved. For more time, record another exemption with its own reason."
    entry = _exemption_entry("Set the last day of an exemption", exemption.coach, _told(exemption), explains)
    if (instead := gone(request, exemption, entry.href, _exemption_end_url)) is not None:
        return instead
    form = filled(ExemptionLastDay, request, {"ends_on": exemption.ends_on, "version": exemption.version})
    return answer(
        request,
        entry,
        form,
        lambda: end_exemption(actor, exemption=exemption, **form.answers()),
        lambda made: Said(f"The exemption ends on {written(made.ends_on)}.", _rules(made)),
        _exemption_end_url,
    )


@needs(Can.OVERRIDE)
@reads("coach.read_reasons")
@require_http_methods(["GET", "HEAD", "POST"])
def withdraw_exempt(request: Request, uuid: UUID) -> HttpResponse:
    """Void an exemption that nobody approved."""
    exemption = _exemption(request, uuid)
    explains = "For an exemption that nobody approved. One that is no longer needed is ended instead."
    return withdrawal(
        request,
        _exemption_entry("Withdraw an exemption", exemption.coach, _told(exemption), explains),
        exemption,
        lambda actor, **asked: void_exemption(actor, exemption=exemption, **asked),
        Said("The exemption is withdrawn.", _rules(exemption)),
        lambda now: reverse("exemption_withdraw", kwargs={"uuid": now.uuid}),
    )


def _exemption_entry(
    heading: str, coach: Coach, says: list[tuple[str, str]] | None = None, explains: str = ""
) -> Entry:
    return Entry(heading, [coach], PAGE, "exemptions", says or [], explains)


def _told(exemption: Exemption) -> list[tuple[str, str]]:
    names = [name for name in _EXEMPTION_SAYS if name != "course" or exemption.course]
    before = [] if exemption.course else [("Exempt from", "Being trained before taking referrals")]
    return before + told(exemption, *names)


def _exemption(request: Request, uuid: UUID) -> Exemption:
    found: Exemption = row_of(Exemption, request.actor, Can.OVERRIDE, "starts_on", uuid=uuid)
    request.reading.about(found)
    return found


def _exemption_end_url(exemption: Exemption) -> str:
    return reverse("exemption_end", kwargs={"uuid": exemption.uuid})


def _rules(exemption: Exemption) -> list[str]:
    course = exemption.course
    return [f"training.required:{course.reference or course.uuid}"] if course else ["training.referral_ready"]
