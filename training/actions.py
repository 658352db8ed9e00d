"""The only code that writes training: what coaches have done, and what they are exempt from."""

from collections.abc import Collection
from datetime import date
from typing import Any
from uuid import UUID, uuid4

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
    last_day,
    reached,
    sent_before,
    stated,
    tidy,
    withdraw,
)
from hwbc.workforce.roles import Can, Role
from hwbc.workforce.versions import content
from training.models import Course, Exemption, TrainingRecord

EXEMPTION_REASON_LENGTH = 2_000


# --- Training records -------------------------------------------------------------------------------------------------


@action("training.record")
def record_training(
    actor: Actor,
    line: Line,
    *,
    coach: Coach,
    course: Course,
    enrolled_on: date,
    attended_on: Collection[date] = (),
    withdrawn_on: date | None = None,
    certificate_on: date | None = None,
    certificate_number: str = "",
    uuid: UUID | None = None,
) -> TrainingRecord:
    """Record an enrolment with what became of it. The same `uuid` (the form's token) again returns what it made.

    Raises ValidationError by field, and Refused.
    """
    record = TrainingRecord(
        uuid=uuid or uuid4(),
        coach=coach,
        course=course,
        enrolled_on=enrolled_on,
        attended_on=sorted(set(attended_on)),
        withdrawn_on=withdrawn_on,
        certificate_on=certificate_on,
        certificate_number=certificate_number,
    )
    pcn = reached(actor, Can.RECORD_TRAINING, coach, *_days(record))
    tidy(record, "attended_on")
    sent = sent_before(record)
    record = sent or _insert(line, record)
    line.about(record, at=pcn, coach=str(coach.uuid), course=str(course.uuid), again=bool(sent))
    return record


@action("training.correct")
def correct_training(
    actor: Actor,
    line: Line,
    *,
    record: TrainingRecord,
    because: str,
    course: Course,
    enrolled_on: date,
    attended_on: Collection[date],
    withdrawn_on: date | None,
    certificate_on: date | None,
    certificate_number: str,
) -> TrainingRecord:
    """What was recorded has changed or was wrong: it is voided and recorded anew, and the new record returned.

    Raises ValidationError by field, Refused, and Stale for a record that somebody else has corrected or voided.
    """
    correct = anew(
        record,
        course=course,
        enrolled_on=enrolled_on,
        attended_on=sorted(set(attended_on)),
        withdrawn_on=withdrawn_on,
        certificate_on=certificate_on,
        certificate_number=certificate_number,
    )
    return _correct(actor, line, record, correct, because)


@action("training.certify")
def add_certificate(
    actor: Actor, line: Line, *, record: TrainingRecord, certificate_on: date, certificate_number: str = ""
) -> TrainingRecord:
    """The certificate has come: the record is voided and recorded anew with it, and the new record returned.

    Raises as `correct_training` does.
    """
    correct = anew(record, certificate_on=certificate_on, certificate_number=certificate_number)
    return _correct(actor, line, record, correct, "The certificate was added.")


@action("training.void")
def void_training(actor: Actor, line: Line, *, record: TrainingRecord, because: str) -> None:
    """An enrolment was recorded that never was. Raises ValidationError, Refused, and Stale where it is void already."""
    pcn = reached(actor, Can.RECORD_TRAINING, record.coach, *_days(record))
    withdraw(actor, line, record, because)
    line.about(record, at=pcn, coach=str(record.coach.uuid), course=str(record.course.uuid))


def _days(record: TrainingRecord) -> list[date | None]:
    return [record.enrolled_on, *record.attended_on, record.withdrawn_on, record.certificate_on]


def _correct(actor: Actor, line: Line, record: TrainingRecord, correct: TrainingRecord, because: str) -> TrainingRecord:
    pcn = reached(actor, Can.RECORD_TRAINING, record.coach, *_days(record), *_days(correct))
    tidy(correct, "attended_on")
    done = corrected_before(record, correct)
    if done is None:
        line.void(record, stated(because), **content(correct))
        done = _insert(line, correct)
    line.about(done, at=pcn, coach=str(record.coach.uuid), course=str(correct.course.uuid), was=str(record.uuid))
    return done


def _insert(line: Line, record: TrainingRecord) -> TrainingRecord:
    faults = Faults()
    happened(faults, "attended_on", *record.attended_on)
    happened(faults, "certificate_on", record.certificate_on)
    enrolled = date_format(record.enrolled_on)
    if record.withdrawn_on is not None and record.withdrawn_on < record.enrolled_on:
        faults.add("withdrawn_on", f"This is before the enrolment, {enrolled}. Correct one of the two.")
    if record.certificate_on is not None:
        if record.certificate_on < record.enrolled_on:
            faults.add("certificate_on", f"This is before the enrolment, {enrolled}. Correct one of the two.")
        if record.withdrawn_on is not None:
            faults.add("withdrawn_on", "A coach who has withdrawn has no certificate. Leave one of the two empty.")
        if not record.course.gives_certificate:
            faults.add("certificate_on", "This course gives no certificate. Leave the date empty.")
    elif record.certificate_number:
        faults.add("certificate_on", "Enter the date of the certificate, or leave its number empty.")
    same: dict[str, Any] = {"coach": record.coach, "course": record.course, "enrolled_on": record.enrolled_on}
    if TrainingRecord.objects.filter(**same, voided_at=None).exists():
        faults.add(
            "enrolled_on",
            f"This enrolment is recorded already: {record.course.title}, {enrolled}. Open that record to add to it.",
        )
    faults.stop()
    return line.insert(record)


