"""What somebody is told: a row, once, for the right people; and the wall around it."""

from collections.abc import Iterator
from datetime import date, timedelta

import pytest
from django.core.exceptions import ObjectDoesNotExist
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hwbc.compliance import checks, notices
from hwbc.compliance.queries import RULES
from hwbc.kit.periods import today
from hwbc.standards import actions
from hwbc.standards.models import Flag, FlagEvent, Notification
from hwbc.standards.queries import notifications, unread_count
from hwbc.standards.rules import RED
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import AuditEvent, Coach, Grant, Organisation, Post, User
from hwbc.workforce.roles import Role
from tests.cast import Cast, CoachFactory, OrganisationFactory, Person, person

pytestmark = pytest.mark.django_db
ALLOCATED, MISSED = Notification.Kind.REFERRAL_ALLOCATED, Notification.Kind.CHECKS_MISSED
RUN = Actor.system("tests")


def allocated(to: Person, key: str = "r1", coach: Coach | None = None) -> None:
    """Somebody is told that a referral was allocated to them."""
    actions.tell([to.user.pk], kind=ALLOCATED, key=key, coach=coach.pk if coach else None)


def told(to: Person) -> list[Notification]:
    """Everything that somebody was told."""
    with walls.lifted("tests"):
        return list(Notification.objects.filter(user=to.user).select_related("coach"))


def flags_told(to: Person) -> set[tuple[str, str]]:
    """The coaches and rules of whose flags somebody was told."""
    assert all(one.key == str(one.record) for one in told(to) if one.kind == "flag_raised")
    return {(one.coach.name, one.facts["rule"]) for one in told(to) if one.coach and one.kind == "flag_raised"}


def raised(coach: Coach) -> set[tuple[str, str]]:
    """A coach's open flags."""
    with walls.lifted("tests"):
        rules = Flag.objects.filter(coach=coach, cleared_at=None).values_list("rule", flat=True)
        return {(coach.name, rule) for rule in rules}


def given(to: Person, role: Role, place: Organisation, coach: Coach | None = None, **values: date) -> Grant:
    """A grant, also one that nobody gives by hand."""
    values.setdefault("starts_on", today() - timedelta(days=9))
    with walls.lifted("tests"):
        return Grant.objects.create(user=to.user, role=role, organisation=place, coach=coach, **values)


# --- The wall -----------------------------------------------------------------------------------------------------


def test_anybody_may_tell_and_only_who_is_told_sees_it(cast: Cast) -> None:
    with walls.within(cast.zed.actor.scope):
        allocated(cast.mo)
        assert not Notification.objects.exists()
    with walls.within(walls.NOBODY):
        allocated(cast.mo, "r2")
    with walls.within(cast.mo.actor.scope):
        assert {one.key for one in Notification.objects.all()} == {"r1", "r2"}


def test_only_who_was_told_says_that_it_was_read(cast: Cast) -> None:
    allocated(cast.mo)
    [one] = told(cast.mo)
    with walls.within(cast.zed.actor.scope):
        assert Notification.objects.filter(pk=one.pk).update(read_at=timezone.now()) == 0
        with pytest.raises(ObjectDoesNotExist):
            one.refresh_from_db()
    with walls.within(cast.mo.actor.scope):
        assert Notification.objects.filter(pk=one.pk).update(read_at=timezone.now()) == 1
        with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
            Notification.objects.filter(pk=one.pk).update(user=cast.zed.user)


@pytest.mark.parametrize("lifted", [False, True])
def test_nobody_takes_anything_out(cast: Cast, lifted: bool) -> None:
    allocated(cast.mo)
    scope = walls.lifted("tests") if lifted else walls.within(cast.mo.actor.scope)
    with scope, pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
        Notification.objects.all().delete()


