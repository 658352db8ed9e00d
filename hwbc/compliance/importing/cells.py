"""What a cell may hold: each kind turns what stands in the file into a value, or says what is wrong with it."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from openpyxl.worksheet.formula import ArrayFormula, DataTableFormula

FIRST_DAY, LAST_DAY = date(1900, 1, 1), date(2199, 12, 31)

_ISO = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})")
_BRITISH = re.compile(r"([0-9]{1,2})/([0-9]{1,2})/([0-9]{4})")
_NUMBER = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,20})?")
_CODE = re.compile(r"[A-Z0-9-]+")
_NEVER = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
_SPREADSHEET_ERRORS = {"#N/A", "#REF!", "#VALUE!", "#DIV/0!", "#NAME?", "#NUM!", "#NULL!"}
_YES_NO = {"yes": True, "y": True, "true": True, "no": False, "n": False, "false": False}


class Wrong(ValueError):
    """A cell that cannot be taken; the sentence says what to write instead."""


@dataclass(frozen=True)
class Kind:
    """A kind of cell: how what stands in it is read (never blank), and the type it has in the database."""

    parse: Callable[[Any], Any]
    sql: str = "text"
    hint: str = ""


def check_text(raw: str) -> str:
    """Text of a cell, if it is nothing but text. Raises Wrong."""
    if raw.startswith("="):
        raise Wrong(f"{shown(raw)} is a formula. Put the value itself into the cell.")
    if raw in _SPREADSHEET_ERRORS:
        raise Wrong(f"{shown(raw)} is an error of the spreadsheet. Put the value itself into the cell.")
    if _NEVER.search(raw):
        raise Wrong(f"{shown(raw)} holds a character that cannot be kept. Type the text anew.")
    return raw


def shown(value: object) -> str:
    """A value as it is quoted in a message: short, and without anything that a terminal would obey."""
    text = "".join(letter if letter.isprintable() else "·" for letter in str(value)[:61])
    return f'"{text[:60]}…"' if len(text) > 60 else f'"{text}"'


def in_words(day: date) -> str:
    """A day as messages write it: 15 March 2026."""
    return f"{day.day} {day:%B %Y}"


def _not(what: str, raw: object) -> Wrong:
    """That a cell holds something else than it should; `what` says what it should, and how to write it."""
    if isinstance(raw, ArrayFormula | DataTableFormula):
        return Wrong("The cell holds a formula. Put the value itself into the cell.")
    return Wrong(f"{shown(raw)} is not {what}")


def _number_as_text(raw: object) -> str:
    """Text typed as a number, such as the reference 1001."""
    if isinstance(raw, str):
        return raw
    if isinstance(raw, bool) or not (isinstance(raw, int) or (isinstance(raw, float) and raw.is_integer())):
        raise _not("text. Format the cell as text and type it anew.", raw)
    return str(int(raw))


# --- Text ------------------------------------------------------------------------------------------------------------


def _as_text(most: int, raw: object) -> str:
    text = _number_as_text(raw)
    if len(text) > most:
        raise Wrong(f"{shown(text)} is too long. Use at most {most} characters.")
    return text


def text(most: int = 200) -> Kind:
    """Any text up to a length."""
    return Kind(partial(_as_text, most))


def reference_key(text: str) -> str:
    """What references are compared by: without regard to case."""
    return text.casefold()


def _as_reference(raw: object) -> str:
    text = _as_text(100, raw)
    if "\n" in text or "\r" in text or "\t" in text:
        raise Wrong(f"{shown(text)} goes over several lines. Put one reference into the cell.")
    if len(reference_key(text)) > 100:
        raise Wrong(f"{shown(text)} is too long. Use at most 100 characters.")
    return text


def _as_code(raw: object) -> str:
    code = _as_text(20, raw).upper()
    if not _CODE.fullmatch(code):
        raise Wrong(f"{shown(raw)} is not a code. Use letters, digits and hyphens, such as U12345.")
    return code


def _as_email(raw: object) -> str:
    address = _as_text(254, raw).lower()
    try:
        validate_email(address)
    except ValidationError:
        raise Wrong(f"{shown(raw)} is not an e-mail address. Write it as name@example.org.") from None
    return address


def _as_choice(values: tuple[str, ...], raw: object) -> str:
    word = raw.casefold() if isinstance(raw, str) else None
    if word not in values:
        raise _not(f"one of: {', '.join(values)}.", raw)
    return word


def choice(values: Iterable[str]) -> Kind:
    """One of a few words."""
    words = tuple(values)
    return Kind(partial(_as_choice, words), hint=f"One of: {', '.join(words)}.")


def _as_rule(raw: object) -> str:
    text = _as_text(200, raw)
    rule, colon, course = text.partition(":")
    rule, course = rule.strip().casefold(), course.strip()
    if rule == "training.before_referrals" and not colon:
        return rule
    if rule == "training.required" and course:
        return f"{rule}:{_as_reference(course)}"
    raise Wrong(
        f"{shown(text)} is not a rule that can be exempted from. "
        "Write training.before_referrals, or training.required: with a course_ref after the colon."
    )


def _as_yes_no(raw: object) -> bool:
    if isinstance(raw, bool):
        return raw
    answer = _YES_NO.get(raw.casefold()) if isinstance(raw, str) else None
    if answer is None:
        raise _not("yes or no. Write one of the two.", raw)
    return answer


# --- Days ------------------------------------------------------------------------------------------------------------


def _as_day(raw: object) -> date:
    if isinstance(raw, datetime):
        day = raw.date()
    elif isinstance(raw, date):
        day = raw
    elif isinstance(raw, str):
        day = _day_of_text(raw)
    elif isinstance(raw, int | float) and not isinstance(raw, bool):
        raise Wrong(f"{shown(raw)} is a number. Format the cell as a date, or write 15/03/2026.")
    else:
        raise _not("a date. Write it as 15/03/2026 or 2026-03-15.", raw)
    if not FIRST_DAY <= day <= LAST_DAY:
        raise Wrong(f"{shown(raw)} is out of range. Write a date from 1900 to 2199; for no end, leave it blank.")
    return day


def _day_of_text(raw: str) -> date:
    iso, british = _ISO.fullmatch(raw), _BRITISH.fullmatch(raw)
    try:
        if iso:
            return date(int(iso[1]), int(iso[2]), int(iso[3]))
        if british:
            return date(int(british[3]), int(british[2]), int(british[1]))
    except ValueError:
        raise Wrong(f"{shown(raw)} is not a day of the calendar. Correct it, for example to 15/03/2026.") from None
    raise Wrong(f"{shown(raw)} is not a date. Write it as 15/03/2026 or 2026-03-15.")


def _as_days(raw: object) -> tuple[date, ...]:
    if not isinstance(raw, str):
        return (_as_day(raw),)
    return tuple(sorted({_as_day(part.strip()) for part in raw.split(";") if part.strip()}))


# --- Numbers ---------------------------------------------------------------------------------------------------------


def _as_decimal(raw: object) -> Decimal:
    if isinstance(raw, str) and _NUMBER.fullmatch(raw):
        return Decimal(raw)
    if isinstance(raw, int) and not isinstance(raw, bool) and abs(raw) < 10**15:
        return Decimal(raw)
    if isinstance(raw, float) and abs(raw) < 1e15:
        return Decimal(repr(round(raw, 6)))  # 37.300000000000004 is what 37.3 becomes on its way through a spreadsheet
    raise _not("a number. Write digits, such as 60 or 37.5.", raw)


def _as_whole(least: int, most: int, raw: object) -> int:
    number = _as_decimal(raw)
    if number != number.to_integral_value() or not least <= number <= most:
        raise Wrong(f"{shown(raw)} must be a whole number from {least:,} to {most:,}.")
    return int(number)


def whole(least: int, most: int) -> Kind:
    """A whole number between two others, both allowed."""
    return Kind(partial(_as_whole, least, most), "bigint", f"A whole number from {least:,}.")


def _with_two_decimals(raw: object) -> Decimal:
    number = _as_decimal(raw)
    if number != (rounded := number.quantize(Decimal("0.01"))):
        raise Wrong(f"{shown(raw)} has more than two decimal places. Round it.")
    return rounded


def _as_hours(raw: object) -> Decimal:
    number = _with_two_decimals(raw)
    if not 0 < number <= 60:
        raise Wrong(f"{shown(raw)} must be more than 0 and no more than 60 hours.")
    return number


def _as_evidence(raw: object) -> str:
    """A number or, for own supervision, a name: which one it must be depends on the row."""
    if isinstance(raw, int | float) and not isinstance(raw, bool):
        return format(_as_decimal(raw).normalize(), "f")
    return _as_text(200, raw)


def as_measure(value: str) -> Decimal:
    """The number in a piece of evidence. Raises Wrong."""
    number = _with_two_decimals(value)
    if not 0 <= number < 100_000_000:
        raise Wrong(f"{shown(value)} must be 0 or more, and less than 100,000,000.")
    return abs(number)  # no minus zero


REFERENCE = Kind(_as_reference)
CODE = Kind(_as_code, hint="Letters, digits and hyphens, such as U12345.")
EMAIL = Kind(_as_email)
RULE = Kind(_as_rule, hint="training.before_referrals, or training.required: with a course_ref after the colon.")
YES_NO = Kind(_as_yes_no, "boolean", "yes or no.")
DAY = Kind(_as_day, "date", "A date, such as 15/03/2026.")
DAYS = Kind(_as_days, "date[]", "Dates separated by semicolons.")
HOURS = Kind(_as_hours, "numeric", "More than 0, no more than 60.")
EVIDENCE = Kind(_as_evidence, hint="A number; for own_supervision, with whom.")
