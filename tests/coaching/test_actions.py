"""What each action of the work changes, what it refuses and why, and what it writes down."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone

from coaching.actions import referrals, sessions
from coaching.actions.referrals import AlreadyAllocated, NotReady
from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.audit import ActionRefused, Line, action
from hwbc.workforce.models import Organisation
from hwbc.workforce.roles import Role
from hwbc.workforce.versions import Stale
from tests.cast import SETUP, Cast, OrganisationFactory
from tests.coaching.work import (
    audited,
    count,
    day,
    do,
    exempt,
    fresh,
    given,
    leaves,
    logged,
    noted,
    received,
    refuses,
    said,
    since,
    train,
)
from tests.facts import ago, bring_in
from training.models import Exemption

pytestmark = pytest.mark.django_db


@pytest.fixture
def practice(cast: Cast) -> Organisation:
    with walls.lifted("tests"):
        return OrganisationFactory.create(kind="practice", parent=cast.riverside)


# --- Receiving ------------------------------------------------------------------------------------------------------


def test_a_referral_is_received_without_saying_who_it_is(cast: Cast, practice: Organisation) -> None:
    referral = fresh(received(cast, " Rx-1 ", days=3, practice=practice, priority="urgent"))
    assert (referral.reference, referral.reference_key, referral.register_id) == ("Rx-1", "rx-1", cast.riverside.pk)
    assert (referral.pcn_id, referral.practice_id, referral.received_on) == (cast.riverside.pk, practice.pk, day(3))
    assert (referral.patient_id, referral.closed_on, referral.version, referral.imported) == (None, None, 1, False)
    [event] = audited("referral.receive")
    assert (event.record, event.organisation_id, event.outcome) == (str(referral.uuid), cast.riverside.pk, "done")
    assert event.facts == {"source": "nurse", "priority": "urgent"}


def test_its_reference_is_one_of_those_that_the_pcns_referrals_were_imported_with(cast: Cast) -> None:
    sheet = {"pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(9)}
    bring_in(cast, {"referrals": [{"referral_ref": "Old-1", **sheet}]})
    assert fresh(received(cast, "New-1")).register_id == cast.northfield.pk
    refuses(
        cast.mo, referrals.receive, ValidationError, "There is a referral OLD-1 already", pcn=cast.riverside,
        source="self", priority="routine", received_on=today(), reference="OLD-1",
    )  # fmt: skip
    bring_in(cast, {"referrals": [{"referral_ref": "new-1", **sheet}]})
    assert count(Referral) == 2  # the workbook means the same one


def test_a_reference_of_another_pcn_of_the_same_workbook_is_taken_too(cast: Cast) -> None:
    """Mo does not see it, and the database does."""
    row = {"source": "self", "priority": "routine", "received_on": ago(9)}
    codes = {"I1": "U99991", "I2": "U99992"}
    bring_in(cast, {"referrals": [{"referral_ref": ref, "pcn_code": code, **row} for ref, code in codes.items()]})
    whole: dict[str, Any] = {"pcn": cast.riverside, "source": "self", "priority": "routine", "received_on": today()}
    fault = refuses(cast.mo, referrals.receive, ValidationError, **whole, reference="i2")
    assert fault.message_dict == {"reference": ["The reference i2 is taken already. Choose another."]}
    assert count(Referral) == 2


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"received_on": 1}, "received_on", "cannot lie in the future"),
        ({"reference": "  "}, "reference", "Enter the reference"),
        ({"reference": "x" * 101}, "reference", "Shorten the reference"),
        ({"reference": "NHS 999 000 0018"}, "reference", "looks like an NHS number"),
        ({"reference": "9990000018"}, "reference", "looks like an NHS number"),
        ({"source": "mars"}, "source", "not a valid choice"),
        ({"priority": "now"}, "priority", "not a valid choice"),
    ],
)
def test_what_cannot_be_is_said_by_field(cast: Cast, changes: dict[str, Any], field: str, says: str) -> None:
    if "received_on" in changes:
        changes = {"received_on": today() + timedelta(days=changes["received_on"])}
    whole: dict[str, Any] = {
        "pcn": cast.riverside,
        "source": "self",
        "priority": "routine",
        "received_on": today(),
        "reference": "R1",
    }
    fault = refuses(cast.mo, referrals.receive, ValidationError, **{**whole, **changes})
    assert says in " ".join(fault.message_dict[field])
    assert count(Referral) == 0


def test_ten_digits_that_are_no_nhs_number_may_be_a_reference(cast: Cast) -> None:
    assert received(cast, "9990000019").pk
    assert received(cast, "99900000180").pk


def test_a_practice_is_one_of_the_pcn(cast: Cast) -> None:
    with walls.lifted("tests"):
        other = OrganisationFactory.create(kind="practice", parent=cast.lakeside)
    for place in (other, cast.hilltop):
        refuses(
            cast.mo, referrals.receive, ValidationError, "is not a practice of Riverside PCN", pcn=cast.riverside,
            practice=place, source="self", priority="routine", received_on=today(), reference="R1",
        )  # fmt: skip


def test_only_who_hands_out_referrals_there_receives_one(cast: Cast) -> None:
    whole: dict[str, Any] = {
        "pcn": cast.riverside,
        "source": "self",
        "priority": "routine",
        "received_on": today(),
        "reference": "R1",
    }
    for person in (cast.asha, cast.sam, cast.lee, cast.ann, cast.zed, cast.nobody_yet):
        refuses(person, referrals.receive, Refused, **whole)
    assert count(Referral) == 0


# --- Allocating -----------------------------------------------------------------------------------------------------


def test_a_referral_is_given_to_a_coach_who_is_ready(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    allocation = fresh(given(cast, referral))
    assert (allocation.referral_id, allocation.coach_id, allocation.pcn_id) == (
        referral.pk, cast.coach_asha.pk, cast.riverside.pk,
    )  # fmt: skip
    assert (allocation.starts_on, allocation.ends_on, allocation.allocated_by_id) == (today(), None, cast.mo.user.pk)
    assert fresh(referral).version == 2
    [event] = audited("referral.allocate")
    assert (event.user_id, event.by, event.outcome) == (cast.mo.user.pk, "pcn_manager", "done")
    assert (event.kind, event.record) == ("coaching.referral", str(referral.uuid))
    assert event.organisation_id == cast.riverside.pk
    assert event.facts == {
        "allocation": str(allocation.uuid), "coach": str(cast.coach_asha.uuid), "day": today().isoformat(),
        "gate": "completed", "warnings": allocation.warnings,
    }  # fmt: skip


def test_what_only_warns_is_recorded_with_the_allocation(cast: Cast) -> None:
    train(cast, "ASHA", "BO")
    done = {"course_ref": "SP0", "enrolled_on": ago(50), "attended_on": ago(50)}
    courses = [
        {"course_ref": ref, "title": ref, "provider": "Invented", "kind": kind, "accreditation": "none",
         "gives_certificate": "no"} for ref, kind in (("IND", "induction"), ("CORE", "pci_core"))
    ]  # fmt: skip
    bring_in(
        cast,
        {
            "courses": courses,
            "training": [
                {"coach_ref": "ASHA", **done},
                {"coach_ref": "ASHA", **done, "course_ref": "IND"},
                {"coach_ref": "ASHA", **done, "course_ref": "CORE"},
                {"coach_ref": "BO", **done, "course_ref": "IND", "attended_on": ""},  # begun, not done
            ],
            "absences": [{"coach_ref": "BO", "kind": "sickness", "from": ago(20)}],
        },
    )
    assert given(cast, received(cast, "R1")).warnings == []
    warned = ["no_induction", "no_core_skills", "no_social_prescribing", "on_long_absence"]
    assert given(cast, received(cast, "R2"), cast.coach_bo).warnings == warned
    assert [event.facts["warnings"] for event in audited("referral.allocate")] == [warned, []]


def test_a_coach_who_is_not_ready_is_refused_with_the_missing_piece_and_the_refusal_is_kept(cast: Cast) -> None:
    referral = received(cast)
    fault = refuses(
        cast.mo, referrals.allocate, NotReady,
        "Bo Lindqvist is not ready for referrals: no PCI-accredited health coaching course recorded",
        referral=referral, coach=cast.coach_bo, day=today(), version=1,
    )  # fmt: skip
    assert (fault.coach, fault.missing.code) == (cast.coach_bo, "no_course")
    assert (count(Allocation), fresh(referral).version) == (0, 1)
    [event] = audited("referral.allocate")
    assert (event.outcome, event.user_id, event.record) == ("refused", cast.mo.user.pk, str(referral.uuid))
    assert event.facts == {
        "coach": str(cast.coach_bo.uuid), "day": today().isoformat(), "refused": "not_ready", "missing": "no_course",
    }  # fmt: skip


def test_an_exemption_opens_the_gate_while_it_covers_the_day(cast: Cast) -> None:
    exempt(cast, "BO", 30, 1)
    referral = received(cast)
    asked: dict[str, Any] = {"referral": referral, "coach": cast.coach_bo, "day": today(), "version": 1}
    fault = refuses(cast.mo, referrals.allocate, NotReady, f"an exemption ended on {day(1).day} ", **asked)
    assert fault.missing.exempt_until == day(1)
    exempt(cast, "BO", 0, 0)
    assert given(cast, referral, cast.coach_bo).coach_id == cast.coach_bo.pk
    assert audited("referral.allocate")[0].facts["gate"] == "exempt"


def test_the_second_of_two_managers_is_told_who_was_faster(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    first = given(cast, referral)
    cast.nobody_yet.given(Role.PCN_MANAGER, cast.riverside)
    fault = refuses(
        cast.nobody_yet, referrals.allocate, AlreadyAllocated,
        rf"^\['Mo Haddad gave this referral to Asha Rahman on {today().day} \w+ {today().year} at ",
        referral=referral, coach=cast.coach_bo, day=today(), version=1,
    )  # fmt: skip
    assert fault.allocation == first
    assert count(Allocation) == 1
    event = audited("referral.allocate")[0]
    assert (event.outcome, event.facts["refused"], event.facts["allocation"]) == (
        "refused", "already_allocated", str(first.uuid),
    )  # fmt: skip


def test_an_allocation_that_came_with_a_workbook_is_told_too(cast: Cast) -> None:
    train(cast, "ASHA", "CAI")
    sheet = {"pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(9)}
    bring_in(cast, {"referrals": [{"referral_ref": "I1", **sheet, "coach_ref": "CAI", "accepted_on": ago(3)}]})
    with walls.lifted("tests"):
        referral = Referral.objects.get()
    # Cai has no post at Riverside: Mo sees that the referral is taken, and not by whom.
    asked: dict[str, Any] = {"referral": referral, "coach": cast.coach_asha, "day": today(), "version": 1}
    refuses(
        cast.mo, referrals.allocate, AlreadyAllocated, "An import gave this referral to a coach of another", **asked
    )


def test_a_referral_that_was_changed_since_it_was_read_is_stale(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    given(cast, referral)
    do(cast.mo, referrals.hand_back, referral=referral, version=2)
    asked: dict[str, Any] = {"referral": referral, "coach": cast.coach_asha, "day": today()}
    refuses(cast.mo, referrals.allocate, Stale, version=1, **asked)
    assert count(Allocation, ends_on=None) == 0
    do(cast.mo, referrals.allocate, version=3, **asked)


@pytest.mark.parametrize("days", [-1, 1])
def test_a_referral_is_given_today_and_on_no_other_day(cast: Cast, days: int) -> None:
    train(cast, "ASHA")
    asked: dict[str, Any] = {"referral": received(cast), "coach": cast.coach_asha, "day": day(days), "version": 1}
    refuses(cast.mo, referrals.allocate, ActionRefused, "not for a day to come or gone by", **asked)
    assert audited("referral.allocate")[0].facts["refused"] == "not_today"
    assert count(Allocation) == 0


def test_a_closed_referral_is_given_to_nobody(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    do(cast.mo, referrals.close, referral=referral, outcome="declined", closed_on=today(), version=1)
    asked: dict[str, Any] = {"referral": referral, "coach": cast.coach_asha, "day": today(), "version": 2}
    refuses(cast.mo, referrals.allocate, ActionRefused, "This referral was closed on", **asked)
    assert audited("referral.allocate")[0].facts["refused"] == "closed"


def test_the_coach_has_a_post_there_on_the_day(cast: Cast) -> None:
    train(cast, "BO", "CAI")
    cast.mo.given(Role.PCN_MANAGER, cast.hilltop)  # reaches Cai too, whose post is at Hilltop
    asked: dict[str, Any] = {"referral": received(cast), "day": today(), "version": 1}
    refuses(
        cast.mo, referrals.allocate, ActionRefused, "Cai Morgan has no post at Riverside PCN on", coach=cast.coach_cai,
        **asked,
    )  # fmt: skip
    leaves(cast, "BO", 1)
    refuses(cast.mo, referrals.allocate, ActionRefused, "Bo Lindqvist has no post", coach=cast.coach_bo, **asked)
    assert {event.facts["refused"] for event in audited("referral.allocate")} == {"no_post_here"}


def test_only_who_hands_out_referrals_there_gives_one_to_a_coach(cast: Cast) -> None:
    train(cast, "ASHA")
    with walls.lifted("tests"):
        lakes = Referral.objects.create(pcn=cast.lakeside, source="self", priority="routine", received_on=day(3))
    asked: dict[str, Any] = {"referral": received(cast), "coach": cast.coach_asha, "day": today(), "version": 1}
    for person in (cast.asha, cast.sam, cast.lee, cast.ann, cast.zed, cast.nobody_yet):
        refuses(person, referrals.allocate, Refused, **asked)
    refuses(cast.mo, referrals.allocate, Refused, **{**asked, "referral": lakes})  # not a referral of theirs
    refuses(cast.mo, referrals.allocate, Refused, **{**asked, "coach": cast.coach_dot})  # not a coach of theirs
    assert count(Allocation) == 0
    given(cast, asked["referral"])


def test_a_manager_who_coaches_too_may_give_themself_one(cast: Cast) -> None:
    train(cast, "ASHA")
    cast.asha.given(Role.PCN_MANAGER, cast.riverside)
    allocation = do(
        cast.asha, referrals.allocate, referral=received(cast), coach=cast.coach_asha, day=today(), version=1
    )
    assert allocation.allocated_by_id == cast.asha.user.pk


# --- Overriding -----------------------------------------------------------------------------------------------------


def test_an_override_is_an_exemption_with_its_reason_approver_and_end(cast: Cast) -> None:
    asked: dict[str, Any] = {
        "coach": cast.coach_bo,
        "starts_on": today(),
        "ends_on": day(-30),
        "reason": " Course booked. ",
    }
    exemption = fresh(do(cast.mo, referrals.override, **asked))
    assert (exemption.coach_id, exemption.rule) == (cast.coach_bo.pk, "training.before_referrals")
    assert (exemption.starts_on, exemption.ends_on, exemption.reason) == (today(), day(-30), "Course booked.")
    assert (exemption.approver_id, exemption.approved_by) == (cast.mo.user.pk, "Mo Haddad")
    [event] = audited("referral.override")
    assert (event.record, event.user_id) == (str(exemption.uuid), cast.mo.user.pk)
    assert event.facts == {"coach": str(cast.coach_bo.uuid), "ends_on": day(-30).isoformat()}
    given(cast, received(cast), cast.coach_bo)
    assert audited("referral.allocate")[0].facts["gate"] == "exempt"


@pytest.mark.parametrize(
    ("changes", "field", "says"),
    [
        ({"starts_on": 1}, "starts_on", "choose today or a later day"),
        ({"ends_on": 1}, "ends_on", "cannot be before the first day"),
        ({"reason": "  "}, "reason", "cannot be blank"),
    ],
)
def test_an_override_that_cannot_be(cast: Cast, changes: dict[str, Any], field: str, says: str) -> None:
    changes = {name: day(value) if isinstance(value, int) else value for name, value in changes.items()}
    asked: dict[str, Any] = {
        "coach": cast.coach_bo,
        "starts_on": today(),
        "ends_on": day(-30),
        "reason": "Course booked",
        **changes,
    }
    fault = refuses(cast.mo, referrals.override, ValidationError, **asked)
    assert says in " ".join(fault.message_dict[field])
    assert count(Exemption) == 0


def test_only_who_may_overrides_and_nobody_for_themself(cast: Cast) -> None:
    asked: dict[str, Any] = {
        "coach": cast.coach_asha,
        "starts_on": today(),
        "ends_on": day(-30),
        "reason": "Course booked",
    }
    for person in (cast.asha, cast.sam, cast.lee, cast.ann, cast.zed, cast.nobody_yet):
        refuses(person, referrals.override, Refused, **asked)
    cast.asha.given(Role.PCN_MANAGER, cast.riverside)
    refuses(cast.asha, referrals.override, Refused, **asked)  # her own
    whole: dict[str, Any] = {"referral": received(cast), "coach": cast.coach_asha, "day": today(), "version": 1}
    more: dict[str, Any] = {"ends_on": day(-30), "reason": "Course booked"}
    for person in (cast.asha, cast.lee, cast.zed):
        refuses(person, referrals.allocate_with_override, Refused, **whole, **more)
    assert (count(Exemption), count(Allocation)) == (0, 0)
    do(cast.asha, referrals.override, **{**asked, "coach": cast.coach_bo})


def test_a_referral_is_given_with_an_override_both_or_neither(cast: Cast) -> None:
    referral = received(cast)
    asked: dict[str, Any] = {"referral": referral, "coach": cast.coach_bo, "day": today(), "version": 1}
    more: dict[str, Any] = {"ends_on": day(-30), "reason": "Course booked"}
    refuses(cast.mo, referrals.allocate_with_override, ValidationError, **asked, **{**more, "reason": ""})
    refuses(cast.mo, referrals.allocate_with_override, Stale, **{**asked, "version": 7}, **more)
    refuses(cast.mo, referrals.allocate_with_override, ActionRefused, **{**asked, "day": day(-1)}, **more)
    assert (count(Exemption), count(Allocation)) == (0, 0)
    assert {event.outcome for event in audited("exemption.record")} == set()
    allocation = do(cast.mo, referrals.allocate_with_override, **asked, **more)
    with walls.lifted("tests"):
        exemption = Exemption.objects.get()
    assert (exemption.starts_on, exemption.ends_on, allocation.coach_id) == (today(), day(-30), cast.coach_bo.pk)
    event = audited("referral.allocate_with_override")[0]
    assert (event.record, event.facts["gate"]) == (str(referral.uuid), "exempt")
    assert event.facts["override"] == str(exemption.uuid)
    # Sent twice: the second is told that it is done, and no second exemption is left.
    refuses(cast.mo, referrals.allocate_with_override, AlreadyAllocated, **asked, **more)
    assert (count(Exemption), count(Allocation)) == (1, 1)


def test_a_coach_who_is_ready_by_then_gets_no_override(cast: Cast) -> None:
    train(cast, "BO")
    asked: dict[str, Any] = {"referral": received(cast), "coach": cast.coach_bo, "day": today(), "version": 1}
    do(cast.mo, referrals.allocate_with_override, **asked, ends_on=day(-30), reason="Course booked")
    assert count(Exemption) == 0
    assert audited("referral.allocate_with_override")[0].facts["gate"] == "completed"


# --- Handing back and closing ---------------------------------------------------------------------------------------


def test_a_referral_that_is_handed_back_waits_again(cast: Cast) -> None:
    train(cast, "ASHA", "BO")
    referral = received(cast)
    first = given(cast, referral)
    ended = do(cast.asha, referrals.hand_back, referral=referral, version=2)
    assert (ended.pk, ended.ends_on, ended.end_recorded_at is not None) == (first.pk, today(), True)
    assert (fresh(referral).closed_on, fresh(referral).version) == (None, 3)
    [event] = audited("referral.hand_back")
    assert (event.user_id, event.facts) == (cast.asha.user.pk, {"allocation": str(first.uuid)})
    assert given(cast, referral, cast.coach_bo).coach_id == cast.coach_bo.pk
    # Asha has it no more: she may read it still, and hand back nothing.
    refuses(cast.asha, referrals.hand_back, Refused, referral=referral, version=4)
    do(cast.mo, referrals.hand_back, referral=referral, version=4)
    refuses(cast.mo, referrals.hand_back, ValidationError, "it waits already", referral=referral, version=5)


def test_a_referral_is_closed_with_its_allocation(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast, days=20)
    allocation = given(cast, referral)
    since(allocation, 10)
    closed = do(cast.asha, referrals.close, referral=referral, outcome="completed", closed_on=day(2), version=2)
    assert (closed.closed_on, closed.outcome, closed.version) == (day(2), "completed", 3)
    allocation = fresh(allocation)
    assert (allocation.ends_on, allocation.end_recorded_at is not None) == (day(2), True)
    [event] = audited("referral.close")
    assert (event.record, event.facts) == (str(referral.uuid), {"outcome": "completed"})
    asked: dict[str, Any] = {"referral": referral, "outcome": "declined", "closed_on": today()}
    refuses(cast.mo, referrals.close, ValidationError, "This referral was closed on", version=3, **asked)


def test_the_second_who_closes_it_sees_both_texts(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    given(cast, referral)
    do(cast.asha, referrals.close, referral=referral, outcome="completed", closed_on=today(), version=2)
    fault = refuses(
        cast.mo, referrals.close, Stale, referral=referral, outcome="moved_away", closed_on=today(), version=2
    )
    assert ("Outcome", "completed", "moved_away") in [tuple(each) for each in fault.differences]
    assert fresh(referral).outcome == "completed"


@pytest.mark.parametrize(
    ("outcome", "days", "field", "says"),
    [
        ("", 0, "outcome", "Choose how the referral ended"),
        ("She told me that …", 0, "outcome", "Choose how the referral ended"),
        ("completed", -1, "closed_on", "cannot lie in the future"),
        ("completed", 4, "closed_on", "a session is recorded"),
        ("completed", 11, "closed_on", "it changed hands"),
        ("completed", 21, "closed_on", "it was received"),
    ],
)
def test_an_end_that_cannot_be(cast: Cast, outcome: str, days: int, field: str, says: str) -> None:
    train(cast, "ASHA")
    referral = received(cast, days=20)
    if days != 21:
        since(given(cast, referral), 10)
    if days == 4:
        logged(cast, referral, 3)
    fault = refuses(
        cast.mo, referrals.close, ValidationError, referral=referral, outcome=outcome, closed_on=day(days),
        version=fresh(referral).version,
    )  # fmt: skip
    assert says in " ".join(fault.message_dict[field])
    assert fresh(referral).closed_on is None


def test_a_referral_nobody_has_is_closed_by_who_hands_them_out(cast: Cast) -> None:
    referral = received(cast)
    asked: dict[str, Any] = {"referral": referral, "outcome": "not_suitable", "closed_on": today(), "version": 1}
    for person in (cast.asha, cast.sam, cast.lee, cast.ann, cast.zed):
        refuses(person, referrals.close, Refused, **asked)
        refuses(person, referrals.hand_back, Refused, referral=referral, version=1)
    do(cast.mo, referrals.close, **asked)


# --- Sessions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def taken(cast: Cast) -> Referral:
    """A referral that Asha took ten days ago."""
    train(cast, "ASHA")
    referral = received(cast, days=20)
    since(given(cast, referral), 10)
    found: Referral = fresh(referral)
    return found


def test_a_session_is_logged_in_eight_fields(cast: Cast, taken: Referral) -> None:
    token = uuid4()
    whole = said(
        1, note=" Walks to work now. ", next_step=" Swim once ", activity="session", goal_progress="some",
        mode="video", minutes=60,
    )  # fmt: skip
    assert len(whole) == 8
    session = fresh(do(cast.asha, sessions.log_session, referral=taken, uuid=token, **whole))
    assert (session.uuid, session.referral_id, session.pcn_id) == (token, taken.pk, cast.riverside.pk)
    words = noted(session)
    assert (words.note, words.next_step, words.pcn_id) == ("Walks to work now.", "Swim once", session.pcn_id)
    assert {**whole, "note": words.note, "next_step": words.next_step} == {
        field: getattr(words if field in SessionNote.SAID else session, field) for field in whole
    }
    [event] = audited("session.log")
    assert (event.record, event.organisation_id) == (str(token), cast.riverside.pk)
    assert event.facts == {"referral": str(taken.uuid), "again": False}


def test_the_same_form_sent_twice_is_one_session(cast: Cast, taken: Referral) -> None:
    token = uuid4()
    asked: dict[str, Any] = {"referral": taken, "uuid": token, **said(1, note="Once")}
    first = do(cast.asha, sessions.log_session, **asked)
    assert do(cast.asha, sessions.log_session, **asked) == first
    assert count(CoachingSession) == 1
    # What it says by now is not lost silently.
    refuses(
        cast.asha, sessions.log_session, ValidationError, "sent before with other answers", **{**asked, "note": "Two"}
    )
    do(cast.asha, sessions.void_session, session=first, because="Not this one")
    refuses(cast.asha, sessions.log_session, ValidationError, "withdrawn meanwhile", **asked)


@pytest.mark.parametrize(
    ("days", "changes", "field", "says"),
    [
        (-1, {}, "held_on", "cannot lie in the future"),
        (11, {}, "held_on", "You took this referral on"),
        (1, {"minutes": 0}, "minutes", "1 minute or more"),
        (1, {"mode": "letter"}, "mode", "not a valid choice"),
        (1, {"outcome": "planned"}, "outcome", "not a valid choice"),
        (1, {"activity": "871731000000106"}, "activity", "not a valid choice"),
        (1, {"goal_progress": "9"}, "goal_progress", "not a valid choice"),
        (1, {"note": "x" * 10_001}, "note", "at most 10000 characters"),
        (1, {"next_step": "x" * 301}, "next_step", "at most 300 characters"),
    ],
)
def test_a_session_that_cannot_be(
    cast: Cast, taken: Referral, days: int, changes: dict[str, Any], field: str, says: str
) -> None:
    asked: dict[str, Any] = {"referral": taken, "uuid": uuid4(), **said(days, **changes)}
    fault = refuses(cast.asha, sessions.log_session, ValidationError, **asked)
    assert says in " ".join(fault.message_dict[field])
    assert count(CoachingSession) == 0


def test_a_second_session_of_the_day_and_mode_is_named(cast: Cast, taken: Referral) -> None:
    logged(cast, taken, 1)
    asked: dict[str, Any] = {"referral": taken, "uuid": uuid4()}
    says = rf"A session on {day(1).day} \w+ {day(1).year} \(phone\) is recorded already"
    refuses(cast.asha, sessions.log_session, ValidationError, says, **asked, **said(1))
    logged(cast, taken, 1, mode="video")
    assert count(CoachingSession) == 2


def test_sessions_of_the_first_and_the_last_day_are_the_coachs_and_none_after(cast: Cast, taken: Referral) -> None:
    logged(cast, taken, 10)
    with walls.lifted("tests"):
        Allocation.objects.update(ends_on=day(2), end_recorded_at=timezone.now())
    logged(cast, taken, 2)  # written down late
    refuses(
        cast.asha, sessions.log_session, ValidationError, "You had this referral until", referral=taken, uuid=uuid4(),
        **said(1),
    )  # fmt: skip


def test_only_the_coach_who_has_it_logs_a_session(cast: Cast, taken: Referral) -> None:
    asked: dict[str, Any] = {"referral": taken, "uuid": uuid4(), **said(1)}
    for person in (cast.mo, cast.sam, cast.lee, cast.ann, cast.zed, cast.nobody_yet):
        refuses(person, sessions.log_session, Refused, **asked)
    cast.nobody_yet.given(Role.COACH, cast.riverside, cast.coach_bo)
    refuses(cast.nobody_yet, sessions.log_session, Refused, **asked)
    refuses(cast.asha, sessions.log_session, Refused, **{**asked, "referral": received(cast, "R2")})  # it waits
    with walls.lifted("tests"):  # withdrawn: she never had it
        Allocation.objects.update(voided_at=timezone.now())
    refuses(cast.asha, sessions.log_session, Refused, **asked)
    assert count(CoachingSession) == 0


def test_an_allocation_that_was_withdrawn_gives_no_right_to_its_days(cast: Cast, taken: Referral) -> None:
    with walls.lifted("tests"):
        Allocation.objects.update(voided_at=timezone.now())
    given(cast, taken)
    asked: dict[str, Any] = {"referral": taken, "uuid": uuid4()}
    refuses(cast.asha, sessions.log_session, ValidationError, "You took this referral on", **asked, **said(5))
    logged(cast, taken)


def test_nothing_is_ever_marked_did_not_attend_by_itself(cast: Cast, taken: Referral) -> None:
    """An outcome is said, always: there is no default."""
    missing = said(1)
    del missing["outcome"]
    refuses(cast.asha, sessions.log_session, ValidationError, referral=taken, uuid=uuid4(), **missing)
    assert count(CoachingSession) == 0


def test_a_session_is_withdrawn_with_a_reason_and_stays(cast: Cast, taken: Referral) -> None:
    session = logged(cast, taken, 1)
    refuses(cast.asha, sessions.void_session, ValidationError, "Say why", session=session, because="  ")
    do(cast.asha, sessions.void_session, session=session, because="Another person")
    session = fresh(session)
    assert (session.voided_by_id, session.voided_because) == (cast.asha.user.pk, "")  # why, is with what was said
    assert noted(session).voided_because == "Another person"
    assert session.voided_at is not None
    [event] = audited("session.void")
    assert (event.record, event.facts) == (str(session.uuid), {"referral": str(taken.uuid)})
    refuses(cast.asha, sessions.void_session, ValidationError, "withdrawn meanwhile", session=session, because="Again")
    logged(cast, taken, 1)  # makes room


def test_a_session_is_corrected_by_withdrawing_it_and_recording_it_anew(cast: Cast, taken: Referral) -> None:
    session, token = logged(cast, taken, 1, note="First text"), uuid4()
    asked: dict[str, Any] = {
        "session": session,
        "because": "Wrong length",
        "uuid": token,
        **said(1, minutes=30, note="Second text"),
    }
    corrected = do(cast.asha, sessions.correct_session, **asked)
    old = fresh(session)
    assert (noted(old).note, noted(old).voided_because, corrected.minutes) == ("First text", "Wrong length", 30)
    assert old.voided_at == fresh(corrected).recorded_at
    [event] = audited("session.correct")
    assert (event.record, event.facts["instead_of"]) == (str(token), str(session.uuid))
    assert do(cast.asha, sessions.correct_session, **asked) == corrected  # the same form again
    fault = refuses(
        cast.asha, sessions.correct_session, Stale, session=session, because="Wrong mode", uuid=uuid4(),
        **said(1, mode="video", note="Third text"),
    )  # fmt: skip
    assert ("Note", "Second text", "Third text") in [tuple(each) for each in fault.differences]
    assert count(CoachingSession, voided_at=None) == 1


def test_a_correction_that_cannot_be_leaves_the_session_as_it_was(cast: Cast, taken: Referral) -> None:
    logged(cast, taken, 2)
    session = logged(cast, taken, 1)
    asked: dict[str, Any] = {"session": session, "because": "Wrong day", "uuid": uuid4()}
    refuses(cast.asha, sessions.correct_session, ValidationError, "is recorded already", **asked, **said(2))
    assert fresh(session).voided_at is None


def test_only_the_coach_who_had_it_that_day_corrects_or_withdraws(cast: Cast, taken: Referral) -> None:
    train(cast, "BO")
    session = logged(cast, taken, 1)
    do(cast.asha, referrals.hand_back, referral=taken, version=taken.version)
    given(cast, taken, cast.coach_bo)
    cast.nobody_yet.given(Role.COACH, cast.riverside, cast.coach_bo)
    again: dict[str, Any] = {"session": session, "because": "Mine now"}
    for person in (cast.nobody_yet, cast.mo, cast.sam, cast.lee, cast.zed):
        refuses(person, sessions.void_session, Refused, **again)
        refuses(person, sessions.correct_session, Refused, uuid=uuid4(), **again, **said(1))
    do(cast.asha, sessions.void_session, **again)


# --- The audit of what is refused -----------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_refusal_is_kept_where_nothing_is_open_around_the_action(live_cast: Cast) -> None:
    """A job or a command: the action's own transaction is the outermost, and is gone when its line is written."""

    @action("tests.refusing")
    def refusing(actor: Actor, line: Line) -> None:
        line.about(Organisation.objects.create(code="X1", name="Never", kind="pcn"), at=live_cast.icb, step="one")
        raise ActionRefused("No.", "because", more="two")

    with pytest.raises(ActionRefused, match="No"):
        refusing(SETUP)
    assert not Organisation.objects.filter(code="X1").exists()
    [event] = audited("tests.refusing")
    assert (event.outcome, event.organisation_id, event.by) == ("refused", live_cast.icb.pk, "tests")
    assert event.facts == {"step": "one", "refused": "because", "more": "two"}
