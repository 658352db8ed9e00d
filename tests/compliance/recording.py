"""Filling in the pages that write something down, as a browser does."""

from datetime import date
from typing import Any

from django.test import Client


def day(name: str, value: date | None) -> dict[str, str]:
    """A date in its three boxes."""
    parts = (value.day, value.month, value.year) if value else ("", "", "")
    return {f"{name}_{part}": str(number) for part, number in zip(("day", "month", "year"), parts, strict=True)}


def posted(client: Client, url: str, data: dict[str, Any]) -> Any:
    """The page that is led to."""
    return client.post(url, {name: value for name, value in data.items() if value is not None}, follow=True)


def said(response: Any) -> list[str]:
    """The messages on the page that was led to."""
    return [str(message) for message in response.context["messages"]]


def words(response: Any) -> str:
    """What is read of a page."""
    from tests import markup

    text = response.content.decode()
    assert markup.faults(text) == []
    return markup.text_of(markup.parse(text))
