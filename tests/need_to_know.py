"""Need to know: for every field with text in it, who may see what stands there; a world full of canaries; the search.

TABLE is the specification, written without looking at what the code allows. A canary is a word that stands in one field
of one record and nowhere else, so whatever shows it has shown that field.
"""

import html
import json
import logging
import os
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, field
from datetime import date, timedelta
from io import BytesIO
from typing import Any, NamedTuple
from uuid import uuid4

import structlog
from django.apps import apps
from django.contrib.messages.storage.cookie import CookieStorage
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from coaching.actions.opening import open_case
from coaching.models import Allocation, CoachingSession, Patient, Referral, SessionNote
from coaching.queries import around
from hwbc.compliance.checks import run_checks
from hwbc.compliance.jobs.actions import ask
from hwbc.kit.periods import today
from hwbc.standards import actions as standards
from hwbc.standards.actions import load_preset
from hwbc.standards.models import Flag, Job, Notification
from hwbc.workforce import actions, walls
from hwbc.workforce.actions.factors import begin_session
from hwbc.workforce.checks import pages
from hwbc.workforce.models import Absence, AuditEvent, Coach, Fact, Grant, Period, Post, User, sort_key
from hwbc.workforce.roles import Role
from hwbc.workforce.sessions.actions import keep
from hwbc.workforce.sessions.drafts import Mark
from supervision.actions.access import give_access
from supervision.actions.agreements import agree, end_agreement
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from tests import facts
from tests.cast import SETUP, Cast, CoachFactory, Person, person, register, signed_in
from tests.coaching.work import do
from tests.compliance import bringing
from tests.facts import ago
from tests.pages import BY_NAME
from training.models import Exemption, Requirement, TrainingRecord

# --- Who asks, and what they have to do with the record: the words of the table ---------------------------------------


class Relation(NamedTuple):
    """A role, and what joins whoever has it to the record."""

    role: str
    to: str


OWN = Relation("coach", "own record")
COLLEAGUE = Relation("coach", "own PCN, another coach's record")
OPENED = Relation("coach", "own PCN, another coach's record, whose case they opened today with a reason")
OTHER_COACH = Relation("coach", "another PCN")
LINE = Relation("line supervisor", "supervises")
CLINICAL = Relation("clinical supervisor", "supervises")
COACHING = Relation("health coaching supervisor", "supervises")
FORMER = Relation("line supervisor", "no longer supervises")
MANAGER = Relation("PCN manager", "own PCN")
SIBLING = Relation("PCN manager", "another PCN of the hub")
NEXT = Relation("PCN manager", "the PCN to which the coach moved, about what was before")
LEFT = Relation("PCN manager", "the PCN that the coach left, about what came after")
OTHER_PCN = Relation("PCN manager", "a PCN of another hub")
HUB = Relation("training hub administrator", "own hub")
OTHER_HUB = Relation("training hub administrator", "another hub")
AUDITOR = Relation("auditor", "own hub")
OTHER_AUDITOR = Relation("auditor", "another hub")
RECRUITS = Relation("recruiter or panel member", "own PCN")
ENDED = Relation("PCN manager until a month ago", "the same PCN")
ASKED = Relation("whoever asked for the job", "own job")
TYPED_IT = Relation("whoever typed it", "own draft")
CAME_IN = Relation("whoever signed in", "own browser")
NO_ROLE = Relation("signed in without a role", "another user")
SIGNED_OUT = Relation("signed out", "nobody")

# --- The specification ------------------------------------------------------------------------------------------------

Who = frozenset[Relation]

#: Who sees a coach's standing: posts, meetings, training, flags, and why any of it was withdrawn.
STANDING: Who = frozenset({OWN, LINE, CLINICAL, COACHING, MANAGER, NEXT, HUB, AUDITOR})
#: Who sees why a coach is away or let off.
REASONS: Who = frozenset({OWN, LINE, MANAGER, NEXT})
#: Who sees the work of a PCN, without anybody's identity.
WORK: Who = frozenset({OWN, MANAGER, HUB, AUDITOR, OPENED})
#: Who sees what was said in a session: the coach who has or had the case, and whoever opened it today with a reason.
SAID: Who = frozenset({OWN, OPENED})
#: Who gives access in the PCN and therefore needs addresses.
GIVES_ACCESS: Who = frozenset({MANAGER, HUB})
#: No page, file, mail or line shows it.
NOBODY: Who = frozenset()

_CODE = "a code of a fixed list, not written by anybody"
_KEY = "an identifier that the service makes, about nobody"
_CATALOGUE = "a catalogue that everybody is measured by, about nobody"
_PLACE = "names and codes of public bodies"
_NUMBERS = "numbers under fixed names, about nobody"
_LIBRARY = "a library's own table, which holds nothing of anybody"

