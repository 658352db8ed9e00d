"""Pages of the work: who sees which referral, what the gate says on the page, sessions, ends, overrides."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.urls import reverse

from coaching.actions import referrals, sessions
from coaching.actions.opening import open_case
from coaching.models import Allocation, CoachingSession, Referral
from hwbc.compliance.checks import run_checks
from hwbc.compliance.queries import waiting_referrals
from hwbc.kit.periods import today
from hwbc.standards.models import Flag
from hwbc.workforce import walls
from hwbc.workforce.models import Coach, Post
from hwbc.workforce.roles import Role
from tests import facts, markup
from tests.cast import SETUP, Cast, CoachFactory, Person, person
from tests.coaching.work import audited, count, do, exempt, fresh, given, logged, note, received, said, since, train
from tests.pages import PAGES
from training.models import Exemption

pytestmark = pytest.mark.django_db
CANARY = "Canary sings at dusk"


def words(response: Any) -> str:
    """The text of a page, as it is read; the page is sound."""
    html = response.content.decode()
    assert markup.faults(html) == []
    text = re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", html, flags=re.DOTALL)
    return re.sub(r"\s+", " ", text).replace("&#x27;", "'").replace("&#39;", "'")


def get(who: Person, name: str, referral: Referral | None = None, query: str = "", **kwargs: Any) -> Any:
    return who.client.get(url(name, referral, **kwargs) + query)


def url(name: str, referral: Referral | None = None, **kwargs: Any) -> str:
    return reverse(name, kwargs=({"uuid": referral.uuid} if referral else {}) | kwargs)


def on(name: str, days: int = 0) -> dict[str, int]:
    """A day so many days ago, as a form sends it."""
    day = today() - timedelta(days=days)
    return {f"{name}_day": day.day, f"{name}_month": day.month, f"{name}_year": day.year}


def filled_in(response: Any) -> dict[str, Any]:
    """The hidden fields of the page's form."""
    form = response.context["form"]
    hidden = {field.name: field.value() for field in form.hidden_fields()}
    assert hidden["token"]
    return {name: str(value) for name, value in hidden.items()}


def a_session(days: int = 0, **changes: Any) -> dict[str, Any]:
    """What a coach types."""
    typed = {**said(days), **changes}
    typed.pop("held_on")
    return {**typed, **on("held_on", days)}


@pytest.fixture
def trained(cast: Cast) -> Cast:
    """Asha is trained, Bo is not."""
    train(cast, "ASHA")
    return cast


# --- The caseload ---------------------------------------------------------------------------------------------------


def test_a_coach_sees_their_cases_urgent_first_and_nobody_elses(trained: Cast) -> None:
    train(trained, "BO")
    routine, urgent = received(trained, "R-routine"), received(trained, "R-urgent", priority="urgent")
    theirs = received(trained, "R-of-Bo")
    since(given(trained, routine), 3)
    since(given(trained, urgent), 3)
    given(trained, theirs, trained.coach_bo)
    logged(trained, urgent, 2, next_step="Ring on Monday")
    response = get(trained.asha, "caseload")
    assert [case.reference for case in response.context["table"].rows] == ["R-urgent", "R-routine"]
    text = words(response)
    assert "2 open cases" in text
    assert "Ring on Monday" in text
    assert "2 days ago" in text
    assert "No contact yet" in text
    assert "R-of-Bo" not in text
    asked = get(trained.asha, "referral", theirs)
    assert asked.headers["Location"] == url("case_open", theirs)  # a colleague's asks for a reason first
    assert get(trained.asha, "session_log", theirs).status_code == 404
    assert get(trained.asha, "referral_close", theirs).status_code == 404


def test_without_cases_a_coach_reads_whether_they_may_take_any(cast: Cast) -> None:
    text = words(get(cast.asha, "caseload"))
    assert "You have no open cases" in text
    assert "Not ready for referrals" in text
    assert "no PCI-accredited health coaching course recorded" in text
    assert "Not ready for referrals" in words(cast.asha.client.get("/"))
    train(cast, "ASHA")
    assert "Ready for referrals" in words(get(cast.asha, "caseload"))


def test_home_has_the_first_five_cases_and_the_way_to_all(trained: Cast) -> None:
    for number in range(6):
        given(trained, received(trained, f"R{number}", days=10 + number))
    text = words(trained.asha.client.get("/"))
    assert "The first 5 of 6 open cases" in text
    assert "Your caseload: all 6 open cases" in text
    assert text.count("Log a session") == 5


