"""People and access: who is listed to whom, inviting and ending, and what goes wrong on the way."""

import re
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape

from hwbc.compliance.views import access as views
from hwbc.kit.periods import today
from hwbc.workforce import actions, walls
from hwbc.workforce.accounts import mail_invitation
from hwbc.workforce.models import AuditEvent, Coach, Grant, Post, User
from hwbc.workforce.roles import ALLOWS, Can, Role, in_words
from supervision.actions.agreements import add_supervisor, agree
from supervision.models import Supervisor
from tests import markup
from tests.cast import PASSWORD, SETUP, Cast, Person, just_now, set_up, signed_in
from tests.conftest import wait_for

pytestmark = pytest.mark.django_db
ANOTHER_ADDRESS = (
    "The e-mail address recorded for Ivy Invented is ivy@example.org. Invite that address, or have the record "
    "corrected first."
)
PEOPLE, INVITE = "/access", "/access/invite"


def words(response: Any) -> str:
    """The text of a page, as it is read."""
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).replace("&#x27;", "'")


def listed(client: Client, **filters: str) -> list[tuple[str, str, str]]:
    """The list's rows: person, role, place."""
    response = client.get(PEOPLE, filters)
    assert response.status_code == 200
    assert markup.faults(response.content.decode()) == []
    return [
        (grant.user.name, grant.get_role_display(), grant.organisation.name) for grant, _ in response.context["rows"]
    ]


def asked(cast: Cast, role: str, **changes: Any) -> dict[str, Any]:
    """The invitation of Kim, a PCN manager, recruiter or auditor at Riverside; or what is changed."""
    place = {f"at_{role}": str(cast.riverside.uuid)}
    day = today()
    days = {"starts_on_day": day.day, "starts_on_month": day.month, "starts_on_year": day.year}
    kim = {"email": "kim.lee@example.org", "name": "Kim Lee"}
    return {**kim, "role": role, **place, **days, **changes}


def until(days: int) -> dict[str, int]:
    day = today() + timedelta(days=days)
    return {"ends_on_day": day.day, "ends_on_month": day.month, "ends_on_year": day.year}


def errors(response: Any) -> dict[str, list[str]]:
    """What the form says is wrong, with nothing saved."""
    assert response.status_code == 200
    assert markup.faults(response.content.decode()) == []
    found: dict[str, list[str]] = response.context["form"].errors
    assert found
    assert not User.objects.filter(email="kim.lee@example.org").exists()
    assert mail.outbox == []
    return dict(found)


def said(response: Any) -> list[str]:
    """The messages on the page that was led to."""
    return [str(message) for message in response.context["messages"]]


def grant_of(person: Person, **which: Any) -> Grant:
    with walls.lifted("tests"):
        found: Grant = Grant.objects.filter(user=person.user, **which).earliest("pk")
        return found


def end_url(grant: Grant) -> str:
    return reverse("access_end", kwargs={"uuid": grant.uuid})


def a_supervisor(cast: Cast, name: str = "Ivy Invented", email: str = "", coach: Coach | None = None) -> Supervisor:
    """A clinical supervisor of Bo, or of somebody else, who has no access."""
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name=name, role="gp", email=email)
        coach = coach or cast.coach_bo
        agree(SETUP, coach=coach, supervisor=supervisor, kind="clinical", starts_on=today())
        return supervisor


# --- The list -------------------------------------------------------------------------------------------------------


def test_each_manager_sees_the_access_at_and_below_their_places(cast: Cast) -> None:
    of_riverside = [
        ("Rae Adeyemi", "Recruiter", "Riverside PCN"),
        ("Mo Haddad", "PCN manager", "Riverside PCN"),
        ("Pip Larsson", "Interview panel member", "Riverside PCN"),
        ("Sam Okafor", "Line manager", "Riverside PCN"),
        ("Sam Okafor", "Clinical supervisor", "Riverside PCN"),
        ("Sam Okafor", "Health coaching supervisor", "Riverside PCN"),
        ("Asha Rahman", "Health and wellbeing coach", "Riverside PCN"),
    ]
    assert listed(cast.mo.client) == of_riverside
    assert listed(cast.zed.client) == [("Zed Kowalski", "PCN manager", "Lakeside PCN")]
    hub = {
        ("Ann Whitlock", "Auditor (read only)", "Northfield hub"),
        ("Lee Chandra", "Training hub administrator", "Northfield hub"),
    }
    assert set(listed(cast.lee.client)) == {*of_riverside, *hub}


