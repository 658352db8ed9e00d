"""Meetings, agreements, supervisors and their evidence: what is changed, refused and written down; two at once."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, transaction
from django.db.models import Q
from django.utils.formats import date_format

from hwbc.kit.periods import today
from hwbc.workforce import audit, recording, walls
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.models import AuditEvent, Coach
from hwbc.workforce.roles import Role
from hwbc.workforce.versions import Stale, latest
from supervision.actions import agreements, meetings
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from supervision.roles import kinds
from tests.cast import Cast
from tests.races import at_once

pytestmark = pytest.mark.django_db


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def supervisor_of(cast: Cast, name: str = "Grace Invented", role: str = "gp", **values: Any) -> Supervisor:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        return agreements.add_supervisor(mo, register=cast.riverside, name=name, role=role, **values)


def signs_in(cast: Cast) -> Supervisor:
    """Sam as a supervisor with an account of his own."""
    supervisor = supervisor_of(cast, "Sam Okafor")
    Supervisor.objects.filter(pk=supervisor.pk).update(user=cast.sam.user)
    supervisor.refresh_from_db()
    return supervisor


def record(actor: Actor, coach: Coach, supervisor: Supervisor, **values: Any) -> Meeting:
    given: dict[str, Any] = {"kind": "line", "held_on": ago(10), "minutes": 60, **values}
    with walls.within(actor.scope):
        return meetings.record_meeting(actor, coach=coach, supervisor=supervisor, **given)


def agree(cast: Cast, supervisor: Supervisor, **values: Any) -> Agreement:
    given: dict[str, Any] = {"coach": cast.coach_asha, "kind": "line", "starts_on": ago(100), **values}
    with walls.within(cast.mo.actor.scope):
        return agreements.agree(cast.mo.actor, supervisor=supervisor, **given)


def says(meeting: Meeting) -> dict[str, Any]:
    """The answers of a form that shows this meeting."""
    names = ("kind", "supervisor", "held_on", "minutes", "format", "status", "ad_hoc")
    return {name: getattr(meeting, name) for name in names}


def last_line() -> AuditEvent:
    with walls.lifted("tests"):
        return AuditEvent.objects.latest("at")


@pytest.fixture(autouse=True)
def _nobody_supervises_asha(request: pytest.FixtureRequest) -> None:
    """The agreements of these tests are their own: Sam's are taken away, his grants stay."""
    for name in {"cast", "live_cast"} & set(request.fixturenames):
        cast: Cast = request.getfixturevalue(name)
        with walls.lifted("tests"):
            Agreement.objects.filter(coach=cast.coach_asha).delete()


@pytest.fixture
def meeting(cast: Cast) -> Meeting:
    return record(cast.sam.actor, cast.coach_asha, signs_in(cast))


# --- Meetings ---------------------------------------------------------------------------------------------------------


def test_a_meeting_is_recorded_with_its_line(cast: Cast, meeting: Meeting) -> None:
    assert (meeting.format, meeting.status, meeting.ad_hoc, meeting.imported) == ("individual", "held", False, False)
    line = last_line()
    assert (line.what, line.user_id, line.organisation_id) == ("meeting.record", cast.sam.user.pk, cast.riverside.pk)
    assert (line.kind, line.record) == ("supervision.meeting", str(meeting.uuid))
    assert line.facts == {"coach": str(cast.coach_asha.uuid), "kind": "line", "again": False}


@pytest.mark.parametrize("status", ["planned", "cancelled"])
def test_what_is_planned_or_cancelled_may_lie_ahead(cast: Cast, status: str) -> None:
    coming = record(cast.sam.actor, cast.coach_asha, signs_in(cast), held_on=ago(-10), status=status)
    assert coming.held_on == ago(-10)


MEETINGS_REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "held tomorrow": ({"held_on": ago(-1)}, "held_on", "is after today. What has happened cannot lie in the future"),
    "missed tomorrow": ({"held_on": ago(-1), "status": "did_not_attend"}, "held_on", "is after today"),
    "no minutes": ({"minutes": 0, "held_on": ago(3)}, "minutes", "1 minute or more"),
    "no such format": ({"format": "by post"}, "format", "not a valid choice"),
    "no such status": ({"status": "maybe"}, "status", "not a valid choice"),
    "there already": ({}, "held_on", f"This meeting is recorded already: {date_format(ago(10))}, line, 60 minutes."),
}


