"""What the page about a coach's supervision shows, against the slow second calculation."""

from collections import Counter
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.standards import queries as standards
from hwbc.standards.presets import WDF
from hwbc.workforce import walls
from supervision import queries
from supervision.models import Evidence, Meeting
from tests import oracle
from tests.cast import Cast
from tests.facts import ago, bring_in, meeting, story_of, supervisors
from tests.one_coach import asked, random_coaches


@pytest.mark.parametrize("seed", range(3))
def test_every_meeting_gets_the_verdict_of_the_second_calculation(seed: int, tmp_path: Path, empty: None) -> None:
    seen: Counter[str] = Counter()
    for book, coach, pk, day in random_coaches(seed, tmp_path):
        found = queries.meetings(asked(pk, day))
        employment = oracle.current_employment(coach, day)
        held = [each for each in found if each.held_on <= day]
        expected = [row for row in coach.meetings if row["held_on"] <= day]
        assert Counter(map(_ours, held)) == Counter(_theirs(book, coach, row, day, employment) for row in expected)
        planned = [row for row in coach.meetings if row["held_on"] > day and row["status"] == "planned"]
        assert len(found) - len(held) == len(planned)
        seen.update(each.outcome for each in found)
    print(f"seed {seed}: {dict(seen)}")
    assert {"counts", "group", "ad_hoc", "supervisor_not_eligible", "before_employment", "no_post"} <= set(seen)


def _ours(held: queries.Held) -> tuple[Any, ...]:
    key = (held.kind, held.held_on, held.minutes, held.format, held.status, held.ad_hoc, held.supervisor)
    return *key, held.verdict == "counts", held.counts


def _theirs(
    book: oracle.Book, coach: oracle.Coach, row: oracle.Row, day: date, employment: oracle.Employment | None
) -> tuple[Any, ...]:
    supervisor = book.supervisors[oracle.key(row["supervisor_ref"])]["name"]
    counts = oracle.meeting_counts(book, coach, row, day)
    owed = employment is not None and (row["kind"] == "health_coaching" or row["held_on"] >= employment.start)
    key = (row["kind"], row["held_on"], row["minutes"], row["format"], row["status"], bool(row.get("ad_hoc")))
    return *key, supervisor, counts, counts and owed


