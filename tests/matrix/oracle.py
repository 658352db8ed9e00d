"""Reach, a second time and slowly: plain Python over every row, and random worlds to compare it on."""

import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from django.db import connection
from django.utils import timezone

from hwbc.workforce import queries
from hwbc.workforce.models import Coach, Grant, Organisation, Post, User
from hwbc.workforce.queries import Granted
from hwbc.workforce.roles import FOR_ONE_COACH, Role

START = date(2026, 2, 20)  # the days of a random world: over the end of a February, few enough to meet
DAYS = 12


@dataclass(frozen=True)
class Everything:
    """All rows that reach rests on, read once."""

    grants: Sequence[Grant]
    organisations: Sequence[Organisation]
    posts: Sequence[Post]

    @classmethod
    def there_is(cls) -> "Everything":
        """As it stands in the database. Needs the walls lifted."""
        grants = list(Grant.objects.select_related("user"))
        return cls(grants, list(Organisation.objects.all()), list(Post.objects.all()))


def reached(all_of_it: Everything, user: int, day: date) -> list[Granted]:
    """What `hwbc.workforce.queries.reach` says, by the words of the design.

    A grant is live from its first to its last day, both included, unless it was revoked. It holds at its organisation
    and everywhere below. At a PCN it reaches everybody who has, had or will have a post there that was not voided; one
    for a single coach reaches that coach and nobody else. A deputy's is live only while the one that it stands in for
    is, and its holder can sign in. A passkey is asked for where the organisation, or one above it, asks for one.
    """
    names = {place.pk: place for place in all_of_it.organisations}
    grants = {grant.pk: grant for grant in all_of_it.grants}
    found = []
    for grant in sorted(all_of_it.grants, key=lambda grant: (grant.starts_on, grant.pk)):
        principal = grants[grant.deputises_id] if grant.deputises_id else None
        if grant.user_id != user or not _is_live(grant, day):
            continue
        if principal and not (_is_live(principal, day) and principal.user.is_active):
            continue
        nodes = [place.pk for place in all_of_it.organisations if _is_below(names, place, grant.organisation_id)]
        pcns = {pk for pk in nodes if names[pk].kind == "pcn"}
        if grant.coach_id is not None:
            coaches = {grant.coach_id}
        else:
            coaches = {post.coach_id for post in all_of_it.posts if post.voided_at is None and post.pcn_id in pcns}
        found.append(
            Granted(
                Role(grant.role), grant.organisation_id, names[grant.organisation_id].name, grant.coach_id,
                grant.starts_on, grant.ends_on, tuple(sorted(nodes)), tuple(sorted(pcns)), tuple(sorted(coaches)),
                principal.user.name if principal else None,
                any(
                    place.passkey_from is not None and place.passkey_from <= day
                    for place in all_of_it.organisations
                    if _is_below(names, names[grant.organisation_id], place.pk)
                ),
            )
        )  # fmt: skip
    return found


def _is_live(grant: Grant, day: date) -> bool:
    ended = grant.revoked_at is not None or (grant.ends_on is not None and grant.ends_on < day)
    return grant.starts_on <= day and not ended


def _is_below(names: dict[int, Organisation], place: Organisation | None, top: int) -> bool:
    """Whether the way up from a place comes past `top`."""
    while place is not None:
        if place.pk == top:
            return True
        place = names.get(place.parent_id) if place.parent_id else None
    return False


# --- Random worlds ----------------------------------------------------------------------------------------------------

_KINDS = ("icb", "training_hub", "pcn", "pcn", "pcn", "practice", "provider")
_SINGLE = sorted(FOR_ONE_COACH)
_WHOLE = sorted(set(Role) - set(FOR_ONE_COACH))


