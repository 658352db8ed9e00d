"""The change history: what the database keeps, whichever way a row was changed; who reads it; that nobody writes it."""

from datetime import timedelta
from typing import Any

import pytest
import structlog
from django.apps import apps
from django.core.exceptions import ImproperlyConfigured, PermissionDenied
from django.core.management import call_command
from django.db import DatabaseError, ProgrammingError, connection, models, transaction
from django.db.models import F
from django.http import HttpResponse
from django.test import RequestFactory
from django.test.utils import CaptureQueriesContext

from coaching.models import CoachingSession, Patient, Referral, SessionNote
from hwbc.compliance.checks import run_checks
from hwbc.compliance.tasks import job as message
from hwbc.kit.periods import today
from hwbc.standards.models import FlagEvent, Job
from hwbc.workforce import actions, history, walls
from hwbc.workforce.access import Actor, FrontDoor, Request
from hwbc.workforce.audit import ActionRefused, Line, action
from hwbc.workforce.models import Absence, Change, Coach, Grant, Organisation, Post, User
from supervision.models import Meeting
from tests import facts
from tests.cast import SETUP, Cast
from tests.compliance import bringing
from tests.conftest import wait_for
from training.models import Exemption

pytestmark = pytest.mark.django_db
CANARY = "CANARY-TEXT-not-to-be-kept"


def of(row: models.Model, **narrowed: Any) -> list[Change]:
    """The changes of a row, the oldest first."""
    with walls.lifted("tests"):
        found = Change.objects.filter(kind=row._meta.label_lower, row_id=row.pk, **narrowed)
        return list(found.order_by("at", "id"))


def sql(statement: str, *parameters: Any) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return int(cursor.rowcount)


def held(cast: Cast, count: int) -> None:
    """So many meetings of Asha's, in one statement."""
    rows = [
        Meeting(coach=cast.coach_asha, supervisor=cast.supervisor_sam, kind="line", held_on=today() - timedelta(days=n),
                minutes=60, format="individual", status="held")
        for n in range(count)
    ]  # fmt: skip
    Meeting.objects.bulk_create(rows)


# --- What is kept -----------------------------------------------------------------------------------------------------


def test_every_model_says_whether_its_history_is_kept_and_why_not() -> None:
    """A new model without a word stops the build; that one of ours is left out is a decision, in view of a reviewer."""
    left_out = {model._meta.label for model, kept in history.declared().items() if kept.why_not}
    assert left_out == {
        "workforce.AuditEvent", "workforce.AuditSeal", "workforce.Change", "workforce.Demo", "workforce.Draft",
        "workforce.SignIn", "standards.Heartbeat", "standards.Job", "standards.MonthlyShare", "standards.Notification",
        "standards.Run",
    }  # fmt: skip
    ours = {model for app in ("workforce", "standards", "supervision", "training", "coaching")
            for model in apps.get_app_config(app).get_models()}  # fmt: skip
    assert ours <= set(history.declared())


