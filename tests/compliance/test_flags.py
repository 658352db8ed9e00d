"""Flags: the list, one flag, and its acknowledgement."""

import re
from datetime import timedelta

import pytest

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, FlagEvent
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Post
from tests import facts
from tests.cast import SETUP, Cast, Person

pytestmark = pytest.mark.django_db


@pytest.fixture
def flag(cast: Cast) -> Flag:
    """Asha has had no line meeting for months."""
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        return Flag.objects.get(coach=cast.coach_asha, rule="supervision.line")


def acknowledged() -> list[str]:
    with walls.lifted("tests"):
        return list(FlagEvent.objects.filter(what="acknowledged").order_by("pk").values_list("note", flat=True))


def page(person: Person, address: str) -> str:
    response = person.client.get(address)
    assert response.status_code == 200, response.status_code
    return re.sub(r"\s+", " ", response.content.decode())


@pytest.mark.parametrize("name", ["mo", "lee"])
def test_manager_and_hub_acknowledge_and_it_stays_open(name: str, cast: Cast, flag: Flag) -> None:
    person: Person = getattr(cast, name)
    address = f"/flags/{flag.uuid}"
    response = person.client.post(address, {"note": "Lena meets Asha on Tuesday"}, follow=True)
    text = response.content.decode()
    assert "The flag is acknowledged. It stays open until the rule is met." in text
    assert f"by {person.user.name}" in text
    assert "Lena meets Asha on Tuesday" in text
    with walls.lifted("tests"):
        flag.refresh_from_db()
        event = AuditEvent.objects.get(what="flag.acknowledge")
    assert flag.cleared_at is None
    assert event.facts == {"rule": "supervision.line"}
    assert "Tuesday" not in str(event.facts)
    assert f"Acknowledged by {person.user.name}" in page(person, "/flags")


@pytest.mark.parametrize("name", ["asha", "sam", "ann"])
def test_others_read_it_and_may_not_acknowledge(name: str, cast: Cast, flag: Flag) -> None:
    person: Person = getattr(cast, name)
    text = page(person, f"/flags/{flag.uuid}")
    assert "Line management" in text
    assert '<form method="post"' not in text.replace("account-form", "")
    response = person.client.post(f"/flags/{flag.uuid}", {"note": "Seen"})
    assert response.status_code == 403
    assert "None of your roles lets you acknowledge flags" in response.content.decode()
    assert acknowledged() == []


def test_for_another_pcn_there_is_no_such_flag(cast: Cast, flag: Flag) -> None:
    assert cast.zed.client.get(f"/flags/{flag.uuid}").status_code == 404
    assert cast.zed.client.post(f"/flags/{flag.uuid}", {"note": "Seen"}).status_code == 404
    assert acknowledged() == []


def test_a_double_click_is_one_acknowledgement_and_a_new_note_another(cast: Cast, flag: Flag) -> None:
    for note in ("Seen", "Seen", "Booked"):
        cast.mo.client.post(f"/flags/{flag.uuid}", {"note": note})
    assert acknowledged() == ["Seen", "Booked"]


@pytest.mark.parametrize(("note", "said"), [("", "Enter what is being done"), ("x" * 501, "at most 500")])
def test_a_note_that_will_not_do(note: str, said: str, cast: Cast, flag: Flag) -> None:
    text = cast.mo.client.post(f"/flags/{flag.uuid}", {"note": note}).content.decode()
    assert said in text
    assert "There is a problem" in text
    assert acknowledged() == []


def test_a_flag_cleared_meanwhile_is_said_and_the_note_kept(cast: Cast, flag: Flag) -> None:
    facts.bring_in(cast, {**facts.supervisors(), "supervision": [facts.meeting("ASHA", "line", 3)]})
    run_checks(SETUP, today())
    text = cast.mo.client.post(f"/flags/{flag.uuid}", {"note": "Too late"}).content.decode()
    assert acknowledged() == []
    assert "was cleared meanwhile" in text


