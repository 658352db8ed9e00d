"""Where somebody lands: what needs them today, whoever they are here."""

from collections.abc import Collection
from datetime import date
from typing import Any, cast

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_safe

from coaching.queries import caseload
from hwbc.compliance import trends
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import WORST_FIRST
from hwbc.compliance.evidence import READY
from hwbc.compliance.findings import Finding, finding, findings
from hwbc.compliance.queries import Person, Standing, people, standings_by_coach, waiting_referrals
from hwbc.compliance.shares import Counter
from hwbc.compliance.trends import TELLING, Trend
from hwbc.standards.queries import last_checks, unread_count
from hwbc.standards.rules import DUE_SOON, MET, NOT_MET, OVERDUE, RED
from hwbc.workforce.access import Actor, Request, signed_in
from hwbc.workforce.audit import reads
from hwbc.workforce.models import User
from hwbc.workforce.roles import ASK, Can, Role

CASES = 5  # of a coach's own on this page; the others are a link away
SHOWN = 6  # coaches on this page; all findings are a link away

# What a supervisor of a kind has to hold.
_OWED: dict[Role, tuple[str, ...]] = {
    Role.LINE_SUPERVISOR: ("supervision.line", "supervision.appraisal"),
    Role.CLINICAL_SUPERVISOR: ("supervision.clinical",),
    Role.COACHING_SUPERVISOR: ("supervision.health_coaching",),
}


@signed_in
@reads("caseload.read")
@require_safe
@any_day
def home(request: Request, as_at: AsAt) -> HttpResponse:
    """What needs somebody today: as manager or administrator, as supervisor, as coach; each part where they are one."""
    actor = request.actor
    context: dict[str, Any] = {"actor": actor, "ask": ASK, "as_at": as_at}
    if as_at.is_now:
        context["unread"] = unread_count(actor)
    if actor.can(Can.SEE_STANDING):
        seen = people(actor, as_at.day, as_at.moment)
        standings = standings_by_coach(seen, as_at.day, as_at.moment)
        context |= _oversight(actor, seen, standings, as_at) if actor.can(Can.SEE_OVERVIEW) else {}
        context |= _supervision(actor, seen, standings)
        context |= _own(actor, seen, standings, as_at)
    if cases := context.get("cases"):
        request.reading.about(cast(User, request.user), cases=len(cases))
        request.reading.concerns(context["me"].pk)
    if as_at.form.errors:
        context["form"] = as_at.form
    return render(request, "compliance/home.html", context)


def _oversight(actor: Actor, seen: list[Person], standings: dict[int, Standing], as_at: AsAt) -> dict[str, Any]:
    """For whole PCNs: the findings, how many coaches they are about, and when somebody last looked."""
    pcns = actor.pcns(Can.SEE_OVERVIEW)
    here = [person for person in seen if pcns.intersection(person.pcns)]
    found = findings(here, standings, as_at)
    by_coach: dict[int, list[Finding]] = {}  # the most urgent first, as the findings are
    for each in found:
        by_coach.setdefault(each.person.pk, []).append(each)
    return {
        "oversees": True,
        "coaches": len(here),
        "needing": list(by_coach.values())[:SHOWN],
        "all_needing": len(by_coach),
        "all_findings": len(found),
        "next_due": min((f.answer.due_on for f in found if f.answer.due_on), default=None),
        "untrained": _coaches(found, rule="training.before_referrals"),
        "overdue": _coaches(found, state=OVERDUE),
        "missing": _coaches(found, state=NOT_MET),
        "waiting": sum(waiting_referrals(actor, as_at.day, as_at.moment).values()),
        "trend": _trend(actor, pcns, {person.pk: standings[person.pk] for person in here}, as_at) if here else None,
        "may_acknowledge": actor.can(Can.ACKNOWLEDGE) and as_at.is_now,
        "may_import": actor.can(Can.IMPORT) and as_at.is_now,
        "checks": last_checks(timezone.now()) if as_at.is_now else None,
    }


def _trend(actor: Actor, pcns: Collection[int], here: dict[int, Standing], as_at: AsAt) -> Trend:
    """The most telling shares of these coaches together, by month."""
    states = {pk: [shown.of(standing).state for shown in TELLING] for pk, standing in here.items()}
    place = None if actor.own(Can.SEE_STANDING) else ""  # the list of coaches shows one's own as well
    present = Counter(TELLING, states, as_at.parameters).row("All", list(here), None, place).shares
    return trends.for_actor(actor, pcns, as_at, present, place)


def _coaches(found: list[Finding], *, rule: str | None = None, state: str | None = None) -> int:
    """How many coaches have such a finding."""
    return len(
        {
            each.person.pk
            for each in found
            if (state is None or each.answer.state == state)
            and (rule is None or (each.rule.code == rule and each.answer.state in RED))
        }
    )


def _supervision(actor: Actor, seen: list[Person], standings: dict[int, Standing]) -> dict[str, Any]:
    """For a supervisor: each supervisee and what is owed to them, the most pressing first."""
    owed = {(grant.coach_id, rule) for grant in actor.grants for rule in _OWED.get(grant.role, ())}
    if not owed:
        return {}
    lines = [line for person in seen for line in _lines(person, standings[person.pk]) if _key(line) in owed]
    return {"supervises": True, "supervisees": sorted(lines, key=_pressing)}


def _own(actor: Actor, seen: list[Person], standings: dict[int, Standing], as_at: AsAt) -> dict[str, Any]:
    """For a coach: every rule about themself, what needs them first; and the cases to see next."""
    themself = {grant.coach_id for grant in actor.grants if grant.role == Role.COACH and not grant.stands_in_for}
    if not themself:
        return {}
    person = next((person for person in seen if person.pk in themself), None)
    if person is None:
        return {"is_coach": True}
    lines = sorted(_lines(person, standings[person.pk]), key=_pressing)
    mine = [line for line in lines if line.answer.state in (*RED, DUE_SOON)]
    cases = caseload(actor, person.pk, as_at.day, as_at.moment)
    return {
        "is_coach": True,
        "me": person,
        "mine": mine,
        "fine": [line for line in lines if line not in mine],
        "cases": cases[:CASES],
        "all_cases": len(cases),
        "ready": any(line.rule.code == READY and line.answer.state == MET for line in lines),
        "not_ready": next((line for line in lines if line.rule.code == READY and line.answer.state != MET), None),
    }


def _lines(person: Person, standing: Standing) -> list[Finding]:
    return [finding(person, standing, rule, answer, None) for rule, answer in standing.answers]


def _key(line: Finding) -> tuple[int, str]:
    return line.person.pk, line.rule.code


def _pressing(line: Finding) -> tuple[Any, ...]:
    """Sorts the worst first, then the earliest date."""
    when = line.answer.since or line.answer.due_on or date.max
    return WORST_FIRST.index(line.answer.state), when, line.person.sort_name, line.rule.title
