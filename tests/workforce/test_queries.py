"""Reach against a slow second calculation, written from its words alone: a fault here would open both walls."""

import random
from datetime import timedelta

import pytest
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import actor_of
from hwbc.workforce.models import Coach, Grant, Organisation, Post, User
from hwbc.workforce.roles import ALLOWS, FOR_ONE_COACH, GIVES, SUPERVISORS, Can, Role
from tests.cast import Cast, CoachFactory, OrganisationFactory, UserFactory

pytestmark = pytest.mark.django_db


class World:
    """Everything there is, read once."""

    def __init__(self) -> None:
        with walls.lifted("tests"):
            self.places = {place.pk: place for place in Organisation.objects.all()}
            self.posts = list(Post.objects.filter(voided_at=None))
            self.grants = [each for each in Grant.objects.all() if each.revoked_at is None and each.covers(today())]

    def below(self, node: int) -> set[int]:
        """At or under a place: from every place the way up, one step at a time."""
        found = set()
        for place in self.places.values():
            at: int | None = place.pk
            while at is not None and at != node:
                at = self.places[at].parent_id
            if at == node:
                found.add(place.pk)
        return found

    def pcns(self, node: int) -> set[int]:
        """The PCNs among them."""
        return {place for place in self.below(node) if self.places[place].kind == Organisation.Kind.PCN}


def slowly(world: World, user: User) -> walls.Scope:
    """What the database shows a user today, by loops over everything there is."""
    coaches: set[int] = set()
    pcns: set[int] = set()
    care: set[int] = set()
    nodes: set[int] = set()
    audits: set[int] = set()
    cases: set[int] = set()
    own: set[int] = set()
    for grant in world.grants:
        if grant.user_id != user.pk:
            continue
        here = world.pcns(grant.organisation_id)
        may = ALLOWS[Role(grant.role)]
        if Can.SEE_WORK in may:
            pcns |= here
        if Can.SEE_PATIENTS in may:
            care |= here
        if Can.INVITE in may and grant.coach_id is None:
            nodes |= world.below(grant.organisation_id)
        if Can.LOG_SESSIONS in may and grant.coach_id:
            cases.add(grant.coach_id)
        if Can.SEE_AUDIT in may:
            if grant.coach_id:
                own.add(grant.coach_id)
            else:
                audits |= world.below(grant.organisation_id)
        if Can.SEE_STANDING in may:
            if grant.coach_id:
                coaches.add(grant.coach_id)
            else:
                coaches |= {post.coach_id for post in world.posts if post.pcn_id in here}
    seen = {"coaches": coaches, "pcns": pcns, "care": care, "nodes": nodes, "audits": audits, "own": own}
    seen["cases"] = cases
    return walls.Scope(user.pk, **{name: tuple(sorted(some)) for name, some in seen.items()})  # type: ignore[arg-type]


def slowly_may(world: World, user: User, can: Can) -> tuple[set[int], set[int], set[int], set[int]]:
    """Coaches, coaches one by one, PCNs and places for which a user may do something today, by the same loops."""
    coaches: set[int] = set()
    own: set[int] = set()
    pcns: set[int] = set()
    nodes: set[int] = set()
    for grant in world.grants:
        if grant.user_id != user.pk or can not in ALLOWS[Role(grant.role)]:
            continue
        if grant.coach_id is not None:
            own.add(grant.coach_id)
            coaches.add(grant.coach_id)
        else:
            nodes |= world.below(grant.organisation_id)
            pcns |= world.pcns(grant.organisation_id)
            coaches |= {post.coach_id for post in world.posts if post.pcn_id in world.pcns(grant.organisation_id)}
    return coaches, own, pcns, nodes


def slowly_gives(world: World, user: User, role: Role) -> set[int]:
    """The places at which a user may give a role today."""
    found: set[int] = set()
    for grant in world.grants:
        gives = GIVES.get(Role(grant.role), ())
        if grant.user_id == user.pk and grant.coach_id is None and role in gives:
            found |= world.below(grant.organisation_id)
    return found


def scatter(rng: random.Random) -> list[User]:
    """Four users with grants of every role at places of every kind, live or not; more than actions would give."""
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
    made: set[tuple[object, ...]] = set()
    for _ in range(14):
        role = rng.choice(list(Role))
        start = today() - timedelta(days=rng.randint(-3, 30))
        coach = rng.choice(coaches) if role in FOR_ONE_COACH else None
        key = (rng.choice(users), role, rng.choice(places), coach)
        ends = [None, None, start + timedelta(days=rng.randint(0, 30)), today(), today() - timedelta(days=1)]
        end = rng.choice(ends) if start < today() else None
        if key not in made:
            made.add(key)
            user, _, place, _ = key
            Grant.objects.create(
                user=user, role=role, organisation=place, coach=coach, starts_on=start, ends_on=end,
                revoked_at=timezone.now() if rng.random() < 0.15 else None,
            )  # fmt: skip
    return users


@pytest.mark.parametrize("seed", range(25))
def test_reach_equals_the_slow_second_calculation(seed: int) -> None:
    with walls.lifted("tests"):
        users = scatter(random.Random(seed))
    world = World()
    for user in users:
        actor = actor_of(user)
        assert actor.scope == slowly(world, user)
        for can in Can:
            reached = set(actor.coaches(can)), set(actor.own(can)), set(actor.pcns(can)), set(actor.nodes(can))
            assert reached == slowly_may(world, user, can), can
        for role in Role:
            assert actor.gives(role) == slowly_gives(world, user, role), role


def test_the_random_grants_reach_something_of_every_kind() -> None:
    """The control: the comparison above is not one of nothing with nothing."""
    with walls.lifted("tests"):
        actors = [actor_of(user) for seed in range(8) for user in scatter(random.Random(seed))]
    for reach in ("coaches", "pcns", "care", "nodes"):
        assert sum(bool(getattr(actor.scope, reach)) for actor in actors) > 3, reach
    for can in Can:
        assert any(actor.nodes(can) or actor.own(can) for actor in actors), can
    for can in (Can.SEE_STANDING, Can.SEE_PATIENTS):
        assert any(actor.own(can) for actor in actors), can
        assert any(actor.nodes(can) for actor in actors), can
    assert any(actor.gives(Role.HUB_ADMIN) for actor in actors)
    assert not any(actor.gives(role) for actor in actors for role in SUPERVISORS)


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
    assert sum("hwbc_reach" in query["sql"] for query in asked.captured_queries) == 1
