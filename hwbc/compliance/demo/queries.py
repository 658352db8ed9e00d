"""Whether this database is a demo, and who of its people have an account."""

from datetime import date
from typing import NamedTuple

from django.conf import settings

from hwbc.compliance.demo.cast import CAST, Member
from hwbc.workforce.models import Demo, Organisation, User

_known: list[bool] = []  # one answer at most, for as long as this process lives


def made_on() -> date | None:
    """The day that the demo in this database is told from; None: this is no demo."""
    return Demo.objects.values_list("made_on", flat=True).first()


def holds_data() -> bool:
    """Whether there is anything in this database: a demo is only made where there is not."""
    return Organisation.objects.exists()


def is_demo() -> bool:
    """Whether everybody in this database is invented. Asked of a local copy alone, and once a process.

    Where nothing is yet, a demo may still be made: there, "no" is not the last word.
    """
    if not settings.LOCAL:
        return False
    if not _known:
        found = made_on() is not None
        if found or holds_data():
            _known.append(found)
        return found
    return _known[0]


def ask_again() -> None:
    """Forget the answer: this database may have become a demo, or another one."""
    _known.clear()


class Account(NamedTuple):
    """Somebody of the cast, with their account."""

    member: Member
    user: User


def cast() -> list[Account]:
    """The cast as they have accounts here, in their order."""
    users = {user.email: user for user in User.objects.filter(email__in=[member.email for member in CAST])}
    return [Account(member, users[member.email]) for member in CAST if member.email in users]
