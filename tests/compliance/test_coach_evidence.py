"""What the pages about one coach say: every rule explained, and what it rests on."""

import random
import re
from collections import Counter
from datetime import date, timedelta
from html import unescape
from pathlib import Path

import pytest
from django.urls import reverse
from django.utils import timezone

from coaching.models import Allocation, Referral
from hwbc.compliance.checks import run_checks
from hwbc.compliance.queries import standings
from hwbc.kit.months import add_months
from hwbc.kit.periods import today
from hwbc.standards import actions as standards
from hwbc.standards.models import Flag
from hwbc.workforce import walls
from hwbc.workforce.models import Absence, Coach, Organisation, Post
from hwbc.workforce.roles import Role
from supervision.models import Agreement, Evidence, Meeting, Supervisor
from tests import oracle
from tests.cast import SETUP, Cast, CoachFactory, Person, UserFactory
from tests.compliance.test_answers import brought_in
from tests.facts import ago, bring_in, courses, meeting, story_of, supervisors
from tests.one_coach import day_of, states, text, words, written
from tests.workbooks import interesting_days, random_workbook

pytestmark = pytest.mark.django_db


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Asha with a year behind her, and flags."""
    story_of(cast)
    run_checks(SETUP, today())
    return cast


# --- Standing ---------------------------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("seed", [2, 7])
def test_the_states_are_those_of_the_rules_on_random_workbooks(seed: int, tmp_path: Path, empty: None) -> None:
    workbook = random_workbook(seed)
    brought_in(workbook, tmp_path, seed)
    with walls.lifted("tests"):
        lee = Person(UserFactory.create(name="Lee Chandra"))
        top = Organisation.objects.get(parent=None)
    lee.given(Role.HUB_ADMIN, top)
    seen: Counter[str] = Counter()
    pages = 0
    for day in interesting_days(workbook, random.Random(seed), 3):
        with walls.lifted("tests"):
            coaches = {coach.pk: coach for coach in Coach.objects.all()}
            ends = {pk: _last_day(coach) for pk, coach in coaches.items()}
        for pk, coach in coaches.items():
            shown = min(day, ends[pk])
            with walls.lifted("tests"):
                [standing] = standings(shown, coaches=[pk])
            html = text(lee, coach, **{"as-at": day.isoformat()})
            expected = {rule: answer.state for rule, answer in standing.answers} if standing.numbers else {}
            assert states(html) == expected, (coach, day)
            training = text(lee, coach, "coach_training", **{"as-at": day.isoformat()})
            required = {rule: state for rule, state in expected.items() if rule.startswith("training.required:")}
            assert states(training) == required, (coach, day)
            ready = f'id="ready" data-state="{expected.get("training.referral_ready")}"'
            assert (ready in training) == bool(expected)
            seen.update(expected.values())
            pages += 2
    print(f"seed {seed}: {pages} pages, {dict(seen)}")
    assert set(seen) >= {"met", "due_soon", "overdue", "not_met", "not_applicable"}


def _last_day(coach: Coach) -> date:
    ends = [post.ends_on for post in Post.objects.filter(coach=coach)]
    return date.max if None in ends else max(end for end in ends if end)


def test_each_rule_says_why_what_turns_it_green_and_what_it_rests_on(filled: Cast) -> None:
    html = text(filled.mo, filled.coach_bo)
    said = words(html)
    assert "No line supervision counted since the start of this employment." in said
    assert "A line supervision meeting turns it green from the day it is held." in said
    assert "Red since" in said
    assert "A meeting with the line manager every month." in said
    assert "R-042" in said
    assert "Judged by the standard WDF" in said
    links = set(re.findall(r'href="(/coaches/[^"]+)#([\w-]+)"', html))
    assert len(links) >= 8
    for href, anchor in links:
        assert f'id="{anchor}"' in filled.mo.client.get(unescape(href)).content.decode(), (href, anchor)


def test_the_numbers_in_force_stand_in_the_rule(cast: Cast) -> None:
    with walls.lifted("tests"):
        standards.load_preset(SETUP, organisation=cast.riverside, preset="Monthly clinical", starts_on=day_of(30))
    now, before = text(cast.mo, cast.coach_asha), text(cast.mo, cast.coach_asha, **{"as-at": ago(31)})
    assert "A meeting with a named clinician every month." in now
    assert "Judged by the standard Monthly clinical" in now
    assert "A meeting with a named clinician every 3 months." in before
    assert "Judged by the standard WDF" in before


def test_trained_before_referrals_stands_beside_ready_for_referrals(cast: Cast) -> None:
    html = text(cast.mo, cast.coach_bo)
    [pair] = re.findall(r'<div class="hwbc-pair">(.*?)</div> (?:<article|</section)', html)
    assert list(states(pair)) == ["training.referral_ready", "training.before_referrals"]


def test_the_flag_says_whether_somebody_has_seen_it(cast: Cast) -> None:
    assert "Not flagged yet: the next checks do." in text(cast.mo, cast.coach_bo)
    run_checks(SETUP, today())
    flagged = text(cast.mo, cast.coach_bo)
    assert f"Flagged on {written(today())}. Not acknowledged yet." in words(flagged)
    assert "Not flagged yet" not in flagged
    with walls.lifted("tests"):
        flag = Flag.objects.get(coach=cast.coach_bo, rule="supervision.line")
        standards.acknowledge(cast.mo.actor, flag=flag, note="Booked for Tuesday <b>")
    seen = text(cast.mo, cast.coach_bo)
    assert f"Acknowledged by Mo Haddad on {written(today())}: “Booked for Tuesday <b>”" in seen
    assert reverse("flag", kwargs={"uuid": flag.uuid}) in seen
    bring_in(cast, {**supervisors(), "supervision": [meeting("BO", "line", 1)]})
    assert "It is not red any more: the next checks clear the flag." in words(text(cast.mo, cast.coach_bo))


# --- Supervision ------------------------------------------------------------------------------------------------------


def test_meetings_are_narrowed_by_kind_and_by_whether_they_count(filled: Cast) -> None:
    def shown(**query: str) -> tuple[int, Counter[str]]:
        html = text(filled.mo, filled.coach_asha, "coach_supervision", **query)
        counted = re.search(r'caption">(\d+) meeting', html)
        table = html.partition('id="meetings"')[2]
        return int(counted[1]) if counted else 0, Counter(re.findall(r"> ?(Counts|Does not count) ?</strong>", table))

    everything_there, _ = shown()
    line, _ = shown(kind="line")
    both = [shown(counts="yes"), shown(counts="no")]
    assert 0 < line < everything_there
    assert sum(count for count, _ in both) == everything_there
    assert set(both[0][1]) == {"Counts"}
    assert set(both[1][1]) == {"Does not count"}
    assert sum(shown(kind=kind)[0] for kind in ("line", "clinical", "health_coaching", "appraisal")) == everything_there


def test_every_meeting_says_why_it_does_not_count(filled: Cast) -> None:
    html = words(text(filled.mo, filled.coach_asha, "coach_supervision", counts="no"))
    for reason in (
        "The coach did not attend.",
        "Ad hoc: a contact between regular meetings never moves the clock.",
        "The supervisor is not a GP, a senior clinician or an advanced practitioner.",
        "Held in a group: the time is shown apart, and is no individual supervision.",
        "On that day the supervisor did not meet the health coaching supervisor standard.",
        "It was cancelled.",
        "Held before the present employment began.",
    ):
        assert reason in html, reason
    assert "Imported" in html


def test_late_withdrawn_and_planned_meetings(filled: Cast) -> None:
    with walls.lifted("tests"):
        lm = Supervisor.objects.get(reference="LM")
        common = {"coach": filled.coach_asha, "supervisor": lm, "minutes": 45, "format": "individual"}
        Meeting.objects.create(kind="line", held_on=ago(9), status="held", **common)
        Meeting.objects.create(kind="appraisal", held_on=ago(-9), status="planned", **common)
        Meeting.objects.create(
            kind="line", held_on=ago(8), status="held", voided_at=timezone.now(), voided_by=filled.mo.user,
            voided_because="Entered for the wrong coach", **common,
        )  # fmt: skip
    html = text(filled.lee, filled.coach_asha, "coach_supervision")
    assert f"Late entry, written down on {written(today())}" in html
    assert f"{written(day_of(-9))}: Appraisal with Lena Invented, 45 minutes, individual" in html
    assert f"On {written(today())} by Mo Haddad: Entered for the wrong coach" in html
    assert html.count('hwbc-struck"') == 1


def test_the_supervisors_four_items_with_their_dates(filled: Cast) -> None:
    html = words(text(filled.mo, filled.coach_asha, "coach_supervision"))
    until = add_months(day_of(100), 12)
    assert "Tier 3 or above Shown Tier 3" in html.replace(" Asked for", "")
    assert "6 years of coaching" in html
    assert f"{written(day_of(100))}, holds until {written(until)}" in html
    assert "Does not hold" not in html
    with walls.lifted("tests"):
        Evidence.objects.create(supervisor=filled.supervisor_sam, kind="tier", number=2, evidenced_on=ago(3))
    assert "Does not hold" in text(filled.mo, filled.coach_asha, "coach_supervision")
    assert "Does not hold" not in text(filled.mo, filled.coach_asha, "coach_supervision", **{"as-at": ago(4)})


# --- Training ---------------------------------------------------------------------------------------------------------


def test_the_missing_piece_is_named(cast: Cast) -> None:
    given = courses()
    given["courses"][0] |= {"accredited_from": ago(200), "accredited_to": ago(100)}
    row = {"coach_ref": "ASHA", "course_ref": "HC4", "enrolled_on": ago(150)}
    assert "Missing: no PCI-accredited health coaching training is recorded" in words(
        text(cast.mo, cast.coach_asha, "coach_training")
    )
    bring_in(cast, {**given, "training": [row | {"attended_on": ";".join(map(ago, (149, 148, 147, 60)))}]})
    span = f"{written(day_of(200))} to {written(day_of(100))}"
    html = words(text(cast.mo, cast.coach_asha, "coach_training"))
    assert (
        f"Missing: 3 of 4 accredited days attended; day {written(day_of(60))} lay outside the accreditation {span}; "
        "no certificate yet (Invented health coaching programme)."
    ) in html
    assert f"{written(day_of(60))} outside the accreditation" in html
    then = words(text(cast.mo, cast.coach_asha, "coach_training", **{"as-at": ago(148)}))
    assert "2 of 4 accredited days attended" in then
    assert f"day {written(day_of(147))} is after the day that is shown" in then
    bring_in(cast, {**given, "training": [
        row | {"attended_on": ";".join(map(ago, (149, 148, 147, 146, 60))), "certificate_on": ago(50)}
    ]})  # fmt: skip
    assert f"Completed on {written(day_of(50))}: Invented health coaching programme." in words(
        text(cast.mo, cast.coach_asha, "coach_training")
    )


def test_ready_and_claimed_are_two_answers(cast: Cast) -> None:
    bring_in(cast, {**courses(), "training": [{"coach_ref": "ASHA", "course_ref": "HC4", "enrolled_on": ago(20)}]})
    html = text(cast.mo, cast.coach_asha, "coach_training")
    assert 'id="ready" data-state="not_met"' in html
    assert 'id="claimed" data-state="met"' in html


def test_required_courses_with_those_nobody_wrote_anything_about(cast: Cast) -> None:
    given = courses()
    given["requirements"].append({"course_ref": "SP0", "within_days": "10"})
    bring_in(cast, {**given, "training": [{"coach_ref": "ASHA", "course_ref": "SP0", "enrolled_on": ago(20)}]})
    html = words(text(cast.mo, cast.coach_asha, "coach_training"))
    assert "Required on" in html
    assert ": 2 courses" in html
    assert html.count("Never done, no record at all") == 1
    assert re.search(r"Last done Never done Due", html)


# --- Employment -------------------------------------------------------------------------------------------------------


def test_posts_that_follow_each_other_are_one_employment(cast: Cast) -> None:
    with walls.lifted("tests"):
        coach = CoachFactory.create(
            name="New Hours", pcn=cast.riverside, starts_on=day_of(300), ends_on=day_of(100), hours_per_week=30
        )
        Post.objects.create(
            coach=coach,
            pcn=cast.riverside,
            employer=cast.riverside,
            starts_on=ago(99),
            hours_per_week="22.5",
            funding="arrs",
        )
        Post.objects.create(
            coach=coach,
            pcn=cast.hilltop,
            employer=cast.northfield,
            starts_on=ago(50),
            hours_per_week=10,
            funding="other",
        )
    html = words(text(cast.mo, coach, "coach_employment"))
    joined = f"From {written(day_of(300))}, no end recorded: 2 posts that follow each other without a free day"
    assert joined in html
    assert "22.5" in html
    assert "Hilltop PCN, employed by Northfield hub At the same time" in html
    assert html.count("Current employment") == 1
    then = words(text(cast.mo, coach, "coach_employment", **{"as-at": ago(150)}))
    assert "2 posts" not in then
    assert f"From {written(day_of(300))}, no end recorded" in then


@pytest.mark.parametrize(
    ("absences", "days", "says"),
    [
        ([(40, 27)], "14", "Pauses the clocks from {40} to {27}."),
        ([(40, 28)], "13", "Too short to pause the clocks: that takes 14 days."),
        ([(40, 31), (30, 21)], "10", "One absence of 20 days with its neighbours, from {40} to {21}."),
        ([(40, 31), (30, 21)], "10", "Pauses the clocks from {40} to {21}."),
        ([(5, None)], "6 so far", "Pauses the clocks from {-8}, its day 14, if it goes on."),
        ([(20, None)], "21 so far", "Pauses the clocks from {7} until it ends."),
        ([(-5, -30)], "26", "Not begun on this day."),
    ],
)
def test_what_an_absence_does_to_the_clocks(
    cast: Cast, absences: list[tuple[int, int | None]], days: str, says: str
) -> None:
    rows = [
        {"coach_ref": "BO", "kind": "sickness", "from": ago(first), **({"to": ago(last)} if last is not None else {})}
        for first, last in absences
    ]
    bring_in(cast, {"absences": rows})
    html = words(text(cast.mo, cast.coach_bo, "coach_employment"))
    said = re.sub(r"\{(-?\d+)\}", lambda found: written(day_of(int(found[1]))), says)
    assert said in html
    assert f"Days {days} Clocks" in html


@pytest.mark.django_db(transaction=True)
def test_the_clocks_pause_on_the_days_of_the_second_calculation(tmp_path: Path, empty: None) -> None:
    workbook = random_workbook(4)
    brought_in(workbook, tmp_path, 4)
    with walls.lifted("tests"):
        lee = Person(UserFactory.create(name="Lee Chandra"))
        top = Organisation.objects.get(parent=None)
        coaches = {coach.reference_key: coach for coach in Coach.objects.all()}
    lee.given(Role.HUB_ADMIN, top)
    book = oracle.Book(workbook, oracle.WDF, None)
    paused = 0
    for day in interesting_days(workbook, random.Random(4), 4):
        for key, coach in book.coaches.items():
            employment = oracle.current_employment(coach, day)
            if employment is None:
                continue
            is_pausing = oracle.Judge(book, coach, employment, day).is_pausing(day)
            html = text(lee, coaches[key], "coach_employment", **{"as-at": day.isoformat()})
            assert ("On a long absence" in html) == is_pausing, (coach.ref, day)
            paused += is_pausing
    assert paused >= 5


# --- Caseload ---------------------------------------------------------------------------------------------------------


def test_the_caseload_is_the_open_referrals(filled: Cast) -> None:
    html = text(filled.mo, filled.coach_asha, "coach_caseload")
    assert '14 <span class="hwbc-figure__what">open referrals' in html
    assert "5 referrals were taken without completed training" in html
    assert html.count("Taken before training was completed") == 6  # the heading, and each of them
    with walls.lifted("tests"):
        allocation = Allocation.objects.filter(coach=filled.coach_asha).latest("starts_on")
        Referral.objects.filter(pk=allocation.referral_id).update(closed_on=ago(2), outcome="Goals reached")
        allocation.ends_on = day_of(2)
        allocation.save()
    assert '13 <span class="hwbc-figure__what">open referrals' in text(filled.mo, filled.coach_asha, "coach_caseload")
    closed = words(text(filled.mo, filled.coach_asha, "coach_caseload"))
    assert f"{written(day_of(2))} Goals reached" in closed
    still = text(filled.mo, filled.coach_asha, "coach_caseload", **{"as-at": ago(2)})
    assert '14 <span class="hwbc-figure__what">open referrals' in still
    assert "Goals reached" not in still


# --- History ----------------------------------------------------------------------------------------------------------


def test_the_history_is_cut_into_pages_that_miss_and_repeat_nothing(filled: Cast) -> None:
    seen: list[str] = []
    first = text(filled.mo, filled.coach_asha, "coach_history")
    count = int(re.search(r"(\d+) entries, 1 to 25 shown", first)[1])  # type: ignore[index]
    for page in range(1, -(-count // 25) + 1):
        html = text(filled.mo, filled.coach_asha, "coach_history", page=str(page))
        seen += re.findall(r'<li class="(?:hwbc-struck )?hwbc-history__.*?</li>', html)
    assert len(seen) == count
    days = re.findall(r'<time datetime="([\d-]+)">', " ".join(seen))
    assert len(days) == count
    assert days == sorted(days, reverse=True)
    last = text(filled.mo, filled.coach_asha, "coach_history", page=str(-(-count // 25)))
    assert text(filled.mo, filled.coach_asha, "coach_history", page="4000").count(
        '<li class="hwbc-history'
    ) == last.count('<li class="hwbc-history')


def test_everything_that_was_written_down_has_an_entry(filled: Cast) -> None:
    bring_in(
        filled,
        {
            **courses(),
            "exemptions": [{"coach_ref": "ASHA", "rule": "training.required:IG", "from": ago(50), "to": ago(40),
                            "reason": "Booked", "approved_by": "Dr Invented"}],
            "training": [{"coach_ref": "ASHA", "course_ref": "SP0", "enrolled_on": ago(30), "attended_on": ago(29),
                          "withdrawn_on": ago(28)}],
        },
    )  # fmt: skip
    with walls.lifted("tests"):
        agreement = Agreement.objects.filter(coach=filled.coach_asha, kind="clinical").latest("starts_on")
        Agreement.objects.filter(pk=agreement.pk).update(
            ends_on=ago(1), end_recorded_at=timezone.now() + timedelta(hours=1)
        )
    later = (timezone.localtime() + timedelta(hours=2)).replace(tzinfo=None).isoformat()
    html = " ".join(
        words(text(filled.mo, filled.coach_asha, "coach_history", page=str(page), **{"known-at": later}))
        for page in range(1, 5)
    )
    for entry in (
        "Post at Riverside PCN Employed by Riverside PCN, 30 hours a week, funded by ARRS",
        "Absence: sickness",
        "Clinical supervision: agreement with Sam Okafor",
        "Clinical supervision: agreement with Sam Okafor: last day",
        "Line management meeting with Lena Invented Held, 60 minutes, individual, ad hoc",
        "Appraisal with Lena Invented Cancelled",
        "Enrolled on Basics of social prescribing 1 day attended",
        "Withdrawn from Basics of social prescribing",
        "Certificate: Invented health coaching programme Number INV-ASHA",
        "Exempt: Data security Approved by Dr Invented. Reason: Booked",
        "Took referral ASHA-03 GP practice, Riverside PCN",
    ):
        assert entry in html, entry


def test_what_happened_to_flags_stands_in_the_history(cast: Cast) -> None:
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        flag = Flag.objects.get(coach=cast.coach_bo, rule="supervision.line")
        standards.acknowledge(cast.mo.actor, flag=flag, note="Seen to")
    bring_in(cast, {**courses(), **supervisors(), "supervision": [meeting("BO", "line", 1)]})
    run_checks(SETUP, today())
    html = words(text(cast.mo, cast.coach_bo, "coach_history"))
    assert "Flag raised: Line management Written down on" in html
    assert "Flag acknowledged: Line management “Seen to” Written down on" in html
    assert "by Mo Haddad" in html
    assert "Flag cleared: Line management" in html
    assert "Flag raised: Data security" in html


def test_what_was_withdrawn_is_struck_with_who_and_why(filled: Cast) -> None:
    moment = timezone.now()
    with walls.lifted("tests"):
        Absence.objects.filter(coach=filled.coach_asha).update(
            voided_at=timezone.now(), voided_by=filled.mo.user, voided_because="Those days were worked"
        )
    html = text(filled.mo, filled.coach_asha, "coach_history")
    [struck] = re.findall(r'<li class="hwbc-struck .*?</li>', html)
    assert "Absence: sickness" in struck
    assert f"On {written(today())} by Mo Haddad: Those days were worked" in struck
    before = timezone.localtime(moment).replace(tzinfo=None).isoformat()
    assert "hwbc-struck " not in text(filled.mo, filled.coach_asha, "coach_history", **{"known-at": before})
