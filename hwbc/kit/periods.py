"""Days and periods: a day is a Europe/London calendar date, a period includes both its ends (rules, section 1)."""

import calendar
from datetime import date

from django.db.models import Q
from django.utils import timezone


def today() -> date:
    """Today in London. Asked once per request or run and handed down: no rule asks the clock."""
    return timezone.localdate()


def add_months(day: date, months: int) -> date:
    """The same day of the month `months` later, clipped to a shorter month's end (31 January + 1 = 28 February)."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def as_at(day: date, prefix: str = "") -> Q:
    """The periods that cover `day`: begun on or before it, and not ended before it; a blank end still runs."""
    begun = Q(**{f"{prefix}starts_on__lte": day})
    running = Q(**{f"{prefix}ends_on__isnull": True}) | Q(**{f"{prefix}ends_on__gte": day})
    return begun & running
