"""`migrate` with the owner's login; afterwards walls and history are made equal to what the models declare."""

from typing import Any

from django.core.management import call_command
from django.core.management.commands.migrate import Command as Migrate

from hwbc.workforce import history, walls


class Command(Migrate):
    def handle(self, *args: Any, **options: Any) -> None:
        with walls.as_owner(options["database"]):
            super().handle(*args, **options)
            if options["plan"] or options["check_unapplied"]:
                return
            call_command("createcachetable", database=options["database"], verbosity=0)
            done, kept = walls.build(), history.build()
            if options["verbosity"] > 0:
                self.stdout.write(f"Walls: {len(done)} statements." if done else "Walls: nothing to change.")
                self.stdout.write(f"History: {len(kept)} statements." if kept else "History: nothing to change.")
