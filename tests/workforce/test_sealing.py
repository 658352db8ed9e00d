"""The chain that audit events are sealed into: nothing is lost, nothing overtaken, and whatever is changed is named."""

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from importlib import import_module
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import IntegrityError, ProgrammingError, connection, transaction
from django.utils import timezone

from hwbc.workforce import actions, sealing, walls
from hwbc.workforce.audit import Line
from hwbc.workforce.models import AuditEvent, AuditSeal
from tests.cast import SETUP, Cast
from tests.races import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def owner_does(statement: str, *values: Any) -> None:
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def sign_in(cast: Cast, times: int = 1) -> None:
    """So many events, each in a transaction of its own."""
    actor = cast.mo.actor
    for _ in range(times):
        with walls.within(actor.scope):
            actions.signed_in(actor, user=cast.mo.user)


def seals() -> list[AuditSeal]:
    with walls.lifted("tests"):
        return list(AuditSeal.objects.order_by("sequence"))


def events() -> set[Any]:
    with walls.lifted("tests"):
        return set(AuditEvent.objects.values_list("pk", flat=True))


def verified(head: str = "") -> str:
    said = StringIO()
    call_command("verify_audit", head=head, stdout=said)
    return said.getvalue()


@pytest.fixture
def sealed(live_cast: Cast) -> Cast:
    """The cast, whose making is sealed, with four events more."""
    sign_in(live_cast, 4)
    sealing.seal()
    return live_cast


# --- Sealing -------------------------------------------------------------------------------------------------------


def test_every_event_is_sealed_once_in_the_order_of_their_transactions(live_cast: Cast) -> None:
    sign_in(live_cast, 3)
    count = len(events())
    assert sealing.seal() == count
    assert sealing.seal() == 0
    found = seals()
    assert [seal.sequence for seal in found] == list(range(1, count + 1))
    assert {seal.event for seal in found} == events()
    with walls.lifted("tests"):
        newest = list(AuditEvent.objects.order_by("-at", "-pk").values_list("pk", flat=True)[:3])
    assert [seal.event for seal in found[-3:]] == newest[::-1]
    sign_in(live_cast)
    assert sealing.seal() == 1
    assert seals()[-1].sequence == count + 1
    assert "0 events not sealed yet." in verified()


def test_it_goes_on_in_batches_and_takes_no_more_than_it_may(live_cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 4)
    monkeypatch.setattr(sealing, "MOST_BATCHES", 2)
    count = len(events())
    assert count > 12
    assert sealing.seal() == 8
    assert sealing.state().tail.events == count - 8
    while sealing.seal():
        pass
    assert {seal.event for seal in seals()} == events()
    assert f"{count} events sealed" in verified()


class Writer:
    """Somebody whose transaction has written an event and has not ended."""

    def __init__(self, cast: Cast) -> None:
        self.has_written, self.may_end = threading.Event(), threading.Event()
        self.thread = threading.Thread(target=self.write, args=(cast,))

    def write(self, cast: Cast) -> None:
        try:
            actor = cast.mo.actor
            with walls.within(actor.scope):
                actions.signed_in(actor, user=cast.mo.user)
                self.has_written.set()
                assert self.may_end.wait(20)
        finally:
            connection.close()

    def __enter__(self) -> "Writer":
        self.thread.start()
        assert self.has_written.wait(20)
        return self

    def __exit__(self, *_: object) -> None:
        self.may_end.set()
        self.thread.join(20)


def test_what_an_older_transaction_may_still_overtake_waits(sealed: Cast) -> None:
    before = len(seals())
    with Writer(sealed):
        sign_in(sealed, 2)  # committed, and younger than the one that is at work
        assert sealing.seal() == 0
        assert sealing.state().tail.events == 2  # those that are there to be seen
    assert sealing.seal() == 3
    with walls.lifted("tests"):
        order = list(AuditEvent.objects.order_by("at").values_list("pk", flat=True))
    assert [seal.event for seal in seals()[before:]] == order[-3:]
    verified()