@pytest.mark.parametrize("case", MEETINGS_REFUSED)
def test_a_meeting_that_cannot_be_is_refused(cast: Cast, meeting: Meeting, case: str) -> None:
    wrong, field, sentence = MEETINGS_REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        record(cast.sam.actor, cast.coach_asha, meeting.supervisor, **wrong)
    assert list(refused.value.message_dict) == [field]
    assert sentence in refused.value.message_dict[field][0]


@pytest.mark.parametrize("known_by", ["coach", "user"])
def test_nobody_supervises_themself(cast: Cast, known_by: str) -> None:
    supervisor = supervisor_of(cast, coach=cast.coach_asha if known_by == "coach" else None)
    if known_by == "user":
        Supervisor.objects.filter(pk=supervisor.pk).update(user=cast.sam.user)
        with walls.lifted("tests"):
            Coach.objects.filter(pk=cast.coach_asha.pk).update(user=cast.sam.user)
            cast.coach_asha.refresh_from_db()
        supervisor.refresh_from_db()
    with pytest.raises(ValidationError, match="Nobody is their own supervisor"):
        record(cast.sam.actor, cast.coach_asha, supervisor)
    with pytest.raises(ValidationError, match="Nobody is their own supervisor"):
        agree(cast, supervisor)


def test_the_same_form_sent_again_is_the_same_meeting_and_other_answers_are_not_lost(cast: Cast) -> None:
    supervisor, token = signs_in(cast), uuid4()
    first = record(cast.sam.actor, cast.coach_asha, supervisor, uuid=token)
    again = record(cast.sam.actor, cast.coach_asha, supervisor, uuid=token)
    assert again == first
    assert last_line().facts["again"] is True
    with pytest.raises(ValidationError, match="sent before with other answers"):
        record(cast.sam.actor, cast.coach_asha, supervisor, uuid=token, minutes=45)
    with walls.lifted("tests"):
        assert Meeting.objects.count() == 1


def test_a_meeting_is_corrected_by_voiding_and_recording_anew(cast: Cast, meeting: Meeting) -> None:
    sam = cast.sam.actor
    with walls.within(sam.scope):
        for _ in range(2):  # and sent twice
            correct = meetings.correct_meeting(
                sam, meeting=meeting, because=" It was an hour and a half ", **{**says(meeting), "minutes": 90}
            )
        voided = Meeting.objects.get(pk=meeting.pk)
        assert Meeting.objects.count() == 2
        assert latest(meeting) == correct
    assert (voided.minutes, voided.voided_because) == (60, "It was an hour and a half")
    assert (voided.voided_by, voided.voided_at) == (cast.sam.user, correct.recorded_at)
    assert (correct.minutes, correct.held_on, correct.voided_at) == (90, meeting.held_on, None)
    assert last_line().facts == {"coach": str(cast.coach_asha.uuid), "kind": "line", "was": str(meeting.uuid)}


def test_a_correction_that_cannot_be_changes_nothing(cast: Cast, meeting: Meeting) -> None:
    sam = cast.sam.actor
    record(sam, cast.coach_asha, meeting.supervisor, held_on=ago(20))
    for wrong in ({"minutes": 0}, {"held_on": ago(20)}, {"held_on": ago(-1)}):
        with walls.within(sam.scope), pytest.raises(ValidationError):
            meetings.correct_meeting(sam, meeting=meeting, because="Typo", **{**says(meeting), **wrong})
    with walls.lifted("tests"):
        assert Meeting.objects.get(pk=meeting.pk).voided_at is None


def test_a_void_meeting_can_be_recorded_again_and_is_not_voided_twice(cast: Cast, meeting: Meeting) -> None:
    sam = cast.sam.actor
    with walls.within(sam.scope):
        with pytest.raises(ValidationError, match="Say why"):
            meetings.void_meeting(sam, meeting=meeting, because=" ")
        for _ in range(2):  # sent twice
            meetings.void_meeting(sam, meeting=meeting, because="Another coach's")
        with pytest.raises(Stale) as stale:
            meetings.void_meeting(sam, meeting=meeting, because="I think it never was")
        with pytest.raises(Stale):
            meetings.correct_meeting(sam, meeting=meeting, because="Typo", **{**says(meeting), "minutes": 5})
    assert stale.value.differences[0] == ("Voided because", "Another coach's", "I think it never was")
    assert record(sam, cast.coach_asha, meeting.supervisor).pk != meeting.pk


