"""Who did and read what: audit events found for whoever asks, and told in sentences. What is kept are codes."""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import Q, QuerySet
from django.utils import timezone

from coaching.models import Referral
from hwbc.kit.periods import today
from hwbc.workforce.access import Actor
from hwbc.workforce.models import AuditEvent, Coach, User
from hwbc.workforce.roles import Can, Role

PER_PAGE = 25
USUAL = timedelta(days=90)  # how far back is looked where no first day is asked for

# --- What was done, in words -----------------------------------------------------------------------------------------

# Code → what somebody did, and after the stroke what they tried to do. {it}: the record; {coach}: whom it is about;
# {person}: the user whom the facts name; {role}: a role that they name.
WORDS: Mapping[str, str] = {
    "absence.end": "set/set the last day of an absence of {coach}",
    "absence.record": "recorded/record an absence of {coach}",
    "absence.void": "withdrew/withdraw an absence of {coach}",
    "access.deputy": "made/make {person} a deputy",
    "access.end": "ended/end somebody’s access as {role}",
    "access.give_supervisor": "gave/give {person} the access that follows from supervision agreements",
    "access.grant": "gave/give {person} access as {role}",
    "access.invite": "invited/invite {it}",
    "access.restore": "let/let {it} sign in again",
    "access.send_again": "sent/send {it} the invitation again",
    "access.suspend": "suspended/suspend {it}",
    "account.attempt": "signed/sign in as {it}",
    "account.confirm": "confirmed/confirm that they are {it}",
    "account.end_session": "ended/end a session of theirs",
    "account.end_sessions": "signed/sign {it} out everywhere",
    "account.link": "linked/link the account with a provider",
    "account.password": "chose/choose a password",
    "account.reset_factors": "took/take the second factors of {it} away, to begin anew",
    "account.sign_in": "signed/sign in",
    "account.sign_out": "signed/sign out",
    "account.start_password_reset": "had/have {it} mailed the link to choose a new password",
    "account.time_out": "was/were signed out after a while",
    "agreement.agree": "recorded/record a supervision agreement of {coach}",
    "agreement.end": "ended/end a supervision agreement of {coach}",
    "agreement.void": "withdrew/withdraw a supervision agreement of {coach}",
    "case.open": "opened/open {it} with a reason",
    "caseload.read": "read/read their own caseload, with the next steps",
    "coach.add": "added/add {it} as a coach",
    "coach.read_caseload": "read/read the caseload of {coach}",
    "coach.read_reasons": "read/read why {coach} was away or exempt",
    "demo.make": "made/make the demo",
    "demo.sign_in": "signed/sign in as one of the demo’s invented people",
    "evidence.record": "recorded/record evidence of a supervisor",
    "evidence.void": "withdrew/withdraw evidence of a supervisor",
    "exemption.end": "set/set the last day of an exemption of {coach}",
    "exemption.record": "exempted/exempt {coach} from training for a while",
    "exemption.void": "withdrew/withdraw an exemption of {coach}",
    "export.list": "exported/export a list",
    "factor.add_app": "added/add an authenticator app",
    "factor.add_passkey": "added/add a passkey",
    "factor.codes": "made/make recovery codes",
    "factor.encrypt_again": "encrypted/encrypt the secrets of second factors with a new key",
    "factor.remove": "removed/remove a second factor",
    "factor.use_code": "used/use a code as second factor",
    "flag.acknowledge": "acknowledged/acknowledge a flag of {coach}",
    "flag.check": "checked/check the rules of coaches",
    "job.ask": "asked/ask the background jobs for a file or an import",
    "job.end": "ended/end a background job",
    "meeting.correct": "corrected/correct a supervision meeting of {coach}",
    "meeting.record": "recorded/record a supervision meeting of {coach}",
    "meeting.record_group": "recorded/record a group supervision meeting",
    "meeting.void": "withdrew/withdraw a supervision meeting of {coach}",
    "notification.read": "read/read a notification",
    "notification.read_all": "marked/mark all notifications as read",
    "organisation.sign_in_rules": "set/set how people sign in at {it}",
    "organisation.add": "added/add {it}",
    "overrides.read": "read/read the reasons of overrides",
    "page.refuse": "opened/open a page for which nothing that they are is enough",
    "post.add": "recorded/record a post of {coach}",
    "post.change": "changed/change the hours or funding of a post of {coach}",
    "post.correct": "corrected/correct a post of {coach}",
    "post.end": "set/set the last day of a post of {coach}",
    "post.void": "withdrew/withdraw a post of {coach}",
    "referral.allocate": "gave/give {it} to {coach}",
    "referral.allocate_with_override": "gave/give {it} to {coach}, who is not trained, with an override",
    "referral.close": "closed/close {it}",
    "referral.hand_back": "handed/hand {it} back",
    "referral.hand_back_all": "handed/hand all cases of {coach} back",
    "referral.override": "let/let {coach} take referrals without training for a while",
    "referral.read": "read/read {it} with its sessions",
    "referral.receive": "wrote/write down that {it} was received",
    "run.checks": "made/make the checks of a day",
    "run.fail": "noted/note that the checks failed",
    "run.interrupt": "noted/note that the checks were interrupted",
    "run.start": "began/begin the checks of a day",
    "session.correct": "corrected/correct a session of {it}",
    "session.log": "logged/log a session of {it}",
    "session.read": "read/read a session of {it}",
    "session.void": "withdrew/withdraw a session of {it}",
    "standard.load": "set/set what is asked of coaches",
    "supervisor.add": "added/add a supervisor",
    "supervisor.change": "changed/change what is known of a supervisor",
    "training.certify": "recorded/record a certificate of {coach}",
    "training.correct": "changed/change a training record of {coach}",
    "training.record": "recorded/record training of {coach}",
    "training.void": "withdrew/withdraw a training record of {coach}",
    "workbook.import": "brought/bring in a workbook",
}
# Where these were refused nobody knows who it was: the event's user is the one whose account it was about.
SHOWING_WHO = ("account.attempt", "account.confirm", "factor.use_code")
# What {it} is where no name is said, by how the code begins; otherwise somebody.
_IT = {"referral.": "a case", "session.": "a case", "case.": "a case", "organisation.": "a place"}
_LISTS = {
    "audit": "Audit", "caseload": "Caseload", "coaches": "Coaches", "flags": "Flags", "overrides": "Overrides",
    "overview": "PCNs", "referrals": "Waiting referrals",
}  # fmt: skip

