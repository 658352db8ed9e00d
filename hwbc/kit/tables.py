"""Lists: sorted and cut into pages on the server, by the address alone.

The rows are any objects that were gathered already; a page's own template shows the cells. `components/list_head.html`
has the count and the sort links, `components/list_foot.html` the pages. On a narrow screen, where the rows are stacked
and have no head, `components/list_sort.html` before the table has the sort links.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.http import QueryDict

Row = TypeVar("Row")
PER_PAGE = 25


@dataclass(frozen=True)
class Column(Generic[Row]):
    """A column: its heading, and what its rows are sorted by (None: they are not)."""

    key: str
    label: str
    sort: Callable[[Row], Any] | None = None
    numeric: bool = False


@dataclass(frozen=True)
class Heading:
    """A heading as it is shown: where its sort link leads, and how it is sorted now."""

    label: str
    href: str | None
    direction: str | None  # ascending, descending
    numeric: bool


class Table(Generic[Row]):
    """One page of a list.

    `given`: the parameters of the address; `sort` is a column's key, with "-" before it for descending; `page` counts
    from 1. What cannot be read there is as if it were not given. Rows keep the order they came in where they are equal.
    Without a caption of its own the table's is the count.
    """

    def __init__(
        self,
        rows: Sequence[Row],
        columns: Sequence[Column[Row]],
        given: QueryDict,
        *,
        caption: str = "",
        noun: tuple[str, str],
        default: str = "",
        per_page: int = PER_PAGE,
    ) -> None:
        self.columns = {column.key: column for column in columns}
        self.given = given
        self.caption = caption
        self.noun = noun[0] if len(rows) == 1 else noun[1]
        self.count = len(rows)
        self.per_page = per_page
        self.order = self._known(given.get("sort", "")) or default
        self.all_rows = self._sorted(rows)

    def _known(self, order: str) -> str:
        column = self.columns.get(order.removeprefix("-"))
        return order if column is not None and column.sort else ""

    def _sorted(self, rows: Sequence[Row]) -> list[Row]:
        column = self.columns.get(self.order.removeprefix("-"))
        if column is None or column.sort is None:
            return list(rows)
        return sorted(rows, key=column.sort, reverse=self.order.startswith("-"))

    @cached_property
    def pages(self) -> int:
        """How many pages there are; an empty list has one."""
        return max(1, -(-self.count // self.per_page))

    @cached_property
    def page(self) -> int:
        """The page that is shown, from 1."""
        asked = self.given.get("page", "")
        return min(max(int(asked), 1), self.pages) if asked.isascii() and asked.isdecimal() and len(asked) < 9 else 1

    @property
    def rows(self) -> list[Row]:
        """The rows of the page."""
        return self.all_rows[(self.page - 1) * self.per_page : self.page * self.per_page]

    @property
    def first(self) -> int:
        """The number of the page's first row, from 1; 0 in an empty list."""
        return (self.page - 1) * self.per_page + 1 if self.count else 0

    @property
    def last(self) -> int:
        """The number of the page's last row."""
        return min(self.page * self.per_page, self.count)

    @property
    def sorted_by(self) -> str:
        """The label of the column that the rows are sorted by; "" where they are not."""
        column = self.columns.get(self.order.removeprefix("-"))
        return column.label if column else ""

    def href(self, **changed: str | None) -> str:
        """The address of this list with some parameters changed; None takes one out."""
        query = self.given.copy()
        for name, value in changed.items():
            query.pop(name, None)
            if value is not None:
                query[name] = value
        return f"?{query.urlencode()}"

    @cached_property
    def headings(self) -> list[Heading]:
        """The headings with their sort links: the sorted column's turns its direction round."""
        shown = []
        for key, column in self.columns.items():
            direction = {key: "ascending", f"-{key}": "descending"}.get(self.order)
            turned = f"-{key}" if direction == "ascending" else key
            href = self.href(sort=turned, page=None) if column.sort else None
            shown.append(Heading(column.label, href, direction, column.numeric))
        return shown

    @cached_property
    def pagination(self) -> dict[str, Any] | None:
        """Parameters of the pagination component; None where there is one page."""
        if self.pages == 1:
            return None
        near = sorted({1, self.pages, *range(max(1, self.page - 1), min(self.pages, self.page + 1) + 1)})
        items: list[dict[str, Any]] = []
        for before, number in zip([0, *near], near, strict=False):
            if number > before + 1:
                items.append({"ellipsis": True})
            items.append({"number": number, "href": self.href(page=str(number)), "current": number == self.page})
        steps = {}
        if self.page > 1:
            steps["previous"] = {"href": self.href(page=str(self.page - 1))}
        if self.page < self.pages:
            steps["next"] = {"href": self.href(page=str(self.page + 1))}
        return {"items": items, **steps}
