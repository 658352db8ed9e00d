"""Charts: what stands where, gaps, words for whoever does not see them, and nothing that a page may not hold."""

import random
import re
from datetime import date, timedelta
from fractions import Fraction
from itertools import pairwise
from xml.etree.ElementTree import Element

import pytest
from django.utils.safestring import SafeString

from hwbc.kit.charts import Point, Series, data_table, line_chart, percent
from tests.kit.html import parse, text, with_class

COACHES = ("coach", "coaches")
MONTHS = [date(2026, 3, 31), date(2026, 4, 30), date(2026, 5, 31), date(2026, 6, 30)]
TODAY = date(2026, 7, 15)


def series(*shares: tuple[int, int], key: str = "line", title: str = "Line management", label: str = "Line") -> Series:
    """These shares at the ends of months, the last of them today."""
    days = [*MONTHS[len(MONTHS) - len(shares) + 1 :], TODAY]
    return Series(key, title, label, [Point(day, *share) for day, share in zip(days, shares, strict=True)])


def month_ends(count: int) -> list[date]:
    """The last of so many months, the last of them today's."""
    days = [date(2026, 7, 31)]
    while len(days) < count:
        days.append(days[-1].replace(day=1) - timedelta(days=1))
    return days[::-1]


def drawn(given: Series) -> Element:
    return parse(line_chart(given, COACHES))


def one(root: Element, name: str) -> Element:
    [found] = with_class(root, name)
    return found


def lines(root: Element) -> list[list[tuple[float, float]]]:
    """The pieces of the line, each as its points."""
    path = one(root, "hwbc-chart__line").get("d", "")
    return [
        [(float(x), float(y)) for x, y in re.findall(r"([\d.]+) ([\d.]+)", piece)] for piece in path.split("M") if piece
    ]


def heights(root: Element) -> tuple[float, float]:
    """Where 0 and 100 per cent are drawn."""
    at = {"".join(label.itertext()): float(label.get("y", "")) for label in with_class(root, "hwbc-chart__text")[:3]}
    assert set(at) == {"0%", "50%", "100%"}
    assert at["50%"] == (at["0%"] + at["100%"]) / 2
    return at["0%"], at["100%"]


# --- Geometry --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_every_point_stands_at_its_share_in_equal_steps_within_the_picture(seed: int) -> None:
    rng = random.Random(seed)
    shares = [(rng.randint(0, whole), whole) for whole in (rng.randint(1, 300) for _ in range(5))]
    root = drawn(series(*shares))
    zero, hundred = heights(root)
    [points] = lines(root)
    for (_, y), (part, whole) in zip(points, shares, strict=True):
        assert y == pytest.approx(float(zero + (hundred - zero) * Fraction(part, whole)), abs=0.051)
    steps = [after - before for (before, _), (after, _) in pairwise(points)]
    assert steps == pytest.approx([steps[0]] * 4, abs=0.11)
    assert steps[0] > 0
    svg = one(root, "hwbc-chart__picture")
    left, top, width, height = map(float, svg.get("viewBox", "").split())
    spots = [*points, *((float(t.get("x", "")), float(t.get("y", ""))) for t in svg.iter() if t.get("text-anchor"))]
    assert all(left <= x <= width and top <= y <= height for x, y in spots)
    ring = one(root, "hwbc-chart__present")
    assert (float(ring.get("cx", "")), float(ring.get("cy", ""))) == pytest.approx(points[-1])


@pytest.mark.parametrize("seed", range(40))
def test_the_last_value_is_written_within_the_picture_and_clear_of_the_line(seed: int) -> None:
    rng = random.Random(seed)
    shares = [rng.randint(0, 100)]
    while len(shares) < 19:
        shares.append(min(100, max(0, shares[-1] + rng.randint(-12, 12))))
    root = drawn(Series("k", "T", "L", [Point(day, n, 100) for day, n in zip(month_ends(19), shares, strict=True)]))
    label = one(root, "hwbc-chart__last")
    assert "".join(label.itertext()) == f"{shares[-1]}%"
    bottom = float(label.get("y", ""))
    top = bottom - 11
    assert top >= 0
    assert bottom <= 119 - 12  # above the names of the months
    [line] = lines(root)
    assert not [y for x, y in line if x > 200 - 42 and top < y < bottom]


