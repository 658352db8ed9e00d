"""What the rules cost a coach, at three sizes, beside one hand-written SQL statement for the same states."""

import gc
import resource
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

from django.db import connection, transaction

from hwbc.compliance.queries import standings
from hwbc.workforce import walls
from tests.bench.pages import database

DAY = date(2026, 6, 15)
SIZES = (1_000, 10_000, 100_000)
ROUNDS = {1_000: 7, 10_000: 5, 100_000: 3}

_FILL = (Path(__file__).parent / "workforce.sql").read_text()


_BY_HAND = (Path(__file__).parent / "by_hand.sql").read_text()
_RULES_BY_HAND = (
    "supervision.line",
    "supervision.clinical",
    "supervision.health_coaching",
    "supervision.named.line",
    "supervision.named.clinical",
    "supervision.named.health_coaching",
    "supervision.supervisor_eligible",
    "training.arrs_eligible",
    "training.before_referrals",
    "training.referral_ready",
    "training.required:HC4",
    "training.required:IGD",
)


@contextmanager
def workforce(size: int) -> Iterator[None]:
    """An invented workforce of this size, gone at the end."""
    with walls.as_owner(), transaction.atomic(), connection.cursor() as cursor:
        for statement in _FILL.strip().rstrip(";").split(";\n"):
            cursor.execute(statement, {"n": size})
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("vacuum analyze")
    yield
    with walls.as_owner(), connection.cursor() as cursor:
        cursor.execute("truncate workforce_organisation, supervision_supervisor, training_course cascade")


def once() -> tuple[float, int, int]:
    """Seconds, coaches and answers of one pass over everybody."""
    gc.collect()
    began = time.perf_counter()
    coaches = answers = 0
    with walls.lifted("bench"):
        for standing in standings(DAY):
            coaches += 1
            answers += len(standing.answers)
    return time.perf_counter() - began, coaches, answers


def by_hand() -> tuple[float, dict[int, tuple[str, ...]]]:
    """Seconds of the hand-written statement, and its states of each coach."""
    began = time.perf_counter()
    with walls.lifted("bench"), connection.cursor() as cursor:
        cursor.execute(_BY_HAND, {"day": DAY})
        states = {row[0]: row[1:] for row in cursor.fetchall()}
    return time.perf_counter() - began, states


def same(states: dict[int, tuple[str, ...]]) -> bool:
    """Whether the rules give the states that the hand-written statement gives."""
    with walls.lifted("bench"):
        for standing in standings(DAY):
            given = dict(standing.answers)
            if tuple(given[rule].state for rule in _RULES_BY_HAND) != states[standing.coach]:
                return False
    return True


def main() -> None:
    """Print the table."""
    print(f"\n{'everybody on one day':<22}{'µs a coach':>11}{'by hand':>9}{'×':>6}{'answers':>11}{'peak MB':>9}")
    with database():
        for size in SIZES:
            with workforce(size):
                passes = [once() for _ in range(ROUNDS[size])]
                seconds = statistics.median(seconds for seconds, *_ in passes)
                _, coaches, answers = passes[0]
                peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # before the baseline's own rows
                hands = [by_hand() for _ in range(ROUNDS[size])]
                hand = statistics.median(seconds for seconds, _ in hands)
                if not same(hands[0][1]):
                    raise SystemExit("The hand-written statement gives other states.")
                each, theirs = seconds / coaches * 1e6, hand / coaches * 1e6
                ratio = f"{each:>11.1f}{theirs:>9.1f}{each / theirs:>6.1f}"
                print(f"{coaches:>14,} coaches{ratio}{answers:>11,}{peak:>9.0f}")
