"""What somebody has typed is not lost: by a time-out, a sign-out in another tab, a stale token, a closed browser."""

import json
import time
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from django.db import ProgrammingError, connection, transaction
from django.test import Client, RequestFactory
from django.urls import reverse
from django.utils import timezone

from coaching.models import CoachingSession
from hwbc.compliance.forms.coaching import LogSession
from hwbc.compliance.jobs import work
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.models import Draft, User
from hwbc.workforce.sessions import actions, drafts
from tests.cast import Cast, came_in, signed_in
from tests.compliance.recording import day
from tests.pages import a_case, a_post
from tests.typed import Values, drafted, opened, values

pytestmark = pytest.mark.django_db

NOTE = "She walked to the canal and back.\nShe wants to “go on” <with> Tuesdays & Fridays."
LOGIN = "/account/sign-in"


@pytest.fixture
def form(cast: Cast) -> str:
    """Where Asha logs a session."""
    return reverse("session_log", kwargs=a_case(cast))


def sign_in(client: Client, user: User, after: str) -> Any:
    return came_in(client, user, after)


def typed(client: Client, form: str) -> Values:
    return opened(client, form, note=NOTE, minutes="45", mode="phone", next_step="Ring on Monday")


def kept(user: User | None = None) -> list[Draft]:
    with walls.lifted("tests"):
        return list(Draft.objects.filter(**({"user": user} if user else {})))


def sessions() -> int:
    with walls.lifted("tests"):
        return CoachingSession.objects.filter(words__next_step="Ring on Monday").count()


def there(client: Client, form: str, sent: Values) -> None:
    """The form is filled in as it was left, nothing is saved, and it can be sent."""
    page = client.get(form).content.decode()
    now = values(drafted(page))
    differs = {name for name in sent if now.get(name) != sent[name]}
    assert differs <= {"csrfmiddlewaretoken", "typed_by"}
    assert sessions() == 0
    assert client.post(form, now).status_code == 302
    assert sessions() == 1
    assert "She walked" not in client.get(form).content.decode()


# --- Sent too late ----------------------------------------------------------------------------------------------------


def test_what_is_sent_after_the_time_out_is_there_again_after_signing_in(cast: Cast, form: str) -> None:
    with time_machine.travel(time.time() + 5, tick=False) as clock:
        client = Client()
        sign_in(client, cast.asha.user, form)
        sent = typed(client, form)
        clock.shift(timedelta(minutes=20))
        answer = client.post(form, sent)
        assert answer.headers["Location"] == f"{LOGIN}?next={form}"
        said = client.get(answer.headers["Location"]).content.decode()
        assert "What you typed is kept for you" in said
        assert "canal" not in said
        assert not any("canal" in morsel.value for morsel in client.cookies.values())
        assert sign_in(client, cast.asha.user, form).headers["Location"] == form
        assert "was not saved. Here it is as you left it" in client.get(form).content.decode()
        there(client, form, sent)


def test_the_same_after_signing_out_in_another_tab_though_the_cookies_are_gone(cast: Cast, form: str) -> None:
    client = Client(enforce_csrf_checks=True)
    signed_in(client, cast.asha.user)
    sent = typed(client, form)
    client.post(reverse("account_logout"), {"csrfmiddlewaretoken": sent["csrfmiddlewaretoken"]})
    client.cookies.clear()
    answer = client.post(form, sent)
    assert answer.headers["Location"] == f"{LOGIN}?next={form}"
    again = Client()
    sign_in(again, cast.asha.user, form)
    there(again, form, sent)


def test_a_stale_token_keeps_what_was_typed_and_says_so(cast: Cast, form: str) -> None:
    client = Client(enforce_csrf_checks=True)
    signed_in(client, cast.asha.user)
    sent = typed(client, form) | {"csrfmiddlewaretoken": "a" * 64}
    answer = client.post(form, sent)
    assert answer.status_code == 403
    page = answer.content.decode()
    assert "Nothing was saved" in page
    assert f'href="{form}"' in page
    assert sessions() == 0
    easy = Client()
    signed_in(easy, cast.asha.user)
    there(easy, form, sent)


