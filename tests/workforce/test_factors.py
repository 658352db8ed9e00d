"""Second factors: nothing opens without one, each code holds once, guesses are held up, passkeys sign in alone."""

import json
import re
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.contrib.auth.password_validation import CommonPasswordValidator, get_default_password_validators
from django.core import mail
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from hwbc.kit.periods import today
from hwbc.workforce import factors, sign_in, walls
from hwbc.workforce.accounts import invitation_link
from hwbc.workforce.actions import factors as actions
from hwbc.workforce.models import AuditEvent, User
from hwbc.workforce.sign_in import How
from tests.cast import PASSWORD, SECRET, SETUP, Cast, set_up, signed_in, with_app
from tests.passkeys import Passkey
from tests.races import at_once

pytestmark = pytest.mark.django_db

SECOND_STEP = "/account/sign-in/second-step"
PAGE = "/service-status"


def browser(**extra: Any) -> Client:
    """One that asks for the service by a name, as passkeys need."""
    return Client(SERVER_NAME="localhost", **extra)


def password_shown(user: User, client: Client | None = None, next_page: str = "") -> Client:
    client = client or browser()
    answer = client.post("/account/sign-in", {"login": user.email, "password": PASSWORD, "next": next_page})
    assert answer.status_code == 302
    return client


def later(seconds: float) -> Any:
    return time_machine.travel(timezone.now() + timedelta(seconds=seconds), tick=False)


def options_in(client: Client, page: str) -> dict[str, Any]:
    found = re.search(r'data-options="([^"]*)"', client.get(page).content.decode())
    assert found, page
    return dict(json.loads(found[1].replace("&quot;", '"')))


def add_passkey(client: Client) -> Passkey:
    passkey = Passkey()
    page = reverse("account_passkey_add")
    answer = client.post(page, {"name": "Laptop", "credential": json.dumps(passkey.create(options_in(client, page)))})
    assert answer.status_code == 302
    return passkey


def with_passkey(user: User) -> Passkey:
    """Somebody's passkey, made in another browser, whose recovery codes they have kept."""
    client = signed_in(browser(), user)
    passkey = add_passkey(client)
    client.post(reverse("account_codes"))
    return passkey


def passkey_sign_in(client: Client, passkey: Passkey, **changes: Any) -> Any:
    address = reverse("mfa_login_webauthn")
    options = client.get(address, headers={"accept": "application/json"}).json()["request_options"]
    credential = passkey.get(options, **changes)
    return client.post(address, {"credential": json.dumps(credential)}, follow=True)


# --- Nothing opens without one ----------------------------------------------------------------------------------------


def test_a_password_alone_opens_nothing_but_the_way_to_a_second_factor(cast: Cast) -> None:
    client = password_shown(cast.mo.user)
    for page in ("/", "/coaches", "/access", "/coaches/export", "/account/security", "/account/password"):
        assert client.get(page).headers["Location"] == "/account/second-factor", page
    assert client.post(reverse("access_invite"), {"email": "x@example.org"}).status_code == 302
    assert client.get("/account/second-factor").status_code == 200
    assert client.get("/health/live").status_code == 200
    assert client.get("/account/security/codes").headers["Location"] == "/account/security"
    assert client.get("/account/security/codes.txt").status_code == 404
    assert client.post("/account/sign-out").status_code == 302
    assert client.get("/").headers["Location"].startswith("/account/sign-in")


def test_a_session_of_which_nothing_is_known_opens_nothing(cast: Cast, client: Client) -> None:
    client.force_login(cast.mo.user)
    assert client.get("/").headers["Location"] == "/account/second-factor"


