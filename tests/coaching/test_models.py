"""What the tables themselves hold of the work: who sees a session, and what an import leaves out."""

import re

import pytest
from django.db import connection, models

from coaching.models import Allocation, CoachingSession, Referral, SessionNote
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent
from tests.cast import Cast
from tests.coaching.work import given, logged, received, train
from tests.facts import ago, bring_in

pytestmark = pytest.mark.django_db


def test_what_an_import_does_not_bring_is_empty_and_never_null(cast: Cast) -> None:
    row = {"referral_ref": "I1", "pcn_code": "U99991", "source": "self", "priority": "routine", "received_on": ago(9)}
    session = {"referral_ref": "I1", "held_on": ago(2), "mode": "phone", "minutes": "30", "outcome": "attended"}
    bring_in(
        cast,
        {"referrals": [{**row, "coach_ref": "ASHA", "accepted_on": ago(5)}], "coaching_sessions": [session]},
    )
    with walls.lifted("tests"):
        allocation, contact = Allocation.objects.get(), CoachingSession.objects.get()
        assert not SessionNote.objects.exists()
    assert (allocation.warnings, allocation.allocated_by) == ([], None)
    assert (contact.voided_because, contact.imported) == ("", True)


def test_no_code_is_shipped_that_no_source_confirms() -> None:
    assert not [code for code in SessionNote.Activity.values if re.search(r"\d", code)]


def test_a_session_is_behind_the_wall_of_care_whoever_asks(cast: Cast) -> None:
    """The database by itself: without the first wall, `for_actor`."""
    train(cast, "ASHA")
    referral = received(cast)
    given(cast, referral)
    logged(cast, referral, note="Canary-note", next_step="Canary-step")
    seen = {}
    for name in ("mo", "asha", "sam", "lee", "ann", "zed", "nobody_yet"):
        with walls.within(getattr(cast, name).actor.scope), connection.cursor() as cursor:
            cursor.execute("select count(*) from coaching_coachingsession")
            sessions = cursor.fetchone()[0]
            seen[name] = (sessions, Allocation.objects.count(), Referral.objects.count())
    assert seen == {
        "mo": (1, 1, 1), "asha": (1, 1, 1), "sam": (0, 1, 0), "lee": (0, 1, 1), "ann": (0, 1, 1), "zed": (0, 0, 0),
        "nobody_yet": (0, 0, 0),
    }  # fmt: skip


def test_what_was_said_in_a_session_stands_in_the_table_of_notes_alone(cast: Cast) -> None:
    train(cast, "ASHA")
    referral = received(cast)
    given(cast, referral)
    logged(cast, referral, note="Canary-note", next_step="Canary-step")
    with walls.lifted("tests"), connection.cursor() as cursor:
        for model, found in ((SessionNote, 1), (CoachingSession, 0), (Allocation, 0), (Referral, 0), (AuditEvent, 0)):
            text = " || ' ' || ".join(
                f"coalesce({field.column}::text, '')"
                for field in model._meta.concrete_fields
                if not isinstance(field, models.AutoField)
            )
            cursor.execute(f"select count(*) from {model._meta.db_table} where {text} ilike '%%canary%%'")
            assert cursor.fetchone()[0] == found, model
