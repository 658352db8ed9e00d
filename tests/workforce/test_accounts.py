"""Invited people only: from the command to the first page, and what an outsider can learn."""

import re
from io import StringIO

import pytest
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client
from django.urls import reverse

from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Grant, Organisation, User
from tests.cast import PASSWORD, Cast, set_up

pytestmark = pytest.mark.django_db

SIGN_IN = "/account/sign-in"
GOOD = "correct horse battery staple"


def audit_of(user: User) -> list[str]:
    with walls.lifted("tests"):
        return list(AuditEvent.objects.filter(user=user).order_by("at").values_list("what", flat=True))


def sign_in(client: Client, email: str, password: str):
    return client.post(SIGN_IN, {"login": email, "password": password})


def invite(*arguments: str) -> str:
    output = StringIO()
    call_command("invite", *arguments, stdout=output)
    return output.getvalue()


def test_from_the_command_to_the_first_page(client: Client) -> None:
    said = invite("Kim.Lee@example.org", "pcn_manager", "u12345", "--new", "Meadow PCN", "--name", "Kim Lee")
    assert "kim.lee@example.org is PCN manager at Meadow PCN." in said
    [message] = mail.outbox
    assert message.to == ["kim.lee@example.org"]
    link = re.search(r"http://\S+", str(message.body))
    assert link
    assert link[0] in said
    assert not client.login(email="kim.lee@example.org", password="")

    page = client.get(link[0].partition("8000")[2], follow=True)
    assert page.status_code == 200
    form = page.redirect_chain[-1][0]
    weak = client.post(form, {"password1": "short", "password2": "short"})
    assert "at least 12 characters" in weak.content.decode()
    differs = client.post(form, {"password1": GOOD, "password2": GOOD + "!"})
    assert differs.context["form"].errors["password2"]
    done = client.post(form, {"password1": GOOD, "password2": GOOD}, follow=True)
    assert done.status_code == 200

    assert sign_in(client, "KIM.LEE@example.org", GOOD).headers["Location"] == "/"
    assert client.get("/").headers["Location"] == reverse("account_second_factor")
    set_up(client)
    home = client.get("/").content.decode()
    assert "Kim Lee" in home
    assert "Meadow PCN" in home
    assert "PCN manager" in home

    again = Client().get(link[0].partition("8000")[2], follow=True)
    assert "password1" not in again.content.decode()  # the link works once

    user = User.objects.get(email="kim.lee@example.org")
    client.post(reverse("account_logout"))
    assert client.get("/").status_code == 302
    assert audit_of(user) == [
        "account.password",
        "account.sign_in",
        "factor.add_app",
        "factor.codes",
        "account.sign_out",
    ]


def test_inviting_into_a_place_that_is_not_there_says_what_to_do() -> None:
    with pytest.raises(CommandError, match=r'There is no organisation "U1"\..*--new'):
        invite("kim@example.org", "pcn_manager", "U1")
    assert not User.objects.exists() or not User.objects.filter(email="kim@example.org").exists()


def test_a_bad_address_says_so_and_makes_nothing(cast: Cast) -> None:
    with pytest.raises(CommandError, match="Enter a valid email address"):
        invite("kim", "pcn_manager", "U12345", "--new", "Meadow PCN")
    assert not Organisation.objects.filter(code="U12345").exists()


def test_somebody_who_has_an_account_gets_the_role_and_no_mail(cast: Cast) -> None:
    said = invite(cast.mo.user.email, "auditor", "HUB1")
    assert "has an account already" in said
    assert mail.outbox == []
    with walls.lifted("tests"):
        assert Grant.objects.filter(user=cast.mo.user, role="auditor").exists()


def test_nobody_can_sign_up(client: Client) -> None:
    page = client.get(SIGN_IN).content.decode().lower()
    assert "sign up" not in page
    for address in ("/account/sign-up", "/accounts/signup/", "/account/email", "/account/login/code"):
        assert client.get(address).status_code == 404