# --- Group meetings ---------------------------------------------------------------------------------------------------


def group(cast: Cast, supervisor: Supervisor, **values: Any) -> list[Meeting]:
    sam = cast.sam.actor
    given: dict[str, Any] = {
        "coaches": [cast.coach_bo, cast.coach_asha],
        "kind": "health_coaching",
        "held_on": ago(5),
        "minutes": 90,
    }
    with walls.within(sam.scope):
        return meetings.record_group(sam, supervisor=supervisor, **{**given, **values})


def test_a_group_meeting_is_a_meeting_of_each_or_of_none(cast: Cast) -> None:
    supervisor, token = signs_in(cast), uuid4()
    with pytest.raises(Refused):  # Sam does not supervise Bo
        group(cast, supervisor)
    cast.sam.holds(Role.COACHING_SUPERVISOR, cast.riverside, cast.coach_bo)
    made = group(cast, supervisor, uuid=token)
    assert {(m.coach, m.format, m.minutes) for m in made} == {
        (cast.coach_asha, "group", 90), (cast.coach_bo, "group", 90)
    }  # fmt: skip
    line = last_line()
    assert (line.what, line.facts["again"]) == ("meeting.record_group", 0)
    assert set(line.facts["meetings"]) == {str(m.uuid) for m in made}
    assert set(line.facts["coaches"]) == {str(cast.coach_asha.uuid), str(cast.coach_bo.uuid)}
    assert [m.pk for m in group(cast, supervisor, uuid=token)] == [m.pk for m in made]
    assert last_line().facts["again"] == 2


def test_what_is_wrong_for_one_coach_of_a_group_names_them_and_undoes_all(cast: Cast) -> None:
    supervisor = signs_in(cast)
    cast.sam.holds(Role.COACHING_SUPERVISOR, cast.riverside, cast.coach_bo)
    group(cast, supervisor, coaches=[cast.coach_bo])
    with pytest.raises(ValidationError) as refused:
        group(cast, supervisor)
    assert refused.value.message_dict == {
        "coaches": [
            f"Bo Lindqvist: This meeting is recorded already: {date_format(ago(5))}, health coaching, 90 minutes."
        ]
    }
    with pytest.raises(ValidationError) as refused:
        group(cast, supervisor, held_on=ago(-1))
    assert list(refused.value.message_dict) == ["held_on"]
    assert len(refused.value.message_dict["held_on"]) == 1  # said once, not once a coach
    with pytest.raises(ValidationError, match="Choose at least one coach"):
        group(cast, supervisor, coaches=[])
    with walls.lifted("tests"):
        assert Meeting.objects.count() == 1


# --- Who records meetings ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("role", "may"),
    [
        (Role.LINE_SUPERVISOR, {"line", "appraisal"}),
        (Role.CLINICAL_SUPERVISOR, {"clinical"}),
        (Role.COACHING_SUPERVISOR, {"health_coaching"}),
        (Role.COACH, set()),
        (Role.PCN_MANAGER, set()),
        (Role.HUB_ADMIN, set()),
        (Role.AUDITOR, set()),
    ],
)
def test_a_supervisor_records_meetings_of_their_own_kind(cast: Cast, role: Role, may: set[str]) -> None:
    supervisor = supervisor_of(cast)
    for_one = role.value in ("coach", "line_supervisor", "clinical_supervisor", "coaching_supervisor")
    cast.nobody_yet.holds(role, cast.riverside, cast.coach_bo if for_one else None)
    noor = cast.nobody_yet.actor
    assert set(kinds(noor, cast.coach_bo.pk)) == may
    for kind in Meeting.Kind.values:
        if kind in may:
            assert record(noor, cast.coach_bo, supervisor, kind=kind).kind == kind
        else:
            with pytest.raises(Refused, match=r"record supervision meetings|of this kind"):
                record(noor, cast.coach_bo, supervisor, kind=kind)
        with pytest.raises(Refused):  # of another coach at the same PCN
            record(noor, cast.coach_asha, supervisor, kind=kind)


