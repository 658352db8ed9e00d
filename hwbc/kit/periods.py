"""Today: a day is a Europe/London calendar date (rules, section 1)."""

from datetime import date

from django.utils import timezone


def today() -> date:
    """Today in London. Asked once per request or run and handed down: no rule asks the clock."""
    return timezone.localdate()
