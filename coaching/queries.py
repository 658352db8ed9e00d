"""Facts of referrals for many coaches at once: the gate, who can take one, who waits, and what a coach has taken.

A referral is judged at the end of the day: one closed or handed back on a day is, on that day, no longer a coach's.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet

from coaching import rules
from coaching.models import Allocation, CoachingSession, Opening, Referral, SessionNote
from coaching.rules import Enrolment, Readiness
from hwbc.kit.periods import today
from hwbc.standards.queries import Asked, moment
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Organisation, User
from hwbc.workforce.queries import GROUND, SUBJECT, AboutCoaches, covers, known, known_end, shown_end
from hwbc.workforce.roles import Can
from training.queries import COMPLETED_ON, DONE_ON, Standing, standing

_FIRST_UNTRAINED = f"""
with {GROUND}
select a.coach_id, min(a.starts_on)
  from present p
  join coaching_allocation a on a.coach_id = p.coach_id
 where {known("a")} and a.starts_on <= %(day)s
   and not exists (select 1 from training_exemption x
                    where x.coach_id = a.coach_id and x.rule = 'training.before_referrals'
                      and {covers("x", "a.starts_on")})
 group by a.coach_id
"""


_UNTRAINED = AboutCoaches("untrained", _FIRST_UNTRAINED)


def first_untrained(parameters: Mapping[str, Any]) -> dict[int, date]:
    """Coach → the first day, by the day asked about, on which they took a referral without an exemption covering it.

    Whether they had completed their training by then is for `coaching.rules.before_referrals`: completion by the day
    asked about clears what came before it.
    """
    with _UNTRAINED.ask(parameters) as cursor:
        return dict(cursor.fetchall())


# --- The gate --------------------------------------------------------------------------------------------------------

# What the rows say now, whichever machine's clock wrote them: for a decision, where "now" is for a page.
LATEST = datetime.max.replace(tzinfo=UTC)

# What a coach `p` has done by the day: each enrolment on a PCI health coaching course, as arrays of one length, and the
# kinds of course of which one is done.
_TRAINED = f"""
left join lateral (
    select array_agg(case when t.withdrawn_on <= %(day)s then t.withdrawn_on end)
               filter (where c.kind = 'pci_health_coaching') as withdrawn,
           array_agg(c.accreditation in ('accredited', 'assured'))
               filter (where c.kind = 'pci_health_coaching') as accredited,
           array_agg((select count(distinct d) from unnest(t.attended_on) as d
                       where d <= %(day)s and d >= coalesce(c.accredited_from, '-infinity')
                         and d <= coalesce(c.accredited_to, 'infinity')))
               filter (where c.kind = 'pci_health_coaching') as days,
           array_agg(coalesce(t.certificate_on <= %(day)s, false))
               filter (where c.kind = 'pci_health_coaching') as certified,
           array_agg(distinct c.kind) filter (where {DONE_ON} is not null) as done
      from training_trainingrecord t join training_course c on c.id = t.course_id
     where t.coach_id = p.coach_id and {known("t")}
) r on true
"""
_EXEMPT_UNTIL = f"""(select max({known_end("x")}) from training_exemption x
    where x.coach_id = p.coach_id and x.rule = 'training.before_referrals' and {known("x")}
      and {known_end("x")} < %(day)s)"""
_SO_FAR = f"p.completed_days, {_EXEMPT_UNTIL}, r.withdrawn, r.accredited, r.days, r.certified"

_READINESS = f"with {GROUND} select p.coach_id, {_SO_FAR} from present p {_TRAINED}"


def _parameters(day: date, at: datetime, coaches: Collection[int] | None) -> dict[str, Any]:
    some = None if coaches is None else sorted(coaches)
    return {"day": day, "known": at, **Asked(day, at).parameters(), "coaches": some}


def _readiness(stands: Standing, so_far: Sequence[Any]) -> Readiness:
    needed, exempt_until, *columns = so_far
    enrolments = [Enrolment._make(each) for each in zip(*(column or () for column in columns), strict=True)]
    return rules.readiness(stands.completed, stands.exempt, enrolments, needed, exempt_until)


def readiness(coaches: Collection[int], day: date, known: datetime | None = None) -> dict[int, Readiness]:
    """The gate: of each of these coaches, whether they may take a referral on a day, and if not what is missing.

    The one implementation, for whatever page, import or job asks (rules, "Referral-ready"); as known at a moment (now).
    Three queries, for however many coaches.
    """
    parameters = _parameters(day, moment(known), coaches)
    stands = standing(parameters)
    with connection.cursor() as cursor:
        cursor.execute(_READINESS, parameters)
        found = {coach: _readiness(stands[coach], so_far) for coach, *so_far in cursor if coach in stands}
    return {coach: found.get(coach, rules.NO_POST_AT_ALL) for coach in coaches}


_HOLD = (
    "select 1 from workforce_coach where id = any(%(coaches)s) order by id for no key update",
    """select 1 from training_exemption
        where coach_id = any(%(coaches)s) and rule = 'training.before_referrals' and voided_at is null
        order by id for share""",
    """select 1 from training_trainingrecord t join training_course c on c.id = t.course_id
        where t.coach_id = any(%(coaches)s) and t.voided_at is null and c.kind = 'pci_health_coaching'
        order by t.id for share""",
    "select 1 from workforce_post where coach_id = any(%(coaches)s) and voided_at is null order by id for share",
)


def hold(coaches: Collection[int]) -> None:
    """Until the transaction ends, nobody takes away what the gate's answer for these coaches rests on.

    Whoever records something about a coach holds the coach first, so they wait here (`hwbc.workforce.recording`). For
    whoever does not, an import among them, the rows are held too: exemptions, training records with their courses, and
    posts. A standard is not held: it is about a day, and asks the same of everybody.
    """
    held = {"coaches": list(coaches)}
    with connection.cursor() as cursor:
        for statement in _HOLD:
            cursor.execute(statement, held)


# --- Who can take one ------------------------------------------------------------------------------------------------


class Eligible(NamedTuple):
    """A coach with a post at a PCN on a day, as somebody sees them who hands out a referral."""

    pk: int
    uuid: UUID
    name: str
    hours_per_week: Decimal  # of the post at the PCN
    open_cases: int  # at the PCN
    paused: bool  # on a long absence
    readiness: Readiness
    warnings: tuple[str, ...]  # codes of coaching.rules.WARNINGS


_OPEN = f"{known('a')} and a.starts_on <= %(day)s and {known_end('a')} > %(day)s"

_ELIGIBLE = f"""
with {GROUND}
select h.id, h.uuid, h.name, o.hours_per_week,
       (select count(*) from coaching_allocation a where a.coach_id = h.id and a.pcn_id = %(pcn)s and {_OPEN}),
       exists (select 1 from pausing b where b.coach_id = h.id and %(day)s between b.first_day and b.last_day),
       coalesce(r.done, '{{}}'), {_SO_FAR}
  from workforce_post o
  join workforce_coach h on h.id = o.coach_id and {known("h")}
  join present p on p.coach_id = h.id
  {_TRAINED}
 where o.pcn_id = %(pcn)s and {covers("o")}
   and (%(coaches)s::bigint[] is null or h.id = any(%(coaches)s::bigint[]))
 order by h.sort_name, h.id
