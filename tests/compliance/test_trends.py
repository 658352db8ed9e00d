"""Shares by month: what is counted is what the overview says for that day, made up for when lost, shown to its own."""

import random
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import date, datetime, time, timedelta
from io import StringIO
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from xml.etree.ElementTree import Element

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Q
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from hwbc.compliance import checks, trends
from hwbc.compliance.as_at import now
from hwbc.compliance.columns import OF_A_PCN
from hwbc.compliance.shares import Number, Share
from hwbc.compliance.trends import IN_TWO, MONTHS, ended_months
from hwbc.kit.periods import today
from hwbc.standards.models import MonthlyShare, Run
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Organisation, Post
from hwbc.workforce.roles import Role
from supervision.models import Meeting, Supervisor
from tests import facts
from tests.cast import Cast, OrganisationFactory, Person, person
from tests.compliance.test_answers import brought_in
from tests.compliance.test_lists import get, listed, pcns
from tests.kit.html import by_id, parse_page, text, with_class
from tests.workbooks import random_workbook

RUN = Actor.system("tests")
Stored = dict[tuple[str, date, str], tuple[int, int]]


def noon(day: date | None = None) -> datetime:
    return timezone.make_aware(datetime.combine(day or today(), time(12)))


def checked() -> None:
    """The checks, and what comes after them."""
    checks.run_checks(RUN, today())
    assert checks.count_shares(noon()) > 0


def stored(*which: Q) -> Stored:
    """(PCN's name, day, rule) → on track, asked; two rows of the same are an error."""
    with walls.lifted("tests"):
        rows = list(MonthlyShare.objects.filter(*which).select_related("pcn"))
    found = {(row.pcn.name, row.on, row.rule): (row.on_track, row.asked) for row in rows}
    assert len(found) == len(rows)
    return found


def section(who: Person, address: str) -> Element:
    return parse_page(get(who.client, address))


def table(page: Element) -> dict[str, list[str]]:
    """Day → what stands in each column."""
    [found] = with_class(page, "hwbc-chart-data")
    return {text(row.find("th")): [text(cell) for cell in row.iterfind("td")] for row in found.iterfind(".//tbody/tr")}


def written(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


@pytest.fixture
def filled(cast: Cast) -> Cast:
    """Coaches in every state in two PCNs of Northfield, and Dot in Lakeside."""
    facts.everything(cast, 12)
    facts.everything(cast, 6, 1, "U99992")
    return cast


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 11, 22), date(2025, 5, 31), date(2026, 10, 31)),
        (date(2026, 11, 30), date(2025, 5, 31), date(2026, 10, 31)),  # has not ended
        (date(2026, 12, 1), date(2025, 6, 30), date(2026, 11, 30)),
        (date(2028, 3, 1), date(2026, 9, 30), date(2028, 2, 29)),
    ],
)
def test_the_months_that_have_ended(day: date, first: date, last: date) -> None:
    months = ended_months(day)
    assert (months[0], months[-1], len(months)) == (first, last, MONTHS)
    assert all((month + timedelta(days=1)).day == 1 for month in months)
    assert months == sorted(set(months))


# --- What is counted is what the overview says --------------------------------------------------------------------


@pytest.mark.parametrize("seed", [21, 22])
def test_each_month_has_the_numbers_of_the_overview_on_that_day(seed: int, tmp_path: Path, empty: None) -> None:
    brought_in(random_workbook(seed, coaches=24), tmp_path, seed)
    auditor = person("Ann Whitlock")
    with walls.lifted("tests"):
        top = Organisation.objects.get(parent=None)
        places = dict(Organisation.objects.filter(kind="pcn").values_list("name", "code"))
    auditor.given(Role.AUDITOR, top)
    checked()
    found = stored(~Q(rule=IN_TWO))
    months = ended_months(today())
    compared = asked = 0
    rng = random.Random(seed)
    for day in rng.sample(months[:12], 2) + months[-1:]:
        page = pcns(auditor, **{"as-at": day.isoformat()})
        for name in places:
            for shown in OF_A_PCN:
                part, whole = found.pop((name, day, shown.rules[0]))
                assert page.rows[name][shown.label].startswith(f"{part} of {whole}"), (name, day, shown.label)
                compared += 1
                asked += whole
    print(f"seed {seed}: {compared} numbers compared, {asked} coaches asked in them")
    assert compared >= 30
    assert asked > 100
    assert not {day for _, day, _ in found} - set(months)

    followed = follow(auditor, "/pcns", rng)
    for code in rng.sample(sorted(places.values()), 2):
        followed += follow(auditor, f"/pcns?place={code}", rng)
    print(f"seed {seed}: {followed} numbers followed to their rows")
    assert followed > 5


