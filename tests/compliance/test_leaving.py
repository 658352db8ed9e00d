"""Hazard H2: a coach's post ends, and what they had waits at once, in the one list that managers work from."""

import random
from collections import Counter
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.urls import reverse
from django.utils import timezone

from coaching import queries
from coaching.actions import referrals
from coaching.models import Allocation, Referral
from hwbc.compliance.checks import catch_up
from hwbc.compliance.notices import leads_to, said
from hwbc.compliance.queries import waiting_referrals
from hwbc.compliance.sentences import written
from hwbc.kit.periods import today
from hwbc.standards.models import Notification
from hwbc.workforce import walls
from hwbc.workforce.actions import end_post
from hwbc.workforce.audit import ActionRefused
from hwbc.workforce.models import Coach, Organisation, Post
from hwbc.workforce.roles import Can, Role
from tests import oracle
from tests.cast import Cast, Person, person
from tests.coaching.work import audited, count, do, fresh, given, leaves, received, refuses, since, train
from tests.compliance.exporting import compare_referrals
from tests.compliance.recording import day as sent_day
from tests.compliance.recording import posted
from tests.compliance.test_access_pages import grant_of
from tests.compliance.test_answers import brought_in
from tests.compliance.test_coaching_pages import choose, get, url, words
from tests.compliance.test_people import later, names_deputy
from tests.workbooks import interesting_days, random_workbook

pytestmark = pytest.mark.django_db


def ago(days: int) -> date:
    return today() - timedelta(days=days)


@pytest.fixture
def case(cast: Cast) -> Referral:
    """Asha has R1 since twenty days; Bo is ready for referrals."""
    train(cast, "ASHA", "BO")
    found = received(cast, "R1", 30)
    since(given(cast, found), 20)
    return found


def post_of(cast: Cast) -> Post:
    with walls.lifted("tests"):
        return Post.objects.get(coach=cast.coach_asha, pcn=cast.riverside, voided_at=None)


def waits(who: Person, days: int = 0) -> list[tuple[str, str | None, date | None]]:
    """What the list shows on a day; home counts the same, and so do the PCNs."""
    query = f"?as-at={ago(days).isoformat()}" if days else ""
    response = get(who, "referrals", query=query)
    listed = response.context["table"].all_rows
    assert who.client.get(f"/{query}").context["waiting"] == len(listed)
    actor = who.actor
    with walls.within(actor.scope):
        assert sum(waiting_referrals(actor, ago(days), timezone.now()).values()) == len(listed)
    return [(row.reference, row.was_with, row.post_ended_on) for row in listed]


def caseload(who: Person, cast: Cast, days: int = 0) -> list[str]:
    actor = who.actor
    with walls.within(actor.scope):
        return [one.reference for one in queries.caseload(actor, cast.coach_asha.pk, ago(days))]


# --- The list ---------------------------------------------------------------------------------------------------------


def test_it_waits_at_once_when_the_page_says_that_the_post_has_ended(cast: Cast, case: Referral) -> None:
    assert waits(cast.mo) == []
    assert caseload(cast.asha, cast) == ["R1"]
    page = reverse("post_end", kwargs={"uuid": cast.coach_asha.uuid, "pk": post_of(cast).pk})
    posted(cast.mo.client, page, {"token": uuid4(), "version": 1, **sent_day("ends_on", ago(2))})
    assert waits(cast.mo) == waits(cast.lee) == waits(cast.ann) == [("R1", "Asha Rahman", ago(2))]
    assert waits(cast.zed) == []
    text = words(get(cast.mo, "referrals"))
    assert f"R1 Was with Asha Rahman, whose post ended on {written(ago(2))}" in text
    assert "1 was with a coach whose post has ended." in text
    assert "Handed back" not in text
    assert caseload(cast.asha, cast) == []
    assert get(cast.asha, "caseload").context["table"].count == 0
    assert "Waiting for a coach It was with Asha Rahman, whose post ended on" in words(get(cast.mo, "referral", case))
    assert count(Allocation, ends_on=None) == 1  # the clock ends none


def test_home_says_so_too_where_the_last_coach_has_left(cast: Cast, case: Referral) -> None:
    leaves(cast, "ASHA", 1)
    leaves(cast, "BO", 1)
    text = words(cast.mo.client.get("/"))
    assert "No coach has a post here" in text
    assert "1 referral waiting" in text


def test_it_waits_when_an_import_says_so(cast: Cast, case: Referral) -> None:
    leaves(cast, "ASHA", 1)
    assert waits(cast.mo) == [("R1", "Asha Rahman", ago(1))]


