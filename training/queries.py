"""Facts of training for many coaches at once; and the one place that says when a course was done."""

from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection

from hwbc.workforce.queries import GROUND, SUBJECT, AboutCoaches, covers, known, known_end, shown_end
from training.models import Course, Requirement
from training.rules import Required

# When a record was completed or done, as at the day (rules, section 4): null where it was not. Record `t`, course `c`.
# The nth different attended day is the nth of the sorted ones; of a health coaching course, only accredited days.
_ACCREDITED = "c.accreditation in ('accredited', 'assured')"
_WITHIN = "d >= coalesce(c.accredited_from, '-infinity') and d <= coalesce(c.accredited_to, 'infinity')"
_NTH_DAY = """(select d from (select distinct d from unnest(t.attended_on) as d
                where d <= %(day)s {within}) as attended order by d offset {nth} - 1 limit 1)"""
COMPLETED_ON = f"""case
    when t.withdrawn_on <= %(day)s then null
    when c.kind <> 'pci_health_coaching' or not {_ACCREDITED} then null
    when t.certificate_on is null or t.certificate_on > %(day)s then null
    else (select greatest(t.certificate_on, n)
            from {_NTH_DAY.format(within=f"and {_WITHIN}", nth="p.completed_days")} as fourth (n)) end"""
DONE_ON = f"""case
    when t.withdrawn_on <= %(day)s then null
    when c.kind = 'pci_health_coaching' then {COMPLETED_ON}
    when c.gives_certificate then case when t.certificate_on <= %(day)s then t.certificate_on end
    else {_NTH_DAY.format(within="", nth="c.days")} end"""


class Standing(NamedTuple):
    """What the training rules, but for required courses, know of a coach on a day."""

    funded: bool  # a post covering the day is funded by ARRS
    enrolled: bool  # in a PCI health coaching course, and not withdrawn by the day
    completed: bool  # by the day
    exempt: bool  # an exemption from training.before_referrals covers the day


_STANDING = f"""
with {GROUND}, records as materialized (
    select p.coach_id,
           bool_or(t.enrolled_on <= %(day)s and (t.withdrawn_on is null or t.withdrawn_on > %(day)s)) as enrolled,
           bool_or({COMPLETED_ON} is not null) as completed
      from present p
      join training_trainingrecord t on t.coach_id = p.coach_id and {known("t")}
      join training_course c on c.id = t.course_id and c.kind = 'pci_health_coaching'
     group by p.coach_id
)
select p.coach_id,
       exists (select 1 from workforce_post o
                where o.coach_id = p.coach_id and o.funding = 'arrs' and {covers("o")}),
       coalesce(r.enrolled, false), coalesce(r.completed, false),
       exists (select 1 from training_exemption x
                where x.coach_id = p.coach_id and x.rule = 'training.before_referrals' and {covers("x")})
  from present p
  left join records r on r.coach_id = p.coach_id
"""

_REQUIREMENTS = f"""
select c.register_id, c.id, c.reference, c.uuid::text, q.validity_months, q.within_days, q.applies_from, c.title
  from training_requirement q join training_course c on c.id = q.course_id
 where {known("q")}
 order by c.register_id, c.reference collate "C", c.id
"""

_DONE = f"""
with {GROUND}, done as (
    select t.coach_id, t.course_id, max({DONE_ON}) as done_on
      from present p
      join training_trainingrecord t on t.coach_id = p.coach_id and {known("t")}
      join training_course c on c.id = t.course_id
     where t.course_id = any(%(courses)s::bigint[])
     group by t.coach_id, t.course_id
), exempt as (
    select distinct x.coach_id, x.course_id
      from present p join training_exemption x on x.coach_id = p.coach_id
     where x.rule = 'training.required' and {covers("x")} and x.course_id = any(%(courses)s::bigint[])
)
select coalesce(d.coach_id, x.coach_id), coalesce(d.course_id, x.course_id), d.done_on, x.coach_id is not null
  from done d full join exempt x on x.coach_id = d.coach_id and x.course_id = d.course_id
 where d.done_on is not null or x.coach_id is not null
"""


_STANDS = AboutCoaches("training", _STANDING)
_IS_DONE = AboutCoaches("done", _DONE)


def standing(parameters: Mapping[str, Any]) -> dict[int, Standing]:
    """Coach → standing, for every coach with a post on the day."""
    with _STANDS.ask(parameters) as cursor:
        return {row[0]: Standing._make(row[1:]) for row in cursor.fetchall()}


def requirements(parameters: Mapping[str, Any]) -> dict[int | None, list[tuple[int, Required]]]:
    """Register → its required courses, as (course's number, what is asked)."""
    found: dict[int | None, list[tuple[int, Required]]] = {}
    with connection.cursor() as cursor:
        cursor.execute(_REQUIREMENTS, parameters)
        for register, course, reference, name, *asked in cursor:
            found.setdefault(register, []).append((course, Required(reference or name, *asked)))
    return found


def done(parameters: Mapping[str, Any], courses: list[int]) -> dict[tuple[int, int], tuple[date | None, bool]]:
    """(Coach, course) → the latest day it was done, and whether an exemption covers the day; where either is so."""
    if not courses:
        return {}
    with _IS_DONE.ask({**parameters, "courses": courses}) as cursor:
        return {(coach, course): (day, exempt) for coach, course, day, exempt in cursor.fetchall()}


