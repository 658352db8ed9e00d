"""A supervisor records, corrects and withdraws meetings: what is saved, said, refused and shown."""

from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from hwbc.compliance.checks import run_checks
from hwbc.kit.periods import today
from hwbc.standards.models import Flag
from hwbc.workforce import walls
from hwbc.workforce.models import AuditEvent, Coach
from supervision.actions.access import give_access
from supervision.actions.agreements import add_supervisor, agree
from supervision.models import Agreement, Meeting, Supervisor
from tests.cast import SETUP, SUPERVISED_FROM, Cast
from tests.compliance.recording import day, posted, said, words

pytestmark = pytest.mark.django_db


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def new_url(cast: Cast) -> str:
    return reverse("meeting_new", kwargs={"uuid": cast.coach_asha.uuid})


def given(**values: Any) -> dict[str, Any]:
    return {"token": uuid4(), "kind": "line", **day("held_on", today()), "minutes": 60, "format": "individual",
            "status": "held", **values}  # fmt: skip


def meetings() -> list[Meeting]:
    with walls.lifted("tests"):
        return list(Meeting.objects.order_by("pk").select_related("supervisor", "coach"))


def supervision_of(cast: Cast, who: str = "asha") -> str:
    url = reverse("coach_supervision", kwargs={"uuid": cast.coach_asha.uuid})
    return words(getattr(cast, who).client.get(url))


def supervises(cast: Cast, *coaches: Coach, kind: str = "line") -> None:
    """Sam supervises these coaches too."""
    with walls.lifted("tests"):
        for coach in coaches:
            agree(SETUP, coach=coach, supervisor=cast.supervisor_sam, kind=kind, starts_on=SUPERVISED_FROM)


def test_a_supervisor_records_a_meeting_and_the_flag_clears(cast: Cast) -> None:
    run_checks(SETUP, today())
    with walls.lifted("tests"):
        flag = Flag.objects.get(coach=cast.coach_asha, rule="supervision.line", cleared_at=None)
    home = cast.sam.client.get("/").content.decode()
    assert f'href="{new_url(cast)}?kind=line"' in home
    form = cast.sam.client.get(f"{new_url(cast)}?kind=line").context["form"]
    assert (form["kind"].value(), form["held_on"].value()) == ("line", today())
    response = posted(cast.sam.client, new_url(cast), given())
    [text] = said(response)
    assert text.startswith("The meeting is recorded. Line management for Asha Rahman is met again.")
    assert "Next due" in text
    with walls.lifted("tests"):
        flag.refresh_from_db()
    assert flag.cleared_on == today()
    [made] = meetings()
    assert (made.supervisor, made.minutes, made.held_on) == (cast.supervisor_sam, 60, today())
    with walls.lifted("tests"):
        line = AuditEvent.objects.get(what="meeting.record")
    assert (line.user_id, line.record, line.organisation_id) == (cast.sam.user.pk, str(made.uuid), cast.riverside.pk)
    assert "Sam Okafor" in supervision_of(cast)
    assert "Record a meeting" not in supervision_of(cast)  # Asha herself records none


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"format": "group"}, "held in a group"),
        ({"ad_hoc": "on"}, "ad hoc: a contact between"),
        ({"status": "did_not_attend"}, "the coach did not attend"),
        ({"kind": "health_coaching"}, "the supervisor did not meet the health coaching supervisor standard"),
    ],
)
def test_what_does_not_count_is_said_to_with_the_reason(values: dict[str, str], why: str, cast: Cast) -> None:
    [text] = said(posted(cast.sam.client, new_url(cast), given(**values)))
    assert "It does not count: " in text
    assert why in text
    assert len(meetings()) == 1


def test_what_is_wrong_is_said_beside_it_and_what_was_typed_stays(cast: Cast) -> None:
    tomorrow = today() + timedelta(days=1)
    late = posted(cast.sam.client, new_url(cast), given(**day("held_on", tomorrow), minutes=47))
    assert "cannot lie in the future" in late.context["form"].errors["held_on"][0]
    assert 'value="47"' in late.content.decode()
    for minutes, sentence in (("0", "1 minute or more"), ("x", "a whole number"), ("1441", "1,440 minutes or fewer")):
        wrong = posted(cast.sam.client, new_url(cast), given(minutes=minutes))
        assert sentence in wrong.context["form"].errors["minutes"][0]
    year = posted(cast.sam.client, new_url(cast), given(**day("held_on", date(1066, 10, 14))))
    assert "between 1900 and 2199" in year.context["form"].errors["held_on"][0]
    assert meetings() == []
    posted(cast.sam.client, new_url(cast), given())
    again = posted(cast.sam.client, new_url(cast), given())  # another form, the same meeting
    assert "recorded already" in again.context["form"].errors["held_on"][0]
    assert len(meetings()) == 1


def test_an_entry_long_after_the_meeting_is_marked_late(cast: Cast) -> None:
    posted(cast.sam.client, new_url(cast), given(**day("held_on", ago(60))))
    assert f"Late entry, written down on {today().day} {today():%B %Y}" in supervision_of(cast)


