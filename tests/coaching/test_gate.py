"""The gate: one answer, whatever page, import or job asks; and the missing piece, named."""

import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from coaching import queries, rules
from coaching.actions import referrals
from coaching.actions.referrals import NotReady
from coaching.models import Allocation
from coaching.rules import Enrolment, Missing, holds_nhs_number, warnings
from coaching.sentences import WARNINGS, missing_piece
from hwbc.compliance.importing.faults import NotImported
from hwbc.compliance.queries import standings
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.audit import ActionRefused
from tests.cast import Cast
from tests.coaching.work import count, day, do, exempt, given, leaves, received, refuses, train
from tests.compliance.test_answers import brought_in
from tests.facts import ago, bring_in, courses
from tests.workbooks import interesting_days, random_workbook
from training.models import Exemption, TrainingRecord

MAY = date(2026, 5, 3)
SINCE = date(2026, 4, 1)


# --- The rule, without a database -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("enrolments", "says"),
    [
        ([], "no PCI-accredited health coaching course recorded"),
        ([Enrolment(None, True, 3, True)], "3 of 4 accredited days attended"),
        ([Enrolment(None, True, 4, False)], "no certificate yet"),
        ([Enrolment(None, True, 9, False)], "no certificate yet"),
        ([Enrolment(None, True, 0, False)], "0 of 4 accredited days attended and no certificate yet"),
        ([Enrolment(None, False, 4, True)], "the health coaching course recorded is not accredited"),
        (
            [Enrolment(SINCE, True, 4, False), Enrolment(MAY, True, 1, False)],
            "withdrawn from the PCI-accredited health coaching course on 3 May 2026",
        ),
        # Days of two enrolments are never added: the one that has come furthest is spoken of.
        ([Enrolment(None, True, 2, False), Enrolment(None, True, 3, False)], "3 of 4 accredited days attended and no"),
        ([Enrolment(None, True, 3, False), Enrolment(None, True, 1, True)], "1 of 4 accredited days attended"),
        ([Enrolment(None, True, 3, True), Enrolment(None, True, 4, False)], "no certificate yet"),
        ([Enrolment(MAY, True, 4, False), Enrolment(None, True, 1, False)], "1 of 4 accredited days attended and no"),
        ([Enrolment(None, False, 4, True), Enrolment(None, True, 1, False)], "1 of 4 accredited days attended and no"),
    ],
)
def test_the_missing_piece_is_named(enrolments: list[Enrolment], says: str) -> None:
    found = rules.readiness(False, False, enrolments, 4, None)
    assert not found.ready
    assert found.missing is not None
    assert missing_piece(found.missing).startswith(says)
    lapsed = rules.readiness(False, False, enrolments, 4, MAY).missing
    assert lapsed is not None
    assert missing_piece(lapsed).endswith("; an exemption ended on 3 May 2026")
    for completed, exempt_now in ((True, False), (False, True)):
        assert rules.readiness(completed, exempt_now, enrolments, 4, None).missing is None


def test_the_number_of_days_is_the_standards() -> None:
    missing = rules.readiness(False, False, [Enrolment(None, True, 4, True)], 5, None).missing
    assert missing == Missing("not_completed", 4, 5, True)
    assert missing_piece(missing) == "4 of 5 accredited days attended"


def test_nobody_without_a_post_is_ready() -> None:
    assert not rules.NO_POST_AT_ALL.ready
    assert rules.NO_POST_AT_ALL.answer == ("not_applicable", None, None, "no_post")
    assert rules.NO_POST_AT_ALL.missing is not None
    assert missing_piece(rules.NO_POST_AT_ALL.missing) == "no post on this day"