def test_meetings_of_a_supervisor_who_signs_in_are_theirs_alone(cast: Cast, meeting: Meeting) -> None:
    cast.nobody_yet.holds(Role.LINE_SUPERVISOR, cast.riverside, cast.coach_asha)
    noor = cast.nobody_yet.actor
    with walls.within(noor.scope):
        with pytest.raises(Refused, match="Sam Okafor signs in here"):
            meetings.void_meeting(noor, meeting=meeting, because="Not mine")
        with pytest.raises(Refused, match="Sam Okafor signs in here"):
            meetings.correct_meeting(noor, meeting=meeting, because="Not mine", **says(meeting))
    with pytest.raises(Refused, match="Sam Okafor signs in here"):
        record(noor, cast.coach_asha, meeting.supervisor, held_on=ago(3))


def test_a_supervisor_cannot_make_a_meeting_one_of_another_kind_than_theirs(cast: Cast) -> None:
    cast.nobody_yet.holds(Role.LINE_SUPERVISOR, cast.riverside, cast.coach_asha)
    noor, supervisor = cast.nobody_yet.actor, supervisor_of(cast)
    line = record(noor, cast.coach_asha, supervisor)
    with walls.within(noor.scope), pytest.raises(Refused, match="of this kind"):
        meetings.correct_meeting(noor, meeting=line, because="Typo", **{**says(line), "kind": "clinical"})
    clinical = record(cast.sam.actor, cast.coach_asha, supervisor, kind="clinical")
    with walls.within(noor.scope), pytest.raises(Refused, match="of this kind"):
        meetings.correct_meeting(noor, meeting=clinical, because="Typo", **{**says(clinical), "kind": "line"})
    with walls.within(noor.scope), pytest.raises(Refused, match="of this kind"):
        meetings.void_meeting(noor, meeting=clinical, because="Not mine")


def test_without_the_python_checks_the_database_refuses(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, zed = supervisor_of(cast), cast.zed.actor
    for module, checks in ((meetings, ("_reach", "tidy")), (agreements, ("reached", "tidy"))):
        for check in checks:
            monkeypatch.setattr(module, check, lambda *args: None)
    with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        record(zed, cast.coach_asha, supervisor)
    with walls.within(zed.scope), pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
        agreements.agree(zed, coach=cast.coach_asha, kind="line", supervisor=supervisor, starts_on=ago(3))


# --- Agreements -------------------------------------------------------------------------------------------------------


def test_an_agreement_is_made_ended_and_voided(cast: Cast) -> None:
    supervisor, mo, token = supervisor_of(cast), cast.mo.actor, uuid4()
    made = agree(cast, supervisor, uuid=token)
    assert agree(cast, supervisor, uuid=token) == made
    line = last_line()
    assert (line.what, line.organisation_id) == ("agreement.agree", cast.riverside.pk)
    assert line.facts == {
        "coach": str(cast.coach_asha.uuid), "kind": "line", "supervisor": str(supervisor.uuid), "again": True
    }  # fmt: skip
    with walls.within(mo.scope):
        ended = agreements.end_agreement(mo, agreement=made, ends_on=ago(10), version=1)
        assert (ended.pk, ended.ends_on, ended.version) == (made.pk, ago(10), 2)
        other = agreements.end_agreement(mo, agreement=ended, ends_on=ago(5), version=2)
        assert other.pk != made.pk
        assert Agreement.objects.get(pk=made.pk).ends_on == ago(10)  # voided, as it was known
        agreements.void_agreement(mo, agreement=other, because="Never signed", version=1)
        assert Agreement.objects.filter(voided_at=None).count() == 0
    assert last_line().what == "agreement.void"


AGREEMENTS_REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "an appraisal": ({"kind": "appraisal"}, "kind", "not a valid choice"),
    "ends before it starts": ({"starts_on": ago(150), "ends_on": ago(151)}, "ends_on", "cannot be before the first"),
    "overlaps": (
        {"starts_on": ago(90)},
        "starts_on",
        f"This agreement overlaps one recorded already, from {date_format(ago(100))} and still running.",
    ),
    "overlaps a later one": ({"starts_on": ago(150), "ends_on": ago(100)}, "starts_on", "overlaps one recorded"),
}


@pytest.mark.parametrize("case", AGREEMENTS_REFUSED)
def test_an_agreement_that_cannot_be_is_refused(cast: Cast, case: str) -> None:
    supervisor = supervisor_of(cast)
    agree(cast, supervisor)
    wrong, field, sentence = AGREEMENTS_REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        agree(cast, supervisor, **wrong)
    assert sentence in refused.value.message_dict[field][0]