"""


def eligible(
    pcn: int, day: date, known: datetime | None = None, *, coaches: Collection[int] | None = None
) -> list[Eligible]:
    """The coaches with a post at a PCN that covers a day: those who are ready first, then the least busy.

    Busy: open cases at the PCN for each contracted hour of the post there; the same, by name. Three queries.
    """
    parameters = {**_parameters(day, moment(known), coaches), "pcn": pcn}
    stands = standing(parameters)
    with connection.cursor() as cursor:
        cursor.execute(_ELIGIBLE, parameters)
        found = [
            Eligible._make((*row[:6], _readiness(stands[row[0]], row[7:]), rules.warnings(row[6], paused=row[5])))
            for row in cursor
            if row[0] in stands
        ]
    return sorted(found, key=lambda one: (not one.readiness.ready, one.open_cases / one.hours_per_week))


# --- Who waits, and what a coach has taken ---------------------------------------------------------------------------

# A referral `r` that a day finds received and not closed; closing has no clock of its own.
_RECEIVED = f"{known('r')} and r.received_on <= %(day)s and (r.closed_on is null or r.closed_on > %(day)s)"


def _gone(which: str) -> str:
    """SQL: the coaches whose post at a PCN has ended by %(day)s, of those posts `o` that `which` picks.

    On its last day they are there still. Who never had a post there has not left: an import may bring such a case. So
    it is, too, for whoever is not shown the posts: a coach's deputy.
    """
    return f"""gone as (
    select o.coach_id, o.pcn_id, max({known_end("o")}) as last_day from workforce_post o
     where {which} and o.starts_on <= %(day)s and {known("o")}
     group by o.coach_id, o.pcn_id having max({known_end("o")}) < %(day)s
)"""


# An allocation `a` whose coach is there to have it, among `gone`: the clock ends none, so one can outlast the post.
_THERE = "not exists (select 1 from gone g where g.coach_id = a.coach_id and g.pcn_id = a.pcn_id)"
_GONE_FROM = f"with {_gone('o.pcn_id = any(%(pcns)s)')}"
# A referral that no coach has at the end of the day.
_WAITS = f"""{_RECEIVED} and r.pcn_id = any(%(pcns)s)
   and not exists (select 1 from coaching_allocation a where a.referral_id = r.id and {_OPEN} and {_THERE})"""


class Waiting(NamedTuple):
    """A referral that no coach has, or one who has left."""

    pk: int
    uuid: UUID
    reference: str
    source: str
    priority: str
    received_on: date
    days: int  # since it was received
    pcn: str
    practice: str | None
    proposed_coach: str | None  # who was proposed for it, where the actor sees them
    handed_back: bool  # a coach had it before, and has it no more
    version: int
    pcn_id: int
    was_with: str | None  # who has it still, although their post at the PCN has ended
    post_ended_on: date | None  # its last day; None: nobody has it


_WAITING = f"""
{_GONE_FROM}, behind as (
    select distinct on (a.referral_id) a.referral_id, c.name, g.last_day
      from coaching_allocation a
      join gone g on g.coach_id = a.coach_id and g.pcn_id = a.pcn_id
      join workforce_coach c on c.id = a.coach_id
     where {_OPEN}
     order by a.referral_id, a.starts_on desc, a.id desc
)
select r.id, r.uuid, coalesce(nullif(r.reference, ''), r.uuid::text), r.source, r.priority, r.received_on,
       %(day)s::date - r.received_on, n.name, b.name, h.name,
       exists (select 1 from coaching_allocation a
                where a.referral_id = r.id and a.starts_on <= %(day)s and {known("a")} and not ({_OPEN})),
       r.version, r.pcn_id, w.name, w.last_day
  from coaching_referral r
  join workforce_organisation n on n.id = r.pcn_id
  left join workforce_organisation b on b.id = r.practice_id
  left join workforce_coach h on h.id = r.proposed_coach_id
  left join behind w on w.referral_id = r.id
 where {_WAITS}
 order by r.priority <> 'urgent', r.received_on, r.id
