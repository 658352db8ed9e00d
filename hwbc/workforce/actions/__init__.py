"""The only code that writes people, places and access."""

from collections.abc import Sequence
from datetime import date, timedelta
from decimal import Decimal

from allauth.account.models import EmailAddress
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.formats import date_format

from hwbc.kit.periods import today
from hwbc.workforce import sealing
from hwbc.workforce.access import Actor, Refused
from hwbc.workforce.actions.factors import set_password as set_password
from hwbc.workforce.audit import Line, action, upkeep
from hwbc.workforce.models import Absence, AuditSeal, Coach, Grant, Organisation, Post, User
from hwbc.workforce.queries import holding
from hwbc.workforce.recording import (
    Faults,
    anew,
    corrected_before,
    holds,
    last_day,
    reached,
    sent_before,
    stated,
    tidy,
    withdraw,
)
from hwbc.workforce.roles import HELD_AT, SUPERVISORS, Can, Role
from hwbc.workforce.versions import content


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
    if user is not None and not user.is_active:
        raise ValidationError(
            {"email": f"{user.name} is suspended and cannot sign in. Let them in again first, on their own page."}
        )
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
    """End a grant at once, and with it those of its deputies: the next request goes without it. Twice is once.

    Raises ValidationError for a supervisor's, which ends with the agreement, where the actor may not end access, and
    for the last manager of a PCN.
    """
    if grant.role in SUPERVISORS:
        raise ValidationError(_FOLLOWS)
    if not actor.job and grant.organisation_id not in actor.nodes(Can.INVITE):
        raise ValidationError("Your roles do not let you end access here.")
    revoke(actor, grants=[grant])
    line.about(grant, at=grant.organisation_id, role=grant.role)


@upkeep("part of an action that ends access, which has the line")
def revoke(actor: Actor, *, grants: Sequence[Grant]) -> int:
    """End these grants at once, and those of whoever stands in for them; answers how many that ended.

    Raises ValidationError where a PCN would be left without a manager: who could then give access there? Two managers
    who end each other's at the same moment come one after the other.
    """
    ending = [grant.pk for grant in grants]
    managed = {grant.organisation_id: grant for grant in grants if _manages(grant)}
    for pcn, grant in sorted(managed.items()) if not actor.job else ():
        _wait(f"managers of {pcn}")
        others = holding(today(), Role.PCN_MANAGER, organisation=pcn, deputises=None)
        if not others.exclude(pk__in=ending).exists():
            raise ValidationError(
                f"{grant.user.name} is the last PCN manager of {grant.organisation.name}. Make somebody else PCN "
                "manager there first."
            )
    live = Grant.objects.filter(Q(pk__in=ending) | Q(deputises__in=ending), revoked_at=None)
    return live.update(revoked_at=timezone.now())


@upkeep("part of suspending somebody, which has the line")
def shut_out(*, user: User) -> None:
    """An account cannot sign in any more, and whoever is signed in with it is signed out by the next request."""
    User.objects.filter(pk=user.pk).update(is_active=False, suspended_at=timezone.now())


@upkeep("part of letting somebody in again, which has the line")
def let_in(*, user: User) -> None:
    """An account can sign in again."""
    User.objects.filter(pk=user.pk).update(is_active=True, suspended_at=None)


def _manages(grant: Grant) -> bool:
    """Whether somebody is, today and in their own right, a manager of the PCN."""
    return (
        grant.role == Role.PCN_MANAGER
        and grant.deputises_id is None
        and grant.revoked_at is None
        and grant.covers(today())
    )


_FOLLOWS = "A supervisor's access follows the supervision agreement: it begins and ends with it."


