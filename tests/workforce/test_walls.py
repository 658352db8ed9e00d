"""The database refuses by itself; and each of these tests goes red when a wall is taken away."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.db import DataError, ProgrammingError, connection, models, transaction

from hwbc.kit.periods import today
from hwbc.workforce import actions, walls
from hwbc.workforce.models import AuditEvent, Coach, Grant, Post, User
from hwbc.workforce.roles import Role
from tests.cast import Cast, Person

pytestmark = pytest.mark.django_db


def names(rows: "models.QuerySet[Coach]") -> list[str]:
    return sorted(coach.name for coach in rows)


def test_within_a_scope_the_database_shows_that_scope_and_no_more(cast: Cast) -> None:
    with walls.within(cast.mo.actor.scope):
        assert names(Coach.objects.all()) == ["Asha Rahman", "Bo Lindqvist"]
        assert {post.pcn_id for post in Post.objects.all()} == {cast.riverside.pk}
    with walls.within(cast.zed.actor.scope):
        assert names(Coach.objects.all()) == ["Dot Ferreira"]
    with walls.within(cast.lee.actor.scope):
        assert names(Coach.objects.all()) == ["Asha Rahman", "Bo Lindqvist", "Cai Morgan"]
    with walls.within(walls.NOBODY):
        assert names(Coach.objects.all()) == []


def test_a_forgotten_scope_is_an_error_and_never_an_empty_answer(cast: Cast) -> None:
    with pytest.raises((ProgrammingError, DataError)), transaction.atomic():
        list(Coach.objects.all())


def test_a_scope_that_has_ended_is_gone(cast: Cast) -> None:
    with walls.within(cast.mo.actor.scope):
        pass
    with pytest.raises((ProgrammingError, DataError)), transaction.atomic():
        list(Coach.objects.all())


def test_a_nested_scope_gives_the_outer_one_back(cast: Cast) -> None:
    with walls.within(cast.mo.actor.scope):
        with walls.within(cast.zed.actor.scope):
            assert names(Coach.objects.all()) == ["Dot Ferreira"]
        assert names(Coach.objects.all()) == ["Asha Rahman", "Bo Lindqvist"]
        with walls.lifted("tests"):
            assert Coach.objects.count() == 4
        assert names(Coach.objects.all()) == ["Asha Rahman", "Bo Lindqvist"]
        with pytest.raises(RuntimeError), walls.within(cast.zed.actor.scope):
            raise RuntimeError
        assert names(Coach.objects.all()) == ["Asha Rahman", "Bo Lindqvist"]


def test_a_stream_opens_its_own_scope(cast: Cast) -> None:
    stream = walls.stream(cast.mo.actor.scope, lambda: (coach.name for coach in Coach.objects.all()))
    assert sorted(stream) == ["Asha Rahman", "Bo Lindqvist"]


def test_nobody_writes_into_somebody_elses_rows(cast: Cast) -> None:
    with walls.within(cast.zed.actor.scope):
        assert Post.objects.filter(coach=cast.coach_asha).update(hours_per_week=1) == 0
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Post.objects.create(
                coach=cast.coach_asha, pcn=cast.lakeside, employer=cast.lakeside,
                starts_on="2026-01-01", hours_per_week=1, funding="arrs",
            )  # fmt: skip


def test_a_row_of_somebody_else_is_refused_also_where_nothing_is_read_back(cast: Cast) -> None:
    """What Django inserts it reads back, so that the wall for reading refuses it too. Here is the one for writing."""
    insert = """
        insert into workforce_post (recorded_at, imported, voided_because, coach_id, pcn_id, employer_id, starts_on,
                                    hours_per_week, funding, version)
        values (now(), false, '', %s, %s, %s, %s, 1, 'arrs', 1)
    """

    def add(coach: Coach, days: int) -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(insert, [coach.pk, cast.hilltop.pk, cast.hilltop.pk, today() + timedelta(days=days)])

    with walls.within(cast.zed.actor.scope):
        with pytest.raises(ProgrammingError, match="row-level security"):
            add(cast.coach_asha, 1)
        add(cast.coach_dot, 1)  # the control


def test_the_audit_takes_lines_from_everybody_and_gives_none_back_changed(cast: Cast) -> None:
    with walls.within(cast.zed.actor.scope):
        others = set(AuditEvent.objects.values_list("pk", flat=True))
    with walls.within(cast.mo.actor.scope):
        before = set(AuditEvent.objects.values_list("pk", flat=True))
        actions.signed_in(cast.mo.actor, user=cast.mo.user)
        [event] = AuditEvent.objects.exclude(pk__in=before)
        assert event.what == "account.sign_in"
        for change in (AuditEvent.objects.all().update, AuditEvent.objects.all().delete):
            arguments = {"what": "x"} if change.__name__ == "update" else {}
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                change(**arguments)
    with walls.lifted("tests"), pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        AuditEvent.objects.all().update(what="x")
    with walls.within(cast.zed.actor.scope):  # manages another PCN
        assert set(AuditEvent.objects.values_list("pk", flat=True)) == others
    assert before
    assert before.isdisjoint(others)


def test_grants_are_seen_by_their_holder_and_by_the_managers_of_the_place(cast: Cast) -> None:
    with walls.within(cast.sam.actor.scope):
        assert {grant.role for grant in Grant.objects.filter(user=cast.sam.user)} == {
            Role.LINE_SUPERVISOR, Role.CLINICAL_SUPERVISOR, Role.COACHING_SUPERVISOR,
        }  # fmt: skip
    with walls.within(cast.zed.actor.scope):
        assert {grant.user_id for grant in Grant.objects.all()} == {cast.zed.user.pk}


# --- What is declared is what is there ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["asha", "sam", "ann", "nobody_yet"])
def test_nobody_gives_themself_access_whatever_python_forgot(name: str, cast: Cast) -> None:
    person: Person = getattr(cast, name)
    for role, coach in ((Role.PCN_MANAGER, None), (Role.LINE_SUPERVISOR, cast.coach_asha)):
        mine = Grant(
            user=person.user, role=role, organisation=cast.riverside, coach=coach, starts_on=today(), ends_on=today()
        )
        refused = pytest.raises(ProgrammingError, match="row-level security")
        with walls.within(person.actor.scope), refused, transaction.atomic():
            mine.save()
    with walls.within(person.actor.scope):  # and what they have cannot be made to last
        assert Grant.objects.filter(user=person.user).update(ends_on=None) == 0
    with walls.within(cast.mo.actor.scope):  # the control: whoever gives access there
        Grant(user=person.user, role=Role.PCN_MANAGER, organisation=cast.riverside, starts_on=today()).save()


def test_open_tables_are_a_short_list() -> None:
    """A new open table is a decision: it is added here, in view of a reviewer, with its reason in the model."""
    open_tables = {table for table, wall in walls.declared().items() if wall.shows is None and wall.rights}
    assert open_tables == {
        "account_emailaddress", "django_content_type", "django_migrations", "django_session", "hwbc_cache",
        "mfa_authenticator", "standards_heartbeat", "standards_run", "standards_standard", "standards_standardnumber",
        "workforce_demo", "supervision_evidence", "supervision_supervisor", "training_course", "training_requirement",
        "socialaccount_socialaccount", "workforce_organisation", "workforce_user",
    }  # fmt: skip
    assert all(wall.why for wall in walls.declared().values() if wall.shows is None)


def test_a_model_that_declares_no_wall_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Coach, "wall")
    with pytest.raises(ImproperlyConfigured, match=r"workforce\.Coach declares no wall"):
        walls.declared()


@pytest.mark.django_db(transaction=True)
class TestBuild:
    """As the owner, so outside the test's transaction; each leaves the walls as `build()` makes them."""

    def build(self) -> list[str]:
        with walls.as_owner():
            return walls.build()

    def owner_does(self, statement: str) -> None:
        with walls.as_owner(), connection.cursor() as cursor:
            cursor.execute(statement)

    def test_building_again_writes_nothing(self) -> None:
        assert self.build() == []

    @pytest.mark.parametrize(
        "damage",
        [
            "alter table workforce_coach disable row level security",
            "alter policy wall on workforce_coach using (true)",
            "create policy extra on workforce_coach to hwbc_app using (true)",
        ],
    )
    def test_positive_control_a_damaged_wall_leaks_and_building_heals_it(self, live_cast: Cast, damage: str) -> None:
        def zed_sees_asha() -> bool:
            with walls.within(live_cast.zed.actor.scope):
                return Coach.objects.filter(name="Asha Rahman").exists()

        assert not zed_sees_asha()
        self.owner_does(damage)
        try:
            assert zed_sees_asha()
        finally:
            assert self.build() != []
        assert not zed_sees_asha()
        assert self.build() == []

    def test_a_dropped_policy_shows_nothing_and_building_heals_it(self, live_cast: Cast) -> None:
        self.owner_does("drop policy wall on workforce_coach")
        try:
            with walls.within(live_cast.mo.actor.scope):
                assert not Coach.objects.exists()
        finally:
            assert self.build() != []
        with walls.within(live_cast.mo.actor.scope):
            assert Coach.objects.count() == 2

    def test_rights_that_are_too_many_are_taken_back(self, live_cast: Cast) -> None:
        self.owner_does("grant update on workforce_auditevent to hwbc_app")
        assert self.build() != []
        with walls.within(live_cast.mo.actor.scope), pytest.raises(ProgrammingError, match="permission denied"):
            AuditEvent.objects.update(what="x")

    def test_a_table_that_nobody_declares_has_no_rights(self) -> None:
        self.owner_does("create table stray (id int); grant select on stray to hwbc_app")
        try:
            self.build()
            with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
                cursor.execute("select * from stray")
        finally:
            self.owner_does("drop table stray")

    def test_migrate_without_the_owners_url_names_it_and_the_roles(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("django.conf.settings.OWNER_DATABASE_URL", "")
        with pytest.raises(ImproperlyConfigured, match=r"DATABASE_OWNER_URL is not set.*create role hwbc_all nologin"):
            call_command("migrate", verbosity=0)

    def test_flush_runs_as_the_owner_and_the_application_may_not(self, live_cast: Cast) -> None:
        with pytest.raises(ProgrammingError, match="permission denied"), connection.cursor() as cursor:
            cursor.execute("truncate workforce_user cascade")
        call_command("flush", interactive=False, verbosity=0)
        assert User.objects.count() == 0


# --- Who may not serve at all ---------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
class TestRefusal:
    """Each wrong login is refused, with the remedy in the sentence. Every test makes a login of its own: roles belong
    to the cluster, which the other test processes use at the same time."""

    def test_the_applications_login_is_accepted(self) -> None:
        assert walls.faults() == []
        walls.refuse()

    def test_the_owner_is_refused(self) -> None:
        with walls.as_owner(), pytest.raises(SystemExit, match=r"owns the table \w+, and no wall holds for an owner"):
            walls.refuse()

    @pytest.mark.parametrize(
        ("rights", "says"),
        [
            ("alter role {0} superuser", "is a superuser"),
            ("alter role {0} bypassrls", "has BYPASSRLS"),
            ("grant hwbc_owner to {0}", 'is a member of the owner "hwbc_owner"'),
            ("grant hwbc_all to {0} with inherit true, set true", "inherits hwbc_all, so every wall is open"),
            ("select 1", "cannot become hwbc_all"),
        ],
    )
    def test_a_login_with_a_wrong_right_is_refused(
        self, superuser: psycopg.Connection[Any], rights: str, says: str
    ) -> None:
        role = f"wrong_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
        superuser.execute(f"create role {role} login")
        try:
            superuser.execute(rights.format(role))
            with logged_in_as(role), pytest.raises(SystemExit, match=says):
                walls.refuse()
        finally:
            superuser.execute(f"drop role {role}")

    def test_a_login_with_the_right_rights_is_accepted(self, superuser: psycopg.Connection[Any]) -> None:
        """The control: the same way of asking finds nothing wrong where nothing is."""
        role = f"right_{os.environ.get('PYTEST_XDIST_WORKER', 'gw0')}"
        superuser.execute(f"create role {role} login")
        try:
            superuser.execute(f"grant hwbc_all to {role} with inherit false, set true")
            with logged_in_as(role):
                assert walls.faults() == []
        finally:
            superuser.execute(f"drop role {role}")


@contextmanager
def logged_in_as(role: str) -> Iterator[None]:
    connection.close()
    before = connection.settings_dict["USER"]
    connection.settings_dict["USER"] = role
    try:
        yield
    finally:
        connection.close()
        connection.settings_dict["USER"] = before


@pytest.fixture
def superuser() -> Iterator[psycopg.Connection[Any]]:
    """The embedded cluster's superuser; elsewhere the one that DATABASE_SUPERUSER_URL names."""
    url = os.environ.get("DATABASE_SUPERUSER_URL")
    if not url and not settings.EMBEDDED_DATABASE:
        pytest.skip("needs a superuser: set DATABASE_SUPERUSER_URL to test on a server that is not embedded")
    url = url or settings.OWNER_DATABASE_URL.replace("hwbc_owner@", "postgres@").replace("@/hwbc?", "@/postgres?")
    with psycopg.connect(url.replace("postgres://", "postgresql://"), autocommit=True) as connected:
        yield connected
