"""Who waits, who can take a referral, what a coach has taken, and under which overrides; within each actor's walls."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from coaching import queries, rules
from coaching.actions import referrals, sessions
from coaching.actions.opening import open_case
from coaching.models import CoachingSession, Referral, SessionNote
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.actions import end_grant
from hwbc.workforce.models import Coach, Grant
from hwbc.workforce.roles import Role
from tests.cast import SETUP, Cast, Person
from tests.coaching.work import (
    day,
    do,
    exempt,
    given,
    leaves,
    logged,
    received,
    since,
    train,
)
from tests.facts import ago, bring_in

pytestmark = pytest.mark.django_db


def asks(person: Person, query: Callable[..., Any], *given: Any, **more: Any) -> Any:
    """What somebody gets, within their scope; the query's own `actor` comes first."""
    actor = person.actor
    with walls.within(actor.scope):
        return query(actor, *given, **more)


def eligible(person: Person, cast: Cast, *asked: Any) -> list[queries.Eligible]:
    found: list[queries.Eligible] = asks(
        person, lambda actor: queries.eligible(cast.riverside.pk, *(asked or (today(),)))
    )
    return found


# --- Who can take one -----------------------------------------------------------------------------------------------


def more_coaches(cast: Cast, count: int) -> None:
    rows = [
        {"coach_ref": f"M{n}", "name": f"More{n} Coach", "email": f"m{n}@example.org", "pcn_code": "U99991",
         "started_on": ago(400), "hours_per_week": "30", "funding": "arrs"}
        for n in range(count)
    ]  # fmt: skip
    bring_in(cast, {"coaches": rows})


def test_who_is_ready_stands_first_and_then_who_has_the_fewest_cases_an_hour(cast: Cast) -> None:
    more_coaches(cast, 3)
    post = {"pcn_code": "U99991", "started_on": ago(400), "funding": "arrs"}
    half = {**post, "coach_ref": "HALF", "name": "Half Time", "email": "h@example.org", "hours_per_week": "15"}
    bring_in(cast, {"coaches": [half]})
    train(cast, "ASHA", "HALF", "M1", "CAI")
    for n in range(3):
        given(cast, received(cast, f"A{n}"))  # Asha: 3 cases, 30 hours
    with walls.lifted("tests"):
        half_time = Coach.objects.get(reference="HALF")
    for n in range(2):
        given(cast, received(cast, f"H{n}"), half_time)  # 2 cases, 15 hours
    found = eligible(cast.mo, cast)
    assert [(one.name, one.open_cases, int(one.hours_per_week), one.readiness.ready) for one in found] == [
        ("More1 Coach", 0, 30, True), ("Asha Rahman", 3, 30, True), ("Half Time", 2, 15, True),
        ("More0 Coach", 0, 30, False), ("More2 Coach", 0, 30, False), ("Bo Lindqvist", 0, 30, False),
    ]  # fmt: skip
    assert {one.name for one in found if one.readiness.missing} == {"More0 Coach", "More2 Coach", "Bo Lindqvist"}


def test_it_is_three_queries_however_many_coaches(cast: Cast, django_assert_num_queries) -> None:
    train(cast, "ASHA")
    with walls.within(cast.mo.actor.scope), django_assert_num_queries(3):
        assert len(queries.eligible(cast.riverside.pk, today())) == 2
    more_coaches(cast, 20)
    with walls.within(cast.mo.actor.scope), django_assert_num_queries(3):
        assert len(queries.eligible(cast.riverside.pk, today())) == 22


def test_a_post_that_does_not_cover_the_day_counts_for_nothing(cast: Cast) -> None:
    leaves(cast, "BO", 3)
    assert [one.name for one in eligible(cast.mo, cast)] == ["Asha Rahman"]
    assert len(eligible(cast.mo, cast, day(3))) == 2
    assert eligible(cast.mo, cast, today() - timedelta(days=4000)) == []


def test_as_at_another_day_and_moment(cast: Cast) -> None:
    before = timezone.now()
    train(cast, "ASHA")
    bring_in(cast, {"absences": [{"coach_ref": "ASHA", "kind": "sickness", "from": ago(40), "to": ago(20)}]})
    referral = received(cast, days=30)
    since(given(cast, referral), 10)
    do(cast.mo, referrals.hand_back, referral=referral, version=2)

    def asha(*asked: Any) -> queries.Eligible:
        [one] = [one for one in eligible(cast.mo, cast, *asked) if one.name == "Asha Rahman"]
        return one

    assert (asha(day(11)).open_cases, asha(day(10)).open_cases, asha(day(1)).open_cases, asha().open_cases) == (
        0,
        1,
        1,
        0,
    )
    assert (asha(day(41)).paused, asha(day(40)).paused, asha(day(20)).paused, asha(day(19)).paused) == (
        False, True, True, False,
    )  # fmt: skip
    assert asha(day(30)).warnings == (*rules.WARNINGS[:3], "on_long_absence")
    assert (asha().readiness.ready, asha(today(), before).readiness.ready) == (True, False)


