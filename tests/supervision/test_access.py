"""Supervisors' access follows their agreements, whatever changes them."""

import random
import threading
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from hwbc.compliance.importing import actions as importing
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import actor_of
from hwbc.workforce.models import AuditEvent, Coach, Grant, Post, User
from hwbc.workforce.roles import SUPERVISORS, Can, Role
from supervision.actions import access
from supervision.actions.access import Followed, follow_agreements, give_access
from supervision.actions.agreements import add_supervisor, agree
from supervision.models import Agreement, Supervisor
from supervision.queries import without_access
from tests.cast import SETUP, SUPERVISED_FROM, Cast, Person, UserFactory
from tests.compliance.importing import bring
from tests.oracle import Workbook
from tests.workbooks import errors, random_workbook, write_csv_folder

pytestmark = pytest.mark.django_db
One = tuple[int, str, int, int, date, date | None]
KINDS = {"line": "line_supervisor", "clinical": "clinical_supervisor", "health_coaching": "coaching_supervisor"}


def agreed() -> set[One]:
    """What the agreements ask for, by loops: user, role, coach, place, first and last day."""
    day = today()
    found = set()
    for agreement in Agreement.objects.select_related("supervisor").filter(voided_at=None):
        user = agreement.supervisor.user_id
        if user is None or (agreement.ends_on is not None and agreement.ends_on < day):
            continue
        posts = list(Post.objects.filter(coach=agreement.coach_id, voided_at=None))
        present = [p for p in posts if p.starts_on <= day and (p.ends_on is None or p.ends_on >= day)]
        latest = max(present or posts, key=lambda post: (post.starts_on, -post.pk))
        role = KINDS[agreement.kind]
        found.add((user, role, agreement.coach_id, latest.pcn_id, agreement.starts_on, agreement.ends_on))
    return found


def granted() -> set[One]:
    """Supervisors' grants that hold today or later."""
    live = [
        grant
        for grant in Grant.objects.filter(role__in=SUPERVISORS, revoked_at=None)
        if grant.ends_on is None or grant.ends_on >= today()
    ]
    rows: list[Any] = [(g.user_id, g.role, g.coach_id, g.organisation_id, g.starts_on, g.ends_on) for g in live]
    assert len(rows) == len(set(rows))
    return set(rows)


# --- Any workbook, imported again with changes ----------------------------------------------------------------------


def changed(workbook: Workbook, rng: random.Random) -> Workbook:
    """The same workbook with other supervisors, other last days and coaches who moved; still without a fault."""
    book = {sheet: [dict(row) for row in rows] for sheet, rows in workbook.items()}
    supervisors = [row["supervisor_ref"] for row in book["supervisors"]]
    pcns = [row["code"] for row in book["organisations"] if row["kind"] == "pcn"]
    days = [None, *(today() + timedelta(days=n) for n in (-400, -30, -1, 0, 1, 30, 400))]
    for row in book["agreements"]:
        for column, values in (("supervisor_ref", supervisors), ("to", days)):
            was = row.get(column)
            if rng.random() < 0.5:
                row[column] = rng.choice(values)
                if errors(book, today()):
                    row[column] = was
    for row in rng.sample(book["coaches"], 4):
        moved = {**row, "pcn_code": rng.choice(pcns), "started_on": today() - timedelta(days=rng.randint(0, 9)),
                 "left_on": None, "employer_code": None}  # fmt: skip
        book["coaches"].append(moved)
        if errors(book, today()):
            book["coaches"].pop()
    return book


def give_some_access(rng: random.Random) -> None:
    """About two thirds of the supervisors who have an agreement get an account, two of them the same one."""
    users: list[User] = []
    for supervisor, _ in without_access([coach.pk for coach in Coach.objects.all()], today()):
        if rng.random() < 0.67:
            email = {"email": supervisor.email} if supervisor.email else {}
            same = users and not supervisor.email and rng.random() < 0.2
            user = users[-1] if same else UserFactory.create(**email)
            give_access(SETUP, supervisor=supervisor, user=user)
            users.append(user)


def brought_in_twice(seed: int, folder: Path) -> tuple[set[One], set[One]]:
    """What was granted after access was given, and what is after the changed workbook came in."""
    rng = random.Random(seed)
    workbook = random_workbook(seed, coaches=14, centre=today())
    write_csv_folder(workbook, folder / "first", seed)
    bring(folder / "first", day=today())
    with walls.lifted("tests"):
        give_some_access(rng)
        before = granted()
        assert before == agreed()
    write_csv_folder(changed(workbook, rng), folder / "second", seed)
    bring(folder / "second", day=today())
    with walls.lifted("tests"):
        return before, granted()


