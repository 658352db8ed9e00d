"""A workbook brought in again takes nothing away that was recorded on a page meanwhile."""

from datetime import timedelta
from pathlib import Path

import pytest

from coaching.actions.referrals import allocate, close
from coaching.models import Allocation, Referral
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.actions import end_post
from hwbc.workforce.models import Coach, Post
from tests import facts
from tests.cast import Cast
from tests.compliance.importing import Sheets, bring, write_folder

pytestmark = pytest.mark.django_db


@pytest.fixture
def book(cast: Cast, tmp_path: Path) -> Path:
    """A coach with a post that runs, trained; a referral that nobody has."""
    sheets: Sheets = {
        **facts.courses(),
        "coaches": [
            {"coach_ref": "NEW", "name": "Nia Invented", "email": "nia@example.org", "pcn_code": "U99991",
             "started_on": facts.ago(300), "hours_per_week": "30", "funding": "arrs"}
        ],
        "training": [facts.trained("NEW")],
        "referrals": [
            {"referral_ref": "WAITS", "pcn_code": "U99991", "source": "self", "priority": "routine",
             "received_on": facts.ago(9)}
        ],
    }  # fmt: skip
    folder = write_folder(tmp_path / "sheets", sheets)
    bring(folder, facts.HUB, today())
    return folder


def test_an_end_recorded_on_a_page_stays(cast: Cast, book: Path) -> None:
    last = today() - timedelta(days=3)
    with walls.within(cast.mo.actor.scope):
        post = Post.objects.get(coach__reference="NEW")
        end_post(cast.mo.actor, post=post, ends_on=last, version=post.version)
    bring(book, facts.HUB, today())
    with walls.lifted("tests"):
        assert [row.ends_on for row in Post.objects.filter(coach__reference="NEW", voided_at=None)] == [last]


def test_a_referral_closed_on_a_page_stays_closed(cast: Cast, book: Path) -> None:
    with walls.within(cast.mo.actor.scope):
        referral = Referral.objects.get(reference="WAITS")
        close(cast.mo.actor, referral=referral, outcome=Referral.Outcome.values[0], closed_on=today(),
              version=referral.version)  # fmt: skip
    bring(book, facts.HUB, today())
    with walls.lifted("tests"):
        again = Referral.objects.get(reference="WAITS")
    assert (again.closed_on, again.outcome) == (today(), Referral.Outcome.values[0])


def test_a_referral_handed_out_on_a_page_stays_with_its_coach(cast: Cast, book: Path) -> None:
    with walls.within(cast.mo.actor.scope):
        referral = Referral.objects.get(reference="WAITS")
        allocate(
            cast.mo.actor, referral=referral, coach=Coach.objects.get(reference="NEW"), day=today(),
            version=referral.version,
        )  # fmt: skip
    bring(book, facts.HUB, today())
    with walls.lifted("tests"):
        assert Allocation.objects.get(referral__reference="WAITS", voided_at=None).coach.reference == "NEW"
