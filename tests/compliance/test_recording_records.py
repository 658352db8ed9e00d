"""Agreements, training, exemptions and employment: what each page has of its own."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.actions import record_absence
from hwbc.workforce.models import Absence, Coach, Grant, Post
from hwbc.workforce.roles import Role
from supervision.actions.agreements import add_supervisor
from supervision.models import Agreement, Supervisor
from tests import facts
from tests.cast import SETUP, Cast, CoachFactory
from tests.compliance.recording import day, posted, said, words
from training.models import Course, Exemption, TrainingRecord

pytestmark = pytest.mark.django_db


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def rows(model: Any, **which: Any) -> list[Any]:
    with walls.lifted("tests"):
        return list(model.objects.filter(**which).order_by("pk"))


def url(page: str, coach: Coach, **more: Any) -> str:
    return reverse(page, kwargs={"uuid": coach.uuid, **more})


def training(**values: Any) -> dict[str, Any]:
    with walls.lifted("tests"):
        course = Course.objects.get(reference="HC4").uuid
    return {"token": uuid4(), "course": course, **day("enrolled_on", ago(40)), "attended_on": "",
            "certificate_number": "", **values}  # fmt: skip


# --- Agreements -------------------------------------------------------------------------------------------------------


def test_a_supervisor_is_added_to_the_pcns_register_and_named(cast: Cast) -> None:
    new = {"token": uuid4(), "kind": "clinical", "who": "new", "name": "Ivy Invented", "role": "gp",
           "email": "Ivy.Invented@example.org", **day("starts_on", today())}  # fmt: skip
    [text] = said(posted(cast.mo.client, url("agreement_new", cast.coach_bo), new))
    assert text.startswith("Ivy Invented is named for clinical supervision. Named clinical supervisor for Bo Lindqvist")
    [ivy] = rows(Supervisor, name="Ivy Invented")
    assert (ivy.register_id, ivy.email) == (cast.riverside.pk, "ivy.invented@example.org")
    page = words(cast.mo.client.get(url("coach_supervision", cast.coach_bo)))
    assert "Ivy Invented" in page

    twice = posted(
        cast.mo.client, url("agreement_new", cast.coach_bo), {**new, "token": uuid4(), "name": "Jo Invented"}
    )
    assert "overlaps one recorded already" in twice.context["form"].errors["starts_on"][0]
    assert rows(Supervisor, name="Jo Invented") == []  # both or neither


def test_supervisors_of_another_register_are_neither_offered_nor_taken(cast: Cast) -> None:
    with walls.lifted("tests"):
        theirs = add_supervisor(SETUP, register=cast.lakeside, name="Lou Invented", role="gp")
        sibling = add_supervisor(SETUP, register=cast.hilltop, name="Hil Invented", role="gp")
    address = url("agreement_new", cast.coach_bo)
    offered = words(cast.mo.client.get(address))
    assert "Sam Okafor, GP" in offered  # of the hub's register, which serves Riverside
    for supervisor in (theirs, sibling):
        assert supervisor.name not in offered
        sent = {"token": uuid4(), "kind": "line", "who": "registered", "supervisor": supervisor.uuid,
                **day("starts_on", today())}  # fmt: skip
        assert "supervisor" in posted(cast.mo.client, address, sent).context["form"].errors
    assert rows(Agreement, coach=cast.coach_bo) == []


def test_with_the_agreement_the_supervisors_access_ends(cast: Cast) -> None:
    [line] = rows(Agreement, coach=cast.coach_asha, kind="line")
    page = reverse("agreement_end", kwargs={"uuid": line.uuid})
    version = cast.mo.client.get(page).context["form"]["version"].value()
    sent = {"token": uuid4(), "version": version, **day("ends_on", ago(1))}
    [text] = said(posted(cast.mo.client, page, sent))
    assert "Named line manager for Asha Rahman is not met." in text
    [grant] = rows(Grant, user=cast.sam.user, role="line_supervisor")
    assert grant.revoked_at is not None


# --- Training ---------------------------------------------------------------------------------------------------------


def test_a_coach_records_their_own_training_and_becomes_ready(cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    attended = "\r\n".join(f"{ago(30 - n):%d/%m/%Y}" for n in range(4))
    sent = training(attended_on=attended, certificate_number="INV-1", **day("certificate_on", ago(5)))
    [text] = said(posted(cast.asha.client, url("training_new", cast.coach_asha), sent))
    assert "Ready for referrals for Asha Rahman is met." in text
    [made] = rows(TrainingRecord, coach=cast.coach_asha)
    assert made.attended_on == [ago(30 - n) for n in range(4)]
    page = words(cast.asha.client.get(url("coach_training", cast.coach_asha)))
    assert "INV-1" in page
    assert "Late entry" in page  # the enrolment is of 40 days ago
    assert cast.asha.client.get(url("training_new", cast.coach_bo)).status_code == 404


def test_a_day_that_cannot_be_read_is_named_by_its_line_and_all_is_kept(cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    typed = "01/03/2026\n31/02/2026\n\nsoon"
    response = posted(cast.mo.client, url("training_new", cast.coach_asha), training(attended_on=typed))
    wrong = response.context["form"].errors["attended_on"]
    assert [sentence.split(":")[0] for sentence in wrong] == ["Line 2", "Line 4"]
    assert response.context["form"]["attended_on"].value() == typed
    future = posted(
        cast.mo.client, url("training_new", cast.coach_asha), training(attended_on=f"{ago(-3):%d/%m/%Y}")
    )  # fmt: skip
    assert "after today" in future.context["form"].errors["attended_on"][0]
    assert rows(TrainingRecord) == []


def test_a_course_of_another_service_is_not_taken(cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    facts.bring_in(cast, facts.courses(), code="HUB2")
    [theirs] = rows(Course, reference="HC4", register=cast.southmoor)
    [ours] = rows(Course, reference="HC4", register=cast.northfield)
    address = url("training_new", cast.coach_asha)
    forged = posted(cast.mo.client, address, training_of(theirs))
    assert "course" in forged.context["form"].errors
    assert posted(cast.mo.client, address, training_of(ours)).redirect_chain
    assert [record.course_id for record in rows(TrainingRecord)] == [ours.pk]


def training_of(course: Course) -> dict[str, Any]:
    return {"token": uuid4(), "course": course.uuid, **day("enrolled_on", ago(3)), "attended_on": ""}


def test_an_exemption_from_being_trained_first_names_no_course(cast: Cast) -> None:
    sent = {"token": uuid4(), "rule": Exemption.BEFORE_REFERRALS, **day("starts_on", today()),
            **day("ends_on", ago(-9)), "reason": "Soon trained"}  # fmt: skip
    assert posted(cast.mo.client, url("exemption_new", cast.coach_asha), sent).redirect_chain
    assert [(row.rule, row.course_id) for row in rows(Exemption)] == [(Exemption.BEFORE_REFERRALS, None)]


def test_nobody_approves_an_exemption_of_their_own(cast: Cast) -> None:
    cast.asha.given(Role.PCN_MANAGER, cast.riverside)
    sent = {"token": uuid4(), "rule": Exemption.BEFORE_REFERRALS, **day("starts_on", today()),
            **day("ends_on", ago(-9)), "reason": "Soon trained"}  # fmt: skip
    refused = posted(cast.asha.client, url("exemption_new", cast.coach_asha), sent)
    assert refused.status_code == 403
    assert "Nobody decides about an exemption of their own" in words(refused)
    assert rows(Exemption) == []


# --- Employment -------------------------------------------------------------------------------------------------------


def test_a_post_and_an_absence_are_found_below_their_own_coach_alone(cast: Cast) -> None:
    with walls.lifted("tests"):
        absence = record_absence(SETUP, coach=cast.coach_bo, kind="sickness", starts_on=ago(3))
    [post] = rows(Post, coach=cast.coach_bo)
    mo = cast.mo.client
    for page, pk in (("absence_end", absence.pk), ("absence_withdraw", absence.pk), ("post_end", post.pk),
                     ("post_change", post.pk), ("post_correct", post.pk), ("post_withdraw", post.pk)):  # fmt: skip
        assert mo.get(url(page, cast.coach_bo, pk=pk)).status_code == 200
        assert mo.get(url(page, cast.coach_asha, pk=pk)).status_code == 404
        assert cast.zed.client.get(url(page, cast.coach_bo, pk=pk)).status_code == 404


def test_a_post_is_at_ones_own_pcn_whatever_is_sent(cast: Cast) -> None:
    address = url("post_new", cast.coach_asha)
    form = cast.mo.client.get(address).context["form"]
    assert [label for _, label in form.fields["pcn"].choices] == ["Riverside PCN"]
    typed = {"token": uuid4(), "employer": "", **day("starts_on", ago(3)), "hours_per_week": "5", "funding": "other"}
    for place in (cast.hilltop, cast.lakeside):
        for sent in (place.uuid, place.pk, place.code):
            response = posted(cast.mo.client, address, {**typed, "pcn": sent})
            assert response.status_code == 200
            assert set(response.context["form"].errors) == {"pcn"}
    assert {post.pcn_id for post in rows(Post, coach=cast.coach_asha)} == {cast.riverside.pk}


def test_a_post_elsewhere_and_what_came_after_the_coach_left_are_not_opened(cast: Cast) -> None:
    """Bo goes from Riverside to Lakeside: Mo learns nothing of it, by no number."""
    [post] = rows(Post, coach=cast.coach_bo)
    ended = {"token": uuid4(), "version": post.version, **day("ends_on", ago(20))}
    assert said(posted(cast.mo.client, url("post_end", cast.coach_bo, pk=post.pk), ended))
    with walls.lifted("tests"):
        other = CoachFactory.create(name="Bo Elsewhere", pcn=cast.lakeside, starts_on=ago(10))
        Post.objects.filter(coach=other).update(coach=cast.coach_bo)  # no action of one manager moves a coach there
        other_post = Post.objects.get(coach=cast.coach_bo, pcn=cast.lakeside)
        absence = record_absence(SETUP, coach=cast.coach_bo, kind="sickness", starts_on=ago(3))
    for page, pk in (("post_end", other_post.pk), ("post_correct", other_post.pk), ("absence_end", absence.pk)):
        assert cast.mo.client.get(url(page, cast.coach_bo, pk=pk)).status_code == 404
        assert cast.zed.client.get(url(page, cast.coach_bo, pk=pk)).status_code == 200


def test_a_post_beside_theirs_is_not_opened(cast: Cast) -> None:
    """Asha works at Lakeside too. Mo reads of it, for he reaches her; what he records ends with his own PCN."""
    with walls.lifted("tests"):
        beside = Post.objects.create(
            coach=cast.coach_asha, pcn=cast.lakeside, employer=cast.lakeside, starts_on=ago(60), hours_per_week=5,
            funding="other",
        )  # fmt: skip
    [own, _] = rows(Post, coach=cast.coach_asha)
    for page in ("post_end", "post_change", "post_correct", "post_withdraw"):
        assert cast.mo.client.get(url(page, cast.coach_asha, pk=beside.pk)).status_code == 404
        assert cast.zed.client.get(url(page, cast.coach_asha, pk=beside.pk)).status_code == 200
        assert cast.mo.client.get(url(page, cast.coach_asha, pk=own.pk)).status_code == 200


def test_new_hours_go_on_in_one_employment(cast: Cast) -> None:
    [post] = rows(Post, coach=cast.coach_asha)
    page = url("post_change", cast.coach_asha, pk=post.pk)
    sent = {
        "token": uuid4(),
        "version": post.version,
        **day("starts_on", today()),
        "hours_per_week": "20",
        "funding": "arrs",
    }
    assert said(posted(cast.mo.client, page, sent))
    first, second = rows(Post, coach=cast.coach_asha)
    assert (first.ends_on, second.starts_on, second.hours_per_week) == (ago(1), today(), 20)
    text = words(cast.mo.client.get(url("coach_employment", cast.coach_asha)))
    assert "joined into one employment" in text


def test_hours_and_an_end_before_the_start_are_refused_in_words(cast: Cast) -> None:
    [post] = rows(Post, coach=cast.coach_asha)
    change, end = (url(page, cast.coach_asha, pk=post.pk) for page in ("post_change", "post_end"))
    for hours in ("0", "61", "many"):
        sent = {"token": uuid4(), "version": 1, **day("starts_on", today()), "hours_per_week": hours, "funding": "arrs"}
        assert "more than 0 and no more than 60" in posted(cast.mo.client, change, sent).context["form"].errors[
            "hours_per_week"
        ][0]  # fmt: skip
    sent = {"token": uuid4(), "version": 1, **day("ends_on", date(2025, 1, 1))}
    assert "before the first day" in posted(cast.mo.client, end, sent).context["form"].errors["ends_on"][0]
    assert len(rows(Post, coach=cast.coach_asha)) == 1


def test_an_absence_pauses_and_its_end_starts_the_clocks_again(cast: Cast) -> None:
    sent = {"token": uuid4(), "kind": "parental", **day("starts_on", ago(30))}
    [text] = said(posted(cast.mo.client, url("absence_new", cast.coach_asha), sent))
    assert "Line management for Asha Rahman is paused." in text
    [absence] = rows(Absence)
    end = url("absence_end", cast.coach_asha, pk=absence.pk)
    ended = {"token": uuid4(), "version": absence.version, **day("ends_on", ago(1))}
    [text] = said(posted(cast.mo.client, end, ended))
    assert "is paused" not in text
    goes_on = {"token": uuid4(), "version": rows(Absence)[0].version, **day("ends_on", None)}
    [text] = said(posted(cast.mo.client, end, goes_on))
    assert "without a last day" in text
    assert [row.ends_on for row in rows(Absence)] == [ago(1), None]
    assert [row.voided_at is None for row in rows(Absence)] == [False, True]
