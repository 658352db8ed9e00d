"""What every rule answers with, and the numbers that it is asked with. Plain functions: no Django, no clock.

A rule gets facts, a day and numbers, and answers with codes and dates; the sentence is made when it is shown.
"""

from dataclasses import dataclass, fields
from datetime import date
from typing import NamedTuple

MET, DUE_SOON, OVERDUE, NOT_MET = "met", "due_soon", "overdue", "not_met"
PAUSED, NOT_APPLICABLE = "paused", "not_applicable"
RED = frozenset({OVERDUE, NOT_MET})


class Answer(NamedTuple):
    """A rule's answer for one coach and day.

    `since` is the first red day, where the state is red and the rule says one. `reason` is a code for the sentence.
    """

    state: str
    due_on: date | None = None
    since: date | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of a standard. The defaults are the preset "WDF"; their sources are in hwbc.standards.presets."""

    name: str = "WDF"
    line_months: int = 1
    line_soon_days: int = 7
    line_grace_days: int = 7
    clinical_months: int = 3
    clinical_soon_days: int = 0  # 0: soon from a month before instead, as "every 2 to 3 months" says
    coaching_minutes: int = 60
    coaching_minutes_upper: int = 120
    coaching_days_in_month: int = 15
    coaching_soon_working_days: int = 5
    appraisal_months: int = 12
    appraisal_soon_days: int = 30
    pause_after_days: int = 14
    completed_days: int = 4
    required_soon_days: int = 60
    supervisor_tier: int = 3
    supervisor_years: int = 5
    supervisor_nhs_hours: int = 500
    supervisor_caseload_hours: int = 50
    supervisor_evidence_months: int = 12


NUMBER_KEYS = tuple(field.name for field in fields(Numbers) if field.name != "name")