def test_setting_up_leads_over_the_codes_to_the_page_that_was_asked_for(cast: Cast) -> None:
    client = password_shown(cast.mo.user)
    client.get(PAGE)
    page = client.get("/account/security/app").content.decode()
    secret = str(client.session["mfa.totp.secret"])
    assert secret[:4] in page
    assert "<svg" in page
    wrong = client.post("/account/security/app", {"code": "000000"}).content.decode()
    assert "not the code that the app shows now" in wrong
    assert secret[:4] in wrong  # the same key: it is in the app by now
    assert client.post("/account/security/app", {"code": factors.code_at(secret)}).headers["Location"] == (
        "/account/security/codes"
    )
    assert client.get("/coaches").headers["Location"] == "/account/security/codes"  # shown before anything else opens
    shown = re.findall(r"\b\d{4} \d{4}\b", client.get("/account/security/codes").content.decode())
    assert len(set(shown)) == 10
    file = client.get("/account/security/codes.txt")
    assert all(code in file.content.decode() for code in shown)
    assert "attachment" in file.headers["Content-Disposition"]
    client.get(PAGE)
    assert client.post("/account/security/codes").headers["Location"] == PAGE
    assert client.get(PAGE).status_code == 200
    assert client.get("/account/security/codes").status_code == 302  # once
    assert client.get("/account/security/codes.txt").status_code == 404
    subjects = [message.subject for message in mail.outbox]
    assert [subject.partition(":")[0] for subject in subjects] == ["Authenticator app added"]
    assert secret not in str(mail.outbox[0].body)


def test_who_knows_the_password_alone_cannot_add_a_factor_of_their_own(cast: Cast) -> None:
    thief = password_shown(cast.mo.user)  # before there is a factor
    with_app(cast.mo.user)
    for page in ("/account/security/app", "/account/security/passkey", "/account/second-factor"):
        assert thief.get(page).headers["Location"] in ("/account/sign-in", f"/account/sign-in?next={page}")
    assert Authenticator.objects.filter(user=cast.mo.user).count() == 1


def test_adding_the_first_factor_ends_the_other_sessions(cast: Cast) -> None:
    thief, mo = password_shown(cast.mo.user), password_shown(cast.mo.user)
    set_up(mo)
    assert mo.get("/").status_code == 200
    assert thief.get("/account/second-factor").headers["Location"].startswith("/account/sign-in")


# --- Codes ------------------------------------------------------------------------------------------------------------


def test_a_code_of_the_app_signs_in_once(cast: Cast) -> None:
    with_app(cast.mo.user)
    client = password_shown(cast.mo.user, next_page=PAGE)
    assert client.get("/").headers["Location"].startswith("/account/sign-in")  # not signed in before the second step
    assert "Use your passkey" not in client.get(SECOND_STEP).content.decode()
    code = factors.code_at(SECRET)
    assert client.post(SECOND_STEP, {"code": code}).headers["Location"] == PAGE
    assert sign_in.how(client.session) is How.TOTP
    assert client.get(PAGE).status_code == 200

    again = password_shown(cast.mo.user)
    assert escape(factors.WRONG_CODE) in again.post(SECOND_STEP, {"code": code}).content.decode()
    with later(31):
        assert escape(factors.WRONG_CODE) in again.post(SECOND_STEP, {"code": code}).content.decode()
        assert again.post(SECOND_STEP, {"code": factors.code_at(SECRET)}).status_code == 302


def test_the_code_with_which_the_app_was_added_is_used_up(cast: Cast) -> None:
    secret = set_up(password_shown(cast.mo.user))
    again = password_shown(cast.mo.user)
    assert escape(factors.WRONG_CODE) in again.post(SECOND_STEP, {"code": factors.code_at(secret)}).content.decode()


def test_a_recovery_code_signs_in_once_and_says_how_many_are_left(cast: Cast) -> None:
    set_up(password_shown(cast.mo.user))
    codes = factors.codes_of(cast.mo.user)
    for used, code in enumerate(codes[:8], start=1):
        client = password_shown(cast.mo.user)
        page = client.post(SECOND_STEP, {"code": f"{code[:4]} {code[4:]}"}, follow=True).content.decode()
        assert f"have {10 - used} left" in page
        assert ("Make new ones" in page) == (10 - used <= 3)
        assert sign_in.how(client.session) is How.RECOVERY
    again = password_shown(cast.mo.user)
    assert escape(factors.WRONG_CODE) in again.post(SECOND_STEP, {"code": codes[0]}).content.decode()


