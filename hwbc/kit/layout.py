"""Layout objects and the helper for `{% crispy form %}` with the template pack `nhsuk`.

A form with `NhsukForm` says what it shows in `layout()`:

    return [Field("held_on", page_heading=True), Section("What was agreed", "actions", "next_on")]
"""

from collections.abc import Iterable, Mapping
from typing import Any

from crispy_forms.helper import FormHelper
from crispy_forms.layout import Layout
from crispy_forms.utils import render_field
from django import forms
from django.utils.safestring import SafeString

from hwbc.kit.render import render


class _Helper(FormHelper):  # type: ignore[misc]
    """Tells a form that wants to know (`before_shown(request)`) that it is about to be shown."""

    def render_layout(self, form: Any, context: Any, *args: Any, **kwargs: Any) -> SafeString:
        if (request := context.get("request")) is not None and hasattr(form, "before_shown"):
            form.before_shown(request)
        html: SafeString = super().render_layout(form, context, *args, **kwargs)
        return html


def form_helper(*layout: Any, method: str = "post") -> Any:
    """A helper for these fields and layout objects; the button under them says what the form's `submit` says."""
    helper = _Helper()
    helper.form_method = method
    helper.layout = Layout(*layout)
    helper.render_hidden_fields = True
    return helper


def fields_html(form: Any, fields: Iterable[Any], context: Any) -> SafeString:
    """Fields and layout objects, one after the other."""
    # Without parameters of its own a field inside another must not see the outer one's.
    own: dict[str, Any] = {"component_params": {}}
    return SafeString("".join(render_field(field, form, context, extra_context=own) for field in fields))


def revealed_html(form: Any, name: str, context: Any) -> Mapping[str, SafeString]:
    """Answer → HTML of the fields it reveals, for one question of the form."""
    answers = getattr(form, "reveals", {}).get(name, {})
    return {str(answer): fields_html(form, fields, context) for answer, fields in answers.items()}


class Field:
    """One field with parameters for its component: `Field("postcode", width=10, label_size="m")`."""

    def __init__(self, name: str, **params: Any) -> None:
        self.name = name
        self.params = params

    def render(self, form: forms.BaseForm, context: Any, **kwargs: Any) -> SafeString:
        """The field's HTML; crispy calls it."""
        html: SafeString = render_field(self.name, form, context, extra_context={"component_params": self.params})
        return html


class Component:
    """Any NHS.UK component between the fields: `Component("inset-text", text="…")`."""

    def __init__(self, component: str, **params: Any) -> None:
        self.component = component
        self.params = params

    def render(self, form: forms.BaseForm, context: Any, **kwargs: Any) -> SafeString:
        """The component's HTML; crispy calls it."""
        return render(self.component, self.params)


class Button(Component):
    """A submit button that takes a double click once: `Button("Save as draft", variant="secondary", name="draft")`."""

    def __init__(self, text: str, **params: Any) -> None:
        super().__init__("button", **({"text": text, "preventDoubleClick": True} | params))


class Section:
    """Fields that belong together, under a heading: `Section("Where you work", "pcn", "practice")`."""

    def __init__(self, heading: str, *fields: Any) -> None:
        self.heading = heading
        self.fields = fields

    def render(self, form: forms.BaseForm, context: Any, **kwargs: Any) -> SafeString:
        """The section's HTML; crispy calls it."""
        legend = {"heading": {"text": self.heading, "level": 2}, "size": "m"}
        return render(
            "fieldset", {"legend": legend, "html": fields_html(form, self.fields, context), "classes": "hwbc-section"}
        )
