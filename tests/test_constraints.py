"""Every named constraint of the facts refuses, each by its name; and a list holds that none is forgotten."""

import uuid
from datetime import date
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, models, transaction
from django.utils import timezone

from coaching.models import Allocation, CoachingSession, Opening, Patient, Referral, SessionNote
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, Heartbeat, MonthlyShare, Notification, Standard, StandardNumber
from hwbc.workforce import walls
from hwbc.workforce.models import Absence, Coach, Demo, Draft, Fact, Grant, Post, User
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from tests.cast import Cast
from training.models import Course, Exemption, Requirement, TrainingRecord

pytestmark = pytest.mark.django_db
DAY, LATER = date(2026, 3, 2), date(2026, 3, 20)


@pytest.fixture
def world(cast: Cast) -> SimpleNamespace:
    """One of everything, for Asha at Riverside."""
    asha, riverside = cast.coach_asha, cast.riverside
    with walls.lifted("tests"):
        supervisor = Supervisor.objects.create(
            name="Pat Quill", role="health_coach", register=riverside, reference_key="s1"
        )
        course = Course.objects.create(
            register=riverside,
            reference_key="k1",
            title="Four days",
            provider="Invented",
            kind="pci_health_coaching",
            accreditation="accredited",
            gives_certificate=True,
            days=4,
        )
        referral = Referral.objects.create(
            register=riverside, reference_key="r1", pcn=riverside, source="nurse", priority="routine", received_on=DAY
        )
        return SimpleNamespace(
            cast=cast,
            asha=asha,
            riverside=riverside,
            supervisor=supervisor,
            course=course,
            referral=referral,
            share=MonthlyShare.objects.create(
                pcn=riverside, on=DAY, rule="supervision.line", on_track=8, asked=9, counted_at=timezone.now()
            ),
            absence=Absence.objects.create(coach=asha, kind="sickness", starts_on=DAY, ends_on=LATER),
            agreement=Agreement.objects.create(coach=cast.coach_bo, kind="line", supervisor=supervisor, starts_on=DAY),
            meeting=Meeting.objects.create(
                coach=asha,
                kind="line",
                supervisor=supervisor,
                held_on=DAY,
                minutes=60,
                format="individual",
                status="held",
            ),
            evidence=Evidence.objects.create(supervisor=supervisor, kind="tier", number=3, evidenced_on=DAY),
            requirement=Requirement.objects.create(course=course, within_days=30),
            record=TrainingRecord.objects.create(coach=asha, course=course, enrolled_on=DAY),
            exemption=Exemption.objects.create(
                coach=asha, rule="training.before_referrals", starts_on=DAY, ends_on=LATER, reason="x", approved_by="y"
            ),
            allocation=Allocation.objects.create(referral=referral, pcn=riverside, coach=asha, starts_on=DAY),
            session=CoachingSession.objects.create(
                referral=referral, pcn=riverside, held_on=DAY, mode="phone", minutes=30, outcome="attended"
            ),
            opening=Opening.objects.create(
                user=cast.mo.user, referral=referral, pcn=riverside, day=DAY, reason="Covers for a colleague"
            ),
            standard=Standard.objects.create(organisation=riverside, name="WDF", starts_on=DAY),
            flag=Flag.objects.create(coach=asha, rule="supervision.line", state="overdue", raised_on=DAY),
        )


def again(row: Any, **changes: Any) -> None:
    """The same row once more, but for what is changed."""
    copy = type(row).objects.get(pk=row.pk)
    copy.pk = None
    copy._state.adding = True
    if hasattr(copy, "uuid"):
        copy.uuid = uuid.uuid4()
    for name, value in changes.items():
        setattr(copy, name, value)
    copy.save(force_insert=True)


def change(row: Any, **changes: Any) -> None:
    type(row).objects.filter(pk=row.pk).update(**changes)