"""


def waiting(actor: Actor, day: date, known: datetime | None = None, *, can: Can = Can.SEE_WORK) -> list[Waiting]:
    """The referrals that wait for a coach at the PCNs whose work the actor sees: urgent first, then the longest.

    Also what a coach has whose post there has ended (H2): their allocation ends when it is given to another.

    `days` counts from the day the referral was received, also when a coach had it meanwhile. It is the wait to be
    allocated: the person's own wait goes on to their first attended contact.
    """
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, {"day": day, "known": moment(known), "pcns": sorted(actor.pcns(can))})
        return [Waiting._make(row) for row in cursor]


def waiting_by_pcn(actor: Actor, day: date, known: datetime | None = None) -> dict[int, int]:
    """PCN → how many referrals wait there: those that `waiting` lists, counted. PCNs without any are left out."""
    counted = f"{_GONE_FROM} select r.pcn_id, count(*) from coaching_referral r where {_WAITS} group by r.pcn_id"
    with connection.cursor() as cursor:
        cursor.execute(counted, {"day": day, "known": moment(known), "pcns": sorted(actor.pcns(Can.SEE_WORK))})
        return dict(cursor)


_LEFT = f"""
with {_gone("o.coach_id in (select a.coach_id from coaching_allocation a where a.id = any(%(allocations)s))")}
select a.id, g.last_day
  from coaching_allocation a
  join gone g on g.coach_id = a.coach_id and g.pcn_id = a.pcn_id
 where a.id = any(%(allocations)s) and a.starts_on <= %(day)s