_WALL = "alter policy wall on standards_notification"
_CHANGES = "alter policy wall_changes on standards_notification"


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("damage", "leak"),
    [
        (f"{_WALL} using (true)", "sees"),
        (f"{_WALL} using (true); {_CHANGES} using (true) with check (true)", "changes"),
    ],
)
def test_positive_control_a_damaged_wall_leaks_and_building_heals_it(live_cast: Cast, damage: str, leak: str) -> None:
    def zed() -> set[str]:
        with walls.within(live_cast.zed.actor.scope):
            can = {"sees"} if Notification.objects.exists() else set()
            return can | ({"changes"} if Notification.objects.update(read_at=timezone.now()) else set())

    allocated(live_cast.mo)
    assert zed() == set()
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute(damage)
    try:
        assert leak in zed()
    finally:
        with walls.as_owner():
            assert walls.build() != []
    assert zed() == set()


# --- Once ---------------------------------------------------------------------------------------------------------


def test_the_same_thing_is_told_once_and_to_whom_was_not_told_yet(cast: Cast) -> None:
    facts = {"day": "2026-11-20", "last": None}
    for users in ([cast.mo], [cast.mo, cast.mo, cast.lee], [cast.lee]):
        actions.tell([one.user.pk for one in users], kind=MISSED, key="2026-11-20", facts=facts)
    assert (len(told(cast.mo)), len(told(cast.lee)), len(told(cast.zed))) == (1, 1, 0)
    allocated(cast.mo, "2026-11-20")  # of another kind, it is another thing
    assert len(told(cast.mo)) == 2


def test_the_database_refuses_the_same_thing_twice(cast: Cast) -> None:
    allocated(cast.mo)
    with (
        walls.lifted("tests"),
        pytest.raises(IntegrityError, match="standards_notification_never_told_twice"),
        transaction.atomic(),
    ):
        Notification.objects.create(user=cast.mo.user, kind=ALLOCATED, key="r1")


# --- Flags --------------------------------------------------------------------------------------------------------


def test_a_flag_is_told_to_the_coach_their_supervisor_of_that_kind_and_their_manager(cast: Cast) -> None:
    clinical, gone, away = (person(f"Invented {name}") for name in ("Clinician", "Past", "Closed"))
    given(clinical, Role.CLINICAL_SUPERVISOR, cast.riverside, cast.coach_asha)
    given(gone, Role.CLINICAL_SUPERVISOR, cast.riverside, cast.coach_asha, ends_on=today() - timedelta(days=1))
    given(away, Role.PCN_MANAGER, cast.riverside)
    with walls.lifted("tests"):
        User.objects.filter(pk=away.user.pk).update(is_active=False)
    run = checks.run_checks(RUN, today())

    ashas, bos = raised(cast.coach_asha), raised(cast.coach_bo)
    rules = {rule for _, rule in ashas}
    assert rules >= {
        "supervision.line",
        "supervision.clinical",
        "supervision.health_coaching",
        "training.arrs_eligible",
    }
    assert flags_told(cast.asha) == ashas
    assert flags_told(cast.mo) == ashas | bos != ashas
    assert flags_told(cast.sam) == {(name, rule) for name, rule in ashas if rule.startswith("supervision.")}
    assert {rule for _, rule in flags_told(clinical)} == rules & {"supervision.clinical", "supervision.named.clinical"}
    for nobody in (cast.lee, cast.ann, gone, away, cast.nobody_yet):
        assert told(nobody) == []
    assert {name for name, _ in flags_told(cast.zed)} == {"Dot Ferreira"}
    with walls.lifted("tests"):
        assert run.counts["told"] == Notification.objects.count()
        assert not FlagEvent.objects.filter(untold=True).exists()


def test_a_flag_is_told_once_not_when_its_dates_change_and_not_when_it_is_cleared(cast: Cast) -> None:
    checks.run_checks(RUN, today())
    before = told(cast.asha)
    posts = Post.objects.filter(coach=cast.coach_asha)
    with walls.lifted("tests"):
        Flag.objects.update(since=today())  # as they stood before somebody corrected a date
    assert checks.run_checks(RUN, today()).counts["changed"] > 0
    with walls.lifted("tests"):
        posts.update(ends_on=today() - timedelta(days=1), end_recorded_at=timezone.now())  # she has left
    assert checks.run_checks(RUN, today()).counts["cleared"] == len(before)
    assert told(cast.asha) == before

    with walls.lifted("tests"):
        posts.update(ends_on=None, end_recorded_at=None)
    checks.run_checks(RUN, today())  # raised anew: other flags, other news
    assert len(told(cast.asha)) == 2 * len(before)
    assert flags_told(cast.asha) == raised(cast.coach_asha)


