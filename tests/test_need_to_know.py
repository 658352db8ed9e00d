"""Need to know: what is confidential is shown to those who may see it, and comes out nowhere else."""

import re
from typing import Any
from uuid import uuid4

import pytest
import structlog
from django.conf import settings
from django.core import mail
from django.db import OperationalError, connection, models, transaction
from django.http import HttpResponse
from django.test import Client, override_settings
from django.test.utils import isolate_apps
from django.urls import path, reverse

from hwbc.compliance.checks import run_checks
from hwbc.compliance.views import caseload
from hwbc.kit.periods import today
from hwbc.standards.models import Notification
from hwbc.workforce import access, walls
from hwbc.workforce.access import Actor, needs
from hwbc.workforce.models import AuditEvent, Coach, Organisation, Reached, User
from hwbc.workforce.roles import Can
from tests import markup
from tests.cast import PASSWORD, SETUP, Cast, signed_in
from tests.compliance import bringing
from tests.compliance.recording import day
from tests.need_to_know import (
    BO,
    BOS_BROWSER,
    ELSEWHERE,
    MOS_DRAFT,
    MOS_JOB,
    RELATIONS,
    SAME_AS,
    SECRETS,
    TABLE,
    TYPED,
    Seen,
    World,
    addresses,
    audit,
    body,
    confidential,
    fields_with_text,
    free_text,
    headers,
    judged,
    logged,
    make_world,
    walk,
    words,
)  # fmt: skip

pytestmark = pytest.mark.django_db


@pytest.fixture
def world(cast: Cast) -> World:
    return make_world(cast)


# --- The table --------------------------------------------------------------------------------------------------------


def test_every_field_with_text_in_it_stands_in_the_table() -> None:
    assert fields_with_text() == set(TABLE)


@isolate_apps("coaching")
def test_a_new_field_is_noticed() -> None:
    class Letter(models.Model):
        words = models.TextField()
        days = models.IntegerField()

        class Meta:
            app_label = "coaching"

    assert fields_with_text([Letter]) == {"coaching.Letter.words"}


# --- Pages, files, headers, audit and log -----------------------------------------------------------------------------

WALKS = {  # two of about the same length, side by side
    "those of Riverside": ("mo", "bo", "asha", "line", "clinical", "coaching", "former", "rae", "gone"),
    "everybody else": ("lee", "ann", "zed", "hilltop", "southmoor", "eve", "dot", "pip", "nobody", "signed out"),
}


def test_everybody_walks() -> None:
    assert sorted(who for some in WALKS.values() for who in some) == sorted(ELSEWHERE)


@pytest.mark.parametrize("some", ["those of Riverside", pytest.param("everybody else", marks=pytest.mark.long)])
def test_what_is_confidential_is_shown_to_those_of_the_table_and_to_nobody_else(world: World, some: str) -> None:
    seen, where = Seen(exactly=_secrets(world)), addresses(world)
    with logged() as lines:
        for who in WALKS[some]:
            walk(world, who, where, seen)
    leaks, shown = judged(world, seen)
    assert leaks == []
    assert seen.before_body == []
    assert seen.secrets == []
    assert seen.statuses[200] > 300
    assert not {status for status in seen.statuses if status >= 500}
    secrets = [*seen.exactly, *seen.cookies]
    assert len(seen.cookies) >= len(WALKS[some]) - 1  # a session each, but for whoever is signed out
    assert [line for line in [*lines, *audit()] if words(line) or any(secret in line for secret in secrets)] == []
    assert len(lines) > 1000
    assert _unseen(shown, WALKS[some]) == []
    print(f"{some}: {sum(seen.statuses.values())} answers, {len(seen.canaries)} of {len(world.planted)} canaries seen")


def _unseen(shown: dict[tuple[str, Any], str], people: tuple[str, ...]) -> list[str]:
    """Where the table lets somebody see what they were shown nowhere: then the search proves nothing there."""
    here = {
        RELATIONS[subject][who]
        for subject in (BO, MOS_JOB, MOS_DRAFT, BOS_BROWSER)
        for who in people
        if who in RELATIONS[subject]
    }
    return [
        f"{name}: {relation.role}, {relation.to}"
        for name, who in TABLE.items()
        if not isinstance(who, str)
        for relation in who & here
        if (name, relation) not in shown
    ]


def _secrets(world: World) -> list[str]:
    """Passwords as they were typed and as they are kept, in whole."""
    hashes = User.objects.filter(password__startswith="md5$").values_list("password", flat=True)
    return [PASSWORD, *hashes]


