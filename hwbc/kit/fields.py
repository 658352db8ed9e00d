"""Django form fields as NHS.UK components: the state of a field becomes the parameters of a component.

Any plain Django form works. `DateField` (three boxes) and `CharacterCount` are what Django does not have; `NhsukForm`
adds answers that reveal further questions, and words for what is missing.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import Any, ClassVar, NamedTuple

from django import forms
from django.core.exceptions import ValidationError
from django.forms.boundfield import BoundField
from django.forms.utils import pretty_name
from django.forms.widgets import ChoiceWidget, Input
from django.utils.html import escape, format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from hwbc.kit.layout import form_helper

Params = dict[str, Any]

# --- Dates in three parts -------------------------------------------------------------------------------------------

DATE_PARTS = ("day", "month", "year")


class DateParts(NamedTuple):
    """A date as it was typed."""

    day: str
    month: str
    year: str


class DateInput(forms.Widget):
    """Three text boxes, posted as `<name>_day`, `<name>_month` and `<name>_year`."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> DateParts:
        """What was typed, without the spaces around it."""
        return DateParts(*(str(data.get(f"{name}_{part}") or "").strip() for part in DATE_PARTS))

    def value_omitted_from_data(self, data: Mapping[str, Any], files: Any, name: str) -> bool:
        """Whether the form was sent without this question."""
        return not any(f"{name}_{part}" in data for part in DATE_PARTS)

    def format_value(self, value: Any) -> Any:
        """The three texts to show for a date, for what was typed, or for nothing."""
        if isinstance(value, date):
            return DateParts(str(value.day), str(value.month), str(value.year))
        return value if isinstance(value, DateParts) else DateParts("", "", "")


_MOST_DIGITS = 20  # that are looked at: a number of more is out of range already


class DateField(forms.Field):
    """A date typed in three parts. Its errors name the parts that are wrong, in `params["parts"]`."""

    widget = DateInput
    label: Any

    def get_bound_field(self, form: forms.BaseForm, field_name: str) -> BoundField:
        """Bound to its form; from then on the errors can name the question."""
        if self.label is None:
            self.label = pretty_name(field_name)
        return super().get_bound_field(form, field_name)

    def clean(self, value: Any) -> Any:
        """The date, or None where it is optional and empty."""
        if isinstance(value, DateParts) and not any(value):
            value = None
        return super().clean(value)

    def to_python(self, value: Any) -> date | None:
        """The date that was typed; ValidationError says what is wrong with it."""
        if not isinstance(value, DateParts) or not any(value):
            return value if isinstance(value, date) else None
        missing = [part for part, text in zip(DATE_PARTS, value, strict=True) if not text]
        if missing:
            raise self.error(f"must include a {' and '.join(missing)}", missing)
        # str.isdecimal lets the digits of all scripts through, and int() reads them all: of a few, not of thousands.
        typed = zip(DATE_PARTS, value, strict=True)
        numbers = {part: int(text[:_MOST_DIGITS]) if text.isdecimal() else 0 for part, text in typed}
        wrong = [part for part, last in (("day", 31), ("month", 12)) if not 1 <= numbers[part] <= last]
        if not value.year.isdecimal():
            wrong.append("year")
        if wrong:
            raise self.error("must be a real date", wrong)
        if not 1000 <= numbers["year"] <= 9999:
            raise self.error("must have a year of 4 numbers", ["year"])
        try:
            return date(**numbers)
        except ValueError:
            raise self.error("must be a real date", ["day"]) from None  # such as 31 June

    def error(self, message: str, parts: Sequence[str]) -> ValidationError:
        """The error about some of the three boxes."""
        return ValidationError(f"{self.label or 'Date'} {message}", code="invalid", params={"parts": parts})


def wrong_parts(field: BoundField) -> Sequence[str]:
    """The boxes of a date to mark: those its errors name, or all of them when an error is about the date as a whole."""
    named = [part for error in field.errors.as_data() for part in (error.params or {}).get("parts", DATE_PARTS)]
    return [part for part in DATE_PARTS if part in named]