def test_the_caseload_is_that_of_the_day(trained: Cast) -> None:
    since(given(trained, received(trained)), 3)
    yesterday = (today() - timedelta(days=1)).isoformat()
    before = (today() - timedelta(days=4)).isoformat()
    assert "1 open case" in words(get(trained.asha, "caseload", query=f"?as-at={yesterday}"))
    assert "Log a session" not in words(get(trained.asha, "caseload", query=f"?as-at={yesterday}"))
    assert "You have no open cases on" in words(get(trained.asha, "caseload", query=f"?as-at={before}"))


# --- A session ------------------------------------------------------------------------------------------------------


def test_a_session_is_logged_once_however_often_it_is_sent(trained: Cast) -> None:
    referral = received(trained)
    since(given(trained, referral), 5)
    page = get(trained.asha, "session_log", referral)
    shown = [field for field in page.context["form"] if not field.is_hidden]
    assert len(shown) == 8
    typed = {**filled_in(page), **a_session(1, note=CANARY, next_step="Walk together", goal_progress="some")}
    for _ in range(2):
        response = trained.asha.client.post(url("session_log", referral), typed, follow=True)
        assert "is saved" in words(response)
    assert count(CoachingSession) == 1
    text = words(response)
    assert CANARY in text
    assert "Phone, 45 minutes. Some progress" in text
    again = get(trained.asha, "session_log", referral).context["form"]
    assert (again["mode"].value(), again["minutes"].value()) == ("phone", 45)  # as the last one was