def test_five_wrong_codes_in_five_minutes_however_many_addresses_and_never_longer(cast: Cast) -> None:
    with_app(cast.mo.user)
    clients = [password_shown(cast.mo.user, browser(REMOTE_ADDR=f"127.0.1.{n}")) for n in range(7)]
    for client in clients[:5]:
        assert escape(factors.WRONG_CODE) in client.post(SECOND_STEP, {"code": "000000"}).content.decode()
    page = clients[5].post(SECOND_STEP, {"code": factors.code_at(SECRET)}).content.decode()
    assert escape(factors.TOO_MANY) in page
    with later(5 * 60 + 1):
        assert clients[6].post(SECOND_STEP, {"code": factors.code_at(SECRET)}).status_code == 302


def test_recovery_codes_are_guessed_no_faster(cast: Cast) -> None:
    set_up(password_shown(cast.mo.user))
    client = password_shown(cast.mo.user)
    for _ in range(5):
        client.post(SECOND_STEP, {"code": "12345678"})
    right = factors.codes_of(cast.mo.user)[0]
    assert escape(factors.TOO_MANY) in client.post(SECOND_STEP, {"code": right}).content.decode()
    assert right in factors.codes_of(cast.mo.user)


def test_a_right_code_in_between_clears_nobodys_count(cast: Cast) -> None:
    """Neither the account's wrong guesses nor the address's."""
    for person in (cast.mo, cast.lee):
        with_app(person.user)
    mo, lee = password_shown(cast.mo.user), password_shown(cast.lee.user)
    for _ in range(4):
        mo.post(SECOND_STEP, {"code": "000000"})
    assert mo.post(SECOND_STEP, {"code": factors.code_at(SECRET)}).status_code == 302
    again = password_shown(cast.mo.user)
    assert escape(factors.WRONG_CODE) in again.post(SECOND_STEP, {"code": "000000"}).content.decode()
    assert escape(factors.TOO_MANY) in again.post(SECOND_STEP, {"code": "000000"}).content.decode()
    assert lee.post(SECOND_STEP, {"code": factors.code_at(SECRET)}).status_code == 302  # others go on


def test_passwords_are_held_up_however_many_addresses_and_passkeys_are_not(cast: Cast) -> None:
    passkey = with_passkey(cast.mo.user)
    for n in range(5):
        # Whatever address, host and port they ask for, and however they spell it.
        guesser = Client(REMOTE_ADDR=f"127.0.2.{n}", HTTP_HOST=f"localhost:{8000 + n}")
        login = cast.mo.user.email.upper() if n % 2 else f" {cast.mo.user.email}"
        guesser.post("/account/sign-in", {"login": login, "password": "wrong"})
    for n in range(400):  # made-up addresses push no count out
        cache.set(f"another{n}", 1, 300)
    right = {"login": cast.mo.user.email, "password": PASSWORD}
    assert "too many attempts" in browser(REMOTE_ADDR="127.0.3.1").post("/account/sign-in", right).content.decode()
    owner = browser(REMOTE_ADDR="127.0.3.2")
    assert passkey_sign_in(owner, passkey).status_code == 200
    assert owner.get(PAGE).status_code == 200
    # A new password by the link works too, and lets in at once.
    link = invitation_link(User.objects.get(pk=cast.mo.user.pk)).partition("account/")[2]
    reset = browser(REMOTE_ADDR="127.0.3.4")
    form = reset.get(f"/account/{link}", follow=True).redirect_chain[-1][0]
    reset.post(form, {"password1": "violet tractor opening", "password2": "violet tractor opening"})
    new = {"login": cast.mo.user.email, "password": "violet tractor opening"}
    assert reset.post("/account/sign-in", new).headers["Location"] == SECOND_STEP
    with later(5 * 60 + 1):
        late = browser(REMOTE_ADDR="127.0.3.3").post("/account/sign-in", new)
        assert late.headers["Location"] == SECOND_STEP


