#!/usr/bin/env python
"""Django's commands, with the embedded servers behind them where no others are named."""

import os
import sys

# What needs no server; `start` calls for its own, and `reset` must have none.
WITHOUT_SERVERS = {
    *("--help", "-h", "help", "--version", "version", "start", "reset"),
    *("collectstatic", "compilemessages", "diffsettings", "findstatic", "makemessages", "startapp", "startproject"),
}


def main(arguments: list[str]) -> None:
    """Run one command. What a person can put right is one sentence, without a traceback."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hwbc.settings")
    if arguments[1:2] == ["start"]:  # always local: it binds the loopback interface alone
        os.environ.setdefault("HWBC_LOCAL", "true")
    try:
        from django.core.exceptions import ImproperlyConfigured
        from django.core.management import execute_from_command_line
        from django.db.utils import OperationalError, ProgrammingError
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make setup`, then use `.venv/bin/python manage.py …`.")
    from hwbc.embedded import servers
    from hwbc.embedded.trouble import Trouble

    try:
        if needs_servers(arguments):
            from django.conf import settings

            servers.use(settings.VAR, database=settings.EMBEDDED_DATABASE, broker=settings.EMBEDDED_BROKER)
        execute_from_command_line(arguments)
    except (ImproperlyConfigured, Trouble) as error:
        sys.exit(str(error))
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", None):  # the database answered: no question of reaching it
            raise
        reason = str(error).splitlines()[0]
        sys.exit(f"The database cannot be used: {reason}. Check DATABASE_URL and DATABASE_OWNER_URL.")
    except ProgrammingError as error:
        if getattr(error.__cause__, "sqlstate", None) != "42P01":  # a table that is not there
            raise
        sys.exit("The database lacks a table of this version: run `manage.py migrate` first (`make start` does it).")
    except KeyboardInterrupt:
        sys.exit(130)


def needs_servers(arguments: list[str]) -> bool:
    """Whether the command asks the database or the broker."""
    command, options = (arguments[1:2] or ["help"])[0], arguments[2:]
    if command == "check":
        return "--database" in options
    return command not in WITHOUT_SERVERS and not {"--help", "-h"} & set(options)


if __name__ == "__main__":
    main(sys.argv)