"""


def left(allocations: Collection[int], day: date, known: datetime | None = None) -> dict[int, date]:
    """Allocation → the last day of its coach's post at the PCN, of those that had ended by the day; one query.

    While such an allocation is open, its referral waits.
    """
    with connection.cursor() as cursor:
        cursor.execute(_LEFT, {"day": day, "known": moment(known), "allocations": list(allocations)})
        return dict(cursor)


class LeftBehind(NamedTuple):
    """A coach whose post at a PCN has ended, and whose open cases there wait."""

    coach: int
    uuid: UUID
    pcn: int
    last_day: date
    cases: int

    @property
    def key(self) -> str:
        """What a notification of it is about."""
        return f"{self.uuid} {self.pcn} {self.last_day.isoformat()}"


_LEFT_BEHIND = f"""
with {_gone("true")}
select g.coach_id, h.uuid, g.pcn_id, g.last_day, count(*)
  from gone g
  join coaching_allocation a on a.coach_id = g.coach_id and a.pcn_id = g.pcn_id
  join coaching_referral r on r.id = a.referral_id
  join workforce_coach h on h.id = g.coach_id
 where {_OPEN} and {_RECEIVED}
 group by g.coach_id, h.uuid, g.pcn_id, g.last_day
 order by g.coach_id, g.pcn_id
"""


def left_behind(day: date, known: datetime | None = None) -> list[LeftBehind]:
    """The coaches who have left a PCN with open cases by a day, everywhere that the scope shows; one query."""
    with connection.cursor() as cursor:
        cursor.execute(_LEFT_BEHIND, {"day": day, "known": moment(known)})
        return [LeftBehind._make(row) for row in cursor]


def receiving(actor: Actor) -> list[tuple[Organisation, list[Organisation]]]:
    """The PCNs for which the actor receives referrals, each with its practices; by name, one query."""
    pcns = actor.pcns(Can.ALLOCATE)
    practice = Q(kind=Organisation.Kind.PRACTICE, parent__in=pcns)
    rows = list(Organisation.objects.filter(Q(pk__in=pcns) | practice).order_by("name", "pk"))
    return [(pcn, [row for row in rows if row.parent_id == pcn.pk]) for pcn in rows if pcn.pk in pcns]


class Contacts(NamedTuple):
    """What the sessions of a referral come to by a day."""

    attended: int
    last_on: date | None  # of the attended ones
    days_since: int | None
    next_step: str  # of the last session, attended or not; as far as what was said in it is for the actor


class Case(NamedTuple):
    """A referral that a coach has."""

    pk: int
    uuid: UUID
    reference: str
    source: str
    priority: str
    pcn: str
    received_on: date
    accepted_on: date
    version: int
    contacts: Contacts | None  # None: the actor sees no patients' sessions there, which is not "none"


_CASELOAD = f"""
with {_gone("o.coach_id = %(coach)s")}
select r.id, r.uuid, coalesce(nullif(r.reference, ''), r.uuid::text), r.source, r.priority, n.name, r.received_on,
       a.starts_on, r.version,
       r.pcn_id = any(%(care)s), s.attended, s.last_on, %(day)s::date - s.last_on, coalesce(w.next_step, '')
  from coaching_allocation a
  join coaching_referral r on r.id = a.referral_id
  join workforce_organisation n on n.id = r.pcn_id
  left join lateral (select count(*) as attended, max(s.held_on) as last_on from coaching_coachingsession s
                      where s.referral_id = r.id and s.outcome = 'attended' and s.held_on <= %(day)s and {known("s")}
                    ) s on true
  left join lateral (select s.id from coaching_coachingsession s
                      where s.referral_id = r.id and s.held_on <= %(day)s and {known("s")}
                      order by s.held_on desc, s.recorded_at desc, s.id desc limit 1) l on true
  left join coaching_sessionnote w on w.session_id = l.id
 where a.coach_id = %(coach)s and {_OPEN} and {_THERE} and {_RECEIVED}
   and (r.pcn_id = any(%(pcns)s) or (a.coach_id = any(%(own)s) and r.pcn_id = any(%(around)s)))
 order by r.priority <> 'urgent', coalesce(s.last_on, a.starts_on), r.id
