"""The pages of changes: what was changed from what to what, in words, by whom; for whom it is shown, until when."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.urls import reverse
from django.utils import timezone

from coaching.actions.sessions import void_session
from coaching.models import CoachingSession, Referral
from hwbc.compliance import changes, trail
from hwbc.kit.periods import today
from hwbc.workforce import actions, history, walls
from hwbc.workforce.models import Absence, Coach, Grant, Post
from supervision.actions.meetings import correct_meeting, record_meeting
from tests.cast import SETUP, Cast
from tests.coaching.work import note, received
from tests.one_coach import text, words, written
from tests.pages import a_case, a_meeting, an_exemption, renamed

pytestmark = pytest.mark.django_db
CANARY = "CANARY-REASON"


def page(who, name, /, status=200, query="", **kwargs) -> str:
    """A page as somebody reads it, without its markup."""
    response = who.client.get(reverse(name, kwargs=kwargs) + query)
    assert response.status_code == status
    return words(response.content.decode()).replace(" :", ":")


def away(cast: Cast) -> Absence:
    """Asha's, recorded by Mo, who then gave it a last day and a reason to withdraw it."""
    actor = cast.mo.actor
    with walls.within(actor.scope):
        absence = actions.record_absence(actor, coach=cast.coach_asha, kind="sickness", starts_on=today())
        absence = actions.end_absence(actor, absence=absence, ends_on=today(), version=absence.version)
        actions.void_absence(actor, absence=absence, because=CANARY, version=absence.version)
    return absence


def test_from_what_to_what_by_whom_in_which_role(cast: Cast) -> None:
    absence = away(cast)
    said = page(cast.mo, "absence_changes", uuid=cast.coach_asha.uuid, pk=absence.pk)
    assert "3 changes, newest first" in said
    assert said.count("by Mo Haddad (PCN manager)") == 3
    withdrawn, changed, recorded = said.split(f"Absence from {written(today())}: ")[-3:]
    assert withdrawn.startswith("withdrawn")
    assert f"Reason: from Nothing to A text of {len(CANARY)} characters" in withdrawn
    assert changed.startswith("changed")
    assert f"Last day: from Nothing to {written(today())}" in changed
    assert recorded.startswith("recorded")
    assert "Kind: Sickness" in recorded


def test_a_text_is_on_no_page(cast: Cast) -> None:
    absence = away(cast)
    for who in (cast.asha, cast.mo, cast.lee, cast.ann, cast.sam):
        assert CANARY not in page(who, "absence_changes", uuid=cast.coach_asha.uuid, pk=absence.pk)
        assert CANARY not in text(who, cast.coach_asha, "coach_changes")


def test_why_somebody_is_away_is_for_those_who_may_see_reasons(cast: Cast) -> None:
    absence = away(cast)
    for name in ("absence_changes", "coach_changes"):
        which = {"uuid": cast.coach_asha.uuid} | ({"pk": absence.pk} if name == "absence_changes" else {})
        for who in (cast.asha, cast.mo):
            assert "Kind: Sickness" in page(who, name, **which)
        for who in (cast.lee, cast.ann):
            said = page(who, name, **which)
            assert "Sickness" not in said
            assert "Kind: Not shown to your role" in said
            assert "Reason: from Not shown to your role to Not shown to your role" in said


def test_an_address_is_for_whoever_gives_access(cast: Cast) -> None:
    with walls.lifted("tests"):
        Coach.objects.filter(pk=cast.coach_asha.pk).update(email="canary-address@example.org")
    for who in (cast.mo, cast.lee):
        assert "to canary-address@example.org" in page(who, "coach_changes", uuid=cast.coach_asha.uuid)
    for who in (cast.asha, cast.sam, cast.ann):
        said = page(who, "coach_changes", uuid=cast.coach_asha.uuid)
        assert "canary-address" not in said
        assert cast.coach_asha.email not in said
        assert "E-mail address: from Not shown to your role to Not shown to your role" in said


def test_names_stand_for_what_a_row_refers_to(cast: Cast) -> None:
    said = page(cast.mo, "meeting_changes", **a_meeting(cast))
    assert "Supervisor: Sam Okafor" in said
    assert "Minutes: 60" in said
    assert "by Sam Okafor (Line manager, Clinical supervisor, Health coaching supervisor)" in said
    with walls.lifted("tests"):
        post = Post.objects.get(coach=cast.coach_asha)
    said = page(cast.mo, "post_changes", uuid=cast.coach_asha.uuid, pk=post.pk)
    assert "PCN: Riverside PCN" in said
    assert "Employer: Riverside PCN" in said
    assert "by The service (job “tests”)" in said
    said = page(cast.mo, "exemption_changes", **an_exemption(cast))
    assert "Reason: A text of" in said
    assert "Rule: Trained before taking referrals" in said
    assert said.index("First day:") < said.index("Last day:")


