"""One's own sessions, what ends them, what is mailed, and what whoever manages access can do for somebody."""

import re
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.contrib.sessions.models import Session
from django.core import mail
from django.core.exceptions import ValidationError
from django.test import Client, override_settings
from django.urls import reverse
from django.utils import timezone

from hwbc.kit.mail import _pool
from hwbc.workforce import factors, sign_in, walls
from hwbc.workforce.access import Refused
from hwbc.workforce.accounts import help_with_factors, help_with_password, sign_out_everywhere
from hwbc.workforce.actions import factors as actions
from hwbc.workforce.actions import invite
from hwbc.workforce.models import AuditEvent, SignIn, User
from hwbc.workforce.queries import sessions_of
from hwbc.workforce.roles import Role
from tests.cast import PASSWORD, SECRET, SETUP, Cast, Person, signed_in, with_app

pytestmark = pytest.mark.django_db

SECURITY = "/account/security"
NEW = "violet tractor opening"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CHROME = "Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


def arrive(person: Person, agent: str = FIREFOX, address: str = "203.0.113.9") -> Client:
    """Sign in as they do: a password, then a code of the app."""
    client = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
    client.post("/account/sign-in", {"login": person.user.email, "password": PASSWORD})
    with walls.lifted("tests"):  # each code holds once: here it has not been used
        for app in Authenticator.objects.filter(user=person.user, type=factors.APP):
            app.data = {**app.data, "last_step": 0}
            app.save()
    answer = client.post("/account/sign-in/second-step", {"code": factors.code_at(SECRET)})
    assert answer.headers["Location"] == "/"
    return client


@pytest.fixture
def mo(cast: Cast) -> Person:
    """With an authenticator app."""
    with_app(cast.mo.user)
    return cast.mo


def rows(person: Person) -> list[SignIn]:
    with walls.within(walls.Scope(person.user.pk)):
        return sessions_of(person.user.pk)


def words(client: Client) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", client.get(SECURITY).content.decode()))


def test_the_list_says_where_and_on_what_and_which_is_this_one(mo: Person) -> None:
    here, _ = arrive(mo), arrive(mo, CHROME, "2001:db8:5:6::7")
    page = words(here)
    assert "2 sessions" in page
    assert "Firefox on Linux (this one)" in page
    assert "Chrome on Windows" in page
    assert "203.0.113.x" in page
    assert "203.0.113.9" not in page
    assert "2001:db8:5::…" in page
    with walls.within(walls.NOBODY):
        assert not SignIn.objects.exists()  # the wall: nobody else's


def test_one_of_them_is_ended_and_never_somebody_elses(mo: Person, cast: Cast) -> None:
    here, there = arrive(mo), arrive(mo, CHROME)
    other = next(row for row in rows(mo) if row.device.startswith("Chrome"))
    with_app(cast.lee.user)
    lee = arrive(cast.lee)
    assert "has ended already" in lee.post(SECURITY, {"end": str(other.uuid)}, follow=True).content.decode()
    assert there.get("/").status_code == 200
    here.post(SECURITY, {"end": str(other.uuid)})
    assert there.get("/").status_code == 302
    assert here.get("/").status_code == 200
    assert [row.device for row in rows(mo)] == ["Firefox on Linux"]
    assert here.post(SECURITY, {"end": "nonsense"}).status_code == 404


def test_all_others_are_ended_and_this_one_goes_on(mo: Person) -> None:
    here, there = arrive(mo), arrive(mo, CHROME)
    nowhere_listed = signed_in(Client(), mo.user)
    here.post(SECURITY, {"end": "others"})
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == nowhere_listed.get("/").status_code == 302
    assert "1 session " in words(here)
    assert "(this one)" in words(here)  # though it has another key by now


def test_signing_out_takes_it_off_the_list(mo: Person) -> None:
    arrive(mo).post("/account/sign-out")
    assert rows(mo) == []


