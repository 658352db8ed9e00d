"""The first person of an installation, and anybody after: an account, a role at a place, and the link by mail."""

import argparse
from typing import Any

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hwbc.kit.periods import today
from hwbc.workforce import actions, walls
from hwbc.workforce.access import Actor
from hwbc.workforce.accounts import mail_invitation
from hwbc.workforce.models import Organisation
from hwbc.workforce.roles import FOR_ONE_COACH, Role

ROLES = [role for role in Role if role not in FOR_ONE_COACH]


class Command(BaseCommand):
    help = "Invite somebody: makes the account and the role, and mails the link to choose a password."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        kwargs["epilog"] = (
            "For example, on an empty installation:\n"
            '  invite mo@example.org pcn_manager U99999 --new "Riverside PCN" --kind pcn\n\nRoles:\n'
            + "\n".join(f"  {role.value:<16}{role.label}" for role in ROLES)
        )
        return super().create_parser(prog_name, subcommand, **kwargs)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("role", choices=[role.value for role in ROLES], metavar="ROLE", help="one of those below")
        parser.add_argument("code", help="the ODS code of the organisation")
        parser.add_argument("--name", help="the person's name (default: the part before the @)")
        parser.add_argument("--new", metavar="NAME", help="add the organisation, by this name, if there is none")
        parser.add_argument("--kind", choices=Organisation.Kind.values, default="pcn", help="what the new one is")

    def handle(self, *args: Any, **options: Any) -> None:
        actor = Actor.system("invite")
        email, code = options["email"], options["code"].strip().upper()
        try:
            with walls.lifted("invite: nobody is there yet to ask"):
                place = Organisation.objects.filter(code=code).first()
                if place is None:
                    if not options["new"]:
                        raise CommandError(
                            f'There is no organisation "{code}". '
                            'Check the code, or add it with --new "Its name" --kind KIND.'
                        )
                    place = actions.add_organisation(actor, code=code, name=options["new"], kind=options["kind"])
                user = actions.invite(actor, email=email, name=options["name"] or email.partition("@")[0])
                actions.grant(actor, user=user, role=Role(options["role"]), organisation=place, starts_on=today())
        except ValidationError as fault:
            raise CommandError(" ".join(fault.messages)) from None
        if user.has_usable_password():
            self.stdout.write(
                f"{user.email} has an account already and is now {Role(options['role']).label} at {place}."
            )
            return
        link = mail_invitation(user)
        self.stdout.write(f"{user.email} is {Role(options['role']).label} at {place}. The link is in the mail.")
        if settings.LOCAL:  # nobody reads mail here: it is a file in var/mail
            self.stdout.write(f"To choose a password, open {link}")