# What the page can be narrowed to: code → words, and the codes of events that are meant; ending in a dot, all such.
READS = (
    "referral.read", "session.read", "caseload.read", "coach.read_reasons", "coach.read_caseload", "overrides.read",
)  # fmt: skip
KINDS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "read": ("Records read", READS),
    "opened": ("Cases opened with a reason", ("case.open",)),
    "override": ("Overrides and exemptions", ("referral.override", "referral.allocate_with_override", "exemption.")),
    "export": ("Exports", ("export.",)),
    "refused": ("Pages refused", ("page.refuse",)),
    "sign_in": ("Signing in and out", ("account.", "demo.sign_in")),
    "access": ("Access given and ended", ("access.",)),
    "change": ("Records changed", ()),  # all that is none of the others
}


def _codes(codes: Iterable[str]) -> Q:
    found = Q()
    for code in codes:
        found |= Q(what__startswith=code) if code.endswith(".") else Q(what=code)
    return found


def of_kind(kind: str) -> Q:
    """The events of a kind."""
    _, codes = KINDS[kind]
    return _codes(codes) if codes else ~_codes(code for _, some in KINDS.values() for code in some)


# --- Finding ----------------------------------------------------------------------------------------------------------


class Asked(NamedTuple):
    """What is looked for. `record`: what that part of the address means, as a condition."""

    who: tuple[str, ...] = ()  # words of the name
    record: Q = Q()
    kind: str = ""
    outcome: str = ""
    since: date | None = None
    until: date | None = None

    @property
    def first_day(self) -> date:
        """From which day on: the one that is asked for, or the usual one."""
        return self.since or (self.until or today()) - USUAL