def test_a_correction_keeps_the_meeting_as_it_was_with_the_reason(cast: Cast) -> None:
    posted(cast.sam.client, new_url(cast), given(minutes=60))
    [wrong] = meetings()
    assert reverse("meeting_correct", kwargs={"uuid": wrong.uuid}) in cast.sam.client.get(
        reverse("coach_supervision", kwargs={"uuid": cast.coach_asha.uuid})
    ).content.decode()  # fmt: skip
    url = reverse("meeting_correct", kwargs={"uuid": wrong.uuid})
    form = cast.sam.client.get(url).context["form"]
    assert (form["minutes"].value(), form["kind"].value()) == (60, "line")
    assert "because" in posted(cast.sam.client, url, given(minutes=45)).context["form"].errors
    posted(cast.sam.client, url, given(minutes=45, because="The clock was wrong"))
    voided, right = meetings()
    assert (voided.pk, voided.minutes, voided.voided_because) == (wrong.pk, 60, "The clock was wrong")
    assert (right.minutes, right.voided_at) == (45, None)
    text = supervision_of(cast)
    assert "The clock was wrong" in text
    moved = cast.sam.client.get(url, follow=True)
    assert moved.redirect_chain == [(reverse("meeting_correct", kwargs={"uuid": right.uuid}), 302)]
    assert said(moved) == ["This entry was corrected meanwhile. Here is how it stands now."]


def test_a_group_meeting_is_recorded_for_everybody_at_once(cast: Cast) -> None:
    supervises(cast, cast.coach_bo)
    url = reverse("meetings_new")
    coaches = [str(cast.coach_asha.uuid), str(cast.coach_bo.uuid)]
    asked = cast.sam.client.get(url).context["form"]
    assert [name for _, name in asked.fields["coaches"].choices] == ["Bo Lindqvist", "Asha Rahman"]
    filled = given(coaches=coaches)
    assert "format" in posted(cast.sam.client, url, filled).context["form"].errors  # two, and individual
    filled["format"] = "group"
    for _ in range(2):
        [text] = said(posted(cast.sam.client, url, filled))
        assert text.startswith("The group meeting is recorded for 2 coaches: Asha Rahman, Bo Lindqvist.")
    assert [(m.coach.name, m.format) for m in meetings()] == [("Asha Rahman", "group"), ("Bo Lindqvist", "group")]
    others = posted(cast.sam.client, url, given(coaches=coaches, kind="clinical", format="group"))
    assert "You do not give Bo Lindqvist this kind" in others.context["form"].errors["coaches"][0]
    one = posted(cast.sam.client, url, given(coaches=coaches[1:]))
    assert said(one)[0].startswith("The meeting with Bo Lindqvist is recorded. Line management for Bo Lindqvist is met")


def test_one_who_is_no_supervisee_cannot_be_slipped_in(cast: Cast) -> None:
    wrong = posted(cast.sam.client, reverse("meetings_new"), given(coaches=[str(cast.coach_dot.uuid)]))
    assert "coaches" in wrong.context["form"].errors
    assert cast.sam.client.get(reverse("meeting_new", kwargs={"uuid": cast.coach_bo.uuid})).status_code == 404
    assert meetings() == []


def test_a_kind_that_the_supervisor_does_not_give_is_not_offered_nor_taken(cast: Cast) -> None:
    supervises(cast, cast.coach_bo, kind="clinical")
    url = reverse("meeting_new", kwargs={"uuid": cast.coach_bo.uuid})
    form = cast.sam.client.get(f"{url}?kind=line").context["form"]
    assert [kind for kind, _ in form.fields["kind"].choices] == ["clinical"]
    assert "kind" in posted(cast.sam.client, url, given(kind="line")).context["form"].errors
    assert meetings() == []


def another_supervisor(cast: Cast, coach: Coach) -> Supervisor:
    """Noor, who manages a coach and has no other role."""
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Noor Said", role="line_manager")
        for kind in Agreement.Kind:
            agree(SETUP, coach=coach, supervisor=supervisor, kind=kind, starts_on=ago(1))
        give_access(SETUP, supervisor=supervisor, user=cast.nobody_yet.user)
    return supervisor


@pytest.mark.parametrize("page", ["meeting_correct", "meeting_withdraw"])
def test_another_supervisors_meeting(page: str, cast: Cast) -> None:
    posted(cast.sam.client, new_url(cast), given())
    [meeting] = meetings()
    url = reverse(page, kwargs={"uuid": meeting.uuid})
    another_supervisor(cast, cast.coach_dot)
    assert cast.nobody_yet.client.get(url).status_code == 404  # of a coach of theirs it is not
    assert cast.mo.client.get(url).status_code == 403  # a manager records no meetings
    assert cast.asha.client.get(url).status_code == 403
    sent = posted(cast.nobody_yet.client, url, given(because="Mine"))
    assert sent.status_code == 404
    assert meetings()[0].voided_at is None


def test_the_pages_links_are_for_whoever_may_and_for_today(cast: Cast) -> None:
    posted(cast.sam.client, new_url(cast), given())
    page = reverse("coach_supervision", kwargs={"uuid": cast.coach_asha.uuid})
    for who, sees in (("sam", True), ("mo", False), ("ann", False), ("asha", False)):
        text = getattr(cast, who).client.get(page).content.decode()
        assert ("/meetings/new" in text, "/correct" in text) == (sees, sees), who
    past = cast.sam.client.get(page, {"as-at": today().isoformat(), "known-at": "2199-01-01T00:00"}).content.decode()
    assert "/meetings/new" not in past
