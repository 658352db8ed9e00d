"""Looking at HTML in tests."""

from collections.abc import Iterator
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
from django.template import Context, Template
from django.test import RequestFactory


def parse(html: str) -> Element:
    """A piece of a page."""
    root: Element = html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False)
    return root


def parse_page(html: str) -> Element:
    """A whole page; a mistake in its HTML is an error."""
    root: Element = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(html)
    return root


def text(element: Element | None) -> str:
    """What is read of an element."""
    assert element is not None, "there is no such element"
    return " ".join("".join(element.itertext()).split())


def by_id(root: Element, id: str) -> Element:
    """The one element with this id."""
    found = [element for element in root.iter() if element.get("id") == id]
    assert len(found) == 1, f"{len(found)} elements have the id {id}"
    return found[0]


def with_class(root: Element, name: str) -> list[Element]:
    """Elements of a class."""
    return [element for element in root.iter() if name in (element.get("class") or "").split()]


def controls(root: Element) -> Iterator[Element]:
    """Whatever can be filled in."""
    for element in root.iter():
        if element.tag in ("input", "select", "textarea") and element.get("type") != "hidden":
            yield element


def crispy(form: Any, **context: Any) -> str:
    """A form as a page shows it."""
    template = Template("{% load crispy_forms_tags %}{% crispy form %}")
    return template.render(Context({"form": form, "request": RequestFactory().get("/"), **context}))
