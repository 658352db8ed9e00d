"""The forms that a page shows: their fields, and how somebody fills them in."""

from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random
from urllib.parse import parse_qsl, urljoin, urlsplit
from xml.etree.ElementTree import Element

import html5lib

from hwbc.kit.periods import today
from tests.fuzz.values import Pairs


@dataclass
class Asked:
    """One field: what it holds already, and what may be chosen."""

    name: str
    kind: str  # the type of an input, or select, textarea
    holds: list[str] = field(default_factory=list)
    choices: list[str] = field(default_factory=list)


@dataclass
class Shown:
    """One form as a page shows it."""

    action: str
    method: str
    multipart: bool = False
    fields: dict[str, Asked] = field(default_factory=dict)

    def filled(self, rng: Random, known: dict[str, str]) -> Pairs:
        """Filled in as somebody might; `known`: answers that cannot be guessed."""
        pairs: Pairs = []
        for each in self.fields.values():
            if each.name in known:
                pairs.append((each.name, known[each.name]))
            elif each.kind in ("radio", "select", "checkbox"):
                pairs += [(each.name, value) for value in self._chosen(rng, each)]
            elif each.kind != "file":
                pairs.append((each.name, each.holds[0] if each.holds and each.holds[0] else _guess(each)))
        return pairs

    @staticmethod
    def _chosen(rng: Random, asked: Asked) -> list[str]:
        choices = [choice for choice in asked.choices if choice]
        if asked.kind == "checkbox":
            return [choice for choice in choices if choice in asked.holds or rng.random() < 0.5]
        if asked.holds and asked.holds[0] and rng.random() < 0.5:
            return asked.holds[:1]
        return [rng.choice(choices)] if choices else []


def _guess(asked: Asked) -> str:
    day = today()
    for part, number in (("_day", day.day), ("_month", day.month), ("_year", day.year)):
        if asked.name.endswith(part):
            return str(number)
    if "email" in asked.name or asked.kind == "email":
        return "somebody.new@example.org"
    for words, value in (("minutes", "45"), ("hours", "30"), ("attended", f"{day:%d/%m/%Y}"), ("clock", "09:30")):
        if words in asked.name:
            return value
    return "Invented words"


def _root(html: str) -> Element:
    root: Element = html5lib.parse(html, treebuilder="etree", namespaceHTMLElements=False)
    return root


def forms(html: str, address: str, method: str = "post", without: Collection[str] = ()) -> list[Shown]:
    """The forms of a page that are sent with this method, but those that go to an address of `without`."""
    found = []
    for form in _root(html).iter("form"):
        if form.get("method", "get").lower() != method:
            continue
        shown = Shown(urljoin(address, form.get("action") or address), method, "multipart" in form.get("enctype", ""))
        if urlsplit(shown.action).path in without:
            continue
        for element in form.iter():
            _add(shown, element)
        shown.fields.pop("csrfmiddlewaretoken", None)
        found.append(shown)
    return found


def _add(shown: Shown, element: Element) -> None:
    name, tag = element.get("name"), element.tag
    if not name or tag not in ("input", "select", "textarea", "button"):
        return
    kind = element.get("type", "text") if tag in ("input", "button") else str(tag)
    asked = shown.fields.setdefault(name, Asked(name, kind))
    if tag == "select":
        for option in element.iter("option"):
            asked.choices.append(option.get("value", ""))
            if option.get("selected") is not None:
                asked.holds.append(option.get("value", ""))
    elif tag == "textarea":
        asked.holds.append("".join(element.itertext()))
    elif kind in ("radio", "checkbox"):
        asked.choices.append(element.get("value", "on"))
        if element.get("checked") is not None:
            asked.holds.append(element.get("value", "on"))
    else:
        asked.holds.append(element.get("value", ""))


def parameters(html: str) -> set[str]:
    """Names of what the page's own links and filters ask for."""
    names = set()
    for link in _root(html).iter("a"):
        names |= {name for name, _ in parse_qsl(urlsplit(link.get("href", "")).query, keep_blank_values=True)}
    for shown in forms(html, "/", "get"):
        names |= set(shown.fields)
    return names