def _wait(name: str) -> None:
    """Wait until nobody else holds what has this name; hold it until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("select pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])


@action("account.sign_in")
def signed_in(actor: Actor, line: Line, *, user: User, how: str = "") -> None:
    """Somebody has signed in; `how` is one of hwbc.workforce.sign_in.How."""
    line.about(user, how=how)


@action("account.sign_out")
def signed_out(actor: Actor, line: Line, *, user: User) -> None:
    """Somebody has signed out."""
    line.about(user)


# --- Posts and absences ---------------------------------------------------------------------------------------------
#
# Neither has a form's token: that two of a coach's posts at a PCN, or two absences, share no day makes a second row
# impossible, and the same answers sent again return the row that is there.


_NOT_WITHIN = (
    "The change has to begin after the first day of the post, {}, and within it. "
    "What was wrong from the first day on is corrected instead."
)


@action("post.add")
def add_post(
    actor: Actor,
    line: Line,
    *,
    coach: Coach,
    pcn: Organisation,
    starts_on: date,
    hours_per_week: Decimal | float,
    funding: str,
    employer: Organisation | None = None,
    ends_on: date | None = None,
) -> Post:
    """Record another post of a coach, at a PCN of the actor's; the PCN employs them unless said otherwise.

    Raises ValidationError, and Refused.
    """
    _reach_post(actor, coach, pcn)
    post = Post(
        coach=coach,
        pcn=pcn,
        employer=employer or pcn,
        starts_on=starts_on,
        ends_on=ends_on,
        hours_per_week=hours_per_week,
        funding=funding,
    )
    tidy(post)
    sent = sent_before(post)
    post = sent or _insert_post(line, post)
    line.about(post, at=pcn, coach=str(coach.uuid), again=sent is not None)
    return post


@action("post.end")
def end_post(actor: Actor, line: Line, *, post: Post, ends_on: date | None, version: int) -> Post:
    """Record the last day of a post; None: it goes on after all. Raises ValidationError, Refused and Stale."""
    _reach_post(actor, post.coach, post.pcn)
    ended = last_day(line, post, version, ends_on, "post", "coach", "pcn")
    line.about(ended, at=post.pcn, coach=str(post.coach.uuid), ends_on=str(ends_on or ""), was=post.pk)
    return ended


@action("post.change")
def change_post(
    actor: Actor,
    line: Line,
    *,
    post: Post,
    starts_on: date,
    hours_per_week: Decimal | float,
    funding: str,
    version: int,
) -> Post:
    """New hours or funding from a day on: the post ends the day before, and another one, returned, goes on from it.

    The two are one employment: no clock restarts. Raises ValidationError, Refused and Stale.
    """
    _reach_post(actor, post.coach, post.pcn)
    changed = anew(post, starts_on=starts_on, hours_per_week=hours_per_week, funding=funding)
    tidy(changed)
    said = {"starts_on": starts_on, "hours_per_week": changed.hours_per_week, "funding": changed.funding}
    there = Post.objects.filter(coach=post.coach, pcn=post.pcn, employer=post.employer, voided_at=None, **said)
    done = there.exclude(pk=post.pk).first()  # sent before: by now the post ends the day before
    if done is None:
        line.unchanged(post, version, **said)
        if starts_on <= post.starts_on or (post.ends_on is not None and starts_on > post.ends_on):
            raise ValidationError({"starts_on": _NOT_WITHIN.format(date_format(post.starts_on))})
        last_day(line, post, version, starts_on - timedelta(days=1), "post", "coach", "pcn")
        done = _insert_post(line, changed)
    line.about(done, at=post.pcn, coach=str(post.coach.uuid), was=post.pk)
    return done


@action("post.correct")
def correct_post(
    actor: Actor,
    line: Line,
    *,
    post: Post,
    because: str,
    version: int,
    starts_on: date,
    ends_on: date | None,
    employer: Organisation,
    hours_per_week: Decimal | float,
    funding: str,
) -> Post:
    """What was recorded of a post was wrong: it is voided and recorded anew. The PCN stays.

    Raises ValidationError, Refused and Stale.
    """
    _reach_post(actor, post.coach, post.pcn)
    correct = anew(
        post, starts_on=starts_on, ends_on=ends_on, employer=employer, hours_per_week=hours_per_week, funding=funding
    )
    tidy(correct)
    done = corrected_before(post, correct)
    if done is None:
        line.void(post, stated(because), version, **content(correct))
        done = _insert_post(line, correct)
    line.about(done, at=post.pcn, coach=str(post.coach.uuid), was=post.pk)
    return done


@action("post.void")
def void_post(actor: Actor, line: Line, *, post: Post, because: str, version: int) -> None:
    """A post was recorded that never was. Raises ValidationError, Refused and Stale."""
    _reach_post(actor, post.coach, post.pcn)
    if not Post.objects.filter(coach=post.coach, voided_at=None).exclude(pk=post.pk).exists():
        raise ValidationError(
            f"{post.coach.name} has no other post, and without one nobody would find them here. Correct this one."
        )
    withdraw(actor, line, post, because, version)
    line.about(post, at=post.pcn, coach=str(post.coach.uuid))


def _reach_post(actor: Actor, coach: Coach, pcn: Organisation) -> None:
    # Whoever left may come back: what comes after their last post here is a new post's to say.
    reached(actor, Can.RECORD, coach)
    if pcn.pk not in actor.pcns(Can.RECORD):
        raise Refused(Can.RECORD)


def _insert_post(line: Line, post: Post) -> Post:
    faults = Faults()
    if not 0 < post.hours_per_week <= 60:
        faults.add("hours_per_week", "Hours a week must be more than 0 and no more than 60.")
    holds(faults, post, "post", "coach", "pcn")
    faults.stop()
    return line.insert(post)


@action("absence.record")
def record_absence(
    actor: Actor, line: Line, *, coach: Coach, kind: str, starts_on: date, ends_on: date | None = None
) -> Absence:
    """Record days on which a coach is away; without a last day it runs. Raises ValidationError, and Refused."""
    pcn = reached(actor, Can.RECORD, coach, starts_on)
    absence = Absence(coach=coach, kind=kind, starts_on=starts_on, ends_on=ends_on)
    tidy(absence)
    sent = sent_before(absence)
    if sent is None:
        faults = Faults()
        holds(faults, absence, "absence", "coach")
        faults.stop()
        line.insert(absence)
    line.about(sent or absence, at=pcn, coach=str(coach.uuid), again=sent is not None)
    return sent or absence


@action("absence.end")
def end_absence(actor: Actor, line: Line, *, absence: Absence, ends_on: date | None, version: int) -> Absence:
    """Record the last day of an absence; None: it goes on after all. Raises ValidationError, Refused and Stale."""
    pcn = reached(actor, Can.RECORD, absence.coach, absence.starts_on)
    ended = last_day(line, absence, version, ends_on, "absence", "coach")
    line.about(ended, at=pcn, coach=str(absence.coach.uuid), ends_on=str(ends_on or ""), was=absence.pk)
    return ended


@action("absence.void")
def void_absence(actor: Actor, line: Line, *, absence: Absence, because: str, version: int) -> None:
    """An absence was recorded that never was. Raises ValidationError, Refused and Stale."""
    pcn = reached(actor, Can.RECORD, absence.coach, absence.starts_on)
    withdraw(actor, line, absence, because, version)
    line.about(absence, at=pcn, coach=str(absence.coach.uuid))


# --- Sealing the audit ----------------------------------------------------------------------------------------------


@upkeep("the chain of the audit's own events, which tells nothing of anybody")
def seal_events(*, limit: int) -> int:
    """Seal the next events that have become final, so many at most; answers how many. None while another does it.

    The walls are lifted by the caller.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"select pg_try_advisory_xact_lock({sealing.LOCK}), clock_timestamp()")
        mine, now = cursor.fetchone()
    if not mine:
        return 0
    before = sealing.last()
    seals, sequence, hash_ = [], before.sequence, before.hash
    for says in sealing.final_events(limit):
        sequence += 1
        hash_ = sealing.link(hash_, sequence, now, says)
        seals.append(AuditSeal(sequence=sequence, event=says[0], hash=hash_, sealed_at=now))
    AuditSeal.objects.bulk_create(seals)
    return len(seals)