# --- What somebody typed ----------------------------------------------------------------------------------------------

WHO_TYPES = ("mo", "bo", "line")
MOST = 2  # addresses of a page


def test_what_somebody_types_is_answered_to_them_and_kept_out_of_log_audit_headers_and_mail(world: World) -> None:
    for who in WHO_TYPES:
        _types(world, who)


def _types(world: World, who: str) -> None:
    person = world.people[who]
    assert person is not None
    client = person.client
    answered, statuses, typed = 0, set(), world.canary("what somebody typed", TYPED)
    with walls.lifted("tests"):
        before = set(AuditEvent.objects.values_list("pk", flat=True))
    for name, some in addresses(world).items():
        for address in some[:MOST]:
            page = client.get(address)
            if page.status_code != 200 or "html" not in page.headers["Content-Type"]:
                continue
            for fields, choices in _forms(page.content.decode()):
                if name.startswith("account_"):
                    continue
                for filled in (dict.fromkeys(fields, typed), {**choices, **dict.fromkeys(fields, typed)}):
                    kept = transaction.savepoint()
                    with logged() as lines:
                        response = client.post(address, filled)
                        text = body(response)
                    with walls.lifted("tests"):
                        said = AuditEvent.objects.exclude(pk__in=before).values_list("facts", "record", "what")
                        assert not words(str(list(said))), (name, list(said))
                    assert not words("\n".join(lines)), (name, lines)
                    assert typed not in headers(response), name
                    assert not [message for message in mail.outbox if typed in f"{message.subject} {message.body}"]
                    assert response.status_code < 500, name
                    answered += typed in text
                    statuses.add(response.status_code)
                    transaction.savepoint_rollback(kept)
    assert answered >= {"mo": 20, "bo": 5, "line": 2}[who], answered  # the form comes back as it was filled in
    assert {200, 302} <= statuses  # some were refused, some were saved
    print(f"{who}: {answered} forms came back with what was typed")


def _forms(text: str) -> list[tuple[list[str], dict[str, str]]]:
    """Of each form that is posted: the fields for text, and a choice or today for the others."""
    found = []
    for form in markup.parse(text).iter(f"{markup.HTML}form"):
        if form.get("method") != "post" or form.get("action"):
            continue
        fields, others = [], {}
        for each in form.iter():
            name, kind = each.get("name", ""), each.get("type", "text")
            if not name or name == "csrfmiddlewaretoken":
                continue
            tag = each.tag.removeprefix(markup.HTML)
            if tag == "textarea" or (tag == "input" and kind in ("text", "email")):
                part = name.rpartition("_")[2]
                if part in ("day", "month", "year"):
                    others[name] = str(getattr(today(), part))
                elif each.get("inputmode") in ("numeric", "decimal"):
                    others[name] = "30"
                else:
                    fields.append(name)
            elif tag == "select":
                values = [option.get("value", "") for option in each.iter(f"{markup.HTML}option")]
                others[name] = next((value for value in values if value), "")
            elif tag == "input" and kind != "file":
                others.setdefault(name, each.get("value", ""))
        if fields:
            found.append((fields, others))
    return found


# --- When something goes wrong ----------------------------------------------------------------------------------------

ANSWER = "canary-typed-answer-777"


@needs(Can.LOG_SESSIONS)
def _breaks(request: access.Request) -> HttpResponse:
    """PostgreSQL refuses a row and quotes it: it does so of tables without a wall."""
    note = request.POST["note"]
    User.objects.bulk_create([User(email=f"{note}@example.org".upper(), name=note)])
    return HttpResponse("saved")


@needs(Can.LOG_SESSIONS)
def _raises(request: access.Request) -> HttpResponse:
    """Ours, caused by another one."""
    try:
        raise KeyError(request.POST["note"])
    except KeyError as fault:
        raise RuntimeError(f"Not understood: {request.POST['note']}") from fault


@needs(Can.LOG_SESSIONS)
def _loses(request: access.Request) -> HttpResponse:
    raise OperationalError(f"server closed the connection after {request.POST['note']}")


@pytest.fixture
def pages_that_fail():
    """The real addresses and those above."""
    from hwbc import urls

    more = [path(name, view, name=name) for name, view in (("breaks", _breaks), ("raises", _raises), ("loses", _loses))]
    urlconf = type("Urls", (), {"urlpatterns": more + urls.urlpatterns, "handler500": urls.handler500})
    with override_settings(ROOT_URLCONF=urlconf):
        yield


