"""What was said in a session: the database by itself shows it to the coach whose case it is, and to who opened it."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import ProgrammingError, connection, transaction
from django.utils import timezone

from coaching import queries
from coaching.actions import referrals, sessions
from coaching.actions.opening import open_case
from coaching.models import Allocation, CoachingSession, Opening, Referral, SessionNote
from hwbc.compliance.actions import name_deputy
from hwbc.compliance.views import caseload
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Grant
from hwbc.workforce.roles import Role
from tests.cast import Cast, Person, person
from tests.coaching.work import bo_signs_in, day, do, fresh, given, logged, note, noted, received, since, train
from tests.compliance.test_coaching_pages import get, words
from tests.facts import ago, bring_in

pytestmark = pytest.mark.django_db
NOTE, NEXT = "Canary of the note", "Canary of the next step"
REASON = "Asha is ill and the person rang"
REFUSED = "row-level security"


@pytest.fixture
def bo(cast: Cast) -> Person:
    return bo_signs_in(cast)


@pytest.fixture
def case(cast: Cast) -> Referral:
    """A case that Asha has had for ten days, with sessions nine days ago and yesterday."""
    train(cast, "ASHA", "BO")
    referral = received(cast, "R1", days=20)
    since(given(cast, referral), 10)
    logged(cast, referral, 9, note=NOTE, next_step=NEXT, goal_progress="some")
    logged(cast, referral, 1, note=NOTE, next_step=NEXT, activity="plan_agreed")
    return referral


def shown(who: Person) -> list[int]:
    """How many days ago the sessions were of which the database shows what was said; `for_actor` is not asked."""
    with walls.within(who.actor.scope):
        days = SessionNote.objects.values_list("session__held_on", flat=True)
        return sorted((today() - held_on).days for held_on in days)


def handed_on(cast: Cast, case: Referral, days: int) -> None:
    """Asha's last day with it was so many days ago, and Bo has had it since the next."""
    do(cast.mo, referrals.hand_back, referral=case, version=fresh(case).version)
    with walls.lifted("tests"):
        Allocation.objects.filter(referral=case).update(ends_on=day(days))
    since(given(cast, case, cast.coach_bo), days - 1)


# --- To whom it is shown ----------------------------------------------------------------------------------------------


def test_the_database_by_itself_shows_what_was_said_to_the_coach_whose_case_it_is_and_to_nobody_else(
    cast: Cast, case: Referral, bo: Person
) -> None:
    assert shown(cast.asha) == [1, 9]
    for who in (cast.mo, bo, cast.lee, cast.ann, cast.sam, cast.zed, cast.rae, cast.nobody_yet):
        assert shown(who) == []
    for who in (cast.mo, bo):  # the control: that a session took place is shown to them
        with walls.within(who.actor.scope):
            assert CoachingSession.objects.count() == 2
    with walls.within(walls.NOBODY):
        assert not SessionNote.objects.exists()


def test_who_opened_the_case_with_a_reason_is_shown_it_on_that_day_alone(
    cast: Cast, case: Referral, bo: Person
) -> None:
    for who in (cast.mo, bo):
        with walls.lifted("tests"):
            for days in (1, -1):
                Opening.objects.create(user=who.user, referral=case, pcn=cast.riverside, day=day(days), reason=REASON)
        assert shown(who) == []
        do(who, open_case, referral=case, reason=REASON)
        assert shown(who) == [1, 9]
    second = person("Kim Second")
    second.given(Role.PCN_MANAGER, cast.riverside)
    with walls.within(second.actor.scope):
        assert Opening.objects.count() == 6
    assert shown(second) == []  # who sees that it was opened has not opened it


def test_an_opened_case_is_shut_where_patients_are_not_theirs_any_more(cast: Cast, case: Referral) -> None:
    do(cast.mo, open_case, referral=case, reason=REASON)
    with walls.lifted("tests"):
        Grant.objects.filter(user=cast.mo.user).update(revoked_at=timezone.now())
    cast.mo.holds(Role.PCN_MANAGER, cast.lakeside)
    assert shown(cast.mo) == []


def test_who_handed_a_case_on_is_shown_what_was_said_until_then(cast: Cast, case: Referral, bo: Person) -> None:
    handed_on(cast, case, 5)
    assert (shown(cast.asha), shown(bo)) == ([9], [1, 9])
    with walls.lifted("tests"):
        Allocation.objects.filter(coach=cast.coach_asha).update(ends_on=day(9))
    assert shown(cast.asha) == [9]  # of the last day too
    with walls.lifted("tests"):
        Allocation.objects.filter(coach=cast.coach_asha).update(ends_on=day(10))
    assert shown(cast.asha) == []


