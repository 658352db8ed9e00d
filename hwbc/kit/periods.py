"""Days and periods: a day is a Europe/London calendar date, a period includes both its ends (rules, section 1)."""

from datetime import date

from django.db.models import Q
from django.utils import timezone


def today() -> date:
    """Today in London. Asked once per request or run and handed down: no rule asks the clock."""
    return timezone.localdate()


def as_at(day: date, prefix: str = "") -> Q:
    """The periods that cover `day`: begun on or before it, and not ended before it; a blank end still runs."""
    begun = Q(**{f"{prefix}starts_on__lte": day})
    running = Q(**{f"{prefix}ends_on__isnull": True}) | Q(**{f"{prefix}ends_on__gte": day})
    return begun & running