#: Field → who may see it; or why everybody may. A field of a model that is missing here fails the build.
TABLE: dict[str, Who | str] = {
    "coaching.Allocation.voided_because": WORK - {OPENED},
    "coaching.Allocation.warnings": _CODE,
    "coaching.CoachingSession.mode": _CODE,
    "coaching.CoachingSession.outcome": _CODE,
    "coaching.CoachingSession.voided_because": SAID,  # what an import says; what somebody says is in the note
    "coaching.Opening.reason": frozenset({MANAGER}),
    "coaching.Patient.local_reference": NOBODY,
    "coaching.Patient.voided_because": NOBODY,
    "coaching.Referral.outcome": WORK,
    "coaching.Referral.priority": _CODE,
    "coaching.Referral.reference": WORK,
    "coaching.Referral.reference_key": NOBODY,
    "coaching.Referral.source": _CODE,
    "coaching.Referral.voided_because": NOBODY,
    "coaching.SessionNote.activity": _CODE,
    "coaching.SessionNote.goal_progress": _CODE,
    "coaching.SessionNote.next_step": SAID,
    "coaching.SessionNote.note": SAID,
    "coaching.SessionNote.voided_because": SAID,
    "standards.Flag.rule": _CODE,
    "standards.Flag.state": _CODE,
    "standards.FlagEvent.note": STANDING,
    "standards.FlagEvent.what": _CODE,
    "standards.Job.asked": frozenset({ASKED}),
    "standards.Job.file": _KEY,
    "standards.Job.file_name": frozenset({ASKED}),
    "standards.Job.kind": _CODE,
    "standards.Job.outcome": _CODE,
    "standards.Job.progress": _NUMBERS,
    "standards.Job.result": frozenset({ASKED}),
    "standards.MonthlyShare.rule": _CODE,
    "standards.Notification.facts": _CODE,
    "standards.Notification.key": _KEY,
    "standards.Notification.kind": _CODE,
    "standards.Run.counts": _NUMBERS,
    "standards.Run.kind": _CODE,
    "standards.Run.outcome": _CODE,
    "standards.Standard.name": _CATALOGUE,
    "standards.Standard.voided_because": NOBODY,
    "standards.StandardNumber.key": _CODE,
    "standards.StandardNumber.source": _CATALOGUE,
    "supervision.Agreement.kind": _CODE,
    "supervision.Agreement.voided_because": STANDING,
    "supervision.Evidence.kind": _CODE,
    "supervision.Evidence.text": STANDING,
    "supervision.Evidence.voided_because": NOBODY,
    "supervision.Meeting.format": _CODE,
    "supervision.Meeting.kind": _CODE,
    "supervision.Meeting.status": _CODE,
    "supervision.Meeting.voided_because": STANDING,
    "supervision.Supervisor.email": GIVES_ACCESS,
    "supervision.Supervisor.name": STANDING | {SIBLING},  # their register serves the whole hub
    "supervision.Supervisor.reference": _KEY,
    "supervision.Supervisor.reference_key": _KEY,
    "supervision.Supervisor.role": _CODE,
    "training.Course.accreditation": _CODE,
    "training.Course.kind": _CODE,
    "training.Course.provider": _CATALOGUE,
    "training.Course.reference": _CATALOGUE,
    "training.Course.reference_key": _CATALOGUE,
    "training.Course.title": _CATALOGUE,
    "training.Exemption.approved_by": STANDING,
    "training.Exemption.reason": REASONS,
    "training.Exemption.rule": _CODE,
    "training.Exemption.voided_because": REASONS,
    "training.Requirement.voided_because": NOBODY,
    "training.TrainingRecord.certificate_number": STANDING,
    "training.TrainingRecord.voided_because": STANDING,
    "workforce.Absence.kind": REASONS,
    "workforce.Absence.voided_because": REASONS,
    "workforce.AuditEvent.by": _CODE,
    "workforce.AuditEvent.facts": _CODE,
    "workforce.AuditEvent.kind": _CODE,
    "workforce.AuditEvent.outcome": _CODE,
    "workforce.AuditEvent.record": _KEY,
    "workforce.AuditEvent.request": _KEY,
    "workforce.AuditEvent.what": _CODE,
    "workforce.Coach.email": GIVES_ACCESS | {NEXT},  # it is the same there, where access is given too
    "workforce.Coach.name": STANDING,
    "workforce.Coach.reference": STANDING,
    "workforce.Coach.reference_key": NOBODY,
    "workforce.Coach.sort_name": NOBODY,
    "workforce.Coach.voided_because": NOBODY,
    "workforce.Grant.role": _CODE,
    "workforce.Organisation.code": _PLACE,
    "workforce.Organisation.kind": _CODE,
    "workforce.Organisation.name": _PLACE,
    "workforce.Post.funding": _CODE,
    "workforce.Post.voided_because": STANDING,
    "workforce.User.email": GIVES_ACCESS | {OWN},  # what a passkey of one's own is made for
    "workforce.User.name": STANDING | {OPENED},  # who withdrew a session
    "workforce.User.password": NOBODY,
    "workforce.User.sort_name": NOBODY,
    "account.EmailAddress.email": NOBODY,
    "account.EmailConfirmation.key": _LIBRARY,
    "auth.Group.name": _LIBRARY,
    "auth.Permission.codename": _LIBRARY,
    "auth.Permission.name": _LIBRARY,
    "contenttypes.ContentType.app_label": _LIBRARY,
    "contenttypes.ContentType.model": _LIBRARY,
    "mfa.Authenticator.data": "encrypted, and shown to nobody: tests/workforce/test_factors.py",
    "mfa.Authenticator.type": _CODE,
    **dict.fromkeys(("socialaccount.SocialAccount.provider", "socialaccount.SocialAccount.uid"), _KEY),
    "socialaccount.SocialAccount.extra_data": "empty: nothing that a provider says is kept",
    **dict.fromkeys(
        (
            *(
                f"socialaccount.SocialApp.{name}"
                for name in ("client_id", "key", "name", "provider", "provider_id", "secret", "settings")
            ),
            "socialaccount.SocialToken.token",
            "socialaccount.SocialToken.token_secret",
        ),
        "a library's own table, closed to the application",
    ),
    "workforce.AuditSeal.hash": _KEY,
    **dict.fromkeys((f"workforce.Change.{name}" for name in ("by", "kind", "op", "what")), _CODE),
    "workforce.Change.request": _KEY,
    "workforce.Change.said": "as the row that was changed, texts by their length: tests/workforce/test_history.py",
    **dict.fromkeys((f"workforce.Draft.{name}" for name in ("address", "form", "token")), _KEY),
    "workforce.Draft.fields": frozenset({TYPED_IT}),
    "workforce.SignIn.device": frozenset({CAME_IN}),
    "workforce.SignIn.how": _CODE,
    **dict.fromkeys(
        (f"workforce.SignIn.{name}" for name in ("network", "session_key")),
        "the person's own, on their own page: tests/workforce/test_sessions.py",
    ),
    "sessions.Session.session_data": NOBODY,
    "sessions.Session.session_key": NOBODY,
}