def test_a_model_that_says_nothing_stops_the_build(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(Organisation, "history")
    with pytest.raises(ImproperlyConfigured, match=r"workforce\.Organisation does not say whether its history is kept"):
        history.declared()


# Short texts of which the value is kept: names, numbers and references that whoever sees the row sees.
WORDS = {
    "workforce.User": {"email", "name", "sort_name"}, "workforce.Organisation": {"code", "name"},
    "workforce.Coach": {"reference", "reference_key", "name", "sort_name", "email"},
    "standards.Standard": {"name"}, "standards.StandardNumber": {"key", "source"},
    "standards.Flag": {"rule", "state"},
    "supervision.Supervisor": {"reference", "reference_key", "name", "email"},
    "training.Course": {"reference", "reference_key", "title", "provider"},
    "training.TrainingRecord": {"certificate_number"}, "training.Exemption": {"approved_by"},
    "coaching.Patient": {"local_reference"}, "coaching.Referral": {"reference", "reference_key", "outcome"},
}  # fmt: skip


def test_a_new_text_is_kept_out_or_is_listed_here() -> None:
    for model, kept in history.declared().items():
        if kept.why_not:
            continue
        out = {*history.lengths(model), *kept.secrets}
        words = {
            field.column
            for field in model._meta.concrete_fields
            if isinstance(field, models.CharField | models.TextField) and not field.choices and field.column not in out
        }
        assert words == WORDS.get(model._meta.label, set()), model._meta.label


def test_a_bulk_create_and_a_bulk_update_are_kept_row_by_row(cast: Cast) -> None:
    with walls.lifted("tests"):
        held(cast, 30)
        assert Meeting.objects.filter(coach=cast.coach_asha).update(minutes=45) == 30
        Meeting.objects.filter(coach=cast.coach_asha).update(minutes=45)  # changes nothing
        made = list(Meeting.objects.filter(coach=cast.coach_asha))
    for meeting in made:
        inserted, updated = of(meeting)
        assert (inserted.op, inserted.said["minutes"], inserted.said["status"]) == ("I", 60, "held")
        assert (updated.op, updated.said) == ("U", {"minutes": [60, 45]})


def test_raw_sql_is_kept_and_what_is_removed_is_kept_whole(cast: Cast) -> None:
    with walls.lifted("tests"):
        held(cast, 2)
        one, other = Meeting.objects.filter(coach=cast.coach_asha)
        sql("update supervision_meeting set status = 'cancelled', ad_hoc = true where id = %s", one.pk)
        sql("delete from supervision_meeting where id = %s", other.pk)
    assert of(one)[-1].said == {"status": ["held", "cancelled"], "ad_hoc": [False, True]}
    removed = of(other)[-1]
    assert (removed.op, removed.said["held_on"], removed.coach) == ("D", str(other.held_on), cast.coach_asha.pk)


def test_an_insert_that_becomes_an_update_is_kept_as_what_it_was(cast: Cast) -> None:
    sql(
        "insert into workforce_organisation (uuid, code, name, kind, version) "
        "select gen_random_uuid(), code, name, kind, 1 "
        "from (values ('U99991', 'Riverside anew', 'pcn'), ('U77777', 'New PCN', 'pcn')) v (code, name, kind) "
        "on conflict (code) do update set name = excluded.name"
    )
    assert of(cast.riverside)[-1].said == {"name": ["Riverside PCN", "Riverside anew"]}
    assert [each.op for each in of(Organisation.objects.get(code="U77777"))] == ["I"]


def test_nothing_becomes_something_and_the_other_way_round(cast: Cast) -> None:
    with walls.lifted("tests"):
        post = Post.objects.get(coach=cast.coach_asha)
        Post.objects.filter(pk=post.pk).update(ends_on="2027-01-31", end_recorded_at="2026-01-01T00:00:00Z")
        Post.objects.filter(pk=post.pk).update(ends_on=None, end_recorded_at=None)
    given, taken = of(post)[-2:]
    assert given.said["ends_on"] == [None, "2027-01-31"]
    assert taken.said["ends_on"] == ["2027-01-31", None]
    assert "ends_on" not in of(post)[0].said


def test_texts_are_known_by_their_length_alone(cast: Cast) -> None:
    with walls.lifted("tests"):
        exemption = Exemption.objects.create(
            coach=cast.coach_asha, rule=Exemption.BEFORE_REFERRALS, reason=CANARY, approved_by="Dr Invented",
            starts_on=today(), ends_on=today(), end_recorded_at="2026-01-01T00:00:00Z",
        )  # fmt: skip
        Exemption.objects.filter(pk=exemption.pk).update(reason=CANARY[::-1], voided_because=CANARY)
        patient = Patient.objects.create(pcn=cast.riverside)
        referral = Referral.objects.create(pcn=cast.riverside, patient=patient, source="self", priority="routine",
                                           received_on=today())  # fmt: skip
        session = CoachingSession.objects.create(
            referral=referral, pcn=cast.riverside, held_on=today(), mode="phone", minutes=30, outcome="attended",
        )  # fmt: skip
        note = SessionNote.objects.create(session=session, pcn=cast.riverside, note=CANARY, next_step=CANARY)
        SessionNote.objects.filter(pk=note.pk).update(note="", next_step=CANARY + "x", voided_because=CANARY)
        assert not Change.objects.filter(said__icontains="CANARY").exists()
        assert not Change.objects.filter(said__icontains=CANARY[::-1]).exists()
    size = len(CANARY)
    assert of(exemption)[0].said["reason"] == size
    assert of(exemption)[1].said == {"reason": [size, size], "voided_because": [0, size]}  # another text, as long
    assert (of(note)[0].said["note"], of(note)[0].said["next_step"]) == (size, size)
    assert of(note)[1].said == {"note": [size, 0], "next_step": [size, size + 1], "voided_because": [0, size]}


def test_a_password_leaves_no_trace_but_that_it_was_changed(cast: Cast) -> None:
    before = len(of(cast.mo.user))
    actions.set_password(SETUP, user=cast.mo.user, password="another-three-words")
    User.objects.filter(pk=cast.mo.user.pk).update(last_login="2026-01-01T00:00:00Z")
    changes = of(cast.mo.user)
    assert len(changes) == before + 1
    assert changes[-1].said == {"password": [None, None]}
    assert not any("last_login" in change.said or isinstance(change.said.get("password"), str) for change in changes)


def test_what_is_the_checks_own_book_keeping_is_no_change(cast: Cast) -> None:
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        event = FlagEvent.objects.filter(coach=cast.coach_asha).earliest("pk")
        FlagEvent.objects.filter(pk=event.pk).update(untold=F("untold"))
        FlagEvent.objects.filter(pk=event.pk).update(untold=not event.untold)
    assert [change.op for change in of(event)] == ["I"]


def test_the_number_of_a_row_never_changes(cast: Cast) -> None:
    with pytest.raises(DatabaseError, match="The number of a row of workforce_organisation never changes"):
        sql("update workforce_organisation set id = id + 1000 where code = 'U99991'")


def test_an_import_is_kept_with_who_brought_it(cast: Cast) -> None:
    facts.story_of(cast, months=2)
    with walls.lifted("tests"):
        meetings = list(Meeting.objects.filter(coach=cast.coach_asha))
    assert meetings
    for meeting in meetings:
        [inserted] = of(meeting)
        assert (inserted.op, inserted.what, inserted.coach) == ("I", "workbook.import", cast.coach_asha.pk)
        assert inserted.said["imported"] is True


# --- Who, in which role, by which action ------------------------------------------------------------------------------


def test_who_in_which_role_by_which_action_at_which_request(cast: Cast) -> None:
    actor = cast.mo.actor
    with structlog.contextvars.bound_contextvars(request_id="a-request"), walls.within(actor.scope):
        absence = actions.record_absence(actor, coach=cast.coach_asha, kind="sickness", starts_on=today())
    [change] = of(absence)
    assert (change.user_id, change.by, change.what, change.request) == (
        cast.mo.user.pk, "pcn_manager", "absence.record", "a-request",
    )  # fmt: skip


def test_a_page_says_who_even_for_what_no_action_does(cast: Cast) -> None:
    def view(request: Request) -> Any:
        with walls.lifted("tests"):
            Organisation.objects.filter(pk=cast.riverside.pk).update(name="By a page")
        return HttpResponse()

    request = RequestFactory().get("/")
    request.user, request.session = cast.mo.user, cast.mo.client.session
    FrontDoor(view)(request)  # type: ignore[arg-type]
    change = of(cast.riverside)[-1]
    assert (change.user_id, change.by, change.what) == (cast.mo.user.pk, "pcn_manager", "")


def test_nested_actions_are_each_known_as_what_they_are(cast: Cast) -> None:
    @action("inner.action")
    def inner(actor: Actor, line: Line, name: str, *, refuse: bool = False) -> None:
        Organisation.objects.filter(pk=cast.riverside.pk).update(name=name)
        line.about(cast.riverside)
        if refuse:
            raise ActionRefused("No.", "no")

    @action("outer.action")
    def outer(actor: Actor, line: Line) -> None:
        Organisation.objects.filter(pk=cast.riverside.pk).update(name="One")
        inner(Actor.system("a job"), "Two")
        Organisation.objects.filter(pk=cast.riverside.pk).update(name="Three")
        with pytest.raises(ActionRefused):
            inner(actor, "Never", refuse=True)
        with walls.lifted("tests"):
            Organisation.objects.filter(pk=cast.riverside.pk).update(name="Four")
        line.about(cast.riverside)

    actor = cast.lee.actor
    with walls.within(actor.scope):
        outer(actor)
        Organisation.objects.filter(pk=cast.riverside.pk).update(name="Five")
    told = [(each.said["name"][1], each.what, each.by, each.user_id) for each in of(cast.riverside, op="U")]
    assert told == [
        ("One", "outer.action", "hub_admin", cast.lee.user.pk),
        ("Two", "inner.action", "a job", None),
        ("Three", "outer.action", "hub_admin", cast.lee.user.pk),
        ("Four", "outer.action", "hub_admin", cast.lee.user.pk),
        ("Five", "", "hub_admin", cast.lee.user.pk),
    ]


def test_telling_costs_no_query(cast: Cast) -> None:
    @action("an.action")
    def act(actor: Actor, line: Line) -> None:
        line.about(cast.riverside)

    with walls.within(cast.mo.actor.scope):
        with CaptureQueriesContext(connection) as asked:
            act(cast.mo.actor)
        with CaptureQueriesContext(connection) as reach:
            assert cast.mo.actor
    said = [query["sql"].split(" ")[0].lower() for query in asked.captured_queries[len(reach) :]]
    assert said == ["savepoint", "set", "insert", "release"]


def test_what_a_refused_page_did_leaves_no_history(cast: Cast) -> None:
    before = len(of(cast.riverside))

    def refused() -> None:
        Organisation.objects.filter(pk=cast.riverside.pk).update(name="Never")
        assert len(of(cast.riverside)) == before + 1  # the control: it was there
        raise PermissionDenied

    with pytest.raises(PermissionDenied), walls.within(cast.mo.actor.scope), transaction.atomic():
        refused()
    assert len(of(cast.riverside)) == before


def test_a_command_and_a_job_are_known_by_their_names(cast: Cast) -> None:
    call_command("invite", "new@example.org", "auditor", "U99991", verbosity=0)
    user = User.objects.get(email="new@example.org")
    with walls.lifted("tests"):
        grant = Grant.objects.get(user=user)
    assert [(each.by, each.what, each.user_id) for each in of(grant)] == [("invite", "access.grant", None)]


# --- Who may read it, and that nobody writes it -----------------------------------------------------------------------


def test_nobody_adds_changes_or_removes_an_entry_not_even_with_the_walls_lifted(cast: Cast) -> None:
    forged = (
        "insert into workforce_change (at, kind, row_id, op, said, by, what, request, is_open) "
        "values (now(), 'workforce.organisation', 1, 'U', '{}', 'x', '', '', true)"
    )
    tries = [
        forged, "update workforce_change set by = 'somebody else'", "delete from workforce_change",
        "truncate workforce_change", "alter table workforce_organisation disable trigger user",
        "drop trigger history_update on workforce_organisation", "set session_replication_role = replica",
        "drop function history_of_workforce_organisation() cascade",
    ]  # fmt: skip
    for statement in tries:
        for scope in (cast.mo.actor.scope, walls.Scope(lifts="tests")):
            with pytest.raises(DatabaseError, match=r"permission denied|must be owner"), walls.within(scope):
                sql(statement)


def test_the_triggers_function_cannot_be_hung_on_a_table_of_ones_own(cast: Cast) -> None:
    """With it, entries of what never was could be written: a temporary table is anybody's."""
    sql("create temporary table workforce_organisation_like (like workforce_organisation) on commit drop")
    with pytest.raises(ProgrammingError, match="permission denied for function"), transaction.atomic():
        sql(
            "create trigger forge after insert on workforce_organisation_like referencing new table as new_rows "
            "for each statement execute function history_of_workforce_organisation()"
        )


def seen(cast: Cast, name: str, **narrowed: Any) -> set[int]:
    with walls.within(getattr(cast, name).actor.scope):
        return set(Change.objects.filter(is_open=False, **narrowed).values_list("pk", flat=True))


def test_zed_sees_nothing_of_riverside_and_who_sees_a_row_sees_its_history(cast: Cast) -> None:
    facts.story_of(cast, months=2)
    for model in (Coach, Post, Meeting, Absence, Referral, CoachingSession, Grant):
        kind = model._meta.label_lower
        for name in ("asha", "sam", "mo", "lee", "ann", "rae", "zed"):
            with walls.within(getattr(cast, name).actor.scope):
                rows = set(model.objects.values_list("pk", flat=True))
                told = set(Change.objects.filter(kind=kind).values_list("row_id", flat=True))
            assert told == rows, (kind, name)
    of_asha = {"coach": cast.coach_asha.pk}
    assert not seen(cast, "zed", **of_asha)
    assert seen(cast, "mo", **of_asha)
    assert seen(cast, "zed")  # their own coach's, and their own access
    # What concerns a patient is for the PCN that cares, and not for the training hub.
    assert seen(cast, "mo", kind="coaching.coachingsession")
    assert not seen(cast, "lee", kind="coaching.coachingsession")


def test_without_a_scope_the_history_is_an_error(cast: Cast) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        list(Change.objects.all())


def test_the_history_goes_with_a_row_that_moves_to_others_sight(cast: Cast) -> None:
    with walls.lifted("tests"):
        referral = Referral.objects.create(pcn=cast.riverside, source="self", priority="routine", received_on=today())
        Referral.objects.filter(pk=referral.pk).update(priority="urgent")
    about = {"kind": "coaching.referral", "row_id": referral.pk}
    assert (len(seen(cast, "mo", **about)), len(seen(cast, "zed", **about))) == (2, 0)
    with walls.lifted("tests"):
        Referral.objects.filter(pk=referral.pk).update(pcn=cast.lakeside)
    assert (len(seen(cast, "mo", **about)), len(seen(cast, "zed", **about))) == (0, 3)


# --- What is declared is what is there --------------------------------------------------------------------------------


EMPTIED = (
    "create or replace function history_of_workforce_organisation() returns trigger language plpgsql "
    "security definer as 'begin return null; end'"
)


@pytest.mark.django_db(transaction=True)
class TestBuild:
    """As the owner, so outside the test's transaction; each leaves the triggers as `build()` makes them."""

    def build(self) -> list[str]:
        with walls.as_owner():
            return history.build()

    def owner_does(self, *statements: str) -> None:
        with walls.as_owner():
            for statement in statements:
                sql(statement)

    def rename(self, cast: Cast, name: str) -> bool:
        """Whether a new name is in the history."""
        Organisation.objects.filter(pk=cast.riverside.pk).update(name=name)
        return any(change.said.get("name", [None, None])[-1] == name for change in of(cast.riverside, op="U"))

    def test_migrating_has_made_it_all_and_building_again_writes_nothing(self) -> None:
        assert self.build() == []

    @pytest.mark.parametrize(
        "damage",
        [
            "alter table workforce_organisation disable trigger history_update",
            "drop trigger history_update on workforce_organisation",
            EMPTIED,
        ],
    )
    def test_positive_control_damaged_triggers_miss_a_change_and_building_heals_them(
        self, live_cast: Cast, damage: str
    ) -> None:
        assert self.rename(live_cast, "Kept")
        self.owner_does(damage)
        try:
            assert not self.rename(live_cast, "Missed")
        finally:
            assert self.build() != []
        assert self.rename(live_cast, "Kept again")
        assert self.build() == []

    def test_rights_to_the_function_are_taken_back(self) -> None:
        self.owner_does("grant execute on function history_of_workforce_coach() to hwbc_app")
        assert len(self.build()) == 1
        assert self.build() == []

    def test_positive_control_an_open_wall_shows_zed_the_history(self, live_cast: Cast) -> None:
        about = {"coach": live_cast.coach_asha.pk}
        assert not seen(live_cast, "zed", **about)
        self.owner_does("alter policy wall on workforce_change using (true)")
        try:
            assert seen(live_cast, "zed", **about)
        finally:
            with walls.as_owner():
                assert walls.build() != []
        assert not seen(live_cast, "zed", **about)

    def test_a_new_column_is_in_it_after_the_next_migrate(self, live_cast: Cast) -> None:
        self.owner_does("alter table workforce_organisation add region text not null default ''")
        try:
            assert self.build() != []
            sql("update workforce_organisation set region = 'North' where code = 'U99991'")
            assert of(live_cast.riverside)[-1].said == {"region": ["", "North"]}
        finally:
            self.owner_does("alter table workforce_organisation drop region")
            self.build()

    def test_raw_sql_of_the_owner_is_by_nobody(self, live_cast: Cast) -> None:
        self.owner_does("update workforce_organisation set name = 'By hand' where code = 'U99991'")
        change = of(live_cast.riverside)[-1]
        assert (change.user_id, change.by, change.what) == (None, "nobody", "")

    def test_what_was_told_ends_with_the_transaction(self, live_cast: Cast) -> None:
        actions.set_password(Actor.system("a command"), user=live_cast.mo.user, password="x-three-words")
        assert of(live_cast.mo.user)[-1].by == "a command"
        User.objects.filter(pk=live_cast.mo.user.pk).update(name="Changed by nobody")
        assert (of(live_cast.mo.user)[-1].by, of(live_cast.mo.user)[-1].what) == ("nobody", "")

    def test_flush_empties_it(self, live_cast: Cast) -> None:
        assert of(live_cast.riverside)
        call_command("flush", interactive=False, verbosity=0)
        with walls.lifted("tests"):
            assert not Change.objects.exists()

    def test_many_rows_after_one_are_joined_by_hash(self, live_cast: Cast) -> None:
        """A plan made for one row would compare 3,000 with 3,000: the time is not measured, the plan is asked."""
        with walls.as_owner(), connection.cursor() as cursor:
            cursor.execute("select proconfig from pg_proc where proname = 'history_of_supervision_meeting'")
            [[config]] = cursor.fetchall()
        assert "enable_nestloop=off" in config


def _ended(job: Job) -> Job:
    """As the worker leaves it, which may look for it before it is told."""

    def ended() -> bool:
        with walls.lifted("tests"):
            job.refresh_from_db()
        return bool(job.ended_at)

    message.delay(str(job.pk))
    wait_for(ended, what="the job to end")
    return job


def test_the_worker_writes_as_whoever_asked(worker: Any, live_cast: Cast, tmp_path: Any) -> None:
    coaches = [{"coach_ref": "NEW", "name": "Nia Invented", "email": "nia@example.org", "hours_per_week": "30",
                "pcn_code": "U99991", "started_on": "2026-01-05", "funding": "arrs"}]  # fmt: skip
    check = _ended(bringing.asked(live_cast.mo, {"coaches": coaches}))
    assert check.outcome == "done"
    _ended(bringing.confirmed(live_cast.mo, check))
    with walls.lifted("tests"):
        coach = Coach.objects.get(reference="NEW")
    [change] = of(coach)
    assert (change.user_id, change.by, change.what) == (live_cast.mo.user.pk, "pcn_manager", "workbook.import")
