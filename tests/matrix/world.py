"""The matrix's world: the cast, Lea who has left, everybody in VISITORS, and one record of each kind for everybody.

Every coach, referral, patient, reason and note has words of its own, by which a page that shows it is found out.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.db import models

from coaching.actions.opening import open_case
from coaching.models import CoachingSession, Patient, Referral
from hwbc.compliance.actions import name_deputy
from hwbc.compliance.checks import run_checks
from hwbc.compliance.jobs.actions import ask
from hwbc.kit.months import add_months
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, Job, MonthlyShare, Notification
from hwbc.workforce import actions, walls
from hwbc.workforce.actions.factors import begin_session
from hwbc.workforce.models import Absence, AuditEvent, Change, Coach, Grant, Organisation, Post
from hwbc.workforce.roles import Role
from hwbc.workforce.sessions.actions import hold
from supervision.actions.access import give_access
from supervision.actions.agreements import end_agreement
from supervision.models import Agreement, Meeting, Supervisor
from tests import facts
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory, Person, UserFactory, register, with_app
from tests.coaching.work import note
from tests.compliance import bringing
from tests.compliance.importing import Sheets
from tests.facts import ago
from tests.matrix.table import PEOPLE, PLACES, RECORDS, SHOWN_BY, WHO
from tests.pages import WRONG, an_export
from training.models import Exemption, TrainingRecord

LEFT = 20  # days ago that Lea left Riverside
REFS = {"Asha": "ASHA", "Bo": "BO", "Cai": "CAI", "Dot": "DOT", "Lea": "LEA", "Lea+": "LEA"}
CODES = {"Asha": "U99991", "Bo": "U99991", "Cai": "U99992", "Dot": "U99993", "Lea": "U99991", "Lea+": "U99993"}
PCNS = {"Riverside": "U99991", "Hilltop": "U99992", "Lakeside": "U99993"}
# Who supervises whom; those of DOT, and of Lea, sign in nowhere.
LINE = {"Asha": "SAM", "Bo": "LIN", "Cai": "NOEL", "Dot": "OLGA", "Lea": "OTTO", "Lea+": "ODA"}


@dataclass
class World:
    """What was made: where everybody is, and which record an address names."""

    cast: Cast
    people: dict[str, Person] = field(default_factory=dict)
    coaches: dict[str, Coach] = field(default_factory=dict)
    places: dict[str, Organisation] = field(default_factory=dict)
    records: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)  # kind → about whom → of the address
    link: dict[str, str] = field(default_factory=dict)  # of somebody's invitation
    rows: dict[str, list["Known"]] = field(default_factory=dict)  # table → what there is
    before: dict[str, dict[Any, str]] = field(default_factory=dict)  # table → row → what stands in it


@dataclass(frozen=True)
class Known:
    """A row, in the words of the table: about whom it is, where, whose, and by which words a page betrays it."""

    pk: Any
    coach: str  # in PEOPLE; "" where it is about none of them
    place: str  # where it is: the name of an organisation; "" for none
    user: int | None
    words: dict[str, str]  # column → what a page would show
    coaches: frozenset[str] = frozenset()  # in PEOPLE: of a coach themself, both columns of Lea's
    names: str = ""  # of what is told of another row, in the audit or to somebody: that row's identifier
    # Of a change: part of the second column → of what of it the changed row is; "open": everybody is shown the row.
    as_row: dict[str, str] = field(default_factory=dict)


def make(cast: Cast) -> World:
    """Make everything, by the actions and the import that people use."""
    world = World(cast)
    with walls.lifted("tests"):
        _places(world)
        _coaches(world)
        _work_and_facts(world)
        _people(world)
        run_checks(SETUP, today() - timedelta(days=LEFT + 4))
        run_checks(SETUP, today())
        _openings(world)
        _shares(world)
        _own(world)
        _find(world)
        invited = _user("Invited Person").user
        world.link = {"uidb36": user_pk_to_url_str(invited), "key": default_token_generator.make_token(invited)}
        for person in world.people.values():
            actions.signed_in(person.actor, user=person.user)
        world.rows = {table: _known(world, model) for table, model in walled().items()}
    return world


def _places(world: World) -> None:
    cast = world.cast
    world.places = {"ICB": cast.icb, "Northfield": cast.northfield, "Southmoor": cast.southmoor,
                    "Riverside": cast.riverside, "Hilltop": cast.hilltop, "Lakeside": cast.lakeside}  # fmt: skip
    world.places["Riverbank practice"] = OrganisationFactory.create(
        code="A99991", name="Riverbank practice", kind="practice", parent=cast.riverside
    )


def _coaches(world: World) -> None:
    cast = world.cast
    lea = CoachFactory.create(
        name="Lea Quillfeather", pcn=cast.riverside, starts_on=date.fromisoformat(ago(400)),
        ends_on=date.fromisoformat(ago(LEFT)),
    )  # fmt: skip
    register(cast.northfield, LEA=lea)
    world.coaches = {"Asha": cast.coach_asha, "Bo": cast.coach_bo, "Cai": cast.coach_cai, "Dot": cast.coach_dot,
                     "Lea": lea, "Lea+": lea}  # fmt: skip
    line: dict[str, Any] = {"coach_ref": "LEA", "name": lea.name, "email": lea.email, "hours_per_week": "30",
                            "pcn_code": "U99993", "started_on": ago(LEFT - 1), "funding": "arrs"}  # fmt: skip
    facts.bring_in(cast, {"coaches": [line]})


def _work_and_facts(world: World) -> None:
    """For each coach an agreement, a meeting, training, an exemption, an absence, a case with a session."""
    cast = world.cast
    by_hub: dict[str, list[str]] = {"HUB1": ["Asha", "Bo", "Cai", "Lea", "Lea+"], "HUB2": ["Dot"]}
    for hub, people in by_hub.items():
        sheets: dict[str, list[dict[str, Any]]] = {**facts.courses()}
        sheets["supervisors"] = [
            {"supervisor_ref": ref, "name": f"{ref.title()} Supervisor", "role": "gp"}
            for ref in sorted({LINE[name] for name in people} - {"SAM"}
                              | ({"CLEO", "HUGH"} if hub == "HUB1" else {"TESS"}))
        ]  # fmt: skip
        for name in people:
            _facts_of(name, sheets)
        facts.bring_in(cast, sheets, hub)
    for name in PEOPLE:
        case = Referral.objects.get(reference=_word(name, "case"))
        note(CoachingSession.objects.get(referral=case), note=f"{_word(name, 'note')} was said.")
        place = next(place for place, code in PCNS.items() if code == CODES[name])
        patient = Patient.objects.create(pcn=world.places[place], local_reference=_word(name, "patient"))
        Referral.objects.filter(pk=case.pk).update(patient=patient)


def _facts_of(name: str, sheets: dict[str, list[dict[str, Any]]]) -> None:
    ref, code, shift = REFS[name], CODES[name], LEFT + 10 if name == "Lea" else 0
    until = {"to": ago(LEFT)} if name == "Lea" else {}
    since = LEFT - 1 if name == "Lea+" else 300

    def add(sheet: str, **row: str) -> None:
        sheets.setdefault(sheet, []).append(row)

    if name != "Asha":  # hers are Sam's, of the cast
        add("agreements", coach_ref=ref, kind="line", supervisor_ref=LINE[name], **{"from": ago(since)}, **until)
    if name == "Bo":
        add("agreements", coach_ref=ref, kind="clinical", supervisor_ref="CLEO", **{"from": ago(since)})
        add("agreements", coach_ref=ref, kind="health_coaching", supervisor_ref="HUGH", **{"from": ago(since)})
    if name == "Lea":  # without whom a flag is raised since
        add("agreements", coach_ref=ref, kind="clinical", supervisor_ref="OTTO", **{"from": ago(since)}, **until)
    if name == "Dot":
        add("agreements", coach_ref=ref, kind="clinical", supervisor_ref="TESS", **{"from": ago(since)})
    add("supervision", **facts.meeting(ref, "line", shift + 8, supervisor_ref=LINE[name]))
    enrolled = since if name == "Lea+" else 290
    add(
        "training",
        coach_ref=ref,
        course_ref="HC4",
        enrolled_on=ago(enrolled),
        certificate_on=ago(enrolled - 1),
        attended_on=";".join(ago(enrolled - n) for n in range(1)),
        certificate_number=_word(name, "certificate"),
    )
    add(
        "exemptions",
        coach_ref=ref,
        rule="training.before_referrals",
        reason=f"{_word(name, 'reason')}: ill.",
        approved_by="Somebody Invented",
        to=ago(shift + 2),
        **{"from": ago(shift + 9)},
    )
    add("absences", coach_ref=ref, kind="sickness", to=ago(shift + 3), **{"from": ago(shift + 5)})
    add(
        "referrals",
        referral_ref=_word(name, "case"),
        pcn_code=code,
        source="nurse",
        priority="urgent",
        received_on=ago(shift + 9),
        coach_ref=ref,
        accepted_on=ago(shift + 7),
    )
    add("coaching_sessions", **facts.session(_word(name, "case"), shift + 5))
    if name in ("Asha", "Cai", "Dot"):
        place = {"Asha": "Riverside", "Cai": "Hilltop", "Dot": "Lakeside"}[name]
        add(
            "referrals",
            referral_ref=_word(place, "waits"),
            pcn_code=code,
            source="self",
            priority="routine",
            received_on=ago(8),
        )


def _word(about: str, what: str) -> str:
    """A word that nothing else has."""
    return f"QX-{about.upper().replace('+', 'NEXT')}-{what.upper()}"


def _user(name: str) -> Person:
    return Person(UserFactory.create(name=name, email=f"matrix.{name.replace(' ', '.').lower()}@example.org"))


def _people(world: World) -> None:
    cast, places, day = world.cast, world.places, today()
    there = {"asha": cast.asha, "sam": cast.sam, "mo": cast.mo, "zed": cast.zed, "lee": cast.lee, "ann": cast.ann,
             "rae": cast.rae, "pip": cast.pip, "noor": cast.nobody_yet}  # fmt: skip
    world.people = there | {who: _user(f"{who.title()} Visitor") for who in WHO if who != "out" and who not in there}

    def give(who: str, role: Role, place: str, coach: str = "", **period: date) -> Grant:
        return world.people[who].given(role, places[place], world.coaches[coach] if coach else None, **period)

    for person in world.people.values():
        with_app(person.user)
    give("bo", Role.COACH, "Riverside", "Bo")
    give("cai", Role.COACH, "Hilltop", "Cai")
    left = day - timedelta(days=LEFT)
    give("lea", Role.COACH, "Riverside", "Lea", starts_on=left - timedelta(days=100), ends_on=left)
    give("lea", Role.COACH, "Lakeside", "Lea+")
    give("hana", Role.PCN_MANAGER, "Hilltop")
    give("sue", Role.HUB_ADMIN, "Southmoor")
    give("iris", Role.HUB_ADMIN, "ICB")
    give("abe", Role.AUDITOR, "Riverside")
    give("tess", Role.AUDITOR, "Riverside")
    give("ended", Role.PCN_MANAGER, "Riverside", ends_on=day - timedelta(days=1))
    actions.end_grant(SETUP, grant=give("gone", Role.PCN_MANAGER, "Riverside"))
    give("soon", Role.PCN_MANAGER, "Riverside", starts_on=day + timedelta(days=1))
    give("shut", Role.PCN_MANAGER, "Riverside")
    give("deb", Role.RECRUITER, "Riverside")  # which opens nothing: for a deputy is somebody with access
    mos = Grant.objects.get(user=cast.mo.user)
    name_deputy(cast.mo.actor, grant=mos, user=world.people["deb"].user, starts_on=day, ends_on=day)
    world.people["shut"].user.is_active = False
    world.people["shut"].user.save()
    for place in PLACES:
        _user(f"Grantee {place}").given(Role.RECRUITER, places[place])
    for who, ref in {"lin": "LIN", "cleo": "CLEO", "hugh": "HUGH", "noel": "NOEL", "tess": "TESS"}.items():
        supervisor = Supervisor.objects.get(reference=ref)
        give_access(SETUP, supervisor=supervisor, user=world.people[who].user)
    noels = Agreement.objects.get(coach=world.coaches["Cai"], voided_at=None)
    end_agreement(SETUP, agreement=noels, ends_on=day - timedelta(days=1), version=noels.version)


def _openings(world: World) -> None:
    """At each PCN a manager who is none of the visitors has opened a case, with a reason."""
    for place, name in (("Riverside", "Asha"), ("Hilltop", "Cai"), ("Lakeside", "Dot")):
        opener = _user(f"Opener {place}")
        opener.given(Role.PCN_MANAGER, world.places[place])
        case = Referral.objects.get(reference=_word(name, "case"))
        open_case(opener.actor, referral=case, reason=f"{_word(place, 'opened')}: covers for a colleague.")


def _shares(world: World) -> None:
    last = add_months(today().replace(day=1), -1)
    for place in PLACES:
        counted: dict[str, Any] = {"on_track": 1, "asked": 1, "counted_at": "2026-01-01T00:00:00Z"}
        MonthlyShare.objects.get_or_create(pcn=world.places[place], on=last, rule="matrix", defaults=counted)


def _own(world: World) -> None:
    """A check, a check with something to correct and an export of each owner's."""
    cast = world.cast
    records = world.records
    for who, hub, ref, coach, code in (("mo", "HUB1", "ASHA", cast.coach_asha, "U99991"),
                                       ("zed", "HUB2", "DOT", cast.coach_dot, "U99993")):  # fmt: skip
        person = world.people[who]
        row = {"coach_ref": ref, "name": coach.name, "email": coach.email, "pcn_code": code, "hours_per_week": "25",
               "started_on": "2026-01-05", "funding": "arrs"}  # fmt: skip
        wrong: Sheets = {"absences": [{**WRONG["absences"][0], "coach_ref": ref}]}
        made = {
            "check": str(bringing.checked(person, {"coaches": [row]}, hub).pk),
            "refused": str(bringing.checked(person, wrong, hub).pk),
        }
        export = an_export(cast)["uuid"] if who == "mo" else _export(person)
        for kind, uuid in {**made, "export": export}.items():
            records.setdefault(kind, {})[who] = {"uuid": uuid}
        kept = hold(person.actor, address="/access/invite", fields={"email": [f"held.by.{who}@example.org"]})
        records.setdefault("held", {})[who] = {"uuid": str(kept.pk)}
        app = Authenticator.objects.get(user=person.user, type=Authenticator.Type.TOTP)
        records.setdefault("factor", {})[who] = {"pk": str(app.pk)}
        begin_session(
            user=person.user, key=f"key of {who}", how="password+totp", device=_word(who, "device"), network=""
        )
        told = Notification.objects.filter(user=person.user).earliest("made_at", "key")
        records.setdefault("notification", {})[who] = {"uuid": str(told.pk)}