def test_a_new_password_ends_the_others(mo: Person) -> None:
    here, there = arrive(mo), arrive(mo, CHROME)
    mail.outbox.clear()
    sent = {"oldpassword": PASSWORD, "password1": NEW, "password2": NEW}
    assert here.post(reverse("account_change_password"), sent).status_code == 302
    assert here.get("/").status_code == 200
    assert there.get("/").status_code == 302
    assert [row.device for row in rows(mo)] == ["Firefox on Linux"]
    [message] = mail.outbox
    assert "password" in message.subject
    assert "203.0.113.x" in message.body
    assert "203.0.113.9" not in message.body
    assert NEW not in message.body


def test_a_factor_that_changes_ends_the_others(mo: Person) -> None:
    here, there = arrive(mo), arrive(mo, CHROME)
    here.post(SECURITY, {"codes": "new"})
    assert there.get("/").status_code == 302
    here.post("/account/security/codes")
    assert here.get("/").status_code == 200


def test_last_used_is_noted_now_and_then_and_not_on_every_request(mo: Person) -> None:
    here = arrive(mo)
    began = rows(mo)[0].seen_at
    here.get("/")
    assert rows(mo)[0].seen_at == began
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        here.get("/")
        assert rows(mo)[0].seen_at > began + timedelta(minutes=5)


def test_a_device_is_told_of_once(mo: Person) -> None:
    arrive(mo)  # the first of all: nothing to compare with
    arrive(mo, address="203.0.113.77")  # the same network
    assert mail.outbox == []
    arrive(mo, CHROME)
    [message] = mail.outbox
    assert message.to == [mo.user.email]
    assert message.subject.startswith("New sign-in")
    assert "Chrome on Windows" in message.body
    assert "203.0.113.x" in message.body
    assert "203.0.113.9" not in message.body
    arrive(mo, CHROME)
    assert len(mail.outbox) == 1
    with time_machine.travel(timezone.now() + timedelta(days=181), tick=False):
        arrive(mo)
        arrive(mo, CHROME)
    assert len(mail.outbox) == 2  # forgotten after half a year


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        (FIREFOX, "Firefox on Linux"),
        (CHROME, "Chrome on Windows"),
        (CHROME + " Edg/140.0", "Edge on Windows"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Safari/604.1", "Safari on iPhone"),
        ("", "A browser"),
    ],
)
def test_a_device_in_words(agent: str, device: str) -> None:
    assert sign_in.device(agent) == device


@pytest.mark.parametrize(
    ("address", "network"),
    [("203.0.113.9", "203.0.113.x"), ("2001:db8:5:6::7", "2001:db8:5::…"), ("unix", "unknown")],
)
def test_an_address_is_shortened(address: str, network: str) -> None:
    assert sign_in.network(address) == network


def test_mail_goes_beside_the_page(cast: Cast) -> None:
    with override_settings(MAIL_IN_BACKGROUND=True):
        Client().post(reverse("account_reset_password"), {"email": cast.mo.user.email})
        _pool.submit(int).result(10)
        _pool.submit(int).result(10)
    assert [message.to for message in mail.outbox] == [[cast.mo.user.email]]


