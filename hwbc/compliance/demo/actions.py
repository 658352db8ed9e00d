"""The only code that makes a demo, and lets somebody of its cast in."""

import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

from hwbc.compliance.demo.cast import CAST, Member
from hwbc.compliance.demo.queries import holds_data
from hwbc.compliance.demo.workbook import workbook
from hwbc.compliance.demo.world import MONTHS
from hwbc.compliance.importing.actions import Report, import_rows
from hwbc.compliance.importing.reading import read
from hwbc.kit.months import add_months
from hwbc.workforce.access import Actor
from hwbc.workforce.actions import grant, invite
from hwbc.workforce.audit import ActionRefused, Line, action
from hwbc.workforce.models import Demo, Organisation, Post, User
from hwbc.workforce.roles import SUPERVISORS
from supervision.actions.access import give_access
from supervision.models import Supervisor

BEGINS = "writing the workbook"


@action("demo.make")
def make(actor: Actor, line: Line, *, day: date, tell: Callable[[str], None] = lambda what: None) -> Report:
    """Make this database a demo, told from a day: its workbook comes in as every workbook does, its cast get accounts.

    Only where there is nothing yet: raises ActionRefused where there is an organisation. The walls are lifted by the
    caller.
    """
    if holds_data():
        raise ActionRefused(
            "There is data in this database already, and a demo is only made in an empty one. "
            "Stop what runs, throw the data away with make reset, or take a fresh copy; make start makes a demo there.",
            "not_empty",
        )
    demo = Demo.objects.create(made_on=day)
    tell(BEGINS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "demo.xlsx"
        path.write_bytes(workbook(day))
        book = read(path)
    report = import_rows(actor, book=book, day=day, tell=tell)
    tell("inviting the cast")
    for member in CAST:
        _let_in(actor, member, report.register, day)
    line.about(demo, at=report.register, day=day.isoformat())
    return report


def _let_in(actor: Actor, member: Member, register: Organisation, day: date) -> None:
    """Somebody of the cast gets an account without a password, and the role they have."""
    user = invite(actor, email=member.email, name=member.name)
    if member.role in SUPERVISORS:
        give_access(actor, supervisor=Supervisor.objects.get(register=register, reference=member.at), user=user)
    elif member.role is not None:
        post = Post.objects.filter(coach__register=register, coach__reference=member.at).first()
        if post:
            given = {"organisation": post.pcn, "starts_on": post.starts_on, "coach": post.coach}
        else:
            given = {"organisation": Organisation.objects.get(code=member.at), "starts_on": add_months(day, -MONTHS)}
        grant(actor, user=user, role=member.role, **given)


@action("demo.sign_in")
def signed_in(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody has signed in as one of the cast, without a password."""
    line.about(user)
