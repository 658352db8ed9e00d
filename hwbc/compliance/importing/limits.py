"""What somebody may bring in on the page: rows of coaches and PCNs that they reach (rules, section 6).

The command has no limits. A row beyond them is a fault like any other: it says where it is and what to do. What lies
beyond is compared with nothing, so that no message about it can tell anything: to whoever imports, it is not there.
"""

# ruff: noqa: S608 — statements are put together from the names of sheets and columns; every value is a parameter

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from hwbc.compliance.importing.judging import Check
from hwbc.compliance.importing.reading import Workbook
from hwbc.compliance.importing.staging import execute
from hwbc.compliance.importing.steps import ENDED_BY_IMPORT, STEPS, find
from hwbc.workforce.access import Actor
from hwbc.workforce.roles import Can, Role

_ASK = "Take the row out, or ask your training hub administrator to bring it in."
_DAY = "to_char({}, 'FMDD FMMonth YYYY')"


@dataclass(frozen=True)
class Limits:
    """What an actor reaches, as parameters of the checks.

    coaches, pcns, nodes: for whom and where they may import · makes: at or below which organisations they may make
    others, below: which they may change · keeps: whose supervisors they keep, supervised: of whose supervisors they
    record evidence · exempts: the coaches whose exemptions they approve, exempts_at: the PCNs, of coaches who are new.
    """

    params: dict[str, Any]

    @classmethod
    def of(cls, actor: Actor) -> "Limits":
        """An actor's, as of now."""
        hubs = [grant for grant in actor.grants if grant.role is Role.HUB_ADMIN and grant.allows(Can.IMPORT)]
        own = {grant.coach_id for grant in actor.grants if grant.role is Role.COACH}
        sets = {
            "coaches": actor.coaches(Can.IMPORT),
            "pcns": actor.pcns(Can.IMPORT),
            "nodes": actor.nodes(Can.IMPORT),
            "makes": {node for hub in hubs for node in hub.nodes},
            "below": {node for hub in hubs for node in hub.nodes if node != hub.organisation_id},
            "keeps": actor.nodes(Can.KEEP_SUPERVISORS),
            "supervised": actor.coaches(Can.KEEP_SUPERVISORS),
            "exempts": actor.coaches(Can.OVERRIDE) - own,  # nobody decides about their own
            "exempts_at": actor.pcns(Can.OVERRIDE),
        }
        return cls({"user": actor.user_id, **{name: sorted(ids) for name, ids in sets.items()}})


# --- Whom whoever imports reaches ------------------------------------------------------------------------------------


def reach(whose: Limits | None, params: dict[str, Any]) -> None:
    """Make the temporary tables of what is there for whoever imports: coaches and referrals of the register.

    `until`: the last day of a coach's posts where they may import, as the file has them, if the coach went on
    elsewhere: what comes later is for the next PCN to record, as on the pages. Else infinity.
    """
    sets = whose.params if whose else {"coaches": None, "pcns": None}
    for statement in (_COACHES, _REFERRALS):
        execute(statement, params | sets)


_COACHES = f"""
drop table if exists pg_temp.import_reached_coaches;
create temporary table import_reached_coaches on commit drop as
with mine as (
    select id, reference_key from workforce_coach
    where register_id = %(register)s and (%(coaches)s::bigint[] is null or id = any(%(coaches)s::bigint[]))
), posts as (
    select p.coach_id, m.reference_key, p.pcn_id, o.code, p.starts_on, p.ends_on, p.end_recorded_at
    from workforce_post p join mine m on m.id = p.coach_id join workforce_organisation o on o.id = p.pcn_id
    where p.voided_at is null and %(pcns)s::bigint[] is not null
), here as (
    select coach_id, max(until) as until from (
        select p.coach_id, coalesce(p.ends_on, 'infinity'::date) as until from posts p
        where p.pcn_id = any(%(pcns)s::bigint[]) and not exists (
            select 1 from import_coaches s
            where s.coach_ref = p.reference_key and s.pcn_code = p.code and s.started_on = p.starts_on)
        union all
        select m.id, coalesce(s.left_on, case when not {ENDED_BY_IMPORT} then old.ends_on end, 'infinity'::date)
        from import_coaches s join mine m on m.reference_key = s.coach_ref
        join workforce_organisation o on o.code = s.pcn_code and o.id = any(%(pcns)s::bigint[])
        left join posts old on old.coach_id = m.id and old.pcn_id = o.id and old.starts_on = s.started_on
    ) each group by coach_id
), elsewhere as (
    select coach_id, max(coalesce(ends_on, 'infinity'::date)) as until from posts
    where not (pcn_id = any(%(pcns)s::bigint[])) group by coach_id
)
select m.id, m.reference_key, case when e.until > coalesce(h.until, '-infinity') then coalesce(h.until, '-infinity')
                                   else 'infinity' end::date as until
from mine m left join here h on h.coach_id = m.id left join elsewhere e on e.coach_id = m.id;
analyze import_reached_coaches
"""