def test_agreements_of_other_kinds_and_coaches_may_overlap(cast: Cast) -> None:
    supervisor = supervisor_of(cast)
    assert len({agree(cast, supervisor, kind=kind).pk for kind in Agreement.Kind.values}) == 3
    assert agree(cast, supervisor, coach=cast.coach_bo).pk


@pytest.mark.parametrize("who", ["zed", "sam", "asha", "lee", "ann"])
def test_only_the_managers_of_the_pcn_agree(cast: Cast, who: str) -> None:
    supervisor = supervisor_of(cast)
    agreement, actor = agree(cast, supervisor), getattr(cast, who).actor
    for deed in (
        lambda: agreements.agree(
            actor, coach=cast.coach_asha, kind="clinical", supervisor=supervisor, starts_on=ago(3)
        ),
        lambda: agreements.end_agreement(actor, agreement=agreement, ends_on=today(), version=1),
        lambda: agreements.void_agreement(actor, agreement=agreement, because="x", version=1),
    ):
        with walls.within(actor.scope), pytest.raises(Refused, match="supervision agreements"):
            deed()


def test_what_follows_from_agreements_is_told_of_every_change(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Coach] = []
    monkeypatch.setattr(agreements, "_agreements_changed", lambda actor, coach: told.append(coach))
    mo, made = cast.mo.actor, agree(cast, supervisor_of(cast))
    with walls.within(mo.scope):
        agreements.end_agreement(mo, agreement=made, ends_on=ago(1), version=1)
        agreements.void_agreement(mo, agreement=made, because="Never signed", version=2)
    assert told == [cast.coach_asha] * 3


# --- Supervisors and their evidence -----------------------------------------------------------------------------------

PAGE: dict[str, Any] = {"name": "Grace Invented", "role": "gp", "email": "", "organisation": None, "coach": None}


def test_a_supervisor_is_added_to_a_register_and_changed_by_its_keepers(cast: Cast) -> None:
    token, mo = uuid4(), cast.mo.actor
    supervisor = supervisor_of(cast, " Grace Invented ", email="Grace@Example.org", uuid=token)
    assert (supervisor.name, supervisor.email) == ("Grace Invented", "grace@example.org")
    assert supervisor_of(cast, "Grace Invented", email="grace@example.org", uuid=token) == supervisor
    with walls.within(mo.scope):
        for _ in range(2):  # sent twice
            changed = agreements.change_supervisor(
                mo, supervisor=supervisor, version=1, **{**PAGE, "role": "senior_clinician", "organisation": cast.icb}
            )
    assert (changed.role, changed.organisation, changed.email, changed.version) == ("senior_clinician", cast.icb, "", 2)
    with walls.lifted("tests"):
        lines = list(AuditEvent.objects.filter(what="supervisor.change").order_by("at").values_list("facts", flat=True))
    assert lines == [{"changed": ["email", "organisation", "role"]}, {"changed": []}]


@pytest.mark.parametrize(
    ("wrong", "field"), [({"name": ""}, "name"), ({"role": "wizard"}, "role"), ({"email": "nobody"}, "email")]
)
def test_a_supervisor_who_cannot_be_is_refused(cast: Cast, wrong: dict[str, str], field: str) -> None:
    with pytest.raises(ValidationError) as refused:
        supervisor_of(cast, **wrong)
    assert list(refused.value.message_dict) == [field]


def test_a_supervisor_does_not_become_the_coach_whom_they_supervise(cast: Cast) -> None:
    supervisor, mo = supervisor_of(cast), cast.mo.actor
    agree(cast, supervisor)
    change = agreements.change_supervisor
    with walls.within(mo.scope):
        with pytest.raises(ValidationError, match="Asha Rahman has an agreement with this supervisor from"):
            change(mo, supervisor=supervisor, version=1, **{**PAGE, "coach": cast.coach_asha})
        with pytest.raises(Refused):
            change(mo, supervisor=supervisor, version=1, **{**PAGE, "coach": cast.coach_dot})
        assert change(mo, supervisor=supervisor, version=1, **{**PAGE, "coach": cast.coach_bo}).coach == cast.coach_bo


