"""Every kind of field: empty, filled and wrong, as NHS.UK has it."""

from datetime import date
from typing import Any

import pytest
from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils.datastructures import MultiValueDict
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe

from hwbc.kit.example import ExampleForm
from hwbc.kit.fields import CharacterCount, DateField, NhsukForm
from hwbc.kit.layout import Button, Field, Section
from hwbc.kit.render import render
from tests.kit.html import by_id, controls, crispy, parse, text, with_class

COLOURS = [("r", "Red"), ("g", "Green")]


def shown(field: forms.Field, data: Any = None, initial: Any = None, **params: Any) -> Any:
    """One field called `thing`, shown by itself."""
    form_class: Any = type(
        "One", (NhsukForm, forms.Form), {"thing": field, "layout": lambda self: [Field("thing", **params)]}
    )
    return parse(crispy(form_class(data, initial={"thing": initial})))


# --- One line of text -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "attributes"),
    [
        (forms.CharField(), {"type": "text"}),
        (forms.EmailField(), {"type": "email", "spellcheck": "false"}),
        (forms.CharField(widget=forms.TextInput(attrs={"type": "tel"})), {"type": "tel"}),
        (forms.CharField(widget=forms.TextInput(attrs={"autocomplete": "name"})), {"autocomplete": "name"}),
        (forms.CharField(widget=forms.TextInput(attrs={"data-x": "1", "class": "y"})), {"data-x": "1"}),
        (forms.IntegerField(min_value=1), {"type": "text", "inputmode": "numeric"}),
        (forms.DecimalField(), {"type": "text", "inputmode": "decimal"}),
        (forms.FloatField(), {"type": "text", "inputmode": "decimal"}),
        (forms.CharField(widget=forms.PasswordInput), {"type": "password", "autocomplete": "current-password"}),
        (
            forms.CharField(widget=forms.PasswordInput(attrs={"autocomplete": "new-password"})),
            {"autocomplete": "new-password"},
        ),
        (forms.CharField(disabled=True), {"disabled": ""}),
    ],
)
def test_an_input_has_its_type_and_attributes(field, attributes):
    box = by_id(shown(field), "id_thing")
    assert box.tag == "input"
    assert box.get("name") == "thing"
    assert attributes.items() <= box.attrib.items()


@pytest.mark.parametrize("attribute", ["maxlength", "minlength", "min", "max", "step", "required", "placeholder"])
def test_the_browser_checks_nothing_and_cuts_nothing_off(attribute):
    attrs = {"placeholder": "Your name"}
    for field in (
        forms.CharField(max_length=5, min_length=2, widget=forms.TextInput(attrs=attrs)),
        forms.IntegerField(min_value=1, max_value=9, step_size=2),
        forms.CharField(max_length=5, widget=CharacterCount),
    ):
        assert by_id(shown(field), "id_thing").get(attribute) is None


def test_an_input_keeps_what_was_typed():
    assert by_id(shown(forms.CharField(), initial="Asha"), "id_thing").get("value") == "Asha"
    assert by_id(shown(forms.IntegerField(), {"thing": "twelve"}), "id_thing").get("value") == "twelve"
    assert by_id(shown(forms.IntegerField(), initial=0), "id_thing").get("value") == "0"


def test_a_password_is_not_sent_back():
    html = shown(forms.CharField(widget=forms.PasswordInput, max_length=3), {"thing": "secret"})
    assert by_id(html, "id_thing").get("value") is None
    assert with_class(html, "nhsuk-password-input__toggle")


def test_label_hint_and_error_belong_to_the_input():
    html = shown(forms.IntegerField(label="Length", help_text="In minutes"), {"thing": "x"})
    (label,) = (element for element in html.iter("label") if element.get("for") == "id_thing")
    assert text(label) == "Length"
    assert by_id(html, "id_thing").get("aria-describedby") == "id_thing-hint id_thing-error"
    assert text(by_id(html, "id_thing-hint")) == "In minutes"
    assert text(by_id(html, "id_thing-error")) == "Error: Enter a whole number."
    assert with_class(html, "nhsuk-form-group--error")


