"""The seed and the size of the fuzz, the triggers that keep what is written, and the totals at the end.

HWBC_FUZZ_SEED: what everything is drawn with. HWBC_FUZZ: "full" for all of it (`make fuzz`), "0.1"
for a tenth of the requests of every page; without it, a small sample of the pages.
"""

import logging
import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.fuzz import written

FULL = "HWBC_FUZZ" in os.environ  # "full", or how much of it, such as 0.1
SCALE = float(os.environ.get("HWBC_FUZZ", "0.1").replace("full", "1"))
SEED = os.environ.get("HWBC_FUZZ_SEED", "1")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> Random:
    """Draws the same for the same seed and test."""
    return Random(f"{SEED}:{request.node.name}")


@pytest.fixture(scope="module")
def triggers(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Every row that is written is kept with what it was before."""
    with django_db_blocker.unblock(), written.laid():
        yield


@pytest.fixture
def quiet(settings: Any, tmp_path: Path) -> Iterator[None]:
    """No line of the log for each of thousands of requests, and files that go with the test."""
    settings.MEDIA_ROOT = tmp_path / "files"
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The totals of all processes."""
    forms: Counter[str] = Counter()
    parsed: Counter[str] = Counter()
    most: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "fuzz" and report.when == "call":
                    forms.update(value)
                elif name == "parsed" and report.when == "call":
                    parsed.update(value["counts"])
                    for what, amount in value["most"].items():
                        most[what] = max(most.get(what, 0), amount)
    write = terminalreporter.write_line
    if forms or parsed:
        write(f"Seed of the fuzz: HWBC_FUZZ_SEED={SEED}")
    if forms:
        total = sum(count for what, count in forms.items() if what.isdigit())
        by_status = ", ".join(f"{what}: {count:,}" for what, count in sorted(forms.items()) if what.isdigit())
        write(f"{total:,} requests; {by_status}; {forms['wrote']:,} wrote; {forms['compared']:,} compared with extras")
    if parsed:
        by_outcome = ", ".join(f"{what}: {count:,}" for what, count in sorted(parsed.items()))
        write(f"{sum(parsed.values()):,} files and texts read; {by_outcome}")
        write("; ".join(f"most {what}: {amount:,.2f}" for what, amount in sorted(most.items())))