def test_what_is_stored_says_no_secret(cast: Cast) -> None:
    secret = set_up(password_shown(cast.mo.user))
    codes = factors.codes_of(cast.mo.user)
    stored = json.dumps(list(Authenticator.objects.filter(user=cast.mo.user).values_list("data", flat=True)))
    assert secret not in stored
    assert not any(code in stored for code in codes)
    with override_settings(MFA_KEYS=["another"]), pytest.raises(RuntimeError, match="MFA_KEY"):
        factors.codes_of(cast.mo.user)


def encrypted_again() -> str:
    output = StringIO()
    call_command("encrypt_again", stdout=output)
    return output.getvalue()


def test_a_new_key_takes_the_place_of_the_old(cast: Cast) -> None:
    with override_settings(MFA_KEYS=["old"]):
        client = password_shown(cast.mo.user)
        secret = set_up(client)
        codes = factors.codes_of(cast.mo.user)
    with override_settings(MFA_KEYS=["new", "old"]):  # both: what the old one stored can be read
        assert factors.codes_of(cast.mo.user) == codes
        with_app(cast.lee.user)
        assert encrypted_again().startswith("3 second factors encrypted")
        assert encrypted_again().startswith("3 second factors encrypted")  # twice changes nothing
    with override_settings(MFA_KEYS=["new"]):
        assert factors.codes_of(cast.mo.user) == codes
        stored = Authenticator.objects.get(user=cast.mo.user, type=factors.APP).data["secret"]
        assert decrypt(stored) == secret
    with override_settings(MFA_KEYS=["old"]), pytest.raises(RuntimeError, match="MFA_KEY"):
        factors.codes_of(cast.mo.user)
    with walls.lifted("tests"):
        line = AuditEvent.objects.filter(what="factor.encrypt_again").latest("at")
    assert (line.by, line.facts) == ("encrypt_again", {"factors": 3})


def test_where_a_key_is_missing_nothing_is_changed(cast: Cast) -> None:
    with override_settings(MFA_KEYS=["lost"]):
        with_app(cast.mo.user)
    with override_settings(MFA_KEYS=["old"]):
        with_app(cast.lee.user)
    with override_settings(MFA_KEYS=["new", "old"]), pytest.raises(CommandError, match=r"1 of 2 .*nothing was changed"):
        encrypted_again()
    with override_settings(MFA_KEYS=["old"]):
        assert decrypt(Authenticator.objects.get(user=cast.lee.user).data["secret"]) == SECRET


@pytest.mark.parametrize("first", ["code", "keys"])
def test_a_code_that_is_used_meanwhile_is_not_forgotten(live_cast: Cast, first: str) -> None:
    """Both write the same row: whoever comes second writes upon what the first has left."""
    mo, code = live_cast.mo, factors.code_at(SECRET)
    with override_settings(MFA_KEYS=["old"]):
        with_app(mo.user)
    with override_settings(MFA_KEYS=["new", "old"]):
        use = (mo.actor, lambda: actions.use_code(mo.actor, user=mo.user, code=code))
        encrypt = (SETUP, lambda: actions.encrypt_again(SETUP))
        got = at_once(*use, *encrypt) if first == "code" else at_once(*encrypt, *use)
    used, count = got if first == "code" else reversed(got)
    assert (used.user_id, count) == (mo.user.pk, 1)
    data = Authenticator.objects.get(user=mo.user).data
    assert data["last_step"] == used.data["last_step"]
    with override_settings(MFA_KEYS=["new"]):
        assert decrypt(data["secret"]) == SECRET


# --- Passkeys ---------------------------------------------------------------------------------------------------------


