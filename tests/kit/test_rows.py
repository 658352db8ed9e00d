"""Rows of lists: escaped, and nothing is shown that was not given."""

from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from django.template import Context, Template
from django.utils.safestring import mark_safe
from jinja2 import UndefinedError

from hwbc.kit import rows
from hwbc.kit.render import render

TEMPLATES = sorted(path.name for path in (Path(__file__).parents[2] / "templates" / "rows").glob("*.jinja"))


def made(source: str, **given: object) -> str:
    return rows.environment().from_string(source).render(given)


def test_text_is_escaped_and_markup_is_not() -> None:
    assert made("{{ a }}{{ b }}", a="<b>", b=mark_safe("<i>")) == "&lt;b&gt;<i>"


def test_what_was_not_given_is_an_error() -> None:
    with pytest.raises(UndefinedError):
        made("{{ nothing }}")


def test_days_and_moments_are_those_of_london() -> None:
    assert made("{{ a | day }}", a=date(2026, 3, 5)) == "5 March 2026"
    assert made("{{ a | day }}", a=datetime(2026, 6, 30, 23, 30, tzinfo=UTC)) == "1 July 2026"
    assert made("{{ a | day('No date') }}", a=None) == "No date"
    assert made("{{ 1 | plural }}{{ 2 | plural }}{{ 0 | plural('y,ies') }}") == "sies"


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_template_of_rows_is_compiled(name: str) -> None:
    assert rows.environment().get_template(f"rows/{name}")


def test_the_tag_hands_on_what_it_is_given() -> None:
    page = Template('{% load nhsuk %}{% rows "rows/sort.jinja" headings=given %}')
    heading = {"label": "<Name>", "href": "?sort=name&page=1", "direction": "ascending"}
    shown = page.render(Context({"given": [heading, {"label": "Why", "href": None, "direction": None}]}))
    assert (
        shown.strip()
        == '<li><a href="?sort=name&amp;page=1" aria-current="true">&lt;Name&gt;, the other way round</a></li>'
    )


def test_a_component_that_is_kept_is_the_same_and_only_for_the_same() -> None:
    """What was made is found again by its parameters, types and all: text is never taken for markup."""
    as_text = render("tag", {"text": "<b>"})
    assert render("tag", {"text": "<b>"}) == as_text
    assert "&lt;b&gt;" in as_text

    unsafe, safe = render("button", {"text": "<i>"}), render("button", {"html": mark_safe("<i>")})
    assert "&lt;i&gt;" in unsafe
    assert "<i>" in safe
    assert render("button", {"text": "A", "disabled": True}) != render("button", {"text": "A"})
    assert render("select", {"id": "a", "name": "a", "items": [{"text": "1", "value": 1}]}) == render(
        "select", {"id": "a", "name": "a", "items": [{"text": "1", "value": 1}]}
    )
