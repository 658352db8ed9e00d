"""Small workbooks for the tests of the import: a whole valid one, and a way to import what was changed in it."""

import csv
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

from hwbc.compliance.importing import actions
from hwbc.compliance.importing.actions import Report
from hwbc.compliance.importing.faults import Fault, NotImported
from hwbc.compliance.importing.reading import read
from hwbc.compliance.importing.sheets import BY_NAME, SHEETS
from hwbc.workforce import walls
from hwbc.workforce.access import Actor

DAY = date(2026, 6, 15)
Sheets = dict[str, list[dict[str, Any]]]

VALID: Sheets = {
    "organisations": [
        {"code": "HUB9", "name": "Invented hub", "kind": "training_hub"},
        {"code": "U91001", "name": "Invented PCN", "kind": "pcn", "parent_code": "HUB9"},
        {"code": "U91002", "name": "Other invented PCN", "kind": "pcn", "parent_code": "HUB9"},
        {"code": "A91001", "name": "Invented practice", "kind": "practice", "parent_code": "U91001"},
    ],
    "coaches": [
        {
            "coach_ref": f"C00{number}",
            "name": f"Coach Number{number}",
            "email": f"c{number}@example.org",
            "pcn_code": "U91001",
            "started_on": "2025-01-06",
            "hours_per_week": "37.5",
            "funding": "arrs",
        }
        for number in (1, 2)
    ],
    "absences": [{"coach_ref": "C001", "kind": "sickness", "from": "2026-01-05", "to": "2026-01-20"}],
    "courses": [
        {
            "course_ref": "HC",
            "title": "Health coaching",
            "provider": "Someone",
            "kind": "pci_health_coaching",
            "accreditation": "accredited",
            "gives_certificate": "yes",
            "days": "4",
        },
        {
            "course_ref": "M1",
            "title": "Basics",
            "provider": "Someone",
            "kind": "mandatory",
            "accreditation": "none",
            "gives_certificate": "no",
        },
    ],
    "requirements": [{"course_ref": "M1", "validity_months": "12", "within_days": "30"}],
    "training": [
        {
            "coach_ref": "C001",
            "course_ref": "HC",
            "enrolled_on": "2025-02-01",
            "attended_on": "2025-02-03; 04/02/2025;2025-02-05; 06/02/2025",
            "certificate_on": "2025-03-01",
            "certificate_number": "N1",
        }
    ],
    "exemptions": [
        {
            "coach_ref": "C001",
            "rule": "training.required:M1",
            "from": "2025-01-06",
            "to": "2025-06-30",
            "reason": "Booked",
            "approved_by": "A Manager",
        }
    ],
    "supervisors": [
        {"supervisor_ref": "S1", "name": "Sam Supervisor", "role": "gp", "organisation_code": "U91001"},
        {"supervisor_ref": "S2", "name": "Coach Number2", "role": "health_coach", "coach_ref": "C002"},
    ],
    "supervisor_evidence": [
        {"supervisor_ref": "S2", "kind": "tier", "value": "3", "evidenced_on": "2025-01-01"},
        {"supervisor_ref": "S2", "kind": "own_supervision", "value": "Dr Other", "evidenced_on": "2025-01-01"},
    ],
    "agreements": [
        {"coach_ref": "C001", "kind": "line", "supervisor_ref": "S1", "from": "2025-01-06", "to": "2025-12-31"},
        {"coach_ref": "C001", "kind": "health_coaching", "supervisor_ref": "S2", "from": "2025-01-06"},
    ],
    "supervision": [
        {
            "coach_ref": "C001",
            "kind": "line",
            "supervisor_ref": "S1",
            "held_on": "2026-05-04",
            "minutes": "60",
            "format": "individual",
            "status": "held",
        }
    ],
    "referrals": [
        {
            "referral_ref": "R1",
            "pcn_code": "U91001",
            "practice_code": "A91001",
            "source": "gp_practice",
            "priority": "routine",
            "received_on": "2026-03-01",
            "coach_ref": "C001",
            "accepted_on": "2026-03-02",
        },
        {
            "referral_ref": "R2",
            "pcn_code": "U91001",
            "source": "self",
            "priority": "urgent",
            "received_on": "2026-03-01",
            "coach_ref": "C002",
        },
    ],
    "coaching_sessions": [
        {"referral_ref": "R1", "held_on": "2026-04-01", "mode": "phone", "minutes": "45", "outcome": "attended"}
    ],
}


def valid() -> Sheets:
    """A workbook without a fault, to be changed."""
    return deepcopy(VALID)


def write_folder(folder: Path, sheets: Sheets) -> Path:
    """Write sheets as CSV files; keys that are no columns of the sheet come last."""
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.csv"):
        old.unlink()
    for name, rows in sheets.items():
        known = [column.name for column in BY_NAME[name].columns] if name in BY_NAME else []
        others = dict.fromkeys(key for row in rows for key in row if key not in known)
        with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, [*known, *others])
            writer.writeheader()
            writer.writerows(rows)
    return folder


def bring(path: Path, code: str | None = None, day: date = DAY) -> Report:
    """Import a file as the command does."""
    book = read(path)
    with walls.lifted("tests"):
        return actions.import_rows(Actor.system("tests"), book=book, day=day, code=code)


def faults(path: Path, code: str | None = None, day: date = DAY) -> list[Fault]:
    """The faults of a file that cannot be imported."""
    try:
        bring(path, code, day)
    except NotImported as refused:
        return list(refused.faults)
    return []


def where(found: list[Fault]) -> set[tuple[str, int | None, str]]:
    """Sheet, row and column of each fault."""
    return {(fault.sheet, fault.row, fault.column) for fault in found}


def done(report: Report) -> dict[str, tuple[int, int, int]]:
    """New, changed and unchanged of each sheet that was not simply unchanged."""
    counts = {name: (each.new, each.changed, each.unchanged) for name, each in report.counts.items()}
    return {name: numbers for name, numbers in counts.items() if numbers[:2] != (0, 0)}


EVERY_SHEET = [sheet.name for sheet in SHEETS]
