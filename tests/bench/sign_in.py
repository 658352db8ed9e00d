"""What an outsider can learn from how long an answer takes: nothing, if the lines of a table are alike.

With the real hasher, without throttling, and with a slow mail server. Each round asks every case once, in
another order, so that other work on the machine falls on all of them.
"""

import html
import json
import random
import re
import statistics
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

from django.core.mail.backends.base import BaseEmailBackend
from django.test import Client, override_settings
from django.urls import reverse

from hwbc.workforce.models import User
from hwbc.workforce.sign_in import How
from tests.bench.pages import database
from tests.cast import make_cast, signed_in
from tests.passkeys import Passkey

ROUNDS = 30


class Slow(BaseEmailBackend):
    """A mail server that takes 80 ms for every mail."""

    def send_messages(self, messages: Any) -> int:
        """Take the time."""
        time.sleep(0.08)
        return len(messages)


def _passkey(user: User) -> Passkey:
    client, passkey, page = (
        signed_in(Client(SERVER_NAME="localhost"), user, How.TOTP),
        Passkey(),
        reverse("account_passkey_add"),
    )
    shown = re.search(r'data-options="([^"]*)"', client.get(page).content.decode())
    assert shown
    made = passkey.create(json.loads(html.unescape(shown[1])))
    assert client.post(page, {"name": "", "credential": json.dumps(made)}).status_code == 302
    passkey.key = Passkey().key  # from now on another one signs: what a stranger could send
    return passkey


def _table(title: str, cases: dict[str, Callable[[], Any]]) -> None:
    taken: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(ROUNDS + 1):
        for name in random.sample(list(cases), len(cases)):
            began = time.perf_counter()
            cases[name]()
            taken[name].append((time.perf_counter() - began) * 1000)
    print(f"\n{title}: milliseconds of {ROUNDS} tries each")
    print(f"{'':24}{'median':>8}{'p5':>8}{'p95':>8}")
    for name, times in taken.items():
        _, *kept = times  # the first warms up
        cuts = statistics.quantiles(kept, n=20)
        print(f"{name:24}{statistics.median(kept):8.1f}{cuts[0]:8.1f}{cuts[-1]:8.1f}")


def main() -> None:
    """Three tables: a wrong password, a forgotten one, a passkey that is not theirs."""
    with database(), override_settings(
        ACCOUNT_RATE_LIMITS=False,
        MFA_RATE_LIMITS=False,
        EMAIL_BACKEND="tests.bench.sign_in.Slow",
        ALLOWED_HOSTS=["localhost", "testserver"],
    ):  # fmt: skip
        cast = make_cast()
        User.objects.filter(pk=cast.rae.user.pk).update(is_active=False)
        User.objects.filter(pk=cast.pip.user.pk).update(password="!" + "x" * 40)
        people = {
            "known": cast.mo.user.email,
            "unknown": "stranger@example.org",
            "inactive": cast.rae.user.email,
            "without a password": cast.pip.user.email,
        }

        def post(page: str, **fields: str) -> Callable[[], Any]:
            return lambda: Client(SERVER_NAME="localhost").post(reverse(page), fields)

        _table(
            "a wrong password",
            {who: post("account_login", login=email, password="wrong wrong wrong") for who, email in people.items()},
        )
        _table(
            "a forgotten password", {who: post("account_reset_password", email=email) for who, email in people.items()}
        )

        def passkey(theirs: Passkey) -> Callable[[], Any]:
            def ask() -> Any:
                client, page = Client(SERVER_NAME="localhost"), reverse("mfa_login_webauthn")
                options = client.get(page, headers={"accept": "application/json"}).json()["request_options"]
                return client.post(page, {"credential": json.dumps(theirs.get(options))})

            return ask

        known, unknown, without = _passkey(cast.lee.user), Passkey(), Passkey()
        # Who can try these has their handle already: 128 random bits, which no page shows.
        unknown.handle, without.handle = uuid4().bytes, cast.asha.user.uuid.bytes
        _table(
            "a passkey that is not theirs",
            {"of an account": passkey(known), "of nobody": passkey(unknown), "of one without": passkey(without)},
        )
