"""The pages about one coach: who sees what of whom, on which day, as it was known when."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from coaching.models import Allocation, Patient, Referral
from hwbc.compliance.checks import run_checks
from hwbc.compliance.record import SECTIONS
from hwbc.kit.months import add_months
from hwbc.kit.periods import today
from hwbc.standards import actions as standards
from hwbc.standards.models import Flag
from hwbc.workforce import walls
from hwbc.workforce.models import Absence, Coach, Post
from hwbc.workforce.roles import Role
from supervision.actions.access import give_access
from supervision.actions.agreements import add_supervisor, agree
from supervision.models import Agreement, Meeting, Supervisor
from tests.cast import SETUP, Cast, CoachFactory, Person, UserFactory, register
from tests.facts import ago, bring_in, courses, meeting, story_of, supervisors
from tests.one_coach import address, day_of, states, text, words, written
from training.models import Course, TrainingRecord

pytestmark = pytest.mark.django_db
PAGES = [name for name, _, _ in SECTIONS]
each_page = pytest.mark.parametrize("page", PAGES)


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Asha with a year behind her, and flags."""
    story_of(cast)
    run_checks(SETUP, today())
    return cast


# --- Who --------------------------------------------------------------------------------------------------------------


@each_page
def test_another_pcns_coach_is_no_page_whatever_the_address(page: str, filled: Cast) -> None:
    for coach in (filled.coach_asha, filled.coach_bo, filled.coach_cai):
        for query in ({}, {"as-at": ago(60)}, {"kind": "line", "page": "2"}):
            response = filled.zed.client.get(address(coach, page, **query))
            assert response.status_code == 404
            assert not any(
                name in response.content.decode() for name in ("Asha", "Lindqvist", "Cai Morgan", "Riverside")
            )


@each_page
def test_everybody_who_sees_them_sees_this(page: str, filled: Cast) -> None:
    expected = {"asha": 200, "mo": 200, "lee": 200, "ann": 200, "rae": 403, "nobody_yet": 403}
    expected["sam"] = 403 if page == "coach_caseload" else 200
    for name, status in expected.items():
        response = getattr(filled, name).client.get(address(filled.coach_asha, page))
        assert response.status_code == status, name
    coach_of_another_place = filled.asha.client.get(address(filled.coach_bo, page))
    assert coach_of_another_place.status_code == 404


def test_a_supervisor_with_work_elsewhere_does_not_see_the_caseload(filled: Cast) -> None:
    filled.sam.given(Role.PCN_MANAGER, filled.hilltop)
    assert filled.sam.client.get(address(filled.coach_asha, "coach_caseload")).status_code == 404
    assert filled.sam.client.get(address(filled.coach_cai, "coach_caseload")).status_code == 200
    assert "Caseload</a>" not in text(filled.sam, filled.coach_asha)
    assert "Caseload</a>" in text(filled.sam, filled.coach_cai)
    assert "Took referral" not in text(filled.sam, filled.coach_asha, "coach_history")


def test_why_somebody_is_away_or_exempt_is_for_those_who_may_see_reasons(filled: Cast) -> None:
    exemption = {"coach_ref": "ASHA", "rule": "training.before_referrals", "from": ago(50), "to": ago(40),
                 "reason": "CANARY-REASON", "approved_by": "Dr Invented"}  # fmt: skip
    bring_in(filled, {**courses(), "exemptions": [exemption]})
    with walls.lifted("tests"):
        Absence.objects.filter(coach=filled.coach_asha).update(kind="parental")
        Absence.objects.create(
            coach=filled.coach_asha, kind="other", starts_on=ago(9), ends_on=ago(8), voided_at=timezone.now(),
            voided_because="CANARY-WITHDRAWN",
        )  # fmt: skip
    for who, sees in (
        (filled.asha, True), (filled.sam, True), (filled.mo, True), (filled.lee, False), (filled.ann, False),
    ):  # fmt: skip
        pages = {page: text(who, filled.coach_asha, page) for page in PAGES if page != "coach_caseload"}
        assert ("Parental leave" in pages["coach_employment"]) == sees
        assert ("CANARY-REASON" in pages["coach_training"]) == sees
        assert ("CANARY-REASON" in pages["coach_history"]) == sees
        assert ("parental leave" in pages["coach_history"].lower()) == sees
        assert ("CANARY-WITHDRAWN" in pages["coach_history"]) == sees
        if not sees:
            everywhere = " ".join(pages.values())
            assert "CANARY" not in everywhere
            assert "parental" not in everywhere.lower()