def test_somebody_else_who_signs_in_next_sees_nothing_of_it(cast: Cast, form: str) -> None:
    mo = cast.mo
    with time_machine.travel(time.time() + 5, tick=False) as clock:
        client = Client()
        sign_in(client, cast.asha.user, form)
        sent = typed(client, form)
        clock.shift(timedelta(minutes=20))
        client.post(form, sent)
        sign_in(client, mo.user, form)
        for page in (form, "/", reverse("referral", kwargs={"uuid": form.split("/")[2]}), reverse("status")):
            assert "canal" not in client.get(page).content.decode()
        with walls.within(mo.actor.scope):
            assert not Draft.objects.exists()


def test_a_form_of_one_person_sent_while_another_is_signed_in_is_the_first_ones(cast: Cast) -> None:
    invite = reverse("access_invite")
    sent = opened(cast.lee.client, invite, email="kim@example.org", name="Kim Lee")
    browser = Client(enforce_csrf_checks=True)
    signed_in(browser, cast.mo.user)
    assert browser.post(invite, sent).status_code == 403
    assert "kim@example.org" not in cast.mo.client.get(invite).content.decode()
    assert "kim@example.org" in cast.lee.client.get(invite).content.decode()


def test_without_the_mark_of_the_form_nothing_is_kept(cast: Cast, form: str, client: Client) -> None:
    sent = typed(cast.asha.client, form)
    for mark in ("", "nonsense", drafts.sign(drafts.Mark(cast.asha.user.pk, "LogSession"))[:-1] + "x"):
        client.post(form, sent | {"typed_by": mark})
        client.post(reverse("draft_save"), sent | {"typed_by": mark, "draft_address": form})
    assert kept() == []


def test_a_mark_holds_for_a_day(cast: Cast, form: str, client: Client) -> None:
    sent = typed(cast.asha.client, form)
    with time_machine.travel(time.time() + 25 * 3600):
        client.post(form, sent)
    assert kept() == []


def test_passwords_tokens_and_what_is_too_long_are_not_kept(cast: Cast, form: str, client: Client) -> None:
    sent = typed(cast.asha.client, form)
    client.post(form, sent | {"password1": "secret", "oldpassword": "secret", "csrfmiddlewaretoken": "secret"})
    [draft] = kept(cast.asha.user)
    assert "secret" not in json.dumps(draft.fields)
    assert "typed_by" not in draft.fields
    answer = client.post(form, sent | {"note": "x" * (drafts.LARGEST + 1)}, follow=True)
    assert "too long to be kept" in answer.content.decode()
    [draft] = kept(cast.asha.user)
    assert draft.fields["note"] == [NOTE]


def test_a_form_takes_what_it_asks_and_nothing_else_and_checks_it_as_ever(cast: Cast, form: str) -> None:
    client = cast.asha.client
    sent = typed(client, form) | {"minutes": "many", "referral": "1", "coach": "2", "is_active": "on"}
    mark = drafts.read(sent["typed_by"])
    assert mark is not None
    with walls.within(cast.asha.actor.scope):
        actions.keep(mark, address=form, fields={name: [value] for name, value in sent.items()})
    now = values(drafted(client.get(form).content.decode()))
    assert now["minutes"] == "many"
    assert not {"referral", "coach", "is_active"} & set(now)
    assert client.post(form, now).status_code == 200
    assert sessions() == 0


# --- While it is typed ------------------------------------------------------------------------------------------------


def autosave(client: Client, form: str, sent: Values) -> Any:
    return client.post(reverse("draft_save"), sent | {"draft_address": form})