def test_the_list_is_narrowed_and_sorted(cast: Cast) -> None:
    mo, lee = cast.mo.client, cast.lee.client
    assert [name for name, *_ in listed(mo, role="recruiter")] == ["Rae Adeyemi"]
    assert [name for name, *_ in listed(mo, name="ÁSHA")] == ["Sam Okafor"] * 3 + ["Asha Rahman"]  # whose coach she is
    assert [name for name, *_ in listed(mo, name="mo.haddad@")] == ["Mo Haddad"]
    assert listed(mo, sort="-role")[0][1] == "Interview panel member"
    assert {place for *_, place in listed(lee, place="U99991")} == {"Riverside PCN"}
    assert {place for *_, place in listed(lee, place="HUB1")} == {"Riverside PCN", "Northfield hub"}
    assert listed(lee, place="U99992") == []
    nobody = mo.get(PEOPLE, {"name": "nobody", "role": "auditor"})
    assert "None of the 7 roles here are left" in words(nobody)
    wrong = mo.get(PEOPLE, {"role": "king"})
    assert "Choose a role from the list" in words(wrong)
    assert len(wrong.context["rows"]) == 7


def test_a_place_that_one_does_not_manage_narrows_to_nothing_new(cast: Cast) -> None:
    response = cast.mo.client.get(PEOPLE, {"place": "U99993"})
    assert "Lakeside" not in response.content.decode()
    assert "Kowalski" not in response.content.decode()


def test_what_has_ended_is_one_filter_away(cast: Cast) -> None:
    assert listed(cast.mo.client, show="ended") == []
    assert "No access has ended at these places" in words(cast.mo.client.get(PEOPLE, {"show": "ended"}))
    first, last = today() - timedelta(days=9), today() - timedelta(days=1)
    cast.nobody_yet.given(Role.AUDITOR, cast.riverside, starts_on=first, ends_on=last)
    cast.mo.client.post(end_url(grant_of(cast.rae)))
    assert {name for name, *_ in listed(cast.mo.client, show="ended")} == {"Noor Said", "Rae Adeyemi"}
    assert "Rae Adeyemi" not in {name for name, *_ in listed(cast.mo.client)}
    assert "Send the link again" not in words(cast.mo.client.get(PEOPLE, {"show": "ended"}))


def test_access_to_come_is_marked(cast: Cast) -> None:
    cast.nobody_yet.given(Role.AUDITOR, cast.riverside, starts_on=today() + timedelta(days=5))
    page = words(cast.mo.client.get(PEOPLE, {"name": "noor"}))
    assert "Not yet" in page
    assert "1 person has it" in page


def test_alone_one_is_told_to_invite(cast: Cast) -> None:
    assert "Only you have access here. Invite somebody ." in words(cast.zed.client.get(PEOPLE))
    assert "Only you have access here" not in words(cast.mo.client.get(PEOPLE))


def test_of_a_coach_who_has_left_no_supervisor_is_offered(cast: Cast) -> None:
    """Whom they are supervised by at the next PCN is that PCN's to see."""
    yesterday = today() - timedelta(days=1)
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Nia Next", role="gp", email="nia@example.org")
        agree(SETUP, coach=cast.coach_bo, supervisor=supervisor, kind="clinical", starts_on=today())
    assert "Nia Next" in words(cast.mo.client.get(PEOPLE))
    with walls.lifted("tests"):
        Post.objects.filter(coach=cast.coach_bo).update(ends_on=yesterday, end_recorded_at=timezone.now())
    assert "Nia Next" not in words(cast.mo.client.get(PEOPLE))
    assert "Nia Next" not in words(cast.mo.client.get(INVITE))


def test_supervisors_without_access_are_listed_with_a_link_that_fills_in_the_form(cast: Cast) -> None:
    a_supervisor(cast, "Ida Idle")
    ivy = a_supervisor(cast, email="ivy@example.org", coach=cast.coach_cai)
    page = words(cast.mo.client.get(PEOPLE))
    assert "Ida Idle (GP) E-mail No e-mail recorded Coaches Bo Lindqvist" in page
    assert "Ivy" not in page  # who supervises nobody at Riverside
    assert f"{INVITE}?supervisor={ivy.uuid}" in cast.lee.client.get(PEOPLE).content.decode()
    form = cast.lee.client.get(INVITE, {"supervisor": str(ivy.uuid)}).context["form"]
    assert (form["role"].value(), form["name"].value(), form["email"].value()) == (
        "supervisor", "Ivy Invented", "ivy@example.org",
    )  # fmt: skip
    unseen = cast.mo.client.get(INVITE, {"supervisor": str(ivy.uuid)}).content.decode()
    assert "ivy" not in unseen.lower().replace(str(ivy.uuid), "")


