"""Who saw and did what: what reading leaves behind, who sees it, how it is found, told and taken away."""

import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from coaching.models import Referral
from hwbc.compliance import trail
from hwbc.compliance.exporting.lists import EXPORTS
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.actions import end_post, record_absence
from hwbc.workforce.models import Absence, AuditEvent, Post
from hwbc.workforce.roles import Role
from tests.architecture import modules
from tests.cast import PASSWORD, Cast, Person, UserFactory
from tests.coaching.work import bo_signs_in, do, given, logged, received, since, train
from tests.compliance.exporting import opened as opened_file
from tests.compliance.test_coaching_pages import filled_in, get, url, words
from tests.compliance.test_opening import NOTE, opens
from tests.kit.html import parse_page, text
from training.actions import record_exemption

pytestmark = pytest.mark.django_db

READ = ("referral.read", "session.read", "caseload.read", "coach.read_reasons", "coach.read_caseload", "overrides.read")


@pytest.fixture
def case(cast: Cast) -> Referral:
    """A case of Asha's, in whose session something was said."""
    train(cast, "ASHA")
    referral = received(cast, "R1")
    since(given(cast, referral), 3)
    logged(cast, referral, 1, note=NOTE, next_step="Call again")
    return referral


@pytest.fixture
def bo(cast: Cast) -> Person:
    return bo_signs_in(cast)


def lines(*codes: str) -> list[AuditEvent]:
    """What the audit has of these kinds, the oldest first."""
    with walls.lifted("tests"):
        return list(AuditEvent.objects.filter(what__in=codes or READ).order_by("at", "pk"))


def audit(who: Person, /, **asked: str) -> Any:
    return who.client.get(reverse("audit"), asked)


def told(who: Person, /, **asked: str) -> list[str]:
    """The sentences that the audit shows somebody."""
    response = audit(who, **asked)
    assert response.status_code == 200
    return [each.sentence for each in response.context["page"].rows]


def absent(cast: Cast) -> Absence:
    """Asha is away, ill."""
    made: Absence = do(
        cast.mo, record_absence, coach=cast.coach_asha, kind="sickness", starts_on=today(), ends_on=today()
    )
    return made


# --- What reading leaves behind ------------------------------------------------------------------------------------


def test_reading_a_case_says_who_as_what_where_whose_and_how_much(cast: Cast, case: Referral) -> None:
    get(cast.asha, "referral", case)
    get(cast.mo, "referral", case)
    opens(cast.mo, case)
    get(cast.mo, "referral", case)
    own, managers, with_reason = lines("referral.read")
    for line, who, role in ((own, cast.asha, "coach"), (managers, cast.mo, "pcn_manager")):
        assert (line.user_id, line.by, line.outcome) == (who.user.pk, role, "done")
        assert (line.kind, line.record) == ("coaching.referral", str(case.uuid))
        assert line.organisation_id == cast.riverside.pk
        assert (line.coach_id, line.patients) == (cast.coach_asha.pk, True)
        assert len(line.request) == 36
        assert timezone.now() - line.at < timedelta(minutes=1)
    assert own.facts == {"sessions": 1, "words": True, "reason": False}
    assert managers.facts == {"sessions": 1, "words": False, "reason": False}
    assert with_reason.facts == {"sessions": 1, "words": True, "reason": True}


def test_the_forms_about_a_session_are_reads_of_its_case(cast: Cast, case: Referral) -> None:
    uuid = _session(case)
    kwargs = {"uuid": case.uuid, "session": uuid}
    for number, page in enumerate(("session_correct", "session_withdraw"), start=1):
        assert cast.asha.client.get(reverse(page, kwargs=kwargs)).status_code == 200
        assert len(lines("session.read")) == number
        line = lines("session.read")[-1]
        assert (line.record, line.facts, line.patients) == (str(case.uuid), {"session": uuid}, True)
        assert line.coach_id == cast.coach_asha.pk


def test_what_is_sent_and_saved_is_the_actions_own_line(cast: Cast, case: Referral) -> None:
    address = reverse("session_withdraw", kwargs={"uuid": case.uuid, "session": _session(case)})
    assert cast.asha.client.post(address, {"because": ""}).status_code == 200  # shown again
    assert len(lines("session.read")) == 1
    sent = filled_in(cast.asha.client.get(address)) | {"because": "Not held"}
    assert cast.asha.client.post(address, sent).status_code == 302
    assert len(lines("session.read")) == 2
    assert len(lines("session.void")) == 1