@dataclass
class Random:
    """A world of few places, people and days, so that they meet: any tree, any grants, any posts."""

    users: list[User]
    seed: int

    def make(self) -> list[date]:
        """Make it. Needs the walls lifted. Returns the days on which to look."""
        chance = random.Random(self.seed)
        places: list[Organisation] = []
        for n in range(chance.randint(1, 9)):
            parent = chance.choice([None, *places]) if places else None
            code = f"R{self.seed}-{n}"
            place = Organisation(code=code, name=f"Random place {code}", kind=chance.choice(_KINDS), parent=parent)
            place.passkey_from = _period(chance)[0] if chance.randrange(5) == 0 else None
            place.save()
            places.append(place)
        coaches = [
            Coach.objects.create(name=f"Random Coach{n}", email=f"r{self.seed}.{n}@example.org")
            for n in range(chance.randint(1, 5))
        ]
        self._posts(chance, coaches, places)
        self._grants(chance, coaches, places)
        return [START + timedelta(days=n) for n in chance.sample(range(-1, DAYS + 2), 4)]

    def _posts(self, chance: random.Random, coaches: list[Coach], places: list[Organisation]) -> None:
        for coach in coaches:
            for place in chance.sample(places, min(len(places), chance.randint(0, 3))):
                first, last = _period(chance)
                Post.objects.create(
                    coach=coach, pcn=place, employer=place, starts_on=first, ends_on=last, hours_per_week=30,
                    funding="arrs", voided_at=_moment(chance, one_in=5),
                )  # fmt: skip

    def _grants(self, chance: random.Random, coaches: list[Coach], places: list[Organisation]) -> None:
        taken: set[tuple[Any, ...]] = set()
        for _ in range(chance.randint(0, 10)):
            single = chance.random() < 0.4
            role, coach = chance.choice(_SINGLE if single else _WHOLE), chance.choice(coaches) if single else None
            user, place = chance.choice(self.users), chance.choice(places)
            same = user.pk, role, place.pk, coach and coach.pk
            if same in taken:  # the same role twice at the same days is refused: not what this is about
                continue
            taken.add(same)
            first, last = _period(chance)
            given = Grant.objects.create(
                user=user, role=role, organisation=place, coach=coach, starts_on=first, ends_on=last,
                revoked_at=_moment(chance, one_in=5),
            )  # fmt: skip
            deputy = chance.choice(self.users)
            if deputy != user and (deputy.pk, *same[1:]) not in taken and chance.randrange(2) == 0:
                taken.add((deputy.pk, *same[1:]))
                first, last = _period(chance)
                Grant.objects.create(
                    user=deputy, role=role, organisation=place, coach=coach, starts_on=first,
                    ends_on=last or first + timedelta(days=5), deputises=given,
                )  # fmt: skip
        somebody = chance.choice(self.users)
        User.objects.filter(pk=somebody.pk).update(is_active=chance.randrange(2) > 0)


def _period(chance: random.Random) -> tuple[date, date | None]:
    first = START + timedelta(days=chance.randrange(DAYS))
    return first, None if chance.random() < 0.3 else first + timedelta(days=chance.randrange(DAYS))


def _moment(chance: random.Random, *, one_in: int) -> datetime | None:
    return timezone.now() if chance.randrange(one_in) == 0 else None


def differences(users: Iterable[User], days: Iterable[date], ask: Any) -> list[str]:
    """Where `ask` and the slow calculation do not say the same. Needs the walls lifted."""
    all_of_it = Everything.there_is()
    return [
        f"{user} on {day}: {fast}, and slowly {slow}"
        for user in users
        for day in days
        if (fast := list(ask(user.pk, day))) != (slow := reached(all_of_it, user.pk, day))
    ]


def reached_anything(users: Iterable[User], days: Iterable[date], ask: Any) -> int:
    """In how many answers there was a coach."""
    return sum(any(grant.coaches for grant in ask(user.pk, day)) for user in users for day in days)


def broken(part: str, instead: str) -> Callable[[int, date], list[Granted]]:
    """Reach with a part of it put otherwise."""
    sql = queries._REACH.replace(part, instead)

    def ask(user: int, day: date) -> list[Granted]:
        with connection.cursor() as cursor:
            cursor.execute(sql, {"user": user, "day": day})
            return [
                Granted(Role(role), node, name, coach, starts, ends, tuple(nodes), tuple(pcns), tuple(coaches), *more)
                for role, node, name, coach, starts, ends, nodes, pcns, coaches, *more in cursor.fetchall()
            ]

    return ask
