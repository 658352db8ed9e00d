"""What the front door asks: who somebody is, and whom they reach."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple
from uuid import UUID

from allauth.socialaccount.models import SocialAccount
from django.contrib.sessions.models import Session
from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from hwbc.kit.prepared import MANY, Prepared
from hwbc.workforce.models import Absence, Grant, Organisation, Post, SignIn, User
from hwbc.workforce.roles import DEPUTY_MAY, HELD_AT, Can, Role, allowed

if TYPE_CHECKING:
    from hwbc.workforce.access import Actor


def holding(day: date, *roles: Role, **where: Any) -> QuerySet[Grant]:
    """The grants live on a day by which an open account holds one of these roles; deputies' with them."""
    live = Q(ends_on=None) | Q(ends_on__gte=day)
    return Grant.objects.filter(
        live, role__in=roles, starts_on__lte=day, revoked_at=None, user__is_active=True, **where
    )


@dataclass(frozen=True)
class Granted:
    """One live grant with what it reaches: the organisations at and below its own, their PCNs, their coaches."""

    role: Role
    organisation_id: int
    organisation: str
    coach_id: int | None
    starts_on: date
    ends_on: date | None
    nodes: tuple[int, ...]
    pcns: tuple[int, ...]
    coaches: tuple[int, ...]
    stands_in_for: str | None = None  # whose deputy this makes them, by name
    passkey: bool = False  # whether its organisation, or one above, asks for a passkey

    def allows(self, can: Can) -> bool:
        """Whether the grant's role, or a deputy's part of it, may do this."""
        return can in allowed(self.role, self.stands_in_for is not None)


_REACH = """
with recursive live as (
    select g.id, g.role, g.organisation_id, g.coach_id, g.starts_on, g.ends_on, u.name as stands_in_for
      from workforce_grant g
      left join workforce_grant b on b.id = g.deputises_id
      left join workforce_user u on u.id = b.user_id
     where g.user_id = %(user)s and g.revoked_at is null
       and g.starts_on <= %(day)s and (g.ends_on is null or g.ends_on >= %(day)s)
       and (b.id is null or (b.revoked_at is null and b.starts_on <= %(day)s and u.is_active
                             and (b.ends_on is null or b.ends_on >= %(day)s)))
), below as (
    select id as grant_id, organisation_id as node from live
    union
    select b.grant_id, o.id from below b join workforce_organisation o on o.parent_id = b.node
), places as (
    select b.grant_id, array_agg(b.node order by b.node) as nodes,
           coalesce(array_agg(b.node order by b.node) filter (where o.kind = 'pcn'), '{}') as pcns
      from below b join workforce_organisation o on o.id = b.node
     group by b.grant_id
), above as (
    select id as grant_id, organisation_id as node from live
    union
    select a.grant_id, o.parent_id from above a join workforce_organisation o on o.id = a.node
     where o.parent_id is not null
)
select l.role, l.organisation_id, o.name, l.coach_id, l.starts_on, l.ends_on, p.nodes, p.pcns,
       case when l.coach_id is not null then array[l.coach_id]
            else array(select distinct post.coach_id from workforce_post post
                        where post.pcn_id = any(p.pcns) and post.voided_at is null order by post.coach_id)
       end, l.stands_in_for,
       exists (select 1 from above a join workforce_organisation o on o.id = a.node
                where a.grant_id = l.id and o.passkey_from <= %(day)s)
  from live l
  join places p on p.grant_id = l.id
  join workforce_organisation o on o.id = l.organisation_id
 order by l.starts_on, l.id
"""
_REACHED = Prepared("reach", _REACH, {"user": "bigint", "day": "date"})


def reach(user_id: int, day: date) -> tuple[Granted, ...]:
    """A user's grants that are live on `day`, each with what it reaches. One query for both walls.

    A PCN reaches a coach through any post there, past or present; a grant for one coach reaches that coach alone.
    Needs the walls lifted: it decides what the scope will be.
    """
    with _REACHED.ask({"user": user_id, "day": day}) as cursor:
        return tuple(
            Granted(Role(role), node, name, coach, starts, ends, tuple(nodes), tuple(pcns), tuple(coaches), *more)
            for role, node, name, coach, starts, ends, nodes, pcns, coaches, *more in cursor.fetchall()
        )


