"""Our components are the official ones: every example that NHS.UK frontend ships, rendered here, is the same HTML."""

import json
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import html5lib
import pytest
from django.utils.safestring import mark_safe

from hwbc.kit.render import components, render

ROOT = Path(__file__).resolve().parents[2]
FRONTEND = ROOT / "node_modules" / "nhsuk-frontend"

# The pair that goes together: bump both, then run this file.
NPM_VERSION, PYPI_VERSION = "10.6.1", "0.10.2"
OFFICIAL_EXAMPLES = 983

# reason → names of the examples that differ because of it
KNOWN_DIFFERENCES: dict[str, list[str]] = {}


def examples() -> dict[str, tuple[str, dict[str, Any]]]:
    """Name → component and example, from every fixtures.json of the package."""
    found = {}
    for path in sorted(FRONTEND.glob("dist/nhsuk/components/*/fixtures.json")):
        fixtures = json.loads(path.read_text())
        for example in fixtures["fixtures"]:
            name = f"{fixtures['component']}: {example['name']}"
            if example.get("description"):
                name += f" ({example['description']})"
            assert name not in found, f"two examples are called {name}"
            found[name] = fixtures["component"], example
    return found


def tree(html: str) -> Any:
    """Elements, attributes and words; neither the order of attributes nor white space counts."""

    def words(text: str | None) -> str:
        return re.sub(r"\s+", " ", text or "").strip()

    def node(element: Any) -> Any:
        children = [part for child in element for part in (node(child), words(child.tail))]
        return (str(element.tag), sorted(element.attrib.items()), words(element.text), children)

    return node(html5lib.parseFragment(html, treebuilder="etree", namespaceHTMLElements=False))


def ours(component: str, example: dict[str, Any]) -> str:
    block = example.get("callBlock")
    return render(component, example["context"], content=None if block is None else mark_safe(block))


def test_every_official_example_comes_out_the_same():
    all_examples = examples()
    different = {
        name
        for name, (component, example) in all_examples.items()
        if tree(ours(component, example)) != tree(example["html"])
    }
    known = {name for names in KNOWN_DIFFERENCES.values() for name in names}
    print(f"{len(all_examples) - len(different)} of {len(all_examples)} official examples are equal")
    assert len(all_examples) == OFFICIAL_EXAMPLES
    assert different - known == set(), "differ, and no reason is given"
    assert known - different == set(), "no longer differ: take them out of KNOWN_DIFFERENCES"


def test_the_comparison_sees_a_difference():
    assert tree('<p class="a" id="b">One  two</p>') == tree('<p id="b" class="a">\n One two </p>')
    assert tree("<p>One</p>") != tree("<p>Two</p>")
    assert tree('<p class="a">One</p>') != tree('<p class="b">One</p>')
    assert tree("<p>One<b>!</b></p>") != tree("<p>One</p>")


def test_there_is_a_component_for_every_folder_of_the_package():
    assert components() == {path.parent.name for path in FRONTEND.glob("dist/nhsuk/components/*/macro.njk")}


def test_npm_and_pypi_packages_are_the_matching_pair():
    asked = json.loads((ROOT / "package.json").read_text())["dependencies"]["nhsuk-frontend"]
    installed = json.loads((FRONTEND / "package.json").read_text())["version"]
    assert asked == installed == NPM_VERSION
    assert version("nhsuk-frontend-jinja") == PYPI_VERSION


def with_canary(value: Any, canary: str) -> Any:
    """The same parameters with `canary` for every "text"."""
    if isinstance(value, dict):
        return {key: canary if key == "text" else with_canary(item, canary) for key, item in value.items()}
    if isinstance(value, list):
        return [with_canary(item, canary) for item in value]
    return value


def test_text_is_escaped_in_every_component():
    canary, escaped = "<script>alert('x')</script>", 0
    for name, (component, example) in examples().items():
        html = render(component, with_canary(example["context"], canary))
        assert "<script>" not in html, name
        escaped += "&lt;script&gt;" in html
    assert escaped > OFFICIAL_EXAMPLES / 2


def test_an_unknown_component_names_the_ones_there_are():
    with pytest.raises(ValueError, match=r'no component "carousel".*date-input.*warning-callout'):
        render("carousel", {})
