"""The demo: every state of every rule on whatever day, its refusals, and its door."""

import io
import re
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest
import time_machine
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from coaching.rules import holds_nhs_number
from hwbc.compliance.demo import queries
from hwbc.compliance.demo.cast import CAST, Member
from hwbc.compliance.demo.workbook import tell, workbook
from hwbc.compliance.importing.actions import import_rows
from hwbc.compliance.importing.faults import NotImportable
from hwbc.compliance.importing.reading import DEMO_MARK, read
from hwbc.compliance.importing.sheets import README
from hwbc.compliance.queries import is_bank_holiday, standings
from hwbc.kit.months import add_months
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, FlagEvent, MonthlyShare, Notification, Run
from hwbc.workforce import walls
from hwbc.workforce.access import actor_of
from hwbc.workforce.actions import invite
from hwbc.workforce.models import AuditEvent, Coach, Demo, Grant, Organisation, User
from hwbc.workforce.roles import Role
from supervision.rules import last_working_days
from tests import markup
from tests.cast import SETUP, Cast
from tests.compliance.importing import bring, done, valid, write_folder

# Every state that each rule can have (rules, section 4).
PAIRS = {
    ("supervision.line", "met"), ("supervision.line", "due_soon"), ("supervision.line", "overdue"),
    ("supervision.line", "paused"), ("supervision.line", "not_applicable"),
    ("supervision.clinical", "met"), ("supervision.clinical", "due_soon"), ("supervision.clinical", "overdue"),
    ("supervision.clinical", "paused"), ("supervision.clinical", "not_applicable"),
    ("supervision.health_coaching", "met"), ("supervision.health_coaching", "due_soon"),
    ("supervision.health_coaching", "overdue"), ("supervision.health_coaching", "paused"),
    ("supervision.health_coaching", "not_applicable"),
    ("supervision.appraisal", "met"), ("supervision.appraisal", "due_soon"), ("supervision.appraisal", "overdue"),
    ("supervision.appraisal", "paused"), ("supervision.appraisal", "not_applicable"),
    ("supervision.named.line", "met"), ("supervision.named.line", "not_met"),
    ("supervision.named.line", "not_applicable"),
    ("supervision.named.clinical", "met"), ("supervision.named.clinical", "not_met"),
    ("supervision.named.clinical", "not_applicable"),
    ("supervision.named.health_coaching", "met"), ("supervision.named.health_coaching", "not_met"),
    ("supervision.named.health_coaching", "not_applicable"),
    ("supervision.supervisor_eligible", "met"), ("supervision.supervisor_eligible", "not_met"),
    ("supervision.supervisor_eligible", "not_applicable"),
    ("training.referral_ready", "met"), ("training.referral_ready", "not_met"),
    ("training.referral_ready", "not_applicable"),
    ("training.before_referrals", "met"), ("training.before_referrals", "not_met"),
    ("training.before_referrals", "not_applicable"),
    ("training.arrs_eligible", "met"), ("training.arrs_eligible", "not_met"),
    ("training.arrs_eligible", "not_applicable"),
    ("training.required", "met"), ("training.required", "due_soon"), ("training.required", "overdue"),
    ("training.required", "not_met"), ("training.required", "not_applicable"),
}  # fmt: skip
# In the calendar this one is there for the last days of a month alone.
AT_THE_END_OF_A_MONTH = ("supervision.health_coaching", "due_soon")
# And why: what the states alone do not show.
REASONS = {
    "completed", "exempt", "not_completed", "took_referrals_untrained", "no_referrals_taken_yet", "not_enrolled",
    "not_funded_by_arrs", "no_agreement", "supervisor_not_eligible", "nobody_named", "short_month", "no_post", "paused",
    "never_done", "to_be_done", "expired", "expires_soon", "does_not_apply_yet",
}  # fmt: skip
DAYS = [
    date(2028, 2, 29), date(2027, 2, 28), date(2026, 3, 31), date(2026, 10, 30), date(2026, 11, 1), date(2026, 12, 26),
    date(2027, 4, 15),
]  # fmt: skip


@pytest.fixture(autouse=True)
def knowledge() -> Iterator[None]:
    """What this process knows of its database is as it was, after each test."""
    before = list(queries._known)
    queries.ask_again()
    yield
    queries._known[:] = before