def test_it_waits_from_the_day_after_the_last_when_that_day_comes(cast: Cast, case: Referral) -> None:
    do(cast.mo, end_post, post=post_of(cast), ends_on=ago(-3), version=1)
    for ahead, waiting in ((0, False), (3, False), (4, True)):
        with later(ahead):
            found = waits(Person(cast.mo.user))
            assert bool(found) == waiting, ahead
            assert caseload(Person(cast.asha.user), cast) == ([] if waiting else ["R1"])


def test_as_at_another_day_and_as_it_was_known(cast: Cast, case: Referral) -> None:
    before = timezone.now()
    leaves(cast, "ASHA", 5)
    assert [bool(waits(cast.mo, days)) for days in (0, 4, 5, 19, 20, 21, 31)] == [
        True, True, False, False, False, True, False,
    ]  # fmt: skip
    assert waits(cast.mo, 21) == [("R1", None, None)]  # nobody had taken it yet
    actor = cast.mo.actor
    with walls.within(actor.scope):
        assert queries.waiting(actor, today(), before) == []
        assert queries.waiting_by_pcn(actor, today(), before) == {}
    asked = {"as-at": ago(3).isoformat()}
    assert "Was with Asha Rahman" in words(cast.mo.client.get(reverse("referrals"), asked))
    assert "Still has it" in words(cast.mo.client.get(url("referral", case), {"as-at": ago(5).isoformat()}))