def follow(who: Person, address: str, rng: random.Random) -> int:
    """Every number of the table leads to as many coaches; answers how many were tried."""
    [found] = with_class(section(who, address), "hwbc-chart-data")
    links = [(int(text(a)), a.get("href", "")) for a in found.iter("a")]
    chosen = rng.sample(links, min(6, len(links)))
    for number, href in chosen:
        given = {name: values[0] for name, values in parse_qs(urlsplit(href).query).items()}
        assert listed(who, **given).count == number, href
    return len(chosen)


@pytest.mark.django_db
def test_every_pcn_has_every_month_also_without_coaches(cast: Cast) -> None:
    checked()
    found = stored()
    assert len(found) == 3 * MONTHS * (len(OF_A_PCN) + 1)
    assert {name for name, *_ in found} == {"Riverside PCN", "Hilltop PCN", "Lakeside PCN"}
    before = {shares for (_, on, _), shares in found.items() if on < date(2026, 1, 5)}  # nobody had begun
    assert before == {(0, 0)}


@pytest.mark.django_db
def test_a_coach_with_two_posts_counts_in_both_and_such_a_month_leads_nowhere_in_the_sum(cast: Cast) -> None:
    with walls.lifted("tests"):
        until = ended_months(today())[-2]
        Post.objects.create(
            coach=cast.coach_bo, pcn=cast.hilltop, employer=cast.hilltop, hours_per_week=10, funding="other",
            starts_on=date(2026, 2, 2), ends_on=until, end_recorded_at=timezone.now(),
        )  # fmt: skip
    checked()
    last, before = ended_months(today())[-1], ended_months(today())[-2]
    shares = stored(Q(rule="supervision.line"))
    asked = {(name, on): whole for (name, on, _), (_, whole) in shares.items()}
    assert (asked["Riverside PCN", before], asked["Hilltop PCN", before]) == (2, 2)
    assert (asked["Riverside PCN", last], asked["Hilltop PCN", last]) == (2, 1)

    def links(address: str) -> dict[str, int]:
        [found] = with_class(section(cast.lee, address), "hwbc-chart-data")
        return {text(row.find("th")): len(list(row.iter("a"))) for row in found.iterfind(".//tbody/tr")}

    assert links("/pcns")[written(before)] == 0
    assert links("/pcns")[written(last)] > 0
    assert links("/pcns?place=U99992")[written(before)] > 0
    together = table(section(cast.lee, "/pcns?rule=supervision.line"))
    assert together[written(before)] == ["0 of 4 0%"]  # with Cai and Asha; on the list of coaches they are three


# --- When it is done ----------------------------------------------------------------------------------------------


@contextmanager
def counts_made() -> Iterator[list[int]]:
    """How many counts each tick makes."""
    made: list[int] = []

    def watched(at: datetime) -> int:
        made.append(count(at))
        return made[-1]

    count = checks.count_shares
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checks, "count_shares", watched)
        yield made


@pytest.mark.django_db
def test_months_are_counted_after_the_checks_and_once(cast: Cast) -> None:
    with counts_made() as made:
        for _ in range(3):
            checks.catch_up(noon())
        facts.everything(cast, 2)  # an import: the checks are made again
        for _ in range(2):
            checks.catch_up(noon())
    assert made == [3 * MONTHS * (len(OF_A_PCN) + 1), 0, 0, 3 * MONTHS * (len(OF_A_PCN) + 1), 0]