#: Looked for as they are, and not by a word in the field. Of a session's data: the key of a link, by a test of its own.
SECRETS = {"workforce.User.password", "sessions.Session.session_data", "sessions.Session.session_key"}
#: The same words as another field's, in another shape: found where that one is.
SAME_AS = {
    "coaching.Referral.reference_key": "coaching.Referral.reference",
    "workforce.Coach.reference_key": "workforce.Coach.reference",
    "workforce.Coach.sort_name": "workforce.Coach.name",
    "workforce.User.sort_name": "workforce.User.name",
    "account.EmailAddress.email": "workforce.User.email",
}


def confidential(name: str) -> bool:
    """Whether a field of the table is not for everybody."""
    return not isinstance(TABLE[name], str)


def fields_with_text(of: Iterable[type[models.Model]] | None = None) -> set[str]:
    """Every field, of these models or of all, in which words can stand."""
    texts = (models.CharField, models.TextField, models.JSONField, models.BinaryField, models.FileField)
    return {
        f"{model._meta.label}.{each.name}"
        for model in of or apps.get_models(include_auto_created=True)
        for each in model._meta.concrete_fields
        if isinstance(each.base_field if isinstance(each, ArrayField) else each, texts)
    }


# --- The world --------------------------------------------------------------------------------------------------------

_WORD = re.compile(r"canary(?:-[a-z]+)+-\d{3}")
BO, DOT, EVE, EVE_LATER, MOS_JOB, TYPED = "Bo", "Dot", "Eve at Riverside", "Eve at Hilltop", "Mo's job", "typed"
MOS_DRAFT, BOS_BROWSER = "Mo's draft", "Bo's browser"
AWAY = {"BO": "parental", "DOT": "sickness", "EVE": "annual_leave", "LATER": "other"}  # of each, why they were away
WORDS = {"parental": BO, "sickness": DOT, "annual leave": EVE}  # what a page calls it, and whose it is
MOVED = 20  # days ago: Eve's last day at Riverside


@dataclass
class World:
    """Coaches with everything that can stand in a record, people in every relation to them, and the canaries."""

    cast: Cast
    people: dict[str, Person | None] = field(default_factory=dict)
    planted: dict[str, tuple[str, str]] = field(default_factory=dict)  # canary → field, whose record
    coaches: dict[str, Coach] = field(default_factory=dict)
    link: dict[str, str] = field(default_factory=dict)

    def canary(self, name: str, subject: str) -> str:
        """A word for one field of one record."""
        assert name in TABLE or subject == TYPED, name
        slug = "-".join(name.split(".")[1:]).replace("_", "-").lower()
        word = f"canary-{slug}-{len(self.planted):03}"
        self.planted[word] = name, subject
        return word

    def plant(self, row: models.Model, name: str, subject: str, shape: str = "{}") -> None:
        """Put a new canary into a field of a row."""
        word = shape.format(self.canary(f"{row._meta.label}.{name}", subject))
        values = {name: word}
        keys = {"name": ("sort_name", sort_key), "reference": ("reference_key", str.casefold)}
        if name in keys and hasattr(row, keys[name][0]):
            other, made = keys[name]
            values[other] = made(word)
        type(row)._default_manager.filter(pk=row.pk).update(**values)
        for key, value in values.items():
            setattr(row, key, value)

    def relation(self, who: str, subject: str) -> Relation:
        """What somebody has to do with a record."""
        return RELATIONS[subject].get(who, ELSEWHERE[who])


ELSEWHERE = {  # of everybody to a record that they have nothing to do with
    "bo": OTHER_COACH, "asha": OTHER_COACH, "dot": OTHER_COACH, "eve": OTHER_COACH,
    "line": FORMER, "clinical": FORMER, "coaching": FORMER, "former": FORMER,
    "mo": OTHER_PCN, "hilltop": SIBLING, "zed": OTHER_PCN,
    "lee": OTHER_HUB, "southmoor": OTHER_HUB, "ann": OTHER_AUDITOR,
    "rae": RECRUITS, "pip": RECRUITS, "gone": ENDED, "nobody": NO_ROLE, "signed out": SIGNED_OUT,
}  # fmt: skip
RELATIONS: dict[str, dict[str, Relation]] = {
    BO: {"bo": OWN, "asha": OPENED, "line": LINE, "clinical": CLINICAL, "coaching": COACHING, "former": FORMER,
         "mo": MANAGER, "hilltop": SIBLING, "zed": OTHER_PCN, "lee": HUB, "ann": AUDITOR},
    DOT: {"dot": OWN, "zed": MANAGER, "southmoor": HUB},
    EVE: {"eve": OWN, "asha": COLLEAGUE, "bo": COLLEAGUE, "mo": MANAGER, "hilltop": NEXT, "lee": HUB, "ann": AUDITOR},
    EVE_LATER: {"eve": OWN, "mo": LEFT, "hilltop": MANAGER, "lee": HUB, "ann": AUDITOR},
    MOS_JOB: {"mo": ASKED},
    MOS_DRAFT: {"mo": TYPED_IT},
    BOS_BROWSER: {"bo": CAME_IN},
    TYPED: {},
}  # fmt: skip