# --- Who waits ------------------------------------------------------------------------------------------------------


def test_the_urgent_wait_first_and_then_the_longest(cast: Cast) -> None:
    train(cast, "ASHA")
    received(cast, "routine-9", 9)
    received(cast, "urgent-2", 2, priority="urgent")
    received(cast, "routine-12", 12)
    received(cast, "urgent-3", 3, priority="urgent")
    taken, closed = received(cast, "taken", 20), received(cast, "closed", 20)
    given(cast, taken)
    do(cast.mo, referrals.close, referral=closed, outcome="declined", closed_on=today(), version=1)
    found = asks(cast.mo, queries.waiting, today())
    assert [(one.reference, one.days) for one in found] == [
        ("urgent-3", 3), ("urgent-2", 2), ("routine-12", 12), ("routine-9", 9),
    ]  # fmt: skip
    assert found[0].pcn == "Riverside PCN"
    assert not any(one.handed_back for one in found)
    # As at yesterday, neither was given to a coach nor closed; and the youngest had waited a day less.
    yesterday = asks(cast.mo, queries.waiting, day(1))
    assert [(one.reference, one.days) for one in yesterday][:3] == [("urgent-3", 2), ("urgent-2", 1), ("taken", 19)]
    assert asks(cast.mo, queries.waiting, day(21)) == []
    assert asks(cast.mo, queries.waiting, today(), timezone.now() - timedelta(hours=1)) == []


def test_what_is_handed_back_waits_again_since_it_was_received(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast, days=30)
    since(given(cast, referral), 10)
    assert asks(cast.mo, queries.waiting, today()) == []
    do(cast.asha, referrals.hand_back, referral=referral, version=2)
    [one] = asks(cast.mo, queries.waiting, today())
    assert (one.days, one.handed_back, one.version) == (30, True, 3)
    assert asks(cast.mo, queries.waiting, day(1)) == []  # Asha had it
    assert [one.handed_back for one in asks(cast.mo, queries.waiting, day(11))] == [False]


