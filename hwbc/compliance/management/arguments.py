"""Arguments that several commands take."""

import argparse
from datetime import date, datetime

from django.utils import timezone


def day(text: str) -> date:
    """A day, yyyy-mm-dd or dd/mm/yyyy."""
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            return datetime.strptime(text, form).date()  # noqa: DTZ007  a day has no time zone
        except ValueError:
            continue
    raise argparse.ArgumentTypeError(f'"{text}" is not a day. Write it as 2026-03-31 or 31/03/2026.')


def moment(text: str) -> datetime:
    """A moment in ISO form; London time where it names no zone."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f'"{text}" is not a moment. Write it as 2026-03-31T18:00.') from None
    return timezone.make_aware(found) if timezone.is_naive(found) else found