class CharacterCount(forms.Textarea):
    """A text area that says how many of the field's `max_length` characters are left."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> Any:
        """The text; a line break is one character, as the browser counts it, though it sends two."""
        value = super().value_from_datadict(data, files, name)
        return value.replace("\r\n", "\n") if isinstance(value, str) else value


# --- From a bound field to a component ------------------------------------------------------------------------------

# Attributes of a Django widget that are parameters of the component …
PARAMETER_ATTRS = ("autocomplete", "autocapitalize", "inputmode", "pattern", "spellcheck")
# … and those that are not wanted: the browser would cut a text off silently, or check what the server says in words;
# a placeholder disappears when it is needed.
UNWANTED_ATTRS = (
    {"id", "class", "rows", "cols", "maxlength", "minlength", "min", "max", "step", "required", "placeholder"}
    | {"aria-describedby", "aria-invalid"}
    | set(PARAMETER_ATTRS)
)
BLANK_CHOICE = "---------"  # django.db.models.fields.BLANK_CHOICE_DASH


def input_id(field: BoundField) -> str:
    """The id of the field's input, of its first one if there are several."""
    return field.auto_id or field.html_name


def error_target(field: BoundField) -> str:
    """The id to go to from the error summary."""
    if isinstance(field.field.widget, DateInput):
        return f"{input_id(field)}_{wrong_parts(field)[0]}"
    return input_id(field)


def component(
    field: BoundField,
    *,
    reveals: Mapping[str, SafeString] | None = None,
    mark_optional: bool = True,
    label_size: str | None = "s",
    page_heading: bool = False,
    hints: Mapping[str, str] | None = None,
    **extra: Any,
) -> tuple[str, Params]:
    """The component for a bound field: its name and parameters.

    `reveals` is HTML to show when a choice is chosen, `hints` a hint for a choice, both by the value of the choice.
    `page_heading` makes the label or legend the heading of the page. What is `extra` goes to the component as it is.
    """
    widget = field.field.widget
    label = field.label
    if mark_optional and not field.field.required and not isinstance(widget, forms.CheckboxInput):
        label = format_html("{} (optional)", label)
    title: Params = {"text": label, "size": label_size}
    if page_heading:
        title |= {"isPageHeading": True, "size": "l" if label_size in (None, "s") else label_size}
    name, params = _shape(field, title, reveals or {}, hints or {})
    common: Params = {
        "name": field.html_name,
        "hint": field.help_text or None,
        "errorMessage": format_html_join(SafeString("<br>"), "{}", ((error,) for error in field.errors)) or None,
        "disabled": field.field.disabled or None,
    }
    return name, common | params | extra


def _shape(
    field: BoundField, title: Params, reveals: Mapping[str, SafeString], hints: Mapping[str, str]
) -> tuple[str, Params]:
    """The component of the field's widget, with what only that component takes."""
    widget, key = field.field.widget, input_id(field)
    one = {"id": key, "label": title} | _attributes(widget)
    group = {"idPrefix": key, "fieldset": {"legend": title}}
    if isinstance(widget, DateInput):
        return "date-input", {"id": key, "fieldset": {"legend": title}, "items": list(_date_items(field))}
    if isinstance(widget, forms.CheckboxInput):
        return "checkboxes", {"idPrefix": key, "hint": None, "items": [_checkbox(field, title["text"], reveals)]}
    if isinstance(widget, ChoiceWidget):
        items = list(_choices(field, reveals, hints))
        # CheckboxSelectMultiple is a subclass of RadioSelect: ask for what it allows, not for what it is.
        if widget.allow_multiple_selected:
            return "checkboxes", group | {"items": items}
        if isinstance(widget, forms.RadioSelect):
            return "radios", group | {"items": items}
        return "select", one | {"items": items}
    if isinstance(widget, forms.FileInput):
        return "file-upload", one | {"multiple": widget.allow_multiple_selected or None}
    value = field.value()
    if isinstance(widget, forms.Textarea):
        text = _textarea_value(value)
        if isinstance(widget, CharacterCount):
            return "character-count", one | {"value": text, "maxlength": getattr(field.field, "max_length", None)}
        return "textarea", one | {"value": text}
    if isinstance(widget, forms.PasswordInput):
        return "password-input", one | {"value": value if widget.render_value else None}
    if isinstance(widget, forms.NumberInput):
        whole = not isinstance(field.field, forms.DecimalField | forms.FloatField)
        return "input", {"inputmode": "numeric" if whole else "decimal"} | one | {"value": widget.format_value(value)}
    if isinstance(widget, Input):
        # `invalid` input is kept as typed: format_value of a text is the text.
        exact = {"spellcheck": False} if widget.input_type in ("email", "url") else {}
        return "input", exact | one | {"type": widget.input_type, "value": widget.format_value(value)}
    raise TypeError(f"The kit has no component for {type(widget).__name__} (field {field.name}).")


