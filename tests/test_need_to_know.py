"""Need to know: what is confidential is shown to those who may see it, and comes out nowhere else."""

import re
from typing import Any
from uuid import uuid4

import pytest
from django.core import mail
from django.db import OperationalError, connection, models, transaction
from django.http import HttpRequest, HttpResponse
from django.test import Client, override_settings
from django.test.utils import isolate_apps
from django.urls import path, reverse

from coaching.models import CoachingSession, Referral
from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.workforce import access, walls
from hwbc.workforce.access import Actor, needs
from hwbc.workforce.models import AuditEvent, Reached, User
from hwbc.workforce.roles import Can
from tests import markup
from tests.cast import PASSWORD, SETUP, Cast
from tests.compliance import bringing
from tests.compliance.recording import day
from tests.need_to_know import (
    BO, ELSEWHERE, MOS_JOB, RELATIONS, SAME_AS, SECRETS, TABLE, TYPED, Seen, World, addresses, audit, body, confidential,
    fields_with_text, free_text, headers, judged, logged, make_world, walk, words,
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


def test_every_confidential_field_has_its_canary(world: World) -> None:
    planted = {name for name, _ in world.planted.values()} | {"workforce.Absence.kind"}
    needed = {name for name in TABLE if confidential(name)} - SECRETS - set(SAME_AS)
    assert planted == needed


# --- Pages, files, headers, audit and log -----------------------------------------------------------------------------

WALKS = {  # two of about the same length, side by side
    "those of Riverside": ("mo", "bo", "asha", "line", "clinical", "coaching", "former", "rae", "gone"),
    "everybody else": ("lee", "ann", "zed", "hilltop", "southmoor", "eve", "dot", "pip", "nobody", "signed out"),
}


def test_everybody_walks() -> None:
    assert sorted(who for some in WALKS.values() for who in some) == sorted(ELSEWHERE)


@pytest.mark.parametrize("some", WALKS)
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
    assert [line for line in lines if words(line) or any(secret in line for secret in seen.exactly)] == []
    assert len(lines) > 1000
    assert [line for line in audit() if words(line)] == []
    assert _unseen(shown, WALKS[some]) == []
    print(f"{some}: {sum(seen.statuses.values())} answers, {len(seen.canaries)} of {len(world.planted)} canaries seen")


def _unseen(shown: dict[tuple[str, Any], str], people: tuple[str, ...]) -> list[str]:
    """Where the table lets somebody see what they were shown nowhere: then the search proves nothing there."""
    here = {RELATIONS[subject][who] for subject in (BO, MOS_JOB) for who in people if who in RELATIONS[subject]}
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


@pytest.mark.parametrize("who", WHO_TYPES)
def test_what_somebody_types_is_answered_to_them_and_kept_out_of_log_audit_headers_and_mail(
    world: World, who: str
) -> None:
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
            if each.tag == f"{markup.HTML}textarea" or (each.tag == f"{markup.HTML}input" and kind in ("text", "email")):
                part = name.rpartition("_")[2]
                if part in ("day", "month", "year"):
                    others[name] = str(getattr(today(), part))
                elif each.get("inputmode") in ("numeric", "decimal"):
                    others[name] = "30"
                else:
                    fields.append(name)
            elif each.tag == f"{markup.HTML}select":
                values = [option.get("value", "") for option in each.iter(f"{markup.HTML}option")]
                others[name] = next((value for value in values if value), "")
            elif each.tag == f"{markup.HTML}input" and kind != "file":
                others.setdefault(name, each.get("value", ""))
        if fields:
            found.append((fields, others))
    return found
