"""What the log says of where a request comes from."""

from typing import Any

import pytest
from allauth.account.adapter import get_adapter
from django.test import Client, RequestFactory

from hwbc.kit.middleware import address_of
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