def test_a_correction_is_two_entries_of_two_rows_on_the_coachs_page(cast: Cast) -> None:
    actor = cast.sam.actor
    says: dict[str, Any] = {"kind": "line", "held_on": today(), "minutes": 60}
    with walls.within(actor.scope):
        meeting = record_meeting(
            actor, coach=cast.coach_asha, supervisor=cast.supervisor_sam, uuid=cast.coach_bo.uuid, **says
        )
        correct_meeting(
            actor, meeting=meeting, supervisor=cast.supervisor_sam, because=CANARY, format="individual",
            status="held", ad_hoc=False, **says | {"minutes": 45},
        )  # fmt: skip
    said = text(cast.mo, cast.coach_asha, "coach_changes")
    title = f"Meeting of {written(today())}"
    assert [said.count(f"{title}: {verb}") for verb in ("recorded", "withdrawn", "changed")] == [2, 1, 0]
    assert CANARY not in said


def test_what_somebody_was_doing_is_said_in_the_words_of_the_audit(cast: Cast) -> None:
    absence = away(cast)
    said = page(cast.mo, "absence_changes", uuid=cast.coach_asha.uuid, pk=absence.pk)
    for did in ("recorded", "set the last day of", "withdrew"):
        assert f"by Mo Haddad (PCN manager), who {did} an absence of a coach" in said
    said = page(cast.mo, "referral_changes", uuid=received(cast).uuid)
    assert "by Mo Haddad (PCN manager), who wrote down that a case was received" in said
    said = page(cast.mo, "referral_changes", **a_case(cast))
    assert "by The service (job “tests”), which brought in a workbook" in said
    assert not re.search(r"\b[a-z]+[._][a-z_]+\b", said)  # no code


def test_every_action_has_words_without_names() -> None:
    told = {code: trail.in_general(code) for code in trail.WORDS}
    assert not [words for words in told.values() if re.search(r"[{}/]|  |\bas somebody|^ ", words)]
    assert told["access.grant"] == "gave somebody access"
    assert told["coach.add"] == "added somebody as a coach"
    assert told["referral.allocate"] == "gave a case to a coach"
    assert told["session.correct"] == "corrected a session of a case"
    assert told["organisation.sign_in_rules"] == "set how people sign in at a place"
    assert trail.in_general("") == ""  # nobody's, by hand


def test_raw_sql_is_shown_as_nobodys(cast: Cast) -> None:
    with walls.within(walls.Scope(lifts="tests")):
        Coach.objects.filter(pk=cast.coach_asha.pk).update(email="other@example.org")
    said = words(text(cast.mo, cast.coach_asha, "coach_changes"))
    assert "Nobody that the service knows" in said
    assert "from asha.rahman@example.org to other@example.org" in said


# --- Until when, as known when ----------------------------------------------------------------------------------------


def test_as_it_was_known_at_a_moment(cast: Cast) -> None:
    before = timezone.localtime() - timedelta(minutes=5)
    away(cast)
    assert "Absence from" in text(cast.mo, cast.coach_asha, "coach_changes")
    earlier = {"known-at": before.replace(tzinfo=None, microsecond=0).isoformat()}
    assert "Absence from" not in text(cast.mo, cast.coach_asha, "coach_changes", **earlier)


def test_a_pcn_sees_what_was_changed_up_to_the_last_day_of_the_post(cast: Cast) -> None:
    """What was written down after it, and what is about days after it, is not theirs; the next PCN sees it whole."""
    last = today() - timedelta(days=1)
    with walls.lifted("tests"):
        Post.objects.filter(coach=cast.coach_asha).update(ends_on=last, end_recorded_at=timezone.now())
        new = Post.objects.create(
            coach=cast.coach_asha, pcn=cast.hilltop, employer=cast.hilltop, starts_on=today(), hours_per_week=20,
            funding="arrs",
        )  # fmt: skip
        old = Post.objects.get(coach=cast.coach_asha, pcn=cast.riverside)
    assert "left Riverside PCN" in text(cast.mo, cast.coach_asha, "coach_changes")
    assert "Hilltop" not in text(cast.mo, cast.coach_asha, "coach_changes")
    assert "No change is kept here" in text(cast.mo, cast.coach_asha, "coach_changes")  # all was written down today
    page(cast.mo, "post_changes", uuid=cast.coach_asha.uuid, pk=old.pk)
    page(cast.mo, "post_changes", uuid=cast.coach_asha.uuid, pk=new.pk, status=404)
    whole = text(cast.lee, cast.coach_asha, "coach_changes")  # the hub has both
    assert "Hilltop PCN" in whole
    assert written(last) in whole


def test_a_day_after_the_last_one_is_not_said(cast: Cast) -> None:
    """An end that was known beforehand lies after what may be shown."""
    with walls.lifted("tests"):
        Post.objects.filter(coach=cast.coach_asha).update(ends_on=today(), end_recorded_at=timezone.now())
        absence = actions.record_absence(SETUP, coach=cast.coach_asha, kind="other", starts_on=today())
        actions.end_absence(SETUP, absence=absence, ends_on=today() + timedelta(days=9), version=absence.version)
    which = {"uuid": cast.coach_asha.uuid, "pk": absence.pk}
    assert f"to Not by {written(today())}" in page(cast.mo, "absence_changes", **which)
    assert f"to {written(today() + timedelta(days=9))}" in page(cast.asha, "absence_changes", **which)


