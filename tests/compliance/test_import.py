"""What an import writes: new rows, changed ones with their history, nothing twice."""

import threading
from datetime import date, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from coaching.models import Allocation, CoachingSession, Referral
from hwbc.compliance.importing.reading import read
from hwbc.compliance.importing.sheets import SHEETS
from hwbc.kit.periods import today
from hwbc.standards.models import Run
from hwbc.workforce import walls
from hwbc.workforce.models import Absence, AuditEvent, Coach, Organisation, Post
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from tests.cast import Cast
from tests.compliance.importing import DAY, bring, done, faults, valid, where, write_folder
from tests.workbooks import random_workbook, write_csv_folder, write_xlsx
from training.models import Course, Exemption, Requirement, TrainingRecord

pytestmark = pytest.mark.django_db

MODELS: tuple[Any, ...] = (
    Organisation, Coach, Post, Absence, Course, Requirement, TrainingRecord, Exemption, Supervisor, Evidence, Agreement,
    Meeting, Referral, Allocation, CoachingSession,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _lifted(cast: Cast) -> Any:
    """The cast is there, of other places; the tests look at everything."""
    with walls.lifted("tests"):
        yield


def everything() -> dict[str, list[dict[str, Any]]]:
    """Every row of every table that an import writes."""
    return {model.__name__: list(model.objects.order_by("pk").values()) for model in MODELS}


def command(*args: Any, **options: Any) -> tuple[str, str]:
    """What the command prints: answers and faults."""
    out, err = StringIO(), StringIO()
    call_command("import_workbook", *map(str, args), stdout=out, stderr=err, **options)
    return out.getvalue(), err.getvalue()


# --- New -------------------------------------------------------------------------------------------------------------


def test_what_the_rows_become(tmp_path: Path) -> None:
    before = timezone.now()
    report = bring(write_folder(tmp_path, valid()))
    register = report.register
    assert register.code == "HUB9"
    assert Organisation.objects.get(code="A91001").parent.parent == register  # type: ignore[union-attr]
    coach = Coach.objects.get(reference="C001")
    assert (coach.register, coach.reference_key, coach.sort_name) == (register, "c001", "number1 coach")
    post = Post.objects.get(coach=coach)
    assert (post.pcn.code, post.employer.code, post.starts_on, post.ends_on) == (
        "U91001",
        "U91001",
        date(2025, 1, 6),
        None,
    )
    assert float(post.hours_per_week) == 37.5
    absence = Absence.objects.get()
    assert (absence.ends_on, absence.end_recorded_at) == (date(2026, 1, 20), absence.recorded_at)
    assert before <= absence.recorded_at <= timezone.now()
    training = TrainingRecord.objects.get()
    assert training.attended_on == [date(2025, 2, day) for day in (3, 4, 5, 6)]
    assert Course.objects.get(reference="M1").days == 1
    assert Requirement.objects.get().course.reference == "M1"
    assert Exemption.objects.get().course.reference == "M1"  # type: ignore[union-attr]
    assert Supervisor.objects.get(reference="S2").coach == Coach.objects.get(reference="C002")
    assert {(each.kind, str(each.number), each.text) for each in Evidence.objects.all()} == {
        ("tier", "3.00", ""),
        ("own_supervision", "None", "Dr Other"),
    }
    assert Agreement.objects.filter(coach__register__code="HUB9").count() == 2
    assert Meeting.objects.get().ad_hoc is False
    taken, proposed = Referral.objects.order_by("reference")
    assert (taken.proposed_coach, proposed.proposed_coach) == (None, Coach.objects.get(reference="C002"))
    allocation = Allocation.objects.get()
    assert (allocation.coach, allocation.starts_on, allocation.pcn.code) == (coach, date(2026, 3, 2), "U91001")
    assert CoachingSession.objects.get().pcn.code == "U91001"


def test_the_run_and_the_audit(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    run = Run.objects.get(kind="import")
    assert (run.day, run.outcome, run.organisation.code) == (DAY, "done", "HUB9")  # type: ignore[union-attr]
    assert run.counts["coaches"] == [2, 0, 0]
    line = AuditEvent.objects.get(what="workbook.import")
    assert (line.record, line.facts["rows"]["coaches"]) == (str(run.uuid), [2, 0, 0])
    assert "Number1" not in str(line.facts)


def test_the_same_again_changes_nothing(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    was = everything()
    assert bring(write_folder(tmp_path, valid())).changed_nothing
    assert everything() == was


def test_letters_of_references_and_codes_do_not_matter(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    was = everything()
    sheets = valid()
    for sheet in SHEETS:
        for row in sheets[sheet.name]:
            for name in row:
                if name.endswith(("_ref", "code")) or name in ("kind", "rule", "status"):
                    row[name] = f" {row[name].swapcase()} "
    assert bring(write_folder(tmp_path, sheets), "hub9").changed_nothing
    assert everything() == was
    assert Coach.objects.filter(reference="C001").exists()


def test_two_services_may_number_alike(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    other = valid()
    for row in other["organisations"]:
        row["code"] = row["code"].replace("9", "8")
        if "parent_code" in row:
            row["parent_code"] = row["parent_code"].replace("9", "8")
    for sheet in ("coaches", "referrals"):
        for row in other[sheet]:
            row["pcn_code"] = row["pcn_code"].replace("9", "8")
    other["referrals"][0]["practice_code"] = other["supervisors"][0]["organisation_code"] = ""
    other["coaches"][0]["name"] = "Somebody Else"
    assert bring(write_folder(tmp_path, other)).counts["coaches"].new == 2
    assert {coach.name for coach in Coach.objects.filter(reference="C001")} == {"Coach Number1", "Somebody Else"}
    assert Meeting.objects.values("coach").distinct().count() == 2


def test_a_workbook_of_some_sheets_refers_to_what_is_there(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    meeting = valid()["supervision"][0] | {"held_on": "2026-06-01"}
    assert done(bring(write_folder(tmp_path, {"supervision": [meeting]}), "HUB9")) == {"supervision": (1, 0, 0)}
    assert Meeting.objects.count() == 2


# --- Changed ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sheet", "row", "values", "model"),
    [
        ("coaches", 0, {"hours_per_week": "30"}, Post),
        ("coaches", 0, {"employer_code": "A91001"}, Post),
        ("absences", 0, {"to": "2026-01-25"}, Absence),
        ("absences", 0, {"to": ""}, Absence),
        ("absences", 0, {"kind": "other", "to": "2026-02-01"}, Absence),
        ("requirements", 0, {"validity_months": ""}, Requirement),
        ("training", 0, {"attended_on": "2025-02-03"}, TrainingRecord),
        ("exemptions", 0, {"to": "2025-07-31"}, Exemption),
        ("supervisor_evidence", 0, {"value": "4"}, Evidence),
        ("agreements", 1, {"supervisor_ref": "S1"}, Agreement),
        ("supervision", 0, {"minutes": "30"}, Meeting),
        ("referrals", 0, {"accepted_on": "2026-03-03"}, Allocation),
        ("referrals", 0, {"coach_ref": "C002"}, Allocation),
        ("coaching_sessions", 0, {"outcome": "did_not_attend"}, CoachingSession),
    ],
)
def test_a_changed_fact_is_voided_and_recorded_anew(
    tmp_path: Path, sheet: str, row: int, values: dict[str, str], model: Any
) -> None:
    bring(write_folder(tmp_path, valid()))
    was = {each["id"]: each for each in model.objects.values()}
    sheets = valid()
    sheets[sheet][row].update(values)
    report = bring(write_folder(tmp_path, sheets))
    assert done(report) == {sheet: (0, 1, report.counts[sheet].unchanged)}
    [void] = model.objects.exclude(voided_at=None)
    [anew] = model.objects.exclude(pk__in=was)
    assert void.voided_because == "imported again: changed"
    assert void.voided_at == anew.recorded_at
    clocks = {"voided_at", "voided_because"}
    assert {key: value for key, value in model.objects.filter(pk=void.pk).values()[0].items() if key not in clocks} == {
        key: value for key, value in was[void.pk].items() if key not in clocks
    }
    assert bring(write_folder(tmp_path, sheets)).changed_nothing


@pytest.mark.parametrize(
    ("sheet", "row", "values", "model"),
    [
        ("coaches", 0, {"left_on": "2026-05-31"}, Post),
        ("agreements", 1, {"to": "2026-05-31"}, Agreement),
        ("referrals", 0, {"closed_on": "2026-05-31", "outcome": "done"}, Allocation),
    ],
)
def test_a_period_that_ends_gets_its_end(
    tmp_path: Path, sheet: str, row: int, values: dict[str, str], model: Any
) -> None:
    bring(write_folder(tmp_path, valid()))
    [was] = list(model.objects.filter(ends_on=None, starts_on__gte="2025-01-06"))[:1]
    if model is Post:
        was = Post.objects.get(coach__reference="C001")
    sheets = valid()
    sheets[sheet][row].update(values)
    report = bring(write_folder(tmp_path, sheets))
    assert done(report) == {sheet: (0, 1, report.counts[sheet].unchanged)}
    now = model.objects.get(pk=was.pk)
    assert (now.ends_on, now.voided_at, now.recorded_at, now.version) == (date(2026, 5, 31), None, was.recorded_at, 2)
    assert now.end_recorded_at > was.recorded_at


def test_names_and_places_are_updated_in_place(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    sheets = valid()
    sheets["organisations"][3].update(name="Renamed practice", parent_code="U91002")
    sheets["coaches"][0].update(name="Asha de Souza", email="ASHA@example.org")
    sheets["courses"][0].update(title="Better health coaching")
    sheets["supervisors"][0].update(role="senior_clinician")
    sheets["referrals"][1].update(priority="routine", outcome="seen")
    report = bring(write_folder(tmp_path, sheets))
    assert {name: numbers[:2] for name, numbers in done(report).items()} == dict.fromkeys(
        ("organisations", "coaches", "courses", "supervisors", "referrals"), (0, 1)
    )
    practice = Organisation.objects.get(code="A91001")
    assert (practice.name, practice.parent.code, practice.version) == ("Renamed practice", "U91002", 2)  # type: ignore[union-attr]
    coach = Coach.objects.get(reference="C001")
    assert (coach.sort_name, coach.email, coach.version) == ("de souza asha", "asha@example.org", 2)
    assert Course.objects.get(reference="HC").version == 2
    assert Supervisor.objects.get(reference="S1").role == "senior_clinician"
    assert Referral.objects.get(reference="R2").priority == "routine"
    assert Post.objects.filter(coach__register__code="HUB9").count() == 2
    assert Allocation.objects.count() == 1


def test_a_blank_parent_leaves_the_tree_as_it_is(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    alone = [{"code": "U91001", "name": "Invented PCN", "kind": "pcn"}]
    assert bring(write_folder(tmp_path, {"organisations": alone}), "HUB9").changed_nothing
    assert Organisation.objects.get(code="U91001").parent.code == "HUB9"  # type: ignore[union-attr]


def test_rows_missing_from_a_later_file_stay(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    sheets = valid()
    sheets["agreements"].pop()
    sheets["coaches"].pop()
    del sheets["training"]
    assert bring(write_folder(tmp_path, sheets)).changed_nothing
    brought = Agreement.objects.filter(voided_at=None, coach__register__code="HUB9")
    assert brought.count() == Coach.objects.filter(register__code="HUB9").count() == 2


def test_a_referral_moves_with_its_allocation_and_sessions(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    sheets = valid()
    sheets["referrals"][0]["pcn_code"] = "U91002"
    assert done(bring(write_folder(tmp_path, sheets))) == {"referrals": (0, 1, 1)}
    assert Allocation.objects.get().pcn.code == CoachingSession.objects.get().pcn.code == "U91002"


def test_an_acceptance_that_was_none_is_voided(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    sheets = valid()
    sheets["referrals"][0]["accepted_on"] = ""
    bring(write_folder(tmp_path, sheets))
    assert Allocation.objects.get().voided_at is not None
    assert Referral.objects.get(reference="R1").proposed_coach == Coach.objects.get(reference="C001")
    assert bring(write_folder(tmp_path, sheets)).changed_nothing


def test_what_was_handed_on_here_is_not_undone_by_an_old_file(tmp_path: Path) -> None:
    bring(write_folder(tmp_path, valid()))
    first = Allocation.objects.get()
    Allocation.objects.update(ends_on=date(2026, 4, 1), end_recorded_at=timezone.now())
    Allocation.objects.create(
        referral=first.referral, pcn=first.pcn, coach=Coach.objects.get(reference="C002"), starts_on=date(2026, 4, 2)
    )
    assert where(faults(write_folder(tmp_path, valid()))) == {("referrals", 2, "coach_ref")}


# --- The gate --------------------------------------------------------------------------------------------------------


def test_a_referral_accepted_today_passes_the_gate(tmp_path: Path) -> None:
    sheets = valid()
    sheets["referrals"][0]["accepted_on"] = DAY.isoformat()
    assert bring(write_folder(tmp_path, sheets)).counts["referrals"].new == 2


def test_an_untrained_coach_is_refused_today_and_all_with_it(tmp_path: Path) -> None:
    sheets = valid()
    sheets["referrals"][1]["accepted_on"] = DAY.isoformat()
    found = faults(write_folder(tmp_path, sheets))
    assert where(found) == {("referrals", 3, "accepted_on")}
    assert "C002" in found[0].message
    assert not Coach.objects.filter(reference="C001").exists()


def test_an_exemption_opens_the_gate(tmp_path: Path) -> None:
    sheets = valid()
    sheets["referrals"][1]["accepted_on"] = DAY.isoformat()
    exemption = sheets["exemptions"][0] | {"coach_ref": "C002", "rule": "training.before_referrals", "to": "2026-06-15"}
    sheets["exemptions"].append(exemption)
    assert bring(write_folder(tmp_path, sheets)).counts["referrals"].new == 2


def test_history_is_never_refused(tmp_path: Path) -> None:
    sheets = valid()
    sheets["referrals"][1]["accepted_on"] = (DAY - timedelta(days=1)).isoformat()
    assert bring(write_folder(tmp_path, sheets)).counts["referrals"].new == 2


def test_what_passed_the_gate_once_may_be_closed_on_the_same_day(tmp_path: Path) -> None:
    sheets = valid()
    sheets["referrals"][0]["accepted_on"] = DAY.isoformat()
    bring(write_folder(tmp_path, sheets))
    sheets["training"] = [sheets["training"][0] | {"certificate_on": "", "certificate_number": ""}]
    sheets["referrals"][0]["closed_on"] = DAY.isoformat()
    assert bring(write_folder(tmp_path, sheets)).counts["referrals"].changed == 1


# --- For whom --------------------------------------------------------------------------------------------------------


def test_the_organisation_is_the_top_one_of_the_file_or_the_one_named(tmp_path: Path) -> None:
    sheets = valid()
    sheets["organisations"].append({"code": "PROV1", "name": "Provider", "kind": "provider"})
    folder = write_folder(tmp_path, sheets)
    assert bring(folder).register.code == "HUB9"
    assert bring(folder, " u91001 ").register.code == "U91001"
    assert Coach.objects.filter(reference="C001").count() == 2


def test_without_one_at_the_top_it_is_asked_for(tmp_path: Path) -> None:
    sheets = valid()
    sheets["organisations"].append({"code": "HUB7", "name": "Second", "kind": "training_hub"})
    folder = write_folder(tmp_path, sheets)
    with pytest.raises(CommandError, match=r"HUB7, HUB9.*--for CODE"):
        command(folder)
    with pytest.raises(CommandError, match='no organisation "HUB3"'):
        command(folder, "--for", "HUB3")
    courses = write_folder(tmp_path / "courses", {"courses": sheets["courses"]})
    assert "(QZZ)" in command(courses)[0]  # the cast's
    bring(write_folder(tmp_path, valid()))
    with pytest.raises(CommandError, match=r"HUB9, QZZ.*--for CODE"):
        command(courses)


def test_in_an_empty_service_the_tree_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hwbc.compliance.importing.actions._TOPS", ())
    with pytest.raises(CommandError, match="add the sheet organisations"):
        command(write_folder(tmp_path, {"courses": valid()["courses"]}))


# --- The command -----------------------------------------------------------------------------------------------------


def test_the_command_says_what_it_did(tmp_path: Path) -> None:
    folder = write_folder(tmp_path, valid())
    out, err = command(folder, "--progress")
    assert "Workbook for Invented hub (HUB9):" in out
    assert ["coaches", "2", "0", "0"] in [line.split() for line in out.splitlines()]
    assert "supervision: 1 rows read" in err
    out, err = command(folder)
    assert "Nothing changed." in out
    assert err == ""


def test_a_dry_run_does_everything_and_keeps_nothing(tmp_path: Path) -> None:
    was = everything()
    out, _ = command(write_folder(tmp_path, valid()), "--dry-run")
    assert "This was a dry run: nothing is saved." in out
    assert ["coaches", "2", "0", "0"] in [line.split() for line in out.splitlines()]
    assert everything() == was
    assert not Run.objects.filter(kind="import").exists()
    assert not AuditEvent.objects.filter(what="workbook.import").exists()


def test_the_command_prints_a_hundred_faults_and_counts_the_others(tmp_path: Path) -> None:
    sheets = valid()
    sheets["absences"] = [sheets["absences"][0] | {"kind": "x"}] * 150
    err = StringIO()
    with pytest.raises(CommandError, match="Nothing was saved: 299 things to correct") as refused:
        call_command("import_workbook", str(write_folder(tmp_path, sheets)), stderr=err)
    assert refused.value.returncode == 1
    lines = err.getvalue().splitlines()
    assert len(lines) == 101
    assert lines[0] == 'absences, row 2, kind: "x" is not one of: annual_leave, sickness, parental, other.'
    assert lines[-1] == "… and 199 more."


def test_the_template_can_be_imported_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "empty.xlsx"
    call_command("workbook_template", str(path), stdout=StringIO())
    out, _ = command(path)
    for sheet in SHEETS:
        assert [sheet.name, "1", "0", "0"] in [line.split() for line in out.splitlines()]
    assert "Nothing changed." in command(path)[0]
    for wrong in (path, tmp_path / "empty.csv", tmp_path / "no" / "empty.xlsx"):
        with pytest.raises(CommandError, match=r"Choose another|Name the file"):
            call_command("workbook_template", str(wrong))


# --- Any workbook ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_a_random_workbook_is_the_same_from_either_kind_of_file(tmp_path: Path, seed: int) -> None:
    workbook = random_workbook(seed)
    write_xlsx(workbook, tmp_path / "book.xlsx", seed)
    write_csv_folder(workbook, tmp_path / "book", seed + 1)
    from_csv = bring(tmp_path / "book", day=today())
    assert {name: each.new for name, each in from_csv.counts.items()} == {
        sheet: len(rows) for sheet, rows in workbook.items() if rows
    }
    assert bring(tmp_path / "book.xlsx", day=today()).changed_nothing
    assert {name: sorted(map(str, rows)) for name, rows in read(tmp_path / "book").rows.items() if rows}.keys() == {
        name for name, rows in read(tmp_path / "book.xlsx").rows.items() if rows
    }


@pytest.mark.django_db(transaction=True)
def test_two_imports_at_once_make_everything_once(tmp_path: Path, transactional_db: None) -> None:
    folder = write_folder(tmp_path, valid())
    reports: list[Any] = []

    def one() -> None:
        try:
            reports.append(bring(folder))
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(report.counts["coaches"].new for report in reports) == [0, 0, 2]
    assert sum(report.changed_nothing for report in reports) == 2
    assert Coach.objects.filter(register__code="HUB9").count() == 2
