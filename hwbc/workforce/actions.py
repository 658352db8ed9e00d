"""The only code that writes people, places and access."""

from datetime import date

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.utils import timezone

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Coach, Grant, Organisation, Post, User
from hwbc.workforce.roles import Role


@action("organisation.add")
def add_organisation(
    actor: Actor, line: Line, *, code: str, name: str, kind: str, parent: Organisation | None = None
) -> Organisation:
    """Add a place to the tree. Raises ValidationError for a code that is taken or badly formed."""
    organisation = Organisation(code=code.strip().upper(), name=name.strip(), kind=kind, parent=parent)
    organisation.full_clean()
    organisation.save()
    line.about(organisation, at=organisation, kind=kind)
    return organisation


@action("coach.add")
def add_coach(
    actor: Actor,
    line: Line,
    *,
    name: str,
    email: str,
    pcn: Organisation,
    starts_on: date,
    hours_per_week: float,
    funding: str = Post.Funding.ARRS,
    employer: Organisation | None = None,
    ends_on: date | None = None,
    user: User | None = None,
) -> Coach:
    """Add a coach with their first post. Nobody reaches a coach before the post exists: the caller's wall is lifted."""
    if pcn.kind != Organisation.Kind.PCN:
        raise ValidationError(f"{pcn.name} is not a PCN. A coach's post is at a PCN.")
    coach = Coach.objects.create(name=name.strip(), email=email.strip().lower(), user=user)
    post = Post(
        coach=coach,
        pcn=pcn,
        employer=employer or pcn,
        starts_on=starts_on,
        ends_on=ends_on,
        hours_per_week=hours_per_week,
        funding=funding,
    )
    post.validate()
    post.save()
    line.about(coach, at=pcn, post=post.pk)
    return coach


@action("access.invite")
def invite(actor: Actor, line: Line, *, email: str, name: str) -> User:
    """Make an account without a password; the link to choose one is mailed by whoever invites.

    Somebody who has an account already keeps it: it is returned as it is.
    """
    address = email.strip().lower()
    user = User.objects.filter(email=address).first()
    new = user is None
    if user is None:
        user = User(email=address, name=name.strip())
        user.set_unusable_password()
        user.full_clean(exclude=["sort_name", "password"])
        user.save()
        EmailAddress.objects.create(user=user, email=user.email, primary=True, verified=True)
    line.about(user, new=new)
    return user


@action("access.grant")
def grant(
    actor: Actor,
    line: Line,
    *,
    user: User,
    role: Role,
    organisation: Organisation,
    starts_on: date,
    ends_on: date | None = None,
    coach: Coach | None = None,
) -> Grant:
    """Give a user a role at an organisation and all below it, or for one coach. Raises ValidationError."""
    made = Grant(user=user, role=role, organisation=organisation, coach=coach, starts_on=starts_on, ends_on=ends_on)
    made.clean_fields()
    made.validate_constraints()
    made.save()
    line.about(made, at=organisation, role=role.value, user=str(user.uuid))
    return made


@action("access.end")
def end_grant(actor: Actor, line: Line, *, grant: Grant) -> None:
    """End a grant at once: the next request of its user goes without it. Ending it twice changes nothing."""
    Grant.objects.filter(pk=grant.pk, revoked_at=None).update(revoked_at=timezone.now())
    line.about(grant, at=grant.organisation_id, role=grant.role)


@action("account.sign_in")
def signed_in(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody has signed in."""
    line.about(user)


@action("account.sign_out")
def signed_out(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody has signed out."""
    line.about(user)


@action("account.password")
def set_password(actor: Actor, line: Line, *, user: User, password: str) -> None:
    """Somebody has chosen a password, with the link from their mail or with the one they had."""
    user.set_password(password)
    user.save(update_fields=["password"])
    line.about(user)