def about(actor: Actor, text: str) -> Q | None:
    """The condition for a record that somebody typed: the reference of a coach or a referral, or an identifier.

    None where the actor sees no such record.
    """
    uuid = _uuid(text)
    which = Q(uuid=uuid) if uuid else Q(reference_key=text.strip().casefold())
    coaches = list(Coach.objects.for_actor(actor, Can.SEE_AUDIT).filter(which).values_list("pk", flat=True))
    referrals = Referral.objects.for_actor(actor).filter(which)
    cases = [str(found) for found in referrals.values_list("uuid", flat=True)]
    if not coaches and not cases:
        return Q(record=str(uuid)) if uuid else None
    return Q(coach__in=coaches) | Q(record__in=cases) | Q(facts__referral__in=cases)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text.strip())
    except ValueError:
        return None


def events(actor: Actor, asked: Asked) -> QuerySet[AuditEvent]:
    """The events that the actor may see and asks for, the newest first."""
    found: QuerySet[AuditEvent] = AuditEvent.objects.for_actor(actor).filter(at__gte=_begin(asked.first_day))
    if asked.until:
        found = found.filter(at__lt=_begin(asked.until + timedelta(days=1)))
    for word in asked.who:
        found = found.filter(user__name__icontains=word)
    if asked.record:
        found = found.filter(asked.record)
    if asked.kind:
        found = found.filter(of_kind(asked.kind))
    if asked.outcome:
        found = found.filter(outcome=asked.outcome)
    return found.select_related("user", "organisation").order_by("-at", "-id")


def _begin(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class Found(NamedTuple):
    """A page of events; where the older ones go on, if there are any."""

    rows: list["Told"]
    older: str


def page(actor: Actor, found: QuerySet[AuditEvent], after: str) -> Found:
    """The first events after that one (`Found.older`), told; what cannot be read is the beginning."""
    if (place := _place(after)) is not None:
        at, pk = place
        # The bound on the moment alone is what an index finds.
        found = found.filter(Q(at__lt=at) | Q(id__lt=pk), at__lte=at)
    rows = list(found[: PER_PAGE + 1])
    last = rows[PER_PAGE - 1] if len(rows) > PER_PAGE else None
    older = f"{last.at.astimezone(UTC):%Y%m%dT%H%M%S.%f}_{last.pk}" if last else ""
    return Found(tell(actor, rows[:PER_PAGE]), older)


def _place(text: str) -> tuple[datetime, UUID] | None:
    moment, _, pk = text.partition("_")
    try:
        return datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC), UUID(pk)
    except ValueError:
        return None


def readers(actor: Actor, referral: Referral) -> QuerySet[AuditEvent]:
    """Who has looked at a case, as far as the actor may see it, the newest first: its pages, and its being opened."""
    looked = AuditEvent.objects.for_actor(actor).filter(
        kind=referral._meta.label_lower,
        record=str(referral.uuid),
        what__in=("referral.read", "session.read", "case.open"),
        outcome=AuditEvent.Outcome.DONE,
    )
    return looked.select_related("user", "organisation").order_by("-at", "-id")


# --- Telling ----------------------------------------------------------------------------------------------------------


class Told(NamedTuple):
    """An event in words."""

    event: AuditEvent
    who: str
    role: str
    did: str  # what they did, or tried to do
    refused: str  # why they were refused; "" where they were not

    @property
    def sentence(self) -> str:
        """All of it: "Mo Haddad, PCN manager, opened the case R1 with a reason"."""
        who = f"{self.who}, {self.role}," if self.role else self.who
        return f"{who} tried to {self.did} and was refused{self.refused}" if self.is_refused else f"{who} {self.did}"

    @property
    def is_refused(self) -> bool:
        """Whether it was refused."""
        return self.event.outcome == AuditEvent.Outcome.REFUSED

    @property
    def reference(self) -> str:
        """The beginning of the request's reference, as pages and the log show it."""
        return str(self.event.request)[:8]