_REFERRALS = """
drop table if exists pg_temp.import_reached_referrals;
create temporary table import_reached_referrals on commit drop as
select id, reference_key from coaching_referral
where register_id = %(register)s and (%(pcns)s::bigint[] is null or pcn_id = any(%(pcns)s::bigint[]))
and reference_key in (
    select referral_ref from import_referrals union select referral_ref from import_coaching_sessions);
analyze import_reached_referrals
"""


# --- What is beyond --------------------------------------------------------------------------------------------------


def checks(book: Workbook, whose: Limits, register: int | None) -> Iterator[Check]:
    """The checks of the sheets that the workbook has."""
    is_theirs = register in whose.params["nodes"]
    every = [
        *_of_organisations(bool(whose.params["makes"])),
        *_OF_PLACES,
        *_OF_COACHES,
        *([] if is_theirs else _OF_THE_REGISTER),
        *([] if register in whose.params["keeps"] else _OF_SUPERVISORS),
        _EXEMPTIONS,
        *_LATER,
    ]
    return (check for check in every if book.rows.get(check.sheet))


def _unlike(sheet: str) -> str:
    """SQL: rows `s` that are not there already as they are, in a sheet that becomes one kind of record."""
    [step] = STEPS[sheet]
    return (
        f"from import_{sheet} s where not s.faulty "
        f"and not exists (select 1 from ({find(step)}) f where f.row = s.row and f.what = 'same')"
    )


# Organisations that are not there already as they are. A blank parent leaves the parent as it is.
_NEW_OR_CHANGED = """
from import_organisations s
left join workforce_organisation o on o.code = s.code left join workforce_organisation p on p.id = o.parent_id
where not s.faulty and (s.name, s.kind, coalesce(s.parent_code, p.code, '')) is distinct from
                       (o.name, o.kind, coalesce(p.code, ''))
"""

# The codes below which the actor may put a place: those that are there, and new ones of this file below them.
_FIT = """
with recursive fit as (
    select code::text from workforce_organisation where id = any(%(makes)s::bigint[])
    union
    select s.code from import_organisations s join fit on s.parent_code = fit.code
    where not exists (select 1 from workforce_organisation o where o.code = s.code)
)
"""


def _of_organisations(makes: bool) -> Iterator[Check]:
    if not makes:
        yield Check(
            "organisations",
            "code",
            f"{{value}}: organisations are made and changed by training hub administrators. {_ASK}",
            f"select s.row, '' as other {_NEW_OR_CHANGED}",
        )
        return
    yield Check(
        "organisations",
        "parent_code",
        "A new organisation has to lie below a place that you administer. Write the code of such a place, "
        "or take the row out.",
        f"{_FIT} select s.row, '' as other {_NEW_OR_CHANGED} "
        "and o.id is null and not exists (select 1 from fit where fit.code = s.code)",
    )
    yield Check(
        "organisations",
        "code",
        "{value} does not lie below a place that you administer, so you cannot change it. Take the row out, or ask "
        "who administers it.",
        f"select s.row, '' as other {_NEW_OR_CHANGED} and o.id is not null and not (o.id = any(%(below)s::bigint[]))",
    )
    yield Check(
        "organisations",
        "parent_code",
        "{value} is no place that you administer, so you cannot move an organisation there. Correct it, or leave it "
        "blank.",
        f"{_FIT} select s.row, '' as other {_NEW_OR_CHANGED} and o.id = any(%(below)s::bigint[]) "
        "and s.parent_code is distinct from p.code and s.parent_code is not null "
        "and not exists (select 1 from fit where fit.code = s.parent_code)",
    )


def _of_a_place(sheet: str, column: str, message: str, but: str = "") -> Check:
    """Places that are there and not the actor's; one that is new in the file is judged in its own sheet."""
    return Check(
        sheet,
        column,
        message,
        f"select s.row, '' as other from import_{sheet} s join workforce_organisation o on o.code = s.{column} "
        f"where not (o.id = any(%(nodes)s::bigint[])) {but}",
    )


_PCN = "{value} is no PCN for which you may bring in a workbook. Correct the code, or take the row out."
_OF_PLACES = (
    _of_a_place("coaches", "pcn_code", _PCN),
    _of_a_place("referrals", "pcn_code", _PCN),
    _of_a_place(
        "referrals",
        "practice_code",
        "{value} is no practice of a PCN of yours. Correct the code, or leave it blank.",
    ),
    # As on the page for posts (hwbc.workforce.queries.employers).
    _of_a_place(
        "coaches",
        "employer_code",
        "{value} is neither a place of yours nor a provider. Correct the code, or leave it blank: then the PCN employs "
        "the coach.",
        """
        and o.kind <> 'provider' and not exists (
            select 1 from import_reached_coaches c join workforce_post p on p.coach_id = c.id
            where c.reference_key = s.coach_ref and p.employer_id = o.id and p.voided_at is null
            and p.pcn_id = any(%(pcns)s::bigint[]))
        """,
    ),
)


