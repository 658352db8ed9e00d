"""One coach's record as somebody may see it on a day: found, held to the days that are theirs to see, identified."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

from django.http import Http404
from django.urls import reverse

from hwbc.compliance.as_at import AsAt
from hwbc.compliance.queries import Person, Standing, last_day, standings_of
from hwbc.compliance.sentences import written
from hwbc.standards.presets import WDF
from hwbc.standards.queries import Asked
from hwbc.standards.rules import NUMBER_KEYS, Numbers
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Coach
from hwbc.workforce.queries import PostHeld, posts_held
from hwbc.workforce.roles import FOR_ONE_COACH, Can

# The pages about a coach, as their sub-navigation shows them: URL name, words, what a page needs.
SECTIONS: tuple[tuple[str, str, Can], ...] = (
    ("coach", "Standing", Can.SEE_STANDING),
    ("coach_supervision", "Supervision", Can.SEE_STANDING),
    ("coach_training", "Training", Can.SEE_STANDING),
    ("coach_employment", "Employment", Can.SEE_STANDING),
    ("coach_caseload", "Caseload", Can.SEE_WORK),
    ("coach_history", "History", Can.SEE_STANDING),
)
_ELSEWHERE = "Another PCN", "Another employer"


class Limits:
    """Until when somebody may see what of a coach: a PCN only up to the last day of the coach's last post there."""

    def __init__(self, actor: Actor, coach: int) -> None:
        self._actor, self._coach = actor, coach
        self._of_places: dict[frozenset[int], date] = {}

    def until(self, can: Can) -> date:
        """The last day; date.max: no end, date.min: nothing at all."""
        if self._coach not in self._actor.coaches(can):
            return date.min
        if self._coach in self._actor.own(can):
            return date.max
        places = self._actor.pcns(can)
        if places not in self._of_places:
            self._of_places[places] = last_day(self._actor, self._coach, can) or date.max
        return self._of_places[places]


@dataclass(frozen=True)
class Record:
    """A coach on a day. `as_at` never lies after `until`, the last day of which anything may be shown."""

    actor: Actor
    coach: Coach
    can: Can
    as_at: AsAt
    until: date
    held: bool  # another day was asked for: the one shown is the last
    limits: Limits
    parameters: Mapping[str, Any]  # of the queries about this coach
    posts: list[PostHeld]
    numbers: Numbers  # in force on the day where the current employment is
    standing: Standing | None  # where it was asked for

    @property
    def day(self) -> date:
        """The day that is shown."""
        return self.as_at.day

    @property
    def name(self) -> str:
        """The coach's name."""
        return str(self.coach.name)

    @property
    def reference(self) -> str:
        """The reference that the coach's service knows them by; "" where there is none."""
        return str(self.coach.reference)

    @property
    def limited(self) -> bool:
        """Whether the actor sees this coach up to a last day only."""
        return self.until != date.max

    @property
    def has_left(self) -> bool:
        """Whether that last day is over."""
        return self.until < self.as_at.today

    @property
    def no_end(self) -> str:
        """What stands for the end of a period that has none, or none that may be shown."""
        return f"Not by {written(self.until)}" if self.has_left else "No end date"

    @property
    def here(self) -> list[PostHeld]:
        """The posts of the day; none on a day on which the coach was at other places than the actor's alone."""
        covering = [post for post in self.posts if post.covers]
        alone = self.coach.pk in self.actor.own(self.can)
        pcns = self.actor.pcns(self.can)
        return covering if alone or any(post.pcn_id in pcns for post in covering) else []

    @property
    def current(self) -> PostHeld | None:
        """The post of the day that belongs to the current employment."""
        return next((post for post in self.here if post.current), None)

    @property
    def paused(self) -> PostHeld | None:
        """A post of the day, where a long absence pauses the clocks on it; it has the absence's last day."""
        return next((post for post in self.here if post.paused), None)

    @property
    def next_post(self) -> PostHeld | None:
        """The first post after the day."""
        return next((post for post in reversed(self.posts) if post.starts_on > self.day), None)

    @property
    def left(self) -> str:
        """The PCNs of the actor that the coach left on the last day that may be seen."""
        pcns = self.actor.pcns(self.can)
        names = dict.fromkeys(post.pcn for post in self.here if post.pcn_id in pcns)
        return " and ".join(names) or "your PCN"

    @property
    def seen_as(self) -> list[str]:
        """The roles for which the actor sees this coach."""
        roles = [
            grant.role.label if grant.role in FOR_ONE_COACH else f"{grant.role.label}, {grant.organisation}"
            for grant in self.actor.grants
            if grant.allows(self.can) and self.coach.pk in grant.coaches
        ]
        return list(dict.fromkeys(roles))

    @property
    def person(self) -> Person:
        """The coach as lists know them."""
        here = self.here
        pcns, places = tuple(post.pcn_id for post in here), tuple(post.pcn for post in here)
        return Person(self.coach.pk, self.coach.uuid, self.name, "", None, self.reference, pcns, places)

    def sees(self, can: Can, day: date) -> bool:
        """Whether the actor may see what `can` says of something on a day."""
        return day <= self.limits.until(can)

    def places(self, can: Can) -> list[int]:
        """The PCNs of which the actor may see what `can` says of referrals that this coach took."""
        if self.coach.pk in self.actor.own(can):
            return sorted(self.actor.around(can))  # a coach's own referrals: wherever they have access
        return sorted(self.actor.pcns(can))

    def href(self, page: str, anchor: str = "", **query: str) -> str:
        """The address of a page about this coach, on the same day."""
        asked = urlencode({**self.as_at.parameters, **query})
        path = reverse(page, kwargs={"uuid": self.coach.uuid})
        return f"{path}{f'?{asked}' if asked else ''}{f'#{anchor}' if anchor else ''}"

    def sections(self, page: str) -> list[dict[str, Any]]:
        """The pages about this coach that the actor may open."""
        return [
            {"text": text, "href": self.href(name), "current": name == page}
            for name, text, can in SECTIONS
            if self.coach.pk in self.actor.coaches(can)
        ]


