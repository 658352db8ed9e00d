"""One NHS.UK component as HTML: `render("tag", {"text": "Overdue", "colour": "red"})`.

The markup comes from `nhsuk-frontend-jinja`, through one Jinja environment. `tests/kit/test_parity.py` holds its output
equal to the official examples.
"""

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from typing import Any

from django.utils.functional import Promise
from django.utils.safestring import SafeData, SafeString, mark_safe
from jinja2 import ChainableUndefined, Environment, PackageLoader
from markupsafe import Markup

PACKAGE = "nhsuk_frontend_jinja"
FOLDER = "nhsuk/components"


class SafeMarkup(Markup):
    """Safe HTML for the component templates, which ask `is escaped` and then read `.val`."""

    @property
    def val(self) -> str:
        """The HTML as a plain string."""
        return str(self)


@cache
def environment() -> Environment:
    """The Jinja environment of all components."""
    jinja = Environment(
        loader=PackageLoader(PACKAGE),
        undefined=ChainableUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    # As JSON.stringify writes it, with no spaces.
    jinja.policies["json.dumps_kwargs"] = {"separators": (",", ":")}
    return jinja


@cache
def components() -> frozenset[str]:
    """The names `render` takes, such as "date-input"."""
    names = environment().list_templates(filter_func=lambda name: name.startswith(f"{FOLDER}/"))
    return frozenset(
        name.removeprefix(f"{FOLDER}/").split("/")[0]
        for name in names
        if name.count("/") == 3 and name.endswith("/macro.jinja")
    )


@cache
def _macro(component: str) -> Any:
    """The Jinja macro behind a component; its file names it, and not always after the folder (tables → table)."""
    if component not in components():
        raise ValueError(f'There is no component "{component}". There are: {", ".join(sorted(components()))}.')
    jinja = environment()
    path = f"{FOLDER}/{component}/macro.jinja"
    assert jinja.loader is not None
    source, _, _ = jinja.loader.get_source(jinja, path)
    declared = re.search(r"{%-?\s*macro\s+(\w+)", source)
    assert declared, f"{path} declares no macro"
    return getattr(jinja.get_template(path).module, declared[1])


def plain(value: Any) -> Any:
    """`value` in the types the templates test for, all the way down: str, SafeMarkup, dict, list.

    An entry that is None is left out, as if it had not been given.
    """
    if isinstance(value, Promise):
        value = str(value)
    if isinstance(value, SafeData):
        return SafeMarkup(value)
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items() if item is not None}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return value


# What stands on most pages in the same words again. Never what somebody has typed: that must not stay in memory.
_KEPT = frozenset({"back-link", "breadcrumb", "button", "footer", "header", "pagination", "select", "skip-link", "tag"})


def render(component: str, params: Mapping[str, Any], *, content: SafeString | None = None) -> SafeString:
    """The HTML of a component. `content` is what Nunjucks takes as a call block: HTML inside the component."""
    if content is None and (component in _KEPT or (component == "input" and not params.get("value"))):
        return _kept(component, _key(plain(params)))
    return _made(component, plain(params), content)


def _made(component: str, params: Any, content: SafeString | None) -> SafeString:
    macro = _macro(component)
    block = {} if content is None else {"caller": lambda: Markup(content)}  # noqa: S704 - SafeString by type
    html: str = macro(params, **block)
    return mark_safe(html)  # noqa: S308 - Jinja escaped it


class _Key(tuple[Any, ...]):
    """Parameters by which what was made is found again: equal only if all that is in them is, types and all."""

    __slots__ = ()


def _key(params: Any) -> Any:
    # Safe markup equals a text of the same letters, and True equals 1: each goes with what it is.
    if type(params) is str:
        return params
    if type(params) is dict:
        return _Key((dict, *((name, _key(item)) for name, item in params.items())))
    if type(params) is list:
        return _Key((list, *map(_key, params)))
    return _Key((type(params), params))


def _params(key: Any) -> Any:
    if type(key) is not _Key:
        return key
    kind, *rest = key
    if kind is dict:
        return {name: _params(item) for name, item in rest}
    return [_params(item) for item in rest] if kind is list else rest[0]


@lru_cache(maxsize=2000)
def _kept(component: str, key: _Key) -> SafeString:
    return _made(component, _params(key), None)