def test_what_is_typed_is_kept_and_restored_and_can_be_discarded(cast: Cast, form: str) -> None:
    client = cast.asha.client
    sent = typed(client, form)
    said = autosave(client, form, sent).json()["saved"]
    assert said
    page = client.get(form).content.decode()
    assert f"A draft from {said} was restored." in page
    assert values(drafted(page))["note"] == NOTE
    assert sessions() == 0
    answer = client.post(reverse("draft_discard"), {"draft_address": form, "form": "LogSession"})
    assert answer.headers["Location"] == form
    assert "canal" not in client.get(form).content.decode()
    assert kept(cast.asha.user) == []


def test_a_draft_is_gone_when_the_form_is_saved_and_what_comes_late_is_not_kept(cast: Cast, form: str) -> None:
    client = cast.asha.client
    sent = typed(client, form)
    autosave(client, form, sent)
    assert client.post(form, sent).status_code == 302
    assert [draft.fields for draft in kept(cast.asha.user)] == [{}]
    assert autosave(client, form, sent).json() == {"saved": ""}  # it was under way when the form was sent
    assert "canal" not in client.get(form).content.decode()
    assert autosave(client, form, typed(client, form)).json()["saved"]  # the next session's
    assert "canal" in client.get(form).content.decode()


def test_what_comes_late_is_not_kept_though_nothing_was_kept_before(cast: Cast, form: str) -> None:
    client = cast.asha.client
    sent = typed(client, form)
    assert client.post(form, sent).status_code == 302
    assert autosave(client, form, sent).json() == {"saved": ""}
    assert "canal" not in client.get(form).content.decode()


def test_a_form_with_a_mistake_keeps_its_draft(cast: Cast, form: str) -> None:
    client = cast.asha.client
    sent = typed(client, form)
    autosave(client, form, sent)
    assert client.post(form, sent | {"minutes": "many"}).status_code == 200
    assert [draft.fields["note"] for draft in kept(cast.asha.user)] == [[NOTE]]


def test_typing_keeps_the_session_and_a_page_that_saves_by_itself_does_not(cast: Cast, form: str) -> None:
    with time_machine.travel(time.time() + 5, tick=False) as clock:
        for header, status in (({}, 200), ({"X-Background": "draft"}, 302)):
            client = Client()
            sign_in(client, cast.asha.user, form)
            sent = typed(client, form)
            clock.shift(timedelta(minutes=10))
            answer = client.post(reverse("draft_save"), sent | {"draft_address": form}, headers=header)
            assert answer.json()["saved"]
            clock.shift(timedelta(minutes=10))
            assert client.get(form).status_code == status


def test_the_last_words_are_kept_though_the_session_has_just_ended(cast: Cast, form: str) -> None:
    sent = typed(cast.asha.client, form)
    assert autosave(Client(), form, sent).json()["saved"]
    there(cast.asha.client, form, sent)


def test_a_draft_is_its_writers_alone_and_stands_at_its_address_alone(cast: Cast, form: str) -> None:
    autosave(cast.asha.client, form, typed(cast.asha.client, form))
    assert "canal" not in cast.asha.client.get(f"{form}?x=1").content.decode()
    for person in (cast.mo, cast.sam, cast.lee, cast.zed):
        with walls.within(person.actor.scope):
            assert not Draft.objects.exists()
            assert not Draft.objects.update(form="x")
    with walls.within(cast.asha.actor.scope):
        assert Draft.objects.count() == 1


def test_the_code_by_itself_shows_and_throws_away_nobody_elses_draft(cast: Cast, form: str, rf: RequestFactory) -> None:
    """With the walls lifted, every draft is there: whose it is, is asked all the same."""
    autosave(cast.asha.client, form, typed(cast.asha.client, form))
    with walls.lifted("tests"):
        for who, theirs in ((cast.mo, False), (cast.zed, False), (cast.asha, True)):
            request: Any = rf.get(form)
            request.actor = who.actor
            shown = LogSession()
            shown.before_shown(request)
            assert (shown.draft is not None, "note" in shown.initial) == (theirs, theirs)
            if not theirs:
                actions.discard(who.actor, address=form, form="LogSession")
        assert Draft.objects.count() == 1
        held = actions.hold(cast.asha.actor, address=form, fields={"note": ["canal"]})
        actions.let_go(cast.mo.actor, held=held.pk)
        assert Draft.objects.count() == 2


