"""Every list that can be taken away as a file: what is in it, in the page's own rows, and what its words mean.

A file has the rows that its page finds for the same address, as far as the actor may export them. Everything is read
from the database when a list is found; the words of a row are made when the row is written.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any, NamedTuple

from django.forms import ChoiceField
from django.http import QueryDict
from django.utils import timezone

from coaching.models import Referral
from hwbc.compliance import trail
from hwbc.compliance.as_at import AsAt
from hwbc.compliance.catalogue import DEFINITIONS, ORDER, STATES, WORST_FIRST, rule_of
from hwbc.compliance.columns import covers, title
from hwbc.compliance.forms.audit import AuditFilter
from hwbc.compliance.forms.coaching import ReferralFilter
from hwbc.compliance.forms.flags import FlagFilter
from hwbc.compliance.forms.lists import CoachFilter, ListFilter, PcnFilter
from hwbc.compliance.queries import Node, Standing, tree
from hwbc.compliance.sentences import sentence, written
from hwbc.compliance.views import audit, caseload, coaches, flags, overrides, overview, referrals
from hwbc.kit.exports import DATE, NUMBER, Column, Row
from hwbc.standards.rules import DUE_SOON, NOT_MET, OVERDUE, Numbers
from hwbc.workforce.access import Actor
from hwbc.workforce.roles import Can

Said = list[tuple[str, str]]  # a word, and what it means


def _nothing() -> Said:
    return []


class Found(NamedTuple):
    """What an address asks for, of one list. `rows`: how many lines there will be."""

    rows: int
    lines: Iterable[Row]  # made one by one
    coaches: int | None  # whom they are about; None: they are about no coach
    nodes: Sequence[Node] = ()
    form: ListFilter | None = None
    rules: Callable[[], Said] = _nothing  # those that are in it, in words

    @property
    def about(self) -> Node | None:
        """The place that it is about: the chosen one, or the only one that the actor has."""
        tops = [node for node in self.nodes if node.depth == 0]
        chosen = self.form.node if self.form else None
        return chosen or (tops[0] if len(tops) == 1 else None)

    @property
    def codes(self) -> dict[str, str | bool]:
        """What it is narrowed to, for the audit: codes; of what was typed, only that something was."""
        form = self.form
        if form is None:
            return {}
        given = {name: form.given(name) for name in form.narrows}
        typed = [name for name in form.narrows if not isinstance(form.base_fields[name], ChoiceField)]
        return {name: bool(value) if name in typed else value for name, value in given.items()}


class Export(NamedTuple):
    """One list as a file. Its key is the name of its page, too."""

    key: str
    needs: Can  # what its page needs
    title: str
    a_row: str  # what a row is
    header: tuple[Column, ...]
    find: Callable[[Actor, QueryDict, AsAt], Found]
    filters: tuple[str, ...] = ()  # what its page can be narrowed to
    states: tuple[str, ...] = ()  # of rules, that stand in it
    terms: tuple[str, ...] = ()  # of catalogue.DEFINITIONS, that it counts by

    @property
    def labels(self) -> list[str]:
        """The headings."""
        return [column.label for column in self.header]


# --- What more than one list says -------------------------------------------------------------------------------------

_COACH = (
    Column(
        "Coach reference", "By which a workbook of the service knows the coach; otherwise a long identifier.", width=18
    ),
    Column("Name", "Of the coach."),
    Column(
        "PCN",
        "Of the coach's posts on the day: those for which you see the coach and that the filters leave.",
        width=28,
    ),
)
_RULE = (
    Column("Rule code", "Of the rule, for sorting and for machines.", width=32),
    Column("Rule title", "The rule in full words, as the pages call it.", width=36),
)
_STATE = (
    Column("State", "The rule's answer on the day, as a code.", width=14),
    Column("State in words", "The same, as the pages say it.", width=16),
)
_WHEN = (
    Column("Due on", "The day by which it is due; empty where nothing is.", DATE),
    Column(
        "Since", "The first day on which it was overdue or not met; empty where it is neither, or none is known.", DATE
    ),
)
_STANDARD = Column("Standard", "The name of the standard in force where the coach's post is.", width=18)


def _state(code: str) -> tuple[str, str]:
    return code, STATES[code][0]


def _rules(standings: Iterable[Standing], asked: Callable[[str], bool]) -> Said:
    """The rules in words, with the numbers of every standard that they were asked with."""
    standards: dict[Numbers, None] = {}
    required: dict[str, Any] = {}
    for standing in standings:
        required.update(standing.required)
        if standing.numbers is not None:
            standards.setdefault(standing.numbers)
    if not standards:
        return []
    courses = sorted(required, key=lambda code: title(code, required).casefold())
    return [(title(code, required), _rule(code, required, standards)) for code in (*ORDER, *courses) if asked(code)]


def _rule(code: str, required: Mapping[str, Any], standards: Iterable[Numbers]) -> str:
    rule = rule_of(code, required)
    asks: dict[str, list[str]] = {}
    for numbers in standards:
        asks.setdefault(rule.asks(numbers), []).append(numbers.name)
    words = [
        asked if len(asks) == 1 else f"{', '.join(dict.fromkeys(names))}: {asked}" for asked, names in asks.items()
    ]
    return f"{' '.join(words)} {rule.counted} Source: {rule.sources}."


# --- Coaches ----------------------------------------------------------------------------------------------------------


def _coaches(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    listing = coaches.listed(actor, given, as_at)
    lines, rule = coaches.exported(actor, listing.lines), listing.chosen.rule

    def rows() -> Iterator[Row]:
        titles: dict[int, dict[str, str]] = {}  # made once for the coaches of a service, who share what is required
        for person, standing in lines:
            who = (person.reference, person.name, "; ".join(person.places))
            standard = standing.numbers.name if standing.numbers else None
            names = titles.get(id(standing.required))
            if names is None:
                names = {code: title(code, standing.required) for code, _ in standing.answers}
                titles[id(standing.required)] = names
            for code, answer in standing.answers:
                if not rule or covers(rule, code):
                    why = sentence(standing, code, answer)
                    yield *who, code, names[code], *_state(answer.state), answer.due_on, answer.since, why, standard

    def rules() -> Said:
        return _rules((line.standing for line in lines), lambda code: not rule or covers(rule, code))

    return Found(coaches.answered(lines, rule), rows(), len(lines), listing.nodes, listing.form, rules)


COACHES = Export(
    "coaches",
    Can.SEE_STANDING,
    "Coaches",
    "One rule for one coach, on the day.",
    (
        *_COACH,
        *_RULE,
        *_STATE,
        *_WHEN,
        Column("Reason", "Why the answer is what it is.", width=90),
        _STANDARD,
    ),
    _coaches,
    filters=CoachFilter.narrows,
    states=tuple(STATES),
    terms=("coaches",),
)


# --- Flags ------------------------------------------------------------------------------------------------------------


def _flags(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    listing = flags.listed(actor, given, as_at)
    found = flags.exported(actor, listing.found)

    def rows() -> Iterator[Row]:
        for each in found:
            person, answer, flag = each.person, each.answer, each.flag
            said = flag and flag.acknowledged_at
            yield (
                person.reference, person.name, "; ".join(person.places), each.rule.code, each.rule.title,
                *_state(answer.state), answer.due_on, answer.since, each.why, each.remedy, each.standard,
                flag.raised_on if flag else None,
                timezone.localdate(said) if said else None,
                ((flag.acknowledged_by or "Somebody") if flag and said else None),
                flag.note if flag and said else None,
            )  # fmt: skip

    def rules() -> Said:
        codes = {each.rule.code for each in found}
        return _rules((each.standing for each in found), codes.__contains__)

    return Found(len(found), rows(), len({each.person.pk for each in found}), listing.nodes, listing.form, rules)


FLAGS = Export(
    "flags",
    Can.SEE_STANDING,
    "Flags",
    "One rule that is overdue, not met or due soon for one coach, on the day.",
    (
        *_COACH,
        *_RULE,
        *_STATE,
        *_WHEN,
        Column("Why", "Why the answer is what it is.", width=90),
        Column("What turns it green", "What is to be done, and by when.", width=60),
        _STANDARD,
        Column("Flagged on", "The day for which a check flagged it; empty where none has.", DATE),
        Column("Acknowledged on", "The day on which somebody last said what is done about it.", DATE),
        Column("Acknowledged by", "Who said so."),
        Column("Note", "What they said.", width=60),
    ),
    _flags,
    filters=FlagFilter.narrows,
    states=(NOT_MET, OVERDUE, DUE_SOON),
    terms=("flags",),
)


# --- PCNs -------------------------------------------------------------------------------------------------------------


def _overview(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    listing = overview.listed(actor, given, as_at)
    found = sorted(overview.exported(actor, listing), key=lambda each: each[1].name.casefold())

    def rows() -> Iterator[Row]:
        for pcn, row in found:
            there = listing.coaches[pcn.pk]
            waiting = "Not shared with you" if row.waiting is None else row.waiting
            for number, share in enumerate(row.shares):
                states = [listing.states[coach][number] for coach in there]
                yield (
                    pcn.code, pcn.name, row.coaches.value, waiting, share.shown.rules[0], share.shown.title,
                    share.on_track.value, share.asked.value, share.percent, *map(states.count, WORST_FIRST),
                )  # fmt: skip

    def rules() -> Said:
        return [overview.definition(shown)[:2] for shown in listing.columns]

    counted = {coach for pcn, _ in found for coach in listing.coaches[pcn.pk]}
    return Found(len(found) * len(listing.columns), rows(), len(counted), listing.nodes, listing.form, rules)


PCNS = Export(
    "overview",
    Can.SEE_OVERVIEW,
    "PCNs",
    "One rule, or rules that are counted as one, at one PCN. The last line of the page, all PCNs with each coach once, "
    "is not in the file.",
    (
        Column("PCN code", "By which the NHS knows the PCN.", width=12),
        Column("PCN", "Its name.", width=32),
        Column("Coaches", "Everybody with a post at the PCN on the day.", NUMBER),
        Column("Waiting referrals", "At the PCN on the day; the same in each of its rows.", NUMBER, 18),
        *_RULE,
        Column("On track", "Coaches for whom it is met or due soon.", NUMBER),
        Column("Asked", "Coaches of whom it is asked: all but “Paused” and “Does not apply”.", NUMBER),
        Column("Percent", "On track of asked: 100 only for all, 0 only for none; empty where nobody is asked.", NUMBER),
        *(Column(STATES[code][0], f"Coaches in this state. {STATES[code][2]}", NUMBER, 15) for code in WORST_FIRST),
    ),
    _overview,
    filters=PcnFilter.narrows,
    terms=("on_track", "two_pcns", "waiting"),
)


# --- Referrals, overrides, one's caseload -----------------------------------------------------------------------------


def _referrals(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    listing = referrals.listed(actor, given, as_at)
    found = referrals.exported(actor, listing.found)
    rows = (
        (
            row.reference, row.pcn, Referral.Priority(row.priority).label, row.received_on, row.days,
            Referral.Source(row.source).label, row.practice or "No practice recorded", row.proposed_coach or "Nobody",
            "Yes" if row.handed_back else "No", row.was_with, row.post_ended_on,
        )
        for row in found
    )  # fmt: skip
    return Found(len(found), rows, None, listing.nodes, listing.form)


REFERRALS = Export(
    "referrals",
    Can.SEE_WORK,
    "Waiting referrals",
    "One referral that no coach has on the day, or one whose post has ended.",
    (
        Column("Referral", "The reference by which the PCN finds the person. Nobody's name or NHS number."),
        Column("PCN", "Where it waits.", width=32),
        Column("Priority", "Urgent or routine.", width=12),
        Column("Received on", "The day on which the PCN received it.", DATE),
        Column("Days waiting", "From that day to the day asked about, also while a coach had it.", NUMBER, 14),
        Column("From", "Who asked.", width=28),
        Column("Practice", "Of the person, where it is recorded.", width=32),
        Column("Proposed coach", "Who was proposed for it, where you see them."),
        Column("Handed back", "Whether a coach had it before, and has it no more.", width=14),
        Column("Was with", "The coach who has it still, although their post at the PCN has ended."),
        Column("Post ended on", "The last day of that post.", DATE),
    ),
    _referrals,
    filters=ReferralFilter.narrows,
    terms=("waiting",),
)


def _overrides(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    found = overrides.exported(actor, as_at)
    rows = (
        (
            row.coach_name, row.state.capitalize(), row.starts_on, row.ends_on,
            "Not shown to your role" if row.reason is None else row.reason or "Not recorded",
            row.approved_by or "Not recorded", row.trained_on, len(row.taken),
            "; ".join(f"{each.reference or 'A referral that you do not see'}, {written(each.accepted_on)}"
                      for each in row.taken),
        )
        for row in found
    )  # fmt: skip
    return Found(len(found), rows, len({row.coach for row in found}), tree(actor))


OVERRIDES = Export(
    "overrides",
    Can.SEE_STANDING,
    "Overrides",
    "One exemption from “Trained before taking referrals”: current, to come or past on the day.",
    (
        Column("Coach", "Who was exempt."),
        Column("State", "On the day: current, to come or past.", width=12),
        Column("From", "Its first day.", DATE),
        Column("To", "Its last day.", DATE),
        Column("Reason", "Why it was given; “Not shown to your role” where you do not see reasons.", width=60),
        Column("Approved by", "Who answers for it."),
        Column("Trained on", "The day on which the coach completed the training, if by the day asked about.", DATE),
        Column("Referrals taken", "Accepted on a day that it covered, before the training was completed.", NUMBER, 18),
        Column("Which referrals", "Their references, and the day on which each was accepted.", width=60),
    ),
    _overrides,
)


def _caseload(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    by_coach = caseload.listed(actor, as_at)
    found = caseload.exported(actor, by_coach)

    def rows() -> Iterator[Row]:
        for case in found:
            seen = case.contacts
            contacts = (
                (seen.attended, seen.last_on or "No contact yet", seen.days_since, seen.next_step or "Not recorded")
                if seen
                else ("Not shown",) * 4
            )
            yield case.reference, case.pcn, Referral.Priority(case.priority).label, case.accepted_on, *contacts

    return Found(len(found), rows(), len(by_coach))


CASELOAD = Export(
    "caseload",
    Can.LOG_SESSIONS,
    "Caseload",
    "One referral that you have at the end of the day.",
    (
        Column("Referral", "The reference by which you find the person. Nobody's name or NHS number."),
        Column("PCN", "Where it was received.", width=32),
        Column("Priority", "Urgent or routine.", width=12),
        Column("Accepted on", "The day on which you took it.", DATE),
        Column("Attended sessions", "All that took place, whoever the coach was.", NUMBER, 18),
        Column("Last contact", "The day of the last attended session.", DATE),
        Column("Days since", "From that day to the day asked about.", NUMBER),
        Column("Next step", "As written down with the last session.", width=60),
    ),
    _caseload,
    terms=("caseload",),
)

# --- The audit --------------------------------------------------------------------------------------------------------


def _audit(actor: Actor, given: QueryDict, as_at: AsAt) -> Found:
    listing = audit.listed(actor, given)
    found = trail.tell(actor, list(listing.found))

    def rows() -> Iterator[Row]:
        for told in found:
            event = told.event
            yield (
                f"{event.at.astimezone(UTC):%Y-%m-%d %H:%M:%S}", told.who, told.role, told.sentence,
                event.organisation.name if event.organisation else None, event.get_outcome_display(), event.what,
                event.kind, event.record, event.request, str(event.pk),
            )  # fmt: skip

    return Found(len(found), rows(), None, (), listing.form)


AUDIT = Export(
    "audit",
    Can.SEE_AUDIT,
    "Audit",
    "One thing that somebody did or read, the newest first.",
    (
        Column("When (UTC)", "The moment, in Greenwich time all year round.", width=20),
        Column("Who", "The person, or the job of the service itself."),
        Column("Role", "The roles that they held then.", width=28),
        Column("What", "All of it as a sentence.", width=90),
        Column("Where", "The place where it was done, or where they belong.", width=32),
        Column("Outcome", "Whether it was done or refused.", width=12),
        Column("Code", "What was done, for sorting and for machines.", width=28),
        Column("Kind of record", "What kind of thing it was done to.", width=28),
        Column("Record", "That record’s long identifier.", width=38),
        Column("Request", "The reference of the request, as in the log.", width=38),
        Column("Event", "The event’s own identifier, as the sealed chain knows it.", width=38),
    ),
    _audit,
    filters=AuditFilter.parameters,
)

EXPORTS: Mapping[str, Export] = {
    export.key: export for export in (COACHES, FLAGS, PCNS, REFERRALS, OVERRIDES, CASELOAD, AUDIT)
}


def definitions(export: Export) -> Said:
    """What a list counts by, in the words of "How we count"."""
    return [DEFINITIONS[term] for term in export.terms]
