"""Whether the audit is as it was sealed: the whole chain is made anew; names the first thing that is wrong."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from hwbc.workforce import sealing


class Command(BaseCommand):
    help = "Verify the audit. Exit code 1 where an event was altered, removed, inserted or moved."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--head", default="", metavar="HASH", help="a last hash that was kept elsewhere: proves that no end is gone"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = sealing.verify(options["head"].strip().lower())
        if (fault := found.fault) is not None:
            link = "" if fault.sequence is None else f"Link {fault.sequence}: "
            event = f"the event {fault.event}" if fault.event else "the chain"
            when = f" of {fault.at}" if fault.at else ""
            raise CommandError(f"{link}{event}{when} {fault.says}. {_many(found.sealed)} before it are as they were.")
        since = f", the oldest since {timezone.localtime(found.oldest):%Y-%m-%d %H:%M}" if found.oldest else ""
        self.stdout.write(f"{_many(found.sealed)} sealed, and as they were.")
        self.stdout.write(f"{_many(found.tail)} not sealed yet{since}.")
        self.stdout.write(f"Head: {found.head or 'none'}")


def _many(count: int) -> str:
    return f"{count:,} event{'' if count == 1 else 's'}"