REFUSED: dict[str, Any] = {
    "standards_notification_never_told_twice": lambda w: Notification.objects.bulk_create(
        Notification(user=w.cast.mo.user, kind="checks_missed", key="x") for _ in range(2)
    ),
    "workforce_post_once_at_a_pcn": lambda w: again(Post.objects.get(coach=w.asha), starts_on=LATER),
    "workforce_absence_one_at_a_time": lambda w: again(w.absence, starts_on=LATER),
    "workforce_absence_ends_after_start": lambda w: change(w.absence, ends_on=date(2026, 3, 1)),
    "workforce_absence_end_has_its_clock": lambda w: change(w.absence, end_recorded_at=None),
    "workforce_post_end_has_its_clock": lambda w: Post.objects.update(end_recorded_at=timezone.now()),
    "workforce_coach_reference_once_in_a_register": lambda w: Coach.objects.update(
        register=w.riverside, reference_key="c1"
    ),
    "standards_standard_one_at_a_time": lambda w: again(w.standard, starts_on=LATER),
    "standards_standard_ends_after_start": lambda w: change(
        w.standard, ends_on=date(2026, 3, 1), end_recorded_at=timezone.now()
    ),
    "standards_standard_end_has_its_clock": lambda w: change(w.standard, ends_on=LATER),
    "standards_number_once_in_a_standard": lambda w: StandardNumber.objects.bulk_create(
        StandardNumber(standard=w.standard, key="line_months", value=1, source="x") for _ in range(2)
    ),
    "standards_flag_one_open_a_rule": lambda w: again(w.flag),
    "standards_flag_cleared_on_a_day": lambda w: change(w.flag, cleared_at=timezone.now()),
    "standards_heartbeat_is_one_row": lambda w: Heartbeat.objects.create(pk=2),
    "workforce_demo_is_one_row": lambda w: Demo.objects.create(pk=2, made_on=today()),
    "supervision_supervisor_reference_once_in_a_register": lambda w: again(w.supervisor),
    "supervision_evidence_one_a_kind_and_day": lambda w: again(w.evidence),
    "supervision_evidence_number_0_or_more": lambda w: change(w.evidence, number=-1),
    "supervision_agreement_one_a_kind_at_a_time": lambda w: again(w.agreement, starts_on=LATER),
    "supervision_agreement_ends_after_start": lambda w: change(
        w.agreement, ends_on=date(2026, 3, 1), end_recorded_at=timezone.now()
    ),
    "supervision_agreement_end_has_its_clock": lambda w: change(w.agreement, ends_on=LATER),
    "supervision_meeting_once": lambda w: again(w.meeting),
    "supervision_meeting_minutes_1_or_more": lambda w: change(w.meeting, minutes=0),
    "standards_monthlyshare_once": lambda w: again(w.share),
    "standards_monthlyshare_part_of_whole": lambda w: change(w.share, on_track=10),
    "training_course_reference_once_in_a_register": lambda w: again(w.course),
    "training_course_days_1_or_more": lambda w: change(w.course, days=0),
    "training_course_health_coaching_gives_a_certificate": lambda w: change(w.course, gives_certificate=False),
    "training_course_accreditation_ends_after_start": lambda w: change(
        w.course, accredited_from=LATER, accredited_to=DAY
    ),
    "training_requirement_one_a_course": lambda w: again(w.requirement),
    "training_requirement_validity_1_or_more": lambda w: change(w.requirement, validity_months=0),
    "training_record_once_an_enrolment": lambda w: again(w.record),
    "training_record_certificate_number_has_its_date": lambda w: change(w.record, certificate_number="7"),
    "training_record_withdrawn_or_certified": lambda w: change(w.record, withdrawn_on=LATER, certificate_on=LATER),
    "training_record_enrolled_before_certificate": lambda w: change(w.record, certificate_on=date(2026, 3, 1)),
    "training_exemption_once": lambda w: again(w.exemption),
    "training_exemption_has_an_end": lambda w: change(w.exemption, ends_on=None, end_recorded_at=None),
    "training_exemption_ends_after_start": lambda w: change(w.exemption, ends_on=date(2026, 3, 1)),
    "training_exemption_end_has_its_clock": lambda w: change(w.exemption, end_recorded_at=None),
    "training_exemption_names_a_course_where_its_rule_does": lambda w: change(w.exemption, course=w.course),
    "coaching_referral_reference_once_in_a_register": lambda w: again(w.referral),
    "coaching_referral_closed_after_received": lambda w: change(w.referral, closed_on=date(2026, 3, 1)),
    "coaching_allocation_one_open_a_referral": lambda w: again(w.allocation, starts_on=LATER),
    "coaching_allocation_ends_after_start": lambda w: change(
        w.allocation, ends_on=date(2026, 3, 1), end_recorded_at=timezone.now()
    ),
    "coaching_allocation_end_has_its_clock": lambda w: change(w.allocation, ends_on=LATER),
    "workforce_draft_one_a_form": lambda w: Draft.objects.bulk_create(
        Draft(user=w.cast.mo.user, address="/", form="F", fields={}) for _ in range(2)
    ),
    "coaching_opening_once_a_day": lambda w: again(w.opening),
    "coaching_opening_in_the_pcn_of_its_referral": lambda w: again(w.opening, pcn=w.cast.lakeside, day=LATER),
    "workforce_grant_of_a_deputy_ends": lambda w: Grant.objects.filter(user=w.cast.rae.user).update(
        deputises=Grant.objects.get(user=w.cast.mo.user)
    ),
    "workforce_user_suspended_is_not_active": lambda w: User.objects.update(suspended_at=timezone.now()),
    "coaching_session_once": lambda w: again(w.session),
    "coaching_session_minutes_1_or_more": lambda w: change(w.session, minutes=0),
    "coaching_allocation_in_the_pcn_of_its_referral": lambda w: change(w.allocation, pcn=w.cast.lakeside),
    "coaching_coachingsession_in_the_pcn_of_its_referral": lambda w: change(w.session, pcn=w.cast.lakeside),
    "coaching_sessionnote_in_the_pcn_of_its_session": lambda w: SessionNote.objects.create(
        session=w.session, pcn=w.cast.lakeside
    ),
    "coaching_sessionnote_session_id_key": lambda w: SessionNote.objects.bulk_create(
        SessionNote(session=w.session, pcn=w.riverside) for _ in range(2)
    ),
}
ELSEWHERE = {  # shown in tests/workforce/test_actions.py, or there to be referred to
    "workforce_user_email_lower_case",
    "workforce_organisation_not_its_own_parent",
    "workforce_organisation_code_upper_case",
    "workforce_post_ends_after_start",
    "workforce_post_hours_more_than_0_up_to_60",
    "workforce_grant_ends_after_start",
    "workforce_grant_a_role_once",
    "workforce_grant_names_a_coach_where_its_role_does",
    "coaching_referral_with_its_pcn",
    "coaching_session_with_its_pcn",
}


