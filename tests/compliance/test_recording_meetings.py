"""A supervisor records, corrects and withdraws meetings: what is saved, said, refused and shown."""

from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.standards.models import Flag
from hwbc.workforce import walls
from supervision.models import Meeting
from tests.cast import SETUP, Cast
from tests.compliance.recording import day, posted, said

pytestmark = pytest.mark.django_db


def new_url(cast: Cast) -> str:
    return reverse("meeting_new", kwargs={"uuid": cast.coach_asha.uuid})


def given(**values: Any) -> dict[str, Any]:
    return {"token": uuid4(), "kind": "line", **day("held_on", today()), "minutes": 60, "format": "individual",
            "status": "held", **values}  # fmt: skip


def meetings() -> list[Meeting]:
    with walls.lifted("tests"):
        return list(Meeting.objects.order_by("pk").select_related("supervisor"))


def test_a_supervisor_records_a_meeting_and_the_flag_clears(cast: Cast) -> None:
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        assert Flag.objects.get(coach=cast.coach_asha, rule="supervision.line").cleared_at is None
    response = posted(cast.sam.client, new_url(cast), given())
    [text] = said(response)
    assert text.startswith("The meeting is recorded. Line management for Asha Rahman is met again.")
    assert "Next due" in text
    with walls.lifted("tests"):
        assert Flag.objects.get(coach=cast.coach_asha, rule="supervision.line").cleared_at is not None
    [made] = meetings()
    assert (made.supervisor, made.minutes, made.held_on) == (cast.supervisor_sam, 60, today())
