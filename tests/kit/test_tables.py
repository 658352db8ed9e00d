"""Lists: sorted, cut into pages and addressed by the address alone."""

import random

import pytest
from django.http import QueryDict
from django.template.loader import render_to_string

from hwbc.kit.tables import Column, Table
from tests.kit.html import parse, text

Row = tuple[str, int]
COLUMNS: list[Column[Row]] = [
    Column("name", "Name", lambda row: row[0]),
    Column("size", "Size", lambda row: row[1], numeric=True),
    Column("why", "Why"),
]
ROWS: list[Row] = [("Ada", 3), ("Bea", 1), ("Cal", 3), ("Dan", 2), ("Eve", 1)]


def table(query: str = "", rows: list[Row] = ROWS, **options: object) -> Table[Row]:
    return Table(rows, COLUMNS, QueryDict(query), noun=("row", "rows"), **options)  # type: ignore[arg-type]


def names(shown: Table[Row]) -> str:
    return "".join(name[0] for name, _ in shown.rows)


@pytest.mark.parametrize(
    ("query", "order"),
    [
        ("", "ABCDE"),
        ("sort=size", "BEDAC"),  # equal ones stay as they came …
        ("sort=-size", "ACDBE"),  # … in both directions
        ("sort=-name", "EDCBA"),
        ("sort=why", "ABCDE"),
        ("sort=nothing", "ABCDE"),
        ("sort=--size", "ABCDE"),
        ("sort=", "ABCDE"),
    ],
)
def test_the_address_says_how_it_is_sorted(query: str, order: str) -> None:
    assert names(table(query)) == order


def test_a_default_order_gives_way_to_the_address() -> None:
    assert names(table(default="-size")) == "ACDBE"
    assert names(table("sort=name", default="-size")) == "ABCDE"
    assert table(default="-size").sorted_by == "Size"
    assert table().sorted_by == ""


@pytest.mark.parametrize(
    ("query", "page", "order"),
    [
        ("", 1, "AB"),
        ("page=2", 2, "CD"),
        ("page=3", 3, "E"),
        ("page=4", 3, "E"),
        ("page=0", 1, "AB"),
        ("page=-1", 1, "AB"),
        ("page=two", 1, "AB"),
        ("page=²", 1, "AB"),
        ("page=999999999999", 1, "AB"),
    ],
)
def test_pages(query: str, page: int, order: str) -> None:
    shown = table(query, per_page=2)
    assert (shown.page, names(shown), shown.pages) == (page, order, 3)
    assert (shown.first, shown.last) == (page * 2 - 1, min(page * 2, 5))


def test_an_empty_list_has_one_page_without_rows() -> None:
    shown = table("page=3", rows=[])
    assert (shown.count, shown.pages, shown.page, shown.first, shown.last) == (0, 1, 1, 0, 0)
    assert shown.pagination is None
    assert shown.noun == "rows"


def test_every_row_stands_on_exactly_one_page() -> None:
    rng = random.Random(3)
    for count in (1, 24, 25, 26, 60):
        rows = [(f"{number:03}", rng.randint(1, 5)) for number in range(count)]
        pages = table(rows=rows).pages
        assert pages == -(-count // 25)
        seen = [row for page in range(1, pages + 1) for row in table(f"sort=size&page={page}", rows=rows).rows]
        assert seen == sorted(rows, key=lambda row: row[1])


def test_links_keep_what_else_the_address_says() -> None:
    shown = table("state=red&sort=size&page=2&as-at=2026-03-31&place=a%26b", per_page=2)
    assert shown.href(page="3") == "?state=red&sort=size&as-at=2026-03-31&place=a%26b&page=3"
    assert shown.href(state=None, page=None) == "?sort=size&as-at=2026-03-31&place=a%26b"
    name, size, why = shown.headings
    assert name.href == "?state=red&as-at=2026-03-31&place=a%26b&sort=name"  # a new order begins on page 1
    assert size.href == "?state=red&as-at=2026-03-31&place=a%26b&sort=-size"  # the sorted column turns round
    assert (size.direction, name.direction, why.href) == ("ascending", None, None)
    assert table("sort=-size").headings[1].href == "?sort=size"


def test_a_long_list_shows_its_ends_and_where_you_are() -> None:
    shown = table("page=10", rows=[("x", 1)] * 400, per_page=20)
    assert shown.pagination is not None
    items = [item.get("number", "…") for item in shown.pagination["items"]]
    assert items == [1, "…", 9, 10, 11, "…", 20]
    assert shown.pagination["previous"]["href"] == "?page=9"
    assert shown.pagination["next"]["href"] == "?page=11"


def head(shown: Table[Row]) -> str:
    return render_to_string("components/list_head.html", {"table": shown})


def test_the_head_has_the_count_and_says_how_it_is_sorted() -> None:
    html = head(table("sort=size", rows=ROWS * 300))
    root = parse(f"<table>{html}</table>")
    assert text(root.find(".//caption")) == "1,500 rows, 1 to 25 shown"
    headings = {text(th): th for th in root.iter("th")}
    assert headings["Size"].get("aria-sort") == "ascending"
    assert headings["Name"].get("aria-sort") is None
    assert headings["Why"].find("a") is None
    assert all(th.get("scope") == "col" for th in headings.values())


def test_a_caption_of_its_own_stands_before_the_count() -> None:
    root = parse(f"<table>{head(table(rows=ROWS[:1], caption='Findings'))}</table>")
    assert text(root.find(".//caption")) == "Findings: 1 row"


def test_where_rows_are_stacked_the_sort_links_stand_before_them() -> None:
    root = parse(render_to_string("components/list_sort.html", {"table": table("sort=size")}))
    assert text(root.find(".//summary")) == "Sorted by: Size"
    links = [(text(a), a.get("href"), a.get("aria-current")) for a in root.iter("a")]
    assert links == [("Name", "?sort=name", None), ("Size, the other way round", "?sort=-size", "true")]