@pytest.mark.parametrize("name", REFUSED)
def test_the_constraint_refuses(world: SimpleNamespace, name: str) -> None:
    def refused() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            REFUSED[name](world)
            cursor.execute("set constraints all immediate")

    with walls.lifted("tests"), pytest.raises(IntegrityError, match=name):
        refused()


def test_every_named_constraint_is_shown_to_refuse() -> None:
    ours = {"workforce", "standards", "supervision", "training", "coaching"}
    named = {
        constraint.name
        for model in apps.get_models()
        if model._meta.app_label in ours
        for constraint in model._meta.constraints
    }
    assert {name for name in named if name not in REFUSED and name not in ELSEWHERE} == set()


def test_what_was_voided_makes_room(world: SimpleNamespace) -> None:
    with walls.lifted("tests"):
        for row in (world.meeting, world.record, world.agreement, world.absence):
            change(row, voided_at=timezone.now())
            again(row, voided_at=None)


def test_every_fact_has_its_two_clocks() -> None:
    facts = [model for model in apps.get_models() if issubclass(model, Fact)]
    assert {model.__name__ for model in facts} >= {
        "Post",
        "Absence",
        "Agreement",
        "Meeting",
        "TrainingRecord",
        "Allocation",
    }
    for model in facts:
        assert isinstance(model._meta.get_field("recorded_at"), models.DateTimeField)
        assert model._meta.get_field("voided_at").null


def test_patients_are_shown_to_those_who_care_and_not_to_the_hub(world: SimpleNamespace) -> None:
    with walls.lifted("tests"):
        Patient.objects.create(pcn=world.riverside)
    for person, sees in (("mo", True), ("asha", True), ("lee", False), ("sam", False), ("ann", False), ("zed", False)):
        actor = getattr(world.cast, person).actor
        with walls.within(actor.scope):
            assert Patient.objects.exists() == sees, person
            assert CoachingSession.objects.exists() == sees, person
            # A coach's own are those of the referrals they have taken; this patient came with none.
            assert Patient.objects.for_actor(actor).exists() == (person == "mo"), person
            assert CoachingSession.objects.for_actor(actor).exists() == sees, person


def test_a_coachs_whole_history_of_referrals_is_shown_to_whoever_reaches_the_coach(world: SimpleNamespace) -> None:
    """A rule must never see half its facts: Sam, who supervises Asha and works in no PCN, sees that she took one."""
    with walls.within(world.cast.sam.actor.scope):
        assert Allocation.objects.count() == 1
        assert Referral.objects.count() == 0
    with walls.within(world.cast.zed.actor.scope):
        assert Allocation.objects.count() == 0
