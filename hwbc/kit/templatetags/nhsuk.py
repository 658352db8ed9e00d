"""Template tags of the kit: components, form fields, the error summary, the frame of a page."""

import json
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django import forms, template
from django.core.serializers.json import DjangoJSONEncoder
from django.forms.boundfield import BoundField
from django.template.base import FilterExpression, NodeList, Parser, Token, token_kwargs
from django.utils import timezone
from django.utils.safestring import SafeString

from hwbc.kit.context import Frame
from hwbc.kit.fields import component as field_component
from hwbc.kit.fields import error_list
from hwbc.kit.layout import revealed_html
from hwbc.kit.render import render
from hwbc.kit.rows import html

register = template.Library()


def camel_case(name: str) -> str:
    """error_list → errorList"""
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def parameters(params: Mapping[str, Any] | None, extra: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters of a component from a mapping and from keywords in snake case; keywords win.

    Django takes every text written out in a template for safe HTML. To a component that would be both text and HTML,
    and some show it twice; so a keyword is text unless its name ends in `html`.
    """
    plain = {
        name: value + "" if isinstance(value, SafeString) and not name.endswith("html") else value
        for name, value in extra.items()
    }
    return {**(params or {}), **{camel_case(name): value for name, value in plain.items()}}


@register.filter
def clock(moment: datetime | None) -> str:
    """A time as the NHS service manual writes it, in London: 9:30am, 5pm, midday, midnight. Nothing for None."""
    if moment is None:
        return ""
    local = timezone.localtime(moment)
    if local.minute == 0 and local.hour in (0, 12):
        return "midday" if local.hour else "midnight"
    minutes = f":{local.minute:02}" if local.minute else ""
    return f"{local.hour % 12 or 12}{minutes}{'pm' if local.hour >= 12 else 'am'}"


@register.filter
def as_json(value: Any) -> str:
    """For a data attribute that a script of ours reads; the template escapes it."""
    return json.dumps(value, cls=DjangoJSONEncoder)


@register.simple_tag
def nhsuk(component: str, params: Mapping[str, Any] | None = None, /, **extra: Any) -> SafeString:
    """A component: `{% nhsuk "tag" text="Overdue" colour="red" %}` or `{% nhsuk "summary-list" params %}`."""
    return render(component, parameters(params, extra))


@register.simple_tag
def rows(name: str, /, **given: Any) -> SafeString:
    """The rows of a list, by a Jinja template (hwbc.kit.rows): `{% rows "rows/coaches.jinja" rows=rows %}`."""
    return html(name, **given)


class ComponentBlock(template.Node):
    """`{% nhsukblock %}`: a component whose `html` is what stands between the tags."""

    def __init__(self, component: FilterExpression, extra: dict[str, FilterExpression], nodelist: NodeList) -> None:
        self.component, self.extra, self.nodelist = component, extra, nodelist

    def render(self, context: template.Context) -> SafeString:
        """The component around the block."""
        extra = {name: value.resolve(context) for name, value in self.extra.items()}
        return render(self.component.resolve(context), parameters({"html": self.nodelist.render(context)}, extra))


@register.tag
def nhsukblock(parser: Parser, token: Token) -> ComponentBlock:
    """A component around a piece of the page: `{% nhsukblock "details" summary_text="Why" %}…{% endnhsukblock %}`."""
    _, *bits = token.split_contents()
    if not bits:
        raise template.TemplateSyntaxError('nhsukblock needs a component, such as {% nhsukblock "details" %}.')
    component = parser.compile_filter(bits.pop(0))
    extra = token_kwargs(bits, parser)
    if bits:
        raise template.TemplateSyntaxError(f"nhsukblock takes keywords after the component, not {' '.join(bits)}.")
    nodelist = parser.parse(("endnhsukblock",))
    parser.delete_first_token()
    return ComponentBlock(component, extra, nodelist)


@register.simple_tag(takes_context=True)
def nhsuk_field(context: template.Context, field: BoundField, params: Mapping[str, Any] | None = None) -> SafeString:
    """A field of a form with its label, hint and error, and with what its answers reveal."""
    if field.is_hidden:
        return SafeString(field)
    options: dict[str, Any] = {
        "reveals": revealed_html(field.form, field.name, context),
        "mark_optional": getattr(field.form, "mark_optional", True),
    }
    return render(*field_component(field, **(options | dict(params or {}))))


@register.simple_tag(takes_context=True)
def error_summary(context: template.Context, form: forms.BaseForm | str) -> SafeString:
    """What is wrong with a form, if anything is. `base.html` shows it for `form`, once, above the heading."""
    context["summarised"] = form
    if not isinstance(form, forms.BaseForm) or not form.errors:
        return SafeString("")
    return render("error-summary", {"titleText": "There is a problem", "errorList": error_list(form)})


@register.simple_tag(takes_context=True)
def page_frame(context: template.Context) -> Frame:
    """The frame of the page; where no context processor has run (an error page), one that knows the settings only."""
    frame = context.get("frame")
    return frame if isinstance(frame, Frame) else Frame()