def test_each_role_is_said_in_words_from_the_one_table(cast: Cast) -> None:
    page = cast.mo.client.get(PEOPLE).content.decode()
    for role in Role:
        assert escape(in_words(role)) in page
        for can in Can:
            assert (can.value.replace(" you ", " they ") in in_words(role)) == (can in ALLOWS[role])


# --- Inviting -------------------------------------------------------------------------------------------------------


def test_from_the_invitation_to_the_first_page_and_the_end(cast: Cast) -> None:
    response = cast.mo.client.post(INVITE, asked(cast, "auditor", **until(30)), follow=True)
    assert response.redirect_chain == [(PEOPLE, 302)]
    [message] = said(response)
    assert message == (
        "Kim Lee is Auditor (read only) at Riverside PCN. "
        "The link to choose a password was sent to kim.lee@example.org."
    )
    assert "Invited, has not chosen a password yet" in words(response)
    assert f"Invited on {today().day} " in words(response)

    [sent] = mail.outbox
    assert sent.to == ["kim.lee@example.org"]
    link = re.search(r"http://[^/]+(/\S+)", str(sent.body))
    assert link
    kim = Client()
    form = kim.get(link[1], follow=True).redirect_chain[-1][0]
    kim.post(form, {"password1": PASSWORD, "password2": PASSWORD})
    kim.post("/account/sign-in", {"login": "kim.lee@example.org", "password": PASSWORD})
    assert kim.get(reverse("coaches")).headers["Location"] == reverse("account_second_factor")
    set_up(kim)
    assert kim.get(reverse("coaches")).status_code == 200
    assert kim.get(PEOPLE).status_code == 403
    assert "Invited, has not" not in words(cast.mo.client.get(PEOPLE))

    user = User.objects.get(email="kim.lee@example.org")
    with walls.lifted("tests"):
        grant = Grant.objects.get(user=user)
        lines = AuditEvent.objects.filter(user=cast.mo.user, what__startswith="access.").order_by("at")
        assert [line.what for line in lines] == ["access.invite", "access.grant"]
    assert (grant.starts_on, grant.ends_on) == (today(), today() + timedelta(days=30))
    assert cast.mo.client.post(end_url(grant)).status_code == 302
    assert kim.get(reverse("coaches")).status_code == 403  # the next request


def test_somebody_with_an_account_keeps_it_and_the_page_says_so_afterwards(cast: Cast) -> None:
    kim = {"email": " Zed.Kowalski@Example.org ", "name": "Somebody Else"}
    response = cast.mo.client.post(INVITE, asked(cast, "auditor", **kim), follow=True)
    [message] = said(response)
    assert message == (
        "zed.kowalski@example.org has an account already: Zed Kowalski, who keeps it. "
        "Zed Kowalski is Auditor (read only) at Riverside PCN."
    )
    assert mail.outbox == []
    assert {grant.organisation for grant in cast.zed.actor.grants} == {"Lakeside PCN", "Riverside PCN"}
    assert User.objects.get(email="zed.kowalski@example.org").name == "Zed Kowalski"


def test_a_coachs_own_access(cast: Cast) -> None:
    bo = {"coach": f"{cast.coach_bo.uuid} U99991", "email": "bo@example.org", "name": "Bo Lindqvist"}
    response = cast.mo.client.post(INVITE, asked(cast, "coach", **bo), follow=True)
    assert "Bo Lindqvist is Health and wellbeing coach at Riverside PCN." in said(response)[0]
    with walls.lifted("tests"):
        assert Coach.objects.get(pk=cast.coach_bo.pk).user.email == "bo@example.org"  # type: ignore[union-attr]
    form = cast.mo.client.get(INVITE).context["form"]
    assert "coach" not in dict(form.fields["role"].choices)  # nobody is left
    assert "Every coach whom you manage has access already." in form.fields["role"].help_text


