"""What somebody was told, as they see it; and the ledger of the checks."""

import re
from datetime import timedelta

import pytest
import time_machine

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.standards.models import Notification
from hwbc.workforce import actions, walls
from hwbc.workforce.models import Grant
from tests import facts
from tests.cast import SETUP, Cast, Person, signed_in

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(cast: Cast) -> Cast:
    run_checks(SETUP, today())
    return cast


def page(person: Person, address: str = "/notifications") -> str:
    response = person.client.get(address)
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def of(person: Person) -> list[Notification]:
    with walls.lifted("tests"):
        return list(Notification.objects.filter(user=person.user).order_by("made_at", "key"))


def test_everybody_sees_their_own(told: Cast) -> None:
    assert "Bo Lindqvist: Line management, overdue against the standard" in page(told.mo)
    assert "Bo Lindqvist" not in page(told.asha)
    assert not re.search("Asha|Bo Lindqvist", page(told.zed))
    assert "No notifications" in page(told.rae)


def test_home_says_how_much_is_unread_and_reading_all_ends_it(told: Cast) -> None:
    count = len(of(told.mo))
    assert f"{count} notifications you have not read" in page(told.mo, "/")
    response = told.mo.client.post("/notifications", follow=True)
    assert f"{count} marked as read." in response.content.decode()
    assert "you have not read" not in page(told.mo, "/")
    assert all(row.read_at for row in of(told.mo))
    assert not any(row.read_at for row in of(told.asha))


def test_reading_one_leads_to_its_flag(told: Cast) -> None:
    first = of(told.mo)[0]
    response = told.mo.client.post(f"/notifications/{first.pk}/read")
    assert response.headers["Location"] == f"/flags/{first.record}"
    assert told.mo.client.get(response.headers["Location"]).status_code == 200
    assert [bool(row.read_at) for row in of(told.mo)].count(True) == 1


def test_somebody_elses_cannot_be_read_or_marked(told: Cast) -> None:
    first = of(told.mo)[0]
    assert told.zed.client.post(f"/notifications/{first.pk}/read").status_code == 404
    assert not of(told.mo)[0].read_at


def test_with_the_access_goes_what_was_told_about_the_coach(told: Cast) -> None:
    assert "Asha Rahman" in page(told.mo)
    with walls.lifted("tests"):
        actions.end_grant(SETUP, grant=Grant.objects.get(user=told.mo.user))
    assert "No notifications" in page(told.mo)


def test_the_ledger_says_what_each_check_found_and_when_one_did_not_run(cast: Cast) -> None:
    facts.everything(cast, 3)
    assert page(cast.mo, "/service-status").count("Did not run") == 3
    run_checks(SETUP, today())
    text = page(cast.mo, "/service-status")
    assert "Did not run" not in text
    assert len(re.findall(r"Done\s*</strong>", text)) == 3
    with time_machine.travel(f"{today() + timedelta(days=2)}T12:00:00Z", tick=False):
        signed_in(cast.mo.client, cast.mo.user)
        assert page(cast.mo, "/service-status").count("Did not run") == 3