def test_a_clinical_supervisor_sees_no_reason(cast: Cast) -> None:
    clara = Person(UserFactory.create(name="Clara Nowak"))
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Clara Nowak", role="gp", email="clara.nowak@example.org")
        agree(SETUP, coach=cast.coach_bo, supervisor=supervisor, kind="clinical", starts_on=day_of(10))
        give_access(SETUP, supervisor=supervisor, user=clara.user)
    bring_in(cast, {"absences": [{"coach_ref": "BO", "kind": "sickness", "from": ago(30), "to": ago(10)}]})
    for page in ("coach_employment", "coach_history"):
        assert "sickness" not in text(clara, cast.coach_bo, page).lower()
        assert "sickness" in text(cast.mo, cast.coach_bo, page).lower()
    assert "Clinical supervisor" in text(clara, cast.coach_bo)


def test_sessions_are_for_those_who_see_patients_and_nobody_is_identified(filled: Cast) -> None:
    with walls.lifted("tests"):
        patient = Patient.objects.create(pcn=filled.riverside, local_reference="CANARY-PATIENT")
        Referral.objects.filter(allocations__coach=filled.coach_asha).update(patient=patient)
    for who, sees in ((filled.asha, True), (filled.mo, True), (filled.lee, False), (filled.ann, False)):
        page = text(who, filled.coach_asha, "coach_caseload")
        assert ("Attended sessions" in page) == sees
        assert "ASHA-03" in page
        assert "CANARY-PATIENT" not in page + text(who, filled.coach_asha, "coach_history")


def test_a_referral_of_another_pcn_is_at_another_pcn(filled: Cast) -> None:
    with walls.lifted("tests"):
        referral = Referral.objects.create(
            pcn=filled.lakeside, source="self", priority="urgent", received_on=ago(9), reference="CANARY-9"
        )
        Allocation.objects.create(coach=filled.coach_asha, referral=referral, pcn=filled.lakeside, starts_on=ago(8))
    for who in (filled.asha, filled.mo, filled.lee, filled.ann):
        caseload, history = (text(who, filled.coach_asha, page) for page in ("coach_caseload", "coach_history"))
        assert "At another PCN" in caseload
        assert "Took a referral at another PCN" in history
        assert "CANARY" not in caseload + history
        assert "Lakeside" not in caseload + history
        assert '15 <span class="hwbc-figure__what">open referrals' in caseload