@pytest.fixture(scope="module")
def demo(django_db_setup: None, django_db_blocker: Any) -> Iterator[str]:
    """The demo as the command makes it, once for all tests that only look; gives what the command says."""
    said = io.StringIO()
    with django_db_blocker.unblock():
        call_command("flush", interactive=False, verbosity=0)
        call_command("demo", stdout=said)
        yield said.getvalue()
        call_command("flush", interactive=False, verbosity=0)


def seen(day: date) -> tuple[set[tuple[str, str]], set[str]]:
    """Rules with the states that they have on a day, and the reasons."""
    with walls.lifted("tests"):
        answers = [each for standing in standings(day) for each in standing.answers]
    states = {(rule.partition(":")[0], answer.state) for rule, answer in answers}
    return states, {answer.reason for _, answer in answers}


def expected(day: date) -> set[tuple[str, str]]:
    """The pairs that there have to be on a day."""
    is_end = day >= last_working_days(day, 5, is_bank_holiday)
    return PAIRS - (set() if is_end else {AT_THE_END_OF_A_MONTH})


def in_browser(**headers: Any) -> Client:
    """A browser on this machine."""
    return Client(HTTP_HOST="127.0.0.1:8000", **headers)


def account(name: str) -> User:
    """Somebody's account."""
    return User.objects.get(name=name)


def sign_in(client: Client, name: str) -> Any:
    """Press the button."""
    return client.post(reverse("demo"), {"user": str(account(name).uuid)})


# --- What is told ----------------------------------------------------------------------------------------------------


def test_today_every_rule_is_in_every_state(demo: str) -> None:
    states, reasons = seen(today())
    assert expected(today()) - states == set()
    assert REASONS - reasons == set()


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_on_any_other_day_too_and_the_import_finds_no_fault(day: date, empty: None, tmp_path: Path) -> None:
    book = read(write_folder(tmp_path / "demo", tell(day)))
    book.is_demo = True  # CSV files cannot say so
    with walls.lifted("tests"):
        Demo.objects.create(made_on=day)
        import_rows(SETUP, book=book, day=day)
    states, reasons = seen(day)
    assert expected(day) - states == set()
    assert REASONS - reasons == set()


def test_the_same_day_is_the_same_demo() -> None:
    assert tell(DAYS[0]) == tell(DAYS[0])
    assert tell(DAYS[0]) != tell(DAYS[1])


@pytest.mark.parametrize("day", DAYS, ids=str)
def test_it_is_told_up_to_its_day(day: date) -> None:
    sheets = tell(day)
    held = [row["held_on"] for row in sheets["supervision"] if row["status"] == "held"]
    sessions = [row["held_on"] for row in sheets["coaching_sessions"]]
    for days in (held, sessions):
        assert day - timedelta(days=7) <= max(days) <= day
        assert min(days) < add_months(day, -17)
    assert max(row["accepted_on"] for row in sheets["referrals"] if row.get("accepted_on")) < day  # none needs the gate
    assert any(row["status"] == "planned" and row["held_on"] > day for row in sheets["supervision"])


def test_it_is_a_service_of_a_plausible_size_and_mostly_well(demo: str) -> None:
    with walls.lifted("tests"):
        kinds = list(Organisation.objects.values_list("kind", flat=True))
        found = {s.reference: dict(s.answers) for s in standings(today()) if s.pcn is not None}
    assert [kinds.count(kind) for kind in ("icb", "training_hub", "pcn")] == [1, 1, 12]
    assert 36 <= kinds.count("practice") <= 72
    assert len(found) == 24
    red = {ref for ref, answers in found.items() if any(a.state in ("overdue", "not_met") for a in answers.values())}
    green = {
        ref for ref, answers in found.items() if all(a.state in ("met", "not_applicable") for a in answers.values())
    }
    assert len(red) <= 9
    assert len(green) >= 7
    everything = [answer.state for answers in found.values() for answer in answers.values()]
    assert everything.count("met") > 0.8 * (len(everything) - everything.count("not_applicable"))


def test_over_the_months_the_hub_gets_better_and_riverside_slides(demo: str) -> None:
    riverside = Organisation.objects.get(name="Riverside PCN").pk

    def share(day: date, *, of_riverside: bool) -> float:
        """Of the answers to the rules about meetings, those that are on track."""
        with walls.lifted("tests"):
            states = [
                dict(standing.answers)[f"supervision.{kind}"].state
                for standing in standings(day)
                if standing.pcn is not None and (standing.pcn == riverside) is of_riverside
                for kind in ("line", "clinical", "health_coaching")
            ]
        asked = [state for state in states if state != "paused"]
        return sum(state in ("met", "due_soon") for state in asked) / len(asked)

    ends = [add_months(today().replace(day=1), -back) - timedelta(days=1) for back in range(17)]
    others = [share(day, of_riverside=False) for day in ends]
    theirs = [share(day, of_riverside=True) for day in ends]
    assert sum(others[:4]) / 4 > sum(others[-4:]) / 4 + 0.15
    assert sum(theirs[:3]) / 3 < sum(theirs[-6:]) / 6 - 0.15