def test_who_was_proposed_is_shown_to_who_sees_them(cast: Cast) -> None:
    row = {"pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(9)}
    bring_in(
        cast,
        {"referrals": [{**row, "referral_ref": "I1", "coach_ref": "ASHA"}, {**row, "referral_ref": "I2",
                                                                           "coach_ref": "CAI"}]},
    )  # fmt: skip
    found = asks(cast.mo, queries.waiting, today())
    assert [(one.reference, one.proposed_coach) for one in found] == [("I1", "Asha Rahman"), ("I2", None)]
    assert [one.proposed_coach for one in asks(cast.lee, queries.waiting, today())] == ["Asha Rahman", "Cai Morgan"]


# --- What a coach has taken -----------------------------------------------------------------------------------------


def test_a_caseload(cast: Cast) -> None:
    train(cast, "ASHA")
    first, second, urgent = received(cast, "A", 30), received(cast, "B", 20), received(cast, "C", 4, priority="urgent")
    for referral, days in ((first, 25), (second, 15), (urgent, 2)):
        since(given(cast, referral), days)
    logged(cast, first, 20, note="Not shown in a list", next_step="Earlier step")
    logged(cast, first, 6, next_step="Ring the gym")
    logged(cast, first, 5, outcome="did_not_attend", next_step="Try again on Monday")
    withdrawn = logged(cast, first, 1, mode="video")
    do(cast.asha, sessions.void_session, session=withdrawn, because="Another person")
    found = asks(cast.asha, queries.caseload, cast.coach_asha.pk, today())
    assert [(case.reference, case.received_on, case.accepted_on) for case in found] == [
        ("C", day(4), day(2)), ("B", day(20), day(15)), ("A", day(30), day(25)),
    ]  # fmt: skip
    assert found[2].contacts == (2, day(6), 6, "Try again on Monday")
    assert found[1].contacts == (0, None, None, "")
    # At the end of an earlier day.
    then = asks(cast.asha, queries.caseload, cast.coach_asha.pk, day(6))
    assert [(case.reference, case.contacts.attended, case.contacts.days_since) for case in then] == [
        ("B", 0, None), ("A", 2, 0),
    ]  # fmt: skip
    do(cast.asha, referrals.close, referral=second, outcome="completed", closed_on=today(), version=2)
    assert [case.reference for case in asks(cast.asha, queries.caseload, cast.coach_asha.pk, today())] == ["C", "A"]


def test_a_caseload_is_one_query_however_long(cast: Cast, django_assert_num_queries) -> None:
    train(cast, "ASHA")
    actor = cast.asha.actor
    for count in (1, 12):
        for n in range(count):
            logged_one = received(cast, f"R{count}-{n}")
            since(given(cast, logged_one), 3)
            logged(cast, logged_one, 2)
        with walls.within(actor.scope), django_assert_num_queries(1):
            assert len(queries.caseload(actor, cast.coach_asha.pk, today())) >= count


def test_each_sees_the_work_that_is_theirs_to_see(cast: Cast) -> None:
    train(cast, "ASHA", "BO")
    mine, other = received(cast, "A", 30), received(cast, "B", 30)
    since(given(cast, mine), 20)
    given(cast, other, cast.coach_bo)
    received(cast, "W", 30)
    logged(cast, mine, 3)
    cast.nobody_yet.given(Role.COACH, cast.riverside, cast.coach_bo)  # Bo
    seen = {}
    for name in ("mo", "asha", "nobody_yet", "lee", "ann", "sam", "zed"):
        person = getattr(cast, name)
        of_asha = asks(person, queries.caseload, cast.coach_asha.pk, today())
        seen[name] = (
            [one.reference for one in asks(person, queries.waiting, today())],
            [case.reference for case in of_asha],
            [case.contacts and case.contacts.attended for case in of_asha],
            [case.reference for case in asks(person, queries.caseload, cast.coach_bo.pk, today())],
            [one.name for one in eligible(person, cast)],
        )
    both = ["Bo Lindqvist", "Asha Rahman"]
    assert seen == {
        "mo": (["W"], ["A"], [1], ["B"], both),
        "asha": ([], ["A"], [1], [], ["Asha Rahman"]),
        "nobody_yet": ([], [], [], ["B"], ["Bo Lindqvist"]),
        # A hub sees that the work is done, and nothing of the sessions: unknown, which is not none.
        "lee": (["W"], ["A"], [None], ["B"], both),
        "ann": (["W"], ["A"], [None], ["B"], both),
        "sam": ([], [], [], [], ["Asha Rahman"]),
        "zed": ([], [], [], [], []),
    }
    assert sorted(both) == sorted(both)


# --- Overrides ------------------------------------------------------------------------------------------------------


def test_overrides_are_listed_with_what_was_taken_under_them(cast: Cast) -> None:
    exempt(cast, "BO", 60, 31)
    exempt(cast, "BO", 20, -10)
    exempt(cast, "CAI", -5, -20)
    row = {"pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(99), "coach_ref": "BO"}
    bring_in(
        cast,
        {"referrals": [{**row, "referral_ref": f"B{n}", "accepted_on": ago(n)} for n in (61, 60, 31, 30, 20, 5, 2)]},
    )
    train(cast, "BO", certificate_on=ago(5))
    found = asks(cast.mo, queries.overrides, today())
    assert [(one.coach_name, one.starts_on, one.ends_on, one.state) for one in found] == [
        ("Bo Lindqvist", day(20), day(-10), "current"), ("Bo Lindqvist", day(60), day(31), "past"),
    ]  # fmt: skip
    assert [[each.reference for each in one.taken] for one in found] == [["B20"], ["B60", "B31"]]
    assert [each.accepted_on for each in found[0].taken] == [day(20)]
    assert {(one.approved_by, one.reason, one.trained_on) for one in found} == {
        ("Mo Haddad", "Invented reason", day(5))
    }
    of_hub = asks(cast.lee, queries.overrides, today())
    assert [(one.coach_name, one.state, one.reason) for one in of_hub] == [
        ("Bo Lindqvist", "current", None), ("Cai Morgan", "to come", None), ("Bo Lindqvist", "past", None),
    ]  # fmt: skip
    for person in (cast.zed, cast.asha, cast.sam, cast.nobody_yet):
        assert asks(person, queries.overrides, today()) == []
    then = asks(cast.mo, queries.overrides, day(25))
    assert [(one.state, len(one.taken), one.trained_on) for one in then] == [("to come", 0, None), ("past", 2, None)]


def test_a_pcn_sees_the_overrides_of_the_time_it_had_the_coach(cast: Cast) -> None:
    exempt(cast, "BO", 60, 31)
    exempt(cast, "BO", 20, -10)
    leaves(cast, "BO", 40)
    post = {"coach_ref": "BO", "name": "Bo Lindqvist", "email": "bo.lindqvist@example.org", "pcn_code": "U99992",
            "started_on": ago(30), "hours_per_week": "30", "funding": "arrs"}  # fmt: skip
    bring_in(cast, {"coaches": [post]})
    assert [one.starts_on for one in asks(cast.mo, queries.overrides, today())] == [day(60)]
    assert len(asks(cast.lee, queries.overrides, today())) == 2


def test_a_coach_and_their_supervisor_see_their_own(cast: Cast) -> None:
    exempt(cast, "ASHA", 20, -10)
    row = {"pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(99)}
    bring_in(cast, {"referrals": [{**row, "referral_ref": "A1", "coach_ref": "ASHA", "accepted_on": ago(3)}]})
    [mine] = asks(cast.asha, queries.overrides, today())
    assert ([each.reference for each in mine.taken], mine.reason) == (["A1"], "Invented reason")
    [hers] = asks(cast.sam, queries.overrides, today())
    assert [(each.reference, each.accepted_on) for each in hers.taken] == [(None, day(3))]


def test_overrides_are_two_queries(cast: Cast, django_assert_num_queries) -> None:
    actor = cast.mo.actor
    for n in (1, 2, 3):
        exempt(cast, "BO", n * 100, n * 100 - 50)
        with walls.within(actor.scope), django_assert_num_queries(2):
            assert len(queries.overrides(actor, today())) == n


# --- The canary -----------------------------------------------------------------------------------------------------


def test_what_was_said_in_a_session_reaches_nobody_who_does_not_care_for_the_person(cast: Cast) -> None:
    train(cast, "ASHA")
    exempt(cast, "BO")
    referral = received(cast, days=30)
    since(given(cast, referral), 20)
    logged(cast, referral, 3, note="Canary-in-the-note", next_step="Canary-in-the-step")
    withdrawn = logged(cast, referral, 2, note="Canary-withdrawn")
    do(cast.asha, sessions.void_session, session=withdrawn, because="Canary-because")

    def everything(actor: Actor) -> str:
        known = timezone.now()
        return repr(
            [
                queries.waiting(actor, today(), known),
                queries.caseload(actor, cast.coach_asha.pk, today(), known),
                queries.eligible(cast.riverside.pk, today(), known),
                queries.overrides(actor, today(), known),
                [vars(row) for row in CoachingSession.objects.all()],
                [vars(row) for row in CoachingSession.objects.for_actor(actor)],
                [vars(row) for row in SessionNote.objects.all()],
                [vars(row) for row in SessionNote.objects.for_actor(actor)],
            ]
        )

    for person in (cast.lee, cast.sam, cast.ann, cast.zed, cast.nobody_yet):
        assert "Canary" not in asks(person, everything)
    canaries = ("Canary-in-the-note", "Canary-in-the-step", "Canary-withdrawn", "Canary-because")
    assert "Canary" not in asks(cast.mo, everything)  # before he has said why he needs to read it
    do(cast.mo, open_case, referral=referral, reason="Asha is ill and the person rang")
    for person in (cast.asha, cast.mo):  # the control: it is there to be found
        for canary in canaries:
            assert canary in asks(person, everything)


def test_without_the_databases_wall_a_coach_has_no_cases_where_their_access_has_ended(cast: Cast) -> None:
    """The first wall by itself: a coach who works elsewhere now, with a case left open and a session of theirs."""
    train(cast, "ASHA")
    referral = received(cast)
    given(cast, referral)
    session = logged(cast, referral)
    found: dict[str, tuple[int, int, int]] = {}
    for when in ("before", "after"):
        with walls.lifted("tests"):
            cases = queries.caseload(cast.asha.actor, cast.coach_asha.pk, today())
            rows = Referral.objects.for_actor(cast.asha.actor).filter(pk=referral.pk)
            said = CoachingSession.objects.for_actor(cast.asha.actor).filter(pk=session.pk)
            found[when] = len(cases), rows.count(), said.count()
            end_grant(SETUP, grant=Grant.objects.get(user=cast.asha.user, revoked_at=None))
        cast.asha.holds(Role.COACH, cast.lakeside, cast.coach_asha)
    assert found == {"before": (1, 1, 1), "after": (0, 0, 0)}


def test_without_the_databases_wall_an_override_names_no_referral_to_whoever_sees_no_work(cast: Cast) -> None:
    exempt(cast, "BO", first=3)
    bo = cast.coach_bo
    allocation = given(cast, received(cast), bo)
    since(allocation, 1)
    cast.sam.holds(Role.LINE_SUPERVISOR, cast.riverside, bo)
    with walls.lifted("tests"):
        for person, named in ((cast.mo, "R1"), (cast.sam, None)):
            [row] = queries.overrides(person.actor, today())
            assert [taken.reference for taken in row.taken] == [named]