def test_a_passkey_is_a_first_factor_and_signs_in_without_a_password(cast: Cast) -> None:
    client = password_shown(cast.mo.user)
    passkey = add_passkey(client)
    client.post("/account/security/codes")
    assert sign_in.how(client.session) is How.PASSWORD_PASSKEY
    assert client.get(PAGE).status_code == 200

    other = browser()
    assert passkey_sign_in(other, passkey).redirect_chain[-1][0] == "/"
    assert sign_in.how(other.session) is How.PASSKEY
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="account.sign_in").latest("at").facts == {"how": "passkey"}

    second = password_shown(cast.mo.user)
    credential = passkey.get(options_in(second, SECOND_STEP))
    assert second.post(SECOND_STEP, {"credential": json.dumps(credential)}).status_code == 302
    assert sign_in.how(second.session) is How.PASSWORD_PASSKEY


def test_what_a_passkey_did_not_say_lets_nobody_in(cast: Cast) -> None:
    passkey = with_passkey(cast.mo.user)
    stranger, elsewhere = Passkey(), Passkey(origin="https://evil.example")
    stranger.id, stranger.handle = passkey.id, passkey.handle  # another key under the same name
    elsewhere.id, elsewhere.handle, elsewhere.key = passkey.id, passkey.handle, passkey.key
    unknown = Passkey()
    unknown.handle = cast.lee.user.uuid.bytes  # of an account that has none
    numbered = Passkey()
    numbered.handle = str(cast.mo.user.pk).encode()  # an account has no number here
    for wrong in (stranger, elsewhere, unknown, numbered):
        client = browser(REMOTE_ADDR="127.0.4.1")
        assert escape(factors.NOT_ACCEPTED) in passkey_sign_in(client, wrong).content.decode()
        assert client.get("/").status_code == 302
    client = browser(REMOTE_ADDR="127.0.4.2")
    assert escape(factors.NOT_ACCEPTED) in passkey_sign_in(client, passkey, verified=False).content.decode()
    for rubbish in ("{}", "[]", "1", '"x"', '{"response": 1}', '{"id": "a", "rawId": "a", "response": {}}', "null"):
        answer = client.post(reverse("mfa_login_webauthn"), {"credential": rubbish}, follow=True)
        assert answer.status_code == 200
    # What was said once cannot be said again.
    address = reverse("mfa_login_webauthn")
    first = browser(REMOTE_ADDR="127.0.4.3")
    options = first.get(address, headers={"accept": "application/json"}).json()["request_options"]
    said = {"credential": json.dumps(passkey.get(options))}
    assert first.post(address, said).headers["Location"] == "/"
    assert browser(REMOTE_ADDR="127.0.4.4").post(address, said).headers["Location"] == "/account/sign-in"


def test_a_closed_account_has_no_passkey_sign_in(cast: Cast) -> None:
    passkey = with_passkey(cast.mo.user)
    User.objects.filter(pk=cast.mo.user.pk).update(is_active=False)
    client = browser()
    passkey_sign_in(client, passkey)
    assert client.get("/").headers["Location"].startswith("/account/sign-in")


def test_at_an_address_of_numbers_the_page_says_that_passkeys_need_a_name(cast: Cast) -> None:
    client = signed_in(Client(SERVER_NAME="127.0.0.1"), cast.mo.user)
    assert "localhost" in client.get("/account/security/passkey").content.decode()


# --- Adding and removing ----------------------------------------------------------------------------------------------


def test_the_last_factor_stays(cast: Cast) -> None:
    app = with_app(cast.mo.user)
    client = signed_in(browser(), cast.mo.user)
    page = client.post(reverse("account_factor_remove", args=[app.pk]), follow=True).content.decode()
    assert "your last second factor" in page
    add_passkey(client)
    client.post("/account/security/codes")
    mail.outbox.clear()
    assert client.post(reverse("account_factor_remove", args=[app.pk])).status_code == 302
    assert not factors.has(cast.mo.user, factors.APP)
    assert client.get(PAGE).status_code == 200  # the present session goes on
    assert [message.subject.partition(":")[0] for message in mail.outbox] == ["Second factor removed"]


def test_somebody_elses_factor_is_no_page(cast: Cast) -> None:
    app = with_app(cast.lee.user)
    assert cast.mo.client.post(reverse("account_factor_remove", args=[app.pk])).status_code == 404
    with pytest.raises(ValidationError, match="Only the person themself"):
        actions.remove(cast.mo.actor, user=cast.lee.user, factor=app, passkey_asked=False)


