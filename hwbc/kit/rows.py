"""The rows of a list: what stands on a page hundreds of times, as Jinja templates, which are compiled to Python.

`{% rows "rows/coaches.jinja" rows=rows %}` in a page's own template shows them. Beside what it is given, such a
template has `url("coach", uuid)`, the filters `day` and `clock`, the component `tag`, and what `offer` added. All text
is escaped. Django's templates take ten times as long for the same: half the time of a list's page.
"""

from collections.abc import Callable
from datetime import date, datetime
from functools import cache, lru_cache
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.safestring import SafeString, mark_safe
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from hwbc.kit.render import render

_offered: dict[str, Callable[..., Any]] = {}


def offer(**helpers: Callable[..., Any]) -> None:
    """Give every template of rows these functions; called once, when an app is ready."""
    _offered.update(helpers)


@lru_cache(maxsize=5000)
def _url(name: str, *args: Any) -> str:
    return reverse(name, args=args)


@lru_cache(maxsize=5000)
def _day(when: date | None, missing: str = "") -> str:
    """15 March 2026, of a moment in London; `missing` where there is none."""
    if when is None:
        return missing
    return date_format(timezone.localtime(when) if isinstance(when, datetime) else when, "DATE_FORMAT")


def _tag(text: str, colour: str) -> SafeString:
    return render("tag", {"text": text, "colour": colour})


def _plural(count: int, endings: str = ",s") -> str:
    """The ending of a word for one, and for another number: `count | plural`, `count | plural("y,ies")`."""
    one, many = endings.split(",")
    return one if count == 1 else many


@cache
def environment() -> Environment:
    """The Jinja environment of all rows. A name that a template uses and is not given is an error."""
    from hwbc.kit.templatetags.nhsuk import clock

    jinja = Environment(
        loader=FileSystemLoader(settings.BASE_DIR / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.globals.update(url=_url, tag=_tag, **_offered)
    jinja.filters.update(day=_day, clock=clock, plural=_plural)
    return jinja


def html(name: str, **given: Any) -> SafeString:
    """The rows as HTML."""
    return mark_safe(environment().get_template(name).render(given))  # noqa: S308 - Jinja escaped it
