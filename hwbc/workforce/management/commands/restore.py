"""A backup comes back, into an empty database, and is held against what it says was there."""

from pathlib import Path
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hwbc.workforce import backup, history, walls


class Command(BaseCommand):
    help = (
        "Restore a backup into an empty database, with the owner's login: all of it or nothing. "
        "Exit code 1 where anything is not as it was backed up."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", type=Path, help="what `backup` has written")

    def handle(self, *args: Any, **options: Any) -> None:
        with walls.as_owner():
            were = backup.restore(options["file"])
            faults = backup.differences(were.tables, backup.counted())
            pending = backup.pending()
            built = [] if pending else [("Walls", walls.build()), ("History", history.build())]
        if not faults:
            self.stdout.write(f"As it was at {were.made_at}: {len(were.tables)} tables, {were.rows:,} rows.")
        for what, done in built:
            self.stdout.write(f"{what}: {len(done)} statements." if done else f"{what}: nothing to change.")
        if pending:
            head = f" --head {were.head}" if were.head else ""
            self.stdout.write(
                f"The backup is of an older version, and lacks {_many(len(pending))} of this one: "
                f"`manage.py migrate` next, and then `manage.py verify_audit{head}`."
            )
        else:
            try:
                call_command("verify_audit", head=were.head, stdout=self.stdout)
            except CommandError as fault:
                faults.append(f"the audit: {str(fault).removesuffix('.')}")
        if faults:
            raise CommandError(
                f"What was restored is not what was backed up: {'; '.join(faults)}. "
                "Do not use this database: drop it, and restore another backup."
            )
        self.stdout.write("Whoever had access then has it again, and sessions of then go on: end what was ended since.")


def _many(count: int) -> str:
    return f"{count:,} migration{'' if count == 1 else 's'}"
