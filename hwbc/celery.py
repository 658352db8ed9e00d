"""The alarm clock: Celery carries messages, the database carries what must happen."""

import logging.config
import os
import warnings
from typing import Any

from celery import Celery
from celery.signals import setup_logging, worker_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hwbc.settings")
# Six lines against running as root, at every start; the image runs as a user of its own.
warnings.filterwarnings("ignore", message="You're running the worker with superuser privileges")

app = Celery("hwbc")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks(["hwbc.standards", "hwbc.compliance"])

# Seconds, and no time of day: a job asks the database what is to be done by now (hwbc.standards.queries.CHECKED_FROM).
# A message that nobody took expires before the next one, so that none pile up while the worker is away.
app.conf.beat_schedule = {
    "heartbeat": {"task": "hwbc.standards.tasks.heartbeat", "schedule": 60.0, "options": {"expires": 55}},
    "checks": {"task": "hwbc.compliance.tasks.checks", "schedule": 120.0, "options": {"expires": 110}},
    "seal": {"task": "hwbc.compliance.tasks.seal", "schedule": 60.0, "options": {"expires": 55}},
    "jobs": {"task": "hwbc.compliance.tasks.jobs", "schedule": 60.0, "options": {"expires": 55}},
}


@setup_logging.connect
def log_like_the_web_server(**kwargs: Any) -> None:
    """Celery would replace the handlers with its own."""
    from django.conf import settings

    logging.config.dictConfig(settings.LOGGING)


@worker_init.connect
def refuse_the_wrong_login(**kwargs: Any) -> None:
    """A worker with a login that no wall holds for must not start."""
    from hwbc.workforce import walls

    walls.refuse()