def _taken(sheet: str, column: str, table: str, reached: str, what: str) -> Check:
    """References that are there and that the actor does not reach: no more is said of them."""
    return Check(
        sheet,
        column,
        f"{{value}} is not the reference of one of your {what}. Correct it, choose another one, or take the row out.",
        f"select s.row, '' as other from import_{sheet} s "
        f"join {table} t on t.register_id = %(register)s and t.reference_key = s.{column} "
        f"where not exists (select 1 from {reached} r where r.id = t.id)",
    )


_OF_COACHES = (
    _taken("coaches", "coach_ref", "workforce_coach", "import_reached_coaches", "coaches"),
    _taken("referrals", "referral_ref", "coaching_referral", "import_reached_referrals", "PCNs’ referrals"),
    Check(
        "coaches",
        "name",
        "This coach has gone on to another PCN, where the name and the e-mail address are kept from now on. Write them "
        "as they were recorded with you, or take the row out.",
        """
        select s.row, '' as other from import_coaches s
        join import_reached_coaches r on r.reference_key = s.coach_ref join workforce_coach c on c.id = r.id
        where r.until < 'infinity' and (s.name, s.email) is distinct from (c.name, c.email) and not s.faulty
        """,
    ),
)

_OF_THE_REGISTER = tuple(
    Check(
        sheet,
        "course_ref",
        f"{{value}} is new or changed: courses and what is required are kept by the service they belong to. {_ASK}",
        f"select s.row, '' as other {_unlike(sheet)}",
    )
    for sheet in ("courses", "requirements")
)

_OF_SUPERVISORS = (
    Check(
        "supervisors",
        "supervisor_ref",
        f"{{value}} is new or changed: this register of supervisors is kept by the service it belongs to. {_ASK}",
        f"select s.row, '' as other {_unlike('supervisors')}",
    ),
    Check(
        "supervisor_evidence",
        "supervisor_ref",
        f"{{value}} supervises none of your coaches, so you cannot record what they have shown. {_ASK}",
        f"""
        select s.row, '' as other {_unlike("supervisor_evidence")}
        and exists (select 1 from supervision_supervisor v
                    where v.register_id = %(register)s and v.reference_key = s.supervisor_ref
                    and not exists (select 1 from supervision_agreement a where a.supervisor_id = v.id
                                    and a.voided_at is null and a.coach_id = any(%(supervised)s::bigint[])))
        and not exists (select 1 from import_agreements a where a.supervisor_ref = s.supervisor_ref)
        """,
    ),
)

# Whose agreements a file may bring is checked in its own sheet; so it may bring their supervisors' evidence with them.
_EXEMPTIONS = Check(
    "exemptions",
    "coach_ref",
    "An exemption is approved by who may approve it for this coach, and nobody decides about their own. "
    "Take the row out, and ask the coach’s PCN manager to record it.",
    f"""
    select s.row, '' as other {_unlike("exemptions")}
    and not exists (select 1 from import_reached_coaches r join workforce_coach c on c.id = r.id
                    where r.reference_key = s.coach_ref and r.id = any(%(exempts)s::bigint[])
                    and c.user_id is distinct from %(user)s)
    and (exists (select 1 from import_reached_coaches r where r.reference_key = s.coach_ref)
         or exists (select 1 from import_coaches n left join workforce_organisation o on o.code = n.pcn_code
                    where n.coach_ref = s.coach_ref
                    and not coalesce(o.id = any(%(exempts_at)s::bigint[]), false)))
    """,
)


def _later(sheet: str, column: str, day: str) -> Check:
    return Check(
        sheet,
        column,
        "The coach’s last day with you is {other}: what comes later is for the next PCN to record. Take the row out.",
        f"select s.row, {_DAY.format('c.until')} as other from import_{sheet} s "
        f"join import_reached_coaches c on c.reference_key = s.coach_ref where {day} > c.until",
    )


_LATER = (
    *(_later(sheet, "from", 's."from"') for sheet in ("absences", "exemptions", "agreements")),
    _later(
        "training",
        "enrolled_on",
        "greatest(s.enrolled_on, s.withdrawn_on, s.certificate_on, (select max(d) from unnest(s.attended_on) d))",
    ),
    _later("supervision", "held_on", "s.held_on"),
    _later("referrals", "accepted_on", "s.accepted_on"),
)