def test_nobody_in_it_is_real_and_every_code_says_so() -> None:
    sheets = tell(DAYS[0])
    people = [row["email"] for sheet in ("coaches", "supervisors") for row in sheets[sheet]]
    assert {email.partition("@")[2] for email in [*people, *(member.email for member in CAST)]} == {"example.org"}
    assert all(row["code"].startswith("DEMO-") for row in sheets["organisations"])
    assert not any(holds_nhs_number(str(cell)) for rows in sheets.values() for row in rows for cell in row.values())


def test_the_command_makes_it_as_a_service_brings_its_data(demo: str) -> None:
    assert "Making a demo, an invented service told up to today (HWBC_DEMO=no starts without one)" in demo
    assert "26 coaches" in demo  # two have left, and are looked at
    with walls.lifted("tests"):
        assert Demo.objects.get().made_on == today()
        runs = {run.kind: run for run in Run.objects.all()}
        flags, events = Flag.objects.count(), FlagEvent.objects.filter(what="raised", run=runs["checks"]).count()
        made = AuditEvent.objects.get(what="demo.make")
        assert flags == events == runs["checks"].counts["raised"] > 10
        assert Notification.objects.filter(user=account("Robert Ellwood")).count() > 5
        assert not Coach.objects.filter(imported=False).exists()
        users = User.objects.all()
        assert {user.name for user in users} == {member.name for member in CAST}
        assert not any(user.has_usable_password() for user in users)
    assert made.by == "demo"
    assert f"{sum(len(rows) for rows in tell(today()).values()):,} rows" in demo
    assert set(runs) == {"checks", "import"}


def test_its_charts_are_there_at_once(demo: str) -> None:
    with walls.lifted("tests"):
        months = set(MonthlyShare.objects.values_list("on", flat=True))
        places = set(MonthlyShare.objects.values_list("pcn__name", flat=True))
    assert len(months) >= 17
    assert len(places) == 12


def test_the_cast_has_every_role_that_opens_a_page_and_somebody_without_one(demo: str) -> None:
    with walls.lifted("tests"):
        roles = set(Grant.objects.values_list("role", flat=True))
        without = User.objects.get(grants=None)
    assert roles == set(Role) - {Role.RECRUITER, Role.PANEL_MEMBER}
    assert without.name == next(member.name for member in CAST if member.role is None)


# --- What is refused -------------------------------------------------------------------------------------------------


def test_it_is_made_only_where_there_is_nothing(cast: Cast) -> None:
    coaches = Organisation.objects.count()
    with pytest.raises(
        CommandError, match="There is data in this database already, and a demo is only made in an empty"
    ):
        call_command("demo")
    call_command("demo", if_empty=True)
    assert Organisation.objects.count() == coaches
    assert not Demo.objects.exists()


def test_it_is_made_on_ones_own_machine_alone(empty: None, settings: Any) -> None:
    settings.LOCAL = False
    with pytest.raises(CommandError, match="on your own machine alone"):
        call_command("demo")


def test_real_people_never_come_into_a_demo(demo: str, tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "real", valid())
    with pytest.raises(NotImportable, match="This database is a demo, in which everybody can sign in as anybody") as no:
        bring(folder, "DEMO-ICB", today())
    assert "HWBC_DEMO=no make start" in str(no.value)
    with pytest.raises(CommandError, match="never bring in real people"):
        call_command("import_workbook", str(folder), code="DEMO-ICB", dry_run=True)
    with walls.lifted("tests"):
        assert not Coach.objects.filter(reference="C001").exists()


def edited(path: Path, sheet: str, column: str, row: int, value: Any) -> Path:
    """The demo's workbook, opened in a spreadsheet program, changed in one cell and saved."""
    book = openpyxl.load_workbook(path)
    titles = [cell.value for cell in book[sheet][1]]
    book[sheet].cell(row, titles.index(column) + 1).value = value
    book.save(path)
    return path


