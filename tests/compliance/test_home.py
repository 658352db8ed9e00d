"""Home: what needs whom, for each role; and the page's numbers beside those of the rules."""

import re
from datetime import timedelta

import pytest
import time_machine

from hwbc.compliance.checks import run_checks
from hwbc.compliance.queries import standings
from hwbc.kit.periods import today
from hwbc.standards.rules import RED
from hwbc.workforce import walls
from hwbc.workforce.models import Coach
from tests import facts, markup
from tests.cast import SETUP, Cast, Person, signed_in

pytestmark = pytest.mark.django_db


def home(person: Person, query: str = "") -> str:
    response = person.client.get(f"/{query}")
    assert response.status_code == 200
    return re.sub(r"\s+", " ", response.content.decode())


def figures(text: str) -> list[int]:
    """The numbers of the cards: untrained, overdue, missing, waiting."""
    return [int(number) for number in re.findall(r'class="hwbc-figure[^"]*">(\d+)<', text)]


@pytest.fixture
def filled(cast: Cast) -> Cast:
    facts.everything(cast, 12)
    facts.everything(cast, 3, pcn="U99992")
    return cast


def test_the_managers_figures_are_those_of_the_rules(filled: Cast) -> None:
    with walls.lifted("tests"):
        here = set(Coach.objects.filter(reference__startswith="U99991").values_list("pk", flat=True))
        here |= {filled.coach_asha.pk, filled.coach_bo.pk}
        everybody = [standing for standing in standings(today()) if standing.coach in here]
    flagged = [
        {(rule, answer.state) for rule, answer in each.answers if rule != "training.referral_ready"}
        for each in everybody
    ]
    untrained = sum(("training.before_referrals", "not_met") in answers for answers in flagged)
    overdue = sum(any(state == "overdue" for _, state in answers) for answers in flagged)
    missing = sum(any(state == "not_met" for _, state in answers) for answers in flagged)
    assert untrained
    assert overdue
    assert missing
    text = home(filled.mo)
    assert figures(text) == [untrained, overdue, missing, 1]
    assert f"Of {len(here)} coaches with a post" in text
    findings = sum(state in (*RED, "due_soon") for answers in flagged for _, state in answers)
    assert f"See all {findings} findings" in text


def test_the_most_urgent_coach_stands_first_with_rule_reason_way_out_and_source(filled: Cast) -> None:
    text = markup.text_of(markup.parse(home(filled.mo)))
    first = (
        text[text.index("the most urgent") :] if "the most urgent" in text else text[text.index("The 6 most urgent") :]
    )
    assert "Invented002 Coach" in first[:120]
    assert "Took a referral on" in first
    assert "Completed training turns it green, or an approved exemption." in first
    assert "No referral is taken before the 4-day PCI-accredited health coaching training" in first
    assert "Standard WDF. Source: R-030, R-031" in first
    assert "Not flagged yet" in first


def test_a_hub_sees_all_its_pcns_and_zed_none_of_them(filled: Cast) -> None:
    hub, zed = home(filled.lee), home(filled.zed)
    assert "Of 18 coaches" in hub
    assert "Hilltop PCN" in hub
    assert "Of 1 coach with" in zed
    assert not re.search("Invented0|Asha|Riverside|Hilltop", zed)


def test_a_supervisor_sees_what_is_owed_to_supervisees_and_nothing_else(filled: Cast) -> None:
    text = markup.text_of(markup.parse(home(filled.sam)))
    assert "Your supervisees" in text
    assert "Line management" in text
    assert "Clinical supervision" in text
    assert "Health coaching supervision" in text
    assert "Asha Rahman" in text
    assert not re.search("Bo Lindqvist|Invented0|What needs you|Ready for referrals", text)


def test_a_coach_sees_their_own_standing_and_nobody_elses(filled: Cast) -> None:
    text = markup.text_of(markup.parse(home(filled.asha)))
    assert "Your standing" in text
    assert "Ready for referrals" in text
    assert not re.search("Bo Lindqvist|Invented0|What needs you", text)


def test_an_auditor_may_look_and_acknowledge_nothing(filled: Cast) -> None:
    run_checks(SETUP, today())
    assert "See the flag" in home(filled.ann)
    assert ">Acknowledge<" not in home(filled.ann)
    assert ">Acknowledge<" in home(filled.mo)


@pytest.mark.parametrize("name", ["rae", "pip"])
def test_a_role_without_pages_is_told_so(name: str, cast: Cast) -> None:
    assert "Your role opens no page yet" in home(getattr(cast, name))


def test_without_a_role_there_is_somebody_to_ask(cast: Cast) -> None:
    assert "You have no role at the moment" in home(cast.nobody_yet)


def test_as_at_a_day_before_anybody_was_there(filled: Cast) -> None:
    text = home(filled.mo, "?as-at=2019-12-31")
    assert "No coach has a post here on 31 December 2019" in text
    assert "import_workbook" not in text


def test_as_it_was_known_before_the_import(filled: Cast) -> None:
    known = (today() - timedelta(days=1)).isoformat()
    assert "Invented0" not in home(filled.mo, f"?known-at={known}T12:00")
    assert "Invented0" in home(filled.mo)


def test_checks_that_did_not_run_are_said(cast: Cast) -> None:
    assert "They have not run since this service was set up" in home(cast.mo)
    run_checks(SETUP, today())
    text = home(cast.mo)
    assert "The checks did not run" not in text
    assert "Last checked on" in text
    with time_machine.travel(f"{today() + timedelta(days=2)}T12:00:00Z", tick=False):
        signed_in(cast.mo.client, cast.mo.user)
        assert "The checks did not run" in home(cast.mo)
