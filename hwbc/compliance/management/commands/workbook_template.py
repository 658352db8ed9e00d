"""An empty workbook to begin with."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from hwbc.compliance.importing.template import write_template


class Command(BaseCommand):
    help = "Write an empty workbook for import_workbook: every sheet, its columns, and one invented row each."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="the XLSX file to write; it must not exist yet")

    def handle(self, *args: Any, **options: Any) -> None:
        path: Path = options["file"]
        if path.suffix.casefold() != ".xlsx":
            raise CommandError(f'"{path}" does not end in .xlsx. Name the file so.')
        if path.exists():
            raise CommandError(f'"{path}" is there already. Choose another name, or take it away first.')
        try:
            write_template(path)
        except OSError as fault:
            raise CommandError(f'"{path}" cannot be written: {fault.strerror}. Choose another place.') from None
        self.stdout.write(f"Written: {path}")
