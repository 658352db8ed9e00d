"""Posts and absences: what each action changes, refuses and writes down; and two people at once."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import ProgrammingError, connection, transaction
from django.db.models import Q
from django.utils.formats import date_format

from hwbc.kit.periods import today
from hwbc.workforce import actions, audit, recording, walls
from hwbc.workforce.access import Refused
from hwbc.workforce.models import Absence, AuditEvent, Coach, Post
from hwbc.workforce.roles import Role
from hwbc.workforce.versions import Stale, latest
from tests.cast import Cast
from tests.races import at_once

pytestmark = pytest.mark.django_db
START = date(2026, 1, 5)  # of the cast's posts
PAGE: dict[str, Any] = {"starts_on": START, "hours_per_week": 30, "funding": "arrs"}


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def post_of(coach: Coach, **which: Any) -> Post:
    with walls.lifted("tests"):
        post: Post = Post.objects.select_related("coach", "pcn").get(coach=coach, **which)
        return post


def last_line() -> AuditEvent:
    with walls.lifted("tests"):
        return AuditEvent.objects.latest("at")


def absence_of(cast: Cast, **values: Any) -> Absence:
    with walls.within(cast.mo.actor.scope):
        return actions.record_absence(
            cast.mo.actor, **{"coach": cast.coach_asha, "kind": "sickness", "starts_on": ago(20), **values}
        )


# --- What is changed, and what is written down ------------------------------------------------------------------------


def test_another_post_is_recorded(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        actions.end_post(mo, post=post_of(cast.coach_bo), ends_on=date(2026, 5, 31), version=1)
        post = actions.add_post(
            mo,
            coach=cast.coach_bo,
            pcn=cast.riverside,
            starts_on=date(2026, 7, 1),
            hours_per_week=22.5,
            funding="other",
        )
    assert (post.employer, post.hours_per_week, post.ends_on) == (cast.riverside, Decimal("22.5"), None)
    line = last_line()
    assert (line.what, line.by, line.organisation_id) == ("post.add", "pcn_manager", cast.riverside.pk)
    assert line.facts == {"coach": str(cast.coach_bo.uuid), "again": False}


def test_a_running_post_gets_its_end_and_the_moment_it_was_known(cast: Cast) -> None:
    post, mo = post_of(cast.coach_asha), cast.mo.actor
    with walls.within(mo.scope):
        ended = actions.end_post(mo, post=post, ends_on=date(2026, 9, 30), version=1)
    assert (ended.pk, ended.ends_on, ended.version) == (post.pk, date(2026, 9, 30), 2)
    assert ended.end_recorded_at is not None
    assert ended.recorded_at == post.recorded_at
    assert last_line().facts == {"coach": str(cast.coach_asha.uuid), "ends_on": "2026-09-30", "was": post.pk}


@pytest.mark.parametrize("other", [date(2026, 10, 31), None], ids=["later", "goes on after all"])
def test_an_end_that_is_known_is_voided_and_recorded_anew(cast: Cast, other: date | None) -> None:
    """So that a report that was built on the first end still says the same."""
    mo = cast.mo.actor
    with walls.within(mo.scope):
        first = actions.end_post(mo, post=post_of(cast.coach_asha), ends_on=date(2026, 9, 30), version=1)
        second = actions.end_post(mo, post=first, ends_on=other, version=2)
        voided = Post.objects.get(pk=first.pk)
        assert latest(first) == second
    assert (voided.ends_on, voided.end_recorded_at) == (first.ends_on, first.end_recorded_at)
    assert voided.voided_by == cast.mo.user
    assert voided.voided_at == second.recorded_at
    assert (second.starts_on, second.ends_on, second.hours_per_week) == (first.starts_on, other, first.hours_per_week)
    assert second.end_recorded_at == (second.recorded_at if other else None)


def test_new_hours_end_the_post_and_go_on_from_a_day(cast: Cast) -> None:
    post, mo = post_of(cast.coach_asha), cast.mo.actor
    with walls.within(mo.scope):
        changed = actions.change_post(
            mo, post=post, starts_on=date(2026, 9, 1), hours_per_week=15, funding="other", version=1
        )
        before = Post.objects.get(pk=post.pk)
    assert (before.ends_on, before.hours_per_week, before.voided_at) == (date(2026, 8, 31), Decimal(30), None)
    assert (changed.starts_on, changed.ends_on, changed.hours_per_week) == (date(2026, 9, 1), None, Decimal(15))
    assert (changed.pcn_id, changed.employer_id, changed.funding) == (post.pcn_id, post.employer_id, "other")
    assert last_line().facts == {"coach": str(cast.coach_asha.uuid), "was": post.pk}


def test_new_hours_keep_the_known_end(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        post = actions.end_post(mo, post=post_of(cast.coach_asha), ends_on=date(2026, 12, 31), version=1)
        changed = actions.change_post(
            mo, post=post, starts_on=date(2026, 9, 1), hours_per_week=15, funding="arrs", version=2
        )
        periods = Post.objects.filter(coach=cast.coach_asha, voided_at=None).values_list("starts_on", "ends_on")
        assert set(periods) == {(START, date(2026, 8, 31)), (date(2026, 9, 1), date(2026, 12, 31))}
    assert changed.end_recorded_at is not None


def test_a_post_is_corrected_by_voiding_and_recording_anew(cast: Cast) -> None:
    post, mo = post_of(cast.coach_asha), cast.mo.actor
    with walls.within(mo.scope):
        correct = actions.correct_post(
            mo, post=post, because=" Typed the wrong year ", version=1, employer=cast.northfield, ends_on=None,
            **{**PAGE, "starts_on": date(2025, 1, 5)},
        )  # fmt: skip
        voided = Post.objects.get(pk=post.pk)
    assert voided.voided_because == "Typed the wrong year"
    assert (voided.starts_on, voided.employer_id) == (post.starts_on, post.employer_id)
    assert (correct.starts_on, correct.employer_id) == (date(2025, 1, 5), cast.northfield.pk)


def test_an_absence_is_recorded_ended_and_voided(cast: Cast) -> None:
    mo = cast.mo.actor
    absence = absence_of(cast)
    assert last_line().what == "absence.record"
    with walls.within(mo.scope):
        ended = actions.end_absence(mo, absence=absence, ends_on=ago(10), version=1)
        actions.void_absence(mo, absence=ended, because="Was at work", version=2)
        kept = Absence.objects.get(pk=absence.pk)
    assert (kept.ends_on, kept.voided_because, kept.voided_by) == (ago(10), "Was at work", cast.mo.user)
    assert (last_line().what, last_line().organisation_id) == ("absence.void", cast.riverside.pk)


def test_reasons_stand_in_the_record_and_never_in_the_audit(cast: Cast) -> None:
    with walls.within(cast.mo.actor.scope):
        actions.void_absence(cast.mo.actor, absence=absence_of(cast), because="Canary in plain words", version=1)
    with walls.lifted("tests"):
        assert not any("Canary" in str(facts) for facts in AuditEvent.objects.values_list("facts", flat=True))


# --- What is refused, and why -----------------------------------------------------------------------------------------

REFUSED: dict[str, tuple[Any, str, str]] = {
    "no hours": (lambda c, mo: add(c, mo, hours_per_week=0), "hours_per_week", "more than 0 and no more than 60"),
    "61 hours": (lambda c, mo: add(c, mo, hours_per_week=61), "hours_per_week", "more than 0 and no more than 60"),
    "unknown funding": (lambda c, mo: add(c, mo, funding="luck"), "funding", "not a valid choice"),
    "a post that overlaps": (
        lambda c, mo: add(c, mo),
        "starts_on",
        "This post overlaps one recorded already, from 5 January 2026 and still running.",
    ),
    "a post that ends before it starts": (
        lambda c, mo: add(c, mo, ends_on=date(2026, 6, 30)),
        "ends_on",
        "cannot be before the first day, 1 July 2026",
    ),
    "an end before the start": (
        lambda c, mo: actions.end_post(mo, post=post_of(c.coach_asha), ends_on=date(2026, 1, 4), version=1),
        "ends_on",
        "cannot be before the first day, 5 January 2026",
    ),
    "a change on the first day": (lambda c, mo: change(c, mo, START), "starts_on", "after the first day of the post"),
    "a correction without a reason": (lambda c, mo: correct(c, mo, because="  "), "because", "Say why"),
    "a correction with a long reason": (
        lambda c, mo: correct(c, mo, because="x" * 501),
        "because",
        "to 500 characters or fewer",
    ),
    "a correction that ends before it starts": (
        lambda c, mo: correct(c, mo, ends_on=date(2025, 12, 31)),
        "ends_on",
        "cannot be before",
    ),
    "an absence of no kind": (lambda c, mo: absence_of(c, kind="nap"), "kind", "not a valid choice"),
    "an absence that ends before it starts": (
        lambda c, mo: absence_of(c, ends_on=ago(21)),
        "ends_on",
        "The last day cannot be before the first day",
    ),
    "an absence that overlaps": (
        lambda c, mo: (absence_of(c, ends_on=ago(10)), absence_of(c, kind="other", starts_on=ago(10))),
        "starts_on",
        "This absence overlaps one recorded already, from {20} to {10}.",
    ),
    "an end that overlaps": (
        lambda c, mo: actions.end_absence(
            mo, absence=(absence_of(c, ends_on=ago(15)), absence_of(c, starts_on=ago(12), ends_on=ago(11)))[0],
            ends_on=ago(12), version=1,
        ),
        "ends_on",
        "This absence overlaps one recorded already, from {12} to {11}.",
    ),
    "a void without a reason": (
        lambda c, mo: actions.void_absence(mo, absence=absence_of(c), because="", version=1),
        "because",
        "Say why",
    ),
}  # fmt: skip


def add(cast: Cast, mo: Any, **values: Any) -> Post:
    given: dict[str, Any] = {"starts_on": date(2026, 7, 1), "hours_per_week": 20, "funding": "arrs", **values}
    return actions.add_post(mo, coach=cast.coach_asha, pcn=cast.riverside, **given)


def change(cast: Cast, mo: Any, day: date) -> Post:
    post = post_of(cast.coach_asha)
    return actions.change_post(mo, post=post, starts_on=day, hours_per_week=15, funding="arrs", version=1)


def correct(cast: Cast, mo: Any, **values: Any) -> Post:
    given: dict[str, Any] = {
        **PAGE,
        "ends_on": None,
        "because": "Wrong",
        "hours_per_week": 31,
        "employer": cast.riverside,
        **values,
    }
    return actions.correct_post(mo, post=post_of(cast.coach_asha), version=1, **given)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_true_is_refused_by_field_in_a_sentence(cast: Cast, case: str) -> None:
    act, field, sentence = REFUSED[case]
    mo = cast.mo.actor
    with walls.within(mo.scope), pytest.raises(ValidationError) as refused:
        act(cast, mo)
    for days in (10, 11, 12, 20):
        sentence = sentence.replace(f"{{{days}}}", date_format(ago(days)))
    assert sentence in refused.value.message_dict[field][0]
    assert post_of(cast.coach_asha).version == 1  # and still the only one


def test_a_change_lies_within_the_post(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        post = actions.end_post(mo, post=post_of(cast.coach_asha), ends_on=date(2026, 3, 31), version=1)
        with pytest.raises(ValidationError, match="within it"):
            actions.change_post(mo, post=post, starts_on=date(2026, 4, 1), hours_per_week=1, funding="arrs", version=2)


def test_the_only_post_is_not_voided_but_a_second_one_is(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        post = actions.end_post(mo, post=post_of(cast.coach_asha), ends_on=date(2026, 5, 31), version=1)
        with pytest.raises(ValidationError, match="has no other post"):
            actions.void_post(mo, post=post, because="Wrong", version=2)
        other = add(cast, mo)
        actions.void_post(mo, post=other, because="Wrong", version=1)
        assert Post.objects.get(pk=other.pk).voided_because == "Wrong"


def deeds(cast: Cast, coach: Coach, absence: Absence) -> list[Any]:
    """Every action about this coach, as a function of who acts."""
    post = post_of(coach)
    return [
        lambda a: add(cast, a),
        lambda a: actions.end_post(a, post=post, ends_on=today(), version=1),
        lambda a: change(cast, a, today()),
        lambda a: correct(cast, a),
        lambda a: actions.void_post(a, post=post, because="x", version=1),
        lambda a: actions.record_absence(a, coach=coach, kind="other", starts_on=ago(3)),
        lambda a: actions.end_absence(a, absence=absence, ends_on=today(), version=1),
        lambda a: actions.void_absence(a, absence=absence, because="x", version=1),
    ]


@pytest.mark.parametrize("who", ["zed", "sam", "asha", "lee", "ann"])
def test_only_the_managers_of_the_pcn_record(cast: Cast, who: str) -> None:
    absence, actor = absence_of(cast), getattr(cast, who).actor
    for deed in deeds(cast, cast.coach_asha, absence):
        with walls.within(actor.scope), pytest.raises(Refused, match="record posts, absences"):
            deed(actor)


def test_a_post_at_another_pcn_is_not_theirs_to_record_even_of_a_coach_they_reach(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope), pytest.raises(Refused):
        actions.add_post(
            mo, coach=cast.coach_asha, pcn=cast.hilltop, starts_on=today(), hours_per_week=1, funding="arrs"
        )


def test_without_the_python_checks_the_database_refuses(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    zed = cast.zed.actor
    for check in ("reached", "_reach_post", "tidy"):
        monkeypatch.setattr(actions, check, lambda *args: None)
    absence, asha = absence_of(cast), cast.coach_asha
    with walls.within(zed.scope):
        for deed in (
            lambda: actions.record_absence(zed, coach=asha, kind="other", starts_on=ago(3)),
            lambda: add(cast, zed),
        ):
            with pytest.raises(ProgrammingError, match="row-level security"), transaction.atomic():
                deed()
        with pytest.raises(Absence.DoesNotExist):
            actions.void_absence(zed, absence=absence, because="x", version=1)


def test_whoever_left_is_written_about_up_to_their_last_day(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        actions.end_post(mo, post=post_of(cast.coach_asha), ends_on=ago(30), version=1)
        absence_of(cast, starts_on=ago(30), ends_on=ago(30))
        with pytest.raises(Refused, match="last day here is"):
            absence_of(cast, starts_on=ago(29), ends_on=ago(29))
        back = add(cast, mo, starts_on=ago(10))  # they come back
        absence_of(cast, starts_on=ago(29), ends_on=ago(29))
    assert back.starts_on == ago(10)


# --- Sent twice -------------------------------------------------------------------------------------------------------


def test_every_action_sent_twice_does_it_once(cast: Cast) -> None:
    mo = cast.mo.actor
    with walls.within(mo.scope):
        first = [absence_of(cast).pk for _ in range(2)]
        ended = [
            actions.end_absence(mo, absence=Absence.objects.get(pk=first[0]), ends_on=ago(10), version=1).pk
            for _ in range(2)
        ]
        longer = [
            actions.end_absence(mo, absence=Absence.objects.get(pk=first[0]), ends_on=ago(9), version=2).pk
            for _ in range(2)
        ]
        for _ in range(2):
            actions.void_absence(mo, absence=Absence.objects.get(pk=longer[0]), because="Wrong", version=1)
        assert Absence.objects.count() == 2
        post = post_of(cast.coach_asha)
        changed = []
        for _ in range(2):
            post.refresh_from_db()  # as a view has it: fetched anew, with the version that the form was made with
            changed.append(
                actions.change_post(mo, post=post, starts_on=ago(60), hours_per_week=15, funding="arrs", version=1).pk
            )
        post = Post.objects.get(pk=changed[0])
        given: dict[str, Any] = {"starts_on": ago(50), "ends_on": None, "hours_per_week": 15, "funding": "arrs"}
        corrected = [
            actions.correct_post(mo, post=post, because="Wrong day", version=1, employer=cast.riverside, **given).pk
            for _ in range(2)
        ]
        with pytest.raises(Stale):
            actions.void_post(mo, post=post, because="Wrong", version=1)
        added = [add(cast, mo, starts_on=date(2025, 1, 1), ends_on=date(2025, 2, 1)).pk for _ in range(2)]
    for twice in (first, ended, longer, changed, corrected, added):
        assert twice[0] == twice[1]


# --- Two people at once -----------------------------------------------------------------------------------------------


def two_managers(cast: Cast) -> tuple[Any, Any]:
    cast.nobody_yet.given(Role.PCN_MANAGER, cast.riverside)
    return cast.mo.actor, cast.nobody_yet.actor


@pytest.mark.django_db(transaction=True)
def test_the_second_editor_sees_both_texts_and_loses_neither(live_cast: Cast) -> None:
    mo, noor = two_managers(live_cast)
    post = post_of(live_cast.coach_asha)
    won, lost = at_once(
        mo, lambda: actions.end_post(mo, post=post, ends_on=date(2026, 9, 30), version=1),
        noor, lambda: actions.end_post(noor, post=post, ends_on=date(2026, 10, 31), version=1),
    )  # fmt: skip
    assert won.ends_on == date(2026, 9, 30)
    assert isinstance(lost, Stale)
    assert lost.current == won
    assert lost.differences == [("Ends on", "30 September 2026", "31 October 2026")]
    assert post_of(live_cast.coach_asha).ends_on == date(2026, 9, 30)
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="post.end").count() == 1


@pytest.mark.django_db(transaction=True)
def test_control_without_the_version_the_first_text_is_lost(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audit, "_as_read", lambda row, version: Q())
    mo, noor = two_managers(live_cast)
    post = post_of(live_cast.coach_asha)
    at_once(
        mo, lambda: actions.end_post(mo, post=post, ends_on=date(2026, 9, 30), version=1),
        noor, lambda: actions.end_post(noor, post=post, ends_on=date(2026, 10, 31), version=1),
    )  # fmt: skip
    with walls.lifted("tests"):
        assert Post.objects.get(coach=live_cast.coach_asha, voided_at=None).ends_on == date(2026, 10, 31)


@pytest.mark.django_db(transaction=True)
def test_one_voids_what_the_other_ends(live_cast: Cast) -> None:
    mo, noor = two_managers(live_cast)
    absence = absence_of(live_cast)
    _, lost = at_once(
        mo, lambda: actions.void_absence(mo, absence=absence, because="Was at work", version=1),
        noor, lambda: actions.end_absence(noor, absence=absence, ends_on=ago(10), version=1),
    )  # fmt: skip
    assert isinstance(lost, Stale)
    assert lost.differences == [
        ("Voided because", "Was at work", ""), ("Ends on", "", date_format(ago(10))),
    ]  # fmt: skip


@pytest.mark.django_db(transaction=True)
def test_an_absence_recorded_twice_at_once_is_one(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    mo, noor = two_managers(live_cast)
    given: dict[str, Any] = {"coach": live_cast.coach_asha, "kind": "other", "starts_on": ago(3)}
    record = actions.record_absence
    one, other = at_once(mo, lambda: record(mo, **given), noor, lambda: record(noor, **given))
    assert one == other
    # Control: where nobody waits, the second has looked before the first has written.
    monkeypatch.setattr(recording, "_wait_for", lambda coach: True)
    given["coach"] = live_cast.coach_bo
    _, other = at_once(mo, lambda: record(mo, **given), noor, lambda: record(noor, **given))
    assert isinstance(other, ValidationError)
    with walls.lifted("tests"):
        assert Absence.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_what_an_import_writes_at_the_same_time_is_a_sentence(live_cast: Cast) -> None:
    """It does not wait for those who write about the coach: the constraint holds, and says so in words."""
    mo = live_cast.mo.actor

    def bring() -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                "insert into workforce_absence (coach_id, kind, starts_on, recorded_at, voided_because, version) "
                "values (%s, 'other', %s, now(), '', 1)",
                [live_cast.coach_asha.pk, ago(5)],
            )

    _, refused = at_once(mo, bring, mo, lambda: absence_of(live_cast, starts_on=ago(3)))
    assert isinstance(refused, ValidationError)
    assert "recorded here at the same time" in refused.message