def test_a_supervisors_access_follows_the_agreements(cast: Cast) -> None:
    ivy = a_supervisor(cast, email="ivy@example.org")
    given = {"supervisor": str(ivy.uuid), "email": "ivy@example.org", "name": "Ivy Invented"}
    response = cast.mo.client.post(INVITE, asked(cast, "supervisor", **given), follow=True)
    assert "Ivy Invented sees the coaches whom they supervise" in said(response)[0]
    assert len(mail.outbox) == 1
    actor = Person(User.objects.get(email="ivy@example.org")).actor
    assert actor.coaches(Can.SEE_STANDING) == {cast.coach_bo.pk}
    assert "Supervisors who have no access yet" not in words(response)


@pytest.mark.parametrize(
    ("role", "changes", "expected"),
    [
        ("auditor", {"email": ""}, {"email": ["Enter e-mail address"]}),
        ("auditor", {"email": "kim"}, {"email": ["Enter a valid email address."]}),
        ("auditor", {"name": ""}, {"name": ["Enter full name"]}),
        ("", {}, {"role": ["Select what they are to be"]}),
        ("coach", {}, {"coach": ["Select which coach"]}),
        ("auditor", {"at_auditor": ""}, {"at_auditor": ["Select whose records they read"]}),
        ("auditor", until(-1), {"ends_on": ["Until must be today or later"]}),
        (
            "auditor",
            {**until(1), "starts_on_year": today().year + 1},
            {"ends_on": ["Until must be the same day as from, or later"]},
        ),
        ("auditor", {"starts_on_year": "1200"}, {"starts_on": ["The year must be between 1900 and 2199"]}),
        (
            "auditor",
            {"email": "mo.haddad@example.org"},
            {"__all__": ["This person has this role here already, on all or some of these days."]},
        ),
        (
            "coach",
            {"coach": "BO", "email": "asha.rahman@example.org"},
            {"email": ["asha.rahman@example.org is the account of another coach."]},
        ),
        (
            "supervisor",
            {"supervisor": "IVY"},
            {"email": [ANOTHER_ADDRESS]},
        ),
    ],
)
def test_what_is_wrong_is_said_beside_the_question(
    cast: Cast, role: str, changes: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    if changes.get("email") == "mo.haddad@example.org":
        cast.mo.given(Role.AUDITOR, cast.riverside)
    if "supervisor" in changes:
        changes = {"supervisor": str(a_supervisor(cast, email="ivy@example.org").uuid)}
    if "coach" in changes:
        changes = {**changes, "coach": f"{cast.coach_bo.uuid} U99991"}
    assert errors(cast.mo.client.post(INVITE, asked(cast, role, **changes))) == expected


def test_a_coach_who_signs_in_elsewhere_already_keeps_that_account(cast: Cast) -> None:
    with walls.lifted("tests"):
        actions.end_grant(SETUP, grant=Grant.objects.get(user=cast.asha.user))
    again = {"coach": f"{cast.coach_asha.uuid} U99991"}
    assert errors(cast.mo.client.post(INVITE, asked(cast, "coach", **again))) == {
        "email": ["Asha Rahman signs in as asha.rahman@example.org already. Use that address."]
    }
    response = cast.mo.client.post(INVITE, asked(cast, "coach", **again, email="asha.rahman@example.org"), follow=True)
    assert "has an account already" in said(response)[0]
    assert cast.asha.actor.own(Can.SEE_PATIENTS) == {cast.coach_asha.pk}


@pytest.mark.parametrize(
    "tampered",
    [
        {"role": "hub_admin", "at_hub_admin": "northfield"},
        {"role": "line_supervisor"},
        {"role": "auditor", "at_auditor": "lakeside"},
        {"role": "auditor", "at_auditor": "northfield"},
        {"role": "coach", "coach": "coach_dot"},
        {"role": "coach", "coach": "coach_asha"},
    ],
)
def test_what_was_not_offered_is_not_taken(cast: Cast, tampered: dict[str, str]) -> None:
    def real(name: str, value: str) -> str:
        if name == "role":
            return value
        record = getattr(cast, value)
        return str(record.uuid) + (" U99993" if isinstance(record, Coach) else "")

    sent = asked(cast, "auditor") | {name: real(name, value) for name, value in tampered.items()}
    found = errors(cast.mo.client.post(INVITE, sent))
    assert set(found) <= {"role", "at_auditor", "coach"}
    assert len(found) == 1
    with walls.lifted("tests"):
        assert not Grant.objects.filter(user__email="kim.lee@example.org").exists()


def test_only_what_may_be_given_is_offered(cast: Cast) -> None:
    def offered(person: Person) -> dict[str, list[str]]:
        form = person.client.get(INVITE).context["form"]
        return {
            role: [label for value, label in form.fields[name].choices if value]
            for role, name in form.WHERE.items()
            if role in dict(form.fields["role"].choices)
        }

    pcns = ["Hilltop PCN", "Northfield hub", "Riverside PCN"]
    assert offered(cast.lee) == {
        Role.PCN_MANAGER: ["Hilltop PCN", "Riverside PCN"],
        Role.HUB_ADMIN: ["Northfield hub"],
        **dict.fromkeys((Role.RECRUITER, Role.PANEL_MEMBER, Role.AUDITOR), pcns),
    }
    assert offered(cast.mo) == {
        role: ["Riverside PCN"] for role in (Role.PCN_MANAGER, Role.RECRUITER, Role.PANEL_MEMBER, Role.AUDITOR)
    }


def test_without_a_mail_server_the_invitation_is_kept_and_the_link_sent_later(cast: Cast, settings: Any) -> None:
    settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT = "127.0.0.1", 1  # where nobody listens
    response = cast.mo.client.post(INVITE, asked(cast, "auditor"), follow=True)
    [message] = said(response)
    assert message.startswith("The invitation was saved: Kim Lee is Auditor (read only) at Riverside PCN. But the mail")
    kim = User.objects.get(email="kim.lee@example.org")
    again = {"user": str(kim.uuid)}
    assert said(cast.mo.client.post(PEOPLE, again, follow=True)) == [
        "The mail to kim.lee@example.org could not be sent. Send the link again later."
    ]

    settings.EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
    response = cast.mo.client.post(f"{PEOPLE}?name=kim", again, follow=True)
    assert response.redirect_chain == [(f"{PEOPLE}?name=kim", 302)]
    assert said(response) == ["The link was sent to kim.lee@example.org again."]
    assert len(mail.outbox) == 1
    with walls.lifted("tests"):
        assert AuditEvent.objects.filter(what="access.send_again", record=str(kim.uuid)).count() == 2


def test_a_link_is_sent_to_nobody_else(cast: Cast) -> None:
    mo = cast.mo.client
    for user in (cast.zed.user, cast.nobody_yet.user):
        assert mo.post(PEOPLE, {"user": str(user.uuid)}).status_code == 404
    assert mo.post(PEOPLE, {"user": "x"}).status_code == 404
    assert mo.post(PEOPLE).status_code == 404
    response = mo.post(PEOPLE, {"user": str(cast.rae.user.uuid)}, follow=True)
    assert said(response) == ["Rae Adeyemi has chosen a password already and needs no link."]
    assert mail.outbox == []


# --- Ending ---------------------------------------------------------------------------------------------------------


def test_the_page_says_what_will_be_lost_and_what_is_kept(cast: Cast) -> None:
    cast.rae.given(Role.AUDITOR, cast.riverside)
    cast.rae.given(Role.AUDITOR, cast.lakeside)
    response = cast.mo.client.get(end_url(grant_of(cast.rae, role="auditor", organisation=cast.riverside)))
    page = words(response)
    assert "End Rae Adeyemi’s access?" in page
    assert "Rae Adeyemi will no longer, at Riverside PCN and below: see coaches" in page
    assert "Rae Adeyemi keeps, and what goes with it: Recruiter at Riverside PCN" in page
    assert "Lakeside" not in page
    assert "your own" not in page


def test_ones_own_access_is_said_to_be_ones_own(cast: Cast) -> None:
    cast.nobody_yet.given(Role.PCN_MANAGER, cast.riverside)  # the last one cannot go
    url = end_url(grant_of(cast.mo))
    assert "This is your own access" in words(cast.mo.client.get(url))
    response = cast.mo.client.post(url, follow=True)
    assert response.redirect_chain == [("/", 302)]
    assert said(response) == ["Mo Haddad is no longer PCN manager at Riverside PCN."]
    assert cast.mo.client.get(PEOPLE).status_code == 403


def test_another_manager_neither_sees_nor_ends_access(cast: Cast) -> None:
    for person in (cast.rae, cast.asha, cast.sam, cast.mo, cast.lee):
        url = end_url(grant_of(person))
        assert cast.zed.client.get(url).status_code == 404
        assert cast.zed.client.post(url).status_code == 404
        assert person.actor.grants
    assert cast.mo.client.post(end_url(grant_of(cast.lee))).status_code == 404  # above his place
    assert cast.asha.client.post(end_url(grant_of(cast.rae))).status_code == 403


def test_a_hub_manages_access_at_its_own_level_and_below(cast: Cast) -> None:
    for person in (cast.rae, cast.ann, cast.asha):
        cast.lee.client.post(end_url(grant_of(person)))
        assert person.actor.grants == ()


def test_a_supervisors_access_ends_with_the_agreement_and_not_here(cast: Cast) -> None:
    url = end_url(grant_of(cast.sam))
    page = cast.mo.client.get(url)
    assert page.status_code == 200
    assert "This access follows the supervision agreement; it ends with the agreement" in words(page)
    assert "End this access" not in words(page)
    response = cast.mo.client.post(url)
    assert response.status_code == 409
    assert "Nothing was changed" in words(response)
    assert markup.faults(response.content.decode()) == []
    assert len(cast.sam.actor.grants) == 3


def test_ending_twice_says_that_it_has_ended(cast: Cast) -> None:
    url = end_url(grant_of(cast.rae))
    cast.mo.client.post(url)
    for again in (cast.mo.client.post(url, follow=True), cast.mo.client.get(url, follow=True)):
        assert again.redirect_chain == [(PEOPLE, 302)]
        assert said(again)[-1].startswith("This access of Rae Adeyemi ended on ")


def test_a_grant_that_is_gone_meanwhile_gives_no_page(cast: Cast) -> None:
    assert cast.mo.client.get("/access/00000000-0000-4000-8000-000000000000/end").status_code == 404


# --- Two at once ----------------------------------------------------------------------------------------------------


def sent_twice(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The same invitation twice at once: the second one comes while the first has written and not yet committed."""
    written, go_on = threading.Event(), threading.Event()

    def slowly(user: User) -> str:
        written.set()
        go_on.wait(10)
        return mail_invitation(user)

    monkeypatch.setattr(views, "mail_invitation", slowly)
    answers: dict[str, Any] = {}  # whichever is done first: the one that fails may be
    sent = asked(cast, "auditor")

    def send(which: str) -> None:
        client = Client(raise_request_exception=False)  # nor what goes wrong in another's request
        signed_in(client, cast.mo.user)
        just_now(client)
        try:
            answers[which] = client.post(INVITE, sent)
        finally:
            connection.close()

    def waits() -> bool:
        with connection.cursor() as cursor:
            cursor.execute("select count(*) from pg_locks where not granted")
            return bool(cursor.fetchone()[0])

    first, second = (threading.Thread(target=send, args=[which]) for which in ("first", "second"))
    first.start()
    assert written.wait(10)
    second.start()
    wait_for(waits, what="the second one to wait")
    go_on.set()
    for thread in (first, second):
        thread.join(30)
    return [answers["first"], answers["second"]]


def made() -> tuple[int, int]:
    """Accounts and grants of Kim."""
    with walls.lifted("tests"):
        return (
            User.objects.filter(email="kim.lee@example.org").count(),
            Grant.objects.filter(user__email="kim.lee@example.org").count(),
        )


@pytest.mark.django_db(transaction=True)
def test_sent_twice_at_once_it_makes_one_account_and_one_role(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = sent_twice(live_cast, monkeypatch)
    assert isinstance(first, HttpResponse)
    assert isinstance(second, HttpResponse)
    assert (first.status_code, second.status_code) == (302, 200)
    assert "This person has this role here already" in words(second)
    assert made() == (1, 1)
    assert len(mail.outbox) == 1


@pytest.mark.django_db(transaction=True)
def test_without_waiting_the_second_would_fail(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: the database still makes one account, but the second request is an error."""
    monkeypatch.setattr(actions, "_wait", lambda name: None)
    first, second = sent_twice(live_cast, monkeypatch)
    assert (first.status_code, second.status_code) == (302, 500)
    assert "workforce_user_email" in str(second.exc_info[1])
    assert made() == (1, 1)