"""


def caseload(actor: Actor, coach: int, day: date, known: datetime | None = None) -> list[Case]:
    """The referrals that a coach has at the end of a day, of those whose work the actor sees; one query.

    Where their post has ended, none: those wait. Whoever stands in for them has them until they are given to another.
    Urgent first, then the longest without a contact. All attended sessions of the referral count, whoever the coach
    was; somebody who sees no patients (a training hub) gets no `contacts`.
    """
    parameters: dict[str, Any] = {
        "coach": coach,
        "day": day,
        "known": moment(known),
        "pcns": sorted(actor.pcns(Can.SEE_WORK)),
        "own": sorted(actor.own(Can.SEE_WORK)),
        "around": sorted(actor.around(Can.SEE_WORK)),
        "care": sorted(actor.pcns(Can.SEE_PATIENTS)),
    }
    sees = coach in actor.own(Can.SEE_PATIENTS)
    with connection.cursor() as cursor:
        cursor.execute(_CASELOAD, parameters)
        return [Case._make((*row[:9], Contacts._make(row[10:]) if sees or row[9] else None)) for row in cursor]


# --- Cases that are somebody's ---------------------------------------------------------------------------------------


def around(actor: Actor) -> QuerySet[Referral]:
    """The referrals of the PCNs where the actor may see patients, theirs or not: what they may open with a reason."""
    return Referral.objects.filter(pcn__in=actor.around(Can.SEE_PATIENTS), voided_at=None)


def whose_case(referral: Referral) -> int | None:
    """The coach whose case it is: who has the referral, and of one that nobody has, who had it last."""
    taken = Allocation.objects.filter(referral=referral, voided_at=None)
    latest = taken.order_by(F("ends_on").desc(nulls_first=True), "-starts_on", "-pk")
    return latest.values_list("coach", flat=True).first()


def words_of(session: CoachingSession) -> SessionNote:
    """What was said in a session, as far as the scope shows it; where nothing is, a note that says nothing."""
    found = SessionNote.objects.filter(session=session).first()
    return found or SessionNote(session=session, pcn_id=session.pcn_id)


def is_opened(actor: Actor, referral: Referral) -> bool:
    """Whether the actor has opened the case with a reason, today."""
    return Opening.objects.filter(user=actor.user_id, referral=referral, day=today()).exists()


def open_cases(actor: Actor, user: User) -> int:
    """How many referrals somebody, a coach, has at the PCNs where the actor manages access.

    Those that wait because the coach's post has ended are among them: suspending hands them back like the others.
    """
    rows = Allocation.objects.for_actor(actor).filter(pcn__in=actor.pcns(Can.INVITE), coach__user=user)
    return rows.filter(ends_on=None, voided_at=None).count()


# --- Overrides -------------------------------------------------------------------------------------------------------


class TakenUnder(NamedTuple):
    """A referral that was taken under an override."""

    reference: str | None  # None: the actor does not see it
    accepted_on: date


class Override(NamedTuple):
    """An exemption that let an untrained coach take referrals for a while."""

    uuid: UUID
    coach: UUID
    coach_name: str
    starts_on: date
    ends_on: date
    state: str  # "current", "past" or "to come"
    approved_by: str
    reason: str | None  # None: the actor does not see reasons
    trained_on: date | None  # the day the coach completed the training, if by the day asked about
    taken: tuple[TakenUnder, ...]


_OVERRIDES = f"""
with {GROUND}
select x.uuid, h.uuid, h.name, x.starts_on, {known_end("x")},
       case when x.starts_on > %(day)s then 'to come' when {known_end("x")} < %(day)s then 'past' else 'current' end,
       x.approved_by, case when x.coach_id = any(%(reasons)s) then x.reason end, k.completed_on,
       coalesce(m.references, '{{}}'), coalesce(m.days, '{{}}')
  from training_exemption x
  join workforce_coach h on h.id = x.coach_id
  left join lateral (
      select min({COMPLETED_ON}) as completed_on
        from (select coalesce((select present.completed_days from present where present.coach_id = x.coach_id),
                              (select asked.completed_days from asked where asked.pcn_id = 0)) as completed_days) p
        cross join training_trainingrecord t
        join training_course c on c.id = t.course_id
       where t.coach_id = x.coach_id and {known("t")}
  ) k on true
  left join lateral (
      select array_agg(coalesce(nullif(r.reference, ''), r.uuid::text) order by a.starts_on, a.id) as references,
             array_agg(a.starts_on order by a.starts_on, a.id) as days
        from coaching_allocation a
        left join coaching_referral r
               on r.id = a.referral_id
              and (a.pcn_id = any(%(work)s) or (a.coach_id = any(%(own_work)s) and a.pcn_id = any(%(around)s)))
       where a.coach_id = x.coach_id and {known("a")}
         and a.starts_on <= %(day)s and a.starts_on >= x.starts_on and a.starts_on <= {known_end("x")}
         and (k.completed_on is null or a.starts_on < k.completed_on)
         and (a.pcn_id = any(%(places)s) or a.coach_id = any(%(own)s))
  ) m on true
 where x.rule = 'training.before_referrals' and {known("x")}
   and (x.coach_id = any(%(own)s)
        or exists (select 1 from workforce_post o
                    where o.coach_id = x.coach_id and o.pcn_id = any(%(places)s) and {known("o")}
                      and o.starts_on <= {known_end("x")} and {known_end("o")} >= x.starts_on))
 order by x.ends_on < %(day)s, x.ends_on, h.sort_name, x.id
