"""Lists as files, made by the worker: the same rows, with the access of the moment in which it makes them."""

from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest
from django.core.files.storage import default_storage

from hwbc.compliance.exporting import files, jobs, offers
from hwbc.compliance.jobs import work
from hwbc.kit.periods import today
from hwbc.standards.models import Job
from hwbc.workforce import actions as workforce
from hwbc.workforce import walls
from hwbc.workforce.models import Grant
from hwbc.workforce.roles import Role
from tests.cast import SETUP, Cast, Person
from tests.compliance.exporting import LISTS, File, address, events, fill, offered, opened, saved
from tests.kit.html import parse_page, text


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Every list has rows."""
    return fill(cast)


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one row is large."""
    monkeypatch.setattr(offers, "AT_ONCE", 1)


def fields(page: bytes) -> tuple[str, dict[str, str], list[str]]:
    """The form that asks the worker: where it goes, what it sends, and the formats."""
    root = parse_page(page.decode())
    [form] = [form for form in root.iter("form") if form.get("action") == "/exports"]
    hidden = {field.get("name", ""): field.get("value", "") for field in form.iter("input")}
    hidden.pop("csrfmiddlewaretoken")
    return form.get("action", ""), hidden, [button.get("value", "") for button in form.iter("button")]


def asked_for(who: Person, name: str, form: str, /, **asked: str) -> Job:
    """Ask as the page lets one ask."""
    where, hidden, formats = fields(who.client.get(f"{LISTS[name]}?{urlencode(asked)}").content)
    assert formats == ["csv", "xlsx"]
    response = who.client.post(where, {**hidden, "format": form})
    assert response.status_code == 302
    with walls.lifted("tests"):
        job = Job.objects.get(user=who.user.pk, outcome=Job.Outcome.WAITING)
    assert response.headers["Location"] == f"/jobs/{job.pk}"
    return job


def made(job: Job) -> Job:
    """The worker does it."""
    done = work.do(job.pk)
    assert done is not None
    return done


def of_job(who: Person, job: Job) -> File:
    """The file of a job, as whoever asked for it saves it from the job's page."""
    root = parse_page(who.client.get(f"/jobs/{job.pk}").content.decode())
    [link] = [link.get("href", "") for link in root.iter("a") if "Download" in text(link)]
    response = who.client.get(link)
    assert job.file_name in response.headers["Content-Disposition"]
    return opened(job.file_name, response.getvalue())