# --- Referrals, access, places ----------------------------------------------------------------------------------------


def test_a_referrals_changes_name_its_sessions_to_those_who_care(cast: Cast) -> None:
    case = a_case(cast)
    with walls.lifted("tests"):
        referral = Referral.objects.get(**case)
        session = CoachingSession.objects.get(referral=referral)
        note(session, note=CANARY, next_step=CANARY)
    actor = cast.asha.actor
    with walls.within(actor.scope):
        void_session(actor, session=session, because=CANARY)
    title = f"Session of {written(session.held_on)}"
    for who in (cast.mo, cast.asha):
        said = page(who, "referral_changes", **case)
        assert f"{title}: withdrawn" in said
        assert "Referral taken on" in said
        assert CANARY not in said
        # That something was noted, and at what length, is for those who may read it.
        assert (f"Note of the s{title[1:]}" in said) == (who is cast.asha)
        assert (f"Reason: from Nothing to A text of {len(CANARY)} characters" in said) == (who is cast.asha)
    for who in (cast.lee, cast.ann):
        said = page(who, "referral_changes", **case)
        assert "Session of" not in said
        assert "Referral taken on" in said
    page(cast.zed, "referral_changes", status=404, **case)


def test_what_stood_in_a_session_once_is_told_as_it_is_now(cast: Cast) -> None:
    """The history of before notes had a table of their own: texts by their length, codes in words."""
    subject, sight = changes.Subject("coaching.coachingsession", 1), changes._Sight()
    said = {"note": 20, "next_step": 1, "activity": "plan_agreed", "goal_progress": "some", "mode": "phone"}
    told = {changes._label(subject.kind, name): changes._told(subject, None, name, value, {}, sight)
            for name, value in said.items()}  # fmt: skip
    assert told == {
        "Note": "A text of 20 characters", "Next step": "A text of 1 character", "Mode": "Phone",
        "Code": "Personalised care and support plan agreed", "Goal progress": "Some progress",
    }  # fmt: skip


def test_a_grants_changes(cast: Cast) -> None:
    with walls.lifted("tests"):
        grant = Grant.objects.get(user=cast.rae.user)
    actor = cast.mo.actor
    with walls.within(actor.scope):
        actions.end_grant(actor, grant=grant)
    said = page(cast.mo, "access_changes", uuid=grant.uuid)
    assert "Access: changed" in said
    assert "by Mo Haddad (PCN manager)" in said
    assert f"Revoked at: from Nothing to {written(today())} at" in said
    assert "Role: Recruiter" in said
    page(cast.zed, "access_changes", uuid=grant.uuid, status=404)


def test_a_places_changes(cast: Cast) -> None:
    renamed(cast, 30)
    said = page(cast.mo, "organisation_changes", code="U99991")
    assert "from Riverside PCN 28 to Riverside PCN 29" in said
    assert "31 changes, 1 to 25 shown" in said
    assert "Riverside PCN 0" in page(cast.mo, "organisation_changes", code="U99991", query="?page=2")
    page(cast.zed, "organisation_changes", code="U99991", status=404)
    page(cast.mo, "organisation_changes", code="HUB1", status=404)


# --- What comes later -------------------------------------------------------------------------------------------------


def test_every_kind_of_record_that_a_coachs_rows_refer_to_has_a_name() -> None:
    """A foreign key that is added later has a name here or is said to have none: never a bare number on a page."""
    kinds = [apps.get_model(kind) for kind in changes._KINDS]
    targets = {
        field.related_model._meta.label_lower
        for model in kinds
        for field in model._meta.concrete_fields
        if field.is_relation and field.column not in changes._NOT_SHOWN
    }
    assert targets <= set(changes._NAMES) | {"coaching.patient"}


def test_every_table_of_a_coach_is_on_their_page_or_is_left_out_here() -> None:
    of_coach = {
        model for model, kept in history.declared().items()
        if not kept.why_not and ("coaches", "coach_id") in model.wall.keys  # type: ignore[attr-defined]
    }  # fmt: skip
    left_out = {"Flag", "FlagEvent", "Grant"}  # the timeline has what becomes of a flag; a grant has a page of its own
    assert {model.__name__ for model in of_coach} - left_out == {model.__name__ for model in changes._OF_COACH} - {
        "Coach"
    }


def test_a_new_column_is_shown_by_itself() -> None:
    told = changes._told(changes.Subject("workforce.organisation", 1), None, "region", "North", {}, changes._Sight())
    assert told == "North"
    assert changes._label("workforce.organisation", "a_new_one") == "A new one"
