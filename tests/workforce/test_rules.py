"""How a fact was written down; no database."""

from datetime import date

import pytest

from hwbc.workforce.rules import entry


@pytest.mark.parametrize(
    ("happened", "recorded", "imported", "said"),
    [
        ("2026-03-01", "2026-03-01", False, ""),
        ("2026-03-01", "2026-03-08", False, ""),
        ("2026-03-01", "2026-03-09", False, "late"),
        ("2026-03-01", "2026-03-09", True, "imported"),
        ("2026-03-09", "2026-03-01", False, ""),
    ],
)
def test_late_entries_are_marked_and_imported_ones_are_marked_so(
    happened: str, recorded: str, imported: bool, said: str
) -> None:
    assert entry(date.fromisoformat(happened), date.fromisoformat(recorded), imported) == said