def test_optional_fields_say_so_and_filters_need_not():
    assert text(next(shown(forms.CharField(label="Notes", required=False)).iter("label"))) == "Notes (optional)"
    assert text(next(shown(forms.CharField(label="Notes")).iter("label"))) == "Notes"

    class Filters(NhsukForm, forms.Form):
        mark_optional = False
        method = "get"
        submit = "Show"
        word = forms.CharField(required=False)

    html = parse(crispy(Filters()))
    assert text(next(html.iter("label"))) == "Word"
    assert next(html.iter("form")).get("method") == "get"
    assert not [element for element in html.iter("input") if element.get("name") == "csrfmiddlewaretoken"]


def test_a_single_question_can_be_the_heading_of_its_page():
    html = shown(forms.CharField(label="Your name"), page_heading=True)
    assert text(next(html.iter("h1"))) == "Your name"
    html = shown(forms.ChoiceField(label="Colour", choices=COLOURS, widget=forms.RadioSelect), page_heading=True)
    assert text(next(html.iter("legend")).find("h1")) == "Colour"


# --- Longer text, files ---------------------------------------------------------------------------------------------


def test_a_text_area_gives_back_every_line_as_it_was():
    written = "\r\n  first\r\n\r\n    second & <third>"
    for widget in (forms.Textarea, CharacterCount):
        html = shown(forms.CharField(widget=widget, max_length=5, strip=False), {"thing": written})
        assert by_id(html, "id_thing").text == written.replace("\r\n", "\n")


def test_a_text_area_inside_other_components_keeps_its_lines():
    class Nested(NhsukForm, forms.Form):
        reveals = {"colour": {"r": ["why"]}}
        colour = forms.ChoiceField(choices=COLOURS, widget=forms.RadioSelect)
        why = forms.CharField(widget=forms.Textarea)

        def layout(self):
            return [Section("Colours", "colour")]

    form = crispy(Nested({"colour": "r", "why": "one\n\n  two"}))
    inside = render("card", {"heading": "Why", "description": {"html": render("details", {"html": form})}})
    assert by_id(parse(inside), "id_why").text == "one\n\n  two"


def test_rows_of_a_text_area():
    assert by_id(shown(forms.CharField(widget=forms.Textarea)), "id_thing").get("rows") == "5"
    assert by_id(shown(forms.CharField(widget=forms.Textarea(attrs={"rows": 8}))), "id_thing").get("rows") == "8"


def test_a_character_count_counts_a_line_break_once_as_the_browser_does():
    html = shown(forms.CharField(widget=CharacterCount, max_length=5))
    assert with_class(html, "nhsuk-character-count")[0].get("data-maxlength") == "5"
    assert text(by_id(html, "id_thing-info")) == "You can enter up to 5 characters"

    class Note(forms.Form):
        note = forms.CharField(widget=CharacterCount, max_length=5)

    assert Note({"note": "ab\r\ncd"}).is_valid()
    assert not Note({"note": "ab\r\ncde"}).is_valid()


def test_a_file_makes_the_form_multipart():
    class Upload(NhsukForm, forms.Form):
        certificate = forms.FileField(widget=forms.FileInput(attrs={"accept": ".pdf"}))

    html = parse(crispy(Upload()))
    assert next(html.iter("form")).get("enctype") == "multipart/form-data"
    assert by_id(html, "id_certificate").attrib.items() >= {"type": "file", "accept": ".pdf"}.items()
    assert Upload({}).errors["certificate"] == ["Choose a file: certificate"]
    assert Upload({}, MultiValueDict({"certificate": [SimpleUploadedFile("a.pdf", b"x")]})).is_valid()


# --- Choices --------------------------------------------------------------------------------------------------------