def test_an_allocation_that_was_withdrawn_shows_nothing(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        Allocation.objects.update(voided_at=timezone.now())
    assert shown(cast.asha) == []


def test_a_coach_is_shown_nothing_where_their_access_has_ended(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        Grant.objects.filter(user=cast.asha.user).update(revoked_at=timezone.now())
    cast.asha.holds(Role.COACH, cast.lakeside, cast.coach_asha)
    assert shown(cast.asha) == []


def test_a_coachs_deputy_is_shown_what_the_coach_is_and_a_managers_is_not(
    cast: Cast, case: Referral, bo: Person
) -> None:
    kim = person("Kim Deputy")
    kim.given(Role.AUDITOR, cast.riverside)
    with walls.lifted("tests"):
        of = {user: Grant.objects.get(user=user) for user in (cast.asha.user, cast.mo.user)}
    period: dict[str, Any] = {"starts_on": today(), "ends_on": today() + timedelta(days=5)}
    do(cast.mo, name_deputy, grant=of[cast.asha.user], user=bo.user, **period)
    do(cast.mo, name_deputy, grant=of[cast.mo.user], user=kim.user, **period)
    assert (shown(bo), shown(kim)) == ([1, 9], [])
    with walls.within(kim.actor.scope):
        assert CoachingSession.objects.count() == 2  # the control


def test_why_a_session_was_withdrawn_is_shown_as_what_was_said(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        first, last = CoachingSession.objects.order_by("held_on")
    for session in (first, logged(cast, case, 2)):  # of one nothing was noted
        do(cast.asha, sessions.void_session, session=session, because="Another person, named by mistake")
        assert noted(session).voided_because == "Another person, named by mistake"
    assert shown(cast.asha) == [1, 2, 9]
    assert noted(last).voided_because == ""
    with walls.within(cast.mo.actor.scope):
        assert not SessionNote.objects.exists()
        assert set(CoachingSession.objects.values_list("voided_because", flat=True)) == {""}


# --- Pages ------------------------------------------------------------------------------------------------------------


def test_without_the_pages_own_check_a_manager_reads_nothing(
    cast: Cast, case: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The page takes every case for one that was opened: the database holds back what was said."""
    monkeypatch.setattr(caseload, "is_opened", lambda actor, referral: True)
    said = (NOTE, NEXT, "Some progress", "care and support plan agreed")
    page = words(get(cast.mo, "referral", case))
    assert "You opened this case today with a reason" in page
    assert not any(each in page for each in said)
    # The control: with the walls lifted the page shows it all.
    monkeypatch.setattr(Actor, "scope", property(lambda self: walls.Scope(self.user_id, lifts="tests")))
    page = words(get(cast.mo, "referral", case))
    assert all(each in page for each in said)


def test_the_next_step_of_a_coachs_cases_is_the_coachs_to_read(cast: Cast, case: Referral) -> None:
    steps = {}
    for who in (cast.asha, cast.mo):
        actor = who.actor
        with walls.within(actor.scope):
            [found] = queries.caseload(actor, cast.coach_asha.pk, today())
        assert found.contacts is not None
        assert found.contacts.attended == 2
        steps[who] = found.contacts.next_step
    assert steps == {cast.asha: NEXT, cast.mo: ""}


def test_for_actor_by_itself_gives_what_the_database_shows(cast: Cast, case: Referral, bo: Person) -> None:
    handed_on(cast, case, 5)
    do(cast.mo, open_case, referral=case, reason=REASON)
    people = (cast.asha, bo, cast.mo, cast.lee, cast.ann, cast.sam, cast.zed, cast.nobody_yet)
    with walls.lifted("tests"):
        found = {who: SessionNote.objects.for_actor(who.actor).count() for who in people}
    assert found == {who: len(shown(who)) for who in people}
    assert set(found.values()) == {0, 1, 2}


# --- Who writes it ----------------------------------------------------------------------------------------------------


def written(who: Person, session: CoachingSession) -> None:
    """They note something in a session by SQL, and read nothing back."""
    with walls.within(who.actor.scope), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "insert into coaching_sessionnote (session_id, pcn_id, voided_because, note) values (%s, %s, '', 'Forged')",
            [session.pk, session.pcn_id],
        )


def test_only_the_coach_who_had_the_case_on_the_day_notes_anything(cast: Cast, case: Referral, bo: Person) -> None:
    hers, his = logged(cast, case, 8), logged(cast, case, 3)
    handed_on(cast, case, 5)
    for who in (cast.mo, bo):
        do(who, open_case, referral=case, reason=REASON)
    refused = [(cast.asha, his), (bo, hers)]  # she had handed it on; he did not have it yet
    refused += [(who, session) for who in (cast.mo, cast.lee, cast.zed) for session in (hers, his)]
    for who, session in refused:
        with pytest.raises(ProgrammingError, match=REFUSED):
            written(who, session)
    written(cast.asha, hers)  # the control
    written(bo, his)


def test_who_may_read_a_note_changes_none_and_nobody_takes_one_away(cast: Cast, case: Referral, bo: Person) -> None:
    handed_on(cast, case, 5)
    do(cast.mo, open_case, referral=case, reason=REASON)
    for who, changed in ((cast.mo, 0), (cast.asha, 1), (bo, 1)):  # each that of the days on which they had it
        with walls.within(who.actor.scope):
            assert SessionNote.objects.update(note="Changed") == changed
    for scope in (cast.asha.actor.scope, walls.Scope(lifts="tests")):
        with (
            walls.within(scope),
            pytest.raises(ProgrammingError, match="permission denied"),
            transaction.atomic(),
            connection.cursor() as cursor,
        ):
            cursor.execute("delete from coaching_sessionnote")


def test_a_note_goes_with_a_referral_that_moves(cast: Cast, case: Referral) -> None:
    """A workbook says that the referral is another PCN's: what was said in its sessions goes with it."""
    row = {"referral_ref": "MOVES", "pcn_code": "U99991", "source": "self", "priority": "routine",
           "received_on": ago(9), "coach_ref": "ASHA", "accepted_on": ago(8)}  # fmt: skip
    session = {"referral_ref": "MOVES", "held_on": ago(7), "mode": "phone", "minutes": "30", "outcome": "attended"}
    bring_in(cast, {"referrals": [row], "coaching_sessions": [session]})
    with walls.lifted("tests"):
        said = note(CoachingSession.objects.get(referral__reference="MOVES"), note=NOTE)
    bring_in(cast, {"referrals": [{**row, "pcn_code": "U99992"}], "coaching_sessions": [session]})
    assert fresh(said).pcn_id == fresh(said.session).pcn_id == cast.hilltop.pk
    assert fresh(said).note == NOTE
