"""Days and moments: what today is, and how people write them (rules, section 1)."""

from datetime import date, datetime

from django.utils import timezone

FIRST_YEAR, LAST_YEAR = 1900, 2199  # of every day that somebody may write down or ask about


def today() -> date:
    """Today in London. Asked once per request or run and handed down: no rule asks the clock."""
    return timezone.localdate()


def read_day(text: str) -> date:
    """A day, yyyy-mm-dd or dd/mm/yyyy. Raises ValueError with a sentence."""
    for form in ("%Y-%m-%d", "%d/%m/%Y"):
        try:
            found = datetime.strptime(text.strip(), form).date()  # noqa: DTZ007  a day has no time zone
        except ValueError:
            continue
        if FIRST_YEAR <= found.year <= LAST_YEAR:
            return found
        raise ValueError(f"The year must be between {FIRST_YEAR} and {LAST_YEAR}.")
    raise ValueError(f"“{text[:40]}” is not a day. Write it as 2026-03-31 or 31/03/2026.")


def read_moment(text: str) -> datetime:
    """A moment in ISO form; London time where it names no zone. Raises ValueError with a sentence."""
    try:
        found = datetime.fromisoformat(text.strip())
        if not FIRST_YEAR <= found.year <= LAST_YEAR:
            raise ValueError
        return timezone.make_aware(found) if timezone.is_naive(found) else found
    except (ValueError, OverflowError):
        raise ValueError(f"“{text[:40]}” is not a moment. Write it as 2026-03-31T18:00.") from None
