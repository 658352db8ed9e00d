"""Before something that matters a person confirms who they are, and nothing of what they asked for is lost."""

import time
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.test import Client
from django.urls import reverse

from hwbc.standards.models import Job
from hwbc.workforce import walls
from hwbc.workforce.actions.factors import end_session
from hwbc.workforce.checks import pages
from hwbc.workforce.models import Grant, User
from hwbc.workforce.queries import sessions_of
from hwbc.workforce.roles import Role
from hwbc.workforce.sessions import confirm
from hwbc.workforce.sign_in import How
from tests.cast import PASSWORD, Cast, came_in, signed_in
from tests.kit.html import parse_page
from tests.pages import a_grant, an_export, more_coaches
from tests.typed import Values, drafted, opened, values

pytestmark = pytest.mark.django_db

CONFIRM = "/account/confirm"


@pytest.fixture
def clock() -> Any:
    with time_machine.travel(time.time() + 5, tick=False) as traveller:
        yield traveller


@pytest.fixture
def mo(cast: Cast, clock: Any) -> Client:
    """A browser in which Mo signed in six minutes ago."""
    client = Client()
    came_in(client, cast.mo.user)
    clock.shift(timedelta(minutes=6))
    return client


def confirmed(client: Client, answer: Any) -> Any:
    """Confirm who one is, and get to what comes after it."""
    assert answer.status_code == 302
    where = answer.headers["Location"]
    assert where.startswith(f"{CONFIRM}?next=")
    assert "Confirm that it is you" in client.get(where).content.decode()
    wrong = client.post(where, {"password": "wrong wrong wrong"})
    assert wrong.context["form"].errors["password"]
    right = client.post(where, {"password": PASSWORD})
    assert right.status_code == 302
    return client.get(right.headers["Location"])