def test_the_comparison_bites(tmp_path: Path, empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with one number of the supervisor's standard changed, other meetings count."""
    monkeypatch.setattr(standards, "WDF", replace(WDF, supervisor_evidence_months=6))
    differing = 0
    for book, coach, pk, day in random_coaches(1, tmp_path):
        ours = Counter(each.verdict == "counts" for each in queries.meetings(asked(pk, day)) if each.held_on <= day)
        held = [row for row in coach.meetings if row["held_on"] <= day]
        theirs = Counter(oracle.meeting_counts(book, coach, row, day) for row in held)
        differing += ours != theirs
    assert differing > 0


@pytest.mark.parametrize("seed", range(2))
def test_the_minutes_of_each_month_are_those_of_the_facts(seed: int, tmp_path: Path, empty: None) -> None:
    months_seen = 0
    for book, coach, pk, day in random_coaches(seed, tmp_path):
        parameters = asked(pk, day)
        months = queries.months(parameters, 13)
        employment = oracle.current_employment(coach, day)
        if employment is None:
            assert months == []
            continue
        _, facts = queries.facts(parameters)[pk]
        now, before = months[0], months[1]
        assert (now.individual, now.days) == (facts.minutes_now, facts.days_now)
        assert (before.individual, before.days) == (facts.minutes_before, facts.days_before)
        judge = oracle.Judge(book, coach, employment, day)
        for month in months:
            assert month.individual == judge.minutes_in(month.first), (coach.ref, day, month)
            assert (month.days >= 15) == judge.answers_for(month.first), (coach.ref, day, month)
        months_seen += sum(month.individual > 0 for month in months)
    assert months_seen > 50


def test_the_supervisors_evidence_holds_where_the_rule_is_met(tmp_path: Path, empty: None) -> None:
    answers: Counter[bool] = Counter()
    for _, _, pk, day in random_coaches(1, tmp_path):
        parameters = asked(pk, day)
        facts = queries.facts(parameters).get(pk)
        if facts is None:
            continue
        shown = queries.evidence(parameters)
        holds = any(each[-4:] == (True,) * 4 for each in shown)
        assert (holds if shown else None) == facts[1].supervisor_eligible
        answers[holds] += bool(shown)
    assert set(answers) == {True, False}


@pytest.fixture
def asha(cast: Cast) -> int:
    """Asha, with a year of meetings."""
    story_of(cast)
    return int(cast.coach_asha.pk)


def _outcomes(coach: int, **when: Any) -> Counter[str]:
    with walls.lifted("tests"):
        return Counter(each.outcome for each in queries.meetings(asked(coach, when.pop("day", today()), **when)))


def test_a_meeting_is_known_from_its_recording_to_its_withdrawal(cast: Cast, asha: int) -> None:
    before = timezone.now()
    bring_in(cast, {**supervisors(), "supervision": [meeting("ASHA", "line", 3)]})
    between = timezone.now()
    with walls.lifted("tests"):
        made = Meeting.objects.filter(coach=asha).latest("held_on")
        Meeting.objects.filter(pk=made.pk).update(
            voided_at=timezone.now(), voided_by=cast.mo.user, voided_because="It was Bo's."
        )
    counted = _outcomes(asha, known=before)["counts"]
    assert _outcomes(asha, known=between)["counts"] == counted + 1
    assert _outcomes(asha)["counts"] == counted
    assert (_outcomes(asha, known=between)["withdrawn"], _outcomes(asha)["withdrawn"]) == (0, 1)
    with walls.lifted("tests"):
        newest = queries.meetings(asked(asha, today()))[0]
        of_a_leaver = queries.meetings(asked(asha, today() - timedelta(days=1), until=today() - timedelta(days=1)))[0]
    assert (newest.voided_by, newest.voided_because) == ("Mo Haddad", "It was Bo's.")
    assert of_a_leaver.withdrawn
    assert (of_a_leaver.voided_at, of_a_leaver.voided_by, of_a_leaver.voided_because) == (None, None, "")


def test_what_is_planned_after_the_day_is_told_apart_and_never_counts(cast: Cast, asha: int) -> None:
    with walls.lifted("tests"):
        held = Meeting.objects.filter(coach=asha, status="held").latest("held_on")
        for days, status in ((10, "planned"), (-1, "planned")):
            Meeting.objects.create(
                coach_id=asha, supervisor=held.supervisor, kind="line", held_on=today() + timedelta(days=days),
                minutes=60, format="individual", status=status,
            )  # fmt: skip
        found = queries.meetings(asked(asha, today()))
        limited = queries.meetings(asked(asha, today(), until=today() + timedelta(days=9)))
        earlier = queries.meetings(asked(asha, held.held_on - timedelta(days=1)))
    planned = [each for each in found if each.status == "planned"]
    assert [(each.held_on - today()).days for each in planned] == [10, -1]
    assert {each.outcome for each in planned} == {"planned"}
    assert [each.held_on for each in limited if each.held_on > today()] == []
    assert {each.status for each in earlier if each.held_on >= held.held_on} == {"planned"}


def test_agreements_with_what_holds_on_the_day(cast: Cast, asha: int) -> None:
    day = today() - timedelta(days=60)
    with walls.lifted("tests"):
        now = queries.agreements(asked(asha, today()))
        then = queries.agreements(asked(asha, day))
        before_sam = queries.agreements(asked(asha, day, until=day))
    assert [(each.supervisor, each.covers) for each in now[:3]] == [("Sam Okafor", True)] * 3
    assert {(each.supervisor, each.covers) for each in now[3:]} == {
        ("Grace Invented", False), ("Hal Invented", False), ("Lena Invented", False),
    }  # fmt: skip
    assert [each.covers for each in then] == [True] * 3
    assert all(each.ends_on for each in then)
    assert not any(each.ends_on for each in before_sam)  # it ended after what may be shown


def test_the_newest_evidence_of_each_kind_decides(cast: Cast, asha: int) -> None:
    with walls.lifted("tests"):
        [before] = queries.evidence(asked(asha, today()))
        Evidence.objects.create(supervisor=cast.supervisor_sam, kind="caseload_hours", number=10, evidenced_on=ago(2))
        [after] = queries.evidence(asked(asha, today()))
        [earlier] = queries.evidence(asked(asha, today() - timedelta(days=3)))
    assert before[-4:] == (True, True, True, True)
    assert after.caseload == 10
    assert after[-4:] == (True, True, False, True)
    assert earlier == before
    assert before.supervisor == "Sam Okafor"