def test_a_select_has_its_choices_and_the_chosen_one():
    field = forms.ChoiceField(choices=[("", "---------"), *COLOURS])
    options = list(by_id(shown(field, initial="g"), "id_thing").iter("option"))
    assert [(option.get("value"), text(option)) for option in options] == [
        ("", "Choose one"),
        ("r", "Red"),
        ("g", "Green"),
    ]
    assert ["selected" in option.attrib for option in options] == [False, False, True]


def test_radios_are_a_group_with_a_legend():
    html = shown(forms.ChoiceField(label="Colour", choices=COLOURS, widget=forms.RadioSelect), {"thing": "g"})
    assert text(next(html.iter("legend"))) == "Colour"
    radios = list(controls(html))
    assert [(radio.get("id"), radio.get("type"), "checked" in radio.attrib) for radio in radios] == [
        ("id_thing", "radio", False),
        ("id_thing-2", "radio", True),
    ]


@pytest.mark.parametrize("widget", [forms.CheckboxSelectMultiple, forms.SelectMultiple])
def test_many_choices_are_checkboxes_though_their_widget_may_be_a_kind_of_radio(widget):
    html = shown(forms.MultipleChoiceField(choices=COLOURS, widget=widget), {"thing": ["r", "g"]})
    assert [(box.get("type"), "checked" in box.attrib) for box in controls(html)] == [("checkbox", True)] * 2
    assert with_class(html, "nhsuk-checkboxes")


def test_groups_of_choices_have_a_divider_and_choices_a_hint():
    field = forms.ChoiceField(choices=[("Warm", [("r", "Red")]), ("Cold", [("b", "Blue")])], widget=forms.RadioSelect)
    html = shown(field, hints={"b": "Like the sea"})
    assert [text(element) for element in with_class(html, "nhsuk-radios__divider")] == ["Warm", "Cold"]
    (hint,) = with_class(html, "nhsuk-radios__hint")
    assert text(hint) == "Like the sea"


def test_one_checkbox_is_its_own_label():
    field = forms.BooleanField(label="We agree", help_text="Both of you")
    for data, checked in ((None, False), ({"thing": "on"}, True)):
        html = shown(field, data)
        (box,) = controls(html)
        assert ("checked" in box.attrib) is checked
        assert text(next(html.iter("label"))) == "We agree"
        assert text(with_class(html, "nhsuk-hint")[0]) == "Both of you"
        assert not list(html.iter("fieldset"))
    assert text(with_class(shown(field, {}), "nhsuk-error-message")[0]) == "Error: Tick “We agree” to continue"


# --- Dates ----------------------------------------------------------------------------------------------------------


def dated(day="", month="", year="", **options):
    """A form with one date, filled with these parts."""
    form_class = type("Dated", (NhsukForm, forms.Form), {"held": DateField(label="Date of meeting", **options)})
    return form_class({"held_day": day, "held_month": month, "held_year": year})


@pytest.mark.parametrize("parts", [("15", "3", "2026"), ("15", "03", "2026"), (" 15", "3 ", "2026")])
def test_a_date_is_read_from_its_parts(parts):
    form = dated(*parts)
    assert form.is_valid()
    assert form.cleaned_data["held"] == date(2026, 3, 15)