def test_the_code_by_itself_empties_nobody_elses_draft(cast: Cast, form: str, rf: RequestFactory) -> None:
    """A form that says it was shown to Asha is sent by Mo, and taken."""
    sent = typed(cast.asha.client, form)
    autosave(cast.asha.client, form, sent)
    with walls.lifted("tests"):
        for who, emptied in ((cast.mo, False), (cast.asha, True)):
            request: Any = rf.post(form, sent)
            request.actor = who.actor
            drafts.settle(request, 302)
            assert [draft.settled for draft in kept(cast.asha.user)] == [emptied]


def test_the_database_takes_no_draft_in_anothers_name_and_changes_none(cast: Cast, form: str) -> None:
    autosave(cast.asha.client, form, typed(cast.asha.client, form))
    now = timezone.now()
    for person in (cast.mo, cast.lee, cast.zed):
        with walls.within(person.actor.scope):
            row: list[Any] = [uuid4(), cast.asha.user.pk, "/", "LogSession", "{}", "", False, False, now]
            refused = pytest.raises(ProgrammingError, match="row-level security")
            with refused, transaction.atomic(), connection.cursor() as cursor:  # nothing is read back
                cursor.execute(
                    "insert into workforce_draft (uuid, user_id, address, form, fields, token, sent, settled, saved_at)"
                    " values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                    row,
                )
            assert not Draft.objects.filter(address=form).delete()[0]
    assert [draft.fields["note"] for draft in kept()] == [[NOTE]]


def test_a_draft_is_kept_for_a_day_and_no_more_than_fifty_of_a_person(cast: Cast, form: str) -> None:
    mark = drafts.Mark(cast.asha.user.pk, "LogSession")
    with walls.within(cast.asha.actor.scope):
        for number in range(actions.MOST + 3):
            actions.keep(mark, address=f"/{number}", fields={"note": ["x"]})
    assert len(kept()) == actions.MOST
    assert "/0" not in {draft.address for draft in kept()}
    now = timezone.now()
    work.catch_up(now + timedelta(hours=23))
    assert len(kept()) == actions.MOST
    assert work.catch_up(now + timedelta(hours=24, minutes=1))["drafts"] == actions.MOST
    assert kept() == []


@pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "nowhere", ""])
def test_a_draft_leads_nowhere_else(cast: Cast, form: str, address: str) -> None:
    sent = typed(cast.asha.client, form)
    assert autosave(cast.asha.client, address, sent).status_code == 400
    thrown = cast.asha.client.post(reverse("draft_discard"), {"draft_address": address, "form": "x"})
    assert thrown.headers["Location"] == "/"


def test_a_restored_change_is_about_the_version_that_was_read(cast: Cast) -> None:
    """What somebody changed meanwhile is not written over: they see both."""
    where = a_post(cast)
    address = reverse("post_change", kwargs=where)
    sent = opened(cast.mo.client, address, hours_per_week="20")
    autosave(cast.mo.client, address, sent)
    later = today() + timedelta(days=30)
    end = opened(cast.mo.client, reverse("post_end", kwargs=where)) | day("ends_on", later)
    assert cast.mo.client.post(reverse("post_end", kwargs=where), end).status_code == 302
    now = values(drafted(cast.mo.client.get(address).content.decode()))
    assert (now["hours_per_week"], now["version"]) == ("20", sent["version"])
    assert cast.mo.client.post(address, now).status_code == 409