"""


def overrides(actor: Actor, day: date, known: datetime | None = None) -> list[Override]:
    """Every override of a coach whose standing the actor sees, with the referrals taken under it by a day.

    Taken under it: accepted on a day that it covered, and before the training was completed. A PCN sees the overrides
    of the time in which a coach had a post there. Those that run or are to come stand first, the next to end first.
    """
    parameters = {
        **_parameters(day, moment(known), None),
        "places": sorted(actor.pcns(Can.SEE_STANDING)),
        "own": sorted(actor.own(Can.SEE_STANDING)),
        "reasons": sorted(actor.coaches(Can.SEE_REASONS)),
        "work": sorted(actor.pcns(Can.SEE_WORK)),
        "own_work": sorted(actor.own(Can.SEE_WORK)),
        "around": sorted(actor.around(Can.SEE_WORK)),
    }
    with connection.cursor() as cursor:
        cursor.execute(_OVERRIDES, parameters)
        return [Override._make((*row[:9], tuple(map(TakenUnder, *row[9:])))) for row in cursor]


# --- One coach: what the page about their caseload shows --------------------------------------------------------------


class Taken(NamedTuple):
    """A referral that a coach took. Nobody's identity; what lies behind a wall is null."""

    seen: bool  # the actor may see the referral; otherwise it is at another PCN
    reference: str | None
    pcn: str | None
    source: str | None
    priority: str | None
    received_on: date | None
    taken_on: date
    last_day: date | None  # of the allocation
    open: bool  # on the day
    post_ended_on: date | None  # of one that would be open: the last day of the post there, since when it waits
    closed: bool  # the referral ended with the allocation; otherwise it was handed on
    outcome: str
    readiness: str  # on the day it was taken: trained, exempt, untrained
    sees_contacts: bool
    contacts: int | None  # attended sessions on days of the allocation, up to the day
    last_contact: date | None
    recorded_at: datetime
    imported: bool
    uuid: UUID | None  # of the referral

    @property
    def outcome_words(self) -> str:
        """How it ended: one of the choices, or what a workbook said."""
        return str(dict(Referral.Outcome.choices).get(self.outcome, self.outcome))

    @property
    def source_words(self) -> str:
        """Who asked."""
        return Referral.Source(self.source).label if self.source else ""

    @property
    def is_urgent(self) -> bool:
        """Whether it was urgent."""
        return self.priority == Referral.Priority.URGENT