def _attributes(widget: forms.Widget) -> Params:
    """Parameters from the widget's HTML attributes."""
    attrs = widget.attrs
    params: Params = {name: attrs[name] for name in PARAMETER_ATTRS if name in attrs}
    params["classes"] = attrs.get("class")
    if isinstance(widget, forms.Textarea) and attrs.get("rows") != "10":  # 10 is Django's default, 5 NHS.UK's
        params["rows"] = attrs.get("rows")
    others = {name: value for name, value in attrs.items() if name not in UNWANTED_ATTRS}
    params["attributes"] = {name: {"value": value, "optional": True} for name, value in others.items()} or None
    return params


def _textarea_value(value: Any) -> SafeString:
    """The text for a text area, with its line breaks written so that the templates' indenting leaves them alone."""
    text = escape(value or "").replace("\r\n", "\n")
    if text.startswith("\n"):
        text = "\n" + text  # HTML drops the first one
    return mark_safe(text.replace("\n", "&#10;"))  # noqa: S308 - escaped two lines above


def _date_items(field: BoundField) -> Iterator[Params]:
    """The three boxes; only wrong ones are marked."""
    widget = field.field.widget
    assert isinstance(widget, DateInput)
    typed: DateParts = widget.format_value(field.value())
    wrong = wrong_parts(field)
    birthday = "bday-" if widget.attrs.get("autocomplete") == "bday" else None
    for part, text in zip(DATE_PARTS, typed, strict=True):
        yield {
            "id": f"{input_id(field)}_{part}",
            "name": f"{field.html_name}_{part}",
            "label": part.capitalize(),
            "value": text or None,
            "width": 4 if part == "year" else 2,
            "autocomplete": birthday and birthday + part,
            "error": part in wrong,
        }


def _checkbox(field: BoundField, label: Any, reveals: Mapping[str, SafeString]) -> Params:
    """The one item of a yes-or-no checkbox."""
    widget = field.field.widget
    assert isinstance(widget, forms.CheckboxInput)
    return {
        "value": "on",
        "text": label,
        "hint": field.help_text or None,
        "checked": widget.check_test(field.value()),
        "conditional": {"html": reveals["True"]} if "True" in reveals else None,
    }


def _choices(field: BoundField, reveals: Mapping[str, SafeString], hints: Mapping[str, str]) -> Iterator[Params]:
    """The choices of a field; a group's name is a divider before them."""
    widget = field.field.widget
    assert isinstance(widget, ChoiceWidget)
    for group, options, _ in widget.optgroups(field.html_name, widget.format_value(field.value())):
        if group:
            yield {"divider": group}
        for option in options:
            value = str(option["value"])
            chosen = bool(option["selected"])
            yield {
                "value": value,
                "text": "Choose one" if option["label"] == BLANK_CHOICE else option["label"],
                "selected": chosen,
                "checked": chosen,
                "disabled": option["attrs"].get("disabled"),
                "hint": hints.get(value),
                "conditional": {"html": reveals[value]} if value in reveals else None,
            }