def test_a_flag_that_was_cleared_before_anybody_heard_of_it_is_no_news(cast: Cast) -> None:
    with walls.lifted("tests"):
        for cleared_at in (None, timezone.now()):
            flag = Flag.objects.create(
                coach=cast.coach_asha, rule="supervision.line", state="overdue", raised_on=today(),
                cleared_at=cleared_at, cleared_on=cleared_at and today(),
            )  # fmt: skip
            FlagEvent.objects.create(coach=cast.coach_asha, flag=flag, what="raised", untold=True)
        assert actions.tell_of_raised_flags(day=today()) == 3  # Asha, Sam, Mo
        assert actions.tell_of_raised_flags(day=today()) == 0
    assert len(told(cast.mo)) == 1


def test_telling_asks_as_many_questions_for_many_coaches_as_for_few(cast: Cast) -> None:
    counts = []
    for more in (1, 12):
        with walls.lifted("tests"):
            for coach in CoachFactory.create_batch(more, pcn=cast.riverside):
                given(person(coach.name), Role.COACH, cast.riverside, coach)
        with CaptureQueriesContext(connection) as asked:
            run = checks.run_checks(RUN, today())
        assert run.counts["raised"] > 0
        counts.append(len(asked))
    assert counts[0] == counts[1], asked.captured_queries


def test_a_manager_of_another_of_the_coachs_posts_is_told_and_one_of_a_past_post_is_not(cast: Cast) -> None:
    other, past = person("Invented Other"), person("Invented Former")
    with walls.lifted("tests"):
        places = [OrganisationFactory.create(parent=cast.northfield) for _ in range(2)]
        Post.objects.create(
            coach=cast.coach_asha, pcn=places[0], employer=places[0], starts_on=today(), hours_per_week=5
        )
        yesterday = today() - timedelta(days=1)
        Post.objects.create(
            coach=cast.coach_asha, pcn=places[1], employer=places[1], starts_on=yesterday, ends_on=yesterday,
            hours_per_week=5,
        )  # fmt: skip
    given(other, Role.PCN_MANAGER, places[0])
    given(past, Role.PCN_MANAGER, places[1])
    checks.run_checks(RUN, today())
    assert flags_told(other) == raised(cast.coach_asha)
    assert told(past) == []


# --- Checks that were not made ------------------------------------------------------------------------------------


def test_missed_checks_are_told_once_a_day_to_managers_and_hubs(cast: Cast) -> None:
    former = person("Invented Former")
    given(former, Role.HUB_ADMIN, cast.northfield, ends_on=today() - timedelta(days=1))
    with walls.lifted("tests"):
        for _ in range(2):
            actions.tell_checks_missed(day=date(2026, 3, 4), last=date(2026, 3, 2), on=today())
        actions.tell_checks_missed(day=date(2026, 3, 5), last=date(2026, 3, 2), on=today())
    for who in (cast.mo, cast.zed, cast.lee):
        assert [(one.key, one.facts["last"]) for one in reversed(told(who))] == [
            ("2026-03-04", "2026-03-02"),
            ("2026-03-05", "2026-03-02"),
        ]
    for who in (cast.asha, cast.sam, cast.ann, former):
        assert told(who) == []


# --- Reading ------------------------------------------------------------------------------------------------------


@pytest.fixture
def mos_news(cast: Cast) -> Iterator[Actor]:
    """Mo was told of an allocation to Asha, of one to Bo, and of something about nobody; asked within his scope."""
    allocated(cast.mo, "asha", cast.coach_asha)
    allocated(cast.mo, "bo", cast.coach_bo)
    allocated(cast.mo, "other")
    allocated(cast.zed, "zeds")
    actor = cast.mo.actor
    with walls.within(actor.scope):
        yield actor