@pytest.mark.parametrize(
    ("parts", "message", "wrong"),
    [
        (("", "", ""), "Enter date of meeting", {"day", "month", "year"}),
        (("15", "3", ""), "Date of meeting must include a year", {"year"}),
        (("", "", "2026"), "Date of meeting must include a day and month", {"day", "month"}),
        (("32", "3", "2026"), "Date of meeting must be a real date", {"day"}),
        (("0", "13", "2026"), "Date of meeting must be a real date", {"day", "month"}),
        (("31", "6", "2026"), "Date of meeting must be a real date", {"day"}),
        (("29", "2", "2026"), "Date of meeting must be a real date", {"day"}),
        (("15", "March", "2026"), "Date of meeting must be a real date", {"month"}),
        (("15", "3", "²6"), "Date of meeting must be a real date", {"year"}),
        (("15", "3", "26"), "Date of meeting must have a year of 4 numbers", {"year"}),
        (("15", "3", "20266"), "Date of meeting must have a year of 4 numbers", {"year"}),
        (("15", "3", "9" * 5_000), "Date of meeting must have a year of 4 numbers", {"year"}),
        (("9" * 5_000, "3", "2026"), "Date of meeting must be a real date", {"day"}),
        (("-1", "3", "2026"), "Date of meeting must be a real date", {"day"}),
    ],
)
def test_a_wrong_date_says_what_is_wrong_marks_it_and_leads_there(parts, message, wrong):
    form = dated(*parts)
    assert form.errors["held"] == [message]
    html = parse(crispy(form))
    marked = {box.get("name") for box in with_class(html, "nhsuk-input--error")}
    assert marked == {f"held_{part}" for part in wrong}
    (link,) = with_class(html, "nhsuk-error-summary")[0].iter("a")
    first = next(part for part in ("day", "month", "year") if part in wrong)
    assert link.get("href") == f"#id_held_{first}"
    assert by_id(html, f"id_held_{first}").get("name") == f"held_{first}"
    assert [by_id(html, f"id_held_{part}").get("value", "") for part in ("day", "month", "year")] == list(parts)


def test_29_february_is_a_date_in_a_leap_year():
    assert dated("29", "2", "2028").is_valid()


def test_an_error_about_the_date_as_a_whole_marks_all_of_it():
    form = dated("15", "3", "2026")
    form.add_error("held", "Date of meeting must be in the past")
    assert len(with_class(parse(crispy(form)), "nhsuk-input--error")) == 3


def test_an_optional_date_may_be_empty_and_not_half_empty():
    form = dated(required=False)
    assert form.is_valid()
    assert form.cleaned_data["held"] is None
    assert not dated("1", required=False).is_valid()


def test_a_date_is_shown_in_parts_with_a_legend_and_hint():
    html = shown(DateField(label="Held on", help_text="For example, 15 3 2026"), initial=date(2026, 3, 5))
    assert [(box.get("name"), box.get("value"), box.get("inputmode")) for box in controls(html)] == [
        ("thing_day", "5", "numeric"),
        ("thing_month", "3", "numeric"),
        ("thing_year", "2026", "numeric"),
    ]
    assert [text(label) for label in html.iter("label")] == ["Day", "Month", "Year"]
    group = next(html.iter("fieldset"))
    assert text(group.find("legend")) == "Held on"
    assert group.get("aria-describedby") == "id_thing-hint"


def test_a_birthday_is_filled_in_by_the_browser():
    html = shown(DateField(widget=DateField.widget(attrs={"autocomplete": "bday"})))
    assert [box.get("autocomplete") for box in controls(html)] == ["bday-day", "bday-month", "bday-year"]


def test_a_date_knows_whether_it_changed_and_works_with_a_prefix():
    class Dated(forms.Form):
        held = DateField()

    data = {"a-held_day": "5", "a-held_month": "3", "a-held_year": "2026"}
    form = Dated(data, prefix="a", initial={"held": date(2026, 3, 5)})
    assert form.is_valid()
    assert not form.has_changed()
    assert Dated(data, prefix="a", initial={"held": date(2026, 3, 6)}).has_changed()
    assert Dated({}, prefix="a").errors["held"] == ["This field is required."]


# --- Questions that an answer reveals -------------------------------------------------------------------------------


class Contact(NhsukForm, forms.Form):
    """How somebody wants to hear from us."""

    reveals = {"how": {"email": ["address"], "phone": ["number", "call_back"]}, "call_back": {True: ["when"]}}
    how = forms.ChoiceField(
        choices=[("email", "E-mail"), ("phone", "Telephone"), ("no", "No")], widget=forms.RadioSelect
    )
    address = forms.EmailField()
    number = forms.CharField()
    call_back = forms.BooleanField(required=False)
    when = DateField(label="When")


