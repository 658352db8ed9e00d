"""What each action changes, refuses and writes down."""

from contextlib import suppress
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, ProgrammingError, transaction

from hwbc.kit.periods import today
from hwbc.workforce import actions, walls
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import AuditMissing, Line, action, upkeep
from hwbc.workforce.models import AuditEvent, Coach, Grant, Organisation, Post, User, sort_key
from hwbc.workforce.roles import FOR_ONE_COACH, Role
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory, UserFactory

pytestmark = pytest.mark.django_db


def audited() -> int:
    with walls.lifted("tests"):
        return AuditEvent.objects.count()


def test_an_action_leaves_one_line_that_says_who_what_and_where(cast: Cast) -> None:
    with walls.within(cast.mo.actor.scope):
        actions.end_grant(cast.mo.actor, grant=Grant.objects.get(user=cast.rae.user))
    with walls.lifted("tests"):
        event = AuditEvent.objects.latest("at")
        grant = Grant.objects.get(user=cast.rae.user)
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


def test_a_manager_cannot_add_a_coach_elsewhere_the_database_refuses(cast: Cast) -> None:
    zed = cast.zed.actor
    with walls.within(zed.scope), pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        actions.add_coach(zed, name="X", email="x@example.org", pcn=cast.riverside, starts_on=today(), hours_per_week=1)


def test_behind_the_action_the_database_refuses_a_grant_elsewhere(cast: Cast) -> None:
    """The second wall by itself: the same row, written without the action."""
    row: dict[str, Any] = {"role": Role.PCN_MANAGER, "organisation": cast.riverside, "starts_on": today()}
    with walls.within(cast.zed.actor.scope):
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Grant.objects.create(user=cast.mo.user, **row)
        with pytest.raises(ValidationError, match="Your roles do not let you"):
            actions.grant(cast.zed.actor, user=cast.mo.user, **row)


def test_a_grant_ends_at_once(cast: Cast) -> None:
    assert cast.mo.actor.grants
    with walls.lifted("tests"):
        actions.end_grant(SETUP, grant=Grant.objects.get(user=cast.mo.user))
    assert cast.mo.actor.grants == ()
    assert cast.mo.actor.scope.coaches == ()


# --- Who may give what ---------------------------------------------------------------------------------------------

PLACES = ("icb", "northfield", "southmoor", "riverside", "hilltop", "lakeside", "practice", "provider")
AT_A_HUB = frozenset({"hub_admin", "recruiter", "panel_member", "auditor"})
AT_A_PCN = frozenset({"coach", "pcn_manager", "recruiter", "panel_member", "auditor"})
NOTHING: dict[str, frozenset[str]] = {}
# Written out, and not derived: who → where → the roles that they may give there. Everything else is refused.
MAY_GIVE = {
    "mo": {"riverside": AT_A_PCN},
    "lee": {"northfield": AT_A_HUB, "riverside": AT_A_PCN, "hilltop": AT_A_PCN},
    "zed": {"lakeside": AT_A_PCN},
    "asha": NOTHING,
    "sam": NOTHING,
    "ann": NOTHING,
    "rae": NOTHING,
    "pip": NOTHING,
    "nobody_yet": NOTHING,
}
# A job, such as the invitation on the command line, gives everything where it can be held.
BY_A_JOB = {
    "icb": AT_A_HUB, "northfield": AT_A_HUB, "southmoor": AT_A_HUB,
    "riverside": AT_A_PCN, "hilltop": AT_A_PCN, "lakeside": AT_A_PCN,
}  # fmt: skip


def given(cast: Cast, actor: Actor, scope: walls.Scope) -> dict[str, set[str]]:
    """Every role at every place, tried one by one; what was done, where."""
    with walls.lifted("tests"):
        cast_places = {
            "practice": OrganisationFactory.create(kind="practice", parent=cast.riverside),
            "provider": OrganisationFactory.create(kind="provider", parent=cast.northfield),
        }
        somebody = UserFactory.create()
    coaches = {"riverside": cast.coach_bo, "hilltop": cast.coach_cai, "lakeside": cast.coach_dot}
    done: dict[str, set[str]] = {}
    for name in PLACES:
        place = cast_places.get(name) or getattr(cast, name)
        for role in Role:
            coach = coaches.get(name, cast.coach_bo) if role in FOR_ONE_COACH else None
            with walls.within(scope), suppress(ValidationError), transaction.atomic():
                actions.grant(actor, user=somebody, role=role, organisation=place, coach=coach, starts_on=today())
                done.setdefault(name, set()).add(role.value)
                transaction.set_rollback(True)
    return done


@pytest.mark.parametrize("who", MAY_GIVE)
def test_who_may_give_which_role_where(cast: Cast, who: str) -> None:
    actor = getattr(cast, who).actor
    assert given(cast, actor, actor.scope) == MAY_GIVE[who]


def test_the_action_refuses_without_the_database_wall(cast: Cast) -> None:
    """The first wall by itself: with the database's lifted, the same is refused."""
    actor = cast.mo.actor
    assert given(cast, actor, walls.Scope(lifts="tests")) == MAY_GIVE["mo"]


def test_a_job_gives_a_role_wherever_it_can_be_held(cast: Cast) -> None:
    assert given(cast, SETUP, walls.Scope(lifts="tests")) == BY_A_JOB


def test_somebody_who_may_not_invite_makes_no_account(cast: Cast) -> None:
    with walls.within(cast.sam.actor.scope), pytest.raises(ValidationError, match="lets you invite people"):
        actions.invite(cast.sam.actor, email="new@example.org", name="New")
    assert not User.objects.filter(email="new@example.org").exists()