@pytest.mark.parametrize("seed", range(5))
def test_grants_equal_agreements_on_any_workbook_imported_again_with_changes(seed: int, tmp_path: Path) -> None:
    before, after = brought_in_twice(seed, tmp_path)
    with walls.lifted("tests"):
        assert after == agreed()
        assert len(before) > 5
        assert before - after  # some ended or changed,
        assert after - before  # and some are new
        assert follow_agreements() == Followed(0, 0, 0)
        assert granted() == after


def test_the_comparison_bites(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: an import that does not follow leaves grants that no agreement asks for."""
    monkeypatch.setattr(importing, "follow_agreements", lambda: Followed(0, 0, 0))
    before, after = brought_in_twice(1, tmp_path)
    with walls.lifted("tests"):
        assert after == before
        assert after != agreed()


def test_an_import_writes_down_what_it_did_to_access(tmp_path: Path) -> None:
    before, after = brought_in_twice(2, tmp_path)
    with walls.lifted("tests"):
        facts = AuditEvent.objects.filter(what="workbook.import").latest("at").facts["access"]
    # A grant whose last day or place changed is the same grant.
    same = {one[:3] + one[4:5] for one in before} & {one[:3] + one[4:5] for one in after}
    assert facts["given"] == len(after) - len(same)
    assert facts["ended"] == len(before) - len(same)
    assert facts["changed"] == len(after - before) - facts["given"]


# --- One agreement --------------------------------------------------------------------------------------------------


def supervisor_of(
    cast: Cast, coach: Coach, kind: str = "clinical", starts_on: date | None = None, ends_on: date | None = None
) -> tuple[Supervisor, Person]:
    """A new supervisor with an agreement, from today unless said otherwise, and an account."""
    person = Person(UserFactory.create())
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name=person.user.name, role="gp")
        agree(SETUP, coach=coach, supervisor=supervisor, kind=kind, starts_on=starts_on or today(), ends_on=ends_on)
        give_access(SETUP, supervisor=supervisor, user=person.user)
    return supervisor, person


def test_sam_has_one_role_for_each_agreement(cast: Cast) -> None:
    assert {(grant.role, grant.coach_id, grant.starts_on) for grant in cast.sam.actor.grants} == {
        (role, cast.coach_asha.pk, SUPERVISED_FROM) for role in SUPERVISORS
    }
    assert cast.sam.actor.coaches(Can.SEE_STANDING) == {cast.coach_asha.pk}


def test_access_begins_and_ends_with_the_days_of_the_agreement(cast: Cast) -> None:
    first, last = today() + timedelta(days=3), today() + timedelta(days=9)
    _, person = supervisor_of(cast, cast.coach_bo, starts_on=first, ends_on=last)
    reached = [
        bool(actor_of(person.user, day).coaches(Can.SEE_STANDING))
        for day in (today(), first - timedelta(days=1), first, last, last + timedelta(days=1))
    ]
    assert reached == [False, False, True, True, False]


def test_a_void_agreement_gives_no_access_from_now_on(cast: Cast) -> None:
    _, person = supervisor_of(cast, cast.coach_bo)
    assert person.actor.grants
    with walls.lifted("tests"):
        Agreement.objects.filter(coach=cast.coach_bo).update(voided_at=timezone.now())
        assert follow_agreements(coaches=[cast.coach_asha.pk]) == Followed(0, 0, 0)
        assert follow_agreements(coaches=[cast.coach_bo.pk]) == Followed(given=0, changed=0, ended=1)
    assert person.actor.grants == ()


@pytest.mark.parametrize(("days", "still"), [(-1, False), (0, True), (5, True)])
def test_an_agreement_that_gets_a_last_day(cast: Cast, days: int, still: bool) -> None:
    _, person = supervisor_of(cast, cast.coach_bo, starts_on=today() - timedelta(days=40))
    last = today() + timedelta(days=days)
    with walls.lifted("tests"):
        Agreement.objects.filter(coach=cast.coach_bo).update(ends_on=last, end_recorded_at=timezone.now())
        follow_agreements()
        assert granted() == agreed()
    assert bool(person.actor.grants) == still
    assert not actor_of(person.user, last + timedelta(days=1)).grants


def test_an_end_or_a_beginning_that_is_corrected_after_access_was_over(cast: Cast) -> None:
    """A role is held once on a day: what was over by its date must not stand in the way."""
    start = today() - timedelta(days=40)
    _, person = supervisor_of(cast, cast.coach_bo, starts_on=start, ends_on=today())
    with walls.lifted("tests"):
        over = today() - timedelta(days=2)
        Grant.objects.filter(user=person.user).update(ends_on=over)  # as it is two days after the last one
        Agreement.objects.filter(coach=cast.coach_bo).update(ends_on=None, end_recorded_at=None)
        assert follow_agreements() == Followed(given=0, changed=1, ended=0)
        assert granted() == agreed()

        Grant.objects.filter(user=person.user).update(ends_on=over)
        Agreement.objects.filter(coach=cast.coach_bo).update(starts_on=start + timedelta(days=1))
        assert follow_agreements() == Followed(given=1, changed=0, ended=1)
        assert granted() == agreed()


def test_a_coach_who_moves_takes_the_access_to_the_new_pcn(cast: Cast) -> None:
    _, person = supervisor_of(cast, cast.coach_bo)
    with walls.lifted("tests"):
        Post.objects.filter(coach=cast.coach_bo).update(
            ends_on=today() - timedelta(days=1), end_recorded_at=timezone.now()
        )
        Post.objects.create(
            coach=cast.coach_bo, pcn=cast.hilltop, employer=cast.hilltop, starts_on=today(), hours_per_week=30,
            funding="arrs",
        )  # fmt: skip
        assert follow_agreements() == Followed(given=0, changed=1, ended=0)
        assert granted() == agreed()
    assert [grant.organisation for grant in person.actor.grants] == ["Hilltop PCN"]


def test_whoever_follows_touches_only_coaches_whom_they_see(cast: Cast) -> None:
    supervisor, person = supervisor_of(cast, cast.coach_dot)
    with walls.lifted("tests"):
        agree(SETUP, coach=cast.coach_bo, supervisor=supervisor, kind="clinical", starts_on=today())
        Agreement.objects.filter(supervisor=supervisor).update(voided_at=timezone.now())
    with walls.within(cast.mo.actor.scope):
        assert follow_agreements() == Followed(given=0, changed=0, ended=1)
    assert [grant.coach_id for grant in person.actor.grants] == [cast.coach_dot.pk]
    with walls.within(cast.zed.actor.scope):
        assert follow_agreements() == Followed(given=0, changed=0, ended=1)


# --- Giving and agreeing --------------------------------------------------------------------------------------------


def test_a_manager_gives_access_and_it_is_written_down(cast: Cast) -> None:
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Ivy Invented", role="gp", email="Ivy@example.org")
        agree(SETUP, coach=cast.coach_bo, supervisor=supervisor, kind="clinical", starts_on=today())
    ivy = UserFactory.create(email="ivy@example.org")
    mo = cast.mo.actor
    with walls.within(mo.scope):
        assert [each.supervisor for each in without_access(mo.coaches(Can.INVITE), today())] == [supervisor]
        give_access(mo, supervisor=supervisor, user=ivy)
        give_access(mo, supervisor=supervisor, user=ivy)  # twice: the same
        assert without_access(mo.coaches(Can.INVITE), today()) == []
    assert [(grant.role, grant.coach_id) for grant in actor_of(ivy).grants] == [
        (Role.CLINICAL_SUPERVISOR, cast.coach_bo.pk)
    ]
    with walls.lifted("tests"):
        lines = AuditEvent.objects.filter(what="access.give_supervisor", record=str(supervisor.uuid)).order_by("at")
        assert [line.facts["access"]["given"] for line in lines] == [1, 0]
        assert lines[0].facts["user"] == str(ivy.uuid)


def test_access_is_not_given_to_just_anybody(cast: Cast) -> None:
    supervisor, _ = supervisor_of(cast, cast.coach_bo)
    with walls.lifted("tests"):
        known = add_supervisor(SETUP, name="Ivy Invented", role="gp", email="ivy@example.org")
        agree(SETUP, coach=cast.coach_cai, supervisor=known, kind="clinical", starts_on=today())
        idle = add_supervisor(SETUP, name="Ida Idle", role="gp")
        agree(
            SETUP, coach=cast.coach_cai, supervisor=idle, kind="line",
            starts_on=today() - timedelta(days=9), ends_on=today() - timedelta(days=1),
        )  # fmt: skip
    other = UserFactory.create()
    for actor, whom, says in (
        (cast.mo.actor, supervisor, "has access already, as "),
        (cast.lee.actor, known, r"The e-mail address recorded for Ivy Invented is ivy@example\.org"),
        (cast.lee.actor, idle, "Ida Idle has no agreement with a coach whose access you manage"),
        (cast.sam.actor, cast.supervisor_sam, "has access already, as "),
    ):
        with walls.within(actor.scope), pytest.raises(ValidationError, match=says), transaction.atomic():
            give_access(actor, supervisor=whom, user=other)
    ivy = UserFactory.create(email="ivy@example.org")
    for person in (cast.mo, cast.zed, cast.sam):  # nobody who manages Cai's access
        with walls.within(person.actor.scope), pytest.raises(ValidationError, match="has no agreement"):
            give_access(person.actor, supervisor=known, user=ivy)
        with walls.lifted("tests"), pytest.raises(ValidationError, match="has no agreement"):
            give_access(person.actor, supervisor=known, user=ivy)  # the first wall by itself
    assert actor_of(ivy).grants == ()
    with walls.lifted("tests"):
        assert not Supervisor.objects.filter(pk__in=[known.pk, idle.pk]).exclude(user=None).exists()


def test_a_coach_has_one_supervisor_of_a_kind_at_a_time_and_never_themself(cast: Cast) -> None:
    with walls.lifted("tests"):
        other = add_supervisor(SETUP, name="Ivy Invented", role="gp")
        themself = add_supervisor(SETUP, name="Bo Lindqvist", role="health_coach", coach=cast.coach_bo)
        with pytest.raises(ValidationError, match=r"overlaps one recorded already, from .* and still running"):
            agree(SETUP, coach=cast.coach_asha, supervisor=other, kind="line", starts_on=today())
        agree(
            SETUP, coach=cast.coach_asha, supervisor=other, kind="line",
            starts_on=SUPERVISED_FROM - timedelta(days=9), ends_on=SUPERVISED_FROM - timedelta(days=1),
        )  # fmt: skip
        with pytest.raises(ValidationError, match="Nobody is their own supervisor"):
            agree(SETUP, coach=cast.coach_bo, supervisor=themself, kind="line", starts_on=today())
        with pytest.raises(ValidationError, match="The last day cannot be before the first day"):
            agree(
                SETUP, coach=cast.coach_bo, supervisor=other, kind="line",
                starts_on=today(), ends_on=today() - timedelta(days=1),
            )  # fmt: skip
        with pytest.raises(ValidationError, match="is not a valid choice"):
            add_supervisor(SETUP, name="Nobody", role="king")


# --- Two at once ----------------------------------------------------------------------------------------------------


def at_once(cast: Cast) -> bool:
    """An agreement is made while its supervisor is given access; whether grants equal agreements afterwards."""
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Ivy Invented", role="gp")
        agree(SETUP, coach=cast.coach_bo, supervisor=supervisor, kind="clinical", starts_on=today())
    ivy = UserFactory.create()
    made, given = threading.Event(), threading.Event()
    faults: list[Exception] = []

    def agrees() -> None:
        with walls.lifted("tests"):
            agree(SETUP, coach=cast.coach_cai, supervisor=supervisor, kind="clinical", starts_on=today())
            made.set()
            given.wait(1.5)  # committed only after the other one is done, or has waited for a while

    def gives() -> None:
        made.wait(10)
        with walls.lifted("tests"):
            give_access(SETUP, supervisor=supervisor, user=ivy)
        given.set()

    def run(what: Any) -> None:
        try:
            what()
        except Exception as fault:  # noqa: BLE001  told by the test
            faults.append(fault)
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=[what]) for what in (agrees, gives)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert faults == []
    with walls.lifted("tests"):
        assert len(agreed()) == 5  # Sam's three, Ivy's two
        return granted() == agreed()


@pytest.mark.django_db(transaction=True)
def test_an_agreement_and_access_at_once_miss_nothing(live_cast: Cast) -> None:
    assert at_once(live_cast)


@pytest.mark.django_db(transaction=True)
def test_without_waiting_they_would(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control."""
    monkeypatch.setattr(access, "_one_after_the_other", lambda: None)
    assert not at_once(live_cast)