@pytest.mark.parametrize("how", ["password", "code"])
def test_after_five_minutes_changing_asks_to_confirm(cast: Cast, how: str) -> None:
    app = with_app(cast.mo.user)
    client = signed_in(browser(), cast.mo.user)
    remove = reverse("account_factor_remove", args=[app.pk])
    with later(5 * 60 + 1):
        for page in ("/account/security/passkey", remove):
            assert client.get(page).headers["Location"].startswith("/account/confirm?next=")
            assert client.post(page).headers["Location"].startswith("/account/confirm?next=")
        codes = client.post("/account/security", {"codes": "new"})
        assert codes.headers["Location"] == "/account/confirm?next=%2Faccount%2Fsecurity"
        if how == "password":
            client.post("/account/confirm?next=/account/security/passkey", {"password": PASSWORD})
        else:
            asked = client.get("/account/confirm/code?next=/account/security/passkey")
            assert "Use your password" in asked.content.decode()
            confirmed = client.post(
                "/account/confirm/code?next=/account/security/passkey", {"code": factors.code_at(SECRET)}
            )
            assert confirmed.headers["Location"] == "/account/security/passkey"
        assert client.get("/account/security/passkey").status_code == 200


def test_a_passkey_confirms_too(cast: Cast) -> None:
    passkey = with_passkey(cast.mo.user)
    client = signed_in(browser(), cast.mo.user)
    with later(5 * 60 + 1):
        assert client.get("/account/security/app").status_code == 302
        options = options_in(client, "/account/confirm/passkey?next=/account/security/app")
        sent = {"credential": json.dumps(passkey.get(options)), "next": "/account/security/app"}
        assert client.post("/account/confirm/passkey", sent).headers["Location"] == "/account/security/app"
        assert client.get("/account/security/app").status_code == 200


def test_new_codes_take_the_place_of_the_old(cast: Cast) -> None:
    client = password_shown(cast.mo.user)
    set_up(client)
    old = factors.codes_of(cast.mo.user)
    assert client.post("/account/security", {"codes": "new"}).headers["Location"] == "/account/security/codes"
    assert client.get("/").headers["Location"] == "/account/security/codes"
    client.post("/account/security/codes")
    assert not set(old) & set(factors.codes_of(cast.mo.user))
    assert client.get(PAGE).status_code == 200


# --- An organisation asks for a passkey -------------------------------------------------------------------------------


def ask_for_passkeys(cast: Cast, place: str = "riverside", **days: int) -> None:
    organisation = getattr(cast, place)
    with walls.lifted("tests"):
        actions.set_sign_in_rules(
            SETUP, organisation=organisation, passkey_from=today() + timedelta(**days), version=organisation.version
        )


def test_the_rule_acts_on_the_next_request_and_leads_to_a_passkey(cast: Cast) -> None:
    client = signed_in(browser(), cast.mo.user)
    assert client.get(PAGE).status_code == 200
    ask_for_passkeys(cast)
    assert client.get(PAGE).headers["Location"] == "/account/security/passkey/use"
    assert client.get("/account/security/passkey/use").headers["Location"] == "/account/security/passkey"
    assert client.get("/account/security/app").headers["Location"] == "/account/security/passkey/use"
    passkey = add_passkey(client)
    client.post("/account/security/codes")
    assert client.get(PAGE).headers["Location"] == "/account/security/passkey/use"  # having one is not using it
    credential = passkey.get(options_in(client, "/account/security/passkey/use"))
    used = client.post("/account/security/passkey/use", {"credential": json.dumps(credential)})
    assert used.headers["Location"] == PAGE
    assert client.get(PAGE).status_code == 200
    remove = reverse("account_factor_remove", args=[Authenticator.objects.get(type=factors.PASSKEY).pk])
    with_app(cast.mo.user)
    assert "asks for a passkey" in client.post(remove, follow=True).content.decode()
    assert factors.has(cast.mo.user, factors.PASSKEY)


