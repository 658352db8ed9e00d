"""The demo as a workbook, in the format in which every service brings its data."""

from datetime import date

from hwbc.compliance.demo.courses import tell_courses, tell_training
from hwbc.compliance.demo.employment import tell_employment, tell_organisations
from hwbc.compliance.demo.meetings import tell_supervision, tell_supervisors
from hwbc.compliance.demo.referrals import tell_referrals
from hwbc.compliance.demo.told import Sheets, Told
from hwbc.compliance.importing.reading import DEMO_MARK
from hwbc.compliance.importing.sheets import SHEETS
from hwbc.compliance.importing.template import add_page, new_book, packed

_README = (
    DEMO_MARK,  # what marks the workbook: an import looks for this sentence here
    "",
    "It can be brought into a demo, and into nothing else; into a demo nothing else can be brought.",
    "Try it: change a row, save the workbook, and bring it in again. What you did not change stays as it is.",
    "Leave this sheet as it is. Never write real people into this workbook: in a demo everybody signs in as anybody.",
)


def tell(day: date) -> Sheets:
    """Everything that there is in the demo, as rows of sheets, told from a day. The same day, the same demo."""
    told = Told(day)
    tell_organisations(told)
    tell_courses(told)
    tell_supervisors(told)
    lives = tell_employment(told)
    for life in lives:
        tell_training(told, life)
        tell_supervision(told, life)
    tell_referrals(told, lives)
    return dict(told.sheets)


def workbook(day: date) -> bytes:
    """The demo's workbook: an XLSX file with every sheet."""
    told = tell(day)
    book = new_book(_README)
    for sheet in SHEETS:
        page = add_page(book, sheet)
        names = [column.name for column in sheet.columns]
        for row in told[sheet.name]:
            page.append([row.get(name) for name in names])
    return packed(book)
