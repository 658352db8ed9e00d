"""What the log says of where a request comes from."""

from typing import Any

import pytest
import time_machine
from allauth.account.adapter import get_adapter
from django.http import HttpResponse
from django.test import Client, RequestFactory

from hwbc.kit.middleware import Pace, address_of
from tests.need_to_know import logged

CONNECTED = "192.0.2.1"


@pytest.mark.parametrize(
    ("proxies", "forwarded", "address"),
    [
        (0, None, CONNECTED),
        (0, "198.51.100.7", CONNECTED),  # no proxy is trusted: anybody can send this
        (1, None, CONNECTED),
        (1, "203.0.113.9", "203.0.113.9"),
        (1, "198.51.100.7, 203.0.113.9", "203.0.113.9"),  # what came before the trusted proxy's word is anybody's
        (2, "198.51.100.7, 203.0.113.9, 192.0.2.2", "203.0.113.9"),
    ],
)
def test_the_address_in_the_log_is_the_one_that_guesses_are_counted_by(
    proxies: int, forwarded: str | None, address: str, client: Client, settings: Any
) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = proxies
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    with logged() as lines:
        client.get("/health/live", REMOTE_ADDR=CONNECTED, headers=headers)
    assert len(lines) >= 2
    assert all(f" ip={address} " in line for line in lines)
    request = RequestFactory().get("/", REMOTE_ADDR=CONNECTED, headers=headers)
    assert get_adapter(request).get_client_ip(request) == address


@pytest.mark.parametrize("forwarded", ["", " ", ",", "203.0.113.9"])
def test_proxies_that_say_too_little_stop_nothing(forwarded: str, settings: Any) -> None:
    settings.ALLAUTH_TRUSTED_PROXY_COUNT = 3
    request = RequestFactory().get("/", REMOTE_ADDR=CONNECTED, headers={"x-forwarded-for": forwarded})
    assert address_of(request) == CONNECTED


# --- No faster than a person ------------------------------------------------------------------------------------------


def paced(settings: Any) -> Any:
    """Asks through the middleware as this session; the answer."""
    settings.REQUESTS_A_MINUTE = 3
    pace = Pace(lambda request: HttpResponse("here"))
    name = settings.SESSION_COOKIE_NAME

    def ask(key: str = "") -> HttpResponse:
        return pace(RequestFactory().get("/", headers={"cookie": f"{name}={key}"} if key else {}))

    return ask


def test_a_session_that_asks_faster_than_anybody_reads_waits_for_the_next_minute(settings: Any) -> None:
    ask = paced(settings)
    with time_machine.travel(1_800_000_005, tick=False) as clock, logged() as lines:  # five seconds into a minute
        assert [ask("a").status_code for _ in range(5)] == [200, 200, 200, 429, 429]
        refused = ask("a")
        assert "Too many pages at once" in refused.content.decode()
        assert refused.headers["Retry-After"] == "55"
        assert ask("b").status_code == 200  # another session
        assert [ask().status_code for _ in range(5)] == [200] * 5  # and who has none
        clock.shift(55)
        assert ask("a").status_code == 200
    assert len([line for line in lines if "kind=too_fast" in line]) == 1


def test_made_up_sessions_fill_no_memory(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.REQUESTS_A_MINUTE = 3
    monkeypatch.setattr(Pace, "LARGEST", 10)
    pace = Pace(lambda request: HttpResponse("here"))
    for n in range(100):
        pace._count(str(n))
        assert len(pace.counts) <= 11


def test_without_a_limit_nothing_is_counted(settings: Any) -> None:
    ask = paced(settings)
    settings.REQUESTS_A_MINUTE = 0
    assert {ask("a").status_code for _ in range(10)} == {200}


def test_it_stands_before_all_that_asks_the_database(settings: Any) -> None:
    middleware = settings.MIDDLEWARE
    assert middleware.index("hwbc.kit.middleware.Pace") < middleware.index(
        "django.contrib.sessions.middleware.SessionMiddleware"
    )
