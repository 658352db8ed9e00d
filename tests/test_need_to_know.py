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
    BO, DOT, ELSEWHERE, RELATIONS, SAME_AS, SECRETS, TABLE, TYPED, Seen, World, addresses, audit, body, confidential,
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
    here = {RELATIONS[subject][who] for subject in (BO, DOT) for who in people if who in RELATIONS[subject]}
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
