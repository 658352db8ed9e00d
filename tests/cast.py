"""The cast: the people whom the tests are about. Zed manages another PCN and must see nothing of theirs.

ICB ── hub Northfield ── PCN Riverside (Mo; Asha, Bo) · PCN Hilltop (Cai)
    └─ hub Southmoor ── PCN Lakeside (Zed; Dot)
"""

import time
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import factory
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import SECRET_SESSION_KEY, TOTP
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from hwbc.kit.periods import today
from hwbc.workforce import actions, sign_in, walls
from hwbc.workforce.access import Actor, actor_of
from hwbc.workforce.factors import code_at
from hwbc.workforce.models import Coach, Grant, Organisation, User
from hwbc.workforce.roles import Role
from hwbc.workforce.sessions import clock
from supervision.actions.access import give_access
from supervision.actions.agreements import add_supervisor, agree
from supervision.models import Agreement, Supervisor

PASSWORD = "three-random-words"
SETUP = Actor.system("tests")
SUPERVISED_FROM = today() - timedelta(days=30)  # Asha by Sam


class UserFactory(factory.Factory[User]):
    """An invited person who has chosen a password."""

    class Meta:
        model = User

    name = factory.Sequence(lambda n: f"Person Number{n}")
    email = factory.LazyAttribute(lambda person: person.name.replace(" ", ".").lower() + "@example.org")

    @classmethod
    def _create(cls, model_class: type[User], *args: Any, **kwargs: Any) -> User:
        user = actions.invite(SETUP, **kwargs)
        actions.set_password(SETUP, user=user, password=PASSWORD)
        return user


class OrganisationFactory(factory.Factory[Organisation]):
    """A place in the tree, a PCN unless said otherwise."""

    class Meta:
        model = Organisation

    code = factory.Sequence(lambda n: f"U{90000 + n}")
    name = factory.Sequence(lambda n: f"Invented PCN {n}")
    kind = Organisation.Kind.PCN
    parent = None

    @classmethod
    def _create(cls, model_class: type[Organisation], *args: Any, **kwargs: Any) -> Organisation:
        return actions.add_organisation(SETUP, **kwargs)


class CoachFactory(factory.Factory[Coach]):
    """A coach with one post."""

    class Meta:
        model = Coach

    name = factory.Sequence(lambda n: f"Coach Number{n}")
    email = factory.LazyAttribute(lambda coach: coach.name.replace(" ", ".").lower() + "@example.org")
    pcn = factory.SubFactory(OrganisationFactory)
    starts_on = date(2026, 1, 5)
    hours_per_week = 30

    @classmethod
    def _create(cls, model_class: type[Coach], *args: Any, **kwargs: Any) -> Coach:
        return actions.add_coach(SETUP, **kwargs)


def just_now(client: Client) -> Client:
    """Whoever has signed in with it did so at this moment, and confirmed who they are: both clocks start now."""
    session = client.session
    now = int(time.time())
    if abs(now - session.get(clock.CLOCK, [0])[0]) > 20:
        session[clock.CLOCK], session["confirmed_at"] = [now, now], now
        session.save()
    return client


def signed_in(client: Client, user: User, how: sign_in.How = sign_in.How.TOTP) -> Client:
    """A browser in which somebody has signed in, just now and with a second factor unless said otherwise."""
    client.force_login(User.objects.get(pk=user.pk))  # as they are now: a password or a factor may have changed
    session = client.session
    sign_in.begin(session, how)
    session.save()
    return client


def set_up(client: Client) -> str:
    """As whoever has chosen a password: an authenticator app, its first code, recovery codes. Returns its secret."""
    client.get(reverse("account_app_add"))
    secret = str(client.session[SECRET_SESSION_KEY])
    client.post(reverse("account_app_add"), {"code": code_at(secret)})
    client.post(reverse("account_codes"))
    return secret


SECRET = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"  # of everybody's authenticator app


def with_app(user: User) -> Authenticator:
    """Somebody has an authenticator app, since before they signed in: no session ends by it."""
    return TOTP.activate(user, SECRET).instance


def came_in(client: Client, user: User, after: str = "") -> Any:
    """Somebody signs in with the form and a code of their app; the answer to the code, which leads to `after`."""
    if not Authenticator.objects.filter(user=user, type=Authenticator.Type.TOTP).exists():
        with_app(user)
    told = {"login": user.email, "password": PASSWORD, **({"next": after} if after else {})}
    answer = client.post(reverse("account_login"), told)
    assert answer.headers["Location"] == reverse("mfa_authenticate")
    cache.clear()  # a code is good once, and half a minute is long in a test
    return client.post(reverse("mfa_authenticate"), {"code": code_at(SECRET)})