def _session(case: Referral) -> str:
    with walls.lifted("tests"):
        return str(case.sessions.get().uuid)


@pytest.mark.parametrize(
    ("name", "who", "code"),
    [
        ("home", "asha", "caseload.read"),
        ("caseload", "asha", "caseload.read"),
        ("coach_caseload", "mo", "coach.read_caseload"),
        ("coach_employment", "mo", "coach.read_reasons"),
        ("coach_training", "mo", "coach.read_reasons"),
        ("coach_history", "mo", "coach.read_reasons"),
        ("absence_end", "mo", "coach.read_reasons"),
        ("absence_withdraw", "mo", "coach.read_reasons"),
        ("exemption_end", "mo", "coach.read_reasons"),
        ("exemption_withdraw", "mo", "coach.read_reasons"),
        ("overrides", "mo", "overrides.read"),
    ],
)
def test_other_pages_that_show_what_is_confidential(cast: Cast, case: Referral, name: str, who: str, code: str) -> None:
    absence = absent(cast)
    exemption = do(
        cast.mo, record_exemption, coach=cast.coach_asha, rule="training.before_referrals",
        starts_on=today(), ends_on=today(), reason="Canary of the reason",
    )  # fmt: skip
    kwargs: dict[str, Any] = {}
    if name.startswith("coach_"):
        kwargs = {"uuid": cast.coach_asha.uuid}
    elif name.startswith("absence"):
        kwargs = {"uuid": cast.coach_asha.uuid, "pk": absence.pk}
    elif name.startswith("exemption"):
        kwargs = {"uuid": exemption.uuid}
    reader: Person = getattr(cast, who)
    with CaptureQueriesContext(connection) as asked:
        assert reader.client.get(reverse(name, kwargs=kwargs)).status_code == 200
    written = [each for each in asked.captured_queries if 'INSERT INTO "workforce_auditevent"' in each["sql"]]
    assert len(written) == 1
    [line] = lines()
    assert (line.what, line.user_id) == (code, reader.user.pk)
    assert line.organisation_id == cast.riverside.pk
    assert line.patients == (code in ("caseload.read", "coach.read_caseload"))
    if name != "overrides":
        assert line.coach_id == cast.coach_asha.pk
    else:
        assert line.facts == {"coaches": [str(cast.coach_asha.uuid)]}
    assert "Canary" not in str(line.facts)


def test_where_nothing_confidential_is_shown_nothing_is_kept(cast: Cast, case: Referral, bo: Person) -> None:
    absent(cast)
    get(cast.lee, "referral", case)  # a training hub sees no sessions
    for name in ("coach", "coach_supervision", "coach_training", "coach_employment"):
        for who in (cast.lee, cast.sam) if name != "coach_employment" else (cast.lee,):
            assert who.client.get(reverse(name, kwargs={"uuid": cast.coach_asha.uuid})).status_code == 200
    assert get(bo, "referral", case).status_code == 302  # asks for a reason first
    assert get(cast.zed, "referral", case).status_code == 404
    assert lines() == []


