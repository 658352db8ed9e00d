"""What it costs to keep who has read what: the same pages with their line of the audit, and without."""

import statistics
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from unittest.mock import patch

from django.core.handlers.wsgi import WSGIHandler
from django.urls import reverse

from coaching.models import Allocation
from hwbc.workforce import audit, walls
from hwbc.workforce.models import Post
from hwbc.workforce.roles import Role
from tests.bench.load import cookie, service
from tests.bench.pages import database, measure
from tests.cast import Person, UserFactory

COACHES, TURNS = 25, 5


def main() -> None:
    """Print one table: what each page costs, both ways; in turns, because a machine is not always as fast."""
    rows = []
    with database(), service(COACHES):
        with walls.lifted("bench"):
            post = Post.objects.order_by("pk").select_related("coach", "pcn")[0]
            case = Allocation.objects.filter(coach=post.coach, ends_on=None).select_related("referral")[0].referral
        coach = Person(UserFactory.create())
        coach.given(Role.COACH, post.pcn, post.coach, starts_on=post.starts_on)
        application, who = WSGIHandler(), cookie(coach)
        for address in (reverse("caseload"), reverse("referral", kwargs={"uuid": case.uuid})):
            ways: dict[str, Callable[[], AbstractContextManager[Any]]] = {
                "kept": nullcontext,
                "not kept": lambda: patch.object(audit, "_write"),
            }
            found: dict[str, list[tuple[str, float, float, int, int]]] = {way: [] for way in ways}
            for _ in range(TURNS):
                for way, made in ways.items():
                    with made():
                        found[way].append(measure(address, application, address, who))
            rows += [(address[:12], way, found[way]) for way in ways]
    print(f"{'page':<16}{'reading is':<12}{'CPU ms':>8}{'wall ms':>9}{'queries':>9}")
    for page, way, turns in rows:
        cpu, wall = (statistics.median(turn[1] for turn in turns), statistics.median(turn[2] for turn in turns))
        print(f"{page:<16}{way:<12}{cpu:>8.2f}{wall:>9.2f}{turns[0][3]:>9}")
