"""A session ends by itself: after 15 minutes without a request, and after 10 hours in all."""

import time
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.contrib.sessions.models import Session
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hwbc.compliance.jobs import work
from hwbc.workforce import walls
from hwbc.workforce.factors import code_at
from hwbc.workforce.models import AuditEvent, User
from tests.cast import PASSWORD, SECRET, Cast, came_in
from tests.cast import signed_in as somebody_in

pytestmark = pytest.mark.django_db

MINUTE, HOUR = 60, 60 * 60


@pytest.fixture
def clock() -> Any:
    """A clock that stands still until the test moves it."""
    with time_machine.travel(time.time() + 5, tick=False) as traveller:
        yield traveller


def signed_in(user: User) -> Client:
    """A browser in which somebody has signed in with the form, and with a code of their app."""
    client = Client()
    assert came_in(client, user).status_code == 302
    return client


def ends(user: User) -> list[dict[str, Any]]:
    with walls.lifted("tests"):
        return list(AuditEvent.objects.filter(user=user, what="account.time_out").values_list("facts", flat=True))


def test_whoever_does_nothing_for_15_minutes_is_signed_out(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    key = client.session.session_key
    clock.shift(timedelta(minutes=14, seconds=59))
    assert client.get("/").status_code == 200
    assert ends(cast.mo.user) == []
    clock.shift(timedelta(minutes=15))
    answer = client.get("/coaches?sort=name")
    assert answer.status_code == 302
    assert answer.headers["Location"] == f"{reverse('account_login')}?next=/coaches%3Fsort%3Dname"
    assert ends(cast.mo.user) == [{"why": "idle"}]
    assert not Session.objects.filter(session_key=key).exists()
    said = client.get(answer.headers["Location"]).content.decode()
    assert "You were signed out because nothing was done here for a while." in said
    assert client.get("/").status_code == 302
    assert len(ends(cast.mo.user)) == 1  # the one end, told once


def test_whoever_goes_on_stays_for_10_hours_and_no_longer(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    for _ in range(59):
        clock.shift(timedelta(minutes=10))
        assert client.get("/").status_code == 200
    clock.shift(timedelta(minutes=9, seconds=59))
    assert client.get("/").status_code == 200
    assert client.get(reverse("session")).json()["fixed"] is True
    clock.shift(timedelta(seconds=1))
    assert client.get("/").status_code == 302
    assert ends(cast.mo.user) == [{"why": "longest"}]


def test_a_new_session_of_the_same_browser_has_clocks_of_its_own(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    clock.shift(timedelta(hours=11))
    assert client.get("/").status_code == 302
    client.post(reverse("account_login"), {"login": cast.mo.user.email, "password": PASSWORD})
    client.post(reverse("mfa_authenticate"), {"code": code_at(SECRET)})
    clock.shift(timedelta(minutes=14))
    assert client.get("/").status_code == 200


def test_asking_how_long_one_has_moves_no_clock_and_says_the_truth(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    address = reverse("session")
    assert client.get(address).json() == {"left": 15 * MINUTE, "fixed": False, "who": str(cast.mo.user.uuid)}
    for minute in range(1, 15):
        clock.shift(timedelta(minutes=1))
        assert client.get(address).json()["left"] == (15 - minute) * MINUTE
    clock.shift(timedelta(minutes=1))
    assert client.get(address).json() == {"left": 0, "fixed": True, "who": ""}
    assert ends(cast.mo.user) == [{"why": "idle"}]  # the question itself found the end
    assert client.get("/").status_code == 302


@pytest.mark.parametrize("header", [{}, {"X-Background": "follow"}], ids=["somebody", "the page by itself"])
def test_what_a_page_asks_by_itself_moves_no_clock(cast: Cast, clock: Any, header: dict[str, str]) -> None:
    client = signed_in(cast.mo.user)
    clock.shift(timedelta(minutes=10))
    assert client.get(reverse("jobs"), headers=header).status_code == 200
    clock.shift(timedelta(minutes=10))
    assert client.get("/").status_code == (302 if header else 200)


def test_staying_signed_in_is_a_post_and_gives_the_whole_time_again(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    clock.shift(timedelta(seconds=30))  # too early for a page to write it down
    assert client.post(reverse("session")).json()["left"] == 15 * MINUTE
    clock.shift(timedelta(minutes=14, seconds=45))
    assert client.get("/").status_code == 200


def test_staying_needs_the_token_of_a_page(cast: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    somebody_in(client, cast.mo.user)
    assert client.post(reverse("session")).status_code == 403


def test_the_session_is_written_once_a_minute_and_not_with_every_page(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    client.get("/components")

    def writes() -> int:
        with CaptureQueriesContext(connection) as asked:
            client.get("/components")
        return sum("UPDATE" in query["sql"] and "django_session" in query["sql"] for query in asked.captured_queries)

    clock.shift(timedelta(seconds=50))
    assert writes() == 0
    clock.shift(timedelta(seconds=10))
    assert writes() == 1
    assert writes() == 0


def test_a_session_without_clocks_gets_them_with_its_first_request(cast: Cast, clock: Any) -> None:
    client = somebody_in(Client(), cast.mo.user)
    assert client.get("/").status_code == 200
    clock.shift(timedelta(minutes=16))
    assert client.get("/").status_code == 302


def test_a_button_that_comes_too_late_leads_back_to_its_page_and_does_nothing(cast: Cast, clock: Any) -> None:
    client = signed_in(cast.mo.user)
    clock.shift(timedelta(minutes=16))
    came_from = {"Referer": "http://testserver/coaches?pcn=1"}
    answer = client.post(reverse("export_ask"), {"list": "coaches", "format": "csv"}, headers=came_from)
    assert answer.headers["Location"] == f"{reverse('account_login')}?next=/coaches%3Fpcn%3D1"
    elsewhere = client.post(reverse("export_ask"), {}, headers={"Referer": "https://evil.example/coaches"})
    assert elsewhere.headers["Location"] == f"{reverse('account_login')}?next=/"


def test_every_page_of_somebody_signed_in_knows_when_it_ends(cast: Cast, client: Client) -> None:
    page = cast.mo.client.get("/").content.decode()
    assert 'id="session-end"' in page
    assert "js/session" in page
    assert 'id="session-end"' not in client.get(reverse("account_login")).content.decode()


def test_a_session_that_nobody_came_back_to_is_removed(cast: Cast) -> None:
    keys = {signed_in(person.user).session.session_key for person in (cast.mo, cast.lee)}
    now = timezone.now()
    work.catch_up(now + timedelta(hours=9, minutes=59))
    assert Session.objects.filter(session_key__in=keys).count() == 2
    work.catch_up(now + timedelta(hours=10, minutes=1))
    assert Session.objects.filter(session_key__in=keys).count() == 0