def test_all_equal_is_a_level_line() -> None:
    [points] = lines(drawn(series((7, 7), (9, 9), (4, 4))))
    assert len({y for _, y in points}) == 1
    assert points[0][1] == heights(drawn(series((1, 1))))[1]


def test_one_point_is_a_ring_at_the_end_and_one_name() -> None:
    root = drawn(series((3, 4)))
    [[point]] = lines(root)
    assert point == pytest.approx((192.0, 34.5))
    assert [text(label) for label in with_class(root, "hwbc-chart__text")[3:]] == ["15 Jul 2026"]


def test_a_year_and_a_half_of_months_reaches_from_edge_to_edge() -> None:
    points = [Point(day, 1, 2) for day in month_ends(19)]
    [line] = lines(drawn(Series("k", "T", "L", points)))
    assert (line[0][0], line[-1][0], len(line)) == (41.0, 192.0, 19)


# --- Gaps ------------------------------------------------------------------------------------------------------------


def test_where_nobody_was_asked_the_line_has_a_gap_and_no_point_at_zero() -> None:
    root = drawn(series((0, 0), (1, 2), (0, 0), (2, 2), (3, 4)))
    pieces = lines(root)
    assert [len(piece) for piece in pieces] == [1, 2]
    whole = lines(drawn(series((1, 2), (1, 2), (1, 2), (2, 2), (3, 4))))[0]
    assert [point for piece in pieces for point in piece] == [whole[1], whole[3], whole[4]]
    dots = one(root, "hwbc-chart__dots").get("d", "")
    assert dots.count("M") == 3  # one that stands alone is seen too


def test_a_month_that_was_not_counted_is_a_gap_of_its_own_width() -> None:
    points = [Point(MONTHS[0], 1, 2), Point(MONTHS[1], 1, 2), Point(MONTHS[3], 1, 2), Point(TODAY, 1, 2)]
    pieces = lines(drawn(Series("k", "T", "L", points)))
    assert [len(piece) for piece in pieces] == [2, 2]
    assert pieces[1][0][0] - pieces[0][1][0] == pytest.approx(2 * (pieces[0][1][0] - pieces[0][0][0]), abs=0.31)


def test_nobody_asked_today_is_a_line_without_a_present_value() -> None:
    root = drawn(series((1, 2), (2, 2), (0, 0)))
    assert not with_class(root, "hwbc-chart__present")
    assert not with_class(root, "hwbc-chart__last")
    assert text(one(root, "hwbc-chart__value")) == "Nobody asked"
    assert len(lines(root)[0]) == 2


def test_nobody_asked_ever_is_said_and_no_line_is_drawn() -> None:
    root = drawn(series((0, 0), (0, 0), (0, 0)))
    assert not with_class(root, "hwbc-chart__line")
    assert "Nobody asked" in [text(label) for label in with_class(root, "hwbc-chart__text")]
    assert "Nobody was asked on any of these days." in text(root)


# --- Words -----------------------------------------------------------------------------------------------------------