def test_a_revealed_question_is_asked_under_its_answer_only():
    html = parse(crispy(Contact()))
    assert len([box for box in controls(html) if box.get("name") == "address"]) == 1
    (email,) = (box for box in controls(html) if box.get("value") == "email")
    revealed = by_id(html, email.get("data-aria-controls") or "")
    assert [box.get("name") for box in controls(revealed)] == ["address"]
    assert "nhsuk-radios__conditional--hidden" in (revealed.get("class") or "")


def test_a_question_that_is_not_asked_is_not_checked_and_its_value_is_dropped():
    form = Contact({"how": "no", "address": "not an address", "number": "0161", "call_back": "on"})
    assert form.is_valid(), form.errors
    assert form.cleaned_data == {"how": "no", "address": "", "number": "", "call_back": False, "when": None}


def test_a_question_that_is_asked_is_checked():
    assert Contact({"how": "email"}).errors == {"address": ["Enter address"]}
    assert Contact({"how": "phone", "number": "0161"}).is_valid()


def test_a_question_behind_a_question():
    assert Contact({"how": "phone", "number": "0161", "call_back": "on"}).errors == {"when": ["Enter when"]}
    date_parts = {"when_day": "1", "when_month": "2", "when_year": "2026"}
    form = Contact({"how": "phone", "number": "0161", "call_back": "on", **date_parts})
    assert form.is_valid()
    assert form.cleaned_data["when"] == date(2026, 2, 1)


def test_parameters_of_a_question_are_not_those_of_what_it_reveals():
    class Wide(Contact):
        def layout(self):
            return [Field("how", hint="Only one", classes="wide")]

    html = parse(crispy(Wide()))
    assert len(with_class(html, "wide")) == 1
    assert [text(hint) for hint in with_class(html, "nhsuk-hint")] == ["Only one"]


# --- What is missing, in words --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "message"),
    [
        (forms.CharField(label="Full name"), "Enter full name"),
        (forms.CharField(label="NHS number"), "Enter NHS number"),
        (forms.ChoiceField(label="Employer", choices=COLOURS), "Select employer"),
        (forms.CharField(label="What is your name?"), "Answer “What is your name?”"),
        (forms.CharField(error_messages={"required": "Tell us"}), "Tell us"),
    ],
)
def test_a_missing_answer_is_asked_for_by_name(field, message):
    html = shown(field, {})
    assert text(with_class(html, "nhsuk-error-message")[0]) == f"Error: {message}"


def test_a_label_that_the_form_changes_is_the_one_asked_for():
    class Relabelled(NhsukForm, forms.Form):
        login = forms.CharField()

        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            self.fields["login"].label = "E-mail address"

    assert Relabelled({}).errors == {"login": ["Enter e-mail address"]}


# --- Escaping -------------------------------------------------------------------------------------------------------

EVIL = "<script>alert('x')</script>"


@pytest.mark.parametrize(
    "field",
    [
        forms.CharField(label=EVIL, help_text=EVIL, required=False),
        forms.CharField(label=lazystr(EVIL), help_text=lazystr(EVIL), widget=forms.Textarea),
        forms.CharField(label=EVIL, help_text=EVIL, widget=CharacterCount, max_length=2),
        forms.ChoiceField(label=EVIL, help_text=EVIL, choices=[(EVIL, EVIL)]),
        forms.ChoiceField(label=EVIL, help_text=EVIL, choices=[(EVIL, lazystr(EVIL))], widget=forms.RadioSelect),
        forms.MultipleChoiceField(label=EVIL, choices=[(EVIL, EVIL)], widget=forms.CheckboxSelectMultiple),
        forms.BooleanField(label=EVIL, help_text=EVIL),
        DateField(label=EVIL, help_text=EVIL),
        forms.FileField(label=EVIL, help_text=EVIL),
        forms.CharField(label=EVIL, widget=forms.HiddenInput),
    ],
)
def test_nothing_typed_becomes_html(field):
    def refuse(value):
        raise ValidationError(EVIL)

    field.validators.append(refuse)
    data = {"thing": EVIL, "thing_day": EVIL, "thing_month": EVIL, "thing_year": EVIL}
    form_class: Any = type("One", (NhsukForm, forms.Form), {"thing": field})
    for form in (form_class(), form_class(data), form_class({})):
        html = crispy(form)
        assert "<script" not in html
        assert "&lt;script&gt;" in html or form.fields["thing"].widget.is_hidden
        assert "&amp;lt;" not in html, "escaped twice"


