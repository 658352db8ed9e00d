"""After a new key was put before the others in MFA_KEY: nothing is left that needs the old ones."""

from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError

from hwbc.workforce.access import Actor
from hwbc.workforce.actions.factors import encrypt_again


class Command(BaseCommand):
    help = "Encrypt the secrets of second factors with the first key of MFA_KEY. Exit code 1 where a key is missing."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            count = encrypt_again(Actor.system("encrypt_again"))
        except ValidationError as refusal:
            raise CommandError(" ".join(refusal.messages)) from None
        many = f"{count:,} second factor{'' if count == 1 else 's'}"
        self.stdout.write(f"{many} encrypted with the first key: the others are needed for backups alone.")
