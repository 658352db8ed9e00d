"""A workbook that somebody brings in: the file, and which service's references stand in it."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile

from hwbc.compliance.forms.recording import OneOf
from hwbc.compliance.importing.faults import NotImportable
from hwbc.compliance.importing.files import LARGEST, check_packed
from hwbc.compliance.importing.queries import Service
from hwbc.compliance.importing.sheets import BY_NAME
from hwbc.kit.fields import NhsukForm
from hwbc.kit.layout import Section


def _told(service: Service) -> str:
    return f"{service.organisation.name}: {service.coaches or 'none'} of your coaches"


class BringIn(NhsukForm, forms.Form):
    """One XLSX file, for one service; which one is asked only where there is a choice."""

    submit = "Check this workbook"

    service = OneOf(
        label="Whose references it has",
        help_text="C001 of one service is somebody else than C001 of another. If you are not sure, leave it as it is.",
    )
    file = forms.FileField(
        label="Workbook",
        help_text=f"An XLSX file of up to {LARGEST / 1e6:.0f} MB. It is kept for 7 days and shown to nobody else.",
        widget=forms.FileInput(attrs={"accept": ".xlsx"}),
        error_messages={
            "required": "Choose the workbook that you want to bring in",
            "empty": "The file is empty. Choose the workbook again",
            "invalid": "No file was sent. Choose the workbook again",
        },
    )

    def __init__(self, *args: Any, services: Sequence[Service], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.services = services
        if len(services) == 1:
            del self.fields["service"]
        else:
            offered = [(each.organisation.code, _told(each), each) for each in services]
            self.fields["service"].offer(offered, blank=False)  # type: ignore[attr-defined]

    @property
    def code(self) -> str:
        """Of the service that it is for."""
        service: Service = self.cleaned_data.get("service") or self.services[0]
        return service.organisation.code

    def clean_file(self) -> "UploadedFile[Any]":
        """A file that is a workbook as far as can be told without reading it."""
        file: UploadedFile[Any] = self.cleaned_data["file"]
        try:
            check_packed(file, file.size or 0, file.name or "", instead="")
        except NotImportable as fault:
            raise ValidationError(str(fault)) from None
        return file


class Columns(NhsukForm, forms.Form):
    """Which columns of ours those of a workbook are that have other headings. `unknown`: sheet → headings."""

    submit = "Check it again with these columns"
    mark_optional = False
    #: The address to send it to
    submit_to = ""

    def __init__(self, *args: Any, unknown: Mapping[str, Sequence[str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.asked = {
            f"{sheet}-{number}": (sheet, title)
            for sheet, titles in unknown.items()
            for number, title in enumerate(titles)
        }
        for name, (sheet, title) in self.asked.items():
            columns = BY_NAME[sheet].columns
            choices = [("", "Leave it out"), *((column.name, column.name) for column in columns)]
            field = forms.ChoiceField(label=f"“{title}”", choices=choices, required=False)
            field.initial = next(iter(get_close_matches(_plain(title), [column.name for column in columns], 1)), "")
            self.fields[name] = field

    @property
    def helper(self) -> Any:
        """How the form is shown, with the address that it is sent to."""
        helper = super().helper
        helper.form_action = self.submit_to
        return helper

    def layout(self) -> list[Any]:
        """The headings, sheet by sheet."""
        names: dict[str, list[str]] = {}
        for name, (sheet, _) in self.asked.items():
            names.setdefault(sheet, []).append(name)
        return [Section(sheet, *fields) for sheet, fields in names.items()]

    @property
    def mapped(self) -> dict[str, dict[str, str]]:
        """Sheet → heading → column; "" for one that is left out."""
        found: dict[str, dict[str, str]] = {}
        for name, (sheet, title) in self.asked.items():
            found.setdefault(sheet, {})[title] = self.cleaned_data[name]
        return found


def _plain(title: str) -> str:
    return "_".join(title.replace("-", " ").replace(".", " ").split())
