"""What the page about a coach's training shows, against the slow second calculation."""

from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.workforce import walls
from tests import oracle
from tests.cast import Cast
from tests.facts import ago, bring_in, courses
from tests.one_coach import asked, random_coaches
from training import queries


@pytest.mark.parametrize("seed", range(2))
def test_every_record_is_done_when_the_second_calculation_says(seed: int, tmp_path: Path, empty: None) -> None:
    worth: Counter[str] = Counter()
    done = 0
    for book, coach, pk, day in random_coaches(seed, tmp_path):
        found = queries.records(asked(pk, day))
        expected = [row for row in coach.training if min(_dates(row)) <= day]
        assert Counter(map(_ours, found)) == Counter(_theirs(book, row, day) for row in expected)
        worth.update(each.worth for record in found for each in record.attended)
        done += sum(record.done_on is not None for record in found)
    print(f"seed {seed}: {dict(worth)}, {done} done")
    assert done > 50
    assert {"counts", "after_the_day"} <= set(worth)


def _dates(row: oracle.Row) -> list[date]:
    return [row["enrolled_on"], *row.get("attended_on", []), *filter(None, [row.get("certificate_on")])]


def _ours(record: queries.Record) -> tuple[Any, ...]:
    return record.title, record.enrolled_on, record.done_on, record.counted_days, len(record.attended)


def _theirs(book: oracle.Book, row: oracle.Row, day: date) -> tuple[Any, ...]:
    course = book.courses[oracle.key(row["course_ref"])]
    attended = set(row.get("attended_on") or [])
    counted = {each for each in attended if each <= day}
    if course["kind"] == oracle.PCI:
        first = course.get("accredited_from") or date.min
        within = {each for each in counted if oracle.covers(first, course.get("accredited_to"), each)}
        counted = within if course["accreditation"] in oracle.ACCREDITED else set()
    return course["title"], row["enrolled_on"], oracle.done_on(book, row, day), len(counted), len(attended)


def _enrolled(cast: Cast, **values: str) -> None:
    given = courses()
    given["courses"][0] |= {"accredited_from": ago(200), "accredited_to": ago(100)}
    row = {"coach_ref": "ASHA", "course_ref": "HC4", "enrolled_on": ago(150), **values}
    bring_in(cast, {**given, "training": [row]})


def _records(cast: Cast, **when: Any) -> list[queries.Record]:
    with walls.lifted("tests"):
        return queries.records(asked(cast.coach_asha.pk, when.pop("day", today()), **when))


def test_each_attended_day_says_what_it_is_worth(cast: Cast) -> None:
    _enrolled(cast, attended_on=";".join(map(ago, (201, 200, 100, 99, 10, 99))))
    [record] = _records(cast, day=today() - timedelta(days=20))
    assert [each.worth for each in record.attended] == ["outside", "counts", "counts", "outside", "after_the_day"]
    assert (record.counted_days, record.asked, record.done_on) == (2, 4, None)


def test_nothing_after_what_may_be_shown(cast: Cast) -> None:
    days = (149, 148, 147, 146)
    _enrolled(cast, attended_on=";".join(map(ago, days)), certificate_on=ago(130), certificate_number="LATER-1")
    [whole] = _records(cast)
    assert (whole.certificate_number, whole.done_on) == ("LATER-1", today() - timedelta(days=130))
    until = today() - timedelta(days=147)
    [record] = _records(cast, day=until, until=until)
    assert [each.day for each in record.attended] == [today() - timedelta(days=each) for each in days[:3]]
    assert (record.certificate_on, record.certificate_number, record.done_on) == (None, "", None)
    assert _records(cast, day=today() - timedelta(days=151)) == []


def test_exemptions_with_what_holds_on_the_day(cast: Cast) -> None:
    exemption = {"coach_ref": "ASHA", "reason": "Booked on the next course", "approved_by": "Dr Invented"}
    before = timezone.now()
    bring_in(
        cast,
        {
            **courses(),
            "exemptions": [
                {**exemption, "rule": "training.before_referrals", "from": ago(30), "to": ago(10)},
                {**exemption, "rule": "training.required:IG", "from": ago(20), "to": ago(-20)},
            ],
        },
    )

    def exemptions(day: date, **when: Any) -> list[tuple[str | None, bool, date | None]]:
        with walls.lifted("tests"):
            found = queries.exemptions(asked(cast.coach_asha.pk, day, **when))
        return [(each.course, each.covers, each.ends_on) for each in found]

    soon, past = today() + timedelta(days=20), today() - timedelta(days=10)
    assert exemptions(today()) == [("Data security", True, soon), (None, False, past)]
    assert exemptions(past - timedelta(days=15)) == [(None, True, past)]
    assert exemptions(past, until=past) == [("Data security", True, None), (None, True, past)]
    assert exemptions(today(), known=before) == []