def test_html_that_is_marked_safe_stays_html():
    html = shown(forms.CharField(label=mark_safe("<b>Name</b>"), help_text=mark_safe("<i>Why</i>"), required=False))
    assert next(html.iter("b")).text == "Name"
    assert text(next(html.iter("label"))) == "Name (optional)"
    assert next(html.iter("i")).text == "Why"


# --- The form around them -------------------------------------------------------------------------------------------


class Plain(forms.Form):
    """A form that knows nothing of the kit."""

    name = forms.CharField()
    secret = forms.CharField(widget=forms.HiddenInput, initial="s")

    def clean(self):
        raise ValidationError("These do not go together")


def test_a_plain_form_needs_nothing():
    html = parse(crispy(Plain(), csrf_token="token"))
    form = next(html.iter("form"))
    assert form.get("method") == "post"
    assert "novalidate" in form.attrib
    hidden = {box.get("name"): box.get("value") for box in html.iter("input") if box.get("type") == "hidden"}
    assert hidden == {"csrfmiddlewaretoken": "token", "secret": "s"}
    (button,) = html.iter("button")
    assert text(button) == "Save"
    assert button.get("data-prevent-double-click") == "true"
    assert not with_class(html, "nhsuk-error-summary")


def test_the_button_says_what_the_form_says():
    class Send(Plain):
        submit = "Send"

    class Own(NhsukForm, Plain):
        submit = ""

        def layout(self):
            return ["name", Button("Keep as draft", variant="secondary", name="draft", value="yes")]

    assert [text(button) for button in parse(crispy(Send())).iter("button")] == ["Send"]
    html = parse(crispy(Own()))
    (button,) = html.iter("button")
    assert (text(button), button.get("name"), button.get("value")) == ("Keep as draft", "draft", "yes")
    assert [box.get("value") for box in html.iter("input") if box.get("name") == "secret"] == ["s"]


def test_errors_about_the_whole_form_come_first():
    summary = with_class(parse(crispy(Plain({"secret": ""}))), "nhsuk-error-summary")[0]
    assert [text(item) for item in summary.iter("li")] == [
        "These do not go together",
        "This field is required.",
        "Secret: This field is required.",
    ]
    assert summary.get("data-module") == "nhsuk-error-summary"  # moves the focus there


def test_the_summary_is_not_repeated_where_the_page_shows_it():
    form = Plain({})
    assert not with_class(parse(crispy(form, summarised=form)), "nhsuk-error-summary")
    assert with_class(parse(crispy(form, summarised=Plain({}))), "nhsuk-error-summary")


def test_every_error_leads_to_an_input_that_is_there_and_every_input_has_a_label():
    form = ExampleForm({"contact": "email", "themes": ["other"], "follow_up": "on", "held_on_day": "3", "version": "1"})
    html = parse(crispy(form))
    links = [link.get("href") or "" for link in with_class(html, "nhsuk-error-summary")[0].iter("a")]
    assert len(links) == len(form.errors) > 9
    for link in links:
        assert by_id(html, link.removeprefix("#")).tag in ("input", "select", "textarea")
    labelled = [label.get("for") for label in html.iter("label")]
    ids = [box.get("id") for box in controls(html)]
    assert sorted(map(str, labelled)) == sorted(map(str, ids))
    everything = [element.get("id") for element in html.iter() if element.get("id")]
    assert len(everything) == len(set(everything))
    for element in html.iter():
        for id in (element.get("aria-describedby") or "").split():
            by_id(html, id)


def test_a_widget_without_a_component_is_an_error_that_names_it():
    with pytest.raises(TypeError, match="no component for SplitDateTimeWidget"):
        shown(forms.SplitDateTimeField())
