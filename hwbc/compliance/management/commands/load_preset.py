"""`load_preset`: ask an organisation, and all below it, for the numbers of a preset from a day on."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hwbc.compliance.management.arguments import day
from hwbc.kit.periods import today
from hwbc.standards.actions import load_preset
from hwbc.standards.presets import PRESETS
from hwbc.workforce.access import Actor
from hwbc.workforce.models import Organisation


class Command(BaseCommand):
    help = "Ask an organisation, and all below it, for the numbers of a preset. Without any, WDF holds everywhere."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("preset", choices=list(PRESETS), metavar="PRESET", help=", ".join(PRESETS))
        parser.add_argument("code", help="the organisation's code")
        parser.add_argument("--from", dest="starts_on", type=day, metavar="DATE", help="the first day (default: today)")

    def handle(self, *args: Any, **options: Any) -> None:
        code = options["code"].strip().upper()
        organisation = Organisation.objects.filter(code=code).first()
        if organisation is None:
            raise CommandError(f'There is no organisation "{code}". Check the code.')
        starts_on = options["starts_on"] or today()
        try:
            standard = load_preset(
                Actor.system("load_preset"), organisation=organisation, preset=options["preset"], starts_on=starts_on
            )
        except ValidationError as fault:
            raise CommandError(" ".join(fault.messages)) from None
        for number in standard.numbers.all():
            self.stdout.write(f"  {number.key:<28}{number.value:>5}  {number.source}")
        self.stdout.write(f"{standard.name} holds at {organisation} and below from {starts_on:%d/%m/%Y}.")
