"""What holds for every page that writes about a coach: once only, nothing overwritten, both texts, whose it is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse

from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.models import Absence, AuditEvent, Post
from hwbc.workforce.roles import ALLOWS, Can, Role
from hwbc.workforce.versions import content, in_words
from supervision.actions.access import give_access
from supervision.actions.agreements import add_supervisor, agree
from supervision.models import Agreement, Meeting, Supervisor
from tests import facts, pages
from tests.cast import SETUP, Cast
from tests.compliance.recording import day, posted, said, words
from training.models import Course, Exemption, TrainingRecord

pytestmark = pytest.mark.django_db


def ago(days: int) -> date:
    return today() - timedelta(days=days)


def rows(model: Any, **which: Any) -> list[Any]:
    with walls.lifted("tests"):
        return list(model.objects.filter(**which).order_by("pk"))


def course(reference: str = "HC4") -> Course:
    with walls.lifted("tests"):
        return Course.objects.get(reference=reference)


def asha(cast: Cast) -> dict[str, str]:
    return {"uuid": str(cast.coach_asha.uuid)}


# --- New entries: the same form sent twice makes one row --------------------------------------------------------------


@dataclass(frozen=True)
class New:
    """A page that makes a row: what is filled in, and by whom."""

    page: str
    model: Any
    answers: Callable[[Cast], dict[str, Any]]
    code: str
    who: str = "mo"

    def url(self, cast: Cast) -> str:
        return reverse(self.page, kwargs=asha(cast))


NEW = [
    New(
        "meeting_new", Meeting,
        lambda cast: {"kind": "clinical", **day("held_on", ago(3)), "minutes": 45, "format": "individual",
                      "status": "held"},
        "meeting.record", "sam",
    ),
    New(
        "agreement_new", Agreement,
        lambda cast: {"kind": "line", "who": "new", "name": "Nia Invented", "role": "line_manager", "email": "",
                      **day("starts_on", ago(300)), **day("ends_on", ago(250))},
        "agreement.agree",
    ),
    New(
        "training_new", TrainingRecord,
        lambda cast: {"course": course("IG").uuid, **day("enrolled_on", ago(40)), "attended_on": "",
                      **day("certificate_on", ago(3)), "certificate_number": "INV-9"},
        "training.record",
    ),
    New(
        "exemption_new", Exemption,
        lambda cast: {"rule": Exemption.REQUIRED, "course": course("IG").uuid, **day("starts_on", today()),
                      **day("ends_on", ago(-30)), "reason": "Back from leave"},
        "exemption.record",
    ),
    New(  # the course is not asked
        "exemption_new", Exemption,
        lambda cast: {"rule": Exemption.BEFORE_REFERRALS, "course": "", **day("starts_on", today()),
                      **day("ends_on", ago(-30)), "reason": "The course begins next week"},
        "exemption.record",
    ),
    New(
        "post_new", Post,
        lambda cast: {"pcn": cast.riverside.uuid, "employer": "", **day("starts_on", date(2025, 1, 6)),
                      **day("ends_on", date(2025, 3, 31)), "hours_per_week": "18.5", "funding": "other"},
        "post.add",
    ),
    New(
        "absence_new", Absence,
        lambda cast: {"kind": "sickness", **day("starts_on", ago(5)), **day("ends_on", ago(2))},
        "absence.record",
    ),
]  # fmt: skip
each_new = pytest.mark.parametrize("new", NEW, ids=lambda new: new.page)


@each_new
def test_a_form_sent_twice_makes_one_row_and_one_message_each_time(new: New, cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    before = len(rows(new.model))
    filled = {**new.answers(cast), "token": uuid4()}
    client = getattr(cast, new.who).client
    assert words(client.get(new.url(cast)))
    for _ in range(2):
        response = posted(client, new.url(cast), filled)
        assert response.redirect_chain, response.context["form"].errors
        assert said(response)
    made = rows(new.model)[before:]
    assert [row.coach_id for row in made] == [cast.coach_asha.pk]
    with walls.lifted("tests"):
        lines = list(AuditEvent.objects.filter(what=new.code, user_id=getattr(cast, new.who).user.pk))
    assert sorted(line.facts["again"] for line in lines) == [False, True]
    assert len(rows(Supervisor, name="Nia Invented")) == (new.page == "agreement_new")


@each_new
@pytest.mark.parametrize("role", list(Role))
def test_whoever_may_not_is_refused_and_writes_nothing(new: New, role: Role, cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    needed = pages.BY_NAME[new.page].opens_for
    assert isinstance(needed, Can)
    before = len(rows(new.model))
    response = posted(cast.person(role).client, new.url(cast), {**new.answers(cast), "token": uuid4()})
    allowed = needed in ALLOWS[role]
    assert response.status_code == (200 if allowed else 403)
    assert len(rows(new.model)) - before == allowed


def may_at_lakeside(cast: Cast) -> None:
    """Zed is given what each page needs, for Lakeside: as its manager, and as the supervisor of its coach."""
    with walls.lifted("tests"):
        supervisor = add_supervisor(SETUP, name="Zed Kowalski", role="gp")
        for kind in Agreement.Kind:
            agree(SETUP, coach=cast.coach_dot, supervisor=supervisor, kind=kind, starts_on=ago(30))
        give_access(SETUP, supervisor=supervisor, user=cast.zed.user)


@each_new
def test_for_another_pcn_there_is_no_such_coach(new: New, cast: Cast) -> None:
    facts.bring_in(cast, facts.courses())
    may_at_lakeside(cast)
    before = len(rows(new.model))
    for response in (
        cast.zed.client.get(new.url(cast)),
        posted(cast.zed.client, new.url(cast), {**new.answers(cast), "token": uuid4()}),
    ):
        assert response.status_code == 404
        assert "Asha" not in response.content.decode()
    assert len(rows(new.model)) == before


@each_new
def test_who_sees_a_coach_by_another_role_writes_nothing_about_them(new: New, cast: Cast) -> None:
    """What Zed may do at Lakeside he may not do at Riverside, which he only audits."""
    facts.bring_in(cast, facts.courses())
    may_at_lakeside(cast)
    cast.zed.given(Role.AUDITOR, cast.riverside)
    assert cast.zed.client.get(reverse("coach", kwargs=asha(cast))).status_code == 200
    before = len(rows(new.model))
    assert cast.zed.client.get(new.url(cast)).status_code == 404
    assert posted(cast.zed.client, new.url(cast), {**new.answers(cast), "token": uuid4()}).status_code == 404
    assert len(rows(new.model)) == before


# --- What is there already: corrected, ended, withdrawn ---------------------------------------------------------------


@dataclass(frozen=True)
class Change:
    """A page about a row: what the first editor sends, what the second does; texts that both must show."""

    page: str
    kwargs: Callable[[Cast], dict[str, str]]
    model: Any
    first: dict[str, Any]
    second: dict[str, Any]
    shows: tuple[str, str]  # of the first, of the second
    in_place: bool = False  # a running period gets its end: no second row
    who: str = "mo"


def _meeting(minutes: int) -> dict[str, Any]:
    return {"kind": "line", **day("held_on", today()), "minutes": minutes, "format": "individual", "status": "held",
            "because": f"It took {minutes} minutes"}  # fmt: skip


def _training(number: str) -> dict[str, Any]:
    return {"certificate_number": number, **day("certificate_on", ago(280))}


def _post(hours: str, starts_on: date) -> dict[str, Any]:
    return {**day("starts_on", starts_on), "hours_per_week": hours, "funding": "other"}


CHANGES = [
    Change("meeting_correct", pages.a_meeting, Meeting, _meeting(55), _meeting(50), ("55", "50"), who="sam"),
    Change("training_certificate", pages.a_training_record, TrainingRecord, _training("A-1"), _training("B-2"),
           ("A-1", "B-2")),
    Change("agreement_end", pages.an_agreement, Agreement, day("ends_on", date(2027, 3, 1)),
           day("ends_on", date(2027, 4, 2)), ("1 March 2027", "2 April 2027"), in_place=True),
    Change("exemption_end", pages.an_exemption, Exemption, day("ends_on", ago(-9)), day("ends_on", ago(-8)),
           (f"{ago(-9).day} {ago(-9):%B %Y}", f"{ago(-8).day} {ago(-8):%B %Y}")),
    Change("post_end", pages.a_post, Post, day("ends_on", date(2027, 3, 1)), day("ends_on", date(2027, 4, 2)),
           ("1 March 2027", "2 April 2027"), in_place=True),
    Change("post_change", pages.a_post, Post, _post("20.5", today()), _post("25.5", ago(-20)),
           ("20.5", "25.5")),
    Change("absence_end", pages.an_absence, Absence, day("ends_on", ago(-5)), day("ends_on", ago(-6)),
           (f"{ago(-5).day} {ago(-5):%B %Y}", f"{ago(-6).day} {ago(-6):%B %Y}"), in_place=True),
]  # fmt: skip
each_change = pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.page)


def shown_of(row: Any) -> list[str]:
    """What a row says, as pages write it."""
    with walls.lifted("tests"):
        return [in_words(row, name, value) for name, value in content(row).items()]


def opened(client: Any, url: str) -> dict[str, Any]:
    """The hidden answers of a form as it is read: token and version."""
    form = client.get(url).context["form"]
    return {name: form[name].value() for name in ("token", "version") if name in form.fields}


@each_change
def test_of_two_editors_the_second_sees_both_texts_and_loses_neither(change: Change, cast: Cast) -> None:
    url = reverse(change.page, kwargs=change.kwargs(cast))
    client = getattr(cast, change.who).client
    mine, theirs = opened(client, url), opened(client, url)
    before = rows(change.model)
    saved = posted(client, url, {**theirs, **change.first})
    assert saved.redirect_chain, saved.context["form"].errors
    assert said(saved)
    after = rows(change.model)
    assert len(after) == len(before) + (not change.in_place)

    late = posted(client, url, {**mine, **change.second})
    assert late.status_code == 409
    text = words(late)
    for shown in change.shows:
        assert shown in text
    assert [row.pk for row in rows(change.model)] == [row.pk for row in after]  # the first's was kept

    form = late.context["again"]
    assert {name: form.data[name] for name in change.second} == {k: str(v) for k, v in change.second.items()}
    again = posted(client, form.submit_to, dict(form.data.items()))
    assert again.redirect_chain, again.context["form"].errors
    assert (
        any(row.voided_at for row in rows(change.model)) or change.page == "post_change"
    )  # a known end is no fact lost
    saved_row = rows(change.model)[-1]
    assert saved_row.voided_at is None
    assert change.shows[1] in " ".join(shown_of(saved_row))


@each_change
def test_the_same_change_sent_twice_is_done_once(change: Change, cast: Cast) -> None:
    url = reverse(change.page, kwargs=change.kwargs(cast))
    client = getattr(cast, change.who).client
    filled = {**opened(client, url), **change.first}
    assert posted(client, url, filled).redirect_chain
    once = [(row.pk, row.voided_at) for row in rows(change.model)]
    assert posted(client, url, filled).redirect_chain
    assert [(row.pk, row.voided_at) for row in rows(change.model)] == once


WITHDRAW = [
    ("meeting_withdraw", pages.a_meeting, Meeting, "sam"),
    ("agreement_withdraw", pages.an_agreement, Agreement, "mo"),
    ("training_withdraw", pages.a_training_record, TrainingRecord, "mo"),
    ("exemption_withdraw", pages.an_exemption, Exemption, "mo"),
    ("absence_withdraw", pages.an_absence, Absence, "mo"),
]


@pytest.mark.parametrize(("page", "kwargs", "model", "who"), WITHDRAW, ids=[page for page, *_ in WITHDRAW])
def test_withdrawing_asks_why_and_keeps_the_row(page: str, kwargs: Any, model: Any, who: str, cast: Cast) -> None:
    url = reverse(page, kwargs=kwargs(cast))
    client = getattr(cast, who).client
    hidden = opened(client, url)
    count = len(rows(model))
    without = posted(client, url, {**hidden, "because": " "})
    assert "because" in without.context["form"].errors
    assert not any(row.voided_at for row in rows(model))

    done = posted(client, url, {**hidden, "because": "Entered for the wrong person"})
    assert done.redirect_chain
    [voided] = [row for row in rows(model) if row.voided_at]
    assert (voided.voided_because, voided.voided_by_id) == (
        "Entered for the wrong person", getattr(cast, who).user.pk,
    )  # fmt: skip
    assert len(rows(model)) == count
    assert posted(client, url, {**hidden, "because": "Entered for the wrong person"}).redirect_chain  # sent twice

    other = posted(client, url, {**hidden, "because": "Another reason"})
    assert other.status_code == 409
    assert "Entered for the wrong person" in words(other)
    assert "Another reason" in words(other)
    told = client.get(url, follow=True)
    assert any("was withdrawn on" in message for message in said(told))
    history = client.get(reverse("coach_history", kwargs=asha(cast)))
    assert "Entered for the wrong person" in words(history)