def test_its_own_workbook_comes_in_again_changed_in_a_spreadsheet(demo: str, tmp_path: Path) -> None:
    path = tmp_path / "demo.xlsx"
    path.write_bytes(workbook(today()))
    edited(path, "coaches", "hours_per_week", 2, 25)
    with transaction.atomic():
        report = bring(path, None, today())
        transaction.set_rollback(True)
    assert done(report) == {"coaches": (0, 1, len(tell(today())["coaches"]) - 1)}
    assert report.register.code == "DEMO-ICB"


def marked(path: Path, mark: str, row: int = 1) -> Path:
    """A workbook of nothing but the sheet that is not imported, with this sentence on it."""
    book = openpyxl.Workbook()
    assert book.active
    book.active.title = README.title()
    book.active.cell(row, 2).value = mark
    book.save(path)
    return path


def test_its_workbook_comes_into_nothing_else(cast: Cast, tmp_path: Path) -> None:
    path = marked(tmp_path / "demo.xlsx", DEMO_MARK)
    with pytest.raises(NotImportable, match="everybody in it is invented: it can be brought into a demo only"):
        bring(path, "HUB1", today())
    with pytest.raises(CommandError, match="it can be brought into a demo only"):
        call_command("import_workbook", str(path), code="HUB1")
    assert bring(marked(path, "Another sentence"), "HUB1", today()).changed_nothing


def test_the_mark_is_the_sentence_on_the_sheet_that_is_not_imported(tmp_path: Path) -> None:
    path = tmp_path / "demo.xlsx"
    for row in (1, 5):
        assert read(marked(path, f" {DEMO_MARK} ", row)).is_demo
    assert not read(marked(path, DEMO_MARK[1:])).is_demo
    assert not read(marked(path, DEMO_MARK, row=500)).is_demo
    folder = write_folder(tmp_path / "csv", valid())
    (folder / "read me.csv").write_text(DEMO_MARK)
    assert not read(folder).is_demo


# --- The door --------------------------------------------------------------------------------------------------------

PAGES = ("demo", "demo_workbook")
PROXIED = ("X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "Forwarded", "X-Real-IP", "Via")


def is_shut(client: Client, **given: Any) -> bool:
    """Whether neither page opens, nor anybody gets in."""
    there = User.objects.filter(name="Robert Ellwood").first()
    with walls.lifted("tests"):
        before = AuditEvent.objects.filter(what="demo.sign_in").count()
    found = [client.get(reverse(name), **given).status_code for name in PAGES]
    found.append(client.post(reverse("demo"), {"user": str(there.uuid if there else "")}, **given).status_code)
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="demo.sign_in").count() == before
    assert settings.SESSION_COOKIE_NAME not in client.cookies
    return set(found) == {404}


def test_it_opens_on_this_machine(demo: str) -> None:
    for host in ("127.0.0.1:8000", "localhost", "[::1]:8000"):
        for address in ("127.0.0.1", "::1"):
            client = Client(HTTP_HOST=host, REMOTE_ADDR=address)
            assert client.get(reverse("demo")).status_code == 200
            assert sign_in(client, "Robert Ellwood").status_code == 302


def test_it_is_shut_outside_a_local_copy(demo: str, settings: Any) -> None:
    settings.LOCAL = False
    assert is_shut(in_browser())


def test_it_is_shut_where_there_is_no_demo(cast: Cast) -> None:
    assert is_shut(in_browser())


@pytest.mark.parametrize("address", ["10.0.0.7", "2001:db8::7", "::ffff:10.0.0.7", "", "nonsense"])
def test_it_is_shut_for_another_machine(demo: str, address: str) -> None:
    assert is_shut(in_browser(REMOTE_ADDR=address))


@pytest.mark.parametrize("host", ["testserver", "demo.example.org", "10.0.0.7:8000", "127.0.0.1.example.org"])
def test_it_is_shut_when_asked_for_by_another_name(demo: str, host: str, settings: Any) -> None:
    settings.ALLOWED_HOSTS = ["*"]
    assert is_shut(Client(HTTP_HOST=host))


@pytest.mark.parametrize("header", PROXIED)
def test_it_is_shut_for_what_comes_through_a_proxy(demo: str, header: str) -> None:
    assert is_shut(in_browser(headers={header: "127.0.0.1"}))


