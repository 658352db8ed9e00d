"""The one implementation against the slow second calculation, over random workbooks that came through the import."""

import os
import random
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from django.core.management import call_command

from hwbc.compliance.queries import standings
from hwbc.kit.periods import today
from hwbc.standards import queries
from hwbc.standards.actions import load_preset
from hwbc.standards.presets import WDF
from hwbc.workforce import walls
from hwbc.workforce.models import Organisation
from tests import oracle
from tests.cast import SETUP
from tests.compliance.test_oracle import MORE, WORKED_EXAMPLES, maybe
from tests.workbooks import interesting_days, random_workbook, write_csv_folder, write_xlsx

# More by hand: HWBC_SEEDS=200 HWBC_DAYS=40 make test ARGS="-k second_calculation"
SEEDS, DAYS = int(os.environ.get("HWBC_SEEDS", "10")), int(os.environ.get("HWBC_DAYS", "25"))

Given = tuple[str, str, str, date | None, date | None]


def brought_in(workbook: oracle.Workbook, path: Path, seed: int) -> None:
    """Through the import, as a person's file comes in: an XLSX or a folder of CSV files."""
    if seed % 5 == 0:
        write_xlsx(workbook, path / "workbook.xlsx", seed)
        call_command("import_workbook", str(path / "workbook.xlsx"))
    else:
        write_csv_folder(workbook, path / "sheets", seed)
        call_command("import_workbook", str(path / "sheets"))


TAKEN_FOR_GRANTED: dict[str, dict[str, str]] = {
    "courses": {"title": "Invented course", "provider": "Invented provider"},
    "referrals": {"source": "nurse", "priority": "routine"},
    "exemptions": {"reason": "Invented reason", "approved_by": "Invented approver"},
}


def whole(workbook: oracle.Workbook) -> oracle.Workbook:
    """An example with the places and words that it takes for granted."""
    rows = [row for sheet in workbook.values() for row in sheet]
    codes = {str(row[key]).upper() for row in rows for key in ("pcn_code", "employer_code") if row.get(key)}
    places = [{"code": "QZZ", "name": "Invented ICB", "kind": "icb"}]
    places += [{"code": c, "name": f"Invented {c}", "kind": "pcn", "parent_code": "QZZ"} for c in sorted(codes)]
    filled = {sheet: [{**TAKEN_FOR_GRANTED.get(sheet, {}), **row} for row in rows] for sheet, rows in workbook.items()}
    return {"organisations": places, **filled}


def ours(day: date) -> list[Given]:
    """What the service answers."""
    with walls.lifted("tests"):
        return sorted(
            (standing.reference, rule, answer.state, answer.due_on, answer.since)
            for standing in standings(day)
            for rule, answer in standing.answers
        )


def theirs(workbook: oracle.Workbook, day: date, numbers: oracle.Numbers = oracle.WDF) -> list[Given]:
    """What the second calculation answers."""
    return sorted((a.coach, a.rule, a.state, a.due_on, a.since) for a in oracle.answers(workbook, day, numbers))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_the_rules_agree_with_the_second_calculation(seed: int, tmp_path: Path, empty: None) -> None:
    workbook = random_workbook(seed)
    brought_in(workbook, tmp_path, seed)
    numbers = oracle.WDF
    if seed % 4 == 3:
        numbers = oracle.MONTHLY_CLINICAL
        with walls.lifted("tests"):
            top = Organisation.objects.get(parent=None)
            load_preset(SETUP, organisation=top, preset="Monthly clinical", starts_on=date(2020, 1, 1))
    compared = 0
    for day in interesting_days(workbook, random.Random(seed), DAYS):
        mine, second = ours(day), theirs(workbook, day, numbers)
        differing = [pair for pair in zip(mine, second, strict=True) if pair[0] != pair[1]]
        assert not differing, (day, differing[:5])
        compared += len(mine)
    print(f"seed {seed}: {compared:,} answers equal")
    assert compared >= DAYS * 20 * 11


@pytest.mark.parametrize("name", [*WORKED_EXAMPLES, *MORE])
def test_worked_examples_through_the_import(name: str, tmp_path: Path, empty: None) -> None:
    """Section 5 of the rules, as a person would try it: a workbook with the example, and the answer."""
    workbook, rule, table = (WORKED_EXAMPLES | MORE)[name]
    write_csv_folder(whole(workbook), tmp_path / "sheets", 0)
    call_command("import_workbook", str(tmp_path / "sheets"))
    for day, state, due_on, since in table:
        mine = {(given[1]): given[2:] for given in ours(date.fromisoformat(day)) if given[0] == "C001"}
        assert mine[rule] == (state, maybe(due_on), maybe(since)), day


def test_the_comparison_bites(tmp_path: Path, empty: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: with one number of a rule changed, the two calculations disagree."""
    workbook = random_workbook(1)
    brought_in(workbook, tmp_path, 1)
    days = interesting_days(workbook, random.Random(1), 12)
    assert all(ours(day) == theirs(workbook, day) for day in days)
    monkeypatch.setattr(queries, "WDF", replace(WDF, line_grace_days=6))
    assert any(ours(day) != theirs(workbook, day) for day in days)


def test_the_same_file_again_changes_no_answer(tmp_path: Path, empty: None) -> None:
    workbook = random_workbook(2)
    brought_in(workbook, tmp_path, 2)
    before = ours(today())
    call_command("import_workbook", str(tmp_path / "sheets"))
    assert ours(today()) == before == theirs(workbook, today())
