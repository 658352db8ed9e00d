"""Adding months, for rules: imports nothing of Django."""

import calendar
from datetime import date
from functools import lru_cache


@lru_cache(maxsize=65536)  # a run asks for the same few thousand days a hundred thousand times
def add_months(day: date, months: int) -> date:
    """The same day of the month `months` later, clipped to a shorter month's end (31 January + 1 = 28 February)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