@pytest.mark.usefixtures("pages_that_fail")
def test_no_error_page_and_no_line_about_it_repeats_what_was_typed_or_who_is_there(cast: Cast) -> None:
    client, other = Client(raise_request_exception=False), Client(enforce_csrf_checks=True)
    signed_in(client, cast.asha.user)
    coach, said, query = reverse("coach", kwargs={"uuid": cast.coach_asha.uuid}), {"note": ANSWER}, f"?name={ANSWER}"
    taken = _grant_that_follows(cast)
    with logged() as lines:
        answers = {
            "400": client.get(f"/account/sign-in{query}", headers={"host": "evil.example"}),
            "403": client.get(f"/access/invite{query}"),
            "403 CSRF": other.post(f"/account/sign-in{query}", {"login": f"{ANSWER}@example.org", "password": ANSWER}),
            "404": cast.zed.client.get(f"{coach}{query}"),
            "404 no page": client.get(f"/nowhere{query}"),
            "405": client.put(f"/coaches{query}", ANSWER),
            "409": cast.mo.client.post(taken, {"because": ANSWER}),
            "500 row": client.post("/breaks", said),
            "500": client.post("/raises", said),
            "503": client.post("/loses", said),
        }
        for _ in range(6):
            last = Client().post("/account/sign-in", {"login": f"{ANSWER}@example.org", "password": f"{ANSWER} x"})
    assert {name: answer.status_code for name, answer in answers.items()} == {name: int(name[:3]) for name in answers}
    assert "too many" in body(last).lower()
    assert [name for name, answer in answers.items() if ANSWER in body(answer) or ANSWER in headers(answer)] == []
    for name in ("404", "404 no page", "405", "500", "500 row", "503"):
        assert not words(body(answers[name])), name
        assert "Asha" not in body(answers[name]) or name == "405", name
    assert [line for line in lines if words(line)] == []
    told = "\n".join(lines)
    for kept in ("IntegrityError", "workforce_user_email_lower_case", "RuntimeError", "KeyError", "_raises"):
        assert kept in told  # what is needed to find it
    assert [line for line in audit() if words(line)] == []


def _grant_that_follows(cast: Cast) -> str:
    """Where a supervisor's access is ended: it is not, and the page says 409."""
    with walls.lifted("tests"):
        grant = cast.sam.user.grants.filter(revoked_at=None).earliest("pk")
    return reverse("access_end", kwargs={"uuid": grant.uuid})


@pytest.mark.usefixtures("pages_that_fail")
def test_the_search_of_the_log_finds_what_is_in_it(cast: Cast) -> None:
    """The control: with exceptions told in their own words, the log has what somebody typed."""
    client = Client(raise_request_exception=False)
    signed_in(client, cast.asha.user)
    for page in ("breaks", "raises"):
        with logged(structlog.processors.format_exc_info) as lines:
            client.post(f"/{page}", {"note": ANSWER})
        assert ANSWER in "\n".join(lines).lower()


def test_the_log_of_the_embedded_database_has_no_values() -> None:
    if not settings.EMBEDDED_DATABASE:
        pytest.skip("The database is somebody else's: docs/deploy.md says what to set.")
    with connection.cursor() as cursor:
        cursor.execute("select current_setting('log_error_verbosity'), current_setting('log_min_error_statement')")
        assert cursor.fetchone() == ("terse", "panic")


# --- Links, mail, jobs ------------------------------------------------------------------------------------------------


