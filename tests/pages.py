"""The catalogue: every page of the URL configuration, whom it opens for, how to make its address, how to fill its list.

`test_pages.py` walks it. A page that is missing here fails the build.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.db.models import F
from django.test import Client
from django.urls import reverse

from coaching.actions.opening import open_case
from coaching.actions.referrals import override
from coaching.models import CoachingSession, Referral
from hwbc.compliance.checks import run_checks
from hwbc.compliance.jobs.actions import ask
from hwbc.compliance.record import SECTIONS
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, Job, Notification
from hwbc.workforce import factors, walls
from hwbc.workforce.access import PART_WAY, SIGNED_IN
from hwbc.workforce.actions import record_absence
from hwbc.workforce.actions.factors import begin_session
from hwbc.workforce.models import Coach, Draft, Grant, Organisation, Post
from hwbc.workforce.roles import Can, Role
from hwbc.workforce.sessions.actions import hold
from supervision.actions.agreements import add_supervisor, agree
from supervision.actions.meetings import record_meeting
from supervision.models import Agreement, Meeting
from tests import facts
from tests.cast import SETUP, Cast, CoachFactory, OrganisationFactory, Person, UserFactory, signed_in, with_app
from tests.coaching.work import note
from tests.compliance import bringing
from training.actions import record_exemption
from training.models import Exemption, TrainingRecord

PUBLIC = "public"


@dataclass(frozen=True)
class Page:
    """One page. `opens_for`: PUBLIC, SIGNED_IN or what an actor must be allowed to do."""

    name: str
    opens_for: str | Can
    also: Can | None = None  # what the list needs that it is the file of
    html: bool = True
    kwargs: Callable[[Cast], dict[str, str]] = field(default=lambda cast: {})
    # Adds that many rows to what the page lists for its visitor; None: it lists nothing.
    fill: Callable[[Cast, int], None] | None = None
    visitor: Role = Role.PCN_MANAGER  # whoever opens it in a browser to look at it
    of_riverside: bool = False  # its address names a record of Riverside PCN: for Zed there is no such page
    own: bool = False  # its address names something of the visitor's own: for everybody else there is no such page
    # What a GET of it answers to whoever may open it, where that is not a page.
    signed_out: int = 200
    status: int = 200
    writes: tuple[str, ...] = ()  # tables that a GET may write to, with the reason beside it

    def url(self, cast: Cast) -> str:
        """Its address for the cast's records."""
        return reverse(self.name, kwargs=self.kwargs(cast))


def a_flag(cast: Cast) -> dict[str, str]:
    """A flag of Asha's, raised by the checks."""
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        return {"uuid": str(Flag.objects.filter(coach=cast.coach_asha).earliest("pk").uuid)}


def more_coaches(cast: Cast, count: int) -> None:
    """More coaches for Mo, in every state, with what they did."""
    made = Coach.objects.filter(reference__startswith="U99991-").count
    with walls.lifted("tests"):
        first = made() + 1
    facts.everything(cast, count, first)


def a_coach(cast: Cast) -> dict[str, str]:
    """Asha."""
    return {"uuid": str(cast.coach_asha.uuid)}


def more_of_asha(cast: Cast, count: int) -> None:
    """So many months of Asha's: meetings, referrals, sessions, training, flags."""
    facts.story_of(cast, months=count)
    run_checks(SETUP, today())


def a_grant(cast: Cast) -> dict[str, str]:
    """Rae's, who recruits at Riverside."""
    with walls.lifted("tests"):
        return {"uuid": str(Grant.objects.get(user=cast.rae.user, organisation=cast.riverside).uuid)}


def more_people(cast: Cast, count: int) -> None:
    """More people who read Riverside's records; coaches without access, and supervisors of theirs without it."""
    for _ in range(count):
        Person(UserFactory.create()).given(Role.AUDITOR, cast.riverside)
        with walls.lifted("tests"):
            coach = CoachFactory.create(pcn=cast.riverside)
            supervisor = add_supervisor(SETUP, name=f"Supervisor of {coach}", role="gp")
            agree(SETUP, coach=coach, supervisor=supervisor, kind="clinical", starts_on=today())


def grant_of_mo(cast: Cast) -> dict[str, str]:
    """Mo's own, at Riverside."""
    with walls.lifted("tests"):
        return {"uuid": str(Grant.objects.get(user=cast.mo.user, organisation=cast.riverside).uuid)}