@pytest.mark.parametrize(
    ("role", "place", "says"),
    [
        (Role.HUB_ADMIN, "riverside", "Riverside PCN cannot have a Training hub administrator"),
        (Role.PCN_MANAGER, "northfield", "Northfield hub cannot have a PCN manager: only a Primary Care Network can"),
        (Role.LINE_SUPERVISOR, "riverside", "follows the supervision agreement"),
    ],
)
def test_what_nobody_may_give_is_refused_with_a_sentence(cast: Cast, role: Role, place: str, says: str) -> None:
    with walls.lifted("tests"), pytest.raises(ValidationError, match=says):
        actions.grant(
            SETUP, user=cast.mo.user, role=role, organisation=getattr(cast, place), starts_on=today(),
            coach=cast.coach_bo if role in FOR_ONE_COACH else None,
        )  # fmt: skip


def test_the_same_role_twice_is_refused_unless_the_first_has_ended(cast: Cast) -> None:
    again: dict[str, Any] = {
        "user": cast.rae.user,
        "role": Role.RECRUITER,
        "organisation": cast.riverside,
        "starts_on": today(),
    }
    with walls.within(cast.mo.actor.scope):
        with pytest.raises(ValidationError, match="has this role here already"):
            actions.grant(cast.mo.actor, **again)
        actions.end_grant(cast.mo.actor, grant=Grant.objects.get(user=cast.rae.user))
        actions.grant(cast.mo.actor, **again)


def own_access(cast: Cast, user: User, coach: Coach, pcn: Organisation) -> Grant:
    with walls.within(cast.lee.actor.scope):
        return actions.grant(
            cast.lee.actor, user=user, role=Role.COACH, organisation=pcn, coach=coach, starts_on=today()
        )


def test_a_coachs_own_access_makes_the_account_theirs(cast: Cast) -> None:
    own_access(cast, cast.nobody_yet.user, cast.coach_bo, cast.riverside)
    with walls.within(cast.nobody_yet.actor.scope):
        assert [coach.name for coach in Coach.objects.for_actor(cast.nobody_yet.actor)] == ["Bo Lindqvist"]
        assert Coach.objects.get(name="Bo Lindqvist").user == cast.nobody_yet.user


def test_a_coach_has_one_account_and_an_account_one_coach(cast: Cast) -> None:
    with pytest.raises(ValidationError, match=r"Asha Rahman signs in as asha\.rahman@example\.org already"):
        own_access(cast, cast.nobody_yet.user, cast.coach_asha, cast.riverside)
    with pytest.raises(ValidationError, match=r"asha\.rahman@example\.org is the account of another coach"):
        own_access(cast, cast.asha.user, cast.coach_cai, cast.hilltop)
    with pytest.raises(ValidationError, match="Bo Lindqvist has no post at Hilltop PCN"):
        own_access(cast, cast.nobody_yet.user, cast.coach_bo, cast.hilltop)


def test_the_account_of_a_coach_elsewhere_is_refused_although_it_is_not_seen(cast: Cast) -> None:
    dot = UserFactory.create(name="Dot Ferreira")
    with walls.within(cast.zed.actor.scope):
        zed = cast.zed.actor
        actions.grant(
            zed, user=dot, role=Role.COACH, organisation=cast.lakeside, coach=cast.coach_dot, starts_on=today()
        )
    with pytest.raises(ValidationError, match="is the account of another coach"):
        own_access(cast, dot, cast.coach_bo, cast.riverside)


def test_access_is_ended_by_whoever_may_invite_there_and_by_nobody_else(cast: Cast) -> None:
    with walls.lifted("tests"):
        of_rae, of_sam, of_lee = (
            Grant.objects.filter(user=person.user).earliest("pk") for person in (cast.rae, cast.sam, cast.lee)
        )
    for actor in (cast.zed.actor, cast.asha.actor, cast.ann.actor, cast.rae.actor):
        with walls.lifted("tests"), pytest.raises(ValidationError, match="do not let you end access here"):
            actions.end_grant(actor, grant=of_rae)
    with walls.lifted("tests"), pytest.raises(ValidationError, match="do not let you end access here"):
        actions.end_grant(cast.mo.actor, grant=of_lee)
    for actor in (cast.mo.actor, SETUP):
        with walls.lifted("tests"), pytest.raises(ValidationError, match="follows the supervision agreement"):
            actions.end_grant(actor, grant=of_sam)
    with walls.within(cast.lee.actor.scope):
        actions.end_grant(cast.lee.actor, grant=of_rae)
    assert cast.rae.actor.grants == ()
    assert cast.lee.actor.grants
    assert len(cast.sam.actor.grants) == 3


def test_a_link_is_sent_again_to_people_one_manages_who_need_it(cast: Cast) -> None:
    def send_again(actor: Actor, user: User) -> None:
        with walls.within(actor.scope):
            actions.send_again(actor, user=user)

    with walls.lifted("tests"):
        new = actions.invite(SETUP, email="new@example.org", name="New Person")
        actions.grant(SETUP, user=new, role=Role.AUDITOR, organisation=cast.riverside, starts_on=today())
    send_again(cast.mo.actor, new)
    with pytest.raises(ValidationError, match="You manage no access of this person"):
        send_again(cast.zed.actor, new)
    with pytest.raises(ValidationError, match="Rae Adeyemi has chosen a password already"):
        send_again(cast.mo.actor, cast.rae.user)
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="access.send_again", record=str(new.uuid)).count() == 1


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
            lambda cast: Grant.objects.create(
                user=cast.mo.user, role=Role.PCN_MANAGER, organisation=cast.riverside, starts_on=today()
            ),
            "workforce_grant_a_role_once",
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