def test_a_link_to_choose_a_password_stands_in_the_mail_alone(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    client = Client(raise_request_exception=False)
    with logged() as lines:
        asked = client.post(reverse("account_reset_password"), {"email": cast.lee.user.email})
        sent = {"email": "nia@example.org", "name": "Nia Invented", "role": "pcn_manager",
                "pcn": cast.riverside.uuid, "place": cast.riverside.uuid, **day("starts_on", today())}  # fmt: skip
        form = cast.mo.client.get(reverse("access_invite")).context["form"]
        sent |= dict.fromkeys(form.WHERE.values(), str(cast.riverside.uuid)) if hasattr(form, "WHERE") else {}
        invited = cast.mo.client.post(reverse("access_invite"), sent, follow=True)
        links = re.findall(r"http://[^/\s]+(/account/password/choose/\S+)", "\n".join(str(m.body) for m in mail.outbox))
        assert len(links) == len(mail.outbox) == 2, body(invited)
        answers = [asked, invited]
        with monkeypatch.context() as patch:
            patch.setattr(access, "reach", _away)
            patch.setattr(access.FrontDoor, "find_actor", staticmethod(_away))
            answers += [client.get(link) for link in links]
        assert [answer.status_code for answer in answers[-2:]] == [503, 503]
        answers += [client.put(link) for link in links]
        for link in links:
            answers.append(client.get(link))
            answers.append(client.get(answers[-1].headers["Location"]))
    keys = [link.rpartition("/")[2].partition("-")[2] for link in links]
    assert all(len(key) > 20 for key in keys)
    for key in keys:
        assert not [line for line in lines if key in line]
        assert not [line for line in audit() if key in line]
        assert not [answer for answer in answers if key in body(answer) or key in headers(answer)]
    assert "/account/password/choose/…" in "\n".join(lines)


def _away(*args: object) -> Any:
    raise OperationalError("connection refused")


def test_nightly_checks_an_import_and_exports_log_and_audit_no_word_of_a_record(world: World) -> None:
    mo = world.people["mo"]
    assert mo is not None
    row = {"coach_ref": "canary-new-coach-801", "name": "canary-new-name-802", "pcn_code": "U99991", "funding": "arrs",
           "email": "canary-new-mail-803@example.org", "started_on": "2026-01-05", "hours_per_week": "30"}  # fmt: skip
    with logged() as lines:
        run_checks(SETUP, today())
        assert bringing.imported(mo, {"coaches": [row]}).outcome == "done"
        run_checks(SETUP, today())
    assert [line for line in lines if words(line)] == []
    assert [line for line in audit() if words(line)] == []
    assert len(audit()) > 20
    with walls.lifted("tests"):
        written = [*AuditEvent.objects.values_list("facts", flat=True), *_told()]
    assert sorted({text for value in written for text in free_text(value)}) == []


def _told() -> list[Any]:
    return list(Notification.objects.values_list("facts", flat=True))


def test_free_text_among_facts_is_noticed() -> None:
    assert free_text({"coach": str(uuid4()), "reason": "Back from leave", "more": [{"note": "ill today"}, 3]}) == [
        "Back from leave",
        "ill today",
    ]


# --- The controls -----------------------------------------------------------------------------------------------------


def test_the_search_finds_what_there_is_to_find(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    planted = {name for name, subject in world.planted.values() if subject != TYPED} | {"workforce.Absence.kind"}
    assert planted == {name for name in TABLE if confidential(name)} - SECRETS - set(SAME_AS)
    _notices_a_wrong_line(world)
    _notices_missing_walls(world, monkeypatch)


def _notices_a_wrong_line(world: World) -> None:
    """A line of the table that lets nobody see what is shown is noticed, and one that lets somebody see more."""
    seen = Seen()
    walk(world, "bo", addresses(world, ["referral", "coach_training"]), seen)
    leaks, shown = judged(world, seen, {**TABLE, "coaching.SessionNote.note": frozenset()})
    assert {leak.partition(" of ")[0] for leak in leaks} == {"coaching.SessionNote.note"}
    assert "supervision.Meeting.voided_because: coach, own record" in _unseen(shown, ("bo",))


def _notices_missing_walls(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the database's walls and without for_actor, everybody is shown what is not theirs."""
    with walls.lifted("tests"):
        every = {
            "coaches": frozenset(Coach.objects.values_list("pk", flat=True)),
            "pcns": frozenset(Organisation.objects.values_list("pk", flat=True)),
        }
    monkeypatch.setattr(Reached, "for_actor", lambda self, actor, can=None: self.all())
    monkeypatch.setattr(Actor, "coaches", lambda self, can: every["coaches"])
    monkeypatch.setattr(Actor, "pcns", lambda self, can: every["pcns"])
    monkeypatch.setattr(Actor, "around", lambda self, can: every["pcns"])
    monkeypatch.setattr(caseload, "is_opened", lambda actor, referral: True)
    monkeypatch.setattr(Actor, "scope", property(lambda self: walls.Scope(self.user_id, lifts="tests")))
    seen = Seen()
    names = ["coach_training", "coach_history", "coach_employment", "referral", "coaches_export", "referrals_export"]
    for who in ("zed", "former", "ann"):
        walk(world, who, addresses(world, names), seen)
    leaks, _ = judged(world, seen)
    found = {leak.partition(" of ")[0] for leak in leaks}
    assert found >= {
        "coaching.SessionNote.note", "coaching.Referral.reference", "training.Exemption.reason",
        "workforce.Absence.kind", "workforce.Absence.voided_because", "workforce.Coach.name",
    }  # fmt: skip
