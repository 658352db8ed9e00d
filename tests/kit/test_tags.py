"""The template tags."""

from datetime import UTC, date, datetime

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from hwbc.kit.render import render
from hwbc.kit.templatetags.nhsuk import clock
from tests.kit.html import parse, text


def shown(source: str, **context: object) -> str:
    return Template("{% load nhsuk %}" + source).render(Context(context))


def test_keywords_in_snake_case_are_parameters():
    assert shown('{% nhsuk "error-summary" title_text="Oh" error_list=errors %}', errors=[{"text": "x"}]) == render(
        "error-summary", {"titleText": "Oh", "errorList": [{"text": "x"}]}
    )


def test_keywords_win_over_the_mapping():
    html = shown('{% nhsuk "tag" params text="Now" %}', params={"text": "Then", "colour": "red"})
    assert html == render("tag", {"text": "Now", "colour": "red"})


def test_a_heading_written_out_in_a_template_appears_once():
    html = shown('{% nhsuk "warning-callout" heading="School" text="Closed" %}')
    assert html == render("warning-callout", {"heading": "School", "text": "Closed"})
    assert html.count("School") == 1


def test_a_keyword_is_text_even_if_it_is_marked_safe_and_html_is_html():
    assert "&lt;b&gt;" in shown('{% nhsuk "tag" text=value %}', value=mark_safe("<b>x</b>"))
    assert "<b>x</b>" in shown('{% nhsuk "tag" html=value %}', value=mark_safe("<b>x</b>"))


def test_a_block_is_the_html_of_its_component():
    html = shown('{% nhsukblock "details" summary_text=why %}<p>{{ value }}</p>{% endnhsukblock %}', why="W", value="<")
    assert html == render("details", {"summaryText": "W", "html": "<p>&lt;</p>"})
    assert text(parse(html).find(".//p")) == "<"


@pytest.mark.parametrize(
    "source", ["{% nhsukblock %}{% endnhsukblock %}", '{% nhsukblock "tag" "x" %}{% endnhsukblock %}']
)
def test_a_block_that_is_written_wrong_is_refused(source):
    with pytest.raises(TemplateSyntaxError, match="nhsukblock"):
        shown(source)


def test_values_are_made_plain_all_the_way_down():
    html = render(
        "summary-list",
        {
            "rows": (
                {"key": {"text": lazystr("<Name>")}, "value": {"html": mark_safe("<i>Asha</i>")}, "actions": None}
                for _ in range(2)
            )
        },
    )
    root = parse(html)
    assert [text(element) for element in root.iter("dt")] == ["<Name>", "<Name>"]
    assert len(list(root.iter("i"))) == 2


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (datetime(2026, 1, 15, 9, 30, tzinfo=UTC), "9:30am"),
        (datetime(2026, 7, 15, 9, 30, tzinfo=UTC), "10:30am"),  # London is an hour ahead in summer
        (datetime(2026, 1, 15, 17, 0, tzinfo=UTC), "5pm"),
        (datetime(2026, 1, 15, 12, 0, tzinfo=UTC), "midday"),
        (datetime(2026, 1, 15, 0, 0, tzinfo=UTC), "midnight"),
        (datetime(2026, 1, 15, 0, 5, tzinfo=UTC), "12:05am"),
        (datetime(2026, 1, 15, 12, 5, tzinfo=UTC), "12:05pm"),
        (None, ""),
    ],
)
def test_times_are_written_as_the_service_manual_says(moment: datetime | None, written: str) -> None:
    assert clock(moment) == written


def test_dates_are_written_as_the_service_manual_says() -> None:
    assert Template("{{ day }}").render(Context({"day": date(2026, 3, 5)})) == "5 March 2026"