def test_a_session_is_of_its_referrals_pcn_whatever_is_sent(trained: Cast) -> None:
    """Asha works at Hilltop too, so that the database would take a row of hers there."""
    with walls.lifted("tests"):
        Post.objects.create(
            coach=trained.coach_asha, pcn=trained.hilltop, employer=trained.hilltop, starts_on=today(),
            hours_per_week=5, funding="other",
        )  # fmt: skip
    trained.asha.given(Role.COACH, trained.hilltop, trained.coach_asha)
    referral = received(trained)
    since(given(trained, referral), 5)
    trained.asha.client.raise_request_exception = False
    typed = {**filled_in(get(trained.asha, "session_log", referral)), **a_session(1)}
    slipped_in = {"pcn": trained.hilltop.pk, "pcn_id": trained.hilltop.pk, "referral": uuid4(), "coach": uuid4()}
    assert trained.asha.client.post(url("session_log", referral), {**typed, **slipped_in}).status_code == 302
    with walls.lifted("tests"):
        session = CoachingSession.objects.get()
    assert (session.pcn_id, session.referral_id) == (trained.riverside.pk, referral.pk)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (on("held_on", -1), "What has happened cannot lie in the future"),
        (on("held_on", 9), "You took this referral on"),
        ({"minutes": "0"}, "The length must be 1 minute or more"),
        ({"minutes": ""}, "Enter how many minutes it took"),
        ({"mode": "carrier pigeon"}, "Select a valid choice"),
        ({"next_step": "x" * 301}, "at most 300 characters"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(trained: Cast, changes: dict[str, Any], sentence: str) -> None:
    referral = received(trained, days=20)
    since(given(trained, referral), 5)
    typed = {**a_session(0, note="Kept as typed"), "token": str(uuid4()), **changes}
    response = trained.asha.client.post(url("session_log", referral), typed)
    text = words(response)
    assert response.status_code == 200
    assert sentence in text
    assert "Kept as typed" in text
    assert count(CoachingSession) == 0


def test_correcting_and_withdrawing_keep_what_was_said(trained: Cast) -> None:
    referral = received(trained)
    since(given(trained, referral), 5)
    session = logged(trained, referral, 1, note="As first written")
    page = get(trained.asha, "session_correct", referral, session=session.uuid)
    typed = {**filled_in(page), **a_session(1, note="As it was", minutes="30"), "because": "Wrong length"}
    response = trained.asha.client.post(url("session_correct", referral, session=session.uuid), typed, follow=True)
    text = words(response)
    assert "The session is corrected" in text
    assert "As first written" in text
    assert "Asha Rahman: Wrong length" in text
    assert count(CoachingSession, voided_at=None, minutes=30) == 1
    with walls.lifted("tests"):
        now = CoachingSession.objects.get(voided_at=None)
    page = get(trained.asha, "session_withdraw", referral, session=now.uuid)
    address = url("session_withdraw", referral, session=now.uuid)
    empty = trained.asha.client.post(address, filled_in(page))
    assert "Enter why it is withdrawn" in words(empty)
    typed = {**filled_in(page), "because": "Another person"}
    assert "The session is withdrawn" in words(trained.asha.client.post(address, typed, follow=True))
    assert count(CoachingSession, voided_at=None) == 0
    assert "withdrawn or corrected meanwhile" in words(trained.asha.client.get(address, follow=True))


def test_who_corrects_too_late_sees_both_and_keeps_what_was_typed(trained: Cast) -> None:
    referral = received(trained)
    since(given(trained, referral), 5)
    session = logged(trained, referral, 1)
    address = url("session_correct", referral, session=session.uuid)
    page = get(trained.asha, "session_correct", referral, session=session.uuid)
    typed = {**filled_in(page), **a_session(1, note="Mine", minutes="30"), "because": "Mine is right"}
    do(trained.asha, sessions.correct_session, session=session, because="First", uuid=uuid4(), **said(1, minutes=50))
    response = trained.asha.client.post(address, typed)
    text = words(response)
    assert response.status_code == 409
    assert "Mine is right" in text
    assert "50" in text
    again = response.context["again"]
    hidden = {name: again.data[name] for name in ("token", "session")}
    response = trained.asha.client.post(address, {**typed, **hidden}, follow=True)
    assert "The session is corrected" in words(response)
    assert count(CoachingSession, voided_at=None, minutes=30, words__note="Mine") == 1


def test_a_late_entry_and_an_import_are_marked(trained: Cast) -> None:
    referral = received(trained, days=90)
    since(given(trained, referral), 80)
    logged(trained, referral, 70)
    facts.bring_in(trained, {"referrals": [], "coaching_sessions": []})
    assert "Late entry" in words(get(trained.asha, "referral", referral))


# --- Who sees what --------------------------------------------------------------------------------------------------


@pytest.fixture
def whispered(trained: Cast) -> Cast:
    """A session with a note and a next step that hold a canary, and an untrained coach with an override."""
    referral = received(trained, "R-canary")
    since(given(trained, referral), 5)
    logged(trained, referral, 1, note=CANARY, next_step=CANARY)
    run_checks(SETUP, today())
    return trained


@pytest.mark.parametrize("role", [role for role in Role if role not in (Role.COACH, Role.PCN_MANAGER)])
def test_no_note_reaches_anybody_who_does_not_care_for_the_person(whispered: Cast, role: Role) -> None:
    who = whispered.person(role)
    with walls.lifted("tests"):
        referral = Referral.objects.get(reference="R-canary")
        session = CoachingSession.objects.get(words__note=CANARY)
    opened = 0
    addresses = [page.url(whispered) for page in PAGES if page.html and not page.name.startswith("account")]
    addresses += [url("referral", referral), url("coach_caseload", uuid=whispered.coach_asha.uuid)]
    addresses += [url("session_correct", referral, session=session.uuid), url("referral_close", referral)]
    for address in addresses:
        response = who.client.get(address)
        opened += response.status_code == 200
        assert CANARY not in response.content.decode(), address
    assert opened
    # The control: it is there for whoever may read it.
    assert CANARY in words(get(whispered.asha, "referral", referral))
    # A manager reads it after saying why.
    assert CANARY not in words(get(whispered.mo, "referral", referral))
    do(whispered.mo, open_case, referral=referral, reason="Asha is ill, and the person rang")
    assert CANARY in words(get(whispered.mo, "referral", referral))


def test_a_hub_sees_the_referral_and_no_session(whispered: Cast) -> None:
    with walls.lifted("tests"):
        referral = Referral.objects.get(reference="R-canary")
    for who in (whispered.lee, whispered.ann):
        response = get(who, "referral", referral)
        text = words(response)
        assert "Referral R-canary" in text
        assert "Asha Rahman" in text
        assert "Sessions" not in text
        assert response.context["table"].count == 0
        assert "Hand back" not in text
    assert get(whispered.sam, "referral", referral).status_code == 403
    assert get(whispered.zed, "referral", referral).status_code == 404


# --- What waits -----------------------------------------------------------------------------------------------------


def test_the_list_is_what_home_and_the_overview_count(trained: Cast) -> None:
    facts.everything(trained, 6)
    facts.everything(trained, 3, pcn="U99992")
    back, closed, taken = (received(trained, name) for name in ("R-back", "R-closed", "R-taken"))
    for referral in (back, taken):
        given(trained, referral)
    do(trained.mo, referrals.hand_back, referral=back, version=fresh(back).version)
    do(trained.mo, referrals.close, referral=closed, outcome="declined", closed_on=today(), version=closed.version)
    for who in (trained.mo, trained.lee, trained.ann, trained.zed):
        for days in (0, 1, 7, 40):
            day = today() - timedelta(days=days)
            query = f"?as-at={day.isoformat()}"
            rows = get(who, "referrals", query=query).context["table"].count
            actor = who.actor
            with walls.within(actor.scope):
                assert sum(waiting_referrals(actor, day, get(who, "home").context["as_at"].moment).values()) == rows
            assert who.client.get(f"/{query}").context["waiting"] == rows
    listed = words(get(trained.mo, "referrals"))
    assert "2 waiting referrals" in listed
    assert "Handed back" in listed
    assert "R-taken" not in listed
    assert "R-closed" not in listed


def test_the_list_is_narrowed_by_place_source_and_priority(trained: Cast) -> None:
    facts.everything(trained, 1, pcn="U99992")
    received(trained, "R-nurse")
    received(trained, "R-urgent", source="self", priority="urgent")

    def rows(**narrowed: str) -> list[str]:
        table = trained.lee.client.get(url("referrals"), narrowed).context["table"]
        return [row.reference for row in table.rows]

    assert rows() == ["W-U99992-1", "R-urgent", "R-nurse"]
    assert rows(place="U99991") == ["R-urgent", "R-nurse"]
    assert rows(source="nurse") == ["R-nurse"]
    assert rows(priority="urgent", place="U99992") == ["W-U99992-1"]
    assert "None of them match" in words(trained.lee.client.get(url("referrals"), {"source": "vcse"}))
    assert "Allocate" not in words(get(trained.lee, "referrals"))  # a hub reads


def test_nothing_waits_and_what_to_do(cast: Cast) -> None:
    text = words(get(cast.mo, "referrals"))
    assert "No referral waits" in text
    assert "receive it here" in text
    assert "receive it here" not in words(get(cast.lee, "referrals"))
    assert "your caseload" in words(get(cast.asha, "referrals"))


def test_a_referral_is_received_without_a_name(cast: Cast) -> None:
    page = get(cast.mo, "referral_receive")
    typed = {**filled_in(page), "pcn": str(cast.riverside.uuid), "reference": "EMIS 12", "source": "nurse",
             "priority": "urgent", **on("received_on", 2)}  # fmt: skip
    number = "999 000 0018"
    assert "looks like an NHS number" in words(
        cast.mo.client.post(url("referral_receive"), {**typed, "reference": number})
    )
    assert "Referral EMIS 12 is received" in words(cast.mo.client.post(url("referral_receive"), typed, follow=True))
    assert "There is a referral EMIS 12 already" in words(cast.mo.client.post(url("referral_receive"), typed))
    elsewhere = {**typed, "reference": "EMIS 13", "pcn": str(cast.lakeside.uuid)}
    assert "Select a valid choice" in words(cast.mo.client.post(url("referral_receive"), elsewhere))
    assert count(Referral) == 1


# --- Who takes it ---------------------------------------------------------------------------------------------------


def choose(referral: Referral, coach: Coach | UUID, **changes: Any) -> dict[str, Any]:
    """Mo's choice, as the form sends it."""
    uuid = coach if isinstance(coach, UUID) else coach.uuid
    return {"token": str(uuid4()), "version": fresh(referral).version, "coach": str(uuid), **changes}


def test_ready_coaches_can_be_chosen_and_others_are_named_with_what_is_missing(trained: Cast) -> None:
    referral = received(trained)
    response = get(trained.mo, "referral_allocate", referral)
    text = words(response)
    assert [str(value) for value, _ in response.context["form"].fields["coach"].choices] == [
        str(trained.coach_asha.uuid)
    ]
    assert "Bo Lindqvist No PCI-accredited health coaching course recorded." in text
    assert "Override for Bo Lindqvist" in text
    assert "0 open cases for 30 hours a week" in text
    assert "No induction is recorded as done." in text  # before it is chosen …
    response = trained.mo.client.post(
        url("referral_allocate", referral), choose(referral, trained.coach_asha), follow=True
    )
    text = words(response)
    assert "Asha Rahman has referral R1 now. Recorded with it: No induction is recorded as done." in text
    with walls.lifted("tests"):
        made = Allocation.objects.get()
    assert "no_induction" in made.warnings  # … and recorded
    assert "With a coach Asha Rahman" in text


def test_the_server_refuses_an_untrained_coach_whatever_is_sent(trained: Cast) -> None:
    referral = received(trained)
    response = trained.mo.client.post(url("referral_allocate", referral), choose(referral, trained.coach_bo))
    text = words(response)
    assert "Bo Lindqvist is not ready for referrals: no PCI-accredited health coaching course recorded." in text
    assert "override the rule for Bo Lindqvist" in text
    assert count(Allocation) == 0
    [line] = audited("referral.allocate")
    assert (line.outcome, line.facts["refused"]) == ("refused", "not_ready")


def test_nobody_else_can_be_chosen(trained: Cast) -> None:
    train(trained, "CAI")
    facts.everything(trained, 1)
    referral = received(trained)
    for forged in (trained.coach_cai, trained.coach_dot, uuid4()):
        response = trained.mo.client.post(url("referral_allocate", referral), choose(referral, forged))
        text = words(response)
        assert "Select one of the coaches who have a post at this PCN" in text
        assert "Cai Morgan" not in text
        assert "Dot Ferreira" not in text
    assert "Select a coach" in words(trained.mo.client.post(url("referral_allocate", referral), {"version": 1}))
    assert count(Allocation, referral=referral) == 0
    zed = trained.zed.client
    assert zed.post(url("referral_allocate", referral), choose(referral, trained.coach_asha)).status_code == 404
    assert trained.lee.client.post(url("referral_allocate", referral), {}).status_code == 403


def test_the_second_of_two_managers_is_told_who_was_faster(trained: Cast) -> None:
    train(trained, "BO")
    other = person("Mia Second")
    other.given(Role.PCN_MANAGER, trained.riverside)
    referral = received(trained)
    late = choose(referral, trained.coach_bo)
    trained.mo.client.post(url("referral_allocate", referral), choose(referral, trained.coach_asha))
    response = other.client.post(url("referral_allocate", referral), late)
    assert response.status_code == 409
    text = words(response)
    assert f"Mo Haddad gave this referral to Asha Rahman on {today().day} " in text
    assert "hand it back" in text
    assert count(Allocation) == 1
    assert "Asha Rahman has this referral." in words(get(other, "referral_allocate", referral))


def test_a_referral_changed_meanwhile_is_shown_anew(trained: Cast) -> None:
    referral = received(trained)
    stale = choose(referral, trained.coach_asha)
    given(trained, referral)
    do(trained.mo, referrals.hand_back, referral=referral, version=fresh(referral).version)
    response = trained.mo.client.post(url("referral_allocate", referral), stale)
    assert response.status_code == 409
    assert "Somebody changed this referral since you opened it" in words(response)
    assert response.context["form"]["version"].value() == fresh(referral).version
    assert count(Allocation, ends_on=None) == 0


# --- Overrides ------------------------------------------------------------------------------------------------------


def test_an_override_interrupts_and_then_lets_through(trained: Cast) -> None:
    referral = received(trained)
    address = url("override", uuid=trained.coach_bo.uuid) + f"?referral={referral.uuid}"
    page = trained.mo.client.get(address)
    text = words(page)
    assert "Bo Lindqvist is not ready for referrals" in text
    assert "no PCI-accredited health coaching course recorded" in text
    assert "4-day PCI-accredited health coaching training" in text
    assert "R-030" in text
    nothing = words(trained.mo.client.post(address, filled_in(page)))
    assert "Enter reason" in nothing
    assert "Enter last day" in nothing
    gone = {**filled_in(page), "reason": "Invented reason", **on("ends_on", 1)}
    assert "The last day must be today or later" in words(trained.mo.client.post(address, gone))
    assert count(Exemption) == 0
    typed = {**filled_in(page), "reason": "Invented reason", **on("ends_on", -30)}
    for _ in range(2):
        response = trained.mo.client.post(address, typed, follow=True)
    assert count(Exemption) == 1
    text = words(response)
    assert "Bo Lindqvist may take referrals until" in text
    assert "Which coach takes it?" in text
    trained.mo.client.post(url("referral_allocate", referral), choose(referral, trained.coach_bo))
    with walls.lifted("tests"):
        assert not Flag.objects.filter(coach=trained.coach_bo, rule="training.before_referrals").exists()
    text = words(get(trained.mo, "overrides"))
    assert "1 override" in text
    assert "Bo Lindqvist" in text
    assert "Invented reason" in text
    assert "Mo Haddad" in text
    assert "R1, " in text
    assert "is ready for referrals" in words(trained.mo.client.get(address))


def test_an_override_clears_the_flag_at_once(cast: Cast) -> None:
    exempt(cast, "BO", 10, 5)
    facts.bring_in(cast, {"referrals": [{"referral_ref": "OLD", "pcn_code": "U99991", "source": "self",
                                         "priority": "routine", "received_on": facts.ago(9), "coach_ref": "BO",
                                         "accepted_on": facts.ago(3)}]})  # fmt: skip
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        flag = Flag.objects.get(coach=cast.coach_bo, rule="training.before_referrals")
    assert flag.cleared_at is None
    address = url("override", uuid=cast.coach_bo.uuid)
    typed = {**filled_in(cast.mo.client.get(address)), "reason": "Invented reason", **on("ends_on", -30)}
    cast.mo.client.post(address, typed)
    assert fresh(flag).cleared_at is not None


def test_who_may_not_override(cast: Cast) -> None:
    address = url("override", uuid=cast.coach_bo.uuid)
    for who in (cast.lee, cast.asha, cast.sam, cast.ann):
        assert who.client.post(address, {}).status_code == 403
    assert cast.zed.client.post(address, {}).status_code == 404
    assert cast.mo.client.get(f"{address}?referral={uuid4()}").status_code == 404
    assert cast.mo.client.get(f"{address}?referral=nonsense").status_code == 404
    cast.asha.given(Role.PCN_MANAGER, cast.riverside)
    own = url("override", uuid=cast.coach_asha.uuid)
    typed = {"token": str(uuid4()), "reason": "For myself", **on("ends_on", -30)}
    assert cast.asha.client.post(own, typed).status_code == 403
    assert count(Exemption) == 0


def test_the_report_tells_each_what_they_may_know_as_at_a_day(cast: Cast) -> None:
    exempt(cast, "BO", 40, 20)
    exempt(cast, "ASHA", 10, -10)
    both = get(cast.mo, "overrides")
    assert [(row.coach_name, row.state) for row in both.context["table"].rows] == [
        ("Asha Rahman", "current"), ("Bo Lindqvist", "past"),
    ]  # fmt: skip
    assert "Not shown to your role" in words(get(cast.lee, "overrides"))
    assert "Invented reason" not in words(get(cast.lee, "overrides"))
    assert [row.coach_name for row in get(cast.sam, "overrides").context["table"].rows] == ["Asha Rahman"]
    assert "There are no overrides" in words(get(cast.zed, "overrides"))
    then = (today() - timedelta(days=30)).isoformat()
    states = {
        row.coach_name: row.state for row in get(cast.mo, "overrides", query=f"?as-at={then}").context["table"].rows
    }
    assert states == {"Bo Lindqvist": "current", "Asha Rahman": "to come"}


def test_with_two_pcns_a_hub_reads_when_a_coach_completed_the_training(cast: Cast) -> None:
    exempt(cast, "BO", 300, 290)
    train(cast, "BO")
    [row] = get(cast.lee, "overrides").context["table"].rows
    assert row.trained_on == today() - timedelta(days=280)


# --- Ends -----------------------------------------------------------------------------------------------------------


def test_a_coach_closes_and_hands_back(trained: Cast) -> None:
    one, other = received(trained, "R-one"), received(trained, "R-other")
    for referral in (one, other):
        since(given(trained, referral), 2)
    page = get(trained.asha, "referral_close", one)
    typed = {**filled_in(page), "outcome": "completed", **on("closed_on")}
    assert "Select how it ended" in words(
        trained.asha.client.post(url("referral_close", one), {**typed, "outcome": ""})
    )
    text = words(trained.asha.client.post(url("referral_close", one), typed, follow=True))
    assert "R-one is closed" in text
    assert "Coaching completed" in text
    page = get(trained.asha, "referral_hand_back", other)
    response = trained.asha.client.post(url("referral_hand_back", other), filled_in(page), follow=True)
    assert "it waits for another coach" in words(response)
    late = trained.asha.client.post(url("referral_hand_back", other), filled_in(page), follow=True)  # sent twice
    assert "You do not have this referral any more. Nothing was changed." in words(late)
    assert count(Allocation, ends_on=None) == 0
    assert "R-other" in words(get(trained.mo, "referrals"))
    assert get(trained.asha, "caseload").context["table"].count == 0


def test_who_closes_too_late_is_told(trained: Cast) -> None:
    referral = received(trained)
    since(given(trained, referral), 2)
    page = get(trained.asha, "referral_close", referral)
    typed = {**filled_in(page), "outcome": "completed", **on("closed_on")}
    version = fresh(referral).version
    do(trained.mo, referrals.close, referral=referral, outcome="moved_away", closed_on=today(), version=version)
    for who in (trained.asha, trained.mo):
        response = who.client.post(url("referral_close", referral), typed, follow=True)
        assert "was closed already" in words(response)
        assert "Moved away. Nothing was changed." in words(response)
    assert fresh(referral).outcome == "moved_away"


def test_who_closes_what_was_handed_on_meanwhile_is_asked_again(trained: Cast) -> None:
    referral = received(trained)
    given(trained, referral)
    page = get(trained.mo, "referral_close", referral)
    typed = {**filled_in(page), "outcome": "completed", **on("closed_on")}
    do(trained.mo, referrals.hand_back, referral=referral, version=fresh(referral).version)
    response = trained.mo.client.post(url("referral_close", referral), typed)
    assert response.status_code == 409
    assert fresh(referral).closed_on is None
    again = {**typed, "version": response.context["again"].data["version"]}
    assert "is closed" in words(trained.mo.client.post(url("referral_close", referral), again, follow=True))


def test_a_coach_who_left_has_no_name_for_the_next_coach(trained: Cast) -> None:
    with walls.lifted("tests"):
        CoachFactory.create(pcn=trained.riverside)
    referral = received(trained)
    train(trained, "BO")
    given(trained, referral, trained.coach_bo)
    do(trained.mo, referrals.hand_back, referral=referral, version=fresh(referral).version)
    given(trained, referral)
    text = words(get(trained.asha, "referral", referral))
    assert "Bo Lindqvist" not in text
    assert "Bo Lindqvist" in words(get(trained.mo, "referral", referral))


def test_a_former_coach_reads_nothing_of_what_came_after_them(cast: Cast) -> None:
    sheets = {
        **facts.courses(),
        "referrals": [facts.referral("MOVED", "ASHA", 60, "U99991")],
        "coaching_sessions": [
            {"referral_ref": "MOVED", "held_on": facts.ago(50), "mode": "phone", "minutes": "45", "outcome": "attended"}
        ],
    }
    facts.bring_in(cast, sheets)
    with walls.lifted("tests"):
        moved = Referral.objects.get(reference="MOVED")
        hers = Allocation.objects.get(referral=moved)
        hers.ends_on = today() - timedelta(days=30)
        hers.save()
        Allocation.objects.create(
            referral=moved, pcn=moved.pcn, coach=cast.coach_bo, starts_on=today() - timedelta(days=29)
        )
        later = CoachingSession.objects.create(
            referral=moved, pcn=moved.pcn, held_on=today() - timedelta(days=10), mode="video", minutes=30,
            outcome="attended",
        )  # fmt: skip
        note(later, note=CANARY)
        earlier = CoachingSession.objects.get(referral=moved, mode="phone")
    text = words(get(cast.asha, "referral", moved))
    assert "Phone" in text
    assert "Video" not in text
    assert CANARY not in text
    assert CANARY not in words(get(cast.mo, "referral", moved))
    do(cast.mo, open_case, referral=moved, reason="Asha is ill, and the person rang")
    assert CANARY in words(get(cast.mo, "referral", moved))
    assert get(cast.asha, "session_correct", moved, session=later.uuid).status_code == 404
    assert earlier.uuid != later.uuid