def make_world(cast: Cast) -> World:
    """Everybody and everything, by the import and the actions; then each confidential field gets its canary."""
    world = World(cast)
    _people(world)
    with walls.lifted("tests"):
        _records(world)
        _known_for_three_days()
        _plant_in_people(world)
        for subject, coach in world.coaches.items():
            _plant_in_records(world, subject, coach)
    _open(world)
    _acknowledge(world)
    _jobs(world)
    _draft(world)
    _browser(world)
    return world


def _people(world: World) -> None:
    cast = world.cast
    with walls.lifted("tests"):
        eve = CoachFactory.create(name="Eve Invented", pcn=cast.riverside)
    world.coaches = {BO: cast.coach_bo, DOT: cast.coach_dot, EVE: eve}
    register(cast.northfield, EVE=eve)
    world.people = {
        "asha": cast.asha, "mo": cast.mo, "lee": cast.lee, "ann": cast.ann, "rae": cast.rae, "pip": cast.pip,
        "zed": cast.zed, "nobody": cast.nobody_yet, "signed out": None,
        "bo": person("Bo Lindqvist"), "dot": person("Dot Ferreira"), "eve": person("Eve Invented"),
        "line": person("Lin Invented"), "clinical": person("Cli Invented"), "coaching": person("Hal Invented"),
        "former": person("Fay Invented"), "hilltop": person("Hil Invented"), "southmoor": person("Sou Invented"),
        "gone": person("Gus Invented"),
    }  # fmt: skip
    for who, role, where in (
        ("hilltop", Role.PCN_MANAGER, cast.hilltop),
        ("southmoor", Role.HUB_ADMIN, cast.southmoor),
        ("gone", Role.PCN_MANAGER, cast.riverside),
    ):
        grant = _person(world, who).given(role, where)
    with walls.lifted("tests"):
        actions.end_grant(SETUP, grant=grant)  # the last one
    _person(world, "bo").given(Role.COACH, cast.riverside, cast.coach_bo)
    _person(world, "dot").given(Role.COACH, cast.lakeside, cast.coach_dot)
    _person(world, "eve").given(Role.COACH, cast.riverside, eve)


def _person(world: World, who: str) -> Person:
    found = world.people[who]
    assert found is not None
    return found


def _records(world: World) -> None:
    cast = world.cast
    names = {"line": "line_manager", "clinical": "gp", "coaching": "health_coach", "former": "line_manager"}
    supervisors = [
        {"supervisor_ref": who.upper(), "name": _person(world, who).user.name, "role": role,
         "email": _person(world, who).user.email}
        for who, role in names.items()
    ]  # fmt: skip
    supervisors.append({"supervisor_ref": "NONE", "name": "Una Invented", "role": "gp", "email": "una@example.org"})
    evidence = [("tier", "3"), ("coaching_years", "6"), ("caseload_hours", "80"), ("own_supervision", "Dr Invented")]
    shown = [
        {"supervisor_ref": "COACHING", "kind": kind, "value": value, "evidenced_on": ago(50)}
        for kind, value in evidence
    ]
    there = {**facts.courses(), "supervisors": supervisors, "supervisor_evidence": shown}
    post = {"coach_ref": "EVE", "name": "Eve Invented", "email": world.coaches[EVE].email, "hours_per_week": "30",
            "funding": "arrs"}  # fmt: skip
    move = [
        {**post, "pcn_code": "U99991", "started_on": "2026-01-05", "left_on": ago(MOVED)},
        {**post, "pcn_code": "U99992", "started_on": ago(MOVED - 1)},
    ]
    before = {"coach_ref": "BO", "kind": "line", "supervisor_ref": "FORMER", "from": ago(200)}
    facts.bring_in(cast, {**there, "coaches": move, "agreements": [before]})
    _give_access(world, "former")
    [agreement] = Agreement.objects.filter(coach=cast.coach_bo)
    ended = today() - timedelta(days=46)
    end_agreement(SETUP, agreement=agreement, ends_on=ended, version=agreement.version)
    facts.bring_in(cast, {**_sheets("BO", "U99991")})
    facts.bring_in(cast, {**_sheets("EVE", "U99991", supervised=False)})
    facts.bring_in(cast, {**_sheets("EVE", "U99992", supervised=False, days=5, ref="LATER")})
    facts.bring_in(cast, {**there, **_sheets("DOT", "U99993", kinds=("clinical",), by="NONE")}, "HUB2")
    for who in ("line", "clinical", "coaching"):
        _give_access(world, who)
    for coach in world.coaches.values():
        for referral in Referral.objects.filter(allocations__coach=coach).order_by("pk"):
            patient = Patient.objects.create(pcn_id=referral.pcn_id, local_reference="")
            Referral.objects.filter(pk=referral.pk).update(patient=patient)