def test_a_mail_server_that_is_away_stops_nobody(cast: Cast) -> None:
    with override_settings(EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend", EMAIL_PORT=1):
        answer = Client().post(reverse("account_reset_password"), {"email": cast.mo.user.email})
    assert answer.status_code == 302


# --- Help by whoever manages access -----------------------------------------------------------------------------------


def test_ending_all_sessions_of_somebody_acts_on_their_next_request(mo: Person, cast: Cast) -> None:
    sessions = [arrive(mo), arrive(mo, CHROME), signed_in(Client(), mo.user)]
    mail.outbox.clear()
    sign_out_everywhere(cast.lee.actor, mo.user)
    assert [message.subject.partition(":")[0] for message in mail.outbox] == ["You were signed out"]
    assert [client.get("/").status_code for client in sessions] == [302, 302, 302]
    assert rows(mo) == []
    assert not Session.objects.filter(session_key__in=[client.session.session_key for client in sessions[:2]]).exists()
    with walls.lifted("tests"):
        line = AuditEvent.objects.get(what="account.end_sessions")
    assert (line.user_id, line.record) == (cast.lee.user.pk, str(mo.user.uuid))


def test_factors_are_reset_with_the_password_and_set_up_anew(mo: Person, cast: Cast) -> None:
    session = arrive(mo)
    help_with_factors(cast.lee.actor, mo.user)
    assert not Authenticator.objects.filter(user=mo.user).exists()
    assert session.get("/").status_code == 302
    thief = Client()  # who knows the old password
    assert thief.post("/account/sign-in", {"login": mo.user.email, "password": PASSWORD}).status_code == 200
    assert [message.subject.partition(":")[0] for message in mail.outbox] == [
        "Your second factors were reset",
        "Choose a new password for Health and wellbeing coaches",
    ]
    link = re.search(r"http://[^/]+(/\S+)", str(mail.outbox[-1].body))
    assert link
    theirs = Client()
    form = theirs.get(link[1], follow=True).redirect_chain[-1][0]
    theirs.post(form, {"password1": NEW, "password2": NEW})
    theirs.post("/account/sign-in", {"login": mo.user.email, "password": NEW})
    assert theirs.get("/").headers["Location"] == "/account/second-factor"


def test_a_password_reset_is_started_and_nobody_sets_one(mo: Person, cast: Cast) -> None:
    help_with_password(cast.lee.actor, mo.user)
    [message] = mail.outbox
    assert message.to == [mo.user.email]
    assert "/account/password/choose/" in message.body
    assert User.objects.get(pk=mo.user.pk).check_password(PASSWORD)
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="account.start_password_reset", user=cast.lee.user).count() == 1


HELP: list[Any] = [actions.end_sessions, actions.start_password_reset, actions.reset_factors]


@pytest.mark.parametrize("help_with", HELP, ids=lambda action: action.__name__)
def test_only_whoever_gives_access_wherever_the_person_has_any(help_with: Any, cast: Cast) -> None:
    help_with(cast.mo.actor, user=cast.asha.user)
    help_with(cast.lee.actor, user=cast.asha.user)
    for other in (cast.zed, cast.asha, cast.ann, cast.nobody_yet):
        with pytest.raises((Refused, ValidationError)):
            help_with(other.actor, user=cast.rae.user)
    with pytest.raises(Refused):  # above Mo
        help_with(cast.mo.actor, user=cast.lee.user)
    cast.asha.given(Role.AUDITOR, cast.lakeside)
    with pytest.raises(Refused):  # elsewhere too
        help_with(cast.mo.actor, user=cast.asha.user)
    with pytest.raises(Refused):  # no access anywhere
        help_with(cast.mo.actor, user=cast.nobody_yet.user)


@pytest.mark.parametrize("help_with", HELP[1:], ids=lambda action: action.__name__)
def test_ones_own_is_changed_on_ones_own_page(help_with: Any, cast: Cast) -> None:
    with pytest.raises(ValidationError, match="Sign-in and security"):
        help_with(cast.mo.actor, user=cast.mo.user)


def test_closed_accounts_get_no_link(cast: Cast) -> None:
    User.objects.filter(pk=cast.asha.user.pk).update(is_active=False)
    with pytest.raises((Refused, ValidationError)):
        actions.start_password_reset(cast.mo.actor, user=User.objects.get(pk=cast.asha.user.pk))


def test_the_service_itself_may(cast: Cast) -> None:
    client = signed_in(Client(), cast.asha.user)
    actions.end_sessions(SETUP, user=cast.asha.user)
    assert client.get("/").status_code == 302
    assert invite(SETUP, email=cast.asha.user.email, name="Asha") == cast.asha.user