def _export(person: Person) -> str:
    actor = person.actor
    with walls.within(actor.scope):
        asked = {"list": "coaches", "query": "", "format": "csv"}
        job = ask(actor, kind=Job.Kind.EXPORT, asked=asked)
    return str(bringing.done(job).pk)


def _find(world: World) -> None:
    """What the addresses name: for everybody one record of each kind."""
    left = today() - timedelta(days=LEFT)

    def first(model: Any, name: str, day: str, **which: Any) -> Any:
        rows = model.objects.filter(coach=world.coaches[name], **which).order_by(day, "pk")
        if name == "Lea":
            rows = rows.filter(**{f"{day}__lte": left})
        if name == "Lea+":
            rows = rows.filter(**{f"{day}__gt": left})
        return rows.first()

    found: dict[str, dict[str, dict[str, str]]] = {kind: {} for kind in RECORDS if kind not in world.records}
    for name in PEOPLE:
        coach = {"uuid": str(world.coaches[name].uuid)}
        if name != "Lea+":
            found["coach"][name] = coach
        for kind, model, day, which in (
            ("flag", Flag, "raised_on", {}),
            ("meeting", Meeting, "held_on", {}),
            ("agreement", Agreement, "starts_on", {"kind": "line"}),
            ("training", TrainingRecord, "enrolled_on", {}),
            ("exemption", Exemption, "starts_on", {}),
        ):
            found[kind][name] = {"uuid": str(first(model, name, day, **which).uuid)}
        found["absence"][name] = {**coach, "pk": str(first(Absence, name, "starts_on").pk)}
        where = "Lakeside" if name in ("Dot", "Lea+") else "Hilltop" if name == "Cai" else "Riverside"
        job = Post.objects.get(coach=world.coaches[name], pcn=world.places[where], voided_at=None)
        found["employment"][name] = {**coach, "pk": str(job.pk)}
        case = Referral.objects.get(reference=_word(name, "case"))
        found["case"][name] = {"uuid": str(case.uuid)}
        session = CoachingSession.objects.get(referral=case)
        found["session"][name] = {"uuid": str(case.uuid), "session": str(session.uuid)}
    for place in PLACES:
        found["waiting"][place] = {"uuid": str(Referral.objects.get(reference=_word(place, "waits")).uuid)}
        grant = Grant.objects.get(user__name=f"Grantee {place}")
        found["grant"][place] = {"uuid": str(grant.uuid)}
        found["place"][place] = {"code": world.places[place].code}
        found["person"][place] = {"uuid": str(grant.user.uuid)}
        manager = {"Riverside": "mo", "Hilltop": "hana", "Lakeside": "zed"}[place]
        managed = Grant.objects.get(user=world.people[manager].user, role=Role.PCN_MANAGER)
        found["managed"][place] = {"uuid": str(managed.uuid)}
        found["anybody's"][place] = found["case"][{"Riverside": "Asha", "Hilltop": "Cai", "Lakeside": "Dot"}[place]]
        # At Riverside Lea's, who has left it; at Lakeside hers as well, who is there now.
        who = "Cai" if place == "Hilltop" else "Lea"
        post = Post.objects.get(coach=world.coaches[who], pcn=world.places[place], voided_at=None)
        found["post"][place] = {"uuid": str(world.coaches[who].uuid), "pk": str(post.pk)}
    world.records |= found