def _give_access(world: World, who: str) -> None:
    supervisor = Supervisor.objects.get(register=world.cast.northfield, reference=who.upper())
    give_access(SETUP, supervisor=supervisor, user=_person(world, who).user)


def _sheets(
    coach: str,
    pcn: str,
    *,
    supervised: bool = True,
    days: int = 35,
    ref: str = "",
    kinds: tuple[str, ...] = ("line", "clinical", "health_coaching"),
    by: str = "",
) -> dict[str, list[dict[str, Any]]]:
    """One of everything of a coach, so many days ago: nothing of it lies in another employment."""
    ref = ref or coach
    names = {"line": "LINE", "clinical": "CLINICAL", "health_coaching": "COACHING"}
    agreements = [
        {"coach_ref": coach, "kind": kind, "supervisor_ref": by or names[kind], "from": ago(45)} for kind in kinds
    ]
    meetings = [facts.meeting(coach, kind, days, supervisor_ref=by or names[kind]) for kind in kinds]
    closed = {"closed_on": ago(days - 2), "outcome": "completed"}
    return {
        "agreements": agreements if supervised else [],
        "absences": [{"coach_ref": coach, "kind": AWAY[ref], "from": ago(days - 1), "to": ago(days - 2)}],
        "training": [{"coach_ref": coach, "course_ref": "IG", "enrolled_on": ago(days + 1), "certificate_on": ago(days),
                      "certificate_number": "N1"}],
        "exemptions": [{"coach_ref": coach, "rule": "training.before_referrals", "from": ago(days), "to": ago(days - 3),
                        "reason": "Invented", "approved_by": "Somebody"}],
        "supervision": meetings if supervised else [],
        "referrals": [facts.referral(f"{ref}-1", coach, days, pcn),
                      facts.referral(f"{ref}-2", coach, days, pcn, **closed),
                      {"referral_ref": f"{ref}-3", "pcn_code": pcn, "source": "self", "priority": "urgent",
                       "received_on": ago(days)}],
        "coaching_sessions": [facts.session(f"{ref}-1", days - 1), facts.session(f"{ref}-1", days - 3, mode="video")],
    }  # fmt: skip


def _known_for_three_days() -> None:
    """Everything was written down three days ago, so that a page as known two days ago shows it."""
    then = timezone.now() - timedelta(days=3)
    for model in apps.get_models():
        if issubclass(model, Fact):
            rows: models.QuerySet[Any] = model._default_manager.all()
            rows.update(recorded_at=then)
            if issubclass(model, Period):
                rows.exclude(end_recorded_at=None).update(end_recorded_at=then)


def _plant_in_people(world: World) -> None:
    for who, subject in (("bo", BO), ("mo", BO), ("dot", DOT), ("zed", DOT), ("eve", EVE)):
        user = _person(world, who).user
        world.plant(user, "name", subject, "Invented {}")
        world.plant(user, "email", subject, "{}@example.org")
        world.people[who] = Person(User.objects.get(pk=user.pk))
    for supervisor in Supervisor.objects.exclude(name="Sam Okafor"):
        subject = DOT if supervisor.register == world.cast.southmoor else BO
        world.plant(supervisor, "name", subject, "Invented {}")
        world.plant(supervisor, "email", subject, "{}@example.org")
        for each in Evidence.objects.filter(supervisor=supervisor, kind=Evidence.Kind.OWN_SUPERVISION):
            world.plant(each, "text", subject)
            world.plant(_void_copy(world, each, subject), "voided_because", subject)
    without = CoachFactory.create(name="Ida Invented", pcn=world.cast.riverside)  # may be invited
    for name, shape in (("name", "Invented {}"), ("email", "{}@example.org")):
        world.plant(without, name, BO, shape)
    una = Supervisor.objects.get(register=world.cast.northfield, reference="NONE")
    agree(SETUP, coach=without, supervisor=una, kind="clinical", starts_on=today())
    for requirement in Requirement.objects.all():
        world.plant(requirement, "voided_because", BO)
    since = {"starts_on": today() - timedelta(days=400)}
    standard = load_preset(SETUP, organisation=world.cast.lakeside, preset="WDF", **since)
    world.plant(standard, "voided_because", DOT)


