"""Supervisors and their evidence, agreements and meetings of the demo."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

from hwbc.compliance.demo.employment import Life
from hwbc.compliance.demo.told import DAY, Told, dice, working_day
from hwbc.compliance.demo.world import MILLBROOK, RIVERSIDE, SUPERVISORS, Supervisor, email
from hwbc.kit.months import add_months

LINE, CLINICAL, COACHING = "line", "clinical", "health_coaching"
# The hub found health coaching supervisors one after the other: between so many days ago.
_FOUND = (330, 700)
_LONG = timedelta(days=13)
_KEY = ("coach_ref", "kind", "supervisor_ref", "held_on", "format", "ad_hoc")


def tell_supervisors(told: Told) -> None:
    """Everybody who supervises, and what health coaching supervisors have shown."""
    for supervisor in SUPERVISORS:
        told.add(
            "supervisors",
            supervisor_ref=supervisor.ref,
            name=supervisor.name,
            email=email(supervisor.name),
            organisation_code=supervisor.place,
            role=supervisor.role,
            coach_ref=supervisor.coach or None,
        )
        for kind, value in supervisor.shown.items():
            days = _every_year(told, supervisor) if kind == "caseload_hours" else [told.ago(1500)]
            for day in days:
                _show(told, supervisor, kind, value, day)
        if supervisor.shown:
            for day in _every_year(told, supervisor):
                _show(told, supervisor, "own_supervision", "Supervision group of the hub (invented)", day)


def _show(told: Told, supervisor: Supervisor, kind: str, value: float | str, day: date) -> None:
    told.add(
        "supervisor_evidence", supervisor_ref=supervisor.ref, kind=kind, value=value, evidenced_on=working_day(day)
    )


def _every_year(told: Told, supervisor: Supervisor) -> Iterator[date]:
    """When something was shown that holds for a year: renewed in time, but for whoever has lapsed since."""
    last_month = add_months(told.day.replace(day=1), -1)
    luck = dice(supervisor.ref)
    newest = add_months(last_month, -12) - timedelta(days=5) if supervisor.lapsed else told.ago(luck.randint(40, 200))
    yield from (newest - timedelta(days=330 * times) for times in range(5))


@dataclass(frozen=True)
class Agreed:
    """A coach's supervisor of a kind, from a day to a day."""

    kind: str
    supervisor: str
    starts_on: date
    ends_on: date | None


def tell_supervision(told: Told, life: Life) -> None:
    """A coach's agreements, and every meeting: held, planned, cancelled, missed, in a group, ad hoc."""
    agreed = _agreements(told, life)
    for each in agreed:
        told.add(
            "agreements",
            coach_ref=life.coach.ref,
            kind=each.kind,
            supervisor_ref=each.supervisor,
            **{"from": each.starts_on, "to": each.ends_on},
        )
    diary = _Diary(told, life, agreed)
    _tell_line(diary)
    _tell_clinical(diary)
    _tell_appraisals(diary)
    _tell_coaching(diary)


def _agreements(told: Told, life: Life) -> list[Agreed]:
    found = []
    for kind, now in (
        (LINE, life.coach.line_by),
        (CLINICAL, life.coach.clinical_by),
        (COACHING, life.coach.coaching_by),
    ):
        start = life.starts_on
        if kind == COACHING and life.pcn(told.begins) not in (RIVERSIDE, MILLBROOK):
            start = max(start, told.ago(dice(life.coach.ref, "found").randint(*_FOUND)))
        for of_kind, supervisor, until in life.coach.before:
            if of_kind == kind:
                found.append(Agreed(kind, supervisor, start, told.ago(until) - DAY))
                start = told.ago(until)
        if now:
            found.append(Agreed(kind, now, start, life.ends_on))
    return found


class _Diary:
    """A coach's meetings, as they are told: never two that are the same, and none without a supervisor."""

    def __init__(self, told: Told, life: Life, agreed: list[Agreed]) -> None:
        self.told, self.life, self.agreed = told, life, agreed
        self._there: set[tuple[object, ...]] = set()

    def dice(self, kind: str) -> Random:
        """The dice for meetings of a kind."""
        return dice(self.life.coach.ref, kind)

    def newest(self, said: int, usual: int) -> date | None:
        """When the latest meeting was: as it is said, else the usual; before the coach left, when at work."""
        day = self.told.ago(said or usual)
        if self.life.ends_on and day > self.life.ends_on:
            day = self.life.ends_on - timedelta(days=usual)
        return self.life.at_work(day)

    def fell_through(self, luck: Random, day: date) -> bool:
        """Whether what was to be on a day came to nothing."""
        return luck.random() < self.life.pcn(day).chance(self.told.months_ago(day))

    def add(
        self,
        kind: str,
        day: date,
        minutes: int,
        by: str = "",
        form: str = "individual",
        status: str = "held",
        ad_hoc: str = "no",
    ) -> None:
        """Tell a meeting, with the supervisor of that kind on that day; an appraisal is the line manager's."""
        of_kind = LINE if kind == "appraisal" else kind
        supervisor = by or self._supervisor(of_kind, day)
        cells = (self.life.coach.ref, kind, supervisor, day, form, ad_hoc)
        if supervisor and cells not in self._there and self.life.starts_on <= day:
            self._there.add(cells)
            self.told.add("supervision", **dict(zip(_KEY, cells, strict=True)), minutes=minutes, status=status)

    def _supervisor(self, kind: str, day: date) -> str:
        for each in self.agreed:
            if each.kind == kind and each.starts_on <= day and (each.ends_on is None or day <= each.ends_on):
                return each.supervisor
        return ""