@pytest.mark.django_db
@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_a_large_file_is_made_by_the_worker_and_is_the_same(
    filled: Cast, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    asks: dict[str, dict[str, str]] = {
        "coaches": {"place": "U99991", "name": "inv"},
        "flags": {"show": "red"},
        "overview": {"as-at": (today() - timedelta(days=9)).isoformat()},
        "caseload": {"as-at": (today() - timedelta(days=6)).isoformat()},
    }
    for name in LISTS:
        who, asked = filled.asha if name == "caseload" else filled.mo, asks.get(name, {})
        direct = saved(who, name, form, **asked)
        assert len(direct.rows) > 1
        with monkeypatch.context() as patch:
            patch.setattr(offers, "AT_ONCE", 1)
            job = asked_for(who, name, form, **asked)
        assert (job.asked["list"], job.asked["format"]) == (name, form)
        day = {"as-at": today().isoformat()}  # of asking, also when it is done after midnight
        assert parse_qs(job.asked["query"]) == {key: [value] for key, value in {**day, **asked}.items()}
        before = events()
        done = made(job)
        assert (done.outcome, done.result["rows"]) == (Job.Outcome.DONE, len(direct.rows))
        assert done.result["size"] == default_storage.size(done.file)
        file = of_job(who, done)
        assert (file.name, file.rows) == (direct.name, direct.rows)
        if file.book:
            told, at_once = file.said("About this file"), direct.said("About this file")
            differ = {key for key, value in told.items() if value != at_once[key]}
            assert differ <= {"As known on", "Exported on"}  # a minute later
        [*same, event] = events()
        assert same == before
        assert (event.what, event.kind, event.facts) == (same[-1].what, same[-1].kind, same[-1].facts)
        assert event.user_id == who.user.pk
        assert f"{len(direct.rows)} rows" in who.client.get(f"/jobs/{done.pk}").content.decode()


@pytest.mark.django_db
def test_an_address_of_a_large_file_makes_nothing_and_asks_first(filled: Cast, small: None) -> None:
    for name in LISTS:
        who = filled.asha if name == "caseload" else filled.mo
        response = who.client.get(address(name, "xlsx"))
        assert response.headers["Content-Type"].startswith("text/html")
        _, hidden, formats = fields(response.content)
        assert (hidden["list"], formats) == (name, ["csv", "xlsx"])
    assert events() == []
    with walls.lifted("tests"):
        assert not Job.objects.exists()
    said, links = offered(filled.mo, "coaches")
    assert "made in the background" in said
    assert links == {}


@pytest.mark.django_db
def test_the_worker_makes_what_the_person_may_see_by_then(filled: Cast, small: None) -> None:
    filled.mo.given(Role.PCN_MANAGER, filled.hilltop)
    job = asked_for(filled.mo, "coaches", "csv")
    ends = Grant.objects.filter(user=filled.mo.user.pk, organisation=filled.hilltop)
    with walls.lifted("tests"):
        workforce.end_grant(SETUP, grant=ends.get())
    file = of_job(filled.mo, made(job))
    assert {row["PCN"] for row in file.rows} == {"Riverside PCN"}
    [event] = events()
    assert event.facts["rows"] == len(file.rows)


@pytest.mark.django_db
@pytest.mark.parametrize("left", [None, Role.LINE_SUPERVISOR], ids=["no role", "a role without this list"])
def test_who_lost_access_meanwhile_gets_no_file(filled: Cast, small: None, left: Role | None) -> None:
    job = asked_for(filled.mo, "overview", "xlsx")
    if left:
        filled.mo.holds(left, filled.riverside, filled.coach_bo)
    with walls.lifted("tests"):
        for grant in Grant.objects.filter(user=filled.mo.user.pk, role=Role.PCN_MANAGER):
            workforce.end_grant(SETUP, grant=grant)
    done = made(job)
    assert done.outcome in (Job.Outcome.REFUSED, Job.Outcome.FAILED)
    assert (done.file, done.result["why"]) == ("", "no_access")
    assert events() == []
    page = filled.mo.client.get(f"/jobs/{done.pk}")
    assert page.status_code == 200
    assert "Download" not in page.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize("then", [None, Role.AUDITOR, Role.PCN_MANAGER], ids=["nothing", "fewer reasons", "the same"])
def test_a_file_is_not_given_out_to_who_may_see_less_by_then(filled: Cast, small: None, then: Role | None) -> None:
    done = made(asked_for(filled.mo, "overrides", "csv"))
    assert "Invented reason" in str(of_job(filled.mo, done).rows)
    with walls.lifted("tests"):
        workforce.end_grant(SETUP, grant=Grant.objects.get(user=filled.mo.user.pk, role=Role.PCN_MANAGER))
    if then:
        filled.mo.given(then, filled.northfield if then == Role.AUDITOR else filled.riverside)
    response = filled.mo.client.get(f"/jobs/{done.pk}/file", follow=then != Role.PCN_MANAGER)
    assert ("Invented reason" in response.getvalue().decode()) == (then == Role.PCN_MANAGER)
    if then != Role.PCN_MANAGER:
        assert response.redirect_chain == [(f"/jobs/{done.pk}", 302)]
        assert "You may see less now" in response.content.decode()


@pytest.mark.django_db
def test_nobody_else_has_the_job_or_its_file(filled: Cast, small: None) -> None:
    done = made(asked_for(filled.mo, "coaches", "csv"))
    for who in (filled.lee, filled.zed, filled.asha):
        assert who.client.get(f"/jobs/{done.pk}").status_code == 404
        assert who.client.get(f"/jobs/{done.pk}/file").status_code == 404


@pytest.mark.django_db
def test_what_breaks_off_leaves_no_file_and_no_line_and_can_be_asked_for_again(
    filled: Cast, small: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    job = asked_for(filled.mo, "coaches", "csv", name="a")

    def breaks(*args: Any, **kwargs: Any) -> None:
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(files, "write", breaks)
        done = made(job)
    assert done.outcome == Job.Outcome.FAILED
    assert events() == []
    assert list(tmp_path.iterdir()) == []
    where, hidden, _ = fields(filled.mo.client.get(f"/jobs/{done.pk}").content)
    assert filled.mo.client.post(where, hidden).status_code == 302
    with walls.lifted("tests"):
        again = Job.objects.get(outcome=Job.Outcome.WAITING)
    assert again.asked == job.asked
    assert made(again).outcome == Job.Outcome.DONE
    assert list(tmp_path.iterdir()) == []


@pytest.mark.django_db
def test_more_rows_than_a_spreadsheet_holds_are_refused_and_csv_is_not(
    filled: Cast, small: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "MOST_ROWS", 3)
    done = made(asked_for(filled.mo, "coaches", "xlsx"))
    assert (done.outcome, done.file) == (Job.Outcome.REFUSED, "")
    assert "a spreadsheet holds 3 rows" in filled.mo.client.get(f"/jobs/{done.pk}").content.decode()
    assert events() == []
    assert made(asked_for(filled.mo, "coaches", "csv")).outcome == Job.Outcome.DONE


@pytest.mark.django_db
def test_a_fourth_at_once_is_refused_in_words(filled: Cast, small: None) -> None:
    asked = {"list": "coaches", "query": "name=a", "format": "csv"}
    for _ in range(3):
        assert filled.mo.client.post("/exports", asked).headers["Location"].startswith("/jobs/")
    response = filled.mo.client.post("/exports", asked, follow=True)
    assert response.redirect_chain[0][0] == f"/coaches?name=a&as-at={today().isoformat()}"
    assert "not finished yet" in response.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "asked",
    [
        {}, {"list": "coaches"}, {"format": "csv"}, {"list": "coaches", "format": "pdf"},
        {"list": "users", "format": "csv"},
    ],
    ids=str,
)  # fmt: skip
def test_what_there_is_not_cannot_be_asked_for(cast: Cast, asked: dict[str, str]) -> None:
    assert cast.mo.client.post("/exports", asked).status_code == 404
    with walls.lifted("tests"):
        assert not Job.objects.exists()


@pytest.mark.django_db
def test_who_may_not_open_a_list_cannot_ask_for_its_file(cast: Cast) -> None:
    asked = {"query": "", "format": "csv"}
    for who, name in ((cast.sam, "overview"), (cast.sam, "referrals"), (cast.mo, "caseload"), (cast.rae, "coaches")):
        assert who.client.post("/exports", {"list": name, **asked}).status_code == 403
    with walls.lifted("tests"):
        assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_job_keeps_of_the_address_only_what_its_list_knows(cast: Cast) -> None:
    query = urlencode({"rule": "supervision.line", "sort": "-name", "page": "9", "x": "y" * 900, "as-at": "2026-03-31"})
    cast.mo.client.post("/exports", {"list": "coaches", "format": "csv", "query": query})
    with walls.lifted("tests"):
        job = Job.objects.get()
    assert job.asked == {"list": "coaches", "format": "csv", "query": "rule=supervision.line&as-at=2026-03-31"}
    assert job.file_name == "coaches-2026-03-31.csv"  # until it is made
