"""What pages about standing show again and again: the tag of a state."""

from functools import cache, lru_cache

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from hwbc.compliance.catalogue import STATES
from hwbc.kit.render import render

register = template.Library()


@register.simple_tag
@cache
def state(name: str) -> SafeString:
    """The tag of a state, in words and colour: `{% state answer.state %}`."""
    words, colour, _ = STATES[name]
    return render("tag", {"text": words, "colour": colour})


@lru_cache(maxsize=1000)  # a list has hundreds of them, and a few dozen different ones
def state_cell(label: str, name: str, note: str) -> SafeString:
    """A cell of a list: a column's state, with what there is to say about it in few words."""
    return format_html(
        '<td role="cell" class="nhsuk-table__cell"><span class="nhsuk-table-responsive__heading" aria-hidden="true">{} '
        "</span><div>{}{}</div></td>",
        label,
        state(name),
        format_html(' <span class="hwbc-states__note">{}</span>', note) if note else "",
    )
