"""The rules of the ground floor: how a fact was written down."""

from datetime import date

LATE_AFTER = 7  # days (rules, section 1)


def entry(happened_on: date, recorded_on: date, imported: bool) -> str:
    """How a fact came to be known: "imported", "late" (written down more than 7 days after it happened), or "".

    `recorded_on`: the day in London on which it was written down. A late entry counts from the day it happened all the
    same, and is marked wherever it is shown.
    """
    if imported:
        return "imported"
    return "late" if (recorded_on - happened_on).days > LATE_AFTER else ""