def test_the_pages_do_not_lean_on_the_databases_walls(filled: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the pages show is the same where the database shows everything: the first wall stands by itself."""
    with walls.lifted("tests"):
        referral = Referral.objects.create(pcn=filled.lakeside, source="self", priority="routine", received_on=ago(9))
        Allocation.objects.create(coach=filled.coach_asha, referral=referral, pcn=filled.lakeside, starts_on=ago(8))

    def pages() -> Iterator[str]:
        for who in (filled.asha, filled.sam, filled.mo, filled.lee):
            for page in PAGES:
                response = who.client.get(address(filled.coach_asha, page, **{"known-at": now}))
                new = r'name="csrfmiddlewaretoken" value="[^"]*"|data-left="[0-9]*"'
                yield re.sub(new, "", response.content.decode())

    @contextmanager
    def open_to_all(find: Any) -> Iterator[None]:
        with walls.lifted("tests"):
            find()
            yield

    now = timezone.localtime().replace(tzinfo=None).isoformat()
    before = list(pages())
    monkeypatch.setattr(walls, "entered", open_to_all)
    assert list(pages()) == before


# --- A coach who has left ---------------------------------------------------------------------------------------------


@pytest.fixture
def leaver(cast: Cast) -> Coach:
    """Lev left Riverside 40 days ago for Lakeside, where everything named CANARY happened."""
    with walls.lifted("tests"):
        coach: Coach = CoachFactory.create(
            name="Lev Brandt", pcn=cast.riverside, starts_on=day_of(400), ends_on=day_of(40)
        )
        register(cast.northfield, LEV=coach)
    bring_in(
        cast,
        {
            **courses(),
            **supervisors(),
            "supervision": [meeting("LEV", "line", 50), meeting("LEV", "health_coaching", 55)],
            "agreements": [{"coach_ref": "LEV", "kind": "line", "supervisor_ref": "LM", "from": ago(300)}],
            "absences": [{"coach_ref": "LEV", "kind": "sickness", "from": ago(90), "to": ago(85)}],
            "training": [{"coach_ref": "LEV", "course_ref": "HC4", "enrolled_on": ago(300)}],
        },
    )
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        Post.objects.create(
            coach=coach,
            pcn=cast.lakeside,
            employer=cast.lakeside,
            starts_on=ago(39),
            hours_per_week=20,
            funding="other",
        )
        after = Supervisor.objects.create(name="CANARY Supervisor", role="line_manager")
        Agreement.objects.filter(coach=coach).update(ends_on=ago(30), end_recorded_at=timezone.now())
        Agreement.objects.create(coach=coach, supervisor=after, kind="line", starts_on=ago(29))
        for status, held_on in (("held", ago(20)), ("planned", ago(-20))):
            Meeting.objects.create(
                coach=coach, supervisor=after, kind="line", held_on=held_on, minutes=60, format="individual",
                status=status,
            )  # fmt: skip
        Meeting.objects.filter(coach=coach, held_on=ago(50)).update(
            voided_at=timezone.now(), voided_by=cast.zed.user, voided_because="CANARY reason"
        )
        Absence.objects.create(coach=coach, kind="parental", starts_on=ago(15))
        TrainingRecord.objects.create(
            coach=coach, course=Course.objects.create(
                title="CANARY course", provider="Invented", kind="cpd", accreditation="none", gives_certificate=True
            ), enrolled_on=ago(10),
        )  # fmt: skip
        TrainingRecord.objects.filter(coach=coach, enrolled_on=ago(300)).update(
            attended_on=[ago(200), ago(20)], certificate_on=ago(12), certificate_number="CANARY-CERT"
        )
        referral = Referral.objects.create(
            pcn=cast.lakeside, source="self", priority="routine", received_on=ago(9), reference="CANARY-R"
        )
        Allocation.objects.create(coach=coach, referral=referral, pcn=cast.lakeside, starts_on=ago(8))
    return coach


@each_page
def test_of_a_leaver_the_last_day_is_shown_and_nothing_after_it(page: str, cast: Cast, leaver: Coach) -> None:
    last = written(day_of(40))
    for query in ({}, {"as-at": ago(5)}, {"as-at": ago(-30)}):
        html = text(cast.mo, leaver, page, **query)
        assert f"Lev Brandt left Riverside PCN on {last}." in html
        assert "This is what was so on that day" in html
        assert not any(word in html for word in ("CANARY", "Lakeside", "Zed", "Kowalski", "parental", "Parental"))
        later = [written(day_of(days)) for days in range(-31, 39)]
        shown = words(html).replace(f"written down by {written(today())}", "")
        shown = re.sub(rf"[Ww]ritten down on {written(today())}", "", shown)
        # What falls due later was so on that day; nothing else of later days is told.
        assert page == "coach" or not [day for day in later if day in shown]
    assert f"/coaches/{leaver.uuid}/training?as-at={day_of(40)}" in html  # links stay on that day


@each_page
def test_who_sees_both_places_sees_the_coach_without_end(page: str, cast: Cast, leaver: Coach) -> None:
    cast.ann.given(Role.AUDITOR, cast.icb)
    html = text(cast.ann, leaver, page)
    assert "left Riverside" not in html
    if page != "coach_employment":
        assert ("CANARY" in html) == (page != "coach")
    assert "Lakeside PCN" in html


@each_page
def test_the_new_pcn_sees_the_whole_coach(page: str, cast: Cast, leaver: Coach) -> None:
    html = text(cast.zed, leaver, page)
    assert "left Riverside" not in html
    assert "Lakeside PCN" in html
    if page == "coach_employment":
        assert "Riverside PCN" in html


@each_page
def test_the_coach_themself_has_no_end(page: str, cast: Cast, leaver: Coach) -> None:
    lev = Person(UserFactory.create(name="Lev Brandt"))
    lev.given(Role.COACH, cast.lakeside, leaver)
    html = text(lev, leaver, page)
    assert " left " not in words(html)
    assert "Lakeside PCN" in html
    assert ("CANARY" in html) == (page not in ("coach", "coach_employment"))


def test_a_reason_after_the_leaving_is_not_told_to_who_still_supervises(cast: Cast, leaver: Coach) -> None:
    """Somebody granted the coach alone has no end; what their old place let them see has one."""
    clara = Person(UserFactory.create(name="Clara Nowak"))
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Clara Nowak", role="gp", email="clara.nowak@example.org")
        agree(SETUP, coach=leaver, supervisor=supervisor, kind="clinical", starts_on=day_of(30))
        give_access(SETUP, supervisor=supervisor, user=clara.user)
    clara.given(Role.PCN_MANAGER, cast.riverside)
    for page in ("coach_employment", "coach_history"):
        html = text(clara, leaver, page).lower()
        assert "sickness" in html
        assert "parental" not in html
    assert "left Riverside PCN" in text(clara, leaver, "coach_caseload")
    assert "CANARY" not in text(clara, leaver, "coach_caseload")


def test_a_post_beside_the_one_that_was_left_does_not_say_where(cast: Cast) -> None:
    with walls.lifted("tests"):
        coach = CoachFactory.create(name="Two Places", pcn=cast.riverside, starts_on=day_of(99), ends_on=day_of(9))
        Post.objects.create(
            coach=coach,
            pcn=cast.lakeside,
            employer=cast.lakeside,
            starts_on=ago(50),
            hours_per_week=10,
            funding="other",
        )
    for page in PAGES:
        html = text(cast.mo, coach, page)
        assert "Lakeside" not in html
        assert "left Riverside PCN" in html
    assert "Another PCN" in text(cast.mo, coach, "coach_employment")
    assert "Post at another PCN" in text(cast.mo, coach, "coach_history")
    # While both posts run there is nothing to hide.
    with walls.lifted("tests"):
        Post.objects.filter(coach=coach, pcn=cast.riverside).update(ends_on=ago(-9))
    assert "Lakeside PCN" in text(cast.mo, coach, "coach_employment")


@each_page
def test_flags_after_the_leaving_are_the_new_places(page: str, cast: Cast) -> None:
    with walls.lifted("tests"):
        coach = CoachFactory.create(name="Flagged Once", pcn=cast.riverside, starts_on=day_of(400), ends_on=day_of(1))
        Post.objects.create(
            coach=coach,
            pcn=cast.lakeside,
            employer=cast.lakeside,
            starts_on=today(),
            hours_per_week=10,
            funding="other",
        )
        run_checks(SETUP, today())
        flag = Flag.objects.filter(coach=coach).earliest("pk")
        standards.acknowledge(cast.zed.actor, flag=flag, note="CANARY note")
        assert "CANARY note" in text(cast.zed, coach, "coach_history")
        Flag.objects.filter(coach=coach).update(raised_on=day_of(3), raised_at=timezone.now() - timedelta(days=3))
    html = text(cast.mo, coach, page)
    assert "CANARY" not in html
    assert "Kowalski" not in html
    if page == "coach":
        assert f"Flagged on {written(day_of(3))}" in html


# --- A coach who has not begun; a coach without anything --------------------------------------------------------------


@each_page
def test_before_the_first_post(page: str, cast: Cast) -> None:
    with walls.lifted("tests"):
        coach = CoachFactory.create(name="Soon There", pcn=cast.riverside, starts_on=day_of(-20))
    html = text(cast.mo, coach, page)
    assert "Post</dt><dd>None that you see on" in html
    assert states(html) == {}
    if page in ("coach", "coach_supervision", "coach_training"):
        assert f"No post on {written(today())}." in html
        assert f"The next post begins on {written(day_of(-20))}." in html
    if page == "coach_employment":
        assert "Not begun" in html
        assert "Riverside PCN" in html


def test_a_day_at_another_place_is_no_day_of_the_actors(cast: Cast) -> None:
    """Before the post at Riverside the coach was at Lakeside: their standing there is Lakeside's."""
    with walls.lifted("tests"):
        coach = CoachFactory.create(name="Came Over", pcn=cast.lakeside, starts_on=day_of(400), ends_on=day_of(51))
        Post.objects.create(
            coach=coach,
            pcn=cast.riverside,
            employer=cast.riverside,
            starts_on=ago(50),
            hours_per_week=10,
            funding="arrs",
        )
    assert states(text(cast.mo, coach))["supervision.named.line"] == "not_met"
    then = text(cast.mo, coach, **{"as-at": ago(90)})
    assert states(then) == {}
    assert "No post on" in then
    assert states(text(cast.zed, coach, **{"as-at": ago(90)}))["supervision.named.line"] == "not_met"
    assert "so nothing was asked" in text(cast.mo, coach, "coach_supervision", **{"as-at": ago(90)})


@each_page
def test_a_coach_without_anything_says_so(page: str, cast: Cast) -> None:
    said = {
        "coach": "What turns it green",
        "coach_supervision": "No meetings are recorded up to",
        "coach_training": "No training is recorded up to",
        "coach_employment": "No absences are recorded up to",
        "coach_caseload": "had taken no referrals by",
        "coach_history": "Post at Riverside PCN",
    }
    assert said[page] in text(cast.mo, cast.coach_bo, page)


# --- As at any day, as known at any moment ----------------------------------------------------------------------------

# Of each page, something of Asha's story that was so sixty days ago and today, and something that was not.
_STORY = {
    "coach": ("Last line supervision", "Last line supervision {recent}"),
    "coach_supervision": ("Grace Invented", "Held in a group"),
    "coach_training": ("INV-ASHA", "CANARY"),
    "coach_employment": ("Sickness", "Annual leave"),
    "coach_caseload": ("ASHA-05", "ASHA-13"),
    "coach_history": ("Took referral ASHA-11", "Took referral ASHA-13"),
}


@each_page
def test_every_page_as_at_a_day_and_as_known_at_a_moment(page: str, cast: Cast) -> None:
    before = timezone.localtime().replace(tzinfo=None).isoformat()
    story_of(cast)
    recent = add_months(add_months(today(), -14), 13) - timedelta(days=2)
    always, later = (words.format(recent=written(recent)) for words in _STORY[page])
    bring_in(
        cast,
        {
            "absences": [{"coach_ref": "ASHA", "kind": "annual_leave", "from": ago(12), "to": ago(10)}],
            "exemptions": [{"coach_ref": "ASHA", "rule": "training.before_referrals", "from": ago(12), "to": ago(10),
                            "reason": "CANARY", "approved_by": "Dr Invented"}],
        },
    )  # fmt: skip
    now, then = text(cast.mo, cast.coach_asha, page), text(cast.mo, cast.coach_asha, page, **{"as-at": ago(60)})
    assert always in now
    assert always in then
    assert later in now
    assert later not in then
    assert f"As at {written(day_of(60))}" in then
    links = re.findall(rf'href="(/coaches/{cast.coach_asha.uuid}[^"#]*)', then)
    assert len(links) > len(PAGES)
    assert {link for link in links if f"as-at={day_of(60)}" not in link} == {address(cast.coach_asha, page)}  # today
    unknown = text(cast.mo, cast.coach_asha, page, **{"known-at": before})
    assert always not in unknown
    assert later not in unknown


@each_page
def test_what_the_address_cannot_mean_is_never_an_error(page: str, filled: Cast) -> None:
    for query in (
        {"page": "0"}, {"page": "-1"}, {"page": "999"}, {"page": "١"}, {"page": "9" * 40}, {"page": "x"},
        {"kind": "nonsense", "counts": "perhaps", "sort": "-nothing"}, {"sort": "-counts", "counts": "no"},
        {"kind": "\x00"}, {"as-at": "yesterday"}, {"known-at": "2026-13-45"}, {"as-at": "1900-01-01"},
        {"as-at": "2199-12-31"}, {"known-at": "1900-01-01"}, {"as-at": "2024-02-29", "known-at": "2199-12-31"},
    ):  # fmt: skip
        response = filled.mo.client.get(address(filled.coach_asha, page, **query))
        assert response.status_code == 200, query