def accounts_at(email: str) -> list[User]:
    """The account with an address, if there is one: one question, whether there is or not."""
    return list(User.objects.filter(email=email.strip().lower()))


def known_at_provider(issuer: str, subject: str) -> User | None:
    """Whose account it is that somebody at an OpenID provider has opened before."""
    found = SocialAccount.objects.filter(provider=issuer, uid=subject).select_related("user").first()
    return found.user if found else None


def sessions_of(user_id: int) -> list[SignIn]:
    """Somebody's sessions that have not ended, the last used first."""
    live = Session.objects.filter(expire_date__gt=timezone.now()).values("session_key")
    return list(SignIn.objects.filter(user=user_id, ended_at=None, session_key__in=live))


# --- Who has access, and who could have it --------------------------------------------------------------------------


def _over(day: date) -> Q:
    return Q(revoked_at__isnull=False) | Q(ends_on__lt=day)


def grants(actor: "Actor", day: date, *, ended: bool = False) -> list[Grant]:
    """The grants at places where the actor may end access, by name: those that hold on `day` or later, or the ended."""
    over = _over(day)
    return list(
        Grant.objects.for_actor(actor)
        .filter(over if ended else ~over)
        .select_related("user", "organisation", "coach", "deputises__user")
        .order_by("user__sort_name", "user_id", "starts_on", "pk")
    )


def stands_for(actor: "Actor", day: date) -> list[Grant]:
    """The grants that the actor may name a deputy for: those in somebody's own right that hold on `day`, by name."""
    return [
        grant
        for grant in grants(actor, day)
        if grant.role in DEPUTY_MAY and grant.deputises_id is None and grant.covers(day) and grant.user.is_active
    ]


def may_stand_in(actor: "Actor", grant: Grant, day: date) -> list[User]:
    """Who may be the deputy of a grant's holder, by name: others with access on `day` where the actor manages it.

    For a coach: the other coaches of the PCN.
    """
    theirs = Grant.objects.for_actor(actor).filter(
        ~_over(day), starts_on__lte=day, deputises=None, user__is_active=True
    )
    if grant.role == Role.COACH:
        theirs = theirs.filter(role=Role.COACH, organisation=grant.organisation_id)
    found = theirs.exclude(user=grant.user_id).select_related("user").order_by("user__sort_name", "user_id")
    return list({each.user_id: each.user for each in found}.values())


def everything_of(actor: "Actor", user: UUID) -> list[Grant]:
    """Somebody's grants at places where the actor manages access, those that ended with them; the newest first."""
    theirs = Grant.objects.for_actor(actor).filter(user__uuid=user)
    return list(theirs.select_related("user", "organisation", "coach", "deputises__user").order_by("-starts_on", "-pk"))


def places_to_give(actor: "Actor") -> dict[Role, list[Organisation]]:
    """Role → where the actor may give it, by name; without the roles that they may give nowhere."""
    nodes = {role: actor.gives(role) for role in Role}
    places = Organisation.objects.filter(pk__in=frozenset().union(*nodes.values())).order_by("name", "pk")
    fit = [place for place in places if any(place.kind in kinds for kinds in HELD_AT.values())]
    found = {role: [place for place in fit if place.pk in nodes[role] and place.kind in HELD_AT[role]] for role in Role}
    return {role: places for role, places in found.items() if places}


def places_with_rules(actor: "Actor") -> list[Organisation]:
    """The places where the actor says how people sign in, by name."""
    return list(Organisation.objects.filter(pk__in=actor.nodes(Can.INVITE)).order_by("name", "pk"))


