"""`run_checks`: by hand what the scheduled jobs do."""

from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from hwbc.compliance import checks
from hwbc.compliance.management.arguments import day
from hwbc.kit.periods import today
from hwbc.standards.actions import TooEarly, TurnTaken
from hwbc.standards.models import Check
from hwbc.workforce.access import Actor


class Command(BaseCommand):
    help = "Raise and clear flags, as the scheduled checks do, and print what was done."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--on", type=day, metavar="DATE", help="the day (default: today in London)")
        parser.add_argument("--dry-run", action="store_true", help="say what is red; write nothing")

    def handle(self, *args: Any, **options: Any) -> None:
        on = options["on"] or today()
        if options["dry_run"]:
            seen = checks.dry_run(on)
            self.stdout.write(f"{on}: {seen.coaches} coaches looked at, {len(seen.red)} red. Nothing was written.")
            for rule, count in sorted(Counter(red.rule for red in seen.red).items()):
                self.stdout.write(f"  {rule}: {count}")
            return
        try:
            run = checks.run_checks(Actor.system("run_checks"), on)
        except (TooEarly, TurnTaken) as refusal:
            raise CommandError(str(refusal)) from None
        checks.count_shares(timezone.now())
        counts = run.counts
        self.stdout.write(
            f"{on}: {counts['coaches']} coaches looked at, {counts['raised']} flags raised, "
            f"{counts['cleared']} cleared, {counts['open']} open."
        )
        for check in Check:
            flags = counts["checks"][check]
            self.stdout.write(
                f"  {check.label}: {flags['raised']} raised, {flags['cleared']} cleared, {flags['open']} open"
            )
