"""A backup of the whole database, while the service runs."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from hwbc.workforce import backup, walls


class Command(BaseCommand):
    help = (
        "Back the whole database up into a new file, with the owner's login, while the service runs. "
        "It is not encrypted; `restore` brings it back."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="a new file; only its owner will read it")

    def handle(self, *args: Any, **options: Any) -> None:
        file: Path = options["file"]
        with walls.as_owner():
            made = backup.back_up(file)
        self.stdout.write(
            f"{file}: {len(made.tables)} tables, {made.rows:,} rows, {file.stat().st_size:,} bytes. "
            f"Head of the audit's chain: {made.head or 'none'}"
        )