def test_who_keeps_the_register(cast: Cast) -> None:
    """Its place and those above it; evidence also a manager whose coach they supervise. Nobody else."""
    supervisor = supervisor_of(cast)

    def add(actor: Actor) -> Any:
        return agreements.add_supervisor(actor, register=cast.riverside, name="X", role="gp")

    def change(actor: Actor) -> Any:
        with walls.lifted("tests"):
            version = Supervisor.objects.get(pk=supervisor.pk).version
        name = f"Grace{version}"
        return agreements.change_supervisor(actor, supervisor=supervisor, version=version, **{**PAGE, "name": name})

    def show(actor: Actor) -> Any:
        day = ago(10 + Evidence.objects.count())
        return agreements.record_evidence(actor, supervisor=supervisor, kind="tier", number=3, evidenced_on=day)

    may = {"mo": {add, change, show}, "lee": {add, change, show}}
    for who in ("mo", "lee", "zed", "sam", "asha", "ann"):
        actor = getattr(cast, who).actor
        for deed in (add, change, show):
            with walls.within(actor.scope):
                if deed in may.get(who, set()):
                    deed(actor)
                else:
                    with pytest.raises(Refused):
                        deed(actor)
    zed = cast.zed.actor
    with walls.within(zed.scope):
        agreements.agree(zed, coach=cast.coach_dot, kind="clinical", supervisor=supervisor, starts_on=ago(1))
        show(zed)
        with pytest.raises(Refused, match="in the register of another place"):
            change(zed)


EVIDENCE_REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no number": ({"number": None}, "number", "Enter the number that was shown"),
    "less than nothing": ({"number": -1}, "number", "0 or more"),
    "a number for own supervision": ({"kind": "own_supervision"}, "number", "has no number"),
    "tomorrow": ({"evidenced_on": ago(-1)}, "evidenced_on", "is after today"),
    "unknown": ({"kind": "charm"}, "kind", "not a valid choice"),
    "there already": (
        {"number": 4},
        "evidenced_on",
        f"Tier of practice of {date_format(ago(100))} is recorded already: 3.00.",
    ),
}


def show(cast: Cast, supervisor: Supervisor, **values: Any) -> Evidence:
    given: dict[str, Any] = {"kind": "tier", "number": 3, "evidenced_on": ago(100), **values}
    with walls.within(cast.mo.actor.scope):
        return agreements.record_evidence(cast.mo.actor, supervisor=supervisor, **given)


@pytest.mark.parametrize("case", EVIDENCE_REFUSED)
def test_evidence_that_cannot_be_is_refused(cast: Cast, case: str) -> None:
    supervisor = supervisor_of(cast)
    show(cast, supervisor)
    wrong, field, sentence = EVIDENCE_REFUSED[case]
    with pytest.raises(ValidationError) as refused:
        show(cast, supervisor, **wrong)
    assert sentence in refused.value.message_dict[field][0]


def test_evidence_is_recorded_once_voided_and_recorded_anew(cast: Cast) -> None:
    supervisor, mo = supervisor_of(cast), cast.mo.actor
    first = show(cast, supervisor)
    assert show(cast, supervisor) == first
    assert last_line().facts == {"supervisor": str(supervisor.uuid), "kind": "tier", "again": True}
    own = show(cast, supervisor, kind="own_supervision", number=None, text=" Dr Invented ")
    assert (own.text, own.number) == ("Dr Invented", None)
    with walls.within(mo.scope):
        agreements.void_evidence(mo, evidence=first, because="Of somebody else")
        with pytest.raises(Stale):
            agreements.void_evidence(mo, evidence=first, because="Twice")
    assert show(cast, supervisor, number=4).pk != first.pk