def test_a_flag_is_shown_on_the_days_it_stood(cast: Cast, flag: Flag) -> None:
    yesterday = (today() - timedelta(days=1)).isoformat()
    assert cast.mo.client.get(f"/flags/{flag.uuid}?as-at={yesterday}").status_code == 404
    assert "Not flagged yet" in page(cast.mo, f"/flags?as-at={yesterday}")


def test_a_pcn_that_the_coach_has_left_sees_no_later_flag(cast: Cast, flag: Flag) -> None:
    with walls.lifted("tests"):
        moved = today() - timedelta(days=10)
        Post.objects.filter(coach=cast.coach_asha).update(ends_on=moved, end_recorded_at=flag.raised_at)
        Post.objects.create(coach=cast.coach_asha, pcn=cast.hilltop, employer=cast.hilltop,
                            starts_on=moved + timedelta(days=1), hours_per_week=30, funding="arrs")  # fmt: skip
    assert cast.mo.client.get(f"/flags/{flag.uuid}").status_code == 404
    assert cast.lee.client.get(f"/flags/{flag.uuid}").status_code == 200
    assert "Asha" not in page(cast.mo, "/flags")


def test_a_pcn_that_the_coach_has_left_reads_nothing_of_what_was_done_later(cast: Cast, flag: Flag) -> None:
    left = today() - timedelta(days=1)
    with walls.lifted("tests"):
        Flag.objects.filter(pk=flag.pk).update(raised_on=left, raised_at=flag.raised_at - timedelta(days=1))
        FlagEvent.objects.filter(flag=flag).update(at=flag.raised_at - timedelta(days=1))
        Post.objects.filter(coach=cast.coach_asha).update(ends_on=left, end_recorded_at=flag.raised_at)
        Post.objects.create(coach=cast.coach_asha, pcn=cast.hilltop, employer=cast.hilltop,
                            starts_on=today(), hours_per_week=30, funding="arrs")  # fmt: skip
    cast.lee.client.post(f"/flags/{flag.uuid}", {"note": "Hilltop has booked it"})
    assert acknowledged() == ["Hilltop has booked it"]
    assert "Hilltop" not in page(cast.mo, f"/flags/{flag.uuid}")
    assert cast.mo.client.post(f"/flags/{flag.uuid}", {"note": "Still ours"}).status_code == 403
    assert acknowledged() == ["Hilltop has booked it"]
    assert "Hilltop has booked it" in page(cast.lee, f"/flags/{flag.uuid}")


def test_the_list_can_be_narrowed_sorted_and_says_what_matches(cast: Cast, flag: Flag) -> None:
    facts.everything(cast, 6)
    everything = page(cast.mo, "/flags")
    training = page(cast.mo, "/flags?group=Training")
    assert "Line management" in everything
    assert "Line management" not in training
    assert "Trained before taking referrals" in training
    assert "Not flagged yet" not in page(cast.mo, "/flags?show=due_soon")
    cast.mo.client.post(f"/flags/{flag.uuid}", {"note": "Seen"})
    assert "Acknowledged by" not in page(cast.mo, "/flags?show=open")
    by_coach = re.findall(r'/coaches/[^"]+">([^<]+)</a>', page(cast.mo, "/flags?sort=coach"))
    assert by_coach == sorted(by_coach, key=lambda name: name.split()[::-1])
    assert "There is a problem" in page(cast.mo, "/flags?group=Nonsense")


def test_a_place_narrows_a_hubs_list(cast: Cast, flag: Flag) -> None:
    facts.everything(cast, 2, pcn="U99992")
    hilltop = page(cast.lee, "/flags?place=U99992")
    assert "Invented001" in hilltop
    assert "Asha" not in hilltop
    assert "There is a problem" in page(cast.lee, "/flags?place=U99993")
    assert "Lakeside" not in page(cast.lee, "/flags")


def test_nothing_to_flag_says_so(cast: Cast) -> None:
    with walls.lifted("tests"):
        Post.objects.filter(coach=cast.coach_dot).update(starts_on=today() + timedelta(days=9))
    assert "You see no coach with a post on" in page(cast.zed, "/flags")