def find(actor: Actor, uuid: UUID, as_at: AsAt, can: Can = Can.SEE_STANDING, *, judged: bool = False) -> Record:
    """The record of a coach whom the actor may see; raises Http404 for any other, and says nothing of them.

    `judged`: with the answers to every rule.
    """
    coach = Coach.objects.for_actor(actor, can).filter(uuid=uuid).first()
    if coach is None:
        raise Http404
    limits = Limits(actor, coach.pk)
    until = limits.until(can)
    if until == date.min:
        raise Http404
    held = as_at.day > until
    if held:
        as_at = as_at.on(until)
    parameters: dict[str, Any] = {
        "day": as_at.day,
        "known": as_at.moment,
        "coaches": [coach.pk],
        "until": until,
        # What is to come belongs to today and later; a day of the past is shown without what began after it.
        "begun": until if as_at.day >= as_at.today else as_at.day,
    }
    if judged:
        who = (coach.pk, coach.register_id, coach.reference or str(coach.uuid))
        [standing] = standings_of([who], as_at.day, as_at.moment)
        numbers = standing.numbers or WDF
        # One coach is judged by one standard: its numbers stand for those of every PCN.
        parameters |= {"pcns": [0], **{key: [getattr(numbers, key)] for key in NUMBER_KEYS}}
        posts = _posts(actor, can, parameters, left=until < as_at.today)
    else:
        standing = None
        asked = Asked(as_at.day, as_at.moment)
        parameters |= asked.parameters()
        posts = _posts(actor, can, parameters, left=until < as_at.today)
        numbers = next((asked.at(post.pcn_id) for post in posts if post.current), WDF)
    return Record(actor, coach, can, as_at, until, held, limits, parameters, posts, numbers, standing)


def _posts(actor: Actor, can: Can, parameters: Mapping[str, Any], *, left: bool) -> list[PostHeld]:
    """The coach's posts. Where a coach went on working elsewhere, a PCN that they left does not learn where."""
    pcns = actor.pcns(can)
    return [
        post._replace(pcn=_ELSEWHERE[0], employer=_ELSEWHERE[1])
        if left and post.outlasts and post.pcn_id not in pcns
        else post
        for post in posts_held(parameters)
    ]