# --- Two people at once -----------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
def test_a_form_sent_twice_at_once_makes_one_meeting(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    supervisor, sam = signs_in(live_cast), live_cast.sam.actor

    def send(token: UUID, day: date) -> tuple[Any, Any]:
        def record_it() -> Meeting:
            return meetings.record_meeting(
                sam, coach=live_cast.coach_asha, kind="line", supervisor=supervisor, held_on=day, minutes=60, uuid=token
            )

        return at_once(sam, record_it, sam, record_it)

    one, other = send(uuid4(), ago(10))
    assert one == other
    monkeypatch.setattr(recording, "_wait_for", lambda coach: None)  # control: where nobody waits
    one, other = send(uuid4(), ago(20))
    assert isinstance(one, Meeting)
    assert isinstance(other, ValidationError)
    with walls.lifted("tests"):
        assert Meeting.objects.count() == 2


def two_corrections(cast: Cast) -> tuple[Meeting, Any, Any]:
    """Sam and Noor correct the same meeting, each in their way."""
    cast.nobody_yet.holds(Role.LINE_SUPERVISOR, cast.riverside, cast.coach_asha)
    sam, noor = cast.sam.actor, cast.nobody_yet.actor
    meeting = record(sam, cast.coach_asha, supervisor_of(cast))
    mine, hers = {**says(meeting), "minutes": 90}, {**says(meeting), "held_on": ago(12)}
    correct = meetings.correct_meeting
    won, lost = at_once(
        sam, lambda: correct(sam, meeting=meeting, because="It was longer", **mine),
        noor, lambda: correct(noor, meeting=meeting, because="It was earlier", **hers),
    )  # fmt: skip
    return meeting, won, lost


@pytest.mark.django_db(transaction=True)
def test_of_two_corrections_the_second_sees_both(live_cast: Cast) -> None:
    meeting, won, lost = two_corrections(live_cast)
    assert isinstance(lost, Stale)
    assert lost.current == won
    both = {difference.field: difference[1:] for difference in lost.differences}
    assert both["Minutes"] == ("90", "60")
    assert both["Held on"] == (date_format(ago(10)), date_format(ago(12)))
    assert both["Supervisor"] == ("Grace Invented", "Grace Invented")
    assert both["Kind"] == ("Line management", "Line management")
    with walls.lifted("tests"):
        assert Meeting.objects.get(pk=meeting.pk).voided_because == "It was longer"
        assert Meeting.objects.filter(voided_at=None).get() == won


@pytest.mark.django_db(transaction=True)
def test_control_without_the_guard_both_corrections_stand(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_as_read", lambda row, version: Q())
    meeting, _, _ = two_corrections(live_cast)
    with walls.lifted("tests"):
        assert Meeting.objects.get(pk=meeting.pk).voided_because == "It was earlier"  # what Sam said is gone
        assert Meeting.objects.filter(voided_at=None).count() == 2


@pytest.mark.django_db(transaction=True)
def test_of_two_who_change_a_supervisor_the_second_sees_both(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    mo, lee = live_cast.mo.actor, live_cast.lee.actor

    def change_both(supervisor: Supervisor) -> tuple[Any, Any]:
        change, others = agreements.change_supervisor, {**PAGE, "name": "Grace Other", "role": "other"}
        return at_once(
            mo, lambda: change(mo, supervisor=supervisor, version=1, **{**PAGE, "name": "Grace Married"}),
            lee, lambda: change(lee, supervisor=supervisor, version=1, **others),
        )  # fmt: skip

    won, lost = change_both(supervisor_of(live_cast))
    assert isinstance(lost, Stale)
    assert lost.current == won
    assert lost.differences == [("Name", "Grace Married", "Grace Other"), ("Role", "GP", "Other")]
    monkeypatch.setattr(audit, "_as_read", lambda row, version: Q())
    supervisor = supervisor_of(live_cast)
    change_both(supervisor)
    supervisor.refresh_from_db()
    assert (supervisor.name, supervisor.role) == ("Grace Other", "other")  # control: the first text is lost


@pytest.mark.django_db(transaction=True)
def test_two_agreements_at_once_do_not_overlap(live_cast: Cast) -> None:
    supervisor, mo, lee = supervisor_of(live_cast), live_cast.mo.actor, live_cast.nobody_yet
    lee.given(Role.PCN_MANAGER, live_cast.riverside)
    other = lee.actor
    given: dict[str, Any] = {"coach": live_cast.coach_asha, "kind": "line", "supervisor": supervisor}
    one, refused = at_once(
        mo, lambda: agreements.agree(mo, starts_on=ago(100), **given),
        other, lambda: agreements.agree(other, starts_on=ago(50), **given),
    )  # fmt: skip
    assert isinstance(one, Agreement)
    assert "overlaps one recorded already" in refused.message_dict["starts_on"][0]


@pytest.mark.django_db(transaction=True)
def test_a_supervisor_and_their_agreement_at_once_are_not_one_person(live_cast: Cast) -> None:
    supervisor, mo = supervisor_of(live_cast), live_cast.mo.actor
    asha = live_cast.coach_asha
    _, refused = at_once(
        mo, lambda: agreements.change_supervisor(mo, supervisor=supervisor, version=1, **{**PAGE, "coach": asha}),
        mo, lambda: agreements.agree(mo, coach=asha, kind="line", supervisor=supervisor, starts_on=ago(3)),
    )  # fmt: skip
    assert isinstance(refused, ValidationError)
    assert "Nobody is their own supervisor" in refused.message_dict["supervisor"][0]
