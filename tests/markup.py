"""Reading a page as a strict browser would."""

from collections import Counter
from xml.etree import ElementTree as ET

import html5lib

HTML = "{http://www.w3.org/1999/xhtml}"


def parse(text: str) -> ET.Element:
    """The document; raises AssertionError with every parse error."""
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("etree"))
    root: ET.Element = parser.parse(text)
    errors = [f"{place}: {code} {details}" for place, code, details in parser.errors]
    assert not errors, "\n".join(errors)
    return root


def text_of(element: ET.Element) -> str:
    """All text in an element, white space folded."""
    return " ".join("".join(element.itertext()).split())


def faults(text: str) -> list[str]:
    """What is wrong with a page beyond its syntax: headings, labels, identifiers, references, inline code."""
    root = parse(text)
    found = []
    everything = list(root.iter())
    tags = [element for element in everything if isinstance(element.tag, str)]
    if (count := sum(element.tag == f"{HTML}h1" for element in tags)) != 1:
        found.append(f"{count} h1")
    title = root.find(f".//{HTML}title")
    if title is None or not text_of(title) or text_of(title).startswith("–"):
        found.append("no title")
    if root.get("lang") != "en-GB":
        found.append("no language")
    identifiers = Counter(element.get("id") for element in tags if element.get("id"))
    found += [f"id {name} {count} times" for name, count in identifiers.items() if count > 1]
    labelled = {element.get("for") for element in tags if element.tag == f"{HTML}label"}
    for element in tags:
        name = element.tag.removeprefix(HTML)
        attributes = element.attrib
        asks = name in ("input", "select", "textarea") and attributes.get("type") not in ("hidden", "submit")
        if asks and attributes.get("id") not in labelled and not attributes.get("aria-label"):
            found.append(f"no label: {name} {attributes.get('name')}")
        for attribute in ("aria-describedby", "aria-labelledby", "for"):
            found += [
                f"{attribute} leads nowhere: {target}"
                for target in attributes.get(attribute, "").split()
                if target not in identifiers
            ]
        target = attributes.get("href", "")
        if len(target) > 1 and target.startswith("#") and target[1:] not in identifiers:
            found.append(f"link leads nowhere: {target}")
        if "style" in attributes or any(attribute.startswith("on") for attribute in attributes):
            found.append(f"inline style or script on {name}")
        if name == "script" and not attributes.get("src"):
            found.append("inline script")
        if name == "form" and attributes.get("method", "get").lower() == "post":
            names = {child.get("name") for child in element.iter() if isinstance(child.tag, str)}
            if "csrfmiddlewaretoken" not in names:
                found.append("form without a CSRF token")
        if name == "img" and "alt" not in attributes:
            found.append("img without alt")
    return found