def test_a_session_that_can_be_phished_adds_no_passkey_beside_the_real_one(cast: Cast) -> None:
    with_app(cast.mo.user)
    with_passkey(cast.mo.user)
    ask_for_passkeys(cast)
    client = password_shown(cast.mo.user)
    client.post(SECOND_STEP, {"code": factors.code_at(SECRET)})
    assert client.get(PAGE).headers["Location"] == "/account/security/passkey/use"
    sent = {"credential": "{}", "name": "Theirs"}
    assert client.post("/account/security/passkey", sent).headers["Location"] == "/account/security/passkey/use"
    assert client.get("/account/security/passkey").headers["Location"] == "/account/security/passkey/use"


@pytest.mark.parametrize(
    ("place", "days", "asked"),
    [
        ("riverside", 0, {"mo", "asha", "sam"}),
        ("northfield", 0, {"mo", "asha", "sam", "lee"}),
        ("hilltop", 0, set()),
        ("icb", -1, {"mo", "asha", "sam", "lee", "zed"}),
        ("riverside", 1, set()),
    ],
)
def test_it_holds_for_everybody_at_and_below_the_place(cast: Cast, place: str, days: int, asked: set[str]) -> None:
    ask_for_passkeys(cast, place, days=days)
    people = {name: getattr(cast, name) for name in ("mo", "asha", "sam", "lee", "zed")}
    refused = {
        name
        for name, person in people.items()
        if person.client.get("/").headers.get("Location") == "/account/security/passkey/use"
    }
    assert refused == asked
    for person in people.values():
        assert signed_in(Client(), person.user, How.PASSKEY).get("/").status_code == 200


def test_the_rule_is_set_on_a_page_by_whoever_gives_access_there(cast: Cast) -> None:
    page = reverse("access_sign_in_rules")
    shown = cast.lee.client.get(page).content.decode()
    assert "Northfield hub" in shown
    assert "Lakeside PCN" not in shown
    day = today()
    asked = {"asks": "yes", "starts_on_day": day.day, "starts_on_month": day.month, "starts_on_year": day.year}
    said = cast.lee.client.post(page, {"place": "U99992.1", **asked})
    assert said.status_code == 302
    cast.hilltop.refresh_from_db()
    assert cast.hilltop.passkey_from == day
    with walls.lifted("tests"):
        line = AuditEvent.objects.get(what="organisation.sign_in_rules")
    assert (line.user_id, line.organisation_id) == (cast.lee.user.pk, cast.hilltop.pk)
    late = cast.lee.client.post(page, {"place": "U99992.1", "asks": "no"}, follow=True).content.decode()
    assert "nothing of yours was saved" in late
    assert cast.mo.client.post(page, {"place": "U99992.2", "asks": "no"}).status_code == 200  # not Mo's place
    cast.hilltop.refresh_from_db()
    assert cast.hilltop.passkey_from == day
    cast.lee.client.post(page, {"place": "U99992.2", "asks": "no"})
    cast.hilltop.refresh_from_db()
    assert cast.hilltop.passkey_from is None


# --- What an outsider can learn ---------------------------------------------------------------------------------------