def a_person(cast: Cast) -> dict[str, str]:
    """Rae."""
    return {"uuid": str(cast.rae.user.uuid)}


def more_roles(cast: Cast, count: int) -> None:
    """So many roles that Rae had at Riverside for a day each."""
    with walls.lifted("tests"):
        had = Grant.objects.filter(user=cast.rae.user).count()
    for number in range(had, had + count):
        day = today() - timedelta(days=100 + number)
        cast.rae.given(Role.PANEL_MEMBER, cast.riverside, starts_on=day, ends_on=day)


def more_openings(cast: Cast, count: int) -> None:
    """So many more managers of Riverside, each of whom opened Asha's case."""
    case = a_case(cast)
    for _ in range(count):
        somebody = Person(UserFactory.create())
        somebody.given(Role.PCN_MANAGER, cast.riverside)
        actor = somebody.actor
        with walls.within(actor.scope):
            open_case(
                actor, referral=Referral.objects.get(uuid=case["uuid"]), reason="Covers for a colleague who is ill"
            )


def more_events(cast: Cast, count: int) -> None:
    """So many coaches of Riverside more, each with what was done about them; and Mo's looks at Asha's case."""
    more_people(cast, count)
    more_looks(cast, count)


def more_looks(cast: Cast, count: int) -> None:
    """So many times that Mo looked at Asha's case."""
    page = reverse("referral", kwargs=a_case(cast))
    for _ in range(count):
        assert cast.mo.client.get(page).status_code == 200


def told(cast: Cast, count: int) -> None:
    """More notifications for Mo: the flags of more coaches."""
    more_coaches(cast, count)
    run_checks(SETUP, today())


def a_notification(cast: Cast) -> dict[str, str]:
    """One of Mo's."""
    told(cast, 1)
    with walls.lifted("tests"):
        return {"uuid": str(Notification.objects.filter(user=cast.mo.user).earliest("made_at", "key").pk)}


def a_case(cast: Cast) -> dict[str, str]:
    """A referral that Asha took ten days ago, with a session."""
    referral = {"referral_ref": "CASE", "pcn_code": "U99991", "source": "nurse", "priority": "urgent",
                "received_on": facts.ago(12), "coach_ref": "ASHA", "accepted_on": facts.ago(10)}  # fmt: skip
    facts.bring_in(cast, {"referrals": [referral], "coaching_sessions": [facts.session("CASE", 5)]})
    with walls.lifted("tests"):
        return {"uuid": str(Referral.objects.get(reference="CASE").uuid)}


def a_session(cast: Cast) -> dict[str, str]:
    """The session of that referral."""
    case = a_case(cast)
    with walls.lifted("tests"):
        return {**case, "session": str(CoachingSession.objects.get(referral__uuid=case["uuid"]).uuid)}


def a_waiting_one(cast: Cast) -> dict[str, str]:
    """A referral that waits at Riverside."""
    facts.bring_in(cast, {"referrals": [{"referral_ref": "WAITS", "pcn_code": "U99991", "source": "self",
                                         "priority": "routine", "received_on": facts.ago(8)}]})  # fmt: skip
    with walls.lifted("tests"):
        return {"uuid": str(Referral.objects.get(reference="WAITS").uuid)}


