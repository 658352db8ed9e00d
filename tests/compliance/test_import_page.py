"""Bringing in a workbook on the page: what it says before, what it does, and that it is what the command does."""

import csv
import re
from copy import deepcopy
from datetime import timedelta
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from django.conf import settings as configured
from django.core.files.base import ContentFile
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape
from openpyxl import Workbook, load_workbook

from hwbc.compliance.importing import files, jobs
from hwbc.compliance.importing.cells import in_words
from hwbc.compliance.importing.sheets import SHEETS
from hwbc.compliance.jobs.actions import ask
from hwbc.kit.periods import today
from hwbc.standards.models import Job, Run
from hwbc.standards.queries import due_on
from hwbc.workforce import walls
from hwbc.workforce.models import Absence, AuditEvent, Coach, Demo, Organisation, Post
from hwbc.workforce.roles import Role
from tests import facts, markup
from tests.cast import Cast, Person, person
from tests.compliance.bringing import HUB, Sheets, asked, checked, confirmed, counts, done, faults, imported, packed
from tests.compliance.test_faults import child_of, flush_broker, workers
from tests.compliance.test_import import command, everything
from tests.compliance.test_jobs import now
from tests.conftest import wait_for
from tests.workbooks import random_workbook, write_csv_folder, write_xlsx

pytestmark = pytest.mark.django_db

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


def a_coach(ref: str = "NEW", **values: str) -> dict[str, Any]:
    """A coach who is new at Riverside."""
    return {"coach_ref": ref, "name": "Nia Invented", "email": f"{ref.lower()}@example.org", "pcn_code": "U99991",
            "started_on": facts.ago(300), "hours_per_week": "30", "funding": "arrs", **values}  # fmt: skip


ASHA = {"coach_ref": "ASHA", "name": "Asha Rahman", "email": "asha.rahman@example.org", "pcn_code": "U99991",
        "started_on": "2026-01-05", "hours_per_week": "30", "funding": "arrs"}  # fmt: skip


def sent(who: Person, content: bytes, name: str = "coaches.xlsx", **values: str) -> Any:
    """The form with a file, as a browser sends it."""
    return who.client.post(reverse("import_new"), {"file": SimpleUploadedFile(name, content, XLSX), **values})


def page(who: Person, job: Job) -> str:
    """The page of a job."""
    html = who.client.get(reverse("job", kwargs={"uuid": job.pk})).content.decode()
    assert markup.faults(html) == []
    return html


def words(html: str) -> str:
    """What is read on a page."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def all_jobs() -> list[Job]:
    with walls.lifted("tests"):
        return list(Job.objects.order_by("asked_at"))


# --- The form --------------------------------------------------------------------------------------------------------


def test_the_page_says_what_will_happen_and_gives_an_empty_workbook(cast: Cast, tmp_path: Path) -> None:
    html = words(cast.mo.client.get(reverse("import_new")).content.decode())
    assert "Nothing is saved yet" in html
    for sheet in SHEETS:
        assert sheet.name in html
    response = cast.mo.client.get(reverse("import_template"))
    assert response.headers["Content-Disposition"] == 'attachment; filename="workbook.xlsx"'
    (tmp_path / "empty.xlsx").write_bytes(response.getvalue())
    book = load_workbook(tmp_path / "empty.xlsx")
    assert book.sheetnames[1:] == [sheet.name for sheet in SHEETS]
    assert "coaches" in command(tmp_path / "empty.xlsx", "--dry-run", code=HUB)[0]


def test_whose_references_they_are_is_asked_where_there_is_a_choice(cast: Cast) -> None:
    html = cast.mo.client.get(reverse("import_new")).content.decode()
    choices = re.findall(r'<option value="(\w+)"[^>]*>\s*([^<]+?)\s*<', html)
    assert choices == [
        ("HUB1", "Northfield hub: 2 of your coaches"),
        ("U99991", "Riverside PCN: none of your coaches"),
    ]
    alone = person("Una Alone")
    with walls.lifted("tests"):
        pcn = Organisation.objects.create(code="U1", name="New PCN", kind="pcn")
    alone.given(Role.PCN_MANAGER, pcn)
    assert "<select" not in alone.client.get(reverse("import_new")).content.decode()
    assert sent(alone, packed({"coaches": [a_coach(pcn_code="U1")]})).status_code == 302
    assert all_jobs()[-1].asked == {"service": "U1"}


def test_what_is_sent_is_kept_with_its_job(cast: Cast) -> None:
    content = packed({"coaches": [a_coach()]})
    response = sent(cast.mo, content, "our <b>coaches.xlsx", service="HUB1")
    [job] = all_jobs()
    assert response.headers["Location"] == reverse("job", kwargs={"uuid": job.pk})
    assert (job.kind, job.outcome, job.asked, job.file_name) == (
        "check_workbook", "waiting", {"service": "HUB1"}, "our <b>coaches.xlsx",
    )  # fmt: skip
    assert (configured.MEDIA_ROOT / job.file).read_bytes() == content
    assert escape("our <b>coaches.xlsx") in page(cast.mo, job)


def test_a_service_that_is_not_offered_is_refused(cast: Cast) -> None:
    response = sent(cast.mo, packed({"coaches": [a_coach()]}), service="HUB2")
    assert response.status_code == 200
    assert "Select a valid choice" in response.content.decode()
    assert all_jobs() == []


def a_bomb() -> bytes:
    """A workbook that would unpack to far more than it says it is."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_DEFLATED) as bomb:
        bomb.writestr("xl/workbook.xml", b"<x/>")
        bomb.writestr("xl/worksheets/sheet1.xml", b" " * 30_000_000)
    return file.getvalue()