def _plant_in_records(world: World, subject: str, coach: Coach) -> None:
    """A canary in each field of the table, of every row; and a withdrawn row beside the first of each kind."""
    whole = {"name": "Invented {}", "email": "{}@example.org", "reference": "{}", "voided_because": "{}"}
    for name, shape in whole.items():
        world.plant(coach, name, subject, shape)
    referrals = Referral.objects.filter(models.Q(allocations__coach=coach) | models.Q(reference__endswith="-3"))
    kinds: list[tuple[Any, str, tuple[str, ...]]] = [
        (Post.objects.filter(coach=coach), "starts_on", ()),
        (Absence.objects.filter(coach=coach), "starts_on", ()),
        (Agreement.objects.filter(coach=coach), "starts_on", ()),
        (Meeting.objects.filter(coach=coach), "held_on", ()),
        (TrainingRecord.objects.filter(coach=coach), "enrolled_on", ("certificate_number",)),
        (Exemption.objects.filter(coach=coach), "starts_on", ("reason", "approved_by")),
        (Allocation.objects.filter(coach=coach), "starts_on", ()),
        (CoachingSession.objects.filter(referral__allocations__coach=coach), "held_on", ()),
    ]
    for rows, day, names in kinds:
        seen: set[str] = set()
        for row in rows.order_by("pk"):
            whose = _subject(subject, getattr(row, day))
            for name in names:
                world.plant(row, name, whose)
            if whose not in seen:
                seen.add(whose)
                world.plant(_void_copy(world, row, whose), "voided_because", whose)
                if isinstance(row, CoachingSession):
                    _note(world, _void_copy(world, row, whose), "voided_because", whose)
            if isinstance(row, CoachingSession):
                for name in ("note", "next_step"):
                    _note(world, row, name, whose)
    for referral in referrals.filter(allocations__coach=coach).order_by("pk").distinct():
        whose = _subject(subject, referral.received_on)
        world.plant(referral, "reference", whose)
        world.plant(referral, "voided_because", whose)
        if referral.closed_on:
            world.plant(referral, "outcome", whose)
        for name in ("local_reference", "voided_because"):
            world.plant(referral.patient, name, whose)


def _note(world: World, session: CoachingSession, name: str, subject: str) -> None:
    words, _ = SessionNote.objects.get_or_create(session=session, defaults={"pcn_id": session.pcn_id})
    world.plant(words, name, subject)


def _open(world: World) -> None:
    """Asha opens Bo's cases, with a reason."""
    actor = _person(world, "asha").actor
    with walls.within(actor.scope):
        for referral in around(actor).filter(allocations__coach=world.coaches[BO]).distinct():
            open_case(actor, referral=referral, reason=f"{world.canary('coaching.Opening.reason', BO)} as they are ill")


def _subject(subject: str, day: date) -> str:
    return EVE_LATER if subject == EVE and day > today() - timedelta(days=MOVED) else subject


def _void_copy(world: World, row: Any, subject: str) -> Any:
    """The same once more, withdrawn a day ago by somebody whose name is as open as the record."""
    copy = type(row)(**{each.attname: getattr(row, each.attname) for each in row._meta.concrete_fields})
    copy.pk = None
    if hasattr(copy, "uuid"):
        copy.uuid = uuid4()
    by = {DOT: "zed", EVE: "eve", EVE_LATER: "hilltop"}.get(subject, "mo")
    copy.voided_at, copy.voided_by = timezone.now() - timedelta(days=1), _person(world, by).user
    copy.save(force_insert=True)
    return copy


def _acknowledge(world: World) -> None:
    """The nightly checks, and what the managers say of the flags."""
    run_checks(SETUP, today())
    for subject, who in ((BO, "mo"), (DOT, "zed")):
        with walls.lifted("tests"):
            flag = Flag.objects.filter(coach=world.coaches[subject], cleared_at=None).earliest("pk")
        note = world.canary("standards.FlagEvent.note", subject)
        do(_person(world, who), standards.acknowledge, flag=flag, note=note)


def _jobs(world: World) -> None:
    """What Mo brings in: a workbook to be confirmed, one to be corrected, and an export that the worker makes."""
    mo = _person(world, "mo")
    word = world.canary
    result, name, asked = "standards.Job.result", "standards.Job.file_name", "standards.Job.asked"
    row = {"coach_ref": word(result, MOS_JOB), "name": f"Nia {word(result, MOS_JOB)}", "email": "nia@example.org",
           "pcn_code": "U99991", "started_on": "2026-01-05", "hours_per_week": "30", "funding": "arrs"}  # fmt: skip
    bo = world.coaches[BO]
    moved = {**row, "coach_ref": bo.reference, "name": bo.name, "email": "other@example.org"}
    bringing.done(bringing.asked(mo, {"coaches": [row, moved]}, name=f"{word(name, MOS_JOB)}.xlsx"))
    wrong = {"coach_ref": "BO", "kind": word(result, MOS_JOB), "from": "yesterday"}
    refused = bringing.done(bringing.asked(mo, {"absences": [wrong]}, name=f"{word(name, MOS_JOB)}.xlsx"))
    assert refused.outcome == Job.Outcome.REFUSED
    # What a hub brings in differs from what is there: it is told so, and not why somebody was away.
    away = {"coach_ref": bo.reference, "kind": "other", "from": ago(34), "to": ago(33)}
    told = bringing.checked(_person(world, "lee"), {"coaches": [moved], "absences": [away]})
    assert (bringing.counts(told)["coaches"], bringing.counts(told)["absences"]) == ((0, 1, 0), (0, 1, 0))
    searched = {"list": "coaches", "query": f"name={word(asked, MOS_JOB)}", "format": "xlsx"}
    for what in (searched, {"list": "coaches", "query": "", "format": "xlsx"}):
        with walls.within(mo.actor.scope):
            job = ask(mo.actor, kind=Job.Kind.EXPORT, asked=what)
        bringing.done(job)


def _draft(world: World) -> None:
    """What Mo has typed into a form and not saved."""
    user = _person(world, "mo").user
    fields = {"name": [f"Nia {world.canary('workforce.Draft.fields', MOS_DRAFT)}"], "email": ["nia@example.org"]}
    with walls.within(walls.Scope(user.pk)):
        assert keep(Mark(user.pk, "Invite"), address=reverse("access_invite"), fields=fields)