def courses(registers: Collection[int]) -> list[Course]:
    """The courses of these registers, health coaching first, then by title."""
    found = Course.objects.filter(register__in=registers).order_by("title", "provider", "pk")
    return sorted(found, key=lambda course: course.kind != Course.Kind.PCI_HEALTH_COACHING)


def required_courses(registers: Collection[int]) -> list[Course]:
    """Those of them that are required."""
    asked = Requirement.objects.filter(voided_at=None).values("course")
    return list(Course.objects.filter(register__in=registers, pk__in=asked).order_by("title", "pk"))


# --- One coach: what the page about their training shows --------------------------------------------------------------
#
# Parameters: those of hwbc.workforce.queries.GROUND for one coach, with `until` and `begun` as they are said there.


class Attended(NamedTuple):
    """An attended day, and what it is worth: counts, not_accredited, outside, after_the_day."""

    day: date
    worth: str


class Record(NamedTuple):
    """One enrolment, as known at the moment. Its days may lie after the day; those that may not be shown are null."""

    course_id: int
    title: str
    provider: str
    kind: str
    accreditation: str
    accredited_from: date | None
    accredited_to: date | None
    gives_certificate: bool
    days: int  # that the course has
    enrolled_on: date
    withdrawn_on: date | None
    certificate_on: date | None
    certificate_number: str
    done_on: date | None  # completed, or done, by the day
    asked: int  # different accredited days that complete a health coaching course
    attended: list[Attended]
    recorded_at: datetime
    imported: bool
    uuid: UUID

    @property
    def kind_words(self) -> str:
        """The kind of course."""
        return Course.Kind(self.kind).label

    @property
    def accreditation_words(self) -> str:
        """Accredited, assured …"""
        return Course.Accreditation(self.accreditation).label

    @property
    def is_health_coaching(self) -> bool:
        """Whether it is the training that makes a coach ready for referrals."""
        return self.kind == Course.Kind.PCI_HEALTH_COACHING

    @property
    def is_accredited(self) -> bool:
        """Whether the course counts as accredited at all."""
        return self.accreditation in (Course.Accreditation.ACCREDITED, Course.Accreditation.ASSURED)

    @property
    def counted_days(self) -> int:
        """How many of the attended days count by the day."""
        return sum(each.worth == "counts" for each in self.attended)


_RECORDS = f"""
with {GROUND}, {SUBJECT}
select c.id, c.title, c.provider, c.kind, c.accreditation, c.accredited_from, c.accredited_to, c.gives_certificate,
       c.days, t.enrolled_on,
       case when t.withdrawn_on <= %(until)s::date then t.withdrawn_on end,
       case when t.certificate_on <= %(until)s::date then t.certificate_on end,
       case when t.certificate_on <= %(until)s::date then t.certificate_number else '' end,
       {DONE_ON}, p.completed_days,
       array(select distinct d from unnest(t.attended_on) as d where d <= %(until)s::date order by d),
       array(select case when d > %(day)s then 'after_the_day'
                         when c.kind <> 'pci_health_coaching' then 'counts'
                         when not {_ACCREDITED} then 'not_accredited'
                         when not ({_WITHIN}) then 'outside'
                         else 'counts' end
               from (select distinct d from unnest(t.attended_on) as d where d <= %(until)s::date) as days
              order by d),
       t.recorded_at, t.imported, t.uuid
  from subject p
  join training_trainingrecord t on t.coach_id = p.coach_id and {known("t")}
  join training_course c on c.id = t.course_id
 where least(t.enrolled_on, t.certificate_on, (select min(d) from unnest(t.attended_on) as d)) <= %(begun)s
 order by c.kind = 'pci_health_coaching' desc, t.enrolled_on desc, c.title, t.id
"""


def records(parameters: Mapping[str, Any]) -> list[Record]:
    """A coach's training: health coaching first, then the newest."""
    with connection.cursor() as cursor:
        cursor.execute(_RECORDS, parameters)
        return [
            Record._make((*row[:15], [Attended(*each) for each in zip(row[15], row[16], strict=True)], *row[17:]))
            for row in cursor
        ]


class Exempted(NamedTuple):
    """An exemption. Its reason is for those who may see reasons."""

    rule: str
    course: str | None
    starts_on: date
    ends_on: date | None
    covers: bool  # the day
    approved_by: str
    reason: str
    recorded_at: datetime
    imported: bool
    uuid: UUID


_EXEMPTED = f"""
select x.rule, c.title, x.starts_on, {shown_end("x.last_day")}, %(day)s between x.starts_on and x.last_day,
       x.approved_by, x.reason, x.recorded_at, x.imported, x.uuid
  from (select t.*, {known_end("t")} as last_day from training_exemption t
         where t.coach_id = any(%(coaches)s::bigint[]) and {known("t")} and t.starts_on <= %(begun)s) x
  left join training_course c on c.id = x.course_id
 order by x.starts_on desc, x.id
"""


def exemptions(parameters: Mapping[str, Any]) -> list[Exempted]:
    """A coach's exemptions, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_EXEMPTED, parameters)
        return [Exempted._make(row) for row in cursor]