@pytest.mark.parametrize(
    ("content", "name", "says"),
    [
        (None, "", "Choose the workbook that you want to bring in"),
        (b"", "coaches.xlsx", "The file is empty. Choose the workbook again"),
        (b"coach_ref,name\nC1,X", "coaches.csv", "is not an XLSX file. Save it as “Excel Workbook (.xlsx)”."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "coaches.xls", "is not an XLSX file"),
        (
            b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + "EncryptedPackage".encode("utf-16-le"),
            "secret.xlsx",
            "is protected with a password. Save it without one.",
        ),
        (b"%PDF-1.4", "coaches.xlsx", "is not an XLSX file"),
        (b"PK\x03\x04 and nothing more", "coaches.xlsx", "is damaged. Save it anew as XLSX."),
        (a_bomb(), "bomb.xlsx", "is packed as no workbook is"),
    ],
    ids=["none", "empty", "csv", "xls", "password", "pdf", "damaged", "bomb"],
)
def test_what_is_no_workbook_is_refused_at_once(cast: Cast, content: bytes | None, name: str, says: str) -> None:
    if content is None:
        response = cast.mo.client.post(reverse("import_new"), {"service": "HUB1"})
    else:
        response = sent(cast.mo, content, name, service="HUB1")
    html = response.content.decode()
    assert response.status_code == 200
    assert escape(says) in html
    assert "<title>Error: " in html
    assert markup.faults(html) == []
    assert all_jobs() == []