# --- What there is, row by row ----------------------------------------------------------------------------------------

# The day by which a row about Lea belongs to one of her columns, and the columns by which a page betrays a row.
_DAY = {"supervision_agreement": "starts_on", "supervision_meeting": "held_on", "training_exemption": "starts_on",
        "training_trainingrecord": "enrolled_on", "workforce_absence": "starts_on", "workforce_post": "starts_on",
        "standards_flag": "raised_on", "coaching_allocation": "starts_on"}  # fmt: skip
_WORDS = {"workforce_coach": ("uuid", "name", "email"), "coaching_patient": ("uuid", "local_reference"),
          "coaching_referral": ("uuid", "reference"), "training_trainingrecord": ("uuid", "certificate_number"),
          "training_exemption": ("uuid", "reason"), "coaching_sessionnote": ("note",),
          "coaching_opening": ("reason",), "workforce_signin": ("device",), "workforce_draft": ("uuid",)}  # fmt: skip


def walled() -> dict[str, type[models.Model]]:
    """Every table with a wall, as the models declare it."""
    tables = {
        table for table, wall in walls.declared().items() if wall.shows and table != "workforce_auditseal"
    }  # hashes, about nobody
    return {model._meta.db_table: model for model in apps.get_models() if model._meta.db_table in tables}