@pytest.mark.django_db
def test_nothing_is_counted_before_the_first_checks(cast: Cast) -> None:
    assert checks.count_shares(noon()) == 0
    assert stored() == {}


@pytest.mark.django_db
def test_a_service_without_pcns_has_nothing_to_count(empty: None) -> None:
    checks.run_checks(RUN, today())
    assert checks.count_shares(noon()) == 0


@pytest.mark.django_db
def test_twice_is_once(filled: Cast) -> None:
    checked()
    once = stored()
    checked()
    assert stored() == once
    with walls.lifted("tests"):
        assert len(set(MonthlyShare.objects.values_list("counted_at", flat=True))) == 1


@pytest.mark.django_db
def test_a_month_that_has_ended_since_is_counted_and_the_oldest_goes(cast: Cast) -> None:
    checked()
    next_month = (today().replace(day=28) + timedelta(days=4)).replace(day=1)
    assert checks.count_shares(noon(next_month - timedelta(days=1))) == 0
    assert checks.count_shares(noon(next_month)) > 0
    assert {on for _, on, _ in stored()} == set(ended_months(next_month))


@pytest.mark.django_db
def test_a_count_that_fails_leaves_the_run_done_and_is_made_up_for(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    checked()
    before = stored()
    facts.everything(cast, 3)

    def fail(*args: Any) -> Iterator[Any]:
        yield []
        raise ZeroDivisionError

    with monkeypatch.context() as broken:
        broken.setattr(trends, "counted", fail)
        with pytest.raises(ZeroDivisionError):
            checks.catch_up(noon())
    run = Run.objects.filter(kind="checks").latest("pk")
    assert (run.outcome, run.counts["raised"] > 0) == ("done", True)
    assert stored() == before
    assert checks.catch_up(noon()) is None  # the day's checks are done
    assert stored() != before


def elsewhere(count: Callable[[], int]) -> int:
    """What it answers in a connection of its own."""

    def call() -> int:
        try:
            return count()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as pool:
        return pool.submit(call).result(30)


@pytest.mark.django_db(transaction=True)
def test_only_one_counts_at_a_time(live_cast: Cast) -> None:
    checks.run_checks(RUN, today())
    with walls.lifted("tests"):
        assert trends.due(noon()) != []
        assert elsewhere(lambda: checks.count_shares(noon())) == 0
    assert elsewhere(lambda: checks.count_shares(noon())) > 0
    assert checks.count_shares(noon()) == 0


@pytest.mark.django_db
def test_checks_by_hand_count_too(cast: Cast) -> None:
    call_command("run_checks", stdout=StringIO())
    assert stored()


@pytest.mark.django_db
def test_a_late_entry_changes_its_month_with_the_next_checks(cast: Cast) -> None:
    day = ended_months(today())[-1]
    checked()
    key = ("Riverside PCN", day, "supervision.line")
    assert stored()[key] == (0, 2)
    with walls.lifted("tests"):
        supervisor = Supervisor.objects.create(name="Pat Quill", role="line_manager")
        Meeting.objects.create(coach=cast.coach_bo, kind="line", supervisor=supervisor, minutes=45, status="held",
                               held_on=day - timedelta(days=3), format="individual")  # fmt: skip
    assert checks.count_shares(noon()) == 0
    page = section(cast.mo, "/pcns?rule=supervision.line")
    assert table(page)[written(day)] == ["0 of 2 0%"]
    [found] = with_class(page, "hwbc-chart-data")
    asked = [a.get("href", "") for a in found.iter("a") if f"as-at={day}" in a.get("href", "")]
    assert "state=asked" in asked[0]
    on_track = asked[0].replace("state=asked", "state=on_track")  # as it was known when it was counted: still nobody
    assert "No coaches match" in get(cast.mo.client, on_track)
    assert "Bo Lindqvist" in get(cast.mo.client, re.sub(r"&known-at=[^&]*", "", on_track))
    checked()
    assert stored()[key] == (1, 2)
    assert table(section(cast.mo, "/pcns?rule=supervision.line"))[written(day)] == ["1 of 2 50%"]


# --- Who sees it --------------------------------------------------------------------------------------------------


def shares() -> list[Share]:
    return [Share(shown, Number(0, None), Number(0, None), Number(0, None)) for shown in OF_A_PCN]


@pytest.mark.django_db
def test_another_pcns_manager_sees_none_of_ours_through_either_wall(filled: Cast) -> None:
    checked()
    everybody = {filled.riverside.pk, filled.hilltop.pk, filled.lakeside.pk}
    zed, mo = filled.zed.actor, filled.mo.actor
    with walls.lifted("tests"):  # the wall of Python alone
        assert set(MonthlyShare.objects.for_actor(zed).values_list("pcn", flat=True)) == {filled.lakeside.pk}
        assert trends.for_actor(zed, {filled.riverside.pk}, now(), shares(), "").charts == []
        theirs = trends.for_actor(zed, everybody, now(), shares(), "")
        assert theirs.table == trends.for_actor(zed, {filled.lakeside.pk}, now(), shares(), "").table
    for who, seen in ((zed, {filled.lakeside.pk}), (mo, {filled.riverside.pk})):  # the database's alone
        with walls.within(who.scope):
            assert set(MonthlyShare.objects.values_list("pcn", flat=True)) == seen
    with walls.within(zed.scope):
        assert MonthlyShare.objects.filter(pcn=filled.riverside).update(asked=99) == 0


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/pcns", "/pcns?rule=supervision.line"])
def test_the_numbers_on_the_page_are_of_ones_own_pcns(filled: Cast, address: str) -> None:
    checked()
    day = ended_months(today())[-1]
    rules = [shown.rules[0] for shown in OF_A_PCN]
    if "rule" in address:
        rules = ["supervision.line"]
    elif address == "/":
        rules = ["supervision.line", "supervision.clinical", "supervision.health_coaching", "training.referral_ready"]
    for who, names in ((filled.mo, ["Riverside"]), (filled.lee, ["Riverside", "Hilltop"]), (filled.zed, ["Lakeside"])):
        found = stored(Q(on=day))
        sums = [[found[f"{name} PCN", day, rule] for name in names] for rule in rules]
        expected = [(sum(part for part, _ in each), sum(whole for _, whole in each)) for each in sums]
        said = [re.sub(r" \d+%$", "", cell) for cell in table(section(who, address))[written(day)]]
        assert said == [f"{part} of {whole}" if whole else "Nobody asked" for part, whole in expected]


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["asha", "sam", "rae"])
def test_who_oversees_no_pcn_sees_no_chart(filled: Cast, who: str) -> None:
    checked()
    page = section(getattr(filled, who), "/")
    assert not with_class(page, "hwbc-chart")
    assert "Month by month" not in text(page)


