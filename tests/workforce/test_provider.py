"""Signing in at an OpenID provider: a small one, asked over real HTTP. Who gets in, with what, and who does not."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from allauth.socialaccount.models import SocialAccount
from django.conf import settings as of_django
from django.core import mail
from django.core.cache import cache
from django.db import DatabaseError, connection, transaction
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from hwbc.kit.periods import today
from hwbc.workforce import oidc, sign_in, walls
from hwbc.workforce.actions import factors as factor_actions
from hwbc.workforce.factors import code_at
from hwbc.workforce.models import AuditEvent, Grant, SignIn, User
from hwbc.workforce.sign_in import How
from tests.cast import PASSWORD, SECRET, SETUP, Cast, set_up, signed_in, with_app
from tests.oidc_provider import CLIENT, Provider, provider
from tests.oidc_provider import SECRET as CLIENT_SECRET

pytestmark = pytest.mark.django_db

BEGIN, BACK = "/account/sign-in/provider", "/account/sign-in/provider/back"
SECOND_STEP = "/account/sign-in/second-step"


@pytest.fixture
def there(settings: Any) -> Iterator[Provider]:
    """A provider that the settings name, at which two factors are always asked for."""
    cache.clear()
    with provider(oidc.callback_url()) as running:
        settings.OIDC_NAME = "Somewhere"
        settings.OIDC_SERVER_URL = running.issuer
        settings.OIDC_CLIENT_ID, settings.OIDC_CLIENT_SECRET = CLIENT, CLIENT_SECRET
        settings.OIDC_ORIGINS = [running.issuer]
        settings.OIDC_SECOND_FACTOR = True
        yield running


def is_known_as(there: Provider, user: User, subject: str = "", **claims: Any) -> None:
    """Somebody signs in at the provider as this user, whose address it vouches for."""
    there.says = {"sub": subject or f"sub-{user.pk}", "email": user.email, "email_verified": True, **claims}


def gone(client: Client, there: Provider, next_page: str = "") -> str:
    """Pressed the button, signed in there: the address with which the browser comes back."""
    sent = client.post(BEGIN, {"next": next_page})
    assert sent.status_code == 302, sent.content.decode()
    back = there.visit(sent.headers["Location"])
    assert back.startswith(f"{of_django.BASE_URL}{BACK}?")
    return back.removeprefix(of_django.BASE_URL)


def sign_in_there(client: Client, there: Provider, next_page: str = "") -> Any:
    return client.get(gone(client, there, next_page))


def audit(user: User) -> list[tuple[str, str, dict[str, Any]]]:
    with walls.lifted("tests"):
        lines = AuditEvent.objects.filter(user=user).order_by("at", "pk")
        return list(lines.values_list("what", "outcome", "facts"))


def is_in(client: Client, user: User) -> bool:
    return str(user.pk) == client.session.get("_auth_user_id") and client.get("/service-status").status_code == 200


def nobody_is_in(client: Client) -> bool:
    return "_auth_user_id" not in client.session and client.get("/service-status").status_code == 302


def refused(answer: Any, status: int, sentence: str, client: Client) -> None:
    """One sentence, a way back, nobody in, and nothing of what went wrong inside."""
    text = answer.content.decode()
    assert answer.status_code == status, text
    assert sentence in text
    assert f'href="{reverse("account_login")}"' in text
    assert "Traceback" not in text
    assert "Error" not in text
    assert nobody_is_in(client)


# --- Who gets in ------------------------------------------------------------------------------------------------------


def test_without_settings_there_is_no_button_and_no_page(client: Client, cast: Cast) -> None:
    assert "Somewhere" not in client.get("/account/sign-in").content.decode()
    assert client.post(BEGIN).status_code == 404
    assert client.get(f"{BACK}?state=x&code=y").status_code == 404


def test_an_invited_person_gets_in_and_is_linked_once(client: Client, cast: Cast, there: Provider) -> None:
    mo = cast.mo.user
    is_known_as(there, mo, email=mo.email.upper())
    page = client.get("/account/sign-in?next=/flags").content.decode()
    assert "Sign in with Somewhere" in page
    assert page.count('name="next" value="/flags"') >= 2
    answer = sign_in_there(client, there, "/flags")
    assert answer.headers["Location"] == "/flags"
    assert is_in(client, mo)
    assert sign_in.how(client.session) is How.OIDC
    link = SocialAccount.objects.get()
    assert (link.user_id, link.provider, link.uid, link.extra_data) == (mo.pk, there.issuer, f"sub-{mo.pk}", {})
    with walls.within(walls.Scope(mo.pk)):
        assert [session.how for session in SignIn.objects.filter(user=mo)] == ["oidc"]
    [told] = mail.outbox
    assert told.to == [mo.email]
    assert "with Somewhere" in told.body

    again = Client()
    assert sign_in_there(again, there).headers["Location"] == "/"
    assert is_in(again, mo)
    assert SocialAccount.objects.count() == 1
    done = [(what, facts.get("how")) for what, outcome, facts in audit(mo)]
    assert done == [("account.link", None), ("account.sign_in", "oidc"), ("account.sign_in", "oidc")]
    assert [len(message.body) for message in mail.outbox] == [len(told.body)]


def test_what_is_asked_has_state_nonce_and_pkce_and_one_address(client: Client, cast: Cast, there: Provider) -> None:
    is_known_as(there, cast.mo.user)
    for _ in range(2):
        gone(client, there)
    first, second = there.asked
    for name in ("state", "nonce", "code_challenge"):
        assert len(first[name]) >= 16
        assert first[name] != second[name]
    assert first["code_challenge_method"] == "S256"
    assert first["response_type"] == "code"
    assert set(first["scope"].split()) == {"openid", "profile", "email"}
    assert first["redirect_uri"] == second["redirect_uri"] == f"{of_django.BASE_URL}{BACK}"


def test_the_browser_chooses_nothing_of_what_is_asked(client: Client, cast: Cast, there: Provider) -> None:
    chosen = "?scope=admin&auth_params=prompt%3Dnone&process=connect&action=rerequest"
    sent = client.post(f"{BEGIN}{chosen}", {"next": "https://evil.example/"}, headers={"host": "localhost"})
    asked = parse_qs(urlsplit(sent.headers["Location"]).query)
    assert set(asked) == {
        "client_id", "redirect_uri", "scope", "response_type", "state", "code_challenge", "code_challenge_method",
        "nonce",
    }  # fmt: skip
    assert "admin" not in asked["scope"][0]
    assert asked["redirect_uri"] == [f"{of_django.BASE_URL}{BACK}"]
    is_known_as(there, cast.mo.user)
    back = there.visit(sent.headers["Location"]).removeprefix(of_django.BASE_URL)
    assert client.get(back).headers["Location"] == "/"


def test_signing_in_begins_with_a_post_that_is_ours(cast: Cast, there: Provider) -> None:
    client = Client(enforce_csrf_checks=True)
    assert client.get(BEGIN).headers["Location"] == reverse("account_login")
    assert client.post(BEGIN).status_code == 403
    assert there.asked == []
    assert there.fetched == []


def test_whoever_is_in_is_sent_home_and_stays_who_they_are(cast: Cast, there: Provider) -> None:
    is_known_as(there, cast.lee.user)
    back = gone(client := Client(), there)
    signed_in(client, cast.mo.user)
    assert client.get(back).headers["Location"] == "/"
    assert client.post(BEGIN).headers["Location"] == "/"
    assert is_in(client, cast.mo.user)
    assert not SocialAccount.objects.exists()


def test_a_session_with_a_password_alone_ends_where_somebody_signs_in_there(cast: Cast, there: Provider) -> None:
    client = signed_in(Client(), cast.mo.user, How.PASSWORD)
    is_known_as(there, cast.lee.user)
    sign_in_there(client, there)
    assert is_in(client, cast.lee.user)


def test_also_where_the_password_was_shown_meanwhile(cast: Cast, there: Provider) -> None:
    is_known_as(there, cast.lee.user)
    back = gone(client := Client(), there)
    signed_in(client, cast.mo.user, How.PASSWORD)
    assert client.get(back).headers["Location"] == "/"
    assert is_in(client, cast.lee.user)
    assert sign_in.how(client.session) is How.OIDC


@pytest.mark.parametrize(
    "claims",
    [
        {"email": "stranger@example.org"},
        {"email_verified": False},
        {"email_verified": None},
        {"email_verified": "false"},
        {"email_verified": 1.5},
        {"email": ["mo.haddad@example.org"]},
        {"email": "mo.haddad@example.org\x00"},
        {"email": "mo.haddad@\u212a.example.org"},
        {"email": ""},
    ],
    ids=str,
)
def test_nobody_else_gets_in(client: Client, cast: Cast, there: Provider, claims: dict[str, Any]) -> None:
    is_known_as(there, cast.mo.user, **claims)
    before = User.objects.count()
    refused(sign_in_there(client, there), 403, "Ask whoever invited you", client)
    assert User.objects.count() == before
    assert not SocialAccount.objects.exists()
    assert mail.outbox == []


def test_letters_that_only_become_an_address_open_nothing(client: Client, cast: Cast, there: Provider) -> None:
    kim = cast.asha.user
    User.objects.filter(pk=kim.pk).update(email="kim@example.org")
    is_known_as(there, kim, email="\u212aim@example.org")  # the kelvin sign, small, is a k
    assert "\u212aim@example.org".lower() == "kim@example.org"
    refused(sign_in_there(client, there), 403, "Ask whoever invited you", client)


def test_an_address_that_is_not_said_to_be_verified(client: Client, cast: Cast, there: Provider, settings: Any) -> None:
    is_known_as(there, cast.mo.user)
    del there.says["email_verified"]
    refused(sign_in_there(client, there), 403, "Ask whoever invited you", client)
    settings.OIDC_TRUST_EMAIL = True
    there.says["email_verified"] = False  # said not to be: no setting makes it so
    refused(sign_in_there(client, there), 403, "Ask whoever invited you", client)
    del there.says["email_verified"]
    sign_in_there(client, there)
    assert is_in(client, cast.mo.user)


def test_the_address_may_stand_where_the_provider_is_asked(client: Client, cast: Cast, there: Provider) -> None:
    there.says = {"sub": "mo"}
    there.more = {"email": cast.mo.user.email, "email_verified": True, "sub": "another"}
    refused(sign_in_there(client, there), 400, "could not be checked", client)
    there.more["sub"] = "mo"
    sign_in_there(client, there)
    assert is_in(client, cast.mo.user)


def test_a_closed_account_stays_closed_and_its_refusal_is_kept(client: Client, cast: Cast, there: Provider) -> None:
    mo = cast.mo.user
    is_known_as(there, mo)
    User.objects.filter(pk=mo.pk).update(is_active=False)
    refused(sign_in_there(client, there), 403, "Ask whoever invited you", client)
    assert not SocialAccount.objects.exists()
    assert audit(mo) == [("account.link", "refused", {"refused": "closed"})]

    User.objects.filter(pk=mo.pk).update(is_active=True)
    sign_in_there(client, there)
    assert is_in(client, mo)
    User.objects.filter(pk=mo.pk).update(is_active=False)
    other = Client()
    refused(sign_in_there(other, there), 403, "Ask whoever invited you", other)


def test_a_link_does_not_move_with_an_address(client: Client, cast: Cast, there: Provider) -> None:
    mo, lee = cast.mo.user, cast.lee.user
    is_known_as(there, mo, "first")
    sign_in_there(client, there)
    is_known_as(there, lee, "first")  # their address there is Lee's now: they are still Mo
    sign_in_there(second := Client(), there)
    assert is_in(second, mo)
    is_known_as(there, mo, "second")  # somebody else has got Mo's address
    third = Client()
    refused(sign_in_there(third, there), 403, "Ask whoever invited you", third)
    assert audit(mo)[-1] == ("account.link", "refused", {"refused": "linked"})
    assert list(SocialAccount.objects.values_list("user_id", "uid")) == [(mo.pk, "first")]
    is_known_as(there, lee, "third")
    sign_in_there(fourth := Client(), there)
    assert is_in(fourth, lee)


def test_the_same_subject_at_another_issuer_is_somebody_else(client: Client, cast: Cast, there: Provider) -> None:
    SocialAccount.objects.create(user=cast.lee.user, provider="https://elsewhere.example", uid="same", extra_data={})
    is_known_as(there, cast.mo.user, "same")
    sign_in_there(client, there)
    assert is_in(client, cast.mo.user)


def test_helping_with_factors_takes_the_link_too(client: Client, cast: Cast, there: Provider) -> None:
    mo = cast.mo.user
    is_known_as(there, mo, "first")
    sign_in_there(client, there)
    factor_actions.reset_factors(cast.lee.actor, user=mo)
    assert not SocialAccount.objects.exists()
    assert nobody_is_in(client)
    is_known_as(there, mo, "second")
    sign_in_there(client, there)
    assert is_in(client, mo)


def test_a_link_is_never_changed_and_tokens_have_no_place(cast: Cast) -> None:
    for statement in (
        "update socialaccount_socialaccount set user_id = user_id",
        "select * from socialaccount_socialtoken",
        "insert into socialaccount_socialtoken (token, token_secret, account_id) values ('x', 'x', 1)",
        "select * from socialaccount_socialapp",
    ):
        with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():  # noqa: SIM117
            with connection.cursor() as cursor:
                cursor.execute(statement)


# --- With what --------------------------------------------------------------------------------------------------------


def asks_for_passkeys(cast: Cast) -> None:
    with walls.lifted("tests"):
        factor_actions.set_sign_in_rules(
            SETUP, organisation=cast.riverside, passkey_from=today(), version=cast.riverside.version
        )  # fmt: skip


@pytest.mark.parametrize(
    ("setting", "claims", "how"),
    [
        (False, {"amr": ["pwd", "mfa"]}, How.OIDC),
        (True, {"amr": ["pwd"]}, How.OIDC),
        (True, {}, How.OIDC),
        (True, {"amr": ["fido"]}, How.OIDC_RESISTANT),
        (True, {"acr": "phr"}, How.OIDC_RESISTANT),
        (False, {"amr": ["fido", "mfa"]}, How.OIDC_RESISTANT),
        (False, {"amr": "mfa", "acr": "phr"}, How.OIDC_RESISTANT),
        (False, {"amr": ["fido"]}, How.OIDC_ALONE),
        (False, {"amr": ["pwd"]}, How.OIDC_ALONE),
        (False, {}, How.OIDC_ALONE),
        (False, {"amr": None, "acr": None}, How.OIDC_ALONE),
    ],
    ids=str,
)
def test_how_it_counts(
    client: Client, cast: Cast, there: Provider, settings: Any, setting: bool, claims: dict[str, Any], how: How
) -> None:
    settings.OIDC_SECOND_FACTOR, settings.OIDC_PHISHING_RESISTANT_AMR = setting, ["fido", "phr"]
    is_known_as(there, cast.mo.user, **claims)
    sign_in_there(client, there)
    assert sign_in.how(client.session) is how
    opened = client.get("/service-status")
    assert (opened.status_code == 200) == (how is not How.OIDC_ALONE)
    asks_for_passkeys(cast)
    assert (client.get("/service-status").status_code == 200) == (how is How.OIDC_RESISTANT)


def test_our_second_factor_is_asked_where_the_provider_asks_none(
    client: Client, cast: Cast, there: Provider, settings: Any
) -> None:
    mo = cast.mo.user
    with_app(mo)
    is_known_as(there, mo)
    settings.OIDC_SECOND_FACTOR = False
    answer = sign_in_there(client, there, "/flags")
    assert answer.headers["Location"] == SECOND_STEP
    assert nobody_is_in(client)
    assert client.post(SECOND_STEP, {"code": "000000"}).status_code == 200
    assert nobody_is_in(client)
    answer = client.post(SECOND_STEP, {"code": code_at(SECRET)})
    assert answer.headers["Location"] == "/flags"
    assert is_in(client, mo)
    assert sign_in.how(client.session) is How.OIDC_TOTP

    settings.OIDC_SECOND_FACTOR = True  # and not where it does
    sign_in_there(again := Client(), there)
    assert is_in(again, mo)
    assert sign_in.how(again.session) is How.OIDC


def test_the_last_first_step_counts(client: Client, cast: Cast, there: Provider, settings: Any) -> None:
    """Begun with a password, broken off at the second step, then begun there: what counts is the last first step."""
    mo = cast.mo.user
    with_app(mo)
    is_known_as(there, mo)
    settings.OIDC_SECOND_FACTOR = False
    assert client.post("/account/sign-in", {"login": mo.email, "password": PASSWORD}).headers["Location"] == SECOND_STEP
    assert sign_in_there(client, there).headers["Location"] == SECOND_STEP
    client.post(SECOND_STEP, {"code": code_at(SECRET)})
    assert sign_in.how(client.session) is How.OIDC_TOTP
    records = [{"method": "socialaccount", "how": "oidc"}, {"method": "password"}]
    assert sign_in.by_records(records) is How.PASSWORD
    assert sign_in.by_records(reversed(records)) is How.OIDC
    assert sign_in.by_records([*records, {"method": "password", "reauthenticated": True}]) is How.PASSWORD


def test_whoever_has_no_second_factor_sets_one_up(client: Client, cast: Cast, there: Provider, settings: Any) -> None:
    is_known_as(there, cast.mo.user)
    settings.OIDC_SECOND_FACTOR = False
    sign_in_there(client, there)
    assert client.get("/service-status").headers["Location"] == reverse("account_second_factor")
    set_up(client)
    assert is_in(client, cast.mo.user)
    assert sign_in.how(client.session) is How.OIDC_TOTP


def test_what_matters_is_confirmed_by_signing_in_again(client: Client, cast: Cast, there: Provider) -> None:
    """Nobody who came by the provider alone has a password or a code to confirm with."""
    mo = cast.mo.user
    mo.set_unusable_password()
    mo.save()
    is_known_as(there, mo)
    sign_in_there(client, there)
    page = reverse("account_app_add")
    assert client.get(page).status_code == 200
    with time_machine.travel(timezone.now() + timedelta(minutes=6), tick=False):
        answer = client.get(page)
        assert answer.headers["Location"] == f"{reverse('account_login')}?next={page.replace('/', '%2F')}"
        assert nobody_is_in(client)
        assert "Sign in again first" in client.get(answer.headers["Location"]).content.decode()
        assert sign_in_there(client, there, page).headers["Location"] == page
        assert client.get(page).status_code == 200


# --- What goes wrong --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lie", "status", "sentence"),
    [
        ("denies", 400, "Somewhere did not sign you in"),
        ("fails", 400, "Somewhere did not sign you in"),
        ("signature", 400, "could not be checked"),
        ("no signature", 400, "could not be checked"),
        ("a secret", 400, "could not be checked"),
        ("nonsense", 400, "could not be checked"),
        ("key", 400, "could not be checked"),
        ("issuer", 400, "could not be checked"),
        ("audience", 400, "could not be checked"),
        ("several audiences", 400, "could not be checked"),
        ("expired", 400, "could not be checked"),
        ("nonce", 400, "could not be checked"),
        ("no nonce", 400, "could not be checked"),
        ("another issuer", 400, "could not be checked"),
        ("breaks", 502, "cannot be reached"),
    ],
)
def test_what_a_provider_must_not_say(
    client: Client, cast: Cast, there: Provider, lie: str, status: int, sentence: str
) -> None:
    is_known_as(there, cast.mo.user)
    sent = client.post(BEGIN).headers["Location"]
    there.lies = {lie}
    back = there.visit(sent).removeprefix(of_django.BASE_URL)
    refused(client.get(back), status, sentence, client)
    assert not SocialAccount.objects.exists()
    there.lies = set()
    sign_in_there(client, there)  # nothing of it stays
    assert is_in(client, cast.mo.user)


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/jwks", "/userinfo"])
def test_a_provider_that_sends_the_service_elsewhere_is_not_followed(
    client: Client, cast: Cast, there: Provider, path: str
) -> None:
    is_known_as(there, cast.mo.user)
    there.more = {name: there.says.pop(name) for name in ("email", "email_verified") if name in there.says}
    sent = client.post(BEGIN).headers["Location"]
    there.lies = {f"moves {path}"}
    back = there.visit(sent).removeprefix(of_django.BASE_URL)
    refused(client.get(back), 502, "cannot be reached", client)
    assert there.fetched[-1] == path
    there.lies = set()
    sign_in_there(client, there)
    assert is_in(client, cast.mo.user)


@pytest.mark.parametrize("subject", [None, 7, "", "x" * 192, "a\x00b", ["mo"]], ids=str)
def test_a_subject_is_a_short_text(client: Client, cast: Cast, there: Provider, subject: Any) -> None:
    is_known_as(there, cast.mo.user)
    there.says["sub"] = subject
    refused(sign_in_there(client, there), 400, "could not be checked", client)


def test_an_answer_is_taken_once(client: Client, cast: Cast, there: Provider) -> None:
    is_known_as(there, cast.mo.user)
    back = gone(client, there)
    assert client.get(back).status_code == 302
    client.post(reverse("account_logout"))
    refused(client.get(back), 400, "has been used already", client)


def test_a_code_that_was_used_in_another_browser(client: Client, cast: Cast, there: Provider) -> None:
    """Also where the state is right: a code that was caught is worth nothing without what only its browser has."""
    is_known_as(there, cast.mo.user)
    code = parse_qs(urlsplit(gone(client, there)).query)["code"][0]
    other = Client()
    state = parse_qs(urlsplit(gone(other, there)).query)["state"][0]
    refused(other.get(BACK, {"state": state, "code": code}), 400, "was begun in another browser", other)


@pytest.mark.parametrize("query", [{}, {"state": ""}, {"state": "made-up", "code": "x"}, {"code": "x"}], ids=str)
def test_a_state_that_is_nobodys(client: Client, cast: Cast, there: Provider, query: dict[str, str]) -> None:
    gone(client, there)
    refused(client.get(BACK, query), 400, "was begun in another browser", client)
    assert "/token" not in there.fetched


def test_an_answer_that_was_meant_for_another_browser(client: Client, cast: Cast, there: Provider) -> None:
    """Nobody is signed in as somebody else by a link that they are sent."""
    is_known_as(there, cast.lee.user)
    link = gone(Client(), there)
    refused(client.get(link), 400, "was begun in another browser", client)


def test_after_ten_minutes_one_begins_anew(client: Client, cast: Cast, there: Provider) -> None:
    is_known_as(there, cast.mo.user)
    back = gone(client, there)
    with time_machine.travel(timezone.now() + timedelta(seconds=601), tick=False):
        refused(client.get(back), 400, "took too long", client)


def test_a_provider_that_is_away(client: Client, cast: Cast, there: Provider) -> None:
    is_known_as(there, cast.mo.user)
    back = gone(client, there)
    there.close()
    refused(client.get(back), 502, "cannot be reached", client)
    refused(client.post(BEGIN), 502, "cannot be reached", client)


@pytest.mark.parametrize(
    ("lie", "status"), [("breaks", 502), ("another issuer", 400), ("another origin", 502)], ids=str
)
def test_a_provider_that_is_not_what_the_settings_say(
    client: Client, cast: Cast, there: Provider, lie: str, status: int
) -> None:
    there.lies = {lie}
    answer = client.post(BEGIN)
    assert answer.status_code == status
    assert there.asked == []


def test_a_wrong_secret_of_ours(client: Client, cast: Cast, there: Provider, settings: Any) -> None:
    is_known_as(there, cast.mo.user)
    settings.OIDC_CLIENT_SECRET = "another"
    refused(sign_in_there(client, there), 502, "cannot be reached", client)


def test_pressing_the_button_again_and_again_is_held_up(client: Client, cast: Cast, there: Provider) -> None:
    assert {client.post(BEGIN).status_code for _ in range(30)} == {302}
    assert client.post(BEGIN).status_code == 429


def test_somebody_without_a_role_gets_in_and_reaches_nothing(client: Client, cast: Cast, there: Provider) -> None:
    with walls.lifted("tests"):
        Grant.objects.filter(user=cast.mo.user).update(revoked_at=timezone.now())
    is_known_as(there, cast.mo.user)
    sign_in_there(client, there)
    assert client.get("/access").status_code == 403


# --- Settings ---------------------------------------------------------------------------------------------------------

ALL = {
    "OIDC_NAME": "NHSmail",
    "OIDC_SERVER_URL": "https://login.example.org/tenant/v2.0/",
    "OIDC_CLIENT_ID": "id",
    "OIDC_CLIENT_SECRET": "secret",
}
_SAY = "from hwbc import settings as s; print(s.CONTENT_SECURITY_POLICY['DIRECTIVES']['form-action'])"


def settings_say(variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    env = {name: value for name, value in os.environ.items() if not name.startswith("OIDC_")}
    return subprocess.run(
        [sys.executable, "-c", _SAY],
        env={**env, "HWBC_LOCAL": "true", **variables},
        cwd=of_django.BASE_DIR,
        capture_output=True,
        text=True,
        check=False,
    )


def test_forms_may_lead_to_the_provider_only_where_one_is_named() -> None:
    assert settings_say({}).stdout == "[\"'self'\"]\n"
    assert settings_say(ALL).stdout == "[\"'self'\", 'https://login.example.org']\n"
    more = settings_say({**ALL, "OIDC_MORE_ORIGINS": "https://a.example,https://b.example"}).stdout
    assert more == "[\"'self'\", 'https://login.example.org', 'https://a.example', 'https://b.example']\n"


@pytest.mark.parametrize("absent", list(ALL))
def test_settings_in_part_say_what_is_missing(absent: str) -> None:
    done = settings_say({**ALL, absent: ""})
    assert done.returncode != 0
    assert f"in part: {absent} not set. Set all four" in done.stderr


def test_an_issuer_is_asked_by_https_or_on_this_machine() -> None:
    assert "has to begin with https://" in settings_say({**ALL, "OIDC_SERVER_URL": "http://login.example.org"}).stderr
    assert settings_say({**ALL, "OIDC_SERVER_URL": "http://127.0.0.1:9"}).returncode == 0
    assert "too long" in settings_say({**ALL, "OIDC_SERVER_URL": f"https://login.example.org/{'x' * 200}"}).stderr