def posts_without_access(actor: "Actor", day: date) -> list[Post]:
    """Posts of coaches, running or to come, where the actor may give the coach access and they have none yet."""
    theirs = Grant.objects.filter(
        ~_over(day), role=Role.COACH, coach=OuterRef("coach"), organisation=OuterRef("pcn"), deputises=None
    )
    posts = (
        Post.objects.for_actor(actor, Can.INVITE)
        .filter(Q(ends_on=None) | Q(ends_on__gte=day), ~Exists(theirs), pcn__in=actor.gives(Role.COACH), voided_at=None)
        .select_related("coach", "pcn")
        .order_by("coach__sort_name", "coach_id", "pcn__name", "starts_on")
    )
    return list({(post.coach_id, post.pcn_id): post for post in posts}.values())


def still_here(actor: "Actor", can: Can, day: date) -> set[int]:
    """The coaches with a post, on the day or to come, at a PCN where the actor has `can` for everybody."""
    posts = Post.objects.filter(Q(ends_on=None) | Q(ends_on__gte=day), pcn__in=actor.pcns(can), voided_at=None)
    return set(posts.values_list("coach", flat=True))


_REGISTERS = """
with recursive up as (
    select o.id, o.parent_id from workforce_post p join workforce_organisation o on o.id = p.pcn_id
     where p.coach_id = %(coach)s and p.voided_at is null and (%(pcns)s::bigint[] is null or p.pcn_id = any(%(pcns)s))
    union
    select o.id, o.parent_id from up join workforce_organisation o on o.id = up.parent_id
)
select id from up union select register_id from workforce_coach where id = %(coach)s and register_id is not null
"""


def registers(actor: "Actor", can: Can, coach: int) -> set[int]:
    """The places whose supervisors and courses a coach may have, for this actor: their service, and the PCNs of their
    posts with what is above them; where the actor has `can` for whole PCNs, of those PCNs alone.
    """
    pcns = None if coach in actor.own(can) else sorted(actor.pcns(can))
    with connection.cursor() as cursor:
        cursor.execute(_REGISTERS, {"coach": coach, "pcns": pcns})
        return {number for (number,) in cursor}


def places(pks: Iterable[int]) -> list[Organisation]:
    """These organisations, by name."""
    return list(Organisation.objects.filter(pk__in=list(pks)).order_by("name", "pk"))


def employers(actor: "Actor", can: Can, coach: int) -> list[Organisation]:
    """Who may employ a coach: places of the actor's, providers, and who employs them in a post there already."""
    there = Post.objects.filter(coach=coach, pcn__in=actor.pcns(can), voided_at=None).values("employer")
    fit = Q(pk__in=actor.nodes(can)) | Q(kind=Organisation.Kind.PROVIDER) | Q(pk__in=there)
    return list(Organisation.objects.filter(fit).order_by("name", "pk"))


# --- Facts of the ground floor, as at a day, as known at a moment ----------------------------------------------------


def known(table: str) -> str:
    """SQL: the row was recorded by %(known)s and not voided by then."""
    return f"{table}.recorded_at <= %(known)s and ({table}.voided_at is null or {table}.voided_at > %(known)s)"


def known_end(table: str) -> str:
    """SQL: the last day of a period as known at %(known)s; infinity where it is still running, or its end not known."""
    return f"case when {table}.end_recorded_at <= %(known)s then {table}.ends_on else 'infinity'::date end"


def covers(table: str, day: str = "%(day)s::date") -> str:
    """SQL: the period covers a day, as known at %(known)s."""
    return f"({table}.starts_on <= {day} and {day} <= {known_end(table)} and {known(table)})"


def _joined(table: str, same: str) -> str:
    """SQL: periods that follow each other without a free day, joined; over all rows, also those to come."""
    return f"""
    select {same}, min(starts_on) as first_day, max(last_day) as last_day
      from (select *, sum(begins) over (partition by {same} order by starts_on) as island
              from (select *, case when starts_on <= max(last_day) over (partition by {same} order by starts_on
                                        rows between unbounded preceding and 1 preceding) + 1
                              then 0 else 1 end as begins
                      from (select t.*, {known_end("t")} as last_day from {table} t
                             where {known("t")}
                               and (%(coaches)s::bigint[] is null or t.coach_id = any(%(coaches)s::bigint[]))
                           ) as recorded) as marked) as islands
     group by {same}, island
    """


