"""Organisations, posts and absences of the demo."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

from hwbc.compliance.demo.told import DAY, Told, dice, is_working_day
from hwbc.compliance.demo.world import COACHES, HUB, ICB, PCNS, PROVIDER, Coach, Pcn, Post, email

# Nobody has been on leave for so many days: what is out of the ordinary today is told, and never an accident.
_QUIET = 140


@dataclass(frozen=True)
class Held:
    """A post with its days."""

    post: Post
    starts_on: date
    ends_on: date | None

    def covers(self, day: date) -> bool:
        """Whether the post covers a day."""
        return self.starts_on <= day and (self.ends_on is None or day <= self.ends_on)


@dataclass(frozen=True)
class Life:
    """A coach with posts and absences as days."""

    coach: Coach
    posts: tuple[Held, ...]
    absences: tuple[tuple[str, date, date], ...]  # kind, from, to

    @property
    def starts_on(self) -> date:
        """The first day of the first post."""
        return min(held.starts_on for held in self.posts)

    @property
    def ends_on(self) -> date | None:
        """The last day of all; None while there is a post."""
        last = [held.ends_on for held in self.posts]
        return None if None in last else max(filter(None, last))

    def at(self, day: date) -> list[Held]:
        """The posts of a day."""
        return [held for held in self.posts if held.covers(day)]

    def pcn(self, day: date) -> Pcn:
        """Where the coach is on a day, or was last."""
        return (self.at(day) or [self.posts[-1]])[0].post.pcn

    def works(self, day: date) -> bool:
        """Whether the coach is at work on a day."""
        away = any(start <= day <= end for _, start, end in self.absences)
        return is_working_day(day) and not away and bool(self.at(day))

    def at_work(self, day: date) -> date | None:
        """The last day up to this one on which the coach is at work; None: there was none."""
        while day >= self.starts_on:
            if self.works(day):
                return day
            day -= DAY
        return None


def tell_organisations(told: Told) -> None:
    """The tree: ICB, training hub, PCNs, practices; and a provider, who employs coaches at a PCN."""
    told.add("organisations", code=ICB, name="Northfield and Vale ICB (invented)", kind="icb")
    told.add("organisations", code=HUB, name="Northfield Training Hub (invented)", kind="training_hub", parent_code=ICB)
    told.add("organisations", code=PROVIDER, name="Vale Coaching Partnership (invented)", kind="provider")
    for pcn in PCNS:
        told.add("organisations", code=pcn.code, name=pcn.name, kind="pcn", parent_code=HUB)
        for code, practice in practices(pcn):
            told.add("organisations", code=code, name=practice, kind="practice", parent_code=pcn.code)


def practices(pcn: Pcn) -> Iterator[tuple[str, str]]:
    """The practices of a PCN: code and name."""
    for letter, name in zip("ABCDEFGH", pcn.practices, strict=False):
        yield f"{pcn.code}{letter}", name


def tell_employment(told: Told) -> list[Life]:
    """Every coach with their posts and absences."""
    lives = [_live(told, coach) for coach in COACHES]
    for life in lives:
        who = {"coach_ref": life.coach.ref, "name": life.coach.name, "email": email(life.coach.name)}
        for held in life.posts:
            told.add(
                "coaches",
                **who,
                pcn_code=held.post.pcn.code,
                employer_code=held.post.employer or None,
                started_on=held.starts_on,
                left_on=held.ends_on,
                hours_per_week=held.post.hours,
                funding="arrs" if held.post.arrs else "other",
            )
        for kind, start, end in life.absences:
            told.add("absences", coach_ref=life.coach.ref, kind=kind, **{"from": start, "to": end})
    return lives


def _live(told: Told, coach: Coach) -> Life:
    posts = tuple(
        Held(post, told.monday(post.since), None if post.until is None else told.monday(post.until) - DAY)
        for post in coach.posts
    )
    long = tuple((kind, told.ago(start), told.ago(end)) for kind, start, end in coach.away)
    life = Life(coach, posts, long)
    return Life(coach, posts, tuple(sorted([*long, *_leave(told, life)], key=lambda absence: absence[1])))


def _leave(told: Told, life: Life) -> Iterator[tuple[str, date, date]]:
    """A week of leave three times a year, some days of sickness, and the next leave, which is booked."""
    luck = dice(life.coach.ref, "leave")
    start = told.monday((told.day - told.begins).days - luck.randint(0, 60))
    while start < told.ago(_QUIET):
        week = ("annual_leave", start, start + timedelta(days=4))
        ill = start + timedelta(days=luck.randint(20, 50))
        sick = ("sickness", ill, ill + timedelta(days=luck.randint(0, 2)))
        yield from (each for each in (week, sick) if _fits(life, *each[1:]) and each[2] < told.ago(_QUIET))
        start += timedelta(weeks=luck.randint(14, 20))
    start = told.monday(-luck.randint(20, 70))
    if _fits(life, start, start + timedelta(days=4)):
        yield "annual_leave", start, start + timedelta(days=4)


def _fits(life: Life, start: date, end: date) -> bool:
    apart = all(end + DAY < first or start - DAY > last for _, first, last in life.absences)
    return apart and bool(life.at(start)) and bool(life.at(end))