def _browser(world: World) -> None:
    """Another browser in which Bo has signed in."""
    user = _person(world, "bo").user
    key = signed_in(Client(), user).session.session_key or ""
    device = f"Firefox on {world.canary('workforce.SignIn.device', BOS_BROWSER)}"
    begin_session(user=user, key=key, how="password+totp", device=device, network="203.0.113.x")


# --- Outputs ----------------------------------------------------------------------------------------------------------


def readable(content: bytes) -> str:
    """What a person or a program can read of a body: of a workbook, every part of it."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(BytesIO(content)) as book:
            return "\n".join(f"{name}\n{book.read(name).decode('utf-8', 'replace')}" for name in book.namelist())
    return html.unescape(content.decode("utf-8", "replace"))


def headers(response: Any) -> str:
    """Everything that stands before the body, cookies among it: of a message's, what it says."""
    said = [f"{name}: {value}" for name, value in response.headers.items()]
    for name, cookie in response.cookies.items():
        said.append(f"{name}={cookie.value}")
        if name == "messages" and cookie.value:
            decoded = CookieStorage(RequestFactory().get("/"))._decode(cookie.value)  # type: ignore[attr-defined]
            said += [str(message) for message in decoded or ()]
    return "\n".join(said)


def body(response: Any) -> str:
    """The body of a response, streamed or not."""
    return readable(b"".join(response.streaming_content) if response.streaming else response.content)


def words(text: str) -> set[str]:
    """The canaries in a text."""
    return set(_WORD.findall(text.lower()))


class Lines(logging.Handler):
    """What the service logs, as it would be written."""

    def __init__(self, tells_of_exceptions: Any = None) -> None:
        super().__init__(logging.DEBUG)
        console = next(each for each in logging.getLogger().handlers if type(each) is logging.StreamHandler)
        formatter: Any = copy(console.formatter)
        if tells_of_exceptions is not None:
            formatter.processors = [
                tells_of_exceptions if isinstance(each, structlog.processors.ExceptionRenderer) else each
                for each in formatter.processors
            ]
        self.setFormatter(formatter)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))


@contextmanager
def logged(tells_of_exceptions: Any = None) -> Iterator[list[str]]:
    """Every line that is logged meanwhile, at the level of the settings; exceptions told in another way, if given."""
    lines = Lines(tells_of_exceptions)
    heard = [logging.getLogger(), logging.getLogger("django.server")]
    for logger in heard:
        logger.addHandler(lines)
    try:
        yield lines.lines
    finally:
        for logger in heard:
            logger.removeHandler(lines)


_IS_CODE = re.compile(r"[\w.:+/-]*")


def audit() -> list[str]:
    """Every audit line, all of it but who."""
    with walls.lifted("tests"):
        rows = AuditEvent.objects.values_list("by", "what", "kind", "record", "outcome", "facts", "request")
        return [json.dumps(row, default=str) for row in rows]


def free_text(value: Any) -> list[str]:
    """What in a JSON value is neither a code nor an identifier nor a number."""
    if isinstance(value, dict):
        return [text for pair in value.items() for part in pair for text in free_text(part)]
    if isinstance(value, list):
        return [text for part in value for text in free_text(part)]
    return [value] if isinstance(value, str) and not _IS_CODE.fullmatch(value) else []


# --- The walk ---------------------------------------------------------------------------------------------------------

_OFFERS_KINDS = {"absence_new", "import_template"}  # these say which kinds of absence there are
_MO_IS_TOLD_KINDS = {*_OFFERS_KINDS, "job", "import_faults"}  # what could have stood in a wrong cell
EVERYTHING = bool(os.environ.get("HWBC_NEED_TO_KNOW"))  # every address for everybody, in every variant; minutes


@dataclass
class Seen:
    """Where what was found, by whoever looked."""

    canaries: dict[str, dict[str, str]] = field(default_factory=dict)  # canary → who → where first
    statuses: Counter[int] = field(default_factory=Counter)
    before_body: list[str] = field(default_factory=list)  # canaries in headers and cookies, each a line
    secrets: list[str] = field(default_factory=list)  # the same of secrets, wherever they stood
    exactly: Collection[str] = ()  # secrets to look for
    cookies: set[str] = field(default_factory=set)  # keys of sessions, and what CSRF tokens are made from: secrets too

    def add(self, who: str, where: str, found: Iterable[str]) -> None:
        for word in found:
            self.canaries.setdefault(word, {}).setdefault(who, where)


def addresses(world: World, names: Collection[str] | None = None) -> dict[str, list[str]]:
    """Page → its addresses: for a page about a record, those of each coach of the world."""
    with walls.lifted("tests"):
        records = _records_by_route(world)
    found: dict[str, list[str]] = {}
    for route, pattern in pages():
        name = str(pattern.name)
        if names is not None and name not in names:
            continue
        kwargs = records.get(route.partition("<")[0] if "<" in route else route)
        if "<" not in route:
            found[name] = [reverse(name)]
        elif kwargs is None or route.startswith("account/"):
            found[name] = [BY_NAME[name].url(world.cast)]
        else:
            wanted = set(re.findall(r"<\w+:(\w+)>", route))
            some = [{key: each[key] for key in wanted} for each in kwargs if wanted <= set(each)]
            if "posts/<" in route or "absences/<" in route:
                kind = "posts" if "posts/<" in route else "absences"
                some = [{"uuid": each["uuid"], "pk": pk} for each in kwargs for pk in each.get(kind, [])]
            unique = {json.dumps(each, sort_keys=True, default=str): each for each in some}
            found[name] = [reverse(name, kwargs=each) for each in unique.values()]
            assert found[name], f"No record for {route}"
    return found


