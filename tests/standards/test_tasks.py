"""Through the real broker and the real worker, and back."""

import subprocess

import pytest
from django.conf import settings
from django.test import Client
from django.utils import timezone

from hwbc.celery import app
from hwbc.standards import actions
from hwbc.standards.models import Heartbeat
from hwbc.standards.queries import STALE_AFTER, Pulse, pulse
from hwbc.standards.tasks import heartbeat
from tests.cast import Cast
from tests.conftest import wait_for
from tests.standards.broker import take_away


def test_a_worker_answers(worker: subprocess.Popen[bytes]) -> None:
    actions.ask_worker()
    assert pulse().waiting or pulse().alive(timezone.now())
    wait_for(lambda: not pulse().waiting, what="the worker's answer")
    assert pulse().alive(timezone.now())


def test_the_status_page_asks_the_worker_and_shows_the_answer(live_cast: Cast, worker: subprocess.Popen[bytes]) -> None:
    mo: Client = live_cast.mo.client
    assert "Have not answered yet" in mo.get("/service-status").content.decode()
    assert mo.post("/service-status").status_code == 302
    wait_for(lambda: not pulse().waiting, what="the worker's answer")
    page = mo.get("/service-status").content.decode()
    assert "Last answered" in page
    assert "Not answering" not in page


@pytest.mark.django_db(transaction=True)
def test_with_the_broker_away_the_question_stands_and_the_page_works(
    live_cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_away(monkeypatch)
    response = live_cast.mo.client.post("/service-status", follow=True)
    page = response.content.decode()
    assert response.status_code == 200
    assert "Not reachable" in page
    assert "no answer yet" in page
    assert Heartbeat.objects.get().asked_at


@pytest.mark.django_db
def test_the_task_twice_is_the_task_once() -> None:
    heartbeat()
    heartbeat()
    assert Heartbeat.objects.count() == 1


def test_beat_asks_often_enough_for_the_alarm() -> None:
    schedule = app.conf.beat_schedule["heartbeat"]
    assert schedule["task"] == heartbeat.name
    assert schedule["schedule"] * 2 < STALE_AFTER.total_seconds()


def test_every_scheduled_job_is_one_and_its_messages_do_not_pile_up() -> None:
    app.loader.import_default_modules()
    assert set(app.conf.beat_schedule) == {"heartbeat", "checks", "seal", "jobs"}
    for job in app.conf.beat_schedule.values():
        assert job["task"] in app.tasks
        assert job["options"]["expires"] < job["schedule"] <= 300  # seconds: "every few minutes"
        assert app.tasks[job["task"]].acks_late
    assert settings.CELERY_TIMEZONE == "UTC"


def test_silence_is_noticed() -> None:
    now = timezone.now()
    assert Pulse(None, now - STALE_AFTER).alive(now)
    assert not Pulse(None, now - STALE_AFTER * 1.01).alive(now)
    assert not Pulse(now, None).alive(now)
    assert Pulse(now, None).waiting
    assert Pulse(now, now - STALE_AFTER).waiting
    assert not Pulse(now - STALE_AFTER, now).waiting