def test_positive_control_without_the_wait_the_chain_is_not_in_order(
    sealed: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And what is overtaken is not found any more: it is this that the wait is for."""
    hasty = sealing._NEXT.replace("e.xid < (select oldest from now)", "true")
    assert hasty != sealing._NEXT
    monkeypatch.setattr(sealing, "_NEXT", hasty)
    with Writer(sealed):
        sign_in(sealed, 2)
        assert sealing.seal() == 2
    assert sealing.seal() == 0
    with pytest.raises(CommandError, match="was inserted: events that were written after it are sealed, and it is not"):
        verified()


def test_two_at_once_seal_everything_once(sealed: Cast) -> None:
    sign_in(sealed, 3)
    before = len(seals())

    def seal() -> int:
        with walls.lifted("tests"):
            return actions.seal_events(limit=100)

    first, second = at_once(SETUP, seal, SETUP, seal)
    assert (first, second) == (3, 0)
    assert len(seals()) == before + 3
    assert sealing.seal() == 0
    verified()


def test_positive_control_without_the_lock_the_second_fails_and_nothing_is_sealed_twice(
    sealed: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each takes a lock of its own, so that neither is in the other's way.
    monkeypatch.setattr(sealing, "LOCK", "pg_backend_pid()")
    sign_in(sealed, 3)
    before = len(seals())

    def seal() -> int:
        with walls.lifted("tests"):
            return actions.seal_events(limit=100)

    first, second = at_once(SETUP, seal, SETUP, seal)
    assert first == 3
    assert isinstance(second, IntegrityError)
    assert len(seals()) == before + 3
    verified()


def test_one_that_is_killed_in_the_middle_loses_nothing(sealed: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 2)
    sign_in(sealed, 5)
    before = len(seals())
    made: Callable[..., list[Any]] = sealing.final_events
    calls = []

    def dies(limit: int) -> list[Any]:
        calls.append(limit)
        if len(calls) == 2:
            connection.connection.close()  # as the server sees it when the process is gone
        return made(limit)

    monkeypatch.setattr(sealing, "final_events", dies)
    with pytest.raises(Exception, match="closed"):
        sealing.seal()
    connection.close()
    monkeypatch.setattr(sealing, "final_events", made)
    assert len(seals()) == before + 2
    assert sealing.seal() == 3
    assert {seal.event for seal in seals()} == events()
    verified()


def test_a_copy_on_another_server_goes_on_where_it_was(sealed: Cast) -> None:
    """Numbers of transactions begin anew there: those that came with the copy lie ahead of what the server knows."""
    sign_in(sealed, 2)
    owner_does("update workforce_auditevent set xid = (xid::text::bigint + 1000000)::text::xid8")
    sign_in(sealed, 2)  # written there, with small numbers
    count = len(events())
    assert sealing.seal() == 4
    assert len(seals()) == count
    sign_in(sealed)
    assert sealing.seal() == 1
    verified()


def test_the_job_seals_every_minute() -> None:
    from hwbc.celery import app

    entry = app.conf.beat_schedule["seal"]
    assert (entry["task"], entry["schedule"]) == ("hwbc.compliance.tasks.seal", 60.0)


def test_the_job_does_it(live_cast: Cast) -> None:
    from hwbc.compliance.tasks import seal

    seal()
    assert {each.event for each in seals()} == events()


def test_the_application_can_change_no_link_and_no_event_and_make_none_outside_the_job(sealed: Cast) -> None:
    refused = pytest.raises(ProgrammingError, match="permission denied")
    scopes: tuple[Callable[[], Any], ...] = (
        lambda: walls.within(sealed.mo.actor.scope),
        lambda: walls.lifted("tests"),
    )
    for scope in scopes:
        for table in ("workforce_auditseal", "workforce_auditevent"):
            for statement in ("update {} set {} = {}", "delete from {}", "truncate {}"):
                column = "hash" if table.endswith("seal") else "what"
                with scope(), refused, transaction.atomic(), connection.cursor() as cursor:
                    cursor.execute(statement.format(table, column, column))
    with walls.within(sealed.mo.actor.scope), pytest.raises(ProgrammingError, match="row-level security"):
        AuditSeal.objects.create(sequence=10_000, event=seals()[0].event, hash="0" * 64, sealed_at=timezone.now())


# --- Verifying -----------------------------------------------------------------------------------------------------


def test_a_whole_chain_is_whole_and_says_what_to_keep(sealed: Cast) -> None:
    sign_in(sealed, 2)
    said = verified()
    assert f"{len(seals())} events sealed, and as they were." in said
    assert re.search(r"2 events not sealed yet, the oldest since \d{4}-\d\d-\d\d \d\d:\d\d\.", said)
    head = seals()[-1].hash
    assert f"Head: {head}" in said
    sealing.seal()
    assert "2 events not sealed" not in verified(head)  # one that was the last once is as good


def test_nothing_is_a_whole_chain_too(empty: None) -> None:
    assert "0 events sealed" in verified()
    assert "Head: none" in verified()


@contextmanager
def found(link: AuditSeal, says: str) -> Iterator[None]:
    """The command fails and names that link, its event and what was done."""
    with pytest.raises(CommandError) as fault:
        yield
    text = str(fault.value)
    assert text.startswith(f"Link {link.sequence}: the event {link.event}"), text
    assert says in text, text
    assert re.search(r" of \d{4}-\d\d-\d\d \d\d:\d\d:\d\d", text) or "was removed" in text
    assert f"{link.sequence - 1} event" in text


@pytest.mark.parametrize(
    "change",
    [
        "what = 'account.sign_out'", "by = 'auditor'", "user_id = null", "facts = '{\"new\": true}'",
        "outcome = 'refused'", "at = at + interval '1 microsecond'", "organisation_id = null",
        "coach_id = (select min(id) from workforce_coach)", "patients = not patients", "kind = 'x'",
        "record = 'x'", "request = 'x'",
    ],
)  # fmt: skip
def test_an_altered_event_is_named(sealed: Cast, change: str) -> None:
    link = seals()[-3]
    owner_does(f"update workforce_auditevent set {change} where id = %s", link.event)
    with found(link, "was altered"):
        verified()


def test_a_removed_event_is_named(sealed: Cast) -> None:
    link = seals()[-3]
    owner_does("delete from workforce_auditevent where id = %s", link.event)
    with found(link, "was removed: its link is there, and the event is not"):
        verified()


def test_an_event_that_was_removed_with_its_link_is_missed(sealed: Cast) -> None:
    gone, after = seals()[-3:-1]
    owner_does("delete from workforce_auditevent where id = %s", gone.event)
    owner_does("delete from workforce_auditseal where sequence = %s", gone.sequence)
    with pytest.raises(CommandError, match=f"Link {after.sequence}: .* follows what was removed: link {gone.sequence}"):
        verified()
    owner_does("update workforce_auditseal set sequence = sequence - 1 where sequence = %s", after.sequence)
    owner_does("update workforce_auditseal set sequence = sequence - 1 where sequence = %s", after.sequence + 1)
    with pytest.raises(CommandError, match=f"Link {gone.sequence}: .* the one before it was removed"):
        verified()


def test_an_end_that_was_cut_off_is_missed_by_the_hash_that_was_kept(sealed: Cast) -> None:
    head = seals()[-1].hash
    verified(head)
    for gone in seals()[-2:]:
        owner_does("delete from workforce_auditseal where sequence = %s", gone.sequence)
        owner_does("delete from workforce_auditevent where id = %s", gone.event)
    verified()  # nothing else can tell
    with pytest.raises(CommandError, match="the hash that was kept is not in the chain, which was cut off"):
        verified(head)


def test_events_that_were_sealed_anew_are_no_better(sealed: Cast) -> None:
    """Links taken off the end and made again by the job, about an altered event."""
    head, link = seals()[-1].hash, seals()[-2]
    owner_does("update workforce_auditevent set by = 'x' where id = %s", link.event)
    owner_does("delete from workforce_auditseal where sequence >= %s", link.sequence)
    assert sealing.seal() == 2
    verified()
    with pytest.raises(CommandError, match="cut off"):
        verified(head)


@pytest.mark.parametrize("apart", [1, 2])
def test_two_that_changed_places_are_named(sealed: Cast, apart: int) -> None:
    one, other = seals()[-3], seals()[-3 + apart]
    swap = "update workforce_auditseal set event = %s where sequence = %s"
    owner_does(swap, sealed.mo.user.uuid, one.sequence)  # an event is there once
    owner_does(swap, one.event, other.sequence)
    owner_does(swap, other.event, one.sequence)
    with pytest.raises(
        CommandError, match=f"Link {one.sequence}: the event {other.event} .*was moved: the event {one.event}"
    ):
        verified()


def forge(cast: Cast, **said: Any) -> Any:
    """An event as the owner writes it into the table, whatever it says."""
    line = Line("account.sign_in", cast.mo.actor)
    line.about(cast.mo.user)
    with walls.as_owner():
        made = AuditEvent.objects.create(
            user=cast.mo.user, by="pcn_manager", what=line.what, kind=line.kind, record=line.record, **said
        )
    return made.pk


def test_a_forged_event_among_the_sealed_ones_is_named(sealed: Cast) -> None:
    forged = forge(sealed)
    owner_does("update workforce_auditevent set xid = '3' where id = %s", forged)
    with pytest.raises(CommandError, match=f"the event {forged} .* was inserted"):
        verified()


def test_a_forged_event_of_another_day_is_named_once_it_is_sealed(sealed: Cast) -> None:
    forged = forge(sealed, at=timezone.now() - timedelta(days=40))
    assert sealing.seal() == 1
    with found(seals()[-1], "was inserted: it says to be of a day before"):
        verified()
    assert seals()[-1].event == forged


def test_a_forged_link_is_named(sealed: Cast) -> None:
    """Put in before the last two, which are numbered anew; its hash is right, and theirs are not any more."""
    before, *after = seals()[-3:]
    forged = forge(sealed)
    for link in reversed(after):
        owner_does("update workforce_auditseal set sequence = sequence + 1 where sequence = %s", link.sequence)
    owner_does(
        "insert into workforce_auditseal (sequence, event, hash, sealed_at) values (%s, %s, %s, %s)",
        before.sequence + 1, forged, "f" * 64, before.sealed_at,
    )  # fmt: skip
    with pytest.raises(CommandError, match=f"Link {before.sequence + 1}: the event {forged} .*was inserted"):
        verified()


@pytest.mark.parametrize("change", ["hash = repeat('0', 64)", "sealed_at = sealed_at + interval '1 second'"])
def test_an_altered_link_is_named(sealed: Cast, change: str) -> None:
    link = seals()[-2]
    owner_does(f"update workforce_auditseal set {change} where sequence = %s", link.sequence)
    with found(link, "was altered, it or its link"):
        verified()


def test_it_reads_a_few_links_at_a_time(sealed: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealing, "BATCH", 3)
    asked = []
    original = sealing._rows

    def watched(after: int) -> Iterator[Any]:
        for row in original(after):
            asked.append(row.sequence)
            yield row

    monkeypatch.setattr(sealing, "_rows", watched)
    verified()
    assert asked == [link.sequence for link in seals()]
    last = seals()[-1]
    owner_does("update workforce_auditevent set by = 'x' where id = %s", last.event)
    with found(last, "was altered"):
        verified()


# --- Lines of before ------------------------------------------------------------------------------------------------


def test_lines_of_before_are_told_whom_they_are_about(live_cast: Cast) -> None:
    """What the migration says of them: none that is about patients may be shown to whoever may not see those."""
    migration = import_module("hwbc.workforce.migrations.0009_audit_scope_and_seals")
    asha = live_cast.coach_asha
    told = {
        "referral.allocate": ("coaching.referral", "x", {"coach": str(asha.uuid)}),
        "session.log": ("coaching.coachingsession", "x", {}),
        "referral.hand_back_all": ("workforce.coach", str(asha.uuid), {}),
        "export.caseload": ("caseload.csv", "", {}),
        "absence.record": ("workforce.absence", "1", {"coach": str(asha.uuid)}),
        "organisation.add": ("workforce.organisation", str(live_cast.riverside.uuid), {}),
    }
    made = {what: AuditEvent(what=what, kind=kind, record=record, facts=facts, by="x")
            for what, (kind, record, facts) in told.items()}  # fmt: skip
    with walls.as_owner():
        for event in made.values():
            event.save(force_insert=True)
    owner_does(migration._BEFORE)
    with walls.lifted("tests"):
        for event in made.values():
            event.refresh_from_db()
    assert {what: event.patients for what, event in made.items()} == {
        "referral.allocate": True, "session.log": True, "referral.hand_back_all": True, "export.caseload": True,
        "absence.record": False, "organisation.add": False,
    }  # fmt: skip
    assert {what for what, event in made.items() if event.coach_id == asha.pk} == {
        "referral.allocate", "referral.hand_back_all", "absence.record",
    }  # fmt: skip
    assert made["session.log"].coach_id is None
