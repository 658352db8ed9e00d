"""The only code that writes people, places and access."""

from datetime import date

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from hwbc.workforce.access import Actor
from hwbc.workforce.audit import Line, action
from hwbc.workforce.models import Coach, Grant, Organisation, Post, User
from hwbc.workforce.roles import HELD_AT, SUPERVISORS, Can, Role


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

    Somebody who has an account already keeps it: it is returned as it is. Raises ValidationError.
    """
    if not (actor.job or actor.can(Can.INVITE)):
        raise ValidationError(f"None of your roles lets you {Can.INVITE.value}.")
    address = email.strip().lower()
    _wait(f"account of {address}")  # two invitations at once make one account
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


@action("access.send_again")
def send_again(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody invited is sent the link again, by whoever asks. Raises ValidationError where there is no need."""
    if not (actor.job or Grant.objects.for_actor(actor).filter(user=user).exists()):
        raise ValidationError("You manage no access of this person.")
    if user.has_usable_password():
        raise ValidationError(f"{user.name} has chosen a password already and needs no link.")
    line.about(user)


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
    """Give a user a role at an organisation and all below it; a coach's own access also makes the user the coach's.

    Raises ValidationError for what the actor may not give there, for a role that cannot be held there or is held there
    already, and for a coach who signs in with another account. A supervisor's access follows their agreements
    (supervision.actions.access): it cannot be given here.
    """
    if role in SUPERVISORS:
        raise ValidationError({"role": _FOLLOWS})
    if organisation.kind not in HELD_AT[role]:
        kinds = " or ".join(f"a {Organisation.Kind(kind).label}" for kind in HELD_AT[role])
        raise ValidationError({"organisation": f"{organisation.name} cannot have a {role.label}: only {kinds} can."})
    if not actor.job and organisation.pk not in actor.gives(role):
        raise ValidationError({"role": f"Your roles do not let you make somebody {role.label} at {organisation.name}."})
    made = Grant(user=user, role=role, organisation=organisation, coach=coach, starts_on=starts_on, ends_on=ends_on)
    made.clean_fields()
    made.validate_constraints()
    if coach is not None:
        _make_theirs(coach, user, organisation)
    made.save()
    line.about(made, at=organisation, role=role.value, user=str(user.uuid))
    return made


def _make_theirs(coach: Coach, user: User, pcn: Organisation) -> None:
    """The account becomes the coach's own. One coach, one account, one post at least at the PCN."""
    if not Post.objects.filter(coach=coach, pcn=pcn, voided_at=None).exists():
        raise ValidationError({"coach": f"{coach.name} has no post at {pcn.name}."})
    now = Coach.objects.select_for_update(of=["self"], no_key=True).select_related("user").get(pk=coach.pk)
    if now.user is None:
        try:
            with transaction.atomic():
                Coach.objects.filter(pk=coach.pk).update(user=user)
        except IntegrityError:
            raise ValidationError({"email": f"{user.email} is the account of another coach."}) from None
    elif now.user != user:
        raise ValidationError({"email": f"{coach.name} signs in as {now.user.email} already. Use that address."})


@action("access.end")
def end_grant(actor: Actor, line: Line, *, grant: Grant) -> None:
    """End a grant at once: the next request of its user goes without it. Ending it twice changes nothing.

    Raises ValidationError for a supervisor's, which ends with the agreement, and where the actor may not end access.
    """
    if grant.role in SUPERVISORS:
        raise ValidationError(_FOLLOWS)
    if not actor.job and grant.organisation_id not in actor.nodes(Can.INVITE):
        raise ValidationError("Your roles do not let you end access here.")
    Grant.objects.filter(pk=grant.pk, revoked_at=None).update(revoked_at=timezone.now())
    line.about(grant, at=grant.organisation_id, role=grant.role)


_FOLLOWS = "A supervisor's access follows the supervision agreement: it begins and ends with it."


def _wait(name: str) -> None:
    """Wait until nobody else holds what has this name; hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


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