# --- Exemptions -------------------------------------------------------------------------------------------------------


@action("exemption.record")
def record_exemption(
    actor: Actor,
    line: Line,
    *,
    coach: Coach,
    rule: str,
    starts_on: date,
    ends_on: date,
    reason: str,
    course: Course | None = None,
    uuid: UUID | None = None,
) -> Exemption:
    """The actor approves that a rule does not hold for a coach for a while (A-04). Nobody approves their own.

    `course`: which one, for `training.required`. The same `uuid` again returns the exemption that it made.
    Raises ValidationError by field, and Refused.
    """
    pcn = _reach_exemption(actor, coach, starts_on)
    exemption = Exemption(
        uuid=uuid or uuid4(),
        coach=coach,
        rule=rule,
        course=course,
        starts_on=starts_on,
        ends_on=ends_on,
        reason=reason,
        approver_id=actor.user_id,
        approved_by=actor.name,
    )
    tidy(exemption)
    sent = sent_before(exemption)
    exemption = sent or _insert_exemption(line, exemption)
    line.about(exemption, at=pcn, coach=str(coach.uuid), rule=rule, again=bool(sent), **_course(exemption))
    return exemption


@action("exemption.end")
def end_exemption(actor: Actor, line: Line, *, exemption: Exemption, ends_on: date, version: int) -> Exemption:
    """An exemption ends earlier than approved: voided and recorded anew. A longer one is approved by itself.

    Raises ValidationError by field, Refused and Stale.
    """
    pcn = _reach_exemption(actor, exemption.coach, exemption.starts_on)
    if exemption.ends_on is not None and ends_on > exemption.ends_on:
        raise ValidationError(
            {
                "ends_on": f"It ends on {date_format(exemption.ends_on)}, as approved. "
                "For more time, record another exemption with its own reason."
            }
        )
    ended = last_day(line, exemption, version, ends_on, "exemption")
    line.about(
        ended,
        at=pcn,
        coach=str(exemption.coach.uuid),
        rule=exemption.rule,
        ends_on=str(ends_on),
        was=str(exemption.uuid),
    )
    return ended


@action("exemption.void")
def void_exemption(actor: Actor, line: Line, *, exemption: Exemption, because: str, version: int) -> None:
    """An exemption was recorded that nobody approved. Raises ValidationError, Refused and Stale."""
    pcn = _reach_exemption(actor, exemption.coach, exemption.starts_on)
    withdraw(actor, line, exemption, because, version)
    line.about(exemption, at=pcn, coach=str(exemption.coach.uuid), rule=exemption.rule)


def _reach_exemption(actor: Actor, coach: Coach, starts_on: date) -> int | None:
    pcn = reached(actor, Can.OVERRIDE, coach, starts_on)
    own = {grant.coach_id for grant in actor.grants if grant.role == Role.COACH}
    if coach.pk in own or (coach.user_id is not None and coach.user_id == actor.user_id):
        raise NotTheirs(Can.OVERRIDE, "Nobody decides about an exemption of their own: ask somebody else who may.")
    return pcn


def _course(exemption: Exemption) -> dict[str, str]:
    return {"course": str(exemption.course.uuid)} if exemption.course else {}


def _insert_exemption(line: Line, exemption: Exemption) -> Exemption:
    faults = Faults()
    if exemption.ends_on is None:
        faults.add("ends_on", "Enter the last day: every exemption ends.")
    elif exemption.ends_on < exemption.starts_on:
        faults.add("ends_on", f"The last day cannot be before the first day, {date_format(exemption.starts_on)}.")
    if exemption.rule == Exemption.REQUIRED and exemption.course is None:
        faults.add("course", "Choose the course that is not required for a while.")
    if exemption.rule == Exemption.BEFORE_REFERRALS and exemption.course is not None:
        faults.add("course", "This rule concerns no single course: choose none.")
    if len(exemption.reason) > EXEMPTION_REASON_LENGTH:
        faults.add("reason", f"Shorten the reason to {EXEMPTION_REASON_LENGTH:,} characters or fewer.")
    same: dict[str, Any] = {"coach": exemption.coach, "rule": exemption.rule, "course": exemption.course}
    there = Exemption.objects.filter(**same, starts_on=exemption.starts_on, voided_at=None).first()
    if there is not None:
        faults.add(
            "starts_on",
            f"An exemption from this day is recorded already, to {date_format(there.ends_on)}, "
            f"approved by {there.approved_by}. End or void that one first.",
        )
    faults.stop()
    return line.insert(exemption)