def test_a_post_that_goes_on_or_a_new_one_keeps_the_case(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        post = Post.objects.filter(pk=post_of(cast).pk)
        post.update(ends_on=ago(6), end_recorded_at=timezone.now())
        again = Post.objects.create(
            coach=cast.coach_asha, pcn=cast.riverside, employer=cast.riverside, starts_on=ago(3), hours_per_week=10,
            funding="other",
        )  # fmt: skip
    assert waits(cast.mo) == []
    assert waits(cast.mo, 4) == [("R1", "Asha Rahman", ago(6))]  # between the two
    assert waits(cast.mo, 6) == []
    with walls.lifted("tests"):
        Post.objects.filter(pk=again.pk).update(voided_at=timezone.now())  # it never was
    assert waits(cast.mo) == [("R1", "Asha Rahman", ago(6))]


def test_a_post_at_another_pcn_keeps_the_cases_there_and_none_here(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        Post.objects.create(coach=cast.coach_asha, pcn=cast.hilltop, employer=cast.hilltop, starts_on=ago(60),
                            hours_per_week=10, funding="other")  # fmt: skip
        there = Referral.objects.create(
            pcn=cast.hilltop, reference="H1", reference_key="h1", source="self", priority="routine", received_on=ago(30)
        )
        Allocation.objects.create(referral=there, pcn=cast.hilltop, coach=cast.coach_asha, starts_on=ago(20))
    cast.asha.given(Role.COACH, cast.hilltop, cast.coach_asha)
    assert set(caseload(cast.asha, cast)) == {"R1", "H1"}
    leaves(cast, "ASHA", 2)
    assert waits(cast.mo) == waits(cast.lee) == [("R1", "Asha Rahman", ago(2))]
    assert caseload(cast.asha, cast) == ["H1"]
    response = cast.lee.client.get(reverse("coach_caseload", kwargs={"uuid": cast.coach_asha.uuid}))
    assert response.context["open"] == 1
    assert f"Waits for another coach Post ended on {written(ago(2))}" in words(response)


def test_who_never_had_a_post_there_has_not_left(cast: Cast, case: Referral) -> None:
    with walls.lifted("tests"):
        Allocation.objects.update(coach=cast.coach_cai)  # of Hilltop: only an import brings that
    assert waits(cast.mo) == waits(cast.lee) == []


def test_urgent_first_the_counts_and_the_filters_are_those_of_every_referral_that_waits(
    cast: Cast, case: Referral
) -> None:
    received(cast, "R2", 40)
    received(cast, "R3", 1, priority="urgent")
    do(cast.mo, referrals.hand_back, referral=case, version=fresh(case).version)
    since(given(cast, case), 3)
    leaves(cast, "ASHA", 2)
    assert [reference for reference, *_ in waits(cast.mo)] == ["R3", "R2", "R1"]
    narrowed = cast.mo.client.get(reverse("referrals"), {"priority": "urgent"})
    assert [row.reference for row in narrowed.context["table"].all_rows] == ["R3"]
    assert narrowed.context["left"] == 0
    [row] = [row for row in get(cast.mo, "referrals").context["table"].all_rows if row.was_with]
    assert (row.days, row.handed_back) == (30, True)  # handed back before; the last one has left


def test_the_file_says_what_the_list_says(cast: Cast, case: Referral) -> None:
    received(cast, "R2", 40)
    leaves(cast, "ASHA", 2)
    assert compare_referrals(cast.mo) == compare_referrals(cast.lee, place="U99991") == 2
    assert compare_referrals(cast.mo, **{"as-at": ago(2).isoformat()}) == 1


def test_it_is_one_query_however_many_have_left(cast: Cast, case: Referral, django_assert_num_queries: Any) -> None:
    for n in range(8):
        since(given(cast, received(cast, f"L{n}")), 3)
    leaves(cast, "ASHA", 2)
    actor = cast.mo.actor
    with walls.within(actor.scope):
        for ask in (queries.waiting, queries.waiting_by_pcn):
            with django_assert_num_queries(1):
                assert ask(actor, today())


class Everywhere:
    """Somebody who sees all: what is asked is which referrals wait, not who may know."""

    def __init__(self) -> None:
        self.all = frozenset(Organisation.objects.values_list("pk", flat=True))

    def pcns(self, can: Can) -> frozenset[int]:
        return self.all

    def own(self, can: Can) -> frozenset[int]:
        return frozenset()

    around = pcns


@pytest.mark.parametrize("seed", range(2))
def test_what_waits_and_who_has_the_rest_are_those_of_the_second_calculation(
    seed: int, tmp_path: Path, empty: None
) -> None:
    """On random services and days, every referral that is not closed is in one list, and in one alone."""
    workbook = random_workbook(seed)
    brought_in(workbook, tmp_path, seed)
    book = oracle.Book(workbook, oracle.WDF, None)
    seen: Counter[str] = Counter()
    with walls.lifted("tests"):
        who: Any = Everywhere()
        numbers = dict(Coach.objects.values_list("reference_key", "pk"))
        for day in interesting_days(workbook, random.Random(seed), 12):
            expected: dict[str, set[str]] = {"": set()}
            for row in workbook["referrals"]:
                if row["received_on"] > day or (row.get("closed_on") or date.max) <= day:
                    continue
                coach = oracle.key(row["coach_ref"]) if row.get("coach_ref") and row.get("accepted_on") else ""
                if coach and row["accepted_on"] > day:
                    coach = ""
                if coach and oracle.has_left(book.coaches[coach], row["pcn_code"], day):
                    seen["left"] += 1
                    coach = ""
                seen["waits" if not coach else "has"] += 1
                expected.setdefault(coach, set()).add(row["referral_ref"])
            listed = queries.waiting(who, day)
            assert {row.reference for row in listed} == expected.pop("")
            assert sum(queries.waiting_by_pcn(who, day).values()) == len(listed)
            had = {key: {case.reference for case in queries.caseload(who, pk, day)} for key, pk in numbers.items()}
            assert {key: cases for key, cases in had.items() if cases} == expected
    assert min(seen[what] for what in ("left", "waits", "has")) > 5, seen


# --- Given to another -------------------------------------------------------------------------------------------------


def test_a_manager_gives_it_to_another_and_the_allocation_that_was_left_ends_with_it(
    cast: Cast, case: Referral
) -> None:
    leaves(cast, "ASHA", 2)
    shown = words(get(cast.mo, "referral_allocate", case))
    assert f"Was with Asha Rahman, whose post ended on {written(ago(2))}" in shown
    response = cast.mo.client.post(url("referral_allocate", case), choose(fresh(case), cast.coach_bo), follow=True)
    text = words(response)
    assert "Bo Lindqvist has referral R1 now. It was with Asha Rahman, whose post ended on" in text
    assert "With a coach Bo Lindqvist" in text
    assert f"{written(today())} Post ended on {written(ago(2))}" in text
    assert waits(cast.mo) == []
    with walls.lifted("tests"):
        hers, his = Allocation.objects.order_by("starts_on")
    assert (hers.coach_id, hers.ends_on, his.coach_id, his.ends_on) == (
        cast.coach_asha.pk, today(), cast.coach_bo.pk, None,
    )  # fmt: skip
    line = audited("referral.allocate")[0]
    assert (line.facts["ended"], line.facts["because"]) == (str(hers.uuid), "post_ended")
    assert hers.end_recorded_at == his.recorded_at  # one transaction, one moment
    # As it was known before, it waited; and on the days before, it was hers.
    assert waits(cast.mo, 1) == [("R1", "Asha Rahman", ago(2))]
    assert waits(cast.mo, 2) == []


def test_the_gate_and_who_was_faster_are_what_they_are_for_every_referral(cast: Cast, case: Referral) -> None:
    asked: dict[str, Any] = {"referral": case, "coach": cast.coach_bo, "day": today(), "version": fresh(case).version}
    refuses(cast.mo, referrals.allocate, referrals.AlreadyAllocated, "to Asha Rahman on", **asked)
    leaves(cast, "ASHA", 2)
    refuses(
        cast.mo, referrals.allocate, ActionRefused, "Asha Rahman has no post",
        **{**asked, "coach": cast.coach_asha},
    )  # fmt: skip
    assert count(Allocation, ends_on=None, coach=cast.coach_asha) == 1  # what is refused ends nothing
    do(cast.mo, referrals.allocate, **asked)
    refuses(cast.mo, referrals.allocate, referrals.AlreadyAllocated, "to Bo Lindqvist on", **asked)


def test_an_untrained_coach_takes_it_with_an_override_and_both_are_kept(cast: Cast) -> None:
    train(cast, "ASHA")
    left = received(cast, "R1", 30)
    since(given(cast, left), 20)
    leaves(cast, "ASHA", 2)
    asked: dict[str, Any] = {"referral": left, "coach": cast.coach_bo, "day": today(), "version": fresh(left).version}
    refuses(cast.mo, referrals.allocate, referrals.NotReady, **asked)
    made = do(cast.mo, referrals.allocate_with_override, **asked, ends_on=today(), reason="Invented reason")
    assert made.coach_id == cast.coach_bo.pk
    assert waits(cast.mo) == []


def test_it_can_be_handed_back_and_closed_and_suspending_counts_it(cast: Cast, case: Referral) -> None:
    second = received(cast, "R2", 30)
    since(given(cast, second), 20)
    leaves(cast, "ASHA", 2)
    do(cast.mo, referrals.close, referral=second, outcome="completed", closed_on=today(), version=fresh(second).version)
    assert [reference for reference, *_ in waits(cast.mo)] == ["R1"]
    page = words(cast.mo.client.get(reverse("access_suspend", kwargs={"uuid": cast.asha.user.uuid})))
    assert "1 open case of theirs waits for another coach" in page
    cast.mo.client.post(reverse("access_suspend", kwargs={"uuid": cast.asha.user.uuid}))
    assert waits(cast.mo) == [("R1", None, None)]
    assert "Handed back" in words(get(cast.mo, "referrals"))


def test_a_deputy_of_the_coach_looks_after_it_until_it_is_given_to_another(cast: Cast, case: Referral) -> None:
    deputy = person("Bo Lindqvist")
    deputy.given(Role.COACH, cast.riverside, cast.coach_bo)
    names_deputy(cast.mo, grant_of(cast.asha), deputy)
    leaves(cast, "ASHA", 1)
    assert waits(cast.mo) == [("R1", "Asha Rahman", ago(1))]
    assert "R1" in words(get(deputy, "caseload"))
    given(cast, case, cast.coach_bo)
    assert [row.reference for row in get(deputy, "caseload").context["table"].all_rows] == ["R1"]


# --- Somebody is told -------------------------------------------------------------------------------------------------


def told() -> dict[int, Notification]:
    with walls.lifted("tests"):
        rows = list(Notification.objects.filter(kind="cases_left").select_related("coach"))
    assert len({row.user_id for row in rows}) == len(rows)
    return {row.user_id: row for row in rows}


def test_the_managers_of_the_pcn_are_told_once(cast: Cast, case: Referral) -> None:
    second = person("Kim Second")
    second.given(Role.PCN_MANAGER, cast.riverside)
    catch_up(timezone.now())
    assert told() == {}
    leaves(cast, "ASHA", 2)
    for _ in range(2):
        catch_up(timezone.now())
    found = told()
    assert set(found) == {cast.mo.user.pk, second.user.pk}
    one = found[cast.mo.user.pk]
    assert said(one) == (
        f"Asha Rahman: the post at your PCN ended on {written(ago(2))}. 1 case of theirs waits for another coach."
    )
    assert leads_to(one) == reverse("referrals")
    assert "1 case of theirs waits" in words(get(cast.mo, "notifications"))


def test_nobody_is_told_of_who_left_nothing_behind(cast: Cast, case: Referral) -> None:
    do(cast.mo, referrals.hand_back, referral=case, version=fresh(case).version)
    leaves(cast, "ASHA", 2)
    catch_up(timezone.now())
    assert told() == {}
