"""Signing in that did not work, and pages that were refused: what log and audit keep of it, and what they do not."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from hwbc.compliance import trail
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, User
from tests.cast import PASSWORD, Cast, Person, with_app
from tests.pages import a_grant
from tests.workforce.test_factors import browser, passkey_sign_in, password_shown, with_passkey

pytestmark = pytest.mark.django_db

SIGN_IN, SECOND_STEP, CONFIRM = "/account/sign-in", "/account/sign-in/second-step", "/account/confirm"
STRANGER = "stranger@example.org"
WRONG = "wrong wrong wrong"


def guess(email: str, times: int = 1, password: str = WRONG, address: str = "127.0.6.1") -> Client:
    client = Client(REMOTE_ADDR=address)
    for _ in range(times):
        client.post(SIGN_IN, {"login": email, "password": password})
    return client


def kept() -> list[tuple[str, str]]:
    """What the audit has of attempts, the oldest first: whose account, and why they were refused."""
    codes = ("account.attempt", "account.confirm", "factor.use_code")
    with walls.lifted("tests"):
        found = AuditEvent.objects.filter(what__in=codes, outcome="refused").order_by("at")
        return [(event.user.name.split()[0] if event.user else "", event.facts["refused"]) for event in found]


def lines(caplog: pytest.LogCaptureFixture, *events: str) -> list[dict[str, Any]]:
    found = [record.msg for record in caplog.records if isinstance(record.msg, dict)]
    return [line for line in found if line["event"] in events]


def told(who: Person) -> list[str]:
    response = who.client.get(reverse("audit"))
    return [each.sentence for each in response.context["page"].rows]


def test_every_wrong_password_is_a_line_and_one_in_five_minutes_an_event(
    cast: Cast, caplog: pytest.LogCaptureFixture
) -> None:
    guess(cast.mo.user.email, 7)
    guess(f" {cast.mo.user.email.upper()}", 1, address="127.0.6.2")
    found = lines(caplog, "sign_in_failed", "sign_in_held_up")
    assert [line["why"] for line in found] == ["wrong_password"] * 5 + ["too_many_passwords"] * 3
    assert {(line["user"], line["confirming"], line["level"]) for line in found} == {
        (cast.mo.user.pk, False, "warning")
    }
    assert kept() == [("Mo", "wrong_password"), ("Mo", "too_many_passwords")]
    with time_machine.travel(timezone.now() + timedelta(minutes=5, seconds=1), tick=False):
        guess(cast.mo.user.email, 2)
    assert kept()[2:] == [("Mo", "wrong_password")]


def test_guesses_at_no_account_are_lines_and_no_events(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with walls.lifted("tests"):
        before = AuditEvent.objects.count()
    guess(STRANGER, 6)
    with walls.lifted("tests"):
        assert AuditEvent.objects.count() == before
    found = lines(caplog, "sign_in_failed", "sign_in_held_up")
    assert [line["user"] for line in found] == [None] * 6
    assert "stranger" not in caplog.text
    assert WRONG not in caplog.text


@pytest.mark.parametrize("times", [0, 5], ids=["wrong", "held up"])
def test_the_database_does_the_same_whoever_it_is(cast: Cast, times: int) -> None:
    """Also where an event is written: for an address of nobody it is taken back."""
    User.objects.filter(pk=cast.rae.user.pk).update(is_active=False)
    asked = []
    for n, address in enumerate((cast.mo.user.email, cast.rae.user.email, cast.nobody_yet.user.email, STRANGER)):
        guess(address, times, address=f"127.0.7.{n}")
        with CaptureQueriesContext(connection) as queries:
            guess(address, address=f"127.0.7.{n}")
        asked.append([query["sql"].split()[0] for query in queries])
        assert sum('INSERT INTO "workforce_auditevent"' in query["sql"] for query in queries) == 1
    assert len(asked[0]) == len(asked[1]) == len(asked[2]) == len(asked[3])


def test_a_wrong_code_and_codes_that_were_held_up(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    with_app(cast.mo.user)
    client = guess(cast.mo.user.email, password=PASSWORD)
    for _ in range(7):
        client.post(SECOND_STEP, {"code": "000000"})
    found = lines(caplog, "sign_in_failed", "sign_in_held_up")
    assert [line["why"] for line in found] == ["wrong_code"] * 5 + ["too_many_codes"] * 2
    assert {line["user"] for line in found} == {cast.mo.user.pk}
    assert kept() == [("Mo", "wrong_code")] * 5 + [("Mo", "too_many_codes")]
    assert "000000" not in caplog.text


def test_a_closed_account_with_its_right_password(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    User.objects.filter(pk=cast.mo.user.pk).update(is_active=False)
    guess(cast.mo.user.email, 2, password=PASSWORD)
    assert [line["why"] for line in lines(caplog, "sign_in_failed")] == ["account_closed"] * 2
    assert kept() == [("Mo", "account_closed")]


def test_a_passkey_that_is_none(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    passkey = with_passkey(cast.mo.user)
    rubbish = {"credential": '{"id": "a"}'}
    browser().post(reverse("mfa_login_webauthn"), rubbish)
    second = password_shown(cast.mo.user)
    for _ in range(2):
        second.post(SECOND_STEP, rubbish)
    found = lines(caplog, "sign_in_failed")
    assert [(line["why"], line["user"]) for line in found] == [
        ("wrong_passkey", None),  # whose it is nobody can know
        ("wrong_passkey", cast.mo.user.pk),
        ("wrong_passkey", cast.mo.user.pk),
    ]
    assert kept() == [("Mo", "wrong_passkey")]
    assert passkey_sign_in(browser(), passkey).status_code == 200
    assert len(lines(caplog, "sign_in_failed")) == 3


def test_confirming_with_a_wrong_password(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    cast.mo.client.post(CONFIRM, {"password": WRONG})
    [line] = lines(caplog, "sign_in_failed")
    assert (line["why"], line["user"], line["confirming"]) == ("wrong_password", cast.mo.user.pk, True)
    assert told(cast.mo)[0] == "Somebody tried to confirm that they are Mo Haddad and was refused: wrong password"


def test_the_owner_of_the_account_and_whoever_oversees_the_place_see_it(cast: Cast) -> None:
    guess(cast.asha.user.email, 6)
    with_app(cast.asha.user)
    guess(cast.asha.user.email, password=PASSWORD, address="127.0.6.3")  # held up: no second step
    sentences = [
        "Somebody tried to sign in as Asha Rahman and was refused: too many passwords",
        "Somebody tried to sign in as Asha Rahman and was refused: wrong password",
    ]
    for who in (cast.asha, cast.mo, cast.lee, cast.ann):
        assert [each for each in told(who) if each.startswith("Somebody")] == sentences
    assert not any("Asha" in each for each in told(cast.zed))
    assert "account.attempt" in trail.SHOWING_WHO


def test_pages_that_are_refused_are_lines(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    person = reverse("access_person", kwargs={"uuid": cast.asha.user.uuid})
    uuid = uuid4()
    cast.zed.client.get(person)  # there, and not his
    cast.zed.client.get(reverse("access_person", kwargs={"uuid": uuid}))  # not there
    cast.zed.client.post(reverse("access_end", kwargs=a_grant(cast)))
    cast.asha.client.get(reverse("access"))
    cast.asha.client.get("/no-such-page")
    cast.asha.client.get(reverse("account_factor_remove", args=[1234]))
    Client(enforce_csrf_checks=True).post(SIGN_IN, {"login": STRANGER, "password": WRONG})
    found = [(line["kind"], line["status"], line["page"], line["user"]) for line in lines(caplog, "refused")]
    zed, asha = cast.zed.user.pk, cast.asha.user.pk
    assert found == [
        ("record", 404, "access_person", zed),
        ("record", 404, "access_person", zed),
        ("record", 404, "access_end", zed),
        ("role", 403, "access", asha),
        ("record", 404, "account_factor_remove", asha),
        ("token", 403, "account_login", None),
    ]
    assert "stranger" not in caplog.text


def test_too_many_attempts_from_one_address_are_lines(cast: Cast, caplog: pytest.LogCaptureFixture) -> None:
    for n in range(31):
        guess(f"somebody{n}@example.org")
    assert lines(caplog, "refused")[-1]["kind"] == "too_many"