# --- What a page shows --------------------------------------------------------------------------------------------


@pytest.mark.django_db
@pytest.mark.parametrize("who", ["mo", "lee", "ann", "zed"])
def test_the_last_point_is_the_number_that_the_page_shows(filled: Cast, who: str) -> None:
    checked()
    them: Person = getattr(filled, who)
    page = section(them, "/pcns")
    assert len(with_class(page, "hwbc-chart")) == len(OF_A_PCN)
    rows = pcns(them).rows
    row = next((rows[name] for name in rows if name.startswith("All ")), None) or rows[next(iter(rows))]
    numbers = [re.sub(r"^(\d+ of \d+)( \d+%)?.*", r"\1\2", row[shown.label]) for shown in OF_A_PCN]
    assert table(page)[written(today())] == [re.sub("^0 of 0$", "Nobody asked", number) for number in numbers]
    home = table(section(them, "/"))
    assert list(home) == list(table(page))
    at = [index for index, shown in enumerate(OF_A_PCN) if shown in trends.TELLING]
    for day, cells in table(page).items():
        assert home[day] == [cells[index] for index in at]


@pytest.mark.django_db
def test_charts_are_narrowed_as_the_page_is(filled: Cast) -> None:
    checked()
    page = section(filled.lee, "/pcns?rule=training.required&place=U99992")
    assert len(with_class(page, "hwbc-chart")) == 1
    assert "Required courses, all" in text(with_class(page, "hwbc-chart")[0])
    day = ended_months(today())[-1]
    part, whole = stored()["Hilltop PCN", day, "training.required"]
    assert table(page)[written(day)][0].startswith(f"{part} of {whole}")
    links = [a.get("href", "") for a in with_class(page, "hwbc-chart-data")[0].iter("a")]
    assert links
    assert all("place=U99992" in href and "rule=training.required" in href for href in links)