def test_a_wrong_password_and_an_unknown_person_read_the_same(cast: Cast, client: Client) -> None:
    pages = [sign_in(client, who, "wrong wrong wrong") for who in (cast.mo.user.email, "stranger@example.org")]
    texts = []
    for page, who in zip(pages, (cast.mo.user.email, "stranger@example.org"), strict=True):
        assert page.status_code == 200
        text = re.sub(r'name="csrfmiddlewaretoken" value="\w+"', "", page.content.decode())
        texts.append(text.replace(who, "WHO"))
    assert texts[0] == texts[1]
    assert 'value="wrong' not in texts[0]


def test_a_forgotten_password_answers_the_same_for_everybody(cast: Cast, client: Client) -> None:
    answers = [
        client.post(reverse("account_reset_password"), {"email": who})
        for who in (cast.mo.user.email, "stranger@example.org")
    ]
    assert {answer.headers["Location"] for answer in answers} == {reverse("account_reset_password_done")}
    assert [message.to for message in mail.outbox][:1] == [[cast.mo.user.email]]
    assert "/account/password/choose/" in mail.outbox[0].body


def test_the_sixth_guess_in_five_minutes_is_not_looked_at(cast: Cast, client: Client) -> None:
    for _ in range(5):
        assert sign_in(client, cast.mo.user.email, "wrong wrong wrong").status_code == 200
    refused = sign_in(client, cast.mo.user.email, PASSWORD)
    assert refused.status_code in (200, 429)
    assert client.get("/").status_code == 302
    # Somebody else is not held up by it.
    assert sign_in(Client(REMOTE_ADDR="127.0.0.9"), cast.lee.user.email, PASSWORD).status_code == 302


def test_a_closed_account_cannot_sign_in(cast: Cast, client: Client) -> None:
    cast.mo.user.is_active = False
    cast.mo.user.save()
    sign_in(client, cast.mo.user.email, PASSWORD)
    assert client.get("/").status_code == 302


def test_signing_in_leads_back_to_the_page_and_never_elsewhere(cast: Cast, client: Client) -> None:
    inside = client.post(
        f"{SIGN_IN}?next=/service-status",
        {"login": cast.mo.user.email, "password": PASSWORD, "next": "/service-status"},
    )
    assert inside.headers["Location"] == "/service-status"
    other = Client().post(SIGN_IN, {"login": cast.mo.user.email, "password": PASSWORD, "next": "https://evil.example"})
    assert other.headers["Location"] == "/"


def test_changing_the_password_asks_for_the_present_one(cast: Cast) -> None:
    address = reverse("account_change_password")
    wrong = cast.mo.client.post(address, {"oldpassword": "wrong", "password1": GOOD, "password2": GOOD})
    assert wrong.context["form"].errors["oldpassword"]
    right = cast.mo.client.post(address, {"oldpassword": PASSWORD, "password1": GOOD, "password2": GOOD})
    assert right.status_code == 302
    assert User.objects.get(pk=cast.mo.user.pk).check_password(GOOD)
    assert audit_of(cast.mo.user)[-1] == "account.password"
    assert cast.mo.client.get("/").status_code == 200


def test_a_link_is_not_logged(
    client: Client, cast: Cast, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client.get("/account/password/choose/1a-secretkey?x=secretquery")
    logged = capsys.readouterr().err + caplog.text
    assert "/account/password/choose/" in logged
    assert "secretkey" not in logged
    assert "secretquery" not in logged


def test_confirming_who_one_is_asks_for_the_password_and_says_so(cast: Cast) -> None:
    address = reverse("account_reauthenticate")
    page = cast.mo.client.get(address).content.decode()
    assert "Confirm" in page
    assert ">Save" not in page
    assert cast.mo.client.post(address, {"password": "wrong"}).context["form"].errors["password"]
    assert cast.mo.client.post(address, {"password": PASSWORD}).status_code == 302
