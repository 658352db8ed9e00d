"""How a service brings its data: one workbook, all or nothing."""

import argparse
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from hwbc.compliance.importing import actions
from hwbc.compliance.importing.actions import Report
from hwbc.compliance.importing.faults import Faults, NotImportable, NotImported
from hwbc.compliance.importing.reading import no_progress, read
from hwbc.compliance.importing.sheets import SHEETS
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor

PRINTED = 100  # faults; how many more there are is said


class Command(BaseCommand):
    help = (
        "Import a workbook: an XLSX file, or a folder of CSV files named like its sheets. Any fault: nothing is saved."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        kwargs["epilog"] = "An empty workbook with every sheet and an example row: workbook_template FILE.xlsx"
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="an XLSX file, or a folder of CSV files")
        parser.add_argument(
            "--for",
            dest="code",
            metavar="CODE",
            help="the organisation it is imported for (default: the one at the top, in the file or here)",
        )
        parser.add_argument("--dry-run", action="store_true", help="do everything, then keep nothing")
        parser.add_argument("--progress", action="store_true", help="tell how far it is, also where nobody is watching")

    def handle(self, *args: Any, **options: Any) -> None:
        watched = options["progress"] or self.stderr.isatty()
        try:
            book = read(options["file"], self.tell_rows if watched else no_progress)
            with walls.lifted("import: it brings what nobody reaches yet"), transaction.atomic():
                report = actions.import_rows(
                    Actor.system("import_workbook"),
                    book=book,
                    day=today(),
                    code=options["code"],
                    tell=self.tell if watched else lambda what: None,
                )
                if options["dry_run"]:
                    transaction.set_rollback(True)
        except NotImportable as fault:
            raise CommandError(str(fault)) from None
        except NotImported as fault:
            self.print_faults(fault.faults)
            raise CommandError(
                f"Nothing was saved: {fault.faults.count:,} thing{'' if fault.faults.count == 1 else 's'} to correct."
            ) from None
        self.print_report(report, rehearsed=options["dry_run"])

    def tell(self, what: str) -> None:
        self.stderr.write(f"{what} …")

    def tell_rows(self, sheet: str, rows: int, of: int | None) -> None:
        self.stderr.write(f"{sheet}: {rows:,} rows read")

    def print_faults(self, faults: Faults) -> None:
        listed = list(faults)[:PRINTED]
        for fault in listed:
            self.stderr.write(str(fault))
        if faults.count > len(listed):
            self.stderr.write(f"… and {faults.count - len(listed):,} more.")

    def print_report(self, report: Report, *, rehearsed: bool) -> None:
        would = "would be " if rehearsed else ""
        self.stdout.write(f"Workbook for {report.register.name} ({report.register.code}):")
        self.stdout.write(f"{'sheet':<22}{'new':>10}{'changed':>10}{'unchanged':>12}")
        for sheet in SHEETS:
            if counts := report.counts.get(sheet.name):
                self.stdout.write(f"{sheet.name:<22}{counts.new:>10,}{counts.changed:>10,}{counts.unchanged:>12,}")
        if report.changed_nothing:
            self.stdout.write(f"Nothing {would}changed." if rehearsed else "Nothing changed.")
        if rehearsed:
            self.stdout.write("This was a dry run: nothing is saved.")