def _records_by_route(world: World) -> dict[str, list[dict[str, Any]]]:
    coaches = [coach.pk for coach in world.coaches.values()]

    def of(model: Any, order: str = "-pk", **asked: Any) -> list[dict[str, Any]]:
        """One record of each coach, the last of them; of meetings the first, which is the line supervisor's."""
        rows = model.objects.filter(coach__in=coaches, **asked).order_by("coach_id", order).distinct("coach_id")
        return [{"uuid": row.uuid} for row in rows]

    live: dict[str, Any] = {"voided_at": None}
    referrals = Referral.objects.filter(allocations__coach__in=coaches).order_by("pk").distinct()
    return {
        "coaches/": [
            {"uuid": coach.uuid,
             "posts": list(Post.objects.filter(coach=coach, **live).values_list("pk", flat=True)),
             "absences": list(Absence.objects.filter(coach=coach, **live).values_list("pk", flat=True))}
            for coach in world.coaches.values()
        ],
        "referrals/": [
            each for row in referrals
            for each in ({"uuid": row.uuid},
                         *({"uuid": row.uuid, "session": session.uuid}
                           for session in row.sessions.filter(**live).order_by("pk")[:1]))
        ],
        "meetings/": of(Meeting, "pk", **live), "agreements/": of(Agreement, **live),
        "training/": of(TrainingRecord, **live),
        "exemptions/": of(Exemption, **live), "flags/": of(Flag, cleared_at=None),
        "access/": [{"uuid": row.uuid} for row in Grant.objects.filter(revoked_at=None, user__in=[
            person.user.pk for who, person in world.people.items() if person and who in ("bo", "mo", "dot", "zed")])],
        "notifications/": [{"uuid": row.pk}
                           for row in Notification.objects.order_by("user_id", "pk").distinct("user_id")],
        "jobs/": [{"uuid": row.pk} for row in Job.objects.order_by("asked_at")],
    }  # fmt: skip


def variants(name: str) -> list[str]:
    """What is asked of an address beyond it: as at another day, as known then, the next page, as a file."""
    before, known = ago(25), (timezone.now() - timedelta(days=2)).strftime("%Y-%m-%dT%H:%M")
    days = [{}, {"as-at": before}, {"as-at": ago(1), "known-at": known}]
    if name.endswith("_export"):
        asked = [{"format": form, **day} for form in ("csv", "xlsx") for day in days]
        asked = asked if EVERYTHING else [asked[0], asked[4], asked[5]]
    elif name == "coach_history":
        asked = [*days, {"page": "2"}, {"page": "3"}]
    else:
        asked = days
    return ["&".join(f"{key}={value}" for key, value in each.items()) for each in asked]


def walk(world: World, who: str, where: dict[str, list[str]], seen: Seen) -> None:
    """Open every address as somebody, and what follows from it; keep what was shown."""
    client = Client(raise_request_exception=False)
    person = world.people[who]
    if person is not None:
        signed_in(client, person.user)
    for name, some in where.items():
        for address in some:
            for number, asked in enumerate(variants(name)):
                response = client.get(f"{address}?{asked}" if asked else address)
                at = f"{name} {asked}"
                seen.statuses[response.status_code] += 1
                text = body(response)
                seen.before_body += [f"{word} for {who} at {at}" for word in words(headers(response))]
                seen.cookies |= {each.value for each in client.cookies.values() if len(each.value) >= 32}
                secrets = [*seen.exactly, *seen.cookies]
                seen.secrets += [f"a secret for {who} at {at}" for secret in secrets if secret in text]
                low = text.lower()
                seen.add(who, at, words(low))
                if name not in (_OFFERS_KINDS if who != "mo" else _MO_IS_TOLD_KINDS):
                    seen.add(who, at, [word for word in WORDS if word in low])
                if response.status_code != 200 or (number == 0 and not _has_days(name, low)):
                    break
            if not EVERYTHING and response.status_code in (302, 403, 405) and _of_page(response):
                break  # the page stays shut, whatever record it is asked about


def _of_page(response: Any) -> bool:
    """Whether an answer says nothing of the record: not signed in, not allowed, no such method."""
    return response.status_code != 302 or str(response.headers["Location"]).startswith(reverse("account_login"))


def _has_days(name: str, text: str) -> bool:
    """Whether a page can be asked about another day: it says so itself."""
    return name.endswith("_export") or "/another-day?" in text


def judged(
    world: World, seen: Seen, table: dict[str, Who | str] = TABLE
) -> tuple[list[str], dict[tuple[str, Relation], str]]:
    """What was shown to somebody for whom it is not, each a line; and field and relation of all that was shown."""
    leaks, shown = [], {}
    for word, by in sorted(seen.canaries.items()):
        if word in WORDS:
            name, subject = "workforce.Absence.kind", WORDS[word]
        elif word in world.planted:
            name, subject = world.planted[word]
        else:
            leaks.append(f"{word} was planted by nobody")
            continue
        may = table.get(name, NOBODY)
        assert not isinstance(may, str)
        for who, where in by.items():
            relation = world.relation(who, subject)
            shown[name, relation] = where
            if relation not in may:
                leaks.append(f"{name} of {subject}: shown to {who} ({relation.role}, {relation.to}) on {where}")
    return leaks, shown
