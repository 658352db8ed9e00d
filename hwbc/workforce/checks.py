"""System checks: what must be declared is declared, or the service does not start."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.apps import AppConfig
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured
from django.urls import URLPattern, URLResolver, get_resolver

from hwbc.workforce import walls
from hwbc.workforce.access import declaration


def pages(patterns: Sequence[Any] | None = None, prefix: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Every page of the URL configuration, with its route."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLResolver):
            yield from pages(pattern.url_patterns, route)
        else:
            yield route, pattern


@register
def every_page_declares(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A page that declares nothing does not open: better not to start at all."""
    return [
        Error(
            f"The page /{route} declares nothing.",
            hint="Put @needs(Can.…), @signed_in or @public(reason) on its view (hwbc.workforce.access).",
            id="hwbc.E001",
        )
        for route, pattern in pages()
        if declaration(pattern.callback, pattern.name) is None
    ]


@register
def every_table_has_its_wall(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    """A model without a wall would be readable by everybody or by nobody."""
    try:
        walls.declared()
    except ImproperlyConfigured as fault:
        return [Error(str(fault), id="hwbc.E002")]
    return []