# The types of the parameters that queries of facts have.
TYPES = {
    "day": "date", "known": "timestamptz", "coaches": "bigint[]", "courses": "bigint[]", "pcns": "bigint[]",
    **dict.fromkeys(
        ("pause_after_days", "completed_days", "supervisor_tier", "supervisor_years", "supervisor_nhs_hours",
         "supervisor_caseload_hours", "supervisor_evidence_months"),
        "int[]",
    ),
}  # fmt: skip

# Common table expressions for the queries of every app; parameters: day, known, coaches (null: all), and the numbers
# that differ from the defaults as arrays (hwbc.standards.queries.parameters).
#   asked: the numbers of each PCN whose standard is not the default one
#   present: one row a coach with a post that covers the day: the current employment (rules, section 2)
#   pausing: the days on which a long absence pauses; a running one from its 14th day on, an ended one all of them
_ASKED = """
months as (
    select %(day)s::date as day,
           date_trunc('month', %(day)s::date)::date as first,
           (date_trunc('month', %(day)s::date) + interval '1 month - 1 day')::date as last,
           (date_trunc('month', %(day)s::date) - interval '1 month')::date as before_first,
           date_trunc('month', %(day)s::date)::date - 1 as before_last,
           'infinity'::date as forever  -- as a column: compared with a constant, the planner takes a join for tiny
), asked as (
    select * from unnest(%(pcns)s::bigint[], %(pause_after_days)s::int[], %(completed_days)s::int[],
                         %(supervisor_tier)s::int[], %(supervisor_years)s::int[], %(supervisor_nhs_hours)s::int[],
                         %(supervisor_caseload_hours)s::int[], %(supervisor_evidence_months)s::int[])
        as a (pcn_id, pause_after_days, completed_days, supervisor_tier, supervisor_years, supervisor_nhs_hours,
              supervisor_caseload_hours, supervisor_evidence_months)
)
"""
_PRESENT = f"""
employments as ({_joined("workforce_post", "coach_id, pcn_id, employer_id")}
), present as materialized (
    select distinct on (e.coach_id) e.coach_id, e.pcn_id, e.first_day as started_on, e.last_day as ended_on,
           coalesce(a.pause_after_days, d.pause_after_days) as pause_after_days,
           coalesce(a.completed_days, d.completed_days) as completed_days,
           coalesce(a.supervisor_tier, d.supervisor_tier) as supervisor_tier,
           coalesce(a.supervisor_years, d.supervisor_years) as supervisor_years,
           coalesce(a.supervisor_nhs_hours, d.supervisor_nhs_hours) as supervisor_nhs_hours,
           coalesce(a.supervisor_caseload_hours, d.supervisor_caseload_hours) as supervisor_caseload_hours,
           coalesce(a.supervisor_evidence_months, d.supervisor_evidence_months) as supervisor_evidence_months
      from employments e
      join workforce_organisation o on o.id = e.pcn_id
      left join asked a on a.pcn_id = e.pcn_id
      left join asked d on d.pcn_id = 0
     where e.first_day <= %(day)s and e.last_day >= %(day)s
     order by e.coach_id, e.first_day, o.code collate "C"
)
"""
_PAUSING = f"""
pausing as materialized (
    select a.coach_id,
           case when a.last_day = 'infinity' then a.first_day + p.pause_after_days - 1
                else a.first_day end as first_day,
           a.last_day
      from ({_joined("workforce_absence", "coach_id")}) a
      join present p on p.coach_id = a.coach_id
     where a.first_day <= %(day)s
       and (a.last_day = 'infinity' or a.last_day - a.first_day + 1 >= p.pause_after_days)
)
"""
GROUND = f"{_ASKED}, {_PRESENT}, {_PAUSING}"

