"""One coach: every rule explained, and what it rests on."""

from datetime import date
from typing import Any
from uuid import UUID

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.http import require_safe

from coaching.queries import Taken, taken
from hwbc.compliance import evidence
from hwbc.compliance.as_at import AsAt, any_day
from hwbc.compliance.catalogue import DEFINITIONS, GROUPS, TRAINING, WORST_FIRST
from hwbc.compliance.record import Record, find
from hwbc.compliance.timeline import timeline
from hwbc.kit.tables import Column, Table
from hwbc.workforce.access import Request, needs
from hwbc.workforce.audit import reads
from hwbc.workforce.queries import absences
from hwbc.workforce.roles import Can
from supervision.models import Meeting
from supervision.queries import Held, Month, agreements, meetings, months
from supervision.queries import evidence as supervisors_evidence
from supervision.roles import kinds
from training.queries import exemptions, records

MONTHS = 13  # a year of health coaching supervision, and the same month of the year before

MEETING_COLUMNS: list[Column[Held]] = [
    Column("held_on", "Date", lambda held: held.held_on),
    Column("kind", "Kind", lambda held: held.kind_words),
    Column("supervisor", "Supervisor", lambda held: held.supervisor.casefold()),
    Column("minutes", "Minutes", lambda held: held.minutes, numeric=True),
    Column("format", "Format and status", lambda held: (held.format, held.status)),
    Column("counts", "Counts?", lambda held: (not held.counts, held.outcome)),
]
REFERRAL_COLUMNS: list[Column[Taken]] = [
    Column("referral", "Referral", lambda row: (not row.seen, row.reference or "")),
    Column("source", "From", lambda row: row.source_words),
    Column("received_on", "Received", lambda row: (row.received_on is None, row.received_on)),
    Column("taken_on", "Accepted", lambda row: row.taken_on),
    Column("ended", "Closed", lambda row: (row.last_day is None, row.last_day)),
]
CONTACTS: Column[Taken] = Column("contacts", "Attended sessions", lambda row: row.contacts or 0, numeric=True)


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def standing(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every rule, explained."""
    record = find(request.actor, uuid, as_at, judged=True)
    context: dict[str, Any] = {}
    if record.current and record.standing:
        rules = evidence.explained(record, record.standing)
        by_group = [(group, [each for each in rules if each.finding.rule.group == group]) for group in GROUPS]
        states = [each.finding.answer.state for each in rules]
        context = {
            "groups": [(group, some) for group, some in by_group if some],
            "paired": TRAINING,
            "pair": (evidence.READY, evidence.BEFORE),
            "counts": [(states.count(state), state) for state in WORST_FIRST if state in states],
            "urgent": sorted((each for each in rules if each.needs_somebody), key=lambda each: each.finding.urgency),
        }
    return _show(request, record, "coach", context)


@needs(Can.SEE_STANDING)
@require_safe
@any_day
def supervision(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Every meeting, counting or not, and why."""
    record = find(request.actor, uuid, as_at)
    found = meetings(record.parameters)
    if record.current is None:  # nor on a day on which the coach worked where the actor does not see them
        found = [held._replace(in_employment=None) for held in found]
    kinds, counting = dict(Meeting.Kind.choices), {"yes": "Counts", "no": "Does not count"}
    kind, counts = _one_of(request.GET, "kind", kinds), _one_of(request.GET, "counts", counting)
    past = [held for held in found if held.held_on <= record.day]
    shown = [held for held in past if kind in ("", held.kind) and counts in ("", "yes" if held.counts else "no")]
    table = Table(shown, MEETING_COLUMNS, request.GET, noun=("meeting", "meetings"), default="-held_on")
    context = {
        "table": table,
        "rows": [(held, evidence.outcome(held), _mark(held.held_on, held)) for held in table.rows],
        "all_meetings": len(past),
        "filters": [
            ("Kind", _links(table, "kind", kinds, kind)),
            ("Counts", _links(table, "counts", counting, counts)),
        ],
        "planned": sorted((held for held in found if held.held_on > record.day), key=lambda held: held.held_on),
        "agreements": agreements(record.parameters),
        "months": evidence.months_shown(_months(record), record.day, record.numbers),
        "evidence": [
            (each.supervisor, evidence.items(each, record.numbers)) for each in supervisors_evidence(record.parameters)
        ],
    }
    return _show(request, record, "coach_supervision", context)


@needs(Can.SEE_STANDING)
@reads("coach.read_reasons")
@require_safe
@any_day
def training(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Training, with what is missing."""
    record = find(request.actor, uuid, as_at)
    found = records(record.parameters)
    nearest = evidence.nearest(found, record.day)
    given = [
        (each, each.reason if record.sees(Can.SEE_REASONS, each.starts_on) else "")
        for each in exemptions(record.parameters)
    ]
    if read := sum(bool(reason) for _, reason in given):
        request.reading.about(record.coach, exemptions=read)
    context = {
        "answers": evidence.training(record, found),
        "nearest": nearest,
        "missing": evidence.missing(nearest, record.day) if nearest else [],
        "records": [
            (each, evidence.missing(each, record.day) if each.is_health_coaching else [], evidence.accreditation(each),
             _mark(each.enrolled_on, each))
            for each in found
        ],
        "exemptions": given,
    }  # fmt: skip
    return _show(request, record, "coach_training", context)


@needs(Can.SEE_STANDING)
@reads("coach.read_reasons")
@require_safe
@any_day
def employment(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Posts and absences."""
    record = find(request.actor, uuid, as_at)
    joined: dict[Any, list[Any]] = {}
    for post in record.posts:
        joined.setdefault((post.pcn_id, post.employer, post.employed_from), []).append(post)
    away = [
        (each, each.kind_words if record.sees(Can.SEE_REASONS, each.starts_on) else "", each.days(record.day),
         evidence.pauses(each, record), evidence.joined(each), _mark(each.starts_on, each))
        for each in absences(record.parameters)
    ]  # fmt: skip
    if kinds_shown := sum(bool(kind) for _, kind, *_ in away):
        request.reading.about(record.coach, absences=kinds_shown)
    context = {
        "employments": list(joined.values()),
        "absences": away,
        "sees_kinds": record.sees(Can.SEE_REASONS, record.day),
    }
    return _show(request, record, "coach_employment", context)


@needs(Can.SEE_WORK)
@reads("coach.read_caseload")
@require_safe
@any_day
def caseload(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """Referrals taken."""
    record = find(request.actor, uuid, as_at, Can.SEE_WORK)
    parameters = {
        **record.parameters,
        "work": record.places(Can.SEE_WORK),
        "care": record.places(Can.SEE_PATIENTS) if record.sees(Can.SEE_PATIENTS, record.day) else [],
    }
    found = taken(parameters)
    if parameters["care"] and found:
        request.reading.about(record.coach, referrals=len(found))
        request.reading.concerns(record.coach.pk)
    columns = [*REFERRAL_COLUMNS, CONTACTS] if parameters["care"] else REFERRAL_COLUMNS
    table = Table(found, columns, request.GET, noun=("referral", "referrals"))
    context = {
        "table": table,
        "rows": [(row, _mark(row.taken_on, row)) for row in table.rows],
        "open": sum(row.open for row in found),
        "definition": DEFINITIONS["caseload"][1],
        "sees_contacts": bool(parameters["care"]),
        "untrained": sum(row.readiness == "untrained" for row in found),
    }
    return _show(request, record, "coach_caseload", context)


@needs(Can.SEE_STANDING)
@reads("coach.read_reasons")
@require_safe
@any_day
def history(request: Request, as_at: AsAt, uuid: UUID) -> HttpResponse:
    """What was written down, and when."""
    record = find(request.actor, uuid, as_at)
    table = timeline(record, request.GET)
    reasons = [row for row in table.rows if row.what in _WITH_REASONS and record.sees(Can.SEE_REASONS, row.on_day)]
    if reasons:
        request.reading.about(record.coach, entries=len(reasons))
    context = {"table": table, "changes_href": record.href("coach_changes")}
    return _show(request, record, "coach_history", context)


_WITH_REASONS = ("absence", "absence_end", "exemption")


def _show(request: Request, record: Record, page: str, context: dict[str, Any]) -> HttpResponse:
    as_at = record.as_at
    context |= {
        "record": record,
        "as_at": as_at,
        "sections": record.sections(page),
        "posts_href": record.href("coach_employment"),
        "may": _may(record),
        "breadcrumbs": [
            {"text": "Home", "href": reverse("home")},
            {"text": "Coaches", "href": f"{reverse('coaches')}{as_at.query}"},
            {"text": record.name, "href": record.href("coach")},
        ],
    }
    if as_at.form.errors:
        context["form"] = as_at.form
    return render(request, f"compliance/coach/{_TEMPLATES[page]}.html", context)


def _may(record: Record) -> dict[str, Any]:
    """What the actor may write down about the coach; nothing but as at today, and of a coach who is still theirs."""
    if not record.as_at.is_now or record.held:
        return {}
    actor, coach = record.actor, record.coach
    named = {"record": Can.RECORD, "training": Can.RECORD_TRAINING, "exempt": Can.OVERRIDE}
    may: dict[str, Any] = {name: coach.pk in actor.coaches(can) for name, can in named.items()}
    return may | {"kinds": kinds(actor, coach.pk), "as": (None, actor.user_id), "at": actor.pcns(Can.RECORD)}


_TEMPLATES = {
    "coach": "standing",
    **{f"coach_{name}": name for name in ("supervision", "training", "employment", "caseload", "history")},
}


def _months(record: Record) -> list[Month]:
    return months(record.parameters, MONTHS) if record.current else []


def _one_of(given: QueryDict, name: str, choices: dict[str, Any]) -> str:
    """A parameter of the address, or "" where it is none of the choices."""
    value = given.get(name, "")
    return value if value in choices else ""


def _links(table: Table[Any], name: str, choices: dict[str, Any], chosen: str) -> list[dict[str, Any]]:
    """The links that narrow a list by one parameter; the first takes it out."""
    return [
        {"text": words, "href": table.href(**{name: value or None, "page": None}), "current": value == chosen}
        for value, words in {"": "All", **choices}.items()
    ]


def _mark(happened_on: date, row: Any) -> str:
    return evidence.mark(happened_on, row.recorded_at, row.imported)