def test_a_password_is_hashed_once_whoever_it_is_for(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.contrib.auth.hashers import MD5PasswordHasher

    User.objects.filter(pk=cast.rae.user.pk).update(is_active=False)
    User.objects.filter(pk=cast.pip.user.pk).update(password="!" + "x" * 40)
    hashed: list[str] = []
    encode = MD5PasswordHasher.encode

    def counted(self: Any, password: str, *args: Any) -> str:
        hashed.append(password)
        return encode(self, password, *args)

    monkeypatch.setattr(MD5PasswordHasher, "encode", counted)
    pages = {}
    people = {"known": cast.mo.user.email, "inactive": cast.rae.user.email, "passwordless": cast.pip.user.email}
    for who, address in {**people, "unknown": "stranger@example.org"}.items():
        hashed.clear()
        answer = Client().post("/account/sign-in", {"login": address, "password": "wrong wrong wrong"})
        assert len(hashed) == 1, who  # of what was typed, or of something as long
        text = re.sub(r'value="\w{64}"', "", answer.content.decode())
        pages[who] = text.replace(address, "WHO")
    assert len(set(pages.values())) == 1


def test_a_forgotten_password_mails_only_whom_it_may_and_answers_all_the_same(cast: Cast) -> None:
    User.objects.filter(pk=cast.rae.user.pk).update(is_active=False)
    User.objects.filter(pk=cast.pip.user.pk).update(password="!" + "x" * 40)
    people = (cast.mo, cast.rae, cast.pip)
    for address in (*(person.user.email for person in people), "stranger@example.org"):
        answer = Client().post(reverse("account_reset_password"), {"email": address})
        assert answer.headers["Location"] == reverse("account_reset_password_done")
    assert [message.to for message in mail.outbox] == [[cast.mo.user.email], [cast.pip.user.email]]


@pytest.mark.parametrize(
    ("page", "field"), [("account_login", "login"), ("account_reset_password", "email")], ids=["password", "forgotten"]
)
def test_the_database_is_asked_as_often_whoever_it_is(cast: Cast, page: str, field: str) -> None:
    User.objects.filter(pk=cast.rae.user.pk).update(is_active=False)
    people = (cast.mo.user.email, cast.rae.user.email, "stranger@example.org")
    counts = []
    for n, address in enumerate(people):
        with CaptureQueriesContext(connection) as asked:
            Client(REMOTE_ADDR=f"127.0.5.{n}").post(reverse(page), {field: address, "password": "wrong wrong wrong"})
        counts.append(len(asked))
    assert len(set(counts)) == 1, counts


def test_an_expired_invitation_says_so_and_what_to_do(cast: Cast, client: Client) -> None:
    link = invitation_link(cast.pip.user).partition("account/")[2]
    with later(3 * 24 * 60 * 60 + 1):
        page = client.get(f"/account/{link}", follow=True).content.decode()
    assert "This link no longer works" in page
    assert "holds for three days" in page
    assert "ask whoever invited you" in page
    assert "Ask for a new link" in page


@pytest.mark.parametrize(
    "password", ["HealthCoach2026!", "wellbeing-wellbeing", "nhs primary care", "Password123456", "Coaching!Coaching!"]
)
def test_passwords_of_the_services_own_words_are_refused(cast: Cast, password: str) -> None:
    sent = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    form = cast.mo.client.post(reverse("account_change_password"), sent).context["form"]
    assert form.errors["password1"]


@pytest.mark.parametrize(
    "password",
    ["violet tractor opening", "aaaaaaaaaaab", "well-known-giraffe", "пароль из слов", "violet tractor " * 8],
)
def test_anything_else_of_twelve_characters_is_a_password(cast: Cast, password: str) -> None:
    sent = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    assert cast.mo.client.post(reverse("account_change_password"), sent).status_code == 302


@pytest.mark.parametrize(
    "password", ["1qaz2wsx3edc", "Q1W2E3R4T5Y6", "123456654321", "leavemealone", "mailcreated5240", " sonyericsson"]
)
def test_the_most_used_of_twelve_characters_are_refused(cast: Cast, password: str) -> None:
    sent = {"oldpassword": PASSWORD, "password1": password, "password2": password}
    form = cast.mo.client.post(reverse("account_change_password"), sent).context["form"]
    assert "too common" in str(form.errors["password1"])


def test_the_list_has_more_than_three_thousand_of_them() -> None:
    """And Django's, but for addresses of mail: a list of passwords is no place to name people."""
    [ours] = [each for each in get_default_password_validators() if isinstance(each, CommonPasswordValidator)]
    assert len(ours.passwords) > 5000
    assert min(map(len, ours.passwords)) == 12
    djangos = {password for password in CommonPasswordValidator().passwords if len(password) >= 12}
    assert {password for password in djangos - ours.passwords if password.isascii() and "@" not in password} == set()
    assert not any("@" in password for password in ours.passwords)
