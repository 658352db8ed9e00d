"""Two at once: one wins and the other is told; and no allocation without the gate's yes. Each lock has its control."""

import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import OperationalError, connection
from django.utils import timezone

from coaching import queries
from coaching.actions import referrals, sessions
from coaching.actions.referrals import AlreadyAllocated, NotReady
from coaching.models import Allocation, CoachingSession, Referral
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line
from hwbc.workforce.models import Coach, Post
from hwbc.workforce.roles import Role
from hwbc.workforce.versions import Stale
from tests.cast import Cast
from tests.coaching.work import count, day, do, exempt, fresh, given, logged, received, said, since, train
from tests.facts import ago, bring_in
from tests.races import at_once
from training.actions import void_exemption
from training.models import Course, Exemption, TrainingRecord

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 20
Deed = Callable[[], Any]


@pytest.fixture
def managers(live_cast: Cast) -> tuple[Actor, Actor]:
    """Mo and another manager of Riverside, whose coaches are trained."""
    train(live_cast, "ASHA", "BO")
    live_cast.nobody_yet.given(Role.PCN_MANAGER, live_cast.riverside)
    return live_cast.mo.actor, live_cast.nobody_yet.actor


def together(*deeds: tuple[Actor, Deed]) -> list[Any]:
    """What each got, with nothing between them but a common start and a few milliseconds of chance."""
    got: list[Any] = [None] * len(deeds)
    chance = random.Random()
    start = threading.Barrier(len(deeds))

    def act(number: int, actor: Actor, deed: Deed) -> None:
        try:
            with walls.within(actor.scope):
                start.wait(10)
                time.sleep(chance.uniform(0, 0.02))
                got[number] = deed()
        except Exception as refused:  # noqa: BLE001  what it was is what the test asks
            got[number] = refused
        finally:
            connection.close()

    threads = [threading.Thread(target=act, args=(n, *deed)) for n, deed in enumerate(deeds)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    return got


def allocates(actor: Actor, referral: Referral, coach: Coach, version: int = 1) -> Deed:
    asked: dict[str, Any] = {"referral": referral, "coach": coach, "day": today(), "version": version}
    return lambda: referrals.allocate(actor, **asked)


# --- Two managers, one referral -------------------------------------------------------------------------------------


def test_one_of_two_managers_wins_and_the_other_is_told(live_cast: Cast, managers: tuple[Actor, Actor]) -> None:
    mo, noor = managers
    won: Counter[str] = Counter()
    for n in range(ROUNDS):
        referral = received(live_cast, f"R{n}")
        first = (mo, allocates(mo, referral, live_cast.coach_asha))
        second = (noor, allocates(noor, referral, live_cast.coach_bo))
        got = together(*((first, second) if n % 2 else (second, first)))
        assert sorted(type(each).__name__ for each in got) == ["Allocation", "AlreadyAllocated"], got
        [allocation] = [each for each in got if isinstance(each, Allocation)]
        [told] = [each for each in got if isinstance(each, AlreadyAllocated)]
        assert told.allocation == allocation
        assert str(allocation.allocated_by) in str(told.message)
        won[allocation.coach.name] += 1
    print(dict(won))
    assert count(Allocation) == ROUNDS


def unlocked(monkeypatch: pytest.MonkeyPatch) -> None:
    def seen(actor: Actor, referral: Referral, *can: Any) -> Referral:
        found: Referral = Referral.objects.get(pk=referral.pk)
        return found

    monkeypatch.setattr(referrals, "_locked", seen)
    monkeypatch.setattr(sessions, "_locked", seen)


def test_three_walls_stand_one_behind_the_other_and_without_them_both_win(
    live_cast: Cast, managers: tuple[Actor, Actor], monkeypatch: pytest.MonkeyPatch
) -> None:
    mo, noor = managers

    def race(reference: str) -> tuple[Any, Any]:
        referral = received(live_cast, reference)
        return at_once(
            mo, allocates(mo, referral, live_cast.coach_asha), noor, allocates(noor, referral, live_cast.coach_bo)
        )

    first, second = race("R1")  # the lock
    assert (type(first), type(second)) == (Allocation, AlreadyAllocated)
    unlocked(monkeypatch)
    first, second = race("R2")  # compare and set
    assert (type(first), type(second)) == (Allocation, Stale)
    monkeypatch.setattr(Line, "change", lambda self, row, version, **values: row)
    first, second = race("R3")  # the unique index
    assert (type(first), type(second)) == (Allocation, ValidationError)
    assert count(Allocation) == 3
    index = "coaching_allocation_one_open_a_referral"
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("select indexdef from pg_indexes where indexname = %s", [index])
        [definition] = cursor.fetchone()
        cursor.execute(f"drop index {index}")
    try:
        first, second = race("R4")
        assert (type(first), type(second)) == (Allocation, Allocation)
        assert count(Allocation) == 5
    finally:
        with walls.lifted("tests"):
            Allocation.objects.all().delete()
        with walls.as_owner(), connection.cursor() as cursor:
            cursor.execute(definition)


# --- The gate -------------------------------------------------------------------------------------------------------


def yes_then(allocation: Allocation) -> bool:
    """Whether the gate, asked with what was known when the allocation was recorded, says yes."""
    with walls.lifted("tests"):
        asked = queries.readiness([allocation.coach_id], allocation.starts_on, known=fresh(allocation).recorded_at)
        return asked[allocation.coach_id].ready


@pytest.fixture
def exempted(live_cast: Cast, managers: tuple[Actor, Actor]) -> Exemption:
    """Bo is exempt, and not trained."""
    with walls.lifted("tests"):
        TrainingRecord.objects.filter(coach=live_cast.coach_bo).update(voided_at=timezone.now())
    exempt(live_cast, "BO")
    with walls.lifted("tests"):
        found: Exemption = Exemption.objects.get()
        return found


def voids(actor: Actor, exemption: Exemption) -> Deed:
    return lambda: void_exemption(actor, exemption=exemption, because="Nobody approved it", version=exemption.version)


def test_an_exemption_voided_at_the_same_time_is_before_or_after_and_never_in_between(
    live_cast: Cast, managers: tuple[Actor, Actor], exempted: Exemption
) -> None:
    mo, noor = managers
    ended: Counter[str] = Counter()
    for n in range(ROUNDS):
        referral = received(live_cast, f"R{n}")
        deeds = [(mo, allocates(mo, referral, live_cast.coach_bo)), (noor, voids(noor, exempted))]
        got = together(*(deeds if n % 2 else deeds[::-1]))
        [allocation] = [each for each in got if each is not None]
        assert isinstance(allocation, Allocation | NotReady), allocation
        ended[type(allocation).__name__] += 1
        if isinstance(allocation, Allocation):
            assert yes_then(allocation)
            assert fresh(exempted).voided_at >= fresh(allocation).recorded_at
        with walls.lifted("tests"):
            Exemption.objects.update(voided_at=None)
        exempted = fresh(exempted)
    print(dict(ended))


def test_the_gate_waits_for_a_change_that_is_under_way(
    live_cast: Cast, managers: tuple[Actor, Actor], exempted: Exemption, monkeypatch: pytest.MonkeyPatch
) -> None:
    mo, noor = managers
    referral = received(live_cast)
    given_to_bo = allocates(mo, referral, live_cast.coach_bo)
    first, second = at_once(noor, voids(noor, exempted), mo, given_to_bo)
    assert (first, type(second)) == (None, NotReady)
    with walls.lifted("tests"):
        Exemption.objects.update(voided_at=None)
    # The control: without holding, the gate says yes beside a change that was made before.
    monkeypatch.setattr(referrals, "hold", lambda coaches: None)
    first, second = at_once(noor, voids(noor, fresh(exempted)), mo, given_to_bo)
    assert (first, type(second)) == (None, Allocation)
    assert not yes_then(second)


# Whoever changes what the answer rests on, without holding the coach first: an import, or somebody's hand.
_BO = "Bo Lindqvist"
CHANGES: dict[str, Deed] = {
    "an exemption is voided": lambda: Exemption.objects.update(voided_at=timezone.now()),
    "an exemption ends": lambda: Exemption.objects.update(ends_on=day(1)),
    "training is voided": lambda: TrainingRecord.objects.filter(coach__name=_BO).update(voided_at=timezone.now()),
    "a course loses its accreditation": lambda: Course.objects.filter(reference="HC4").update(accreditation="none"),
    "a post ends": lambda: Post.objects.filter(coach__name=_BO).update(ends_on=day(1), end_recorded_at=timezone.now()),
    "somebody holds the coach": lambda: Coach.objects.select_for_update(no_key=True).get(name=_BO),
}


def in_time(change: Deed) -> bool:
    """Whether another connection gets the change done at once."""
    done: list[bool] = []

    def act() -> None:
        try:
            with walls.lifted("tests"), connection.cursor() as cursor:
                cursor.execute("set local lock_timeout = '300ms'")
                change()
            done.append(True)
        except OperationalError:
            done.append(False)
        finally:
            connection.close()

    thread = threading.Thread(target=act)
    thread.start()
    thread.join(30)
    return done[0]


@pytest.mark.parametrize("held", [True, False], ids=["held", "control"])
@pytest.mark.parametrize("what", CHANGES)
def test_what_the_answer_rests_on_is_held_until_the_allocation_is_there(
    live_cast: Cast, managers: tuple[Actor, Actor], what: str, held: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    exempt(live_cast, "BO")
    referral = received(live_cast)
    if not held:
        monkeypatch.setattr(referrals, "hold", lambda coaches: None)
    mo = managers[0]
    with walls.within(mo.scope):
        allocates(mo, referral, live_cast.coach_bo)()
        assert in_time(CHANGES[what]) != held
    if held:
        assert in_time(CHANGES[what])


def test_what_is_held_waits_for_whoever_holds_it(live_cast: Cast, managers: tuple[Actor, Actor]) -> None:
    with walls.lifted("tests"):
        queries.hold([live_cast.coach_bo.pk])
        assert not in_time(CHANGES["training is voided"])
    assert in_time(CHANGES["training is voided"])


def test_two_referrals_for_one_coach_wait_for_each_other_and_both_are_given(
    live_cast: Cast, managers: tuple[Actor, Actor]
) -> None:
    mo, noor = managers
    for n in range(5):
        one, other = received(live_cast, f"A{n}"), received(live_cast, f"B{n}")
        got = together((mo, allocates(mo, one, live_cast.coach_bo)), (noor, allocates(noor, other, live_cast.coach_bo)))
        assert [type(each) for each in got] == [Allocation, Allocation], got


# --- Sessions -------------------------------------------------------------------------------------------------------


@pytest.fixture
def taken(live_cast: Cast, managers: tuple[Actor, Actor]) -> Referral:
    """A referral that Asha took ten days ago."""
    referral = received(live_cast, days=20)
    since(given(live_cast, referral), 10)
    found: Referral = fresh(referral)
    return found


def test_the_same_form_twice_at_once_is_one_session(
    live_cast: Cast, taken: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha = live_cast.asha.actor

    def logs() -> tuple[Any, Any]:
        asked: dict[str, Any] = {
            "referral": taken,
            "uuid": uuid4(),
            **said(1, mode="video" if count(CoachingSession) else "phone"),
        }
        return at_once(
            asha, lambda: sessions.log_session(asha, **asked), asha, lambda: sessions.log_session(asha, **asked)
        )

    first, second = logs()
    assert isinstance(first, CoachingSession)
    assert first == second
    assert count(CoachingSession) == 1
    # The control: without the lock the second comes too early to see the first, and only the database refuses it.
    unlocked(monkeypatch)
    first, second = logs()
    assert (type(first), type(second)) == (CoachingSession, ValidationError)
    assert count(CoachingSession) == 2


def test_a_session_and_an_end_before_it_cannot_both_be(
    live_cast: Cast, taken: Referral, monkeypatch: pytest.MonkeyPatch
) -> None:
    asha, mo = live_cast.asha.actor, live_cast.mo.actor

    def race(referral: Referral) -> tuple[Any, Any]:
        ending: dict[str, Any] = {"outcome": "completed", "closed_on": day(1), "version": referral.version}
        asked: dict[str, Any] = {"referral": referral, "uuid": uuid4(), **said(0)}
        return at_once(
            asha, lambda: sessions.log_session(asha, **asked),
            mo, lambda: referrals.close(mo, referral=referral, **ending),
        )  # fmt: skip

    first, second = race(taken)
    assert (type(first), type(second)) == (CoachingSession, ValidationError)
    assert fresh(taken).closed_on is None
    other = received(live_cast, "R2", days=20)
    since(given(live_cast, other), 10)
    unlocked(monkeypatch)  # the control
    first, second = race(fresh(other))
    assert (type(first), type(second)) == (CoachingSession, Referral)


def test_two_corrections_at_once_leave_one_session_and_the_second_sees_both_texts(
    live_cast: Cast, taken: Referral
) -> None:
    session, asha = logged(live_cast, taken, 1, note="First"), live_cast.asha.actor

    def corrects(note: str) -> Deed:
        asked: dict[str, Any] = {"session": session, "because": "Wrong", "uuid": uuid4(), **said(1, note=note)}
        return lambda: sessions.correct_session(asha, **asked)

    first, second = at_once(asha, corrects("Second"), asha, corrects("Third"))
    assert (type(first), type(second)) == (CoachingSession, Stale)
    assert ("Note", "Second", "Third") in [tuple(each) for each in second.differences]
    assert count(CoachingSession, voided_at=None) == 1


def test_a_hand_back_and_a_close_at_once(live_cast: Cast, taken: Referral) -> None:
    asha, mo = live_cast.asha.actor, live_cast.mo.actor
    ending: dict[str, Any] = {"outcome": "completed", "closed_on": today(), "version": taken.version}
    first, second = at_once(
        asha, lambda: referrals.hand_back(asha, referral=taken, version=taken.version),
        mo, lambda: referrals.close(mo, referral=taken, **ending),
    )  # fmt: skip
    assert (type(first), type(second)) == (Allocation, Stale)
    do(
        live_cast.mo,
        referrals.close,
        referral=taken,
        outcome="completed",
        closed_on=today(),
        version=fresh(taken).version,
    )
    assert fresh(first).ends_on == today()


def test_an_import_that_takes_away_training_makes_the_gate_wait(live_cast: Cast, managers: tuple[Actor, Actor]) -> None:
    """An import holds the rows that it changes, and not the coach."""
    mo = managers[0]
    referral = received(live_cast)
    actor = Actor.system("tests")

    def imports() -> None:
        with walls.lifted("tests"):
            bring_in(live_cast, {"training": [{"coach_ref": "BO", "course_ref": "HC4", "enrolled_on": ago(300)}]})

    first, second = at_once(actor, imports, mo, allocates(mo, referral, live_cast.coach_bo))
    assert (first, type(second)) == (None, NotReady)
