"""Reach against a slow second calculation, written from its words alone: a fault here would open both walls."""

import random
from datetime import timedelta

import pytest

from hwbc.kit.periods import today
from hwbc.workforce import actions, walls
from hwbc.workforce.access import actor_of
from hwbc.workforce.models import Coach, Grant, Organisation, Post, User
from hwbc.workforce.roles import ALLOWS, FOR_ONE_COACH, Can, Role
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory, UserFactory

pytestmark = pytest.mark.django_db


def is_below(place: Organisation, node: Organisation) -> bool:
    """At or under the node, walking up one step at a time."""
    at: Organisation | None = place
    while at is not None:
        if at.pk == node.pk:
            return True
        at = at.parent
    return False


def slowly(user: User) -> walls.Scope:
    """What a user reaches today, by loops over everything there is."""
    day = today()
    coaches: set[int] = set()
    pcns: set[int] = set()
    care: set[int] = set()
    with walls.lifted("tests"):
        for grant in Grant.objects.filter(user=user):
            if grant.revoked_at is not None or not grant.covers(day):
                continue
            here = {
                place.pk
                for place in Organisation.objects.all()
                if place.kind == Organisation.Kind.PCN and is_below(place, grant.organisation)
            }
            may = ALLOWS[Role(grant.role)]
            if Can.SEE_WORK in may:
                pcns |= here
            if Can.SEE_PATIENTS in may:
                care |= here
            if Can.SEE_STANDING in may:
                if grant.coach_id:
                    coaches.add(grant.coach_id)
                else:
                    coaches |= {
                        post.coach_id for post in Post.objects.all() if post.pcn_id in here and post.voided_at is None
                    }
    return walls.Scope(user.pk, tuple(sorted(coaches)), tuple(sorted(pcns)), tuple(sorted(care)))


@pytest.mark.parametrize("seed", range(25))
def test_reach_equals_the_slow_second_calculation(seed: int) -> None:
    rng = random.Random(seed)
    with walls.lifted("tests"):
        places = [OrganisationFactory.create(kind=Organisation.Kind.ICB)]
        for kind in ["training_hub"] * 2 + ["pcn"] * 5 + ["practice"] * 3 + ["provider"]:
            places.append(OrganisationFactory.create(kind=kind, parent=rng.choice([*places, None])))
        pcns = [place for place in places if place.kind == "pcn"]
        coaches: list[Coach] = []
        for _ in range(8):
            start = today() - timedelta(days=rng.randint(-20, 400))
            end = rng.choice([None, start + timedelta(days=rng.randint(0, 300))])
            coaches.append(CoachFactory.create(pcn=rng.choice(pcns), starts_on=start, ends_on=end))
        Post.objects.filter(coach=coaches[0]).update(voided_at="2026-01-01T00:00Z")
        users = UserFactory.create_batch(4)
        for _ in range(14):
            role = rng.choice(list(Role))
            start = today() - timedelta(days=rng.randint(-3, 30))
            grant = actions.grant(
                SETUP,
                user=rng.choice(users),
                role=role,
                organisation=rng.choice(places),
                coach=rng.choice(coaches) if role in FOR_ONE_COACH else None,
                starts_on=start,
                ends_on=rng.choice(
                    [None, None, start + timedelta(days=rng.randint(0, 30)), today(), today() - timedelta(days=1)]
                )
                if start < today()
                else None,
            )
            if rng.random() < 0.15:
                actions.end_grant(SETUP, grant=grant)
    for user in users:
        assert actor_of(user).scope == slowly(user)


def test_a_post_that_has_ended_still_reaches_the_coach(cast: Cast) -> None:
    with walls.lifted("tests"):
        CoachFactory.create(name="Gone Already", pcn=cast.riverside, ends_on=today() - timedelta(days=1))
    with walls.within(cast.mo.actor.scope):
        assert Coach.objects.filter(name="Gone Already").exists()


def test_a_hub_reaches_no_patients_and_a_supervisor_no_place(cast: Cast) -> None:
    hub, supervisor, manager = cast.lee.actor.scope, cast.sam.actor.scope, cast.mo.actor.scope
    assert set(hub.pcns) == {cast.riverside.pk, cast.hilltop.pk}
    assert hub.care == ()
    assert supervisor.coaches == (cast.coach_asha.pk,)
    assert (supervisor.pcns, supervisor.care) == ((), ())
    assert manager.care == (cast.riverside.pk,)


def test_the_first_and_the_last_day_of_a_grant_count(cast: Cast) -> None:
    day = today()
    cast.nobody_yet.given(Role.PCN_MANAGER, cast.riverside, starts_on=day, ends_on=day)
    assert actor_of(cast.nobody_yet.user, day).can(Can.INVITE)
    assert not actor_of(cast.nobody_yet.user, day + timedelta(days=1)).can(Can.INVITE)
    assert not actor_of(cast.nobody_yet.user, day - timedelta(days=1)).can(Can.INVITE)


def test_reach_is_one_query(cast: Cast, django_assert_num_queries) -> None:
    with django_assert_num_queries(5) as asked:  # savepoint, lift, reach, end of the lift, release
        actor_of(cast.lee.user)
    assert sum("with recursive" in query["sql"] for query in asked.captured_queries) == 1
