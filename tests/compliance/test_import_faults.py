"""Every fault of a workbook is found, said where it is, and keeps everything from being saved."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwbc.compliance.importing.sheets import BY_NAME, SHEETS
from hwbc.workforce import walls
from hwbc.workforce.models import Coach, Organisation
from tests.compliance.importing import DAY, bring, faults, valid, where, write_folder

pytestmark = pytest.mark.django_db

TOMORROW = (DAY + timedelta(days=1)).isoformat()
ANOTHER = object()  # a copy of the sheet's first row


def change(sheets: Any, sheet: str, row: int, **values: Any) -> None:
    rows = sheets[sheet]
    while len(rows) <= row:
        rows.append(dict(rows[0]))
    rows[row].update({name.rstrip("_"): value for name, value in values.items()})


@pytest.mark.parametrize(
    ("sheet", "row", "values", "column", "says"),
    [
        # cells
        ("coaches", 0, {"name": ""}, "name", "is blank"),
        ("coaches", 0, {"email": "asha"}, "email", "not an e-mail address"),
        ("coaches", 0, {"started_on": "31/02/2026"}, "started_on", "not a day of the calendar"),
        ("coaches", 0, {"started_on": "3 May 2026"}, "started_on", "is not a date"),
        ("coaches", 0, {"started_on": "05/13/2026"}, "started_on", "not a day of the calendar"),
        ("coaches", 0, {"left_on": "9999-12-31"}, "left_on", "leave it blank"),
        ("coaches", 0, {"hours_per_week": "0"}, "hours_per_week", "more than 0"),
        ("coaches", 0, {"hours_per_week": "60.5"}, "hours_per_week", "no more than 60"),
        ("coaches", 0, {"hours_per_week": "full time"}, "hours_per_week", "not a number"),
        ("coaches", 0, {"hours_per_week": "37.555"}, "hours_per_week", "two decimal places"),
        ("coaches", 0, {"hours_per_week": 10**40}, "hours_per_week", "not a number"),
        ("coaches", 0, {"funding": "charity"}, "funding", "not one of: arrs, other"),
        ("coaches", 0, {"name": "=A1"}, "name", "is a formula"),
        ("coaches", 0, {"name": "#REF!"}, "name", "error of the spreadsheet"),
        ("coaches", 0, {"name": "x" * 201}, "name", "too long"),
        ("coaches", 0, {"name": "a\x07b"}, "name", "cannot be kept"),
        ("coaches", 0, {"coach_ref": "a\nb"}, "coach_ref", "several lines"),
        ("organisations", 1, {"code": "U 1"}, "code", "not a code"),
        ("organisations", 1, {"kind": "hospital"}, "kind", "not one of"),
        ("courses", 0, {"gives_certificate": "perhaps"}, "gives_certificate", "yes or no"),
        ("courses", 0, {"days": "0"}, "days", "from 1"),
        ("requirements", 0, {"validity_months": "0"}, "validity_months", "from 1"),
        ("requirements", 0, {"within_days": "-1"}, "within_days", "from 0"),
        ("supervision", 0, {"minutes": "0"}, "minutes", "from 1"),
        ("supervision", 0, {"minutes": "59.5"}, "minutes", "whole number"),
        ("supervision", 0, {"minutes": "1_000"}, "minutes", "not a number"),
        ("coaching_sessions", 0, {"minutes": "-5"}, "minutes", "from 1"),
        ("exemptions", 0, {"rule": "supervision.line"}, "rule", "can be exempted from"),
        ("exemptions", 0, {"rule": "training.required:"}, "rule", "can be exempted from"),
        ("exemptions", 0, {"to": ""}, "to", "is blank"),
        ("supervisor_evidence", 0, {"value": ""}, "value", "is blank"),
        ("supervisor_evidence", 0, {"value": "high"}, "value", "not a number"),
        ("supervisor_evidence", 0, {"value": "-1"}, "value", "0 or more"),
        ("training", 0, {"attended_on": "2025-02-03; soon"}, "attended_on", "is not a date"),
        # the same key twice
        ("organisations", 4, {"code": "hub9"}, "code", "row 2"),
        ("coaches", 2, {}, "coach_ref", "row 2"),
        ("absences", 1, {"kind": "other"}, "coach_ref", "row 2"),
        ("courses", 2, {"course_ref": "hc"}, "course_ref", "row 2"),
        ("requirements", 1, {}, "course_ref", "row 2"),
        ("training", 1, {"coach_ref": "c001"}, "coach_ref", "row 2"),
        ("exemptions", 1, {"rule": "TRAINING.required: m1"}, "coach_ref", "row 2"),
        ("supervisors", 2, {}, "supervisor_ref", "row 2"),
        ("supervisor_evidence", 2, {"value": "4"}, "supervisor_ref", "row 2"),
        ("agreements", 2, {"supervisor_ref": "S2"}, "coach_ref", "row 2"),
        ("supervision", 1, {"minutes": "30", "ad_hoc": "no"}, "coach_ref", "row 2"),
        ("referrals", 2, {"referral_ref": "r1"}, "referral_ref", "row 2"),
        ("coaching_sessions", 1, {"minutes": "30"}, "referral_ref", "row 2"),
        # references
        ("organisations", 1, {"parent_code": "NONE"}, "parent_code", "neither in the sheet organisations"),
        ("coaches", 0, {"pcn_code": "NONE"}, "pcn_code", "neither in the sheet organisations"),
        ("coaches", 0, {"employer_code": "NONE"}, "employer_code", "neither"),
        ("absences", 0, {"coach_ref": "C9"}, "coach_ref", "neither in the sheet coaches"),
        ("requirements", 0, {"course_ref": "X"}, "course_ref", "neither in the sheet courses"),
        ("training", 0, {"course_ref": "X"}, "course_ref", "neither"),
        ("exemptions", 0, {"rule": "training.required:X"}, "rule", "neither in the sheet courses"),
        ("supervisors", 0, {"organisation_code": "X"}, "organisation_code", "neither"),
        ("supervisors", 0, {"coach_ref": "X"}, "coach_ref", "neither"),
        ("supervisor_evidence", 0, {"supervisor_ref": "X"}, "supervisor_ref", "neither in the sheet supervisors"),
        ("agreements", 0, {"supervisor_ref": "X"}, "supervisor_ref", "neither"),
        ("supervision", 0, {"supervisor_ref": "X"}, "supervisor_ref", "neither"),
        ("referrals", 0, {"practice_code": "X"}, "practice_code", "neither"),
        ("referrals", 1, {"coach_ref": "X"}, "coach_ref", "neither"),
        ("coaching_sessions", 0, {"referral_ref": "X"}, "referral_ref", "neither in the sheet referrals"),
        # periods
        ("coaches", 0, {"left_on": "2025-01-05"}, "left_on", "before started_on (6 January 2025)"),
        ("absences", 0, {"to": "2026-01-04"}, "to", "before from"),
        ("courses", 0, {"accredited_from": "2026-01-02", "accredited_to": "2026-01-01"}, "accredited_to", "before"),
        ("exemptions", 0, {"to": "2025-01-05"}, "to", "before from"),
        ("agreements", 0, {"to": "2025-01-05"}, "to", "before from"),
        ("referrals", 0, {"closed_on": "2026-03-01"}, "closed_on", "before accepted_on"),
        ("referrals", 1, {"closed_on": "2026-02-28"}, "closed_on", "before received_on"),
        ("training", 0, {"withdrawn_on": "2025-01-31"}, "withdrawn_on", "before enrolled_on"),
        ("coaches", 2, {"started_on": "2025-06-01"}, "started_on", "overlaps another one, in row 2"),
        ("absences", 1, {"from": "2026-01-20", "to": ""}, "from", "overlaps another one, in row 2"),
        ("agreements", 2, {"from": "2025-12-31", "to": ""}, "from", "overlaps another one, in row 2"),
        # the future
        ("supervision", 0, {"held_on": TOMORROW}, "held_on", "after today, 15 June 2026"),
        ("training", 0, {"attended_on": f"2025-02-03;{TOMORROW}"}, "attended_on", "16 June 2026 is after today"),
        ("training", 0, {"certificate_on": TOMORROW}, "certificate_on", "after today"),
        ("supervisor_evidence", 0, {"evidenced_on": TOMORROW}, "evidenced_on", "after today"),
        ("referrals", 0, {"accepted_on": TOMORROW}, "accepted_on", "after today"),
        ("coaching_sessions", 0, {"held_on": TOMORROW}, "held_on", "after today"),
        # what contradicts itself
        ("coaches", 2, {"name": "Another", "pcn_code": "U91002"}, "name", "row 2"),
        ("coaches", 2, {"email": "other@example.org", "pcn_code": "U91002"}, "email", "row 2"),
        ("coaches", 0, {"pcn_code": "A91001"}, "pcn_code", "not a PCN but of the kind practice"),
        ("referrals", 0, {"pcn_code": "HUB9"}, "pcn_code", "not a PCN but of the kind training_hub"),
        ("agreements", 1, {"coach_ref": "C002"}, "supervisor_ref", "nobody is their own supervisor"),
        ("training", 0, {"certificate_on": ""}, "certificate_number", "has no date"),
        ("training", 0, {"withdrawn_on": "2025-03-01"}, "withdrawn_on", "has no certificate"),
        ("training", 0, {"enrolled_on": "2025-03-02"}, "certificate_on", "before the enrolment"),
        ("training", 0, {"course_ref": "M1"}, "certificate_on", "gives no certificate"),
        ("courses", 0, {"gives_certificate": "no"}, "gives_certificate", "gives a certificate"),
        ("referrals", 0, {"coach_ref": ""}, "coach_ref", "accepted_on is not"),
        ("organisations", 0, {"parent_code": "A91001"}, "parent_code", "lies below"),
        ("organisations", 1, {"parent_code": "U91001"}, "parent_code", "lies below"),
    ],
)  # fmt: skip
def test_a_fault_says_where_and_what(
    tmp_path: Path, sheet: str, row: int, values: dict[str, Any], column: str, says: str
) -> None:
    sheets = valid()
    change(sheets, sheet, row, **values)
    found = faults(write_folder(tmp_path, sheets), "HUB9")
    here = [fault for fault in found if fault.sheet == sheet and fault.column == column]
    assert here, found
    assert says in here[0].message
    assert here[0].message.endswith(".")
    if "lies below" not in says:
        assert here[0].row == row + 2
    with walls.lifted("tests"):
        assert not Organisation.objects.exclude(parent=None).filter(code="U91001").exists()
        assert not Coach.objects.filter(reference="C001").exists()


def test_all_faults_at_once_and_none_that_follows_from_another(tmp_path: Path) -> None:
    sheets = valid()
    change(sheets, "coaches", 0, started_on="soon", funding="x")
    change(sheets, "absences", 0, to="never")
    change(sheets, "absences", 1, from_="2026-01-06", to="")
    change(sheets, "coaching_sessions", 0, outcome="fled")
    assert where(faults(write_folder(tmp_path, sheets))) == {
        ("coaches", 2, "started_on"),
        ("coaches", 2, "funding"),
        ("absences", 2, "to"),
        ("coaching_sessions", 2, "outcome"),
    }


def test_faults_come_in_the_order_of_the_workbook(tmp_path: Path) -> None:
    sheets = valid()
    change(sheets, "referrals", 1, coach_ref="X")
    change(sheets, "referrals", 0, source="dream")
    change(sheets, "coaches", 1, pcn_code="X")
    found = faults(write_folder(tmp_path, sheets))
    assert [(fault.sheet, fault.row) for fault in found] == [("coaches", 3), ("referrals", 2), ("referrals", 3)]


def test_unknown_sheets_and_columns_and_missing_ones(tmp_path: Path) -> None:
    sheets = valid()
    sheets["holidays"] = [{"a": "1"}]
    sheets["absences"][0]["reason"] = "ill"
    for row in sheets["supervision"]:
        del row["minutes"]
    folder = write_folder(tmp_path, sheets)
    path = folder / "supervision.csv"
    path.write_text(path.read_text().replace(",minutes", "").replace(",,individual", ",individual"))
    path = folder / "requirements.csv"
    path.write_text("course_ref,within_days,within_days\nM1,30,30\n")
    path = folder / "coaching_sessions.csv"
    path.write_text("\n" + path.read_text())
    assert where(faults(folder)) == {
        ("holidays", None, ""),
        ("absences", 1, '"reason"'),
        ("supervision", 1, "minutes"),
        ("requirements", 1, "within_days"),
        ("coaching_sessions", 1, ""),
    }


def test_a_sheet_that_cannot_be_read_brings_forth_no_other_faults(tmp_path: Path) -> None:
    sheets = valid()
    sheets["coaches"][0]["shoe_size"] = "40"
    assert where(faults(write_folder(tmp_path, sheets))) == {("coaches", 1, '"shoe_size"')}


def test_a_value_beside_the_table_is_a_fault(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, valid())
    path = folder / "requirements.csv"
    path.write_text("course_ref,within_days,\nM1,30,\n\n,,note\n")
    found = faults(folder)
    assert where(found) == {("requirements", 4, "column 3")}
    path.write_text("course_ref,within_days\nM1,30,,note\n")
    assert where(faults(folder)) == {("requirements", 2, "column 4")}


@pytest.mark.parametrize(
    ("sheet", "values", "column", "known"),
    [
        ("coaches", {"started_on": "2024-12-01", "left_on": "2025-01-06"}, "started_on", "6 January 2025"),
        ("absences", {"from": "2026-01-10", "to": ""}, "from", "5 January 2026"),
        ("agreements", {"from": "2024-01-01", "to": "2025-01-06"}, "from", "6 January 2025"),
    ],
)
def test_overlaps_with_what_is_there_already(
    tmp_path: Path, sheet: str, values: dict[str, str], column: str, known: str
) -> None:
    bring(write_folder(tmp_path, valid()))
    found = faults(write_folder(tmp_path, {sheet: [first_row(sheet) | values]}), "HUB9")
    assert where(found) == {(sheet, 2, column)}
    assert f"recorded already, from {known}" in found[0].message


def first_row(sheet: str) -> dict[str, Any]:
    return dict(valid()[sheet][0])


def test_what_the_rows_replace_does_not_overlap_with_them(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    first = first_row("absences") | {"to": "2026-01-10"}
    second = first_row("absences") | {"from": "2026-01-11", "to": "2026-01-20"}
    assert faults(write_folder(tmp_path, {"absences": [second]}), "HUB9")
    assert not faults(write_folder(tmp_path, {"absences": [second, first]}), "HUB9")


def test_rows_are_compared_with_what_is_there_already(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    own = [{"supervisor_ref": "S1", "name": "Sam Supervisor", "role": "gp", "coach_ref": "C001"}]
    course = [first_row("courses") | {"kind": "cpd", "gives_certificate": "no"}]
    pcn = [{"code": "U91001", "name": "x", "kind": "practice"}]
    training = [first_row("training") | {"course_ref": "M1", "enrolled_on": "2025-01-01"}]
    circle = [{"code": "HUB9", "name": "Invented hub", "kind": "training_hub", "parent_code": "U91001"}]
    for sheets, place in (
        ({"supervisors": own}, ("supervisors", 2, "coach_ref")),
        ({"courses": course}, ("courses", 2, "gives_certificate")),
        ({"organisations": pcn}, ("organisations", 2, "kind")),
        ({"training": training}, ("training", 2, "certificate_on")),
        ({"organisations": circle}, ("organisations", 2, "parent_code")),
    ):
        assert where(faults(write_folder(tmp_path, sheets), "HUB9")) == {place}


def test_one_bad_row_among_ten_thousand_saves_nothing(tmp_path: Path) -> None:
    sheets = valid()
    row = first_row("supervision")
    sheets["supervision"] = [
        row
        | {
            "minutes": str(minutes),
            "held_on": f"20{10 + minutes % 16}-{1 + minutes // 16 % 12:02}-{1 + minutes // 192 % 28:02}",
            "format": ("individual", "group")[minutes // 5376],
        }
        for minutes in range(1, 10_001)
    ]
    sheets["supervision"][7_000]["minutes"] = "an hour"
    folder = write_folder(tmp_path, sheets)
    assert where(faults(folder)) == {("supervision", 7_002, "minutes")}
    with walls.lifted("tests"):
        assert not Coach.objects.filter(reference="C001").exists()
    sheets["supervision"][7_000]["minutes"] = "60"
    assert bring(write_folder(tmp_path, sheets)).counts["supervision"].new == 10_000


def test_ten_thousand_bad_rows_are_counted(tmp_path: Path) -> None:
    sheets = {
        "absences": [
            first_row("absences") | {"from": f"20{10 + day // 336}-{1 + day // 28 % 12:02}-{1 + day % 28:02}", "to": ""}
            for day in range(5_000)
        ]
    }
    bring(write_folder(tmp_path, valid()))
    found = faults(write_folder(tmp_path, sheets), "HUB9")
    assert len(found) >= 1_000


CELL = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        ["", "=1+1", "0", "-1", "1e9", "2026-02-30", "29/02/2024", "yes", "\x00", "ß" * 60, "C001", "U91001"]
    ),
)


@given(sheet=st.sampled_from(SHEETS), rows=st.lists(st.lists(CELL, min_size=1, max_size=12), min_size=1, max_size=4))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_text_in_any_cell_is_at_worst_a_fault(tmp_path: Path, sheet: Any, rows: list[list[str]]) -> None:
    names = [column.name for column in BY_NAME[sheet.name].columns]
    sheets = valid()
    for row in rows:
        made = dict(sheets[sheet.name][0])
        made.update(dict(zip(names, (cell.encode("utf-8", "replace").decode() for cell in row), strict=False)))
        sheets[sheet.name].append(made)
    for fault in faults(write_folder(tmp_path, sheets), "HUB9"):
        assert fault.sheet == sheet.name or fault.row
        assert str(fault).isprintable()
