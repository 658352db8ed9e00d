"""What holds for every table behind a wall: Zed sees no row of Riverside's, through either wall by itself."""

from typing import Any

import pytest
from django.apps import apps
from django.db import models
from django.utils import timezone

from coaching.actions.opening import open_case
from coaching.models import CoachingSession, Patient, Referral
from hwbc.kit.periods import today
from hwbc.standards.models import MonthlyShare
from hwbc.workforce import actions, walls
from hwbc.workforce.models import AuditSeal, Change, Reached
from tests import pages
from tests.cast import Cast
from tests.coaching.work import note

pytestmark = pytest.mark.django_db

BEHIND_A_WALL: list[Any] = [
    model
    for model in apps.get_models()
    if isinstance(wall := getattr(model, "wall", None), walls.Wall)
    and wall.shows
    and model is not AuditSeal  # hashes, about nobody
]


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Riverside has rows in every table."""
    pages.more_of_asha(cast, 1)
    pages.a_case(cast)
    pages.a_session(cast)
    pages.an_exemption(cast)
    pages.an_absence(cast)
    pages.a_refused_check(cast)
    pages.more_openings(cast, 1)
    pages.held(cast)
    pages.more_browsers(cast, 1)
    with walls.lifted("tests"):
        Patient.objects.create(pcn=cast.riverside)
        note(CoachingSession.objects.get(referral__reference="CASE"), note="Walked to the park")
        MonthlyShare.objects.create(
            pcn=cast.riverside, on=today(), rule="supervision.line", on_track=1, asked=2, counted_at=timezone.now()
        )
    with walls.within(cast.mo.actor.scope):
        actions.signed_in(cast.mo.actor, user=cast.mo.user)
        case = Referral.objects.get(reference="CASE")
        open_case(cast.mo.actor, referral=case, reason="Asha is ill and the person rang")
    return cast


def of_others(model: Any, cast: Cast) -> set[Any]:
    """The rows that are nothing to Zed: not his own, nor his coach's, nor his PCN's."""
    his: dict[str, Any] = {
        "coach_id": cast.coach_dot.pk,
        "pcn_id": cast.lakeside.pk,
        "organisation_id": cast.lakeside.pk,
        "user_id": cast.zed.user.pk,
    }
    if model is Change:  # of a row that everybody is shown, everybody is shown what it was
        of = {"coach": cast.coach_dot.pk, "pcn": cast.lakeside.pk, "care": cast.lakeside.pk, "node": cast.lakeside.pk}
        his = {**of, "holder": cast.zed.user.pk, "is_open": True}
    with walls.lifted("tests"):
        rows = list(model.objects.all())
    return {
        row.pk
        for row in rows
        if row != cast.coach_dot and not any(getattr(row, name, 0) == pk for name, pk in his.items())
    }


def seen(rows: "models.QuerySet[Any]") -> set[Any]:
    return set(rows.values_list("pk", flat=True))


def test_the_database_by_itself_shows_no_row_of_another_pcn(filled: Cast) -> None:
    for model in BEHIND_A_WALL:
        others = of_others(model, filled)
        with walls.within(filled.mo.actor.scope):
            assert others & seen(model.objects.all()), model  # the control: there is something to see
        with walls.within(filled.zed.actor.scope):
            assert not others & seen(model.objects.all()), model
        with walls.within(walls.NOBODY):
            assert not seen(model.objects.filter(is_open=False) if model is Change else model.objects.all()), model


def test_for_actor_by_itself_gives_no_row_of_another_pcn(filled: Cast) -> None:
    mo, zed = filled.mo.actor, filled.zed.actor
    asked = [model for model in BEHIND_A_WALL if isinstance(model.objects.all(), Reached)]
    assert len(asked) > 12
    for model in asked:
        others = of_others(model, filled)
        with walls.lifted("tests"):
            assert others & seen(model.objects.for_actor(mo)), model
            assert not others & seen(model.objects.for_actor(zed)), model
            assert not seen(model.objects.for_actor(filled.nobody_yet.actor)), model
