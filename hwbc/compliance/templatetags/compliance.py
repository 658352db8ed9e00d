"""What pages about standing show again and again: the tag of a state."""

from functools import cache

from django import template
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
