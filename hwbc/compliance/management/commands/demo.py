"""An invented service to look at: everybody in it is invented, and on this machine everybody signs in as anybody."""

import time
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.urls import reverse
from django.utils import timezone

from hwbc.compliance.checks import count_shares, run_checks
from hwbc.compliance.demo import actions, queries
from hwbc.compliance.sentences import written
from hwbc.kit.periods import today
from hwbc.workforce import walls
from hwbc.workforce.access import Actor
from hwbc.workforce.audit import ActionRefused

FRESH = 14  # days; an older one is half of it overdue


class Command(BaseCommand):
    help = "Make a demo in a database that holds nothing yet: an invented service, told up to today."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing where there is data already")
        parser.add_argument("--about", action="store_true", help="make nothing; say where to begin, if this is a demo")
        parser.add_argument("--at", metavar="ADDRESS", help="the service's address, for --about")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["about"]:
            self.tell_about(options["at"] or settings.BASE_URL)
        elif not settings.LOCAL:
            raise CommandError("A demo is made on your own machine alone (HWBC_LOCAL=true).")
        elif not (options["if_empty"] and queries.holds_data()):
            self.make()

    def make(self) -> None:
        began, day, actor = time.monotonic(), today(), Actor.system("demo")
        try:
            with walls.lifted("demo: nobody is there yet to ask"):
                report = actions.make(actor, day=day, tell=self.tell)
        except ActionRefused as refusal:
            raise CommandError(" ".join(refusal.messages)) from None
        counts = run_checks(actor, day).counts
        count_shares(timezone.now())  # the charts, which the worker would count a little later
        rows = sum(sheet.new for sheet in report.counts.values())
        self.stdout.write(
            f"The demo is made: {rows:,} rows, {counts['coaches']} coaches, {counts['raised']} flags raised by the "
            f"checks; {time.monotonic() - began:.0f} seconds. Everybody in it is invented."
        )

    def tell(self, what: str) -> None:
        if what == actions.BEGINS:
            self.stdout.write("Making a demo, an invented service told up to today (HWBC_DEMO=no starts without one) …")

    def tell_about(self, address: str) -> None:
        made_on = queries.made_on()
        if made_on is None:
            return
        self.stdout.write(
            f"This is a demo: everybody in it is invented. Sign in as any of them: {address}{reverse('demo')}\n"
            "For a service of your own: HWBC_DEMO=no make start in a fresh copy, or after make reset."
        )
        if (today() - made_on).days > FRESH:
            self.stdout.write(
                f"It is told up to {written(made_on)}; nobody in it has met since, so more and more is overdue.\n"
                "To have it told up to today: stop this, then make reset and make start."
            )