def more_sessions(cast: Cast, count: int) -> None:
    """More sessions of Asha's case."""
    a_case(cast)
    with walls.lifted("tests"):
        made = CoachingSession.objects.filter(referral__reference="CASE").count()
    rows = [facts.session("CASE", n % 10, mode=("phone", "video", "group")[n // 10]) for n in range(made, made + count)]
    facts.bring_in(cast, {"coaching_sessions": rows})
    with walls.lifted("tests"):
        for session in CoachingSession.objects.filter(referral__reference="CASE"):
            note(session, note="Walked to the park", next_step="Walk there again")


def more_cases(cast: Cast, count: int) -> None:
    """More cases of Asha's, half of them with a session, and more referrals that wait."""
    with walls.lifted("tests"):
        made = Referral.objects.filter(reference__startswith="MORE").count()
    rows, sessions = [], []
    for n in range(made, made + 2 * count):
        row = {"referral_ref": f"MORE{n}", "pcn_code": "U99991", "source": "nurse", "priority": "routine",
               "received_on": facts.ago(12)}  # fmt: skip
        rows.append(row | ({"coach_ref": "ASHA", "accepted_on": facts.ago(10)} if n % 2 else {}))
        sessions += [facts.session(f"MORE{n}", 5)] if n % 4 == 1 else []
    facts.bring_in(cast, {"referrals": rows, "coaching_sessions": sessions})


def more_overrides(cast: Cast, count: int) -> None:
    """More coaches at Riverside, each with an override of today."""
    for _ in range(count):
        with walls.lifted("tests"):
            coach = CoachFactory.create(pcn=cast.riverside)
        actor = cast.mo.actor
        with walls.within(actor.scope):
            override(actor, coach=coach, starts_on=today(), ends_on=today(), reason="Invented reason")


def key(cast: Cast) -> dict[str, str]:
    """The link of an invitation that has not been used."""
    user = cast.nobody_yet.user
    return {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}


def a_meeting(cast: Cast) -> dict[str, str]:
    """One that Sam held with Asha."""
    held: dict[str, Any] = {"kind": "line", "held_on": today(), "minutes": 60, "uuid": cast.coach_asha.uuid}
    with walls.lifted("tests"):
        made = record_meeting(cast.sam.actor, coach=cast.coach_asha, supervisor=cast.supervisor_sam, **held)
    return {"uuid": str(made.uuid)}


def an_agreement(cast: Cast) -> dict[str, str]:
    """Asha's with Sam."""
    with walls.lifted("tests"):
        return {"uuid": str(Agreement.objects.filter(coach=cast.coach_asha, voided_at=None).earliest("pk").uuid)}


def a_training_record(cast: Cast) -> dict[str, str]:
    """Of Asha's."""
    facts.story_of(cast, months=1)
    with walls.lifted("tests"):
        return {"uuid": str(TrainingRecord.objects.filter(coach=cast.coach_asha, voided_at=None).earliest("pk").uuid)}


def an_exemption(cast: Cast) -> dict[str, str]:
    """Of Asha's, that Mo approved."""
    days: dict[str, Any] = {"starts_on": today(), "ends_on": today() + timedelta(days=30)}
    said: dict[str, Any] = {"rule": Exemption.BEFORE_REFERRALS, "reason": "The course begins next week."}
    with walls.lifted("tests"):
        made = record_exemption(cast.mo.actor, coach=cast.coach_asha, uuid=cast.coach_asha.uuid, **days, **said)
    return {"uuid": str(made.uuid)}


def a_post(cast: Cast) -> dict[str, str]:
    """Asha's."""
    with walls.lifted("tests"):
        post = Post.objects.filter(coach=cast.coach_asha, voided_at=None).earliest("pk")
    return {**a_coach(cast), "pk": str(post.pk)}


def an_absence(cast: Cast) -> dict[str, str]:
    """Of Asha's."""
    with walls.lifted("tests"):
        absence = record_absence(cast.mo.actor, coach=cast.coach_asha, kind="sickness", starts_on=today())
    return {**a_coach(cast), "pk": str(absence.pk)}


WRONG = {"absences": [{"coach_ref": "ASHA", "kind": "ill", "from": "yesterday"}]}


def _a_job(cast: Cast, make: Callable[[], Job], **like: str) -> dict[str, str]:
    """One of Mo's that is like this: the same one each time."""
    with walls.lifted("tests"):
        there = Job.objects.filter(user=cast.mo.user, **like).first()
    return {"uuid": str((there or make()).pk)}


def a_check(cast: Cast) -> dict[str, str]:
    """Of a workbook of Mo's that can be imported: a new coach, and Asha's hours."""
    said = {"pcn_code": "U99991", "started_on": "2026-01-05", "funding": "arrs"}
    coaches = [{"coach_ref": "NEW", "name": "Nia Invented", "email": "nia@example.org", "hours_per_week": "30", **said},
               {"coach_ref": "ASHA", "name": cast.coach_asha.name, "email": cast.coach_asha.email,
                "hours_per_week": "25", **said}]  # fmt: skip
    return _a_job(cast, lambda: bringing.checked(cast.mo, {"coaches": coaches}), kind="check_workbook", outcome="done")


def a_refused_check(cast: Cast) -> dict[str, str]:
    """Of a workbook of Mo's with something to correct."""
    return _a_job(cast, lambda: bringing.checked(cast.mo, WRONG), kind="check_workbook", outcome="refused")


def an_export(cast: Cast) -> dict[str, str]:
    """A file that the worker made for Mo."""
    actor = cast.mo.actor

    def make() -> Job:
        with walls.within(actor.scope):
            job = ask(actor, kind=Job.Kind.EXPORT, asked={"list": "coaches", "query": "", "format": "csv"})
        return bringing.done(job)

    return _a_job(cast, make, kind="export")


def more_jobs(cast: Cast, count: int) -> None:
    """More workbooks of Mo's, with something to correct."""
    for _ in range(count):
        bringing.checked(cast.mo, WRONG)


def held(cast: Cast) -> dict[str, str]:
    """What Mo sent to invite somebody, kept until it is confirmed."""
    with walls.lifted("tests"):
        fields = {"email": ["kim@example.org"], "name": ["Kim Lee"], "role": ["auditor"]}
        there = Draft.objects.filter(user=cast.mo.user, address="/access/invite").first()
        return {"uuid": str((there or hold(cast.mo.actor, address="/access/invite", fields=fields)).pk)}


def a_factor(cast: Cast) -> dict[str, str]:
    """Mo's authenticator app."""
    there = next(iter(factors.of(cast.mo.user)), None)
    return {"pk": str((there or with_app(cast.mo.user)).pk)}


def more_browsers(cast: Cast, count: int) -> None:
    """More browsers in which Mo has signed in."""
    for _ in range(count):
        client = signed_in(Client(), cast.mo.user)
        key = client.session.session_key or ""
        begin_session(user=cast.mo.user, key=key, how="password+totp", device="Firefox on Linux", network="203.0.113.x")


def more_places(cast: Cast, count: int) -> None:
    """More practices of Riverside."""
    for _ in range(count):
        OrganisationFactory.create(kind="practice", parent=cast.riverside)


def edited(cast: Cast, count: int) -> None:
    """More of Asha's story, of which every meeting was changed so many times."""
    facts.story_of(cast, months=2)
    with walls.lifted("tests"):
        for _ in range(count):
            Meeting.objects.filter(coach=cast.coach_asha).update(minutes=F("minutes") + 1)


def an_edited_meeting(cast: Cast) -> dict[str, str]:
    """The first of Asha's story."""
    with walls.lifted("tests"):
        if not Meeting.objects.filter(coach=cast.coach_asha).exists():
            facts.story_of(cast, months=2)
        return {"uuid": str(Meeting.objects.filter(coach=cast.coach_asha).earliest("pk").uuid)}


def more_grants(cast: Cast, count: int) -> None:
    """Rae's role at Riverside, changed so many times."""
    with walls.lifted("tests"):
        for _ in range(count):
            Grant.objects.filter(user=cast.rae.user).update(starts_on=F("starts_on") - timedelta(days=1))


def renamed(cast: Cast, count: int) -> None:
    """Riverside, renamed so many times."""
    for n in range(count):
        Organisation.objects.filter(pk=cast.riverside.pk).update(name=f"Riverside PCN {n}")


def riverside(cast: Cast) -> dict[str, str]:
    """The PCN."""
    return {"code": cast.riverside.code}


SAM = Role.LINE_SUPERVISOR
CHANGES = [
    Page("coach_changes", Can.SEE_STANDING, kwargs=a_coach, fill=edited, of_riverside=True),
    Page("meeting_changes", Can.SEE_STANDING, kwargs=an_edited_meeting, fill=edited, of_riverside=True),
    Page("agreement_changes", Can.SEE_STANDING, kwargs=an_agreement, of_riverside=True),
    Page("training_changes", Can.SEE_STANDING, kwargs=a_training_record, of_riverside=True),
    Page("exemption_changes", Can.SEE_STANDING, kwargs=an_exemption, of_riverside=True),
    Page("post_changes", Can.SEE_STANDING, kwargs=a_post, of_riverside=True),
    Page("absence_changes", Can.SEE_STANDING, kwargs=an_absence, of_riverside=True),
    Page("referral_changes", Can.SEE_WORK, kwargs=a_case, fill=more_sessions, of_riverside=True),
    Page("access_changes", Can.INVITE, kwargs=a_grant, fill=more_grants, of_riverside=True),
    Page("organisation_changes", Can.SEE_OVERVIEW, kwargs=riverside, fill=renamed, of_riverside=True),
]
RECORDING = [
    # Zed records no meetings anywhere and is refused before any record is looked for: tests/compliance has another's.
    Page("meeting_new", Can.RECORD_MEETINGS, kwargs=a_coach, visitor=SAM),
    Page("meetings_new", Can.RECORD_MEETINGS, visitor=SAM),
    Page("meeting_correct", Can.RECORD_MEETINGS, kwargs=a_meeting, visitor=SAM),
    Page("meeting_withdraw", Can.RECORD_MEETINGS, kwargs=a_meeting, visitor=SAM),
    *(
        Page(name, can, kwargs=kwargs, of_riverside=True)
        for can, kwargs, names in (
            (Can.RECORD, a_coach, ("agreement_new", "post_new", "absence_new")),
            (Can.RECORD, an_agreement, ("agreement_end", "agreement_withdraw")),
            (Can.RECORD_TRAINING, a_coach, ("training_new",)),
            (Can.RECORD_TRAINING, a_training_record, ("training_correct", "training_certificate", "training_withdraw")),
            (Can.OVERRIDE, a_coach, ("exemption_new",)),
            (Can.OVERRIDE, an_exemption, ("exemption_end", "exemption_withdraw")),
            (Can.RECORD, a_post, ("post_end", "post_change", "post_correct", "post_withdraw")),
            (Can.RECORD, an_absence, ("absence_end", "absence_withdraw")),
        )
        for name in names
    ),
]

PAGES = [
    Page("home", SIGNED_IN, fill=more_coaches),
    Page("flags", Can.SEE_STANDING, fill=more_coaches),
    Page("flag", Can.SEE_STANDING, kwargs=a_flag, of_riverside=True),
    Page("coaches", Can.SEE_STANDING, fill=more_coaches),
    Page("coaches_export", Can.EXPORT, html=False, fill=more_coaches),
    Page("flags_export", Can.EXPORT, html=False, fill=more_coaches),
    Page("overview_export", Can.EXPORT, also=Can.SEE_OVERVIEW, html=False, fill=more_coaches),
    Page("referrals_export", Can.EXPORT, also=Can.SEE_WORK, html=False, fill=more_cases),
    Page("overrides_export", Can.EXPORT, html=False, fill=more_overrides),
    Page("caseload_export", Can.EXPORT, also=Can.LOG_SESSIONS, html=False, fill=more_cases, visitor=Role.COACH),
    Page("export_ask", Can.EXPORT, html=False, status=405),
    *(
        Page(name, can, kwargs=a_coach, fill=more_of_asha, of_riverside=True)
        for name, _, can in SECTIONS  # the six pages about one coach
    ),
    *CHANGES,
    *RECORDING,
    Page("overview", Can.SEE_OVERVIEW, fill=more_coaches),
    Page("how_we_count", Can.SEE_STANDING, fill=more_coaches),
    Page("another_day", SIGNED_IN),
    Page("caseload", Can.LOG_SESSIONS, fill=more_cases, visitor=Role.COACH),
    Page("referrals", Can.SEE_WORK, fill=more_cases),
    Page("referral_receive", Can.ALLOCATE),
    Page("referral", Can.SEE_WORK, kwargs=a_case, fill=more_sessions, of_riverside=True),
    Page("referral_allocate", Can.ALLOCATE, kwargs=a_waiting_one, fill=more_coaches, of_riverside=True),
    Page("referral_close", Can.END_CASES, kwargs=a_case, of_riverside=True),
    Page("referral_hand_back", Can.END_CASES, kwargs=a_case, of_riverside=True),
    Page("session_log", Can.LOG_SESSIONS, kwargs=a_case, visitor=Role.COACH),
    Page("session_correct", Can.LOG_SESSIONS, kwargs=a_session, visitor=Role.COACH),
    Page("session_withdraw", Can.LOG_SESSIONS, kwargs=a_session, visitor=Role.COACH),
    Page("case_find", Can.SEE_PATIENTS, visitor=Role.COACH),
    Page("case_open", Can.SEE_PATIENTS, kwargs=a_case, of_riverside=True),
    Page("openings", Can.SEE_OPENED, fill=more_openings),
    Page("audit", Can.SEE_AUDIT, fill=more_events),
    Page("audit_export", Can.EXPORT, also=Can.SEE_AUDIT, html=False, fill=more_events),
    Page("referral_looked", Can.SEE_PATIENTS, kwargs=a_case, fill=more_looks, of_riverside=True),
    Page("override", Can.OVERRIDE, kwargs=a_coach, of_riverside=True),
    Page("overrides", Can.SEE_STANDING, fill=more_overrides),
    Page("access", Can.INVITE, fill=more_people),
    Page("access_invite", Can.INVITE, fill=more_people),
    Page("access_end", Can.INVITE, kwargs=a_grant, fill=more_people, of_riverside=True),
    Page("access_deputy", Can.INVITE, kwargs=grant_of_mo, fill=more_people, of_riverside=True),
    Page("access_person", Can.INVITE, kwargs=a_person, fill=more_roles, of_riverside=True),
    Page("access_suspend", Can.INVITE, kwargs=a_person, of_riverside=True),
    Page("access_restore", Can.INVITE, html=False, kwargs=a_person, status=405),
    Page("access_help", Can.INVITE, html=False, kwargs=a_person, status=405),
    Page("notifications", SIGNED_IN, fill=told),
    Page("notification_read", SIGNED_IN, html=False, kwargs=a_notification, status=405, signed_out=405),
    Page("import_new", Can.IMPORT),
    Page("import_template", Can.IMPORT, html=False),
    Page("jobs", SIGNED_IN, fill=more_jobs),
    Page("job", SIGNED_IN, kwargs=a_check, of_riverside=True, own=True),
    Page("job_file", SIGNED_IN, html=False, kwargs=an_export, of_riverside=True, own=True),
    Page("import_faults", Can.IMPORT, html=False, kwargs=a_refused_check, of_riverside=True, own=True),
    Page("import_confirm", Can.IMPORT, html=False, kwargs=a_check, status=405),
    Page("import_columns", Can.IMPORT, html=False, kwargs=a_refused_check, status=405),
    Page("status", Can.SEE_STATUS),
    Page("components", SIGNED_IN),
    # There in a demo alone, and asked for from its own machine: tests/compliance/test_demo.py opens them.
    Page("demo", PUBLIC, html=False, status=404, signed_out=404),
    Page("demo_workbook", PUBLIC, html=False, status=404, signed_out=404),
    Page("demo_confirm", PUBLIC, html=False, status=404, signed_out=404),
    Page("session", PUBLIC, html=False),
    Page("draft_save", PUBLIC, html=False, status=405, signed_out=405),
    Page("draft_discard", SIGNED_IN, html=False, status=405),
    Page("go_on", SIGNED_IN, html=False, status=302),  # without anything to go on to
    Page("go_on_with", SIGNED_IN, kwargs=held, of_riverside=True, own=True),
    Page("health_live", PUBLIC, html=False),
    Page("health_ready", PUBLIC, html=False),
    Page("account_login", PUBLIC),
    Page("account_logout", PUBLIC, signed_out=302),
    Page("account_inactive", PUBLIC),
    # No provider is named: there are no such pages (tests/workforce/test_provider.py).
    Page("account_provider", PUBLIC, html=False, signed_out=404, status=404),
    Page("account_provider_back", PUBLIC, html=False, signed_out=404, status=404),
    Page("access_sign_in_rules", Can.INVITE, fill=more_places),
    Page("account_reauthenticate", PART_WAY),
    # What they show to whoever is on their way in: tests/workforce/test_factors.py and tests/browser/test_factors.py.
    Page("mfa_authenticate", PUBLIC, html=False, status=302, signed_out=302),
    Page("mfa_login_webauthn", PUBLIC, html=False, status=302, signed_out=302),
    Page("mfa_reauthenticate", PART_WAY, html=False, status=302),
    Page("mfa_reauthenticate_webauthn", PART_WAY, html=False, status=302),
    Page("account_second_factor", PART_WAY, html=False, status=302),
    Page("account_security", SIGNED_IN, fill=more_browsers),
    Page("account_app_add", PART_WAY),
    Page("account_passkey_add", PART_WAY),
    Page("account_passkey_use", PART_WAY, html=False, status=302),
    Page("account_codes", PART_WAY, html=False, status=302),
    Page("account_codes_file", PART_WAY, html=False, status=404),
    Page("account_factor_remove", SIGNED_IN, kwargs=a_factor, own=True),
    Page("account_change_password", SIGNED_IN),
    Page("account_reset_password", PUBLIC),
    Page("account_reset_password_done", PUBLIC),
    # The key moves into the session and out of the address, so that no log or referrer keeps it.
    Page("account_reset_password_from_key", PUBLIC, kwargs=key, signed_out=302, status=302),
    Page("account_reset_password_from_key_done", PUBLIC),
]
BY_NAME = {page.name: page for page in PAGES}
