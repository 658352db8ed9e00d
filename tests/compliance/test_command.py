"""`compliance`: the answer for a machine."""

import csv
import json
import random
from datetime import date, timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from hwbc.compliance.queries import RULES
from hwbc.workforce import walls
from hwbc.workforce.models import Post
from supervision.models import Meeting, Supervisor
from tests import oracle
from tests.cast import Cast
from tests.workbooks import interesting_days, random_workbook, write_csv_folder

pytestmark = pytest.mark.django_db


def compliance(*arguments: str) -> str:
    output = StringIO()
    call_command("compliance", *arguments, stdout=output)
    return output.getvalue()


def answers(*arguments: str) -> list[dict[str, str | None]]:
    found: list[dict[str, str | None]] = json.loads(compliance("--format", "json", *arguments))
    return found


def line(cast: Cast, *arguments: str) -> dict[str, str | None]:
    asha = cast.coach_asha.reference
    [answer] = [a for a in answers(*arguments) if a["coach"] == asha and a["rule"] == "supervision.line"]
    return answer


@pytest.fixture
def meeting(cast: Cast) -> Meeting:
    """Asha met her line manager on 1 June, and it was written down today."""
    with walls.lifted("tests"):
        supervisor = Supervisor.objects.create(name="Sam Okafor", role="line_manager")
        return Meeting.objects.create(
            coach=cast.coach_asha,
            kind="line",
            supervisor=supervisor,
            held_on=date(2026, 6, 1),
            minutes=45,
            format="individual",
            status="held",
        )


def test_one_object_a_coach_and_rule_sorted(cast: Cast) -> None:
    found = answers("--as-at", "2026-06-15")
    assert set(found[0]) == {"coach", "rule", "state", "due_on", "since", "reason", "standard"}
    keys = [(answer["coach"], answer["rule"]) for answer in found]
    assert keys == sorted(keys)
    assert len(keys) == len(set(keys)) == 4 * len(RULES)
    assert all(answer["reason"] for answer in found)


def test_a_late_entry_changes_the_past_and_a_void_takes_it_back(cast: Cast, meeting: Meeting) -> None:
    now = line(cast, "--as-at", "15/06/2026")
    assert (now["state"], now["due_on"]) == ("met", "2026-07-01")
    assert now["reason"] == "Last line supervision 1 June 2026. Next due 1 July 2026."
    with walls.lifted("tests"):
        Meeting.objects.filter(pk=meeting.pk).update(voided_at=timezone.now())
    assert line(cast, "--as-at", "2026-06-15")["state"] == "overdue"


def test_known_at_a_moment_nothing_later_is_seen(cast: Cast, meeting: Meeting) -> None:
    long_ago, written, voided = (timezone.now() - timedelta(days=days) for days in (90, 60, 30))
    with walls.lifted("tests"):
        Meeting.objects.filter(pk=meeting.pk).update(recorded_at=written, voided_at=voided)
        type(cast.coach_asha).objects.update(recorded_at=long_ago)
        Post.objects.update(recorded_at=long_ago)

    def known(moment: object) -> str | None:
        return line(cast, "--as-at", "2026-06-15", "--known-at", str(moment))["state"]

    assert known(written - timedelta(minutes=1)) == "overdue"
    assert known(written + timedelta(minutes=1)) == "met"
    assert known(voided - timedelta(minutes=1)) == "met"
    assert known(voided + timedelta(minutes=1)) == "overdue"


def test_an_end_counts_only_once_it_was_recorded(cast: Cast) -> None:
    ended, recorded = date(2026, 5, 31), timezone.now() - timedelta(days=10)
    with walls.lifted("tests"):
        Post.objects.filter(coach=cast.coach_asha).update(
            ends_on=ended, end_recorded_at=recorded, recorded_at=recorded - timedelta(days=100)
        )
    assert line(cast, "--as-at", "2026-06-15")["state"] == "not_applicable"
    assert line(cast, "--as-at", "2026-05-31")["state"] != "not_applicable"
    earlier = (recorded - timedelta(days=1)).isoformat()
    assert line(cast, "--as-at", "2026-06-15", "--known-at", earlier)["state"] != "not_applicable"


def test_an_organisation_is_asked_with_everything_below_it(cast: Cast) -> None:
    def coaches(code: str) -> set[str | None]:
        return {answer["coach"] for answer in answers("--as-at", "2026-06-15", "--organisation", code)}

    asha, bo, cai = (coach.reference for coach in (cast.coach_asha, cast.coach_bo, cast.coach_cai))
    assert coaches("u99991") == {asha, bo}
    assert coaches("HUB1") == {asha, bo, cai}
    assert len(coaches("QZZ")) == 4
    with pytest.raises(CommandError, match='There is no organisation "U1"'):
        compliance("--organisation", "U1")


def test_the_three_forms_say_the_same(cast: Cast, meeting: Meeting) -> None:
    asked = ("--as-at", "2026-06-15")
    objects = answers(*asked)
    rows = list(csv.DictReader(StringIO(compliance("--format", "csv", *asked))))
    assert [{name: value or None for name, value in row.items()} for row in rows] == objects
    table = compliance("--format", "table", *asked).splitlines()
    assert len(table) == len(objects) + 1
    assert all(a["rule"] in line and a["state"] in line for a, line in zip(objects, table[1:], strict=True))  # type: ignore[operator]


@pytest.mark.parametrize("text", ["yesterday", "2026-02-30", "31/02/2026", "1.3.2026"])
def test_a_bad_day_is_refused_with_how_to_write_one(text: str) -> None:
    with pytest.raises(CommandError, match="2026-03-31 or 31/03/2026"):
        compliance("--as-at", text)


@pytest.mark.parametrize("seed", [11, 12])
def test_each_reason_can_be_said(seed: int, tmp_path: Path, empty: None) -> None:
    """Every answer has a sentence, in every state that random data brings about; never "breach"."""
    workbook = random_workbook(seed)
    write_csv_folder(workbook, tmp_path / "sheets", seed)
    call_command("import_workbook", str(tmp_path / "sheets"), stdout=StringIO())
    for day in interesting_days(workbook, random.Random(seed), 6):
        found = answers("--as-at", day.isoformat())
        assert all(answer["reason"] and answer["reason"].endswith(".") for answer in found)
        assert not any("breach" in str(answer["reason"]).lower() for answer in found)
        assert len(found) == len(oracle.answers(workbook, day))
