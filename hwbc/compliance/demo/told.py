"""The day that the demo is told from, its working days, its dice, and the rows told so far."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from random import Random
from typing import Any

from hwbc.compliance.demo.world import MONTHS
from hwbc.compliance.queries import is_bank_holiday
from hwbc.kit.months import add_months

Row = dict[str, Any]
Sheets = dict[str, list[Row]]
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Told:
    """What is told, from which day: sheet → rows."""

    day: date
    sheets: Sheets = field(default_factory=lambda: defaultdict(list))

    @property
    def begins(self) -> date:
        """The first day of the history; of some things what came before is told too, for what is asked on that day."""
        return add_months(self.day, -MONTHS)

    def ago(self, days: int) -> date:
        """So many days back."""
        return self.day - timedelta(days=days)

    def monday(self, days: int) -> date:
        """The Monday of the week that lies so many days back."""
        day = self.ago(days)
        return day - timedelta(days=day.weekday())

    def months_ago(self, day: date) -> int:
        """How many calendar months lie between a day and this one."""
        return (self.day.year - day.year) * 12 + self.day.month - day.month

    def add(self, sheet: str, **cells: Any) -> None:
        """Tell a row."""
        self.sheets[sheet].append(cells)


def dice(*about: object) -> Random:
    """Dice that fall the same way whenever the same is told; what is told of one does not change another's."""
    return Random("/".join(map(str, about)))  # noqa: S311  nothing secret is made of it


def is_working_day(day: date) -> bool:
    """Monday to Friday, and no bank holiday."""
    return day.weekday() < 5 and not is_bank_holiday(day)


def working_day(day: date) -> date:
    """The last working day up to a day."""
    while not is_working_day(day):
        day -= DAY
    return day