# For very many coaches, who is present and who pauses is asked once for all statements, and kept for this transaction.
_KEPT = "present as (select * from pg_temp.kept_present)"
_GROUND_KEPT = f"{_ASKED}, {_KEPT}, pausing as (select * from pg_temp.kept_pausing)"
_KEEP = (
    "drop table if exists pg_temp.kept_present, pg_temp.kept_pausing",
    f"create temporary table kept_present on commit drop as with {_ASKED}, {_PRESENT} select * from present",
    "analyze pg_temp.kept_present",
    f"create temporary table kept_pausing on commit drop as with {_ASKED}, {_KEPT}, {_PAUSING} select * from pausing",
    "analyze pg_temp.kept_pausing",
)


class AboutCoaches(Prepared):
    """A statement over GROUND about coaches: those in the parameter `coaches`, or all."""

    def __init__(self, name: str, sql: str) -> None:
        assert GROUND in sql
        super().__init__(name, sql, TYPES, some="coaches")
        self._over_kept = sql.replace(GROUND, _GROUND_KEPT)

    @contextmanager
    def ask(self, parameters: Mapping[str, Any]) -> Iterator[Any]:
        """A cursor with the answer; over what `keep_ground` kept, where it did."""
        if not parameters.get("kept"):
            with super().ask(parameters) as cursor:
                yield cursor
        else:
            with connection.cursor() as cursor:
                cursor.execute(self._over_kept, parameters)
                yield cursor


def keep_ground(parameters: dict[str, Any]) -> dict[str, Any]:
    """The parameters for several statements over GROUND, of which each would ask again who is present and who pauses:
    for very many coaches that is asked once, and kept to the end of the transaction.
    """
    coaches = parameters["coaches"]
    if coaches is not None and len(coaches) <= MANY:
        return parameters
    with connection.cursor() as cursor:
        for statement in _KEEP:
            cursor.execute(statement, parameters)
    return {**parameters, "kept": True}


# --- One coach: posts and absences as their pages show them -----------------------------------------------------------
#
# Parameters, beside those of GROUND with one coach in `coaches`: `until`, the last day of which anything may be shown
# (an end after it is left out); `begun`, the day by which a period must have begun to be listed.

# The coach with the numbers in force on the day; without a post on it, the default ones, and nothing of an employment.
SUBJECT = """
subject as (
    select c.id as coach_id, p.pcn_id, p.started_on, p.ended_on,
           coalesce(p.pause_after_days, d.pause_after_days) as pause_after_days,
           coalesce(p.completed_days, d.completed_days) as completed_days,
           coalesce(p.supervisor_tier, d.supervisor_tier) as supervisor_tier,
           coalesce(p.supervisor_years, d.supervisor_years) as supervisor_years,
           coalesce(p.supervisor_nhs_hours, d.supervisor_nhs_hours) as supervisor_nhs_hours,
           coalesce(p.supervisor_caseload_hours, d.supervisor_caseload_hours) as supervisor_caseload_hours,
           coalesce(p.supervisor_evidence_months, d.supervisor_evidence_months) as supervisor_evidence_months
      from workforce_coach c
      left join present p on p.coach_id = c.id
      left join asked d on d.pcn_id = 0
     where c.id = any(%(coaches)s::bigint[])
)
"""


def shown_end(last_day: str) -> str:
    """SQL: the end of a period, null where it is still running or ends after what may be shown."""
    return f"case when {last_day} <= %(until)s::date then {last_day} end"


def withdrawn(table: str) -> str:
    """SQL: the row had been voided by %(known)s."""
    return f"coalesce({table}.voided_at <= %(known)s, false)"


def withdrawal(table: str) -> str:
    """SQL: when it was, null where that was after what may be shown: who did it, and why, is not theirs to see then."""
    local = f"({table}.voided_at at time zone 'Europe/London')::date"
    return f"case when {withdrawn(table)} and {local} <= %(until)s::date then {table}.voided_at end"