_TAKEN = f"""
with {GROUND}, {SUBJECT}, {_gone("o.coach_id = any(%(coaches)s::bigint[])")}, completion as (
    select min({COMPLETED_ON}) as completed_on
      from subject p
      join training_trainingrecord t on t.coach_id = p.coach_id and {known("t")}
      join training_course c on c.id = t.course_id and c.kind = 'pci_health_coaching'
)
select r.id is not null, coalesce(nullif(r.reference, ''), r.uuid::text), o.name, r.source, r.priority, r.received_on,
       a.starts_on, {shown_end("a.last_day")}, a.last_day >= %(day)s and g.last_day is null,
       case when a.last_day >= %(day)s then g.last_day end,
       coalesce(a.last_day < %(day)s and r.closed_on <= a.last_day, false),
       case when a.last_day < %(day)s and r.closed_on <= a.last_day then r.outcome else '' end,
       case when a.starts_on >= f.completed_on then 'trained'
            when exists (select 1 from training_exemption x
                          where x.coach_id = a.coach_id and x.rule = 'training.before_referrals'
                            and {covers("x", "a.starts_on")}) then 'exempt'
            else 'untrained' end,
       coalesce(r.pcn_id = any(%(care)s::bigint[]), false), k.contacts, k.last_contact,
       a.recorded_at, a.imported, r.uuid
  from (select t.*, {known_end("t")} as last_day from coaching_allocation t
         where t.coach_id = any(%(coaches)s::bigint[]) and {known("t")} and t.starts_on <= %(day)s) a
 cross join completion f
  left join gone g on g.coach_id = a.coach_id and g.pcn_id = a.pcn_id
  left join coaching_referral r on r.id = a.referral_id and r.pcn_id = any(%(work)s::bigint[])
  left join workforce_organisation o on o.id = r.pcn_id
  left join lateral (
    select count(*) as contacts, max(s.held_on) as last_contact from coaching_coachingsession s
     where s.referral_id = r.id and s.outcome = 'attended' and {known("s")}
       and s.held_on between a.starts_on and least(a.last_day, %(day)s)
  ) k on r.pcn_id = any(%(care)s::bigint[])
 order by a.last_day >= %(day)s and g.last_day is null desc, a.starts_on desc, a.id desc
"""


def taken(parameters: Mapping[str, Any]) -> list[Taken]:
    """The referrals that a coach had taken by the day: the open ones first, then the newest.

    Parameters: those of hwbc.workforce.queries.GROUND for one coach, `until`, and the PCNs whose work (`work`) and
    whose patients' contacts (`care`) may be seen.
    """
    with connection.cursor() as cursor:
        cursor.execute(_TAKEN, parameters)
        return [Taken._make(row) for row in cursor]
