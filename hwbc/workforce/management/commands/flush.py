"""`flush` with the owner's login: the application's may not truncate."""

from typing import Any

from django.core.management.commands.flush import Command as Flush

from hwbc.workforce import walls


class Command(Flush):
    def handle(self, **options: Any) -> None:
        with walls.as_owner(options["database"]):
            super().handle(**options)
