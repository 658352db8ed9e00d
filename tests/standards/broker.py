"""The broker, away."""

import pytest
from django.conf import settings

from hwbc.celery import app


def take_away(monkeypatch: pytest.MonkeyPatch, address: str = "redis://127.0.0.1:1/0") -> None:
    """From now on this process sends its messages to an address where no broker is."""
    # Each follows the next as long as it has no value of its own: in this order all come back to what they were.
    monkeypatch.setattr(app.conf, "broker_write_url", address)
    monkeypatch.setattr(app.conf, "broker_url", address)
    monkeypatch.setattr(settings, "CELERY_BROKER_URL", address)
    monkeypatch.setattr(app, "_pool", None)
    monkeypatch.setattr(app.amqp, "_producer_pool", None)