def test_a_button_needs_the_token_of_the_page(demo: str) -> None:
    client = Client(enforce_csrf_checks=True, HTTP_HOST="127.0.0.1:8000")
    assert sign_in(client, "Robert Ellwood").status_code == 403
    page = client.get(reverse("demo")).content.decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    given = {"user": str(account("Robert Ellwood").uuid), "csrfmiddlewaretoken": token[1]}
    assert client.post(reverse("demo"), given).status_code == 302


def test_nobody_but_the_cast_gets_in_without_a_password(demo: str) -> None:
    client = in_browser()
    with transaction.atomic():
        with walls.lifted("tests"):
            other = invite(SETUP, email="somebody.else@example.org", name="Somebody Else")
            User.objects.filter(name="Tilda Osborne").update(is_active=False)
        shut = (str(other.uuid), str(account("Tilda Osborne").uuid), account("Robert Ellwood").email, "", "nonsense")
        assert {client.post(reverse("demo"), {"user": asked}).status_code for asked in shut} == {404}
        transaction.set_rollback(True)
    assert settings.SESSION_COOKIE_NAME not in client.cookies


# --- Inside ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("member", CAST, ids=lambda member: member.name)
def test_each_of_the_cast_gets_in_and_sees_their_home(demo: str, member: Member) -> None:
    client = in_browser()
    page = client.get(reverse("demo")).content.decode()
    assert f"Sign in as {member.name}, {member.role_label}" in page
    assert member.look.replace("'", "&#x27;") in page
    answer = sign_in(client, member.name)
    assert answer.headers["Location"] == reverse("home")
    home = client.get(reverse("home"))
    assert home.status_code == 200
    assert f"Hello, {member.name}" in home.content.decode()
    if member.role is None:
        assert "You have no role at the moment" in home.content.decode()
    else:
        assert client.get(reverse("coaches")).status_code == 200


def test_the_page_is_valid_and_says_from_which_day(demo: str) -> None:
    client = in_browser()
    for name in (None, "Leila Haddadi"):
        if name:
            sign_in(client, name)
        page = client.get(reverse("demo")).content.decode()
        assert markup.faults(page) == []
        day = today()
        assert f"{day.day} {day:%B %Y}" in page
        assert "make reset" in page
    assert "You are signed in as Leila Haddadi" in page


def test_signing_in_leaves_a_line_and_rotates_the_session(demo: str) -> None:
    client = in_browser()
    sign_in(client, "Robert Ellwood")
    first = client.session.session_key
    sign_in(client, "Robert Ellwood")
    again = client.session.session_key
    sign_in(client, "Amara Nwosu")
    then = client.session.session_key
    assert len({first, again, then}) == 3
    assert not Session.objects.filter(session_key__in=[first, again]).exists()
    assert client.get(reverse("home")).context["actor"].name == "Amara Nwosu"
    with walls.lifted("tests"):
        line = AuditEvent.objects.filter(what="demo.sign_in").latest("at")
    amara = account("Amara Nwosu")
    assert (line.user_id, line.kind, line.record) == (amara.pk, "workforce.user", str(amara.uuid))


def test_what_matters_is_confirmed_without_a_password_in_a_demo(demo: str) -> None:
    client = in_browser()
    sign_in(client, "Robert Ellwood")
    address = reverse("access_invite")
    assert client.post(address, {}).status_code == 200  # signing in was just now: the form's own errors
    with time_machine.travel(time.time() + 6 * 60):
        asked = client.post(address, {"name": "Kim Lee"}, follow=True)
        where = asked.redirect_chain[-1][0]
        assert where.startswith(reverse("demo_confirm"))
        assert markup.faults(asked.content.decode()) == []
        assert "Nobody in this demo has one" in asked.content.decode()
        assert client.get(where).status_code == 200
        assert client.post(address, {}).status_code == 302  # to look at the question is not to answer it
        after = client.post(where)
        page = client.get(after.headers["Location"]).content.decode()
        assert 'name="name" value="Kim Lee"' in page
        assert client.post(address, {}).status_code == 200
        assert client.post(f"{reverse('demo_confirm')}?next=https://evil.example/").headers["Location"] == "/"
    assert in_browser().get(reverse("demo_confirm")).status_code == 302


@pytest.mark.parametrize("header", PROXIED)
def test_nothing_is_confirmed_from_elsewhere(demo: str, header: str) -> None:
    client = in_browser(headers={header: "127.0.0.1"})
    assert client.get(reverse("demo_confirm")).status_code == 404
    assert client.post(reverse("demo_confirm")).status_code == 404