def _back(
    diary: _Diary, luck: Random, newest: date | None, apart: tuple[int, int], late: tuple[int, int], lead: int
) -> Iterator[tuple[date, date | None]]:
    """Days of meetings, from the newest back; with each the day of one that fell through before it, if one did."""
    day = newest
    until = max(diary.life.starts_on, diary.told.begins - timedelta(days=lead))
    while day is not None and day >= until:
        before = day - timedelta(days=luck.randint(*apart))
        missed = None
        if diary.fell_through(luck, before):
            missed = diary.life.at_work(before)
            before -= timedelta(days=luck.randint(*late))
        yield day, missed
        day = diary.life.at_work(before)


def _tell_line(diary: _Diary) -> None:
    luck, told, coach = diary.dice(LINE), diary.told, diary.life.coach
    newest = diary.newest(coach.line, luck.randint(3, 16))
    for day, missed in _back(diary, luck, newest, (26, 30), (22, 48), lead=35):
        diary.add(LINE, day, luck.choice((45, 60, 60)))
        if missed:
            diary.add(LINE, missed, 60, status=luck.choice(("cancelled", "cancelled", "did_not_attend")))
    if newest and newest > told.ago(60) and diary.life.at(told.day) and luck.random() < 0.7:
        diary.add(LINE, working_day(max(newest + timedelta(days=28), told.ago(-3))), 60, status="planned")


def _tell_clinical(diary: _Diary) -> None:
    luck, told, coach = diary.dice(CLINICAL), diary.told, diary.life.coach
    newest = diary.newest(coach.clinical, luck.randint(5, 50))
    for day, missed in _back(diary, luck, newest, (62, 80), (40, 90), lead=95):
        diary.add(CLINICAL, day, luck.choice((45, 60)))
        if missed:
            diary.add(CLINICAL, missed, 45, status="cancelled")
    for _ in range(luck.randint(0, 3)):  # an urgent query between two meetings
        day_of_query = diary.life.at_work(told.ago(luck.randint(5, 240)))
        if day_of_query:
            diary.add(CLINICAL, day_of_query, luck.choice((10, 15, 20)), ad_hoc="yes")
    if coach.ref == "C24":  # kindly meant: a nursing associate is no clinician for this
        diary.add(CLINICAL, working_day(told.ago(20)), 45, by="NA1")


def _tell_appraisals(diary: _Diary) -> None:
    luck = diary.dice("appraisal")
    newest = diary.newest(diary.life.coach.appraisal, luck.randint(40, 300))
    for day, missed in _back(diary, luck, newest, (345, 360), (20, 60), lead=400):
        diary.add("appraisal", day, luck.choice((60, 75, 90)))
        if missed:
            diary.add("appraisal", missed, 60, status="cancelled")


def _tell_coaching(diary: _Diary) -> None:
    """Health coaching supervision: at the start, then month by month; for a year also in a group, on the 18th."""
    luck, told, coach = diary.dice(COACHING), diary.told, diary.life.coach
    if coach.coaching == "none":
        return
    for begun in (diary.life.starts_on, *(end for _, start, end in diary.life.absences if end - start > _LONG)):
        soon = diary.life.at_work(begun + timedelta(days=7))  # after the first day, or back from a long absence
        if soon and told.begins <= soon <= told.day:
            diary.add(COACHING, soon, 60)
    usual = luck.randint(5, 12)  # of the month
    first = add_months(told.begins.replace(day=1), -1)
    for back in range(told.months_ago(first), -1, -1):
        month = add_months(told.day.replace(day=1), -back)
        planned = month.replace(day=usual)
        day = diary.life.at_work(planned)
        if day is None or planned - day > timedelta(days=4) or (diary.life.ends_on and planned > diary.life.ends_on):
            continue  # on a long absence, not there yet, or left
        in_group = working_day(month.replace(day=18))
        if back < 12 and in_group <= told.day and diary.life.works(in_group):
            diary.add(COACHING, in_group, 90, by="HC1", form="group")
        if planned > told.day:
            diary.add(COACHING, max(working_day(planned), told.ago(-1)), 60, status="planned")
        else:
            _tell_month(diary, luck, coach.coaching, day, back)


def _tell_month(diary: _Diary, luck: Random, how: str, day: date, back: int) -> None:
    fell, short = diary.fell_through(luck, day) and back > 1, luck.choice((30, 45))
    minutes = luck.choice((60, 60, 60, 75, 90))
    if how == "group" and back <= 3:
        return
    if (how == "not_yet" and back == 0) or (how == "short" and back == 0):
        diary.add(COACHING, day, 60, status="cancelled")
    elif how == "short" and back <= 2:
        diary.add(COACHING, day, 45)
    elif fell and luck.random() < 0.6:
        diary.add(COACHING, day, short)
    elif fell:
        diary.add(COACHING, day, 60, status=luck.choice(("cancelled", "did_not_attend")))
    else:
        diary.add(COACHING, day, minutes)