def test_warnings_have_words_and_refuse_nothing() -> None:
    assert set(WARNINGS) == set(rules.WARNINGS) == set(warnings((), paused=True))
    assert warnings(("induction", "pci_core", "social_prescribing", "cpd"), paused=False) == ()
    assert warnings(("induction", "pci_core"), paused=True) == ("no_social_prescribing", "on_long_absence")


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("9990000018", True), ("999 000 0018", True), ("ref 999-000-0018/2", True), ("9990000019", False),
        ("99900000180", False), ("R-1", False), ("", False), ("01604 9990000018", True),
    ],
)  # fmt: skip
def test_an_nhs_number_is_known_by_its_check_digit(text: str, is_one: bool) -> None:
    assert holds_nhs_number(text) == is_one


# --- One implementation ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_answer_of_the_standings_on_random_workbooks(seed: int, tmp_path: Path, empty: None) -> None:
    workbook = random_workbook(seed)
    brought_in(workbook, tmp_path, seed)
    said: Counter[str] = Counter()
    for on in interesting_days(workbook, random.Random(seed), 25):
        with walls.lifted("tests"):
            stands = {one.coach: dict(one.answers)["training.referral_ready"] for one in standings(on)}
            found = queries.readiness(stands, on)
            assert {coach: readiness.answer for coach, readiness in found.items()} == stands, on
        for readiness in found.values():
            assert (readiness.missing is None) == readiness.ready
            said[readiness.missing.code if readiness.missing else readiness.answer.reason] += 1
            if readiness.missing and readiness.missing.code == "not_completed":
                assert readiness.missing.days < readiness.missing.needed or not readiness.missing.certified
    print(f"seed {seed}: {dict(said)}")
    assert {"completed", "no_course", "no_post", "not_completed"} <= set(said)


@pytest.mark.django_db
def test_many_coaches_are_asked_about_at_once(cast: Cast, django_assert_num_queries) -> None:
    train(cast, "ASHA", "CAI")
    exempt(cast, "BO")
    with walls.lifted("tests"):
        for coaches in ([], [cast.coach_asha.pk], [c.pk for c in (cast.coach_asha, cast.coach_bo, cast.coach_dot)]):
            with django_assert_num_queries(3):
                assert list(queries.readiness(coaches, today())) == coaches


# --- Two doors, one answer ------------------------------------------------------------------------------------------


def states() -> dict[str, tuple[dict[str, list[dict[str, str]]], str | None]]:
    """What is recorded of Bo, and the missing piece; None: ready."""
    enrolled = {"coach_ref": "BO", "course_ref": "HC4", "enrolled_on": ago(90)}
    days = [ago(80 - n) for n in range(4)]
    attended = {**enrolled, "attended_on": ";".join(days)}
    done = {**attended, "certificate_on": ago(60)}
    course = courses()["courses"][0]
    exemption = {"coach_ref": "BO", "rule": "training.before_referrals", "from": ago(9), "to": ago(0),
                 "reason": "Invented reason", "approved_by": "Mo Haddad"}  # fmt: skip
    return {
        "nothing recorded": ({"courses": [course]}, "no PCI-accredited health coaching course recorded"),
        "three days and a certificate": (
            {"training": [{**done, "attended_on": ";".join(days[:3])}]}, "3 of 4 accredited days attended",
        ),
        "four days, no certificate": ({"training": [attended]}, "no certificate yet"),
        "enrolled": ({"training": [enrolled]}, "0 of 4 accredited days attended and no certificate yet"),
        "withdrawn today": (
            {"training": [{**attended, "withdrawn_on": ago(0)}]},
            "withdrawn from the PCI-accredited health coaching course on",
        ),
        "a course that awaits accreditation": (
            {"courses": [{**course, "accreditation": "awaiting"}], "training": [done]},
            "the health coaching course recorded is not accredited",
        ),
        "accredited from the third day on": (
            {"courses": [{**course, "accredited_from": days[2]}], "training": [done]},
            "2 of 4 accredited days attended",
        ),
        "accredited until the third day": (
            {"courses": [{**course, "accredited_to": days[2]}], "training": [done]}, "3 of 4 accredited days attended",
        ),
        "an exemption until yesterday": (
            {"exemptions": [{**exemption, "to": ago(1)}]},
            "no PCI-accredited health coaching course recorded; an exemption ended on",
        ),
        "completed today": ({"training": [{**attended, "certificate_on": ago(0)}]}, None),
        "an exemption that ends today": ({"exemptions": [exemption]}, None),
    }  # fmt: skip