def test_the_other_manager_sees_nothing_of_riverside(demo: str) -> None:
    with walls.lifted("tests"):
        here = {coach.name: coach.uuid for coach in Coach.objects.filter(pk__in=_coaches_of("Riverside PCN"))}
    assert len(here) >= 4
    client = in_browser()
    sign_in(client, "Sian Rees-Hughes")
    for page in ("home", "coaches", "flags", "overview", "referrals", "access", "notifications"):
        text = client.get(reverse(page)).content.decode()
        assert not [name for name in here if name in text], page
    assert {client.get(reverse("coach", args=[uuid])).status_code for uuid in here.values()} == {404}
    sign_in(client, "Robert Ellwood")
    assert {client.get(reverse("coach", args=[uuid])).status_code for uuid in here.values()} == {200}


def _coaches_of(pcn: str) -> list[int]:
    """Who works there today."""
    with walls.lifted("tests"):
        place = Organisation.objects.get(name=pcn).pk
        return [standing.coach for standing in standings(today()) if standing.pcn == place]


def test_its_workbook_can_be_taken_away(demo: str, tmp_path: Path) -> None:
    answer = in_browser().get(reverse("demo_workbook"))
    assert answer.headers["Content-Type"].startswith("application/vnd.openxmlformats")
    assert answer.headers["Content-Disposition"] == f'attachment; filename="demo-{today()}.xlsx"'
    path = tmp_path / "demo.xlsx"
    path.write_bytes(answer.getvalue())
    hub = actor_of(account("Maryam Siddiqui"))
    with walls.lifted("tests"):  # and she may bring it in again
        report = import_rows(hub, book=read(path), day=today(), code="DEMO-ICB", limits=hub)
    assert report.changed_nothing


# --- What every page says --------------------------------------------------------------------------------------------

BANNER = "Demo: everybody and everything here is invented."


def test_every_page_of_a_demo_says_that_it_is_one(demo: str) -> None:
    client = in_browser()
    for address in (reverse("account_login"), reverse("demo"), "/nowhere"):
        text = client.get(address).content.decode()
        assert BANNER in text
        assert f'href="{reverse("demo")}"' in text
    assert "nobody in it has a password" in client.get(reverse("account_login")).content.decode()
    sign_in(client, "Robert Ellwood")
    assert BANNER in client.get(reverse("coaches")).content.decode()


def test_no_page_of_a_real_service_says_so(cast: Cast) -> None:
    assert BANNER not in cast.mo.client.get(reverse("home")).content.decode()
    assert "nobody in it has a password" not in Client().get(reverse("account_login")).content.decode()


def asked_of_demo(client: Client) -> int:
    """How often a page asks the database whether it is a demo."""
    with CaptureQueriesContext(connection) as asked:
        client.get(reverse("home"))
    return sum("workforce_demo" in query["sql"] for query in asked.captured_queries)


def test_it_is_asked_once_a_process(demo: str) -> None:
    client = in_browser()
    sign_in(client, "Robert Ellwood")
    assert [asked_of_demo(client) for _ in range(3)] == [1, 0, 0]


def test_it_is_asked_once_a_process_of_a_real_service_on_ones_own_machine(cast: Cast) -> None:
    assert [asked_of_demo(cast.mo.client) for _ in range(3)] == [1, 0, 0]


def test_it_is_never_asked_elsewhere(cast: Cast, settings: Any) -> None:
    settings.LOCAL = False
    assert asked_of_demo(cast.mo.client) == 0


def test_a_database_that_holds_nothing_may_become_a_demo(empty: None) -> None:
    assert not queries.is_demo()
    with walls.lifted("tests"):
        Demo.objects.create(made_on=today())
    assert queries.is_demo()


# --- Where to begin --------------------------------------------------------------------------------------------------


def about(**options: str) -> str:
    """What `make start` prints of it."""
    said = io.StringIO()
    call_command("demo", about=True, stdout=said, **options)
    return said.getvalue()


def test_it_says_where_to_begin_and_when_it_has_grown_old(demo: str) -> None:
    said = about(at="http://127.0.0.1:8001")
    assert "Sign in as any of them: http://127.0.0.1:8001/demo/" in said
    assert "HWBC_DEMO=no make start" in said
    for days, is_old in ((14, False), (15, True)):
        with time_machine.travel(today() + timedelta(days=days), tick=False):
            assert ("make reset and make start" in about()) is is_old


def test_a_real_service_says_nothing_of_it(cast: Cast) -> None:
    assert about() == ""