def _known(world: World, model: type[models.Model]) -> list[Known]:
    table = model._meta.db_table
    assert table in SHOWN_BY, f"{table} has a wall and no line in SHOWN_BY (tests/matrix/table.py)"
    by_coach: dict[Any, str] = {world.coaches[name].pk: name for name in PEOPLE if name != "Lea+"}
    by_place: dict[Any, str] = {place.pk: name for name, place in world.places.items()}
    columns = {column.name for column in model._meta.concrete_fields}
    words = _WORDS.get(table, ("uuid",) if "uuid" in columns else ())
    left, known = today() - timedelta(days=LEFT), []
    rows: Any = model._default_manager.order_by("pk")
    for row in rows:
        coach = by_coach.get(row.pk if table == "workforce_coach" else getattr(row, "coach_id", 0), "")
        both = frozenset({coach, f"{coach}+"}) if coach == "Lea" and table == "workforce_coach" else None
        if coach == "Lea" and table in _DAY and getattr(row, _DAY[table]) > left:
            coach = "Lea+"
        place = by_place.get(getattr(row, "pcn_id", 0) or getattr(row, "organisation_id", 0), "")
        said = {name: str(getattr(row, name)) for name in words if getattr(row, name)}
        if table in ("coaching_referral", "coaching_coachingsession", "coaching_sessionnote", "coaching_patient"):
            known_by = [row.referral.reference] if isinstance(row, CoachingSession) else said.values()
            coach = next((name for name in PEOPLE for word in known_by if word.startswith(_word(name, ""))), "")
        as_row = {}
        if isinstance(row, Change):
            as_row = {"coaches": by_coach.get(row.coach, ""), "work": by_place.get(row.pcn, ""),
                      "patients": by_place.get(row.care, ""), "access": by_place.get(row.node, "")}  # fmt: skip
            as_row["open"] = "open" if row.is_open else ""
        if isinstance(row, AuditEvent):
            as_row = {"audit": "patients" if row.patients else "no patients"}
        user = row.holder if isinstance(row, Change) else getattr(row, "user_id", None)
        names = str(row.record or "") if isinstance(row, AuditEvent | Notification) else ""
        known.append(Known(row.pk, coach, place, user, said, both or frozenset({coach}), names, as_row))
    return known