def taken_today() -> dict[str, list[dict[str, str]]]:
    """A workbook that says that Bo has accepted a referral today."""
    row = {"referral_ref": "I1", "pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(1)}
    return {"referrals": [{**row, "coach_ref": "BO", "accepted_on": ago(0)}]}


@pytest.mark.django_db
@pytest.mark.parametrize("state", states())
def test_the_import_and_a_manager_get_the_same_answer(cast: Cast, state: str) -> None:
    sheets, missing = states()[state]
    bring_in(cast, courses())
    bring_in(cast, sheets)
    referral = received(cast)
    if missing is None:
        bring_in(cast, taken_today())
        assert given(cast, referral, cast.coach_bo).starts_on == today()
        assert count(Allocation) == 2
        return
    with pytest.raises(NotImported):
        bring_in(cast, taken_today())
    fault = refuses(
        cast.mo, referrals.allocate, NotReady, referral=referral, coach=cast.coach_bo, day=today(), version=1
    )
    assert missing_piece(fault.missing).startswith(missing)
    assert count(Allocation) == 0


@pytest.mark.django_db
def test_a_coach_whose_post_has_ended_is_refused_at_both_doors(cast: Cast) -> None:
    train(cast, "BO")
    leaves(cast, "BO", 1)
    with pytest.raises(NotImported):
        bring_in(cast, taken_today())
    asked: dict[str, Any] = {"referral": received(cast), "coach": cast.coach_bo, "day": today(), "version": 1}
    refuses(cast.mo, referrals.allocate, ActionRefused, "has no post at Riverside PCN", **asked)


@pytest.mark.django_db
def test_a_day_that_stands_there_twice_is_one_day(cast: Cast) -> None:
    train(cast, "BO")
    with walls.lifted("tests"):
        TrainingRecord.objects.update(attended_on=[day(9), day(9), day(8), day(7)])
        missing = queries.readiness([cast.coach_bo.pk], today())[cast.coach_bo.pk].missing
    assert missing == Missing("not_completed", 3, 4, True)


@pytest.mark.django_db
def test_an_exemption_that_was_withdrawn_is_not_spoken_of(cast: Cast) -> None:
    exempt(cast, "BO", 30, 20)
    exempt(cast, "BO", 9, 1)

    def last() -> date | None:
        with walls.lifted("tests"):
            missing = queries.readiness([cast.coach_bo.pk], today())[cast.coach_bo.pk].missing
        return missing and missing.exempt_until

    assert last() == day(1)
    with walls.lifted("tests"):
        Exemption.objects.filter(ends_on=day(1)).update(voided_at=timezone.now())
    assert last() == day(20)


@pytest.mark.django_db
def test_the_gate_does_not_ask_whose_clock_wrote_it(cast: Cast) -> None:
    """What was voided a moment ago by a machine whose clock is ahead is void."""
    exempt(cast, "BO")
    ahead = timezone.now() + timedelta(minutes=5)
    with walls.lifted("tests"):
        Exemption.objects.update(voided_at=ahead)
        assert queries.readiness([cast.coach_bo.pk], today())[cast.coach_bo.pk].ready  # as known now, on a page
    asked: dict[str, Any] = {"referral": received(cast), "coach": cast.coach_bo, "day": today(), "version": 1}
    refuses(cast.mo, referrals.allocate, NotReady, **asked)
    with walls.lifted("tests"):
        assert not queries.readiness([cast.coach_bo.pk], today(), queries.LATEST)[cast.coach_bo.pk].ready
        Exemption.objects.update(voided_at=None, recorded_at=ahead)
    do(cast.mo, referrals.allocate, **asked)
