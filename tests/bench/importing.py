"""What it takes to bring in the workbook of a large service: 2,000 coaches, 100,000 rows."""

import csv
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from openpyxl import Workbook

from hwbc.workforce import history, walls
from tests.bench.pages import database

COACHES = 2_000
START = date(2025, 1, 6)


def sheets() -> dict[str, list[list[Any]]]:
    """Sheet → rows, the header first."""
    coaches = range(1, COACHES + 1)
    hubs = [
        ["QZZ", "Invented ICB", "icb", ""],
        *([f"HUB{n}", f"Invented hub {n}", "training_hub", "QZZ"] for n in range(10)),
    ]
    pcns = [[f"U{90000 + n}", f"Invented PCN {n}", "pcn", f"HUB{n % 10}"] for n in range(400)]
    kinds = ("line", "clinical", "health_coaching")
    return {
        "organisations": [["code", "name", "kind", "parent_code"], *hubs, *pcns],
        "coaches": [
            ["coach_ref", "name", "email", "pcn_code", "started_on", "hours_per_week", "funding"],
            *(
                [f"C{n}", f"Coach {n}", f"c{n}@example.org", f"U{90000 + n % 400}", START, "37.5", "arrs"]
                for n in coaches
            ),
        ],
        "supervisors": [["supervisor_ref", "name", "role"], *([f"S{n}", f"Supervisor {n}", "gp"] for n in range(400))],
        "agreements": [
            ["coach_ref", "kind", "supervisor_ref", "from"],
            *([f"C{n}", kind, f"S{n % 400}", START] for n in coaches for kind in kinds),
        ],
        "supervision": [
            ["coach_ref", "kind", "supervisor_ref", "held_on", "minutes", "format", "status"],
            *(
                [f"C{n}", kinds[m % 3], f"S{n % 400}", START + timedelta(days=m * 14 + n % 9), 60, "individual", "held"]
                for n in coaches
                for m in range(46)
            ),
        ],
    }


def write(book: dict[str, list[list[Any]]], folder: Path) -> tuple[Path, Path]:
    """The same book as an XLSX file and as a folder of CSV files."""
    workbook = Workbook(write_only=True)
    (folder / "sheets").mkdir()
    for name, rows in book.items():
        sheet = workbook.create_sheet(name)
        for row in rows:
            sheet.append(row)
        with (folder / "sheets" / f"{name}.csv").open("w", newline="") as file:
            csv.writer(file).writerows(rows)
    workbook.save(folder / "book.xlsx")
    return folder / "book.xlsx", folder / "sheets"


_COMMAND = """
import pathlib, runpy, sys
sys.argv = ["manage.py", "import_workbook", sys.argv[1]]
runpy.run_path("manage.py", run_name="__main__")
print(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
"""


def take(path: Path, env: dict[str, str]) -> tuple[float, float]:
    """Seconds and peak megabytes of one import, in a process of its own, which says what it took."""
    began = time.perf_counter()
    command = [sys.executable, "-c", _COMMAND, str(path)]
    done = subprocess.run(command, env=env, cwd=settings.BASE_DIR, stdout=subprocess.PIPE, check=True, text=True)
    return time.perf_counter() - began, int(done.stdout.split()[-1]) / 1024


def copy_alone(rows: Iterable[list[Any]]) -> float:
    """Seconds that PostgreSQL takes to swallow the largest sheet as it is: the baseline."""
    began = time.perf_counter()
    with connection.cursor() as cursor:
        cursor.execute("create temporary table plain (a text, b text, c text, d date, e int, f text, g text)")
        with cursor.copy("copy plain from stdin") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute("drop table plain")
    return time.perf_counter() - began


def environment() -> dict[str, str]:
    """The environment in which another process imports into this database."""
    url = connection.settings_dict
    host = url["HOST"] or url["OPTIONS"].get("host", "")
    address = f"postgres://{url['USER']}@/{url['NAME']}?host={host}&port=5432"
    return {**os.environ, "DATABASE_URL": address, "DATABASE_POOL": "0"}


def changes() -> tuple[int, int]:
    """How many changes the triggers have kept, and the bytes that they take."""
    with walls.lifted("bench"), connection.cursor() as cursor:
        cursor.execute("select count(*), pg_total_relation_size('workforce_change') from workforce_change")
        count, size = cursor.fetchone()
    return int(count), int(size)


def keep_no_changes() -> None:
    """Take the triggers of the change history away: what the same import costs without them."""
    with walls.as_owner(), connection.cursor() as cursor:
        for model, kept in history.declared().items():
            if not kept.why_not:
                cursor.execute(f"alter table {model._meta.db_table} disable trigger user")


def main() -> None:
    """Print the table."""
    book = sheets()
    rows = sum(len(lines) - 1 for lines in book.values())
    print(f"\n{'import of ' + format(rows, ',') + ' rows':<34}{'seconds':>9}{'rows/s':>10}{'peak MB':>9}")
    with database(), tempfile.TemporaryDirectory() as folder:
        env = environment()
        xlsx, csv_folder = write(book, Path(folder))
        for name, path in (
            ("XLSX, everything new", xlsx),
            ("XLSX again, nothing changed", xlsx),
            ("CSV again", csv_folder),
        ):
            seconds, peak = take(path, env)
            print(f"{name:<34}{seconds:>9.1f}{rows / seconds:>10,.0f}{peak:>9.0f}")
        largest = book["supervision"][1:]
        kept = changes()
        seconds = copy_alone(largest)
        print(f"{'COPY of the largest sheet alone':<34}{seconds:>9.1f}{len(largest) / seconds:>10,.0f}{'':>9}")
        print(f"changes kept by the triggers: {kept[0]:,}, {kept[1] / 2**20:.0f} MB with their indexes")
    for name, with_history in (("CSV, everything new", True), ("the same without change history", False)):
        with database(), tempfile.TemporaryDirectory() as folder:
            if not with_history:
                keep_no_changes()
            seconds, peak = take(write(book, Path(folder))[1], environment())
            print(f"{name:<34}{seconds:>9.1f}{rows / seconds:>10,.0f}{peak:>9.0f}")