def test_a_foreign_record_leaves_no_trace_that_it_exists(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        before = AuditEvent.objects.count()
    assert get(cast.zed, "referral", case).status_code == 404
    with walls.lifted("tests"):
        assert AuditEvent.objects.count() == before


def test_an_as_at_page_is_a_read_too(cast: Cast, case: Referral) -> None:
    address = f"{url('referral', case)}?as-at={(today() - timedelta(days=1)).isoformat()}"
    assert cast.asha.client.get(address).status_code == 200
    assert len(lines("referral.read")) == 1


def test_signing_in_says_as_what_and_where(cast: Cast, client: Any) -> None:
    form = {"login": cast.mo.user.email, "password": PASSWORD}
    assert client.post(reverse("account_login"), form).status_code == 302
    [line] = [line for line in lines("account.sign_in") if line.user_id == cast.mo.user.pk]
    assert (line.by, line.organisation_id) == ("pcn_manager", cast.riverside.pk)


# --- Who sees it ---------------------------------------------------------------------------------------------------


def everybody(cast: Cast, bo: Person) -> dict[str, Person]:
    other = Person(UserFactory.create())
    other.given(Role.PCN_MANAGER, cast.riverside)
    auditor = Person(UserFactory.create())
    auditor.given(Role.AUDITOR, cast.riverside)
    return {
        "asha": cast.asha, "bo": bo, "sam": cast.sam, "mo": cast.mo, "other": other, "lee": cast.lee, "ann": cast.ann,
        "auditor": auditor, "zed": cast.zed, "nobody": cast.nobody_yet,
    }  # fmt: skip


@pytest.fixture
def happened(cast: Cast, case: Referral, bo: Person) -> dict[str, tuple[AuditEvent, set[str]]]:
    """Things that happened, each with who may see it beside whoever did it."""
    absent(cast)
    get(cast.mo, "referral", case)
    cast.mo.client.get(reverse("coach_employment", kwargs={"uuid": cast.coach_asha.uuid}))
    cast.lee.client.get(reverse("import_new"))
    assert cast.lee.client.get(reverse("coaches_export")).status_code == 200
    assert cast.sam.client.get(reverse("access")).status_code == 403
    opens(bo, case)
    oversee = {"mo", "other", "lee", "ann", "auditor"}
    return {
        "a manager reads a case": (lines("referral.read")[-1], {"asha", "mo", "other"}),
        "a manager reads why somebody was away": (lines("coach.read_reasons")[-1], oversee | {"asha"}),
        "an absence is recorded": (lines("absence.record")[-1], oversee | {"asha"}),
        "a case is allocated": (lines("referral.allocate")[-1], {"asha", "mo", "other"}),
        "a session is logged": (lines("session.log")[-1], {"asha", "mo", "other"}),
        "a case is opened": (lines("case.open")[-1], {"asha", "bo", "mo", "other"}),
        "the hub exports": (lines("export.coaches")[-1], {"lee", "ann"}),
        "a supervisor is refused": (lines("page.refuse")[-1], oversee | {"sam"}),
    }


def test_each_event_is_seen_by_whom_it_is_for(cast: Cast, happened: Any, bo: Person) -> None:
    for name, who in everybody(cast, bo).items():
        actor = who.actor
        for what, (event, seen_by) in happened.items():
            with walls.within(actor.scope):
                shown = AuditEvent.objects.for_actor(actor).filter(pk=event.pk).exists()
                stands = AuditEvent.objects.filter(pk=event.pk).exists()
            assert shown == (name in seen_by), (name, what)
            assert stands == (name in seen_by), (name, what, "the wall")


def test_python_holds_the_line_when_the_wall_is_down(cast: Cast, happened: Any, bo: Person) -> None:
    for name, who in everybody(cast, bo).items():
        actor = who.actor
        with walls.lifted("tests"):
            shown = set(AuditEvent.objects.for_actor(actor).values_list("pk", flat=True))
        for what, (event, seen_by) in happened.items():
            assert (event.pk in shown) == (name in seen_by), (name, what)


def test_a_pcn_that_a_coach_has_left_sees_what_was_done_up_to_the_last_day(cast: Cast, case: Referral) -> None:
    """Of what is done about the coach at another PCN: while they were here too, and nothing that came after."""
    last = today() - timedelta(days=3)
    with walls.lifted("tests"):
        post = Post.objects.select_related("coach", "pcn").get(coach=cast.coach_asha, pcn=cast.riverside)
    do(cast.mo, end_post, post=post, ends_on=last, version=post.version)
    with walls.lifted("tests"):
        before, after = (
            AuditEvent.objects.create(
                what="absence.record", by="pcn_manager", organisation=cast.hilltop, coach=cast.coach_asha,
                at=timezone.now() - timedelta(days=days),
            )
            for days in (5, 1)
        )  # fmt: skip
    actor = cast.mo.actor
    with walls.within(actor.scope):
        shown = set(AuditEvent.objects.for_actor(actor).values_list("pk", flat=True))
    assert before.pk in shown
    assert after.pk not in shown


# --- The page ------------------------------------------------------------------------------------------------------


def test_the_page_tells_it_in_sentences(cast: Cast, case: Referral, bo: Person) -> None:
    absent(cast)
    opens(cast.mo, case)
    get(cast.mo, "referral", case)
    cast.mo.client.get(reverse("coach_employment", kwargs={"uuid": cast.coach_asha.uuid}))
    cast.mo.client.get(reverse("coaches_export"))
    cast.sam.client.get(reverse("access"))
    sentences = told(cast.mo)
    assert sentences[:5] == [
        sentences[0],
        sentences[1],
        "Mo Haddad, PCN manager, read why Asha Rahman was away or exempt",
        "Mo Haddad, PCN manager, read the case R1 with its sessions, having given a reason",
        "Mo Haddad, PCN manager, opened the case R1 with a reason",
    ]
    assert sentences[0] == (
        "Sam Okafor, Line manager, Clinical supervisor, Health coaching supervisor, tried to open a page for which "
        "nothing that they are is enough and was refused: none of their roles lets them invite people and end their "
        "access"
    )
    assert re.fullmatch(r"Mo Haddad, PCN manager, exported the list “Coaches” as CSV, \d+ rows", sentences[1])
    assert "Mo Haddad, PCN manager, recorded an absence of Asha Rahman" in sentences
    assert "Mo Haddad, PCN manager, gave the case R1 to Asha Rahman" in sentences
    assert "Asha Rahman, Health and wellbeing coach, logged a session of the case R1" in sentences
    page = words(audit(cast.mo))
    assert "Cases opened with a reason" in page
    assert "“Audit”" not in page
    assert not any("{" in sentence or "/" in sentence for sentence in sentences)


def test_a_coach_sees_who_read_about_them_and_no_more(cast: Cast, case: Referral, bo: Person) -> None:
    get(cast.mo, "referral", case)
    cast.mo.client.get(reverse("coaches_export"))
    sentences = told(cast.asha)
    assert "Mo Haddad, PCN manager, read the case R1 with its sessions, without what was said in them" in sentences
    assert not any("exported" in sentence for sentence in sentences)
    assert not any("R1" in sentence or "Asha" in sentence for sentence in told(bo))
    assert "You see what was done and read about you" in words(audit(cast.asha))


def test_a_hub_and_an_auditor_see_nothing_of_patients(cast: Cast, case: Referral) -> None:
    absent(cast)
    get(cast.mo, "referral", case)
    for who in (cast.lee, cast.ann):
        sentences = told(who)
        assert "Mo Haddad, PCN manager, recorded an absence of Asha Rahman" in sentences
        assert not any("case" in sentence or "session" in sentence for sentence in sentences)
        assert "without what is about patients" in words(audit(who))


def test_every_action_and_every_read_has_words(cast: Cast) -> None:
    codes = set()
    for _, source in modules():
        codes |= set(re.findall(r'@(?:action|reads)\(\s*"([\w.]+)"', source))
    assert len(codes) > 60
    assert codes | {"page.refuse", "account.attempt", "account.confirm"} == set(trail.WORDS)
    for words_ in trail.WORDS.values():
        assert re.match(r"\w+/\w+ ", words_), words_
    assert set(trail.READS) == set(READ) <= codes
    assert {name: export.title for name, export in EXPORTS.items()} == trail._LISTS


FILTERS = [
    ({"who": "haddad"}, lambda event, cast: event.user_id == cast.mo.user.pk),
    ({"who": "MO had"}, lambda event, cast: event.user_id == cast.mo.user.pk),
    ({"kind": "read"}, lambda event, cast: event.what in READ),
    ({"kind": "opened"}, lambda event, cast: event.what == "case.open"),
    ({"kind": "export"}, lambda event, cast: event.what == "export.coaches"),
    ({"kind": "refused"}, lambda event, cast: event.what == "page.refuse"),
    ({"kind": "access"}, lambda event, cast: event.what.startswith("access.")),
    ({"kind": "change"}, lambda event, cast: event.what in ("absence.record", "session.log", "referral.allocate")),
    ({"outcome": "refused"}, lambda event, cast: event.outcome == "refused"),
    ({"record": " asha "}, lambda event, cast: event.coach_id == cast.coach_asha.pk),
    ({"record": "r1"}, lambda event, cast: event.patients),
    ({"who": "haddad", "kind": "read"}, lambda event, cast: event.what in READ and event.user_id == cast.mo.user.pk),
]  # fmt: skip


@pytest.mark.parametrize(("asked", "fits"), FILTERS, ids=[str(asked) for asked, _ in FILTERS])
def test_filters(cast: Cast, happened: Any, asked: dict[str, str], fits: Any) -> None:
    wanted = {what for what, (event, seen) in happened.items() if "mo" in seen and fits(event, cast)}
    assert wanted or asked == {"kind": "access"} or asked == {"kind": "export"}
    events, after = [], ""
    while True:
        response = audit(cast.mo, **asked, **({"after": after} if after else {}))
        events += [row.event for row in response.context["page"].rows]
        after = response.context["page"].older
        if not after:
            break
    shown = {event.pk for event in events}
    for what, (event, seen) in happened.items():
        assert (event.pk in shown) == (what in wanted and "mo" in seen), what
    if asked != {"kind": "change"}:
        assert all(fits(event, cast) for event in events)
    assert len(audit(cast.mo, **asked).context["chips"]) == len(asked)


def test_days(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        old = AuditEvent.objects.create(
            what="post.add", by="pcn_manager", user=cast.mo.user, organisation=cast.riverside,
            at=timezone.now() - timedelta(days=200),
        )  # fmt: skip

    def shown(**asked: str) -> bool:
        return old.pk in {row.event.pk for row in audit(cast.mo, **asked).context["page"].rows}

    day = timezone.localdate(old.at)
    assert not shown()
    since = {"since_day": str(day.day), "since_month": str(day.month), "since_year": str(day.year)}
    until = {name.replace("since", "until"): value for name, value in since.items()}
    assert shown(**since, **until)
    assert shown(**until)
    response = audit(cast.mo, **since, **until)
    assert [label for label, _, _ in response.context["chips"]] == ["From", "Until"]
    assert len(response.context["page"].rows) == 1
    later = day + timedelta(days=1)
    since = {"since_day": str(later.day), "since_month": str(later.month), "since_year": str(later.year)}
    assert not shown(**since)


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"record": "NOTHING"}, "There is no coach or referral with this reference that you see"),
        ({"kind": "nonsense"}, "Choose what was done from the list"),
        ({"outcome": "maybe"}, "Choose how it ended from the list"),
        ({"since_day": "31", "since_month": "6", "since_year": "2026"}, "From must be a real date"),
        ({"until_day": "1", "until_month": "1", "until_year": "1001"}, "The year must be between"),
        (
            {"since_day": "2", "since_month": "1", "since_year": "2026",
             "until_day": "1", "until_month": "1", "until_year": "2026"},
            "The last day cannot be before the first day",
        ),
        ({"who": "x" * 101}, "The name must be 100 characters or fewer"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_narrows_nothing(
    cast: Cast, case: Referral, asked: dict[str, str], says: str
) -> None:
    response = audit(cast.mo, **asked)
    page = words(response)
    assert says in page
    assert "There is a problem" in page
    assert response.context["page"].rows
    assert response.context["chips"] == []


@pytest.mark.parametrize("after", ["x", "_", "20260101T000000.000000_x", "20269901T000000.000000_", "\x00"])
def test_a_place_that_cannot_be_read_is_the_beginning(cast: Cast, case: Referral, after: str) -> None:
    assert told(cast.mo, after=after) == told(cast.mo)


def test_somebody_elses_record_cannot_be_guessed(cast: Cast, case: Referral) -> None:
    for typed in ("R1", "ASHA"):
        response = audit(cast.zed, record=typed)
        assert "There is no coach or referral with this reference that you see" in words(response)
    for typed in (str(case.uuid), str(cast.coach_asha.uuid)):
        response = audit(cast.zed, record=typed)
        assert response.context["page"].rows == []
        assert "No events match" in words(response)


def test_an_empty_page_says_so(cast: Cast) -> None:
    cast.zed.client.get(reverse("audit"))
    response = audit(cast.zed, who="Nobody of this name")
    assert "No events match" in words(response)
    assert "Clear the filters" in words(response)
    assert response.context["export"] is None


def test_pages_follow_each_other_without_a_gap(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        moment = timezone.now()
        for number in range(60):  # many of one moment
            AuditEvent.objects.create(
                what="post.add", by="pcn_manager", user=cast.mo.user, organisation=cast.riverside,
                at=moment - timedelta(seconds=number // 20),
            )  # fmt: skip
    actor = cast.mo.actor
    with walls.within(actor.scope):
        everything = list(trail.events(actor, trail.Asked()).values_list("pk", flat=True))
    found, after, pages = [], "", 0
    while True:
        response = audit(cast.mo, **({"after": after} if after else {}))
        found += [row.event.pk for row in response.context["page"].rows]
        assert ("Back to the newest events" in words(response)) == bool(after)
        after, pages = response.context["page"].older, pages + 1
        if not after:
            break
    assert found == everything
    assert pages == -(-len(everything) // trail.PER_PAGE)


# --- As a file -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["csv", "xlsx"])
def test_the_file_has_the_rows_of_the_page_and_is_recorded(cast: Cast, happened: Any, form: str) -> None:
    for who in (cast.mo, cast.lee, cast.asha):
        page = audit(who, kind="change")
        sentences = []
        after = ""
        while True:
            page = audit(who, kind="change", **({"after": after} if after else {}))
            sentences += [row.sentence for row in page.context["page"].rows]
            after = page.context["page"].older
            if not after:
                break
        response = who.client.get(reverse("audit_export"), {"kind": "change", "format": form})
        assert response.status_code == 200
        file = opened_file(f"audit.{form}", response.getvalue())
        assert [row["What"] for row in file.rows] == sentences
        assert len({row["Event"] for row in file.rows}) == len(sentences)
        assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", str(file.rows[0]["When (UTC)"]))
        line = lines("export.audit")[-1]
        assert (line.user_id, line.facts["rows"], line.kind) == (who.user.pk, len(sentences), f"audit.{form}")
        assert line.facts["filters"]["kind"] == "change"


def test_whoever_may_not_see_the_audit_may_not_take_it_away(cast: Cast) -> None:
    assert cast.sam.client.get(reverse("audit_export")).status_code == 403
    assert cast.sam.client.get(reverse("audit")).status_code == 403


def test_what_is_searched_for_by_name_is_no_part_of_the_audit(cast: Cast, case: Referral) -> None:
    cast.mo.client.get(reverse("audit_export"), {"who": "Rahman", "record": "R1"})
    [line] = lines("export.audit")
    assert line.facts["filters"] == {
        "who": True, "record": True, "kind": "", "outcome": "", "since": False, "until": False,
    }  # fmt: skip


# --- Who has looked at a case --------------------------------------------------------------------------------------


def test_a_case_says_who_has_looked(cast: Cast, case: Referral, bo: Person) -> None:
    opens(bo, case)
    get(bo, "referral", case)
    get(cast.mo, "referral", case)
    get(cast.asha, "referral", case)
    for who in (cast.asha, cast.mo):
        assert "Who has looked at this case" in words(get(who, "referral", case))
        page = get(who, "referral_looked", case)
        sentences = [row.sentence for row in page.context["page"].rows]
        coach = "Health and wellbeing coach"
        assert sentences[-4:] == [
            f"Asha Rahman, {coach}, read the case R1 with its sessions",
            "Mo Haddad, PCN manager, read the case R1 with its sessions, without what was said in them",
            f"Bo Lindqvist, {coach}, read the case R1 with its sessions, having given a reason",
            f"Bo Lindqvist, {coach}, opened the case R1 with a reason",
        ]
        assert "Riverside PCN" in words(page)


def test_who_has_looked_is_not_for_everybody(cast: Cast, case: Referral, bo: Person) -> None:
    assert get(bo, "referral_looked", case).status_code == 404
    opens(bo, case)
    assert get(bo, "referral_looked", case).status_code == 404  # it is open to them, and not theirs
    assert "Who has looked at this case" not in words(get(bo, "referral", case))
    assert "Who has looked at this case" not in words(get(cast.lee, "referral", case))
    assert get(cast.lee, "referral_looked", case).status_code == 403
    assert get(cast.zed, "referral_looked", case).status_code == 404


def test_looking_at_who_has_looked_of_a_case_without_looks(cast: Cast) -> None:
    referral = received(cast, "R2")
    page = get(cast.mo, "referral_looked", referral)
    assert "Nobody has looked at it yet" in words(page)


# --- Elsewhere -----------------------------------------------------------------------------------------------------


def test_the_status_page_says_how_far_sealing_has_come(cast: Cast) -> None:
    page = words(cast.mo.client.get(reverse("status")))
    assert "Nothing is sealed yet." in page
    assert re.search(r"\d+ wait to be, the oldest since", page)


def test_a_navigation_link_for_those_who_may(cast: Cast) -> None:
    links = {name: text(parse_page(getattr(cast, name).client.get("/").content.decode())) for name in ("mo", "sam")}
    assert "Audit" in links["mo"]
    assert "Audit" not in links["sam"]