def test_one_reads_ones_own_the_newest_first(cast: Cast, mos_news: Actor) -> None:
    assert [one.key for one in notifications(mos_news)] == ["other", "bo", "asha"]
    assert unread_count(mos_news) == 3
    bo = notifications(mos_news).get(key="bo")
    actions.mark_read(mos_news, notification=bo)
    actions.mark_read(mos_news, notification=bo)
    assert unread_count(mos_news) == 2
    assert actions.mark_all_read(mos_news) == 2
    assert unread_count(mos_news) == 0
    assert actions.mark_all_read(mos_news) == 0
    lines = AuditEvent.objects.filter(what__startswith="notification.").values_list("record", flat=True)
    assert set(lines) == {str(bo.pk), str(cast.mo.user.uuid)}
    with walls.lifted("tests"):
        assert Notification.objects.get(key="zeds").read_at is None


def test_of_somebody_elses_nothing_changes(cast: Cast, mos_news: Actor) -> None:
    [other, *_] = notifications(mos_news)
    zed = cast.zed.actor
    with walls.lifted("tests"):  # even with the wall taken away
        actions.mark_read(zed, notification=other)
        other.refresh_from_db()
    assert other.read_at is None


def test_what_is_about_a_coach_goes_with_the_access_to_them(cast: Cast, mos_news: Actor) -> None:
    with walls.lifted("tests"):
        Grant.objects.filter(user=cast.mo.user).update(revoked_at=timezone.now())
    now = cast.mo.actor
    with walls.within(now.scope):
        assert [one.key for one in notifications(now)] == ["other"]
        assert unread_count(now) == 1
        assert actions.mark_all_read(now) == 1
        # The database, which keeps what was told, no longer says about whom.
        assert {notices.said(one) for one in Notification.objects.select_related("coach")} == {
            "A referral was allocated to you."
        }


def test_the_list_is_one_query(cast: Cast, mos_news: Actor) -> None:
    with CaptureQueriesContext(connection) as asked:
        assert [notices.said(one) for one in notifications(mos_news)] == [
            "A referral was allocated to you.",
            "Bo Lindqvist: A referral was allocated to you.",
            "Asha Rahman: A referral was allocated to you.",
        ]
    assert len(asked) == 1


@pytest.mark.parametrize(
    ("rule", "state", "since", "due_on", "words"),
    [
        ("supervision.line", "overdue", "2026-10-11", "2026-10-03",
         "Line management, overdue against the standard since 11 October 2026. It was due on 3 October 2026."),
        ("training.before_referrals", "not_met", "2026-05-09", None,
         "Trained before taking referrals, not met since 9 May 2026."),
        ("training.arrs_eligible", "not_met", None, None, "Can be claimed, not met."),
        ("training.required:IG", "not_met", "2026-05-09", "2026-05-08",
         "Required course IG, not met since 9 May 2026. It was due on 8 May 2026."),
    ],
)  # fmt: skip
def test_a_flag_in_words(rule: str, state: str, since: str | None, due_on: str | None, words: str) -> None:
    facts = {"rule": rule, "state": state, "since": since, "due_on": due_on}
    assert notices.said(Notification(kind="flag_raised", facts=facts)) == words


@pytest.mark.parametrize(
    ("last", "words"),
    [
        ("2026-11-19", "on 20 November 2026. The last before were on 19 November 2026: what changed since is "),
        ("2026-11-13", "from 14 November 2026 to 20 November 2026. The last before were on 13 November 2026: "),
        (None, "on 20 November 2026, and none ran before it."),
    ],
)  # fmt: skip
def test_missed_checks_in_words(last: str | None, words: str) -> None:
    said = notices.said(Notification(kind=MISSED, facts={"day": "2026-11-20", "last": last}))
    assert said.startswith(f"The nightly checks did not run {words}")


def test_everything_that_is_flagged_can_be_said(cast: Cast) -> None:
    for rule in {*RULES, "training.required:IG"} - {checks.NO_FLAG}:
        for state in RED:
            facts = {"rule": rule, "state": state, "since": None, "due_on": None}
            assert notices.said(Notification(kind="flag_raised", facts=facts))
    assert set(notices._SAID) == set(Notification.Kind)