def test_it_says_in_words_what_the_line_shows() -> None:
    root = drawn(series((6, 12), (0, 0), (1, 12), (12, 12), (9, 12)))
    assert text(one(root, "hwbc-chart__caption")) == "Line management 75% 9 of 12 coaches"
    svg = one(root, "hwbc-chart__picture")
    assert svg.get("role") == "img"
    named = [found for id in svg.get("aria-labelledby", "").split() for found in svg if found.get("id") == id]
    assert [text(each) for each in named] == [
        "Line management, by month",
        (
            "From 50% (6 of 12) on 31 March 2026 to 75% (9 of 12) on 15 July 2026. Lowest: 8% (1 of 12) on 31 May 2026."
            " Highest: 100% (12 of 12) on 30 June 2026. On 1 of 5 days nobody was asked."
        ),
    ]
    assert [text(label) for label in with_class(root, "hwbc-chart__text")[3:]] == ["Mar 2026", "15 Jul 2026"]
    assert "1 of 1 coach" in text(one(drawn(series((1, 1))), "hwbc-chart__caption"))
    assert "Lowest" not in text(drawn(series((2, 4), (1, 2))))


@pytest.mark.parametrize(
    ("part", "whole", "share"),
    [(0, 0, None), (0, 9, 0), (9, 9, 100), (1, 1000, 1), (999, 1000, 99), (1, 3, 33), (2, 3, 67)],
)
def test_per_cent_is_never_all_or_nothing_by_rounding(part: int, whole: int, share: int | None) -> None:
    assert percent(part, whole) == share


# --- The table -------------------------------------------------------------------------------------------------------


def rows(table: Element) -> list[list[str]]:
    return [[text(cell) for cell in row] for row in table.iter("tr")]


def test_the_table_has_the_same_numbers_the_newest_first() -> None:
    table = parse(data_table("Met", [series((0, 0), (2, 3)), series((5, 5), (0, 5), key="b", label="Clinical")]))
    assert text(table.find(".//caption")) == "Met"
    assert rows(table) == [
        ["Day", "Line", "Clinical"],
        ["15 July 2026", "2 of 3 67%", "0 of 5 0%"],
        ["30 June 2026", "Nobody asked", "5 of 5 100%"],
    ]
    assert [head.get("scope") for head in table.iter("th")] == ["col"] * 3 + ["row"] * 2


def test_numbers_lead_to_their_rows_where_there_are_any() -> None:
    points = [Point(MONTHS[0], 0, 3, "/part", "/whole"), Point(TODAY, 1, 2, None, "/whole?a=1&b=2")]
    table = parse(data_table("Met", [Series("k", "T", "L", points)]))
    assert [(text(a), a.get("href")) for a in table.iter("a")] == [("2", "/whole?a=1&b=2"), ("3", "/whole")]


def test_charts_with_other_days_have_no_table_together() -> None:
    with pytest.raises(ValueError, match="shorter"):
        data_table("Met", [series((1, 1), (1, 1)), series((1, 1))])


# --- What a page may hold --------------------------------------------------------------------------------------------


def test_nothing_that_was_given_is_markup() -> None:
    bad = '<script>alert("x")</script>&'
    given = Series("k", bad, bad, [Point(TODAY, 1, 2, f'/x"{bad}', f"/y'{bad}")])
    for html in (line_chart(given, (bad, bad)), data_table(bad, [given])):
        assert isinstance(html, SafeString)
        root = parse(html)
        assert "<script" not in html
        assert not list(root.iter("script"))
        assert bad in text(root)
    links = [a.get("href") for a in parse(data_table(bad, [given])).iter("a")]
    assert links == [f'/x"{bad}', f"/y'{bad}"]


def test_nothing_is_inline_that_the_content_policy_stops() -> None:
    html = line_chart(series((1, 2), (2, 2)), COACHES) + data_table("Met", [series((1, 2), (2, 2))])
    attributes = {name for element in parse(html).iter() for name in element.attrib}
    assert attributes <= {
        "class", "viewBox", "role", "focusable", "aria-labelledby", "id", "d", "x", "y", "dy", "cx", "cy", "r",
        "text-anchor", "scope",
    }  # fmt: skip


def test_several_charts_have_identifiers_of_their_own() -> None:
    html = "".join(line_chart(series((1, 2), key=key), COACHES) for key in ("line", "clinical"))
    identifiers = [element.get("id") for element in parse(html).iter() if element.get("id")]
    assert len(identifiers) == len(set(identifiers)) == 4
