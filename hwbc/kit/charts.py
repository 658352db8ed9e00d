"""Charts: SVG that the server draws, and the table with the same numbers under it. No library, no script.

Small multiples instead of many lines in one picture: `line_chart` draws one share by month, `data_table` has the months
of several as rows. How they look (strokes, type) is in `hwbc.scss`: the content policy lets no style stand in the page.
Both are made by putting strings together, a few hundred numbers a page; whatever came from outside is escaped here.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from functools import lru_cache
from html import escape
from typing import NamedTuple

from django.utils.safestring import SafeString

# The picture, in its own units: what is drawn lies between the left and the right, the top (100%) and the bottom (0%).
# Pages show it 180 pixels wide or more, and the style sheet makes its type smaller where it is wider.
_WIDTH, _HEIGHT = 200, 124
_LEFT, _RIGHT, _TOP, _BOTTOM = 41.0, 192.0, 13.0, 99.0
_MONTHS_AT = 119  # where the names of months stand
_WIDE, _ABOVE, _BELOW = 42, 9, 20  # how wide a value is, and where it stands from what is drawn beside it


class Point(NamedTuple):
    """A share on a day: of `whole`, `part`. Of nobody (0) there is no share: the line has a gap there.

    `part_href`, `whole_href`: the addresses of exactly those; None where there is none.
    """

    at: date
    part: int
    whole: int
    part_href: str | None = None
    whole_href: str | None = None


class Series(NamedTuple):
    """One share over time: the oldest first, at most one day of each month; the last is the present one.

    `key` is unique on the page, letters and digits; `label` heads its column, `title` its chart.
    """

    key: str
    title: str
    label: str
    points: Sequence[Point]


def percent(part: int, whole: int) -> int | None:
    """A share in per cent: 100 only when it is all, 0 only when it is none; None where there is no whole."""
    if part in (0, whole):
        return 100 * (part == whole) if whole else None
    return min(99, max(1, round(100 * part / whole)))


def line_chart(series: Series, what: tuple[str, str]) -> SafeString:
    """A share as a line, 0 to 100 per cent, with its last value in words. `what` is counted: "coach", "coaches".

    The months stand side by side in equal steps; one in which nobody was asked, or that was not counted, is a gap.
    """
    last = series.points[-1]
    value = "Nobody asked"
    if last.whole:
        value = f"<strong>{percent(last.part, last.whole)}%</strong> {last.part} of {last.whole} {_noun(last, what)}"
    ids = f"chart-{series.key}"
    return SafeString(
        f'<figure class="hwbc-chart"><figcaption class="hwbc-chart__caption">'
        f'<span class="hwbc-chart__title">{escape(series.title)}</span> '
        f'<span class="hwbc-chart__value">{value}</span></figcaption>'
        f'<svg class="hwbc-chart__picture" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" focusable="false" '
        f'aria-labelledby="{ids}-title {ids}-text"><title id="{ids}-title">{escape(series.title)}, by month</title>'
        f'<desc id="{ids}-text">{_in_words(series.points)}</desc>{_AXIS}{_line(series.points)}</svg></figure>'
    )


def _noun(point: Point, what: tuple[str, str]) -> str:
    return escape(what[point.whole != 1])


def _y(point: Point) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * point.part / point.whole


_AXIS = "".join(
    f'<path class="hwbc-chart__grid{"" if share else " hwbc-chart__grid--zero"}" d="M{_LEFT:g} {at:g}H{_RIGHT:g}"/>'
    f'<text class="hwbc-chart__text" x="{_LEFT - 5:g}" y="{at:g}" dy="0.35em" text-anchor="end">{share}%</text>'
    for share in (0, 50, 100)
    for at in [_BOTTOM - (_BOTTOM - _TOP) * share / 100]
)


def _line(points: Sequence[Point]) -> str:
    """The line with a dot a month, a ring at the present day with its value, and the names of both ends."""
    first, last = points[0], points[-1]
    months = [point.at.year * 12 + point.at.month for point in points]
    step = (_RIGHT - _LEFT) / max(1, months[-1] - months[0])
    drawn = [
        (month, _RIGHT - step * (months[-1] - month), _y(point))
        for month, point in zip(months, points, strict=True)
        if point.whole
    ]
    line, dots, before = [], [], 0
    for month, x, y in drawn:
        line.append(f"{'L' if month == before + 1 else 'M'}{x:.1f} {y:.1f}")
        dots.append(f"M{x:.1f} {y:.1f}h0")
        before = month
    ends = f'<text class="hwbc-chart__text" x="{_WIDTH - 2}" y="{_MONTHS_AT}" text-anchor="end">{_name(last.at)}</text>'
    if len(points) > 1:
        ends = f'<text class="hwbc-chart__text" x="{_LEFT:g}" y="{_MONTHS_AT}">{_name(first.at)}</text>{ends}'
    if not drawn:
        middle = f'x="{(_LEFT + _RIGHT) / 2:g}" y="{(_TOP + _BOTTOM) / 2 + 20:g}" text-anchor="middle"'
        return f'{ends}<text class="hwbc-chart__text" {middle}>Nobody asked</text>'
    picture = (
        f'<path class="hwbc-chart__line" d="{"".join(line)}"/><path class="hwbc-chart__dots" d="{"".join(dots)}"/>'
    )
    if last.whole:
        picture += _present(last, [y for _, x, y in drawn if x > _WIDTH - _WIDE - step])
    return picture + ends


def _present(last: Point, near: Sequence[float]) -> str:
    """The ring at the present day, and its value above or below the line (`near`: where it runs there)."""
    y = near[-1]
    places = [at for at in (min(near) - _ABOVE, max(near) + _BELOW) if _TOP <= at <= _BOTTOM + 5]
    place = min(places, key=lambda at: abs(at + 5 - y), default=y + (_BELOW if y < _BOTTOM / 2 else -_ABOVE))
    return (
        f'<circle class="hwbc-chart__present" cx="{_RIGHT:g}" cy="{y:.1f}" r="4.5"/>'
        f'<text class="hwbc-chart__last" x="{_WIDTH - 2}" y="{place:.1f}" text-anchor="end">'
        f"{percent(last.part, last.whole)}%</text>"
    )


@lru_cache(maxsize=512)  # of the charts of a page, all have the same days
def _name(day: date) -> str:
    """A month by its name where the day is its last, which stands for it; any other day in full."""
    ends = (day + timedelta(days=1)).month != day.month
    return f"{day:%b %Y}" if ends else f"{day.day} {day:%b %Y}"


def _in_words(points: Sequence[Point]) -> str:
    """What the line shows, for whoever does not see it: both ends, the extremes, and how many gaps there are."""
    asked = [point for point in points if point.whole]
    if not asked:
        return "Nobody was asked on any of these days."
    first, last = asked[0], asked[-1]
    words = [f"{_share(last)}."]
    if first is not last:
        words = [f"From {_share(first)} to {_share(last)}."]
        lowest = min(asked, key=lambda point: point.part / point.whole)
        highest = max(asked, key=lambda point: point.part / point.whole)
        if lowest.part * highest.whole != highest.part * lowest.whole:
            words.append(f"Lowest: {_share(lowest)}. Highest: {_share(highest)}.")
    if gaps := len(points) - len(asked):
        words.append(f"On {gaps} of {len(points)} days nobody was asked.")
    return " ".join(words)


def _share(point: Point) -> str:
    return f"{percent(point.part, point.whole)}% ({point.part} of {point.whole}) on {_day(point.at)}"


@lru_cache(maxsize=512)
def _day(day: date) -> str:
    return f"{day.day} {day:%B %Y}"


def data_table(caption: str, series: Sequence[Series]) -> SafeString:
    """The numbers behind charts that have the same days: a row a day, the newest first, a column a chart."""
    heads = "".join(f'<th scope="col">{escape(each.label)}</th>' for each in series)
    rows = [
        f'<tr><th scope="row">{_day(points[0].at)}</th>{"".join(map(_cell, points))}</tr>'
        for points in zip(*(each.points for each in series), strict=True)
    ]
    return SafeString(
        f'<table class="hwbc-chart-data"><caption class="nhsuk-table__caption">{escape(caption)}</caption>'
        f'<thead><tr><th scope="col">Day</th>{heads}</tr></thead><tbody>{"".join(reversed(rows))}</tbody></table>'
    )


def _cell(point: Point) -> str:
    if not point.whole:
        return "<td><span>Nobody asked</span></td>"
    return (
        f"<td>{_linked(point.part, point.part_href)} of {_linked(point.whole, point.whole_href)} "
        f"<span>{percent(point.part, point.whole)}%</span></td>"
    )


def _linked(number: int, href: str | None) -> str:
    """A number, as a link where there are rows behind it."""
    return str(number) if not number or href is None else f'<a href="{escape(href)}">{number}</a>'
