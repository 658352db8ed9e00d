"""The catalogue: every page of the URL configuration, whom it opens for, how to make its address, how to fill its list.

`test_pages.py` walks it. A page that is missing here fails the build.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.urls import reverse

from hwbc.compliance.checks import run_checks
from hwbc.compliance.record import SECTIONS
from hwbc.kit.periods import today
from hwbc.standards.models import Flag, Notification
from hwbc.workforce import walls
from hwbc.workforce.access import SIGNED_IN
from hwbc.workforce.models import Coach, Grant
from hwbc.workforce.roles import Can, Role
from supervision.actions.agreements import add_supervisor, agree
from tests import facts
from tests.cast import SETUP, Cast, CoachFactory, Person, UserFactory

PUBLIC = "public"


@dataclass(frozen=True)
class Page:
    """One page. `opens_for`: PUBLIC, SIGNED_IN or what an actor must be allowed to do."""

    name: str
    opens_for: str | Can
    html: bool = True
    kwargs: Callable[[Cast], dict[str, str]] = field(default=lambda cast: {})
    # Adds that many rows to what the page lists for Mo, the PCN manager; None: it lists nothing.
    fill: Callable[[Cast, int], None] | None = None
    of_riverside: bool = False  # its address names a record of Riverside PCN: for Zed there is no such page
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


def told(cast: Cast, count: int) -> None:
    """More notifications for Mo: the flags of more coaches."""
    more_coaches(cast, count)
    run_checks(SETUP, today())


def a_notification(cast: Cast) -> dict[str, str]:
    """One of Mo's."""
    told(cast, 1)
    with walls.lifted("tests"):
        return {"uuid": str(Notification.objects.filter(user=cast.mo.user).earliest("made_at", "key").pk)}


def key(cast: Cast) -> dict[str, str]:
    """The link of an invitation that has not been used."""
    user = cast.nobody_yet.user
    return {"uidb36": user_pk_to_url_str(user), "key": default_token_generator.make_token(user)}


PAGES = [
    Page("home", SIGNED_IN, fill=more_coaches),
    Page("flags", Can.SEE_STANDING, fill=more_coaches),
    Page("flag", Can.SEE_STANDING, kwargs=a_flag, of_riverside=True),
    Page("coaches", Can.SEE_STANDING, fill=more_coaches),
    Page("coaches_export", Can.EXPORT, html=False, fill=more_coaches),
    *(
        Page(name, can, kwargs=a_coach, fill=more_of_asha, of_riverside=True)
        for name, _, can in SECTIONS  # the six pages about one coach
    ),
    Page("overview", Can.SEE_OVERVIEW, fill=more_coaches),
    Page("how_we_count", Can.SEE_STANDING, fill=more_coaches),
    Page("another_day", SIGNED_IN),
    Page("access", Can.INVITE, fill=more_people),
    Page("access_invite", Can.INVITE, fill=more_people),
    Page("access_end", Can.INVITE, kwargs=a_grant, fill=more_people, of_riverside=True),
    Page("notifications", SIGNED_IN, fill=told),
    Page("notification_read", SIGNED_IN, html=False, kwargs=a_notification, status=405, signed_out=405),
    Page("status", Can.SEE_STATUS),
    Page("components", SIGNED_IN),
    Page("health_live", PUBLIC, html=False),
    Page("health_ready", PUBLIC, html=False),
    Page("account_login", PUBLIC),
    Page("account_logout", PUBLIC, signed_out=302),
    Page("account_inactive", PUBLIC),
    Page("account_reauthenticate", SIGNED_IN),
    Page("account_change_password", SIGNED_IN),
    Page("account_reset_password", PUBLIC),
    Page("account_reset_password_done", PUBLIC),
    # The key moves into the session and out of the address, so that no log or referrer keeps it.
    Page("account_reset_password_from_key", PUBLIC, kwargs=key, signed_out=302, status=302),
    Page("account_reset_password_from_key_done", PUBLIC),
]
BY_NAME = {page.name: page for page in PAGES}