def test_a_file_that_is_too_large_is_thrown_away_as_it_comes(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.LARGEST == configured.LARGEST_UPLOAD
    monkeypatch.setattr(configured, "LARGEST_UPLOAD", 3_000_000)
    monkeypatch.setattr(files, "LARGEST", 3_000_000)
    right = packed({"coaches": [a_coach()]})
    response = sent(cast.mo, right + b"\0" * 4_000_000, "large.xlsx", service="HUB1")
    assert escape('"large.xlsx" has 4 MB; at most 3 MB can be imported. Split it') in response.content.decode()
    assert sent(cast.mo, right, service="HUB1").status_code == 302
    assert len(all_jobs()) == 1


def test_a_fourth_one_at_once_is_refused(cast: Cast) -> None:
    for _ in range(3):
        asked(cast.mo, {"coaches": [a_coach()]})
    response = sent(cast.mo, packed({"coaches": [a_coach()]}), service="HUB1")
    assert "3 jobs of yours are not finished yet" in response.content.decode()
    assert len(all_jobs()) == 3


# --- The check -------------------------------------------------------------------------------------------------------


def test_a_check_says_what_would_change_and_keeps_nothing(cast: Cast) -> None:
    with walls.lifted("tests"):
        was = everything()
    job = checked(cast.mo, {"coaches": [a_coach(), {**ASHA, "hours_per_week": "25", "left_on": "2026-12-31"}]})
    assert counts(job) == {"coaches": (1, 1, 0)}
    with walls.lifted("tests"):
        assert everything() == was
        assert not Run.objects.filter(kind="import").exists()
    html = words(page(cast.mo, job))
    assert "Your workbook can be imported" in html
    assert "Nothing is saved yet." in html
    assert f"row 2: NEW, U99991, {in_words(today() - timedelta(days=300))}, Nia Invented" in html
    assert "hours_per_week coaches!H3 Here now 30 In file 25" in html
    assert "left_on coaches!G3 Here now Blank In file 31 December 2026" in html
    assert "Import these 2 rows" in html


def test_nothing_to_change_is_said(cast: Cast) -> None:
    html = words(page(cast.mo, checked(cast.mo, {"coaches": [ASHA]})))
    assert "Nothing would change" in html
    assert "There is nothing to import." in html
    assert "<form" not in page(cast.mo, checked(cast.mo, {"coaches": [ASHA]})).partition("<main")[2]


def test_what_is_to_be_corrected_is_named_by_its_cell(cast: Cast) -> None:
    """In the order of the columns that the file has, with what stands beside them."""
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Absences"
    sheet.append(["from", None, "Coach_Ref", "kind", "to"])
    sheet.append(["tomorrow", None, "ASHA", "sickness", None])
    sheet.append(["2026-01-05", "who wrote this", "ASHA", "ill", "2026-01-04"])
    file = BytesIO()
    book.save(file)
    actor = cast.mo.actor
    with walls.within(actor.scope):
        asked_for = {"service": HUB}
        job = ask(
            actor, kind=Job.Kind.CHECK_WORKBOOK, asked=asked_for, file=ContentFile(file.getvalue()), file_name="x"
        )
    job = done(job)
    assert [(row, column, cell) for _, row, column, cell, _ in job.result["faults"]] == [
        (2, "from", "absences!A2"),
        (3, "kind", "absences!D3"),
        (3, "column 2", "absences!B3"),
        (3, "to", "absences!E3"),
    ]
    html = words(page(cast.mo, job))
    assert "4 things to correct in your workbook" in html
    assert "absences: 4 to correct" in html
    assert "absences!A2" in html
    assert "“tomorrow”" in html or "&quot;tomorrow&quot; is not a date. Write it as 15/03/2026 or 2026-03-15." in html


def test_the_first_faults_are_shown_and_all_are_counted(cast: Cast) -> None:
    rows = [{"coach_ref": "ASHA", "kind": "=1+1", "from": facts.ago(n)} for n in range(1_500)]
    job = checked(cast.mo, {"absences": rows, "supervision": [facts.meeting("ASHA", "line", 1, minutes=0)]})
    assert (job.result["count"], len(job.result["faults"])) == (1_502, jobs.KEPT)
    assert dict(job.result["by_sheet"]) == {"absences": 1_500, "supervision": 2}
    html = words(page(cast.mo, job))
    assert "1,502 things to correct" in html
    assert "The first 200 of 1,502 are shown here." in html
    assert f'href="{reverse("import_new")}?service=HUB1"' in page(cast.mo, job)
    assert "absences: 1,500 to correct, 200 shown" in html
    assert "supervision: 2 to correct" in html
    response: Any = cast.mo.client.get(reverse("import_faults", kwargs={"uuid": job.pk}))
    assert response.headers["Content-Disposition"] == 'attachment; filename="what-to-correct.csv"'
    lines = list(csv.reader(StringIO(b"".join(response.streaming_content).decode("utf-8-sig"))))
    assert len(lines) == 1 + jobs.KEPT
    assert lines[0] == ["Sheet", "Row", "Column", "Cell", "What is wrong, and what to do"]
    assert lines[1][:4] == ["absences", "2", "kind", "absences!B2"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line)


def test_people_who_would_be_there_twice_are_pointed_out(cast: Cast) -> None:
    """For another service than the one that knows them."""
    job = checked(cast.mo, {"coaches": [{**ASHA, "coach_ref": "C1"}]}, service="U99991")
    assert counts(job) == {"coaches": (1, 0, 0)}
    html = words(page(cast.mo, job))
    assert "Are these the same people?" in html
    assert "here as ASHA of Northfield hub" in html
    # Somebody whom only others reach is not named.
    known = {**ASHA, "coach_ref": "C1", "name": "Dot Ferreira", "email": cast.coach_dot.email}
    assert "Are these the same people?" not in page(cast.mo, checked(cast.mo, {"coaches": [known]}, service="U99991"))


def test_a_demo_takes_no_other_workbook(cast: Cast) -> None:
    with walls.lifted("tests"):
        Demo.objects.create(made_on=today())
    job = checked(cast.mo, {"coaches": [a_coach()]})
    assert job.outcome == "refused"
    assert "never bring in real people" in words(page(cast.mo, job))


# --- Other headings --------------------------------------------------------------------------------------------------


def renamed(book: Sheets, **titles: str) -> Sheets:
    """The same rows under other headings."""
    return {name: [{titles.get(key, key): value for key, value in row.items()} for row in rows]
            for name, rows in book.items()}  # fmt: skip


def answered(who: Person, job: Job, *answers: str) -> Job:
    """The form about unknown headings of the coaches, sent; the check that follows, done."""
    values = {f"coaches-{number}": answer for number, answer in enumerate(answers)}
    response = who.client.post(reverse("import_columns", kwargs={"uuid": job.pk}), values)
    with walls.lifted("tests"):
        following = Job.objects.get(follows=job)
    assert response.headers["Location"] == reverse("job", kwargs={"uuid": following.pk})
    return done(following) if following.ended_at is None else following


def test_a_workbook_with_headings_of_its_own_is_read_as_it_is(cast: Cast) -> None:
    row = {**a_coach(), "Shoe size": "42"}
    book = renamed({"coaches": [row]}, coach_ref="Coach Ref.", started_on="Since when")
    job = checked(cast.mo, book)
    assert job.result["unknown"] == {"coaches": ["coach ref.", "since when", "shoe size"]}
    html = page(cast.mo, job)
    chosen = re.findall(r'<option value="(\w*)" selected', html)
    assert chosen[0] == "coach_ref"  # what is nearest is proposed
    again = answered(cast.mo, job, "coach_ref", "started_on", "")
    assert counts(again) == {"coaches": (1, 0, 0)}
    assert answered(cast.mo, job, "coach_ref", "started_on", "") == again  # twice is once
    assert "“coach ref.” on the sheet coaches is coach_ref" in words(page(cast.mo, again))
    assert "“shoe size” on the sheet coaches is left out" in words(page(cast.mo, again))
    assert counts(done(confirmed(cast.mo, again))) == {"coaches": (1, 0, 0)}
    with walls.lifted("tests"):
        assert Coach.objects.filter(reference="NEW").exists()


def test_a_column_that_is_chosen_wrongly_is_a_fault_with_its_cell(cast: Cast) -> None:
    book = renamed({"coaches": [a_coach()]}, coach_ref="number", started_on="begins", funding="paid")
    job = checked(cast.mo, book)
    again = answered(cast.mo, job, "coach_ref", "coach_ref", "funding")
    assert again.outcome == "refused"
    said = [message for *_, message in again.result["faults"]]
    assert said == [
        "There are two columns of this name. Take one out.",
        "This column is missing. Add it; every row needs it.",
    ]
    job = checked(cast.mo, renamed({"coaches": [a_coach()]}, hours_per_week="paid", funding="hours"))
    again = answered(cast.mo, job, "funding", "hours_per_week")
    assert [(column, cell) for _, _, column, cell, _ in again.result["faults"]] == [
        ("hours_per_week", "coaches!G2"),
        ("funding", "coaches!F2"),
    ]


def test_what_is_not_asked_about_columns_is_not_answered(cast: Cast) -> None:
    job = checked(cast.mo, renamed({"coaches": [a_coach()]}, coach_ref="number"))
    address = reverse("import_columns", kwargs={"uuid": job.pk})
    assert cast.mo.client.post(address, {"coaches-0": "made_up"}).status_code == 404
    assert cast.zed.client.post(address, {"coaches-0": "coach_ref"}).status_code == 404
    fine = checked(cast.mo, {"coaches": [a_coach()]})
    assert cast.mo.client.post(reverse("import_columns", kwargs={"uuid": fine.pk})).status_code == 404


def test_of_hundreds_of_headings_some_are_asked_about(cast: Cast) -> None:
    job = checked(cast.mo, {"coaches": [{**a_coach(), **{f"heading {n}": "" for n in range(300)}, "x" * 70: ""}]})
    assert len(job.result["unknown"]["coaches"]) == jobs.MOST_TITLES
    assert markup.faults(page(cast.mo, job)) == []


# --- The import ------------------------------------------------------------------------------------------------------


def test_what_was_checked_is_imported_when_it_is_confirmed(cast: Cast) -> None:
    check = checked(cast.mo, {"coaches": [a_coach(), {**ASHA, "hours_per_week": "25"}]})
    confirm = reverse("import_confirm", kwargs={"uuid": check.pk})
    assert cast.mo.client.get(confirm).status_code == 405
    first, second = cast.mo.client.post(confirm), cast.mo.client.post(confirm)
    [_, job] = all_jobs()
    assert {first.headers["Location"], second.headers["Location"]} == {reverse("job", kwargs={"uuid": job.pk})}
    assert (job.kind, job.follows_id, job.file_name) == ("import_workbook", check.pk, "workbook.xlsx")
    job = done(job)
    assert counts(job) == counts(check)
    with walls.lifted("tests"):
        assert Coach.objects.get(reference="NEW").register == cast.northfield
        void, live = Post.objects.filter(coach=cast.coach_asha).order_by("pk")
        assert (void.voided_by, float(live.hours_per_week)) == (cast.mo.user, 25)
        run = Run.objects.get(kind="import")
        line = AuditEvent.objects.get(what="workbook.import")
    assert (run.user, run.organisation, run.counts) == (cast.mo.user, cast.northfield, {"coaches": [1, 1, 0]})
    assert (line.user, line.by, line.record, line.organisation) == (
        cast.mo.user, "pcn_manager", str(run.uuid), cast.northfield,
    )  # fmt: skip
    html = words(page(cast.mo, job))
    assert "Your workbook is imported" in html
    assert "2 rows were saved for Northfield hub" in html
    assert "other than the check said" not in html
    assert "You went on to import this workbook" in words(page(cast.mo, check))
    assert "Import these" not in page(cast.mo, check)
    assert "Nia Invented" in cast.mo.client.get(reverse("coaches")).content.decode()
    history = words(cast.mo.client.get(reverse("import_new")).content.decode())
    assert "Northfield hub New 1 Changed 1 Unchanged 0" in history
    assert "Northfield hub New 1" not in words(cast.lee.client.get(reverse("import_new")).content.decode())


def test_the_checks_look_at_what_was_imported(cast: Cast) -> None:
    from hwbc.compliance.checks import catch_up

    now = timezone.now()
    catch_up(now)
    assert due_on(now) is None
    imported(cast.mo, {"coaches": [a_coach()]})
    assert due_on(now) == today()


@pytest.mark.parametrize("book", [{"absences": [{"coach_ref": "ASHA", "kind": "ill", "from": "x"}]}, None])
def test_only_what_can_be_imported_is_confirmed(cast: Cast, book: Sheets | None) -> None:
    job = checked(cast.mo, book) if book else asked(cast.mo, {"coaches": [a_coach()]})
    assert cast.mo.client.post(reverse("import_confirm", kwargs={"uuid": job.pk})).status_code == 404
    assert len(all_jobs()) == 1


def test_another_import_in_between_is_said_and_everything_is_checked_again(cast: Cast) -> None:
    book = {"coaches": [a_coach()], "absences": [{"coach_ref": "NEW", "kind": "other", "from": facts.ago(9)}]}
    check = checked(cast.mo, book)
    assert "was imported since this one was checked" not in words(page(cast.mo, check))
    imported(cast.lee, {"coaches": [a_coach()]})
    assert "Another workbook for Northfield hub was imported since this one was checked" in words(page(cast.mo, check))
    job = done(confirmed(cast.mo, check))
    assert counts(job) == {"coaches": (0, 0, 1), "absences": (1, 0, 0)}
    assert "other than the check said" in words(page(cast.mo, job))


def test_what_has_come_in_between_can_stand_in_the_way(cast: Cast) -> None:
    absence = {"coach_ref": "ASHA", "kind": "other", "from": facts.ago(9), "to": facts.ago(5)}
    check = checked(cast.mo, {"absences": [absence]})
    with walls.lifted("tests"):
        start = today() - timedelta(days=7)
        Absence.objects.create(coach=cast.coach_asha, kind="sickness", starts_on=start)
    job = done(confirmed(cast.mo, check))
    assert (job.outcome, faults(job)) == ("refused", [("absences", 2, "from")])
    html = words(page(cast.mo, job))
    assert "Something was changed here since" in html
    assert "overlaps another one, recorded already, from" in html


def test_access_counts_as_it_is_when_it_is_imported(cast: Cast) -> None:
    """Not as it was when it was checked."""
    cast.mo.given(Role.PCN_MANAGER, cast.hilltop)
    row = {"coach_ref": "CAI", "kind": "other", "from": facts.ago(9), "to": facts.ago(5)}
    check = checked(cast.mo, {"absences": [row]})
    assert counts(check) == {"absences": (1, 0, 0)}
    with walls.lifted("tests"):
        cast.mo.user.grants.filter(organisation=cast.hilltop).update(revoked_at=timezone.now())
    job = done(confirmed(cast.mo, check))
    assert (job.outcome, faults(job)) == ("refused", [("absences", 2, "coach_ref")])
    with walls.lifted("tests"):
        assert not Absence.objects.filter(coach=cast.coach_cai).exists()


def test_a_file_that_is_gone_is_asked_for_again(cast: Cast) -> None:
    check = checked(cast.mo, {"coaches": [a_coach()]})
    (configured.MEDIA_ROOT / check.file).unlink()
    job = done(confirmed(cast.mo, check))
    assert job.outcome == "refused"
    assert "The file is not here any more. Choose it again." in words(page(cast.mo, job))


def test_what_the_database_says_of_others_is_not_shown(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """Something written at the same time stands in the way: that is said, and not what it was."""
    check = checked(cast.mo, {"absences": [{"coach_ref": "ASHA", "kind": "other", "from": facts.ago(9)}]})
    with walls.lifted("tests"):
        Absence.objects.create(coach=cast.coach_asha, kind="sickness", starts_on=today() - timedelta(days=7))
    monkeypatch.setattr("hwbc.compliance.importing.actions.check", lambda *_: None)  # as if written a moment later
    job = done(confirmed(cast.mo, check))
    assert job.result == {
        "why": "Something else was changed here at the same time, and nothing was saved. Run it again."
    }


# --- As the command --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(3))
def test_any_workbook_is_checked_and_imported_as_the_command_does_it(cast: Cast, tmp_path: Path, seed: int) -> None:
    book = random_workbook(seed)
    write_csv_folder({"organisations": book["organisations"]}, tmp_path / "places", seed)
    with walls.lifted("tests"):
        call_command("import_workbook", str(tmp_path / "places"), code="QZ1", stdout=StringIO())
        places = {place.code: place for place in Organisation.objects.all()}
    everywhere = person("Eve Everywhere")
    everywhere.given(Role.HUB_ADMIN, places["QZ1"])
    for row in book["organisations"]:
        if row["kind"] == "pcn":
            everywhere.given(Role.PCN_MANAGER, places[row["code"]])
    path = tmp_path / "book.xlsx"
    write_xlsx(book, path, seed)
    actor = everywhere.actor
    with walls.within(actor.scope):
        file = ContentFile(path.read_bytes())
        job = ask(actor, kind=Job.Kind.CHECK_WORKBOOK, asked={"service": "QZ1"}, file=file, file_name="book.xlsx")
    check = done(job)
    assert check.outcome == "done", check.result
    assert printed(path) == counts(check)
    assert {sheet: new for sheet, (new, _, _) in counts(check).items() if sheet != "organisations"} == {
        sheet: len(rows) for sheet, rows in book.items() if rows and sheet != "organisations"
    }
    assert counts(done(confirmed(everywhere, check))) == counts(check)
    assert {numbers[:2] for numbers in printed(path).values()} == {(0, 0)}  # nothing is left for the command to do


def printed(path: Path) -> dict[str, tuple[int, ...]]:
    """The numbers that the command prints for a file, without keeping anything."""
    with walls.lifted("tests"):
        out, _ = command(path, "--dry-run", code="QZ1")
    lines = [line.split() for line in out.splitlines()]
    names = {sheet.name for sheet in SHEETS}
    return {line[0]: tuple(int(number.replace(",", "")) for number in line[1:]) for line in lines if line[0] in names}


@pytest.mark.parametrize("seed", range(2))
def test_the_faults_are_those_of_the_command(cast: Cast, tmp_path: Path, seed: int) -> None:
    rows = [a_coach(), a_coach("BO2", pcn_code="U99991", hours_per_week="99"), {**ASHA, "left_on": "2020-01-01"}]
    book = {"coaches": rows, "absences": [{"coach_ref": "NOBODY", "kind": "ill", "from": "31/02/2026"}]}
    path = tmp_path / "book.xlsx"
    path.write_bytes(packed(deepcopy(book)))
    job = checked(cast.lee, book)
    err = StringIO()
    with walls.lifted("tests"), pytest.raises(Exception, match=f"{job.result['count']} things to correct"):
        call_command("import_workbook", str(path), code=HUB, stdout=StringIO(), stderr=err)
    said = [f"{sheet}, row {row}, {column}: {message}" for sheet, row, column, _, message in job.result["faults"]]
    assert err.getvalue().splitlines() == said


# --- Large -----------------------------------------------------------------------------------------------------------


def large() -> bytes:
    """A workbook of 200 coaches and 20,000 meetings, as Excel writes one."""
    book = Workbook()
    del book["Sheet"]
    coaches = [a_coach(f"C{n}") for n in range(200)]
    meetings = [facts.meeting(f"C{n % 200}", "line", n // 200 + 1) for n in range(20_000)]
    for name, rows in (("coaches", coaches), ("supervision", meetings)):
        sheet = book.create_sheet(name)
        sheet.append(list(rows[0]))
        for row in rows:
            sheet.append(list(row.values()))
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def test_a_large_workbook_is_told_of_as_it_is_read(cast: Cast) -> None:
    facts.bring_in(cast, facts.supervisors())
    told: list[tuple[Any, ...]] = []
    actor = cast.mo.actor
    with walls.within(actor.scope):
        file = ContentFile(large())
        job = ask(actor, kind=Job.Kind.CHECK_WORKBOOK, asked={"service": HUB}, file=file, file_name="large.xlsx")
        answer = jobs.check_workbook(actor, job, lambda *what: told.append(what))  # type: ignore[arg-type]
    assert [sheet["new"] for sheet in answer.result["sheets"]] == [200, 20_000]
    assert len(str(answer.result)) < 10_000
    assert told[:6] == [
        ("reading coaches", 200, 200),
        ("reading supervision", 5_000, 20_000),
        ("reading supervision", 10_000, 20_000),
        ("reading supervision", 15_000, 20_000),
        ("reading supervision", 20_000, 20_000),
        ("reading supervision", 20_000, 20_000),
    ]
    assert [what for what, *_ in told[6:]] == ["checking", "writing coaches", "writing supervision"]


@pytest.mark.django_db(transaction=True)
def test_a_large_workbook_does_not_fill_the_workers_memory(live_cast: Cast, child_env: dict[str, str]) -> None:
    """Its rows are in memory once; what they took is used again for the next one."""
    facts.bring_in(live_cast, facts.supervisors())
    actor, content = live_cast.mo.actor, large()

    def check(file: bytes) -> int:
        with walls.within(actor.scope):
            said: dict[str, Any] = {"asked": {"service": HUB}, "file": ContentFile(file), "file_name": "large.xlsx"}
            job = ask(actor, kind=Job.Kind.CHECK_WORKBOOK, **said)
        wait_for(lambda: now(job).ended_at, seconds=120, what="the worker")
        assert now(job).outcome == "done"
        status = Path(f"/proc/{child_of(process)}/status").read_text()
        return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) // 1024  # type: ignore[index]

    flush_broker()
    with workers(child_env, "one") as [process]:
        small = check(packed({"coaches": [a_coach()]}))
        first, second, third = check(content), check(content), check(content)
    print(f"The worker takes {small} MB at the most; {first}, {second} and {third} MB for 20,000 rows")
    assert first - small < 30
    assert third - first < 10
