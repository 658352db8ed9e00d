"""What each action changes, refuses and writes down."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, ProgrammingError, transaction

from hwbc.kit.periods import today
from hwbc.workforce import actions, walls
from hwbc.workforce.audit import AuditMissing, Line, action, upkeep
from hwbc.workforce.models import AuditEvent, Grant, Organisation, Post, User, sort_key
from hwbc.workforce.roles import Role
from tests.cast import SETUP, Cast, CoachFactory

pytestmark = pytest.mark.django_db


def audited() -> int:
    with walls.lifted("tests"):
        return AuditEvent.objects.count()


def test_an_action_leaves_one_line_that_says_who_what_and_where(cast: Cast) -> None:
    with walls.within(cast.mo.actor.scope):
        actions.end_grant(cast.mo.actor, grant=Grant.objects.get(user=cast.sam.user, role=Role.LINE_SUPERVISOR))
    with walls.lifted("tests"):
        event = AuditEvent.objects.latest("at")
        grant = Grant.objects.get(user=cast.sam.user, role=Role.LINE_SUPERVISOR)
    assert (event.user_id, event.by, event.what) == (cast.mo.user.pk, "pcn_manager", "access.end")
    assert (event.kind, event.record) == ("workforce.grant", str(grant.uuid))
    assert event.organisation_id == cast.riverside.pk
    assert event.outcome == AuditEvent.Outcome.DONE


def test_an_action_that_says_nothing_is_undone() -> None:
    @action("tests.silent")
    def silent(actor, line: Line) -> None:
        Organisation.objects.create(code="X1", name="Never", kind="pcn")

    with pytest.raises(AuditMissing, match=r"tests\.silent"):
        silent(SETUP)
    assert not Organisation.objects.filter(code="X1").exists()


def test_an_action_that_fails_leaves_neither_work_nor_line() -> None:
    before = audited()

    @action("tests.failing")
    def failing(actor, line: Line) -> None:
        line.about(Organisation.objects.create(code="X1", name="Never", kind="pcn"))
        raise RuntimeError

    with pytest.raises(RuntimeError):
        failing(SETUP)
    assert not Organisation.objects.filter(code="X1").exists()
    assert audited() == before


@pytest.mark.parametrize("writer", ["action", "upkeep"])
def test_a_broken_foreign_key_is_raised_in_the_action_and_not_at_commit(cast: Cast, writer: str) -> None:
    def break_it() -> None:
        Post.objects.filter(coach=cast.coach_asha).update(pcn_id=987654321)

    if writer == "action":

        @action("tests.broken")
        def broken(actor, line: Line) -> None:
            break_it()
            line.about(cast.coach_asha)

        run = lambda: broken(SETUP)  # noqa: E731
    else:
        run = upkeep("tests")(break_it)
    with walls.lifted("tests"), pytest.raises(IntegrityError, match="foreign key"), transaction.atomic():
        run()


def test_inviting_makes_an_account_without_a_password_once(cast: Cast) -> None:
    first = actions.invite(SETUP, email=" New.Person@Example.org ", name="New Person")
    assert first.email == "new.person@example.org"
    assert not first.has_usable_password()
    assert actions.invite(SETUP, email="new.person@example.org", name="Somebody else") == first
    assert User.objects.get(pk=first.pk).name == "New Person"


def test_a_badly_formed_address_is_refused_with_a_sentence() -> None:
    with pytest.raises(ValidationError, match="Enter a valid email address"):
        actions.invite(SETUP, email="nobody", name="Nobody")


@pytest.mark.parametrize(("code", "says"), [("u 1", "capital letters"), ("U99991", "already exists")])
def test_an_organisations_code_is_refused_with_a_sentence(cast: Cast, code: str, says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        actions.add_organisation(SETUP, code=code, name="Again", kind="pcn")


def test_a_coachs_post_is_at_a_pcn(cast: Cast) -> None:
    with walls.lifted("tests"), pytest.raises(ValidationError, match="Northfield hub is not a PCN"):
        CoachFactory.create(pcn=cast.northfield)


def test_a_manager_cannot_add_a_coach_or_grant_access_elsewhere_the_database_refuses(cast: Cast) -> None:
    zed = cast.zed.actor
    with walls.within(zed.scope):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            actions.add_coach(
                zed, name="X", email="x@example.org", pcn=cast.riverside, starts_on=today(), hours_per_week=1
            )
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            actions.grant(zed, user=cast.mo.user, role=Role.PCN_MANAGER, organisation=cast.riverside, starts_on=today())


def test_a_grant_ends_at_once(cast: Cast) -> None:
    assert cast.mo.actor.grants
    with walls.lifted("tests"):
        actions.end_grant(SETUP, grant=Grant.objects.get(user=cast.mo.user))
    assert cast.mo.actor.grants == ()
    assert cast.mo.actor.scope.coaches == ()


def test_a_closed_account_reaches_nothing(cast: Cast) -> None:
    cast.mo.user.is_active = False
    assert cast.mo.actor.user_id is None


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        (lambda cast: Post.objects.update(hours_per_week=0), "workforce_post_hours_more_than_0_up_to_60"),
        (lambda cast: Post.objects.update(hours_per_week=61), "workforce_post_hours_more_than_0_up_to_60"),
        (
            lambda cast: Post.objects.update(ends_on="2020-01-01", end_recorded_at="2020-01-01T00:00Z"),
            "workforce_post_ends_after_start",
        ),
        (lambda cast: Grant.objects.update(ends_on="2020-01-01"), "workforce_grant_ends_after_start"),
        (
            lambda cast: Grant.objects.filter(coach=None).update(coach=cast.coach_asha),
            "workforce_grant_names_a_coach_where_its_role_does",
        ),
        (
            lambda cast: Grant.objects.exclude(coach=None).update(coach=None),
            "workforce_grant_names_a_coach_where_its_role_does",
        ),
        (
            lambda cast: User.objects.filter(pk=cast.mo.user.pk).update(email="MO@x.org"),
            "workforce_user_email_lower_case",
        ),
        (
            lambda cast: Organisation.objects.filter(pk=cast.icb.pk).update(parent=cast.icb),
            "workforce_organisation_not_its_own_parent",
        ),
        (
            lambda cast: Organisation.objects.filter(pk=cast.icb.pk).update(code="small"),
            "workforce_organisation_code_upper_case",
        ),
    ],
)
def test_each_constraint_refuses(cast: Cast, change, constraint: str) -> None:
    with walls.lifted("tests"), pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        change(cast)


def test_names_sort_by_family_name() -> None:
    given = ["Ana de Souza", "Zoë Abbott", "Bo van den Berg", "Madonna", "Al Green"]
    assert sorted(given, key=sort_key) == ["Zoë Abbott", "Ana de Souza", "Al Green", "Madonna", "Bo van den Berg"]