def held(page: Any) -> tuple[str, Values]:
    """The form that sends again what was sent before: where to, and what."""
    forms = parse_page(page.content.decode()).find(".//main").iter("form")  # type: ignore[union-attr]
    [form] = list(forms)
    return form.get("action") or "", values(form)


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than one row is many."""
    monkeypatch.setattr(confirm, "MANY_ROWS", 1)


def test_an_export_of_more_than_fifty_rows_asks_first_and_then_is_there(
    cast: Cast, mo: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert confirm.MANY_ROWS == 50
    more_coaches(cast, 5)
    address = f"{reverse('coaches_export')}?format=csv"
    rows = len(b"".join(cast.mo.client.get(address)).decode().splitlines()) - 1
    assert rows > 2
    monkeypatch.setattr(confirm, "MANY_ROWS", rows)
    assert mo.get(address).headers["Content-Type"].startswith("text/csv")
    monkeypatch.setattr(confirm, "MANY_ROWS", rows - 1)
    page = confirmed(mo, mo.get(address))
    links = [link.get("href") for link in parse_page(page.content.decode()).iter("a")]
    assert address in links
    assert mo.get(address).headers["Content-Type"].startswith("text/csv")


def test_a_confirmation_holds_for_five_minutes(cast: Cast, mo: Client, clock: Any, few: None) -> None:
    address = reverse("coaches_export")
    confirmed(mo, mo.get(address))
    clock.shift(timedelta(minutes=4, seconds=59))
    assert mo.get(address).status_code == 200
    clock.shift(timedelta(seconds=1))
    assert mo.get(address).status_code == 302


def test_a_confirmation_is_one_persons(cast: Cast, mo: Client, few: None) -> None:
    confirmed(mo, mo.get(reverse("coaches_export")))
    signed_in(mo, cast.lee.user)
    assert mo.get(reverse("coaches_export")).headers["Location"].startswith(CONFIRM)


def test_asking_the_worker_for_a_list_asks_first(cast: Cast, mo: Client) -> None:
    asked = {"list": "coaches", "format": "csv", "query": ""}
    answer = mo.post(reverse("export_ask"), asked)
    with walls.lifted("tests"):
        assert not Job.objects.exists()
    address, fields = held(confirmed(mo, answer))
    assert address == reverse("export_ask")
    assert fields.items() >= asked.items()
    done = mo.post(address, fields)
    with walls.lifted("tests"):
        job = Job.objects.get()
    assert done.headers["Location"] == reverse("job", kwargs={"uuid": job.pk})


def test_a_file_that_the_worker_made_asks_first(cast: Cast, mo: Client, few: None) -> None:
    address = reverse("job_file", kwargs=an_export(cast))
    confirmed(mo, mo.get(address))
    assert mo.get(address).status_code == 200


def test_an_invitation_asks_first_and_nothing_typed_is_lost(cast: Cast, mo: Client) -> None:
    invite = reverse("access_invite")
    sent = opened(
        mo, invite, email="kim@example.org", name="Kim Lee", role="auditor", at_auditor=str(cast.riverside.uuid)
    )
    page = confirmed(mo, mo.post(invite, sent))
    assert not User.objects.filter(email="kim@example.org").exists()
    address, fields = held(page)
    assert address == invite
    differs = {name for name in sent if fields.get(name) != sent[name]}
    assert differs == {"csrfmiddlewaretoken"}
    assert mo.post(address, fields | {"role": ""}).status_code == 200  # a mistake leaves it there
    assert mo.get(page.request["PATH_INFO"]).status_code == 200
    assert mo.post(address, fields).headers["Location"] == reverse("access")
    assert User.objects.get(email="kim@example.org").name == "Kim Lee"
    assert mo.get(page.request["PATH_INFO"]).status_code == 404  # done: nothing is held any more


def test_the_end_of_a_role_asks_first(cast: Cast, mo: Client) -> None:
    address = reverse("access_end", kwargs=a_grant(cast))
    assert mo.get(address).status_code == 200  # to look changes nothing

    def ended() -> bool:
        with walls.lifted("tests"):
            return Grant.objects.get(user=cast.rae.user).revoked_at is not None

    answer = mo.post(address)
    assert not ended()
    where, fields = held(confirmed(mo, answer))
    assert not ended()
    mo.post(where, fields)
    assert ended()


def test_two_that_are_sent_are_two_that_are_held(cast: Cast, mo: Client) -> None:
    invite = reverse("access_invite")
    answers = [mo.post(invite, opened(mo, invite, name=name)) for name in ("Kim Lee", "Jo Ray")]
    pages = [
        confirmed(mo, answers[0]),
        mo.get(answers[1].headers["Location"].partition("next=")[2].replace("%2F", "/")),
    ]
    assert [held(page)[1]["name"] for page in pages] == ["Kim Lee", "Jo Ray"]


def test_what_is_held_is_its_senders_alone(cast: Cast, mo: Client) -> None:
    page = confirmed(mo, mo.post(reverse("access_end", kwargs=a_grant(cast))))
    address = page.request["PATH_INFO"]
    for person in (cast.lee, cast.zed, cast.asha):
        assert person.client.get(address).status_code == 404


def test_what_is_sent_again_is_asked_about_again_after_five_minutes(cast: Cast, mo: Client, clock: Any) -> None:
    where, fields = held(confirmed(mo, mo.post(reverse("access_end", kwargs=a_grant(cast)))))
    clock.shift(timedelta(minutes=5))
    assert mo.post(where, fields).headers["Location"].startswith(CONFIRM)


def test_another_password_asks_first_and_keeps_none(cast: Cast, mo: Client) -> None:
    address = reverse("account_change_password")
    for answer in (mo.get(address), mo.post(address, {"oldpassword": PASSWORD, "password1": "x", "password2": "x"})):
        assert answer.headers["Location"] == f"{CONFIRM}?next=%2Faccount%2Fpassword"
    page = confirmed(mo, mo.get(address))
    assert page.status_code == 200
    assert page.request["PATH_INFO"] == address


def test_whoever_has_just_signed_in_is_not_asked(cast: Cast, few: None) -> None:
    client = Client()
    came_in(client, cast.mo.user)
    assert client.get(reverse("coaches_export")).status_code == 200


@pytest.mark.parametrize("to", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "", "\\\\evil"])
def test_the_way_on_leads_nowhere_else(cast: Cast, to: str) -> None:
    answer = cast.mo.client.get(reverse("go_on"), {"to": to})
    assert answer.headers["Location"] == reverse("home")


def test_every_page_that_changes_roles_asks_first() -> None:
    asks = {pattern.name for _, pattern in pages() if hasattr(pattern.callback, "confirms")}
    assert asks == {
        "access_invite", "access_end", "access_deputy", "access_suspend", "access_restore", "access_help", "export_ask",
    }  # fmt: skip


def test_a_role_that_is_given_is_the_same_with_and_without_being_asked(cast: Cast) -> None:
    """The control: somebody who confirmed just now goes straight through."""
    cast.mo.client.post(reverse("access_end", kwargs=a_grant(cast)))
    with walls.lifted("tests"):
        assert Grant.objects.get(user=cast.rae.user, role=Role.RECRUITER).revoked_at is not None


# --- The session after it ---------------------------------------------------------------------------------------------


def test_confirming_gives_the_session_another_key_and_the_old_one_opens_nothing(
    cast: Cast, mo: Client, few: None
) -> None:
    thief, elsewhere = Client(), Client()  # one that knows the key, and another session of Mo's
    name = settings.SESSION_COOKIE_NAME
    before = thief.cookies[name] = mo.cookies[name].value
    signed_in(elsewhere, cast.mo.user)
    draft = opened(mo, reverse("access_invite"), name="Kim Lee")
    drafts_kept = mo.post(reverse("draft_save"), draft | {"draft_address": reverse("access_invite")})
    assert drafts_kept.json()["saved"]
    assert thief.get("/").status_code == 200
    confirmed(mo, mo.get(reverse("coaches_export")))
    assert mo.cookies[name].value != before
    assert mo.get("/").status_code == elsewhere.get("/").status_code == 200
    assert thief.get("/").headers["Location"].startswith("/account/sign-in")
    assert values(drafted(mo.get(reverse("access_invite")).content.decode()))["name"] == "Kim Lee"


def test_the_list_of_sessions_follows_at_once(cast: Cast, mo: Client, few: None) -> None:
    confirmed_at = mo.get(reverse("coaches_export")).headers["Location"]
    mo.post(confirmed_at, {"password": PASSWORD})
    with walls.within(walls.Scope(cast.mo.user.pk)):
        [row] = sessions_of(cast.mo.user.pk)
    assert row.session_key == mo.session.session_key
    end_session(cast.mo.actor, user=cast.mo.user, session=row)  # from another one
    assert mo.get("/").headers["Location"].startswith("/account/sign-in")


def test_a_wrong_password_changes_no_key(cast: Cast, mo: Client) -> None:
    before = mo.session.session_key
    mo.post(CONFIRM, {"password": "wrong wrong wrong"})
    assert mo.session.session_key == before


def test_ending_sessions_asks_first(cast: Cast, mo: Client) -> None:
    security = reverse("account_security")
    elsewhere = signed_in(Client(), cast.mo.user)
    assert mo.get(security).status_code == 200  # to look ends nothing
    page = confirmed(mo, mo.post(security, {"end": "others"}))
    assert elsewhere.get("/").status_code == 200
    address, fields = held(page)
    assert (address, fields["end"]) == (security, "others")
    mo.post(address, fields)
    assert elsewhere.get("/").status_code == 302
    assert mo.get("/").status_code == 200


def test_who_signs_in_at_a_provider_alone_confirms_there(cast: Cast, mo: Client, few: None) -> None:
    """They have nothing of ours to confirm with: what they asked for waits for them behind the sign-in page."""
    User.objects.filter(pk=cast.mo.user.pk).update(password="!" + "x" * 40)
    Authenticator.objects.filter(user=cast.mo.user).delete()
    signed_in(mo, cast.mo.user, How.OIDC)
    answer = mo.post(reverse("access_end", kwargs=a_grant(cast)))
    address = answer.headers["Location"]
    assert address.startswith("/account/sign-in?next=%2Faccount%2Fgo-on%2F")
    signed_in(mo, cast.mo.user, How.OIDC)
    assert mo.get(unquote(address.partition("next=")[2])).status_code == 200