def error_list(form: forms.BaseForm) -> list[Params]:
    """The errors of a form for the error summary: first those about the whole, then field by field, each a link."""
    errors: list[Params] = [{"text": error} for error in form.non_field_errors()]
    for name in form.errors:
        if name in form.fields and not form[name].is_hidden:
            target = error_target(form[name])
            errors += ({"text": error, "href": f"#{target}"} for error in form[name].errors)
        elif name in form.fields:
            errors += ({"text": f"{form[name].label}: {error}"} for error in form[name].errors)
    return errors


# --- The mixin ------------------------------------------------------------------------------------------------------

Reveals = Mapping[str, Mapping[Any, Sequence[str]]]


class NhsukForm(forms.BaseForm):
    """What a form may add: `class RecordMeeting(NhsukForm, forms.Form)`.

    A question that another's answer reveals is declared as if it were always asked (`required=True` means "once
    revealed"). While the answer does not reveal it, it is not checked, and what it holds is thrown away.
    """

    #: Field → answer → names of the fields that the answer reveals. For a single checkbox the answer is True.
    reveals: ClassVar[Reveals] = {}
    #: The text of the button; "" for a form whose layout has its own. A plain form may set it too.
    submit = "Save"
    #: "get" for a form of filters
    method = "post"
    #: Whether labels of optional fields say so. A form of filters, all optional, need not.
    mark_optional = True

    @property
    def helper(self) -> Any:
        """How `{% crispy form %}` shows this form."""
        return form_helper(*self.layout(), method=self.method)

    def layout(self) -> Iterable[Any]:
        """Field names and layout objects, top to bottom, without the revealed fields: they follow their question."""
        revealed = self.revealed_by()
        return [name for name in self.fields if name not in revealed]

    def revealed_by(self) -> dict[str, tuple[str, str]]:
        """Revealed field → the question and the answer (as text) that reveal it."""
        return {
            name: (question, str(answer))
            for question, answers in self.reveals.items()
            for answer, names in answers.items()
            for name in names
        }

    def is_asked(self, name: str) -> bool:
        """Whether the answers given reveal this field. Fields that nothing reveals are always asked."""
        condition = self.revealed_by().get(name)
        if condition is None:
            return True
        question, answer = condition
        given = self[question].data
        answers = given if isinstance(given, list | tuple) else [given]
        return answer in map(str, answers) and self.is_asked(question)

    def _clean_fields(self) -> None:
        for name, field in self.fields.items():  # here, when a form has had its time to change labels
            if field.error_messages.get("required") == forms.Field.default_error_messages["required"]:
                field.error_messages["required"] = _ask_for(field, str(self[name].label))
        super()._clean_fields()  # type: ignore[misc]
        for name in self.revealed_by():
            if not self.is_asked(name):
                self.errors.pop(name, None)
                self.cleaned_data[name] = _unasked(self.fields[name])


def _unasked(field: forms.Field) -> Any:
    """What a field comes to that was not asked: what it makes of no answer, as if it could be left out."""
    required, field.required = field.required, False
    try:
        return field.clean(None)
    finally:
        field.required = required


def _ask_for(field: forms.Field, label: str) -> str:
    """What to say when a required field is empty."""
    if isinstance(field, forms.BooleanField):
        return f"Tick “{label}” to continue"
    if label.endswith("?"):
        return f"Answer “{label}”"
    first = label.split(" ")[0]
    words = label if len(first) > 1 and first.isupper() else label[:1].lower() + label[1:]  # "NHS number" stays
    if isinstance(field, forms.FileField):
        return f"Choose a file: {words}"
    return f"Select {words}" if isinstance(field.widget, ChoiceWidget) else f"Enter {words}"