@dataclass(frozen=True)
class Person:
    """A member of the cast, signing in with their own browser."""

    user: User

    @property
    def actor(self) -> Actor:
        """As of now: grants may have changed."""
        return actor_of(self.user)

    @property
    def client(self) -> Client:
        """A browser in which they have signed in, with a second factor, and confirmed who they are, just now."""
        return just_now(self._browser)

    @cached_property
    def _browser(self) -> Client:
        return signed_in(Client(), self.user)

    def given(self, role: Role, organisation: Organisation, coach: Coach | None = None, **period: date) -> Grant:
        """Give them a role; a supervisor's follows their agreements instead (Sam's are made with the cast)."""
        period.setdefault("starts_on", today() - timedelta(days=30))
        with walls.lifted("tests"):
            return actions.grant(SETUP, user=self.user, role=role, organisation=organisation, coach=coach, **period)

    def holds(self, role: Role, organisation: Organisation, coach: Coach | None = None) -> Grant:
        """A grant as it stands in the database, however it came there: nobody gives a supervisor's by hand."""
        with walls.lifted("tests"):
            return Grant.objects.create(
                user=self.user,
                role=role,
                organisation=organisation,
                coach=coach,
                starts_on=today() - timedelta(days=30),
            )


@dataclass
class Cast:
    """Places, coaches and people; `person(role)` is who has that role at or in Riverside."""

    icb: Organisation
    northfield: Organisation
    southmoor: Organisation
    riverside: Organisation
    hilltop: Organisation
    lakeside: Organisation
    coach_asha: Coach
    coach_bo: Coach
    coach_cai: Coach
    coach_dot: Coach
    supervisor_sam: Supervisor
    asha: Person
    sam: Person
    mo: Person
    lee: Person
    ann: Person
    rae: Person
    pip: Person
    zed: Person
    nobody_yet: Person  # invited, without a role

    def person(self, role: Role) -> Person:
        """Who has this role at or in Riverside PCN."""
        return {
            Role.COACH: self.asha,
            Role.LINE_SUPERVISOR: self.sam,
            Role.CLINICAL_SUPERVISOR: self.sam,
            Role.COACHING_SUPERVISOR: self.sam,
            Role.PCN_MANAGER: self.mo,
            Role.HUB_ADMIN: self.lee,
            Role.RECRUITER: self.rae,
            Role.PANEL_MEMBER: self.pip,
            Role.AUDITOR: self.ann,
        }[role]


def register(hub: Organisation, **records: Coach | Supervisor) -> None:
    """Give coaches and supervisors the references by which a workbook of their hub knows them."""
    with walls.lifted("tests"):
        for reference, record in records.items():
            known = {"register": hub, "reference": reference, "reference_key": reference.lower()}
            type(record).objects.filter(pk=record.pk).update(**known)
            record.register, record.reference, record.reference_key = hub, reference, reference.lower()


def person(name: str) -> Person:
    """Somebody invited who has no role yet."""
    return Person(UserFactory.create(name=name))


def make_cast() -> Cast:
    """Make everybody, by the actions that people use."""
    with walls.lifted("tests"):
        icb = OrganisationFactory.create(code="QZZ", name="Invented ICB", kind=Organisation.Kind.ICB)
        northfield = OrganisationFactory.create(code="HUB1", name="Northfield hub", kind="training_hub", parent=icb)
        southmoor = OrganisationFactory.create(code="HUB2", name="Southmoor hub", kind="training_hub", parent=icb)
        riverside = OrganisationFactory.create(code="U99991", name="Riverside PCN", parent=northfield)
        hilltop = OrganisationFactory.create(code="U99992", name="Hilltop PCN", parent=northfield)
        lakeside = OrganisationFactory.create(code="U99993", name="Lakeside PCN", parent=southmoor)
        cast = Cast(
            icb, northfield, southmoor, riverside, hilltop, lakeside,
            coach_asha=CoachFactory.create(name="Asha Rahman", pcn=riverside),
            coach_bo=CoachFactory.create(name="Bo Lindqvist", pcn=riverside),
            coach_cai=CoachFactory.create(name="Cai Morgan", pcn=hilltop),
            coach_dot=CoachFactory.create(name="Dot Ferreira", pcn=lakeside),
            supervisor_sam=add_supervisor(SETUP, name="Sam Okafor", role="gp", email="sam.okafor@example.org"),
            asha=person("Asha Rahman"),
            sam=person("Sam Okafor"),
            mo=person("Mo Haddad"),
            lee=person("Lee Chandra"),
            ann=person("Ann Whitlock"),
            rae=person("Rae Adeyemi"),
            pip=person("Pip Larsson"),
            zed=person("Zed Kowalski"),
            nobody_yet=person("Noor Said"),
        )  # fmt: skip
    register(northfield, ASHA=cast.coach_asha, BO=cast.coach_bo, CAI=cast.coach_cai, SAM=cast.supervisor_sam)
    register(southmoor, DOT=cast.coach_dot)
    cast.asha.given(Role.COACH, riverside, cast.coach_asha)
    with walls.lifted("tests"):
        for kind in Agreement.Kind:
            agree(SETUP, coach=cast.coach_asha, supervisor=cast.supervisor_sam, kind=kind, starts_on=SUPERVISED_FROM)
        give_access(SETUP, supervisor=cast.supervisor_sam, user=cast.sam.user)
    cast.mo.given(Role.PCN_MANAGER, riverside)
    cast.lee.given(Role.HUB_ADMIN, northfield)
    cast.ann.given(Role.AUDITOR, northfield)
    cast.rae.given(Role.RECRUITER, riverside)
    cast.pip.given(Role.PANEL_MEMBER, riverside)
    cast.zed.given(Role.PCN_MANAGER, lakeside)
    return cast