class PostHeld(NamedTuple):
    """A post, with the employment that it is part of; the ends are null where there are none to show."""

    pcn_id: int
    pcn: str
    employer: str
    starts_on: date
    ends_on: date | None
    hours_per_week: Decimal
    funding: str
    recorded_at: datetime
    imported: bool
    employed_from: date
    employed_to: date | None
    covers: bool  # the day
    current: bool  # part of the current employment
    outlasts: bool  # it runs on after what may be shown
    paused: bool  # the day lies in a pausing absence
    paused_until: date | None  # its last day
    pk: int

    @property
    def funding_words(self) -> str:
        """Who pays."""
        return Post.Funding(self.funding).label


_POSTS = f"""
with {GROUND}
select o.id, o.name, r.name, t.starts_on, {shown_end("t.last_day")}, t.hours_per_week, t.funding, t.recorded_at,
       t.imported, e.first_day, {shown_end("e.last_day")},
       t.starts_on <= %(day)s and %(day)s <= t.last_day,
       coalesce(p.pcn_id = t.pcn_id and p.started_on = e.first_day, false),
       t.last_day > %(until)s::date, a.coach_id is not null, {shown_end("a.last_day")}, t.id
  from (select t.*, {known_end("t")} as last_day from workforce_post t
         where t.coach_id = any(%(coaches)s::bigint[]) and {known("t")} and t.starts_on <= %(begun)s) t
  join employments e on e.coach_id = t.coach_id and e.pcn_id = t.pcn_id and e.employer_id = t.employer_id
                    and t.starts_on between e.first_day and e.last_day
  join workforce_organisation o on o.id = t.pcn_id
  join workforce_organisation r on r.id = t.employer_id
  left join present p on p.coach_id = t.coach_id
  left join pausing a on a.coach_id = t.coach_id and %(day)s between a.first_day and a.last_day
 order by t.starts_on desc, o.name, t.id
"""


def posts_held(parameters: Mapping[str, Any]) -> list[PostHeld]:
    """A coach's posts, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_POSTS, parameters)
        return [PostHeld._make(row) for row in cursor]


class Away(NamedTuple):
    """An absence, with the one that it is part of once those without a free day between them are joined."""

    kind: str
    starts_on: date
    ends_on: date | None
    recorded_at: datetime
    imported: bool
    begun: bool  # by the day
    joined_from: date
    joined_to: date | None
    joined: bool  # with others
    pauses_from: date | None  # null: it does not pause, or there was no post on the day
    pauses_to: date | None
    pause_after_days: int
    pk: int

    @property
    def kind_words(self) -> str:
        """Why they are away: for those who may see it."""
        return Absence.Kind(self.kind).label

    def days(self, day: date) -> int:
        """How many days: all of them, or up to the day while it runs."""
        return ((self.ends_on or day) - self.starts_on).days + 1


_AWAY = f"""
with {GROUND}, {SUBJECT}, joined as ({_joined("workforce_absence", "coach_id")})
select t.kind, t.starts_on, {shown_end("t.last_day")}, t.recorded_at, t.imported, t.starts_on <= %(day)s,
       j.first_day, {shown_end("j.last_day")}, j.first_day <> t.starts_on or j.last_day <> t.last_day,
       a.first_day, {shown_end("a.last_day")}, p.pause_after_days, t.id
  from subject p
  join (select t.*, {known_end("t")} as last_day from workforce_absence t
         where {known("t")} and t.starts_on <= %(begun)s) t on t.coach_id = p.coach_id
  join joined j on j.coach_id = t.coach_id and t.starts_on between j.first_day and j.last_day
  left join pausing a on a.coach_id = t.coach_id and a.last_day = j.last_day
 order by t.starts_on desc, t.id
"""


def absences(parameters: Mapping[str, Any]) -> list[Away]:
    """A coach's absences, the newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_AWAY, parameters)
        return [Away._make(row) for row in cursor]