@pytest.mark.django_db
def test_months_begin_with_the_first_in_which_anybody_was_asked(cast: Cast) -> None:
    checked()
    days = list(table(section(cast.mo, "/pcns")))
    assert days[0] == written(today())
    assert days[-1] == "31 January 2026"  # they began on 5 January


@pytest.mark.django_db
def test_it_says_when_it_was_counted(cast: Cast) -> None:
    checked()
    with walls.lifted("tests"):
        at = timezone.make_aware(datetime(2026, 11, 22, 2, 10))  # noqa: DTZ001  made aware
        MonthlyShare.objects.update(counted_at=at)
    for address in ("/", "/pcns"):
        assert "Counted on 22 November 2026 at 2:10am with what was known then" in text(section(cast.mo, address))


@pytest.mark.django_db
def test_as_at_another_day_the_months_before_it_are_shown(filled: Cast) -> None:
    checked()
    day = ended_months(today())[-3]
    for shown, count in ((day, 15), (day + timedelta(days=1), 16)):
        for address in ("/", "/pcns"):
            page = section(filled.mo, f"{address}?as-at={shown}")
            days = list(table(page))
            assert days[0] == written(shown)
            assert days[1] == written(ended_months(shown)[-1])
            assert len(days) <= count + 1
    exact = table(section(filled.mo, f"/pcns?as-at={day}"))[written(day)]
    assert exact == table(section(filled.mo, "/pcns"))[written(day)]  # counted, and worked out by the page


def said_instead(who: Person, address: str) -> str:
    page = section(who, address)
    by_id(page, "by-month")
    assert not with_class(page, "hwbc-chart")
    return text(page)


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/", "/pcns"])
def test_why_there_are_none(cast: Cast, address: str) -> None:
    assert "The first months appear after the next nightly checks." in said_instead(cast.mo, address)
    checked()
    before = timezone.localtime().replace(tzinfo=None).isoformat()
    assert "known when the nightly checks run" in said_instead(cast.mo, f"{address}?known-at={before}")
    # Riverside's coaches begin early in January of this year: of nobody was anything asked before.
    page = section(cast.mo, f"{address}?as-at=2026-01-20")
    assert "nobody here was asked about this" in text(page)
    with walls.lifted("tests"):
        quiet = OrganisationFactory.create(code="U99994", name="Quiet PCN", parent=cast.northfield)
        Post.objects.filter(coach=cast.coach_dot).update(pcn=quiet, starts_on=date(2020, 1, 1))
    cast.rae.given(Role.PCN_MANAGER, quiet)
    oldest = ended_months(today())[0]
    assert "none of them ended before this day" in said_instead(cast.rae, f"{address}?as-at={oldest}")
    assert "The first months appear" in said_instead(cast.rae, address)  # the PCN came after they were counted


@pytest.mark.django_db
def test_reading_is_one_query_however_many_pcns_and_rules(filled: Cast) -> None:
    checked()
    for who in (filled.mo.actor, filled.lee.actor):
        with walls.within(who.scope), CaptureQueriesContext(connection) as asked:
            shown = trends.for_actor(who, who.pcns(MonthlyShare.read_by), now(), shares(), "")
        assert len(shown.charts) == len(OF_A_PCN)
        assert len(asked) == 1
