"""Training records and exemptions: what each action changes, refuses and writes down; and two people at once."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, transaction
from django.db.models import Q
from django.utils.formats import date_format

from hwbc.kit.periods import today
from hwbc.workforce import actions as workforce
from hwbc.workforce import audit, recording, walls
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.models import AuditEvent, Coach, Post
from hwbc.workforce.roles import Role
from hwbc.workforce.versions import Stale, latest
from tests import facts
from tests.cast import Cast
from tests.races import at_once
from training import actions
from training.models import Course, Exemption, TrainingRecord

pytestmark = pytest.mark.django_db


def ago(days: int) -> date:
    return today() - timedelta(days=days)


@pytest.fixture
def courses(cast: Cast) -> dict[str, Course]:
    return bring_courses(cast)


def bring_courses(cast: Cast) -> dict[str, Course]:
    """HC4 gives a certificate after four days, IG gives one, SP0 gives none."""
    facts.bring_in(cast, facts.courses())
    return {course.reference: course for course in Course.objects.all()}


def record(actor: Actor, coach: Coach, course: Course, **values: Any) -> TrainingRecord:
    with walls.within(actor.scope):
        return actions.record_training(actor, coach=coach, course=course, **{"enrolled_on": ago(60), **values})


def says(record: TrainingRecord) -> dict[str, Any]:
    """The answers of a form that shows this record."""
    names = ("course", "enrolled_on", "attended_on", "withdrawn_on", "certificate_on", "certificate_number")
    return {name: getattr(record, name) for name in names}


def exempt(actor: Actor, coach: Coach, **values: Any) -> Exemption:
    given: dict[str, Any] = {
        "rule": Exemption.BEFORE_REFERRALS,
        "starts_on": ago(5),
        "ends_on": ago(-60),
        "reason": "Course booked",
    }
    with walls.within(actor.scope):
        return actions.record_exemption(actor, coach=coach, **{**given, **values})


def last_line() -> AuditEvent:
    with walls.lifted("tests"):
        return AuditEvent.objects.latest("at")


# --- Training records -------------------------------------------------------------------------------------------------


def test_an_enrolment_is_recorded_with_its_days_in_order_and_its_line(cast: Cast, courses: dict[str, Course]) -> None:
    days = [ago(40), ago(50), ago(40), ago(20)]
    made = record(cast.asha.actor, cast.coach_asha, courses["HC4"], attended_on=days, certificate_number="")
    assert made.attended_on == [ago(50), ago(40), ago(20)]
    line = last_line()
    assert (line.what, line.by, line.organisation_id) == ("training.record", "coach", cast.riverside.pk)
    assert line.facts == {
        "coach": str(cast.coach_asha.uuid), "course": str(courses["HC4"].uuid), "again": False
    }  # fmt: skip


REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "attended tomorrow": ("HC4", {"attended_on": [ago(3), ago(-1)]}, "attended_on", "is after today"),
    "certificate tomorrow": ("HC4", {"certificate_on": ago(-1)}, "certificate_on", "is after today"),
    "certificate before enrolment": (
        "HC4",
        {"certificate_on": ago(61)},
        "certificate_on",
        f"This is before the enrolment, {date_format(ago(60))}.",
    ),
    "withdrawn before enrolment": ("HC4", {"withdrawn_on": ago(61)}, "withdrawn_on", "before the enrolment"),
    "withdrawn and certified": (
        "HC4",
        {"withdrawn_on": ago(20), "certificate_on": ago(10)},
        "withdrawn_on",
        "A coach who has withdrawn has no certificate",
    ),
    "a number without a date": ("HC4", {"certificate_number": "INV-1"}, "certificate_on", "Enter the date"),
    "a course that gives none": ("SP0", {"certificate_on": ago(10)}, "certificate_on", "gives no certificate"),
    "a very long number": (
        "HC4",
        {"certificate_on": ago(10), "certificate_number": "1" * 101},
        "certificate_number",
        "at most 100 characters",
    ),
    "there already": (
        "IG",
        {},
        "enrolled_on",
        f"This enrolment is recorded already: Data security, {date_format(ago(60))}.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_record_that_cannot_be_is_refused(cast: Cast, courses: dict[str, Course], case: str) -> None:
    reference, wrong, field, sentence = REFUSED[case]
    record(cast.mo.actor, cast.coach_asha, courses["IG"])
    with pytest.raises(ValidationError) as refused:
        record(cast.mo.actor, cast.coach_asha, courses[reference], **wrong)
    assert list(refused.value.message_dict) == [field]
    assert sentence in refused.value.message_dict[field][0]


def test_everything_that_is_wrong_is_said_at_once(cast: Cast, courses: dict[str, Course]) -> None:
    wrong = {"withdrawn_on": ago(70), "certificate_on": ago(-1), "attended_on": [ago(-1)]}
    with pytest.raises(ValidationError) as refused:
        record(cast.mo.actor, cast.coach_asha, courses["SP0"], **wrong)
    assert set(refused.value.message_dict) == {"withdrawn_on", "certificate_on", "attended_on"}


def test_the_same_form_sent_again_is_the_same_record(cast: Cast, courses: dict[str, Course]) -> None:
    token, mo = uuid4(), cast.mo.actor
    given: dict[str, Any] = {"attended_on": [ago(30), ago(40)], "uuid": token}
    first = record(mo, cast.coach_asha, courses["HC4"], **given)
    assert record(mo, cast.coach_asha, courses["HC4"], **given) == first
    assert last_line().facts["again"] is True
    with pytest.raises(ValidationError, match="sent before with other answers"):
        record(mo, cast.coach_asha, courses["IG"], **given)


def test_a_certificate_is_added_by_voiding_and_recording_anew(cast: Cast, courses: dict[str, Course]) -> None:
    asha = cast.asha.actor
    enrolled = record(asha, cast.coach_asha, courses["HC4"], attended_on=[ago(50)])
    with walls.within(asha.scope):
        for _ in range(2):  # and sent twice
            certified = actions.add_certificate(
                asha, record=enrolled, certificate_on=ago(2), certificate_number=" INV-1 "
            )
        before = TrainingRecord.objects.get(pk=enrolled.pk)
        assert TrainingRecord.objects.count() == 2
        with pytest.raises(Stale):  # another certificate, for what has one by now
            actions.add_certificate(asha, record=enrolled, certificate_on=ago(1))
        with pytest.raises(ValidationError, match="is after today"):
            actions.add_certificate(asha, record=certified, certificate_on=ago(-1))
    assert (certified.certificate_on, certified.certificate_number) == (ago(2), "INV-1")
    assert (certified.enrolled_on, certified.attended_on) == (enrolled.enrolled_on, [ago(50)])
    assert (before.certificate_on, before.voided_because) == (None, "The certificate was added.")
    assert before.voided_at == certified.recorded_at
    assert last_line().facts["was"] == str(enrolled.uuid)


def test_a_record_is_corrected_and_voided(cast: Cast, courses: dict[str, Course]) -> None:
    mo = cast.mo.actor
    first = record(mo, cast.coach_asha, courses["HC4"])
    with walls.within(mo.scope):
        with pytest.raises(ValidationError, match="Say why"):
            actions.correct_training(mo, record=first, because="", **{**says(first), "enrolled_on": ago(59)})
        correct = actions.correct_training(
            mo, record=first, because="Wrong day", **{**says(first), "enrolled_on": ago(59)}
        )
        assert latest(first) == correct
        for _ in range(2):  # sent twice
            actions.void_training(mo, record=correct, because="Never enrolled")
        with pytest.raises(Stale) as stale:
            actions.void_training(mo, record=correct, because="Something else")
    assert stale.value.differences[0] == ("Voided because", "Never enrolled", "Something else")
    assert (last_line().what, last_line().organisation_id) == ("training.void", cast.riverside.pk)


@pytest.mark.parametrize(
    ("who", "may"),
    [("asha", True), ("mo", True), ("lee", True), ("sam", False), ("ann", False), ("zed", False)],
)
def test_who_records_training(cast: Cast, courses: dict[str, Course], who: str, may: bool) -> None:
    """Coaches their own; managers and training hubs those of their places."""
    there = record(cast.mo.actor, cast.coach_asha, courses["HC4"])
    actor = getattr(cast, who).actor
    for deed in (
        lambda: record(actor, cast.coach_asha, courses["IG"]),
        lambda: actions.correct_training(actor, record=there, because="x", **says(there)),
        lambda: actions.add_certificate(actor, record=there, certificate_on=ago(1)),
        lambda: actions.void_training(
            actor, record=record(cast.mo.actor, cast.coach_asha, courses["SP0"]), because="x"
        ),
    ):
        with walls.within(actor.scope):
            if may:
                deed()
            else:
                with pytest.raises(Refused, match="record training"):
                    deed()
    if who == "asha":
        with pytest.raises(Refused):  # and nobody else's
            record(actor, cast.coach_bo, courses["IG"])


def test_a_manager_writes_up_to_the_last_day_and_the_coach_without_end(cast: Cast, courses: dict[str, Course]) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        workforce.end_post(mo, post=Post.objects.get(coach=cast.coach_asha), ends_on=ago(30), version=1)
    made = record(mo, cast.coach_asha, courses["IG"], enrolled_on=ago(40), attended_on=[ago(30)])
    with walls.within(mo.scope), pytest.raises(Refused, match="last day here is"):
        actions.add_certificate(mo, record=made, certificate_on=ago(29))
    with walls.within(cast.asha.actor.scope):
        certified = actions.add_certificate(cast.asha.actor, record=made, certificate_on=ago(29))
    with walls.within(mo.scope), pytest.raises(Refused, match="last day here is"):
        actions.void_training(mo, record=certified, because="Not ours")


def test_without_the_python_checks_the_database_refuses(
    cast: Cast, courses: dict[str, Course], monkeypatch: pytest.MonkeyPatch
) -> None:
    for check in ("reached", "_reach_exemption", "tidy"):
        monkeypatch.setattr(actions, check, lambda *args: None)
    for deed in (
        lambda: record(cast.zed.actor, cast.coach_asha, courses["IG"]),
        lambda: exempt(cast.zed.actor, cast.coach_asha),
    ):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            deed()


# --- Exemptions -------------------------------------------------------------------------------------------------------


def test_an_exemption_is_approved_by_who_records_it(cast: Cast, courses: dict[str, Course]) -> None:
    token = uuid4()
    made = exempt(cast.mo.actor, cast.coach_asha, uuid=token)
    assert exempt(cast.mo.actor, cast.coach_asha, uuid=token) == made
    assert (made.approver, made.approved_by) == (cast.mo.user, "Mo Haddad")
    assert last_line().facts == {"coach": str(cast.coach_asha.uuid), "rule": made.rule, "again": True}
    required = exempt(cast.mo.actor, cast.coach_asha, rule=Exemption.REQUIRED, course=courses["IG"])
    assert last_line().facts["course"] == str(required.course.uuid if required.course else "")


def test_an_exemption_ends_earlier_and_keeps_who_approved_it(cast: Cast) -> None:
    made = exempt(cast.mo.actor, cast.coach_asha)
    cast.nobody_yet.given(Role.PCN_MANAGER, cast.riverside)
    noor = cast.nobody_yet.actor
    with walls.within(noor.scope):
        for _ in range(2):  # sent twice
            ended = actions.end_exemption(noor, exemption=made, ends_on=ago(1), version=1)
        with pytest.raises(ValidationError, match="as approved"):
            actions.end_exemption(noor, exemption=ended, ends_on=ago(0), version=1)
        with pytest.raises(ValidationError, match="cannot be before the first day"):
            actions.end_exemption(noor, exemption=ended, ends_on=ago(6), version=1)
        assert Exemption.objects.get(pk=made.pk).ends_on == made.ends_on
        actions.void_exemption(noor, exemption=ended, because="Typed for the wrong coach", version=1)
        assert Exemption.objects.filter(voided_at=None).count() == 0
    assert (ended.approver, ended.approved_by, ended.ends_on) == (cast.mo.user, "Mo Haddad", ago(1))
    assert last_line().what == "exemption.void"


EXEMPTIONS_REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "without a reason": ({"reason": " "}, "reason", "cannot be blank"),
    "with a very long reason": ({"reason": "x" * 2001}, "reason", "to 2,000 characters or fewer"),
    "without an end": ({"ends_on": None}, "ends_on", "every exemption ends"),
    "ending before it starts": ({"ends_on": ago(6)}, "ends_on", f"before the first day, {date_format(ago(5))}"),
    "from no rule": ({"rule": "supervision.line"}, "rule", "not a valid choice"),
    "from no course": ({"rule": Exemption.REQUIRED}, "course", "Choose the course"),
    "there already": (
        {},
        "starts_on",
        f"An exemption from this day is recorded already, to {date_format(ago(-60))}, approved by Mo Haddad.",
    ),
}


@pytest.mark.parametrize("case", EXEMPTIONS_REFUSED)
def test_an_exemption_that_cannot_be_is_refused(cast: Cast, case: str) -> None:
    wrong, field, sentence = EXEMPTIONS_REFUSED[case]
    if not wrong:
        exempt(cast.mo.actor, cast.coach_asha)
    with pytest.raises(ValidationError) as refused:
        exempt(cast.mo.actor, cast.coach_asha, **wrong)
    assert list(refused.value.message_dict) == [field]
    assert sentence in refused.value.message_dict[field][0]


def test_an_exemption_from_the_training_before_referrals_names_no_course(
    cast: Cast, courses: dict[str, Course]
) -> None:
    with pytest.raises(ValidationError, match="concerns no single course"):
        exempt(cast.mo.actor, cast.coach_asha, course=courses["HC4"])


@pytest.mark.parametrize("who", ["asha", "sam", "lee", "ann", "zed"])
def test_only_a_manager_of_the_pcn_approves(cast: Cast, who: str) -> None:
    made, actor = exempt(cast.mo.actor, cast.coach_bo), getattr(cast, who).actor
    for deed in (
        lambda: exempt(actor, cast.coach_asha),
        lambda: actions.end_exemption(actor, exemption=made, ends_on=ago(1), version=1),
        lambda: actions.void_exemption(actor, exemption=made, because="x", version=1),
    ):
        with walls.within(actor.scope), pytest.raises(Refused):
            deed()


@pytest.mark.parametrize("known_by", ["grant", "user"])
def test_nobody_approves_their_own_exemption(cast: Cast, known_by: str) -> None:
    if known_by == "grant":
        cast.mo.holds(Role.COACH, cast.riverside, cast.coach_asha)
    else:
        with walls.lifted("tests"):
            Coach.objects.filter(pk=cast.coach_asha.pk).update(user=cast.mo.user)
            cast.coach_asha.refresh_from_db()
    with pytest.raises(Refused, match="exemption of their own"):
        exempt(cast.mo.actor, cast.coach_asha)
    assert exempt(cast.mo.actor, cast.coach_bo).approver == cast.mo.user


# --- Two people at once -----------------------------------------------------------------------------------------------


def two_certificates(cast: Cast) -> tuple[TrainingRecord, Any, Any]:
    """Asha and Mo add a certificate to the same record, each with another number."""
    asha, mo = cast.asha.actor, cast.mo.actor
    made = record(asha, cast.coach_asha, bring_courses(cast)["HC4"])
    add = actions.add_certificate
    won, lost = at_once(
        asha, lambda: add(asha, record=made, certificate_on=ago(3), certificate_number="INV-1"),
        mo, lambda: add(mo, record=made, certificate_on=ago(3), certificate_number="INV-2"),
    )  # fmt: skip
    return made, won, lost


@pytest.mark.django_db(transaction=True)
def test_of_two_certificates_the_second_sees_both(live_cast: Cast) -> None:
    made, won, lost = two_certificates(live_cast)
    assert isinstance(lost, Stale)
    assert lost.current == won
    assert ("Certificate number", "INV-1", "INV-2") in lost.differences
    assert ("Attended on", "", "") in lost.differences
    with walls.lifted("tests"):
        assert TrainingRecord.objects.get(pk=made.pk).voided_by == live_cast.asha.user
        assert TrainingRecord.objects.get(voided_at=None) == won


@pytest.mark.django_db(transaction=True)
def test_control_without_the_guard_who_voided_it_is_lost(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    voided: list[Any] = []
    insert = audit.Line.insert

    def look(self: audit.Line, row: Any) -> Any:
        voided.extend(TrainingRecord.objects.exclude(voided_at=None).values_list("voided_by__name", flat=True))
        return insert(self, row)

    monkeypatch.setattr(audit, "_as_read", lambda row, version: Q())
    monkeypatch.setattr(recording.Faults, "stop", lambda self: None)  # the enrolment is there already, it would say
    monkeypatch.setattr(audit.Line, "insert", look)
    two_certificates(live_cast)
    assert voided == ["Asha Rahman", "Mo Haddad"]


@pytest.mark.django_db(transaction=True)
def test_of_two_ends_of_an_exemption_the_second_sees_both(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    live_cast.nobody_yet.given(Role.PCN_MANAGER, live_cast.riverside)
    mo, noor = live_cast.mo.actor, live_cast.nobody_yet.actor

    def end_both(coach: Coach) -> tuple[Any, Any]:
        made = exempt(mo, coach)
        end = actions.end_exemption
        return at_once(
            mo, lambda: end(mo, exemption=made, ends_on=ago(2), version=1),
            noor, lambda: end(noor, exemption=made, ends_on=ago(1), version=1),
        )  # fmt: skip

    won, lost = end_both(live_cast.coach_asha)
    assert isinstance(lost, Stale)
    assert lost.current == won
    assert lost.differences == [("Ends on", date_format(ago(2)), date_format(ago(1)))]
    monkeypatch.setattr(audit, "_as_read", lambda row, version: Q())
    _, lost = end_both(live_cast.coach_bo)
    assert isinstance(lost, ValidationError)  # control: the constraint alone holds, and shows neither text


@pytest.mark.django_db(transaction=True)
def test_a_form_sent_twice_at_once_makes_one_record(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    asha, courses = live_cast.asha.actor, bring_courses(live_cast)

    def send(token: UUID, course: str) -> tuple[Any, Any]:
        def record_it() -> TrainingRecord:
            return actions.record_training(
                asha, coach=live_cast.coach_asha, course=courses[course], enrolled_on=ago(9), uuid=token
            )

        return at_once(asha, record_it, asha, record_it)

    one, other = send(uuid4(), "HC4")
    assert one == other
    monkeypatch.setattr(recording, "_wait_for", lambda coach: None)  # control: where nobody waits
    one, other = send(uuid4(), "IG")
    assert isinstance(one, TrainingRecord)
    assert isinstance(other, ValidationError)
