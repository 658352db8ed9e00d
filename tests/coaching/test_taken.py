"""What the page about a coach's caseload shows: referrals taken, and what lies behind a wall."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from coaching import queries
from coaching.models import Allocation, Referral
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.models import Organisation
from tests import oracle
from tests.cast import Cast
from tests.facts import ago, bring_in, story_of
from tests.one_coach import asked, random_coaches


@pytest.mark.parametrize("seed", range(2))
def test_referrals_are_those_of_the_second_calculation(seed: int, tmp_path: Path, empty: None) -> None:
    everywhere: list[int] = []
    seen: Counter[str] = Counter()
    for book, coach, pk, day in random_coaches(seed, tmp_path):
        everywhere = everywhere or list(Organisation.objects.values_list("pk", flat=True))
        found = queries.taken({**asked(pk, day), "work": everywhere, "care": everywhere})
        expected = [row for row in coach.referrals if row.get("accepted_on") and row["accepted_on"] <= day]
        assert Counter((each.reference, each.taken_on, each.open, each.readiness) for each in found) == Counter(
            _theirs(book, coach, row, day) for row in expected
        )
        opened = [each.open for each in found]
        assert opened == sorted(opened, reverse=True)
        seen.update(each.readiness for each in found)
    assert {"trained", "exempt", "untrained"} <= set(seen), seen


def _theirs(book: oracle.Book, coach: oracle.Coach, row: oracle.Row, day: date) -> tuple[Any, ...]:
    accepted = row["accepted_on"]
    completed = [on for record in coach.training if (on := oracle.completed_on(book, record, day))]
    if any(on <= accepted for on in completed):
        readiness = "trained"
    else:
        readiness = "exempt" if oracle.is_exempt(coach, oracle.BEFORE_REFERRALS, accepted) else "untrained"
    is_open = row.get("closed_on") is None or row["closed_on"] >= day
    is_open = is_open and not oracle.has_left(coach, row["pcn_code"], day)
    return row["referral_ref"], accepted, is_open, readiness


def _taken(cast: Cast, day: date | None = None, **places: list[int]) -> list[queries.Taken]:
    here = [cast.riverside.pk]
    with walls.lifted("tests"):
        parameters = asked(cast.coach_asha.pk, day or today())
        return queries.taken({**parameters, "work": here, "care": here, **places})


def test_attended_sessions_on_days_of_the_allocation_are_counted(cast: Cast) -> None:
    story_of(cast, months=2)
    session = {"referral_ref": "ASHA-00", "mode": "phone", "minutes": "30"}
    first = min(each.taken_on for each in _taken(cast))
    days = (today() - first).days
    bring_in(
        cast,
        {
            "coaching_sessions": [
                {**session, "held_on": ago(days - 2), "outcome": "attended"},
                {**session, "held_on": ago(days - 4), "outcome": "did_not_attend"},
                {**session, "held_on": ago(days + 1), "outcome": "attended"},
            ]
        },
    )

    def contacts(day: date) -> tuple[int | None, date | None]:
        return next((each.contacts, each.last_contact) for each in _taken(cast, day) if each.taken_on == first)

    assert contacts(first) == (1, first)
    assert contacts(today()) == (2, first + timedelta(days=2))


def test_what_lies_at_another_pcn_is_not_told(cast: Cast) -> None:
    story_of(cast, months=2)
    with walls.lifted("tests"):
        referral = Referral.objects.create(
            pcn=cast.lakeside, source="self", priority="urgent", received_on=ago(9), reference="SECRET-1"
        )
        Allocation.objects.create(coach=cast.coach_asha, referral=referral, pcn=cast.lakeside, starts_on=ago(8))
    [elsewhere] = [each for each in _taken(cast) if not each.seen]
    assert elsewhere.taken_on == today() - timedelta(days=8)
    assert elsewhere[1:6] == (None,) * 5
    assert (elsewhere.sees_contacts, elsewhere.contacts, elsewhere.source_words) == (False, None, "")
    assert not any(each.seen for each in _taken(cast, work=[], care=[]))
    without_care = _taken(cast, care=[])
    assert [each.seen for each in without_care].count(True) == 2
    assert {(each.sees_contacts, each.contacts, each.last_contact) for each in without_care} == {(False, None, None)}


def test_closed_or_handed_on(cast: Cast) -> None:
    story_of(cast, months=2)
    day = today() - timedelta(days=5)
    with walls.lifted("tests"):
        newest, oldest = Allocation.objects.filter(coach=cast.coach_asha).order_by("-starts_on")
        for allocation in (newest, oldest):
            allocation.ends_on = day
            allocation.save()
        Referral.objects.filter(pk=newest.referral_id).update(closed_on=day, outcome="Goals reached")
    assert [(each.open, each.closed, each.outcome) for each in _taken(cast, day)] == [(True, False, "")] * 2
    assert [(each.open, each.closed, each.outcome, each.last_day) for each in _taken(cast)] == [
        (False, True, "Goals reached", day), (False, False, "", day),
    ]  # fmt: skip
