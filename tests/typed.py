"""A form as a browser would send it, with what was typed into it."""

from typing import Any
from xml.etree.ElementTree import Element

from tests.kit.html import parse_page

Values = dict[str, Any]


def drafted(html: str) -> Element:
    """The form of a page whose text is kept while it is typed."""
    [form] = [
        form
        for form in parse_page(html).iter("form")
        if any(field.get("name") == "typed_by" for field in form.iter("input"))
    ]
    return form


def values(form: Element) -> Values:
    """What is in a form: several values of a name as a list."""
    found: dict[str, list[str]] = {}
    for field in form.iter():
        name, kind = field.get("name"), field.get("type")
        if not name or (kind in ("radio", "checkbox") and field.get("checked") is None) or kind == "file":
            continue
        if field.tag == "input":
            found.setdefault(name, []).append(field.get("value") or "")
        elif field.tag == "textarea":
            found.setdefault(name, []).append((field.text or "").strip())
        elif field.tag == "select":
            offered = list(field.iter("option"))
            chosen = [option for option in offered if option.get("selected") is not None] or offered[:1]
            found.setdefault(name, []).extend(option.get("value") or "" for option in chosen)
    return {name: each[0] if len(each) == 1 else each for name, each in found.items()}


def opened(client: Any, address: str, **typed: Any) -> Values:
    """The form of a page as it is when somebody has typed this into it."""
    response = client.get(address)
    assert response.status_code == 200, response
    return values(drafted(response.content.decode())) | typed