def tell(actor: Actor, found: Sequence[AuditEvent]) -> list[Told]:
    """Events in sentences; names only of what the actor sees. Three queries, however many they are."""
    coaches = {event.coach_id for event in found if event.coach_id}
    names = dict(Coach.objects.for_actor(actor, Can.SEE_AUDIT).filter(pk__in=coaches).values_list("pk", "name"))
    cases = {case for event in found if (case := _uuid(_case(event)))}
    seen = Referral.objects.for_actor(actor).filter(uuid__in=cases) if cases else ()
    references = {str(row.uuid): row.reference or str(row.uuid) for row in seen}
    users = {user for event in found if (user := _uuid(_user(event)))}
    people = {str(row.uuid): row.name for row in User.objects.filter(uuid__in=users)} if users else {}
    return [_told(event, names, references, people) for event in found]


def _case(event: AuditEvent) -> str:
    return event.record if event.kind == "coaching.referral" else str(event.facts.get("referral", ""))


def _user(event: AuditEvent) -> str:
    return event.record if event.kind == "workforce.user" else str(event.facts.get("user", ""))


def _told(
    event: AuditEvent, coaches: Mapping[int, str], references: Mapping[str, str], people: Mapping[str, str]
) -> Told:
    refused = event.outcome == AuditEvent.Outcome.REFUSED
    case, user = _case(event), _user(event)
    coach = coaches.get(event.coach_id or 0, "a coach")
    if event.what == "coach.add":
        it = coach
    elif case:
        it = f"the case {references[case]}" if case in references else "a case"
    elif event.kind == "workforce.organisation" and event.organisation:
        it = event.organisation.name
    else:
        it = people.get(user, "somebody")
    told = {"it": it, "coach": coach, "person": people.get(user, "somebody"), "role": _role(event.facts.get("role"))}
    words = _words(event).format(**told)
    did = re.sub(r"^(\w+)/(\w+)", r"\2" if refused else r"\1", words)
    why = _why(event.facts) if refused else ""
    if refused and event.what in SHOWING_WHO:
        return Told(event, "Somebody", "", did, why)
    who = event.user.name if event.user else event.by.capitalize()
    return Told(event, who, roles(event.by) if event.user else "", did, why)


def _words(event: AuditEvent) -> str:
    facts = event.facts
    if event.what.startswith("export."):
        name = event.what.removeprefix("export.")
        rows = facts.get("rows")
        many = f", {rows:,} row{'' if rows == 1 else 's'}" if isinstance(rows, int) else ""
        return f"exported/export the list “{_LISTS.get(name, name)}” as {event.kind.rpartition('.')[2].upper()}{many}"
    if event.what == "factor.use_code" and event.outcome == AuditEvent.Outcome.REFUSED:
        return "used/use a code as second factor of {it}"
    if event.what == "referral.read":
        if facts.get("reason"):
            return "read/read {it} with its sessions, having given a reason"
        return "read/read {it} with its sessions" + ("" if facts.get("words") else ", without what was said in them")
    return WORDS.get(event.what, f"did/do “{event.what}”")


def in_general(code: str) -> str:
    """What was done, without saying to whom: "set the last day of an absence of a coach". "" for no action."""
    if code not in WORDS:  # by hand; or it has another name by now
        return ""
    it = next((words for begins, words in _IT.items() if code.startswith(begins)), "somebody")
    done, _, rest = WORDS[code].replace(" as {role}", "").replace(" as {it}", "").partition("/")
    return f"{done} {rest.partition(' ')[2]}".format(it=it, coach="a coach", person="somebody")


def _role(code: Any) -> str:
    return Role(code).label if code in Role.values else "somebody"


def roles(codes: str) -> str:
    """The roles that an event names, in words."""
    found = []
    for code in filter(None, codes.split(", ")):
        name, _, deputy = code.partition(" ")
        label = Role(name).label if name in Role.values else "without a role" if name == "nobody" else name
        found.append(f"{label} (as deputy)" if deputy else label)
    return ", ".join(found)


def _why(facts: Mapping[str, Any]) -> str:
    needs = str(facts.get("needs"))
    if needs in Can.__members__:
        return f": none of their roles lets them {Can[needs].value.replace(' you may ', ' they may ')}"
    code = facts.get("refused")
    return f": {str(code).replace('_', ' ')}" if code else ""
