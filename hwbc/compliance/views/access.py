"""Who has access: the list, an invitation, the end of a role. Access is judged as of now, on no other day."""

import smtplib
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hwbc.compliance.forms.access import SUPERVISOR, AccessFilter, Invite, Offered
from hwbc.compliance.queries import tree
from hwbc.compliance.sentences import written
from hwbc.kit.periods import today
from hwbc.kit.tables import Column, Table
from hwbc.workforce import actions
from hwbc.workforce.access import Actor, Request, needs
from hwbc.workforce.accounts import mail_invitation
from hwbc.workforce.models import Grant, User
from hwbc.workforce.queries import grants, places_to_give, posts_without_access, still_here
from hwbc.workforce.roles import SUPERVISORS, Can, Role, in_words, may
from hwbc.workforce.sessions.confirm import confirm_first
from supervision.actions.access import give_access
from supervision.queries import without_access


def _last_day(grant: Grant) -> date | None:
    """The day on which a grant ends or ended; None for one without an end."""
    days = [grant.ends_on, timezone.localdate(grant.revoked_at) if grant.revoked_at else None]
    return min((day for day in days if day), default=None)


def _by_role(grant: Grant) -> tuple[int, str]:
    return list(Role).index(Role(grant.role)), grant.coach.sort_name if grant.coach else ""


COLUMNS: list[Column[Grant]] = [
    Column("name", "Person", lambda grant: (grant.user.sort_name, grant.user_id)),
    Column("role", "Role", _by_role),
    Column("place", "Where", lambda grant: grant.organisation.name),
    Column("from", "From", lambda grant: grant.starts_on),
    Column("until", "Until", lambda grant: _last_day(grant) or date.max),
    Column("action", "Action"),
]


@needs(Can.INVITE)
@require_http_methods(["GET", "HEAD", "POST"])
def people(request: Request) -> HttpResponse:
    """Who has access at the places that the actor manages; a POST sends somebody the link of their invitation again."""
    if request.method == "POST":
        return _send_again(request)
    actor, day = request.actor, today()
    nodes = tree(actor, Can.INVITE)
    sort = {"sort": request.GET["sort"]} if request.GET.get("sort") else {}
    form = AccessFilter(request.GET, nodes=nodes, keep=sort)
    found = grants(actor, day, ended=form.shows_ended)
    left = [grant for grant in found if form.leaves(grant)]
    table = Table(left, COLUMNS, request.GET, noun=("role", "roles"), default="name")
    chips = [(label, words, table.href(page=None, **{name: None})) for name, label, words in form.chips()]
    context: dict[str, Any] = {
        "table": table,
        "filter": form,
        "chips": chips,
        "clear": request.path,
        "rows": [(grant, _last_day(grant)) for grant in table.rows],
        "found": len(found),
        "people": len({grant.user_id for grant in left}),
        "only_me": not form.shows_ended and all(grant.user_id == actor.user_id for grant in found),
        "places": [node.name for node in nodes if node.depth == 0],
        "without_access": without_access(still_here(actor, Can.INVITE, day), day),
        "roles": [(role, in_words(role)) for role in Role],
        "supervisors": SUPERVISORS,
        "today": day,
    }
    return render(request, "compliance/access/people.html", context | ({"form": form} if form.errors else {}))


def _send_again(request: Request) -> HttpResponse:
    """To one of the people in the list. The address of the list is kept, with its filters."""
    theirs = Grant.objects.for_actor(request.actor).select_related("user")
    try:
        grant = theirs.filter(user__uuid=UUID(request.POST.get("user", ""))).first()
    except ValueError:
        grant = None
    if grant is None:
        raise Http404
    try:
        actions.send_again(request.actor, user=grant.user)
    except ValidationError as fault:
        messages.warning(request, " ".join(fault.messages))
    else:
        if _mailed(grant.user):
            messages.success(request, f"The link was sent to {grant.user.email} again.")
        else:
            messages.warning(request, f"The mail to {grant.user.email} could not be sent. Send the link again later.")
    return redirect(request.get_full_path())


def _mailed(user: User) -> bool:
    """Mail the link; whether the mail server took it. What was saved stays saved without it."""
    try:
        mail_invitation(user)
    except (OSError, smtplib.SMTPException):
        return False
    return True


@needs(Can.INVITE)
@require_http_methods(["GET", "HEAD", "POST"])
@confirm_first
def invite(request: Request) -> HttpResponse:
    """Invite somebody, or give a role to somebody who has an account; `?supervisor=` fills in who is meant."""
    actor, day = request.actor, today()
    offered = Offered(
        places_to_give(actor), posts_without_access(actor, day), without_access(still_here(actor, Can.INVITE, day), day)
    )
    if request.method == "POST":
        form = Invite(request.POST, offered=offered)
        if form.is_valid():
            try:
                user = _given(actor, form)
            except ValidationError as fault:
                form.refuse(fault)
            else:
                _tell(request, user, form)
                return redirect("access")
    else:
        form = Invite(offered=offered, initial=_meant(offered, request.GET.get("supervisor", "")))
    breadcrumbs = [{"text": "Home", "href": "/"}, {"text": "People and access", "href": "/access"}]
    return render(request, "compliance/access/invite.html", {"form": form, "breadcrumbs": breadcrumbs})


def _meant(offered: Offered, supervisor: str) -> dict[str, Any]:
    """What is known about the supervisor whom a link was about."""
    for each, _ in offered.supervisors:
        if str(each.uuid) == supervisor:
            return {"role": SUPERVISOR, "supervisor": supervisor, "name": each.name, "email": each.email}
    return {}


def _given(actor: Actor, form: Invite) -> User:
    """The account and the role, both or neither. Raises ValidationError."""
    asked = form.cleaned_data
    with transaction.atomic():
        user = actions.invite(actor, email=asked["email"], name=asked["name"])
        if asked["role"] == SUPERVISOR:
            give_access(actor, supervisor=asked["supervisor"], user=user)
        else:
            role, place, coach = form.chosen
            period = {"starts_on": asked["starts_on"], "ends_on": asked["ends_on"]}
            actions.grant(actor, user=user, role=role, organisation=place, coach=coach, **period)
    return user


def _tell(request: Request, user: User, form: Invite) -> None:
    """What was done, and whether the mail went out."""
    asked = form.cleaned_data
    if asked["role"] == SUPERVISOR:
        now = "sees the coaches whom they supervise, as long as each agreement holds"
    else:
        role, place, coach = form.chosen
        later = f" from {written(asked['starts_on'])}" if asked["starts_on"] > today() else ""
        now = f"is {role.label} {f'(for {coach}) ' if coach and coach.name != user.name else ''}at {place}{later}"
    if user.has_usable_password():
        messages.success(request, f"{user.email} has an account already: {user.name}, who keeps it. {user.name} {now}.")
    elif _mailed(user):
        messages.success(request, f"{user.name} {now}. The link to choose a password was sent to {user.email}.")
    else:
        messages.warning(
            request,
            f"The invitation was saved: {user.name} {now}. But the mail to {user.email} could not be sent. Send the "
            "link again, with the button beside the name.",
        )


@needs(Can.INVITE)
@require_http_methods(["GET", "HEAD", "POST"])
@confirm_first
def end(request: Request, uuid: UUID) -> HttpResponse:
    """Ask before a role is ended; a supervisor's ends with the agreement and not here."""
    actor, day = request.actor, today()
    theirs = Grant.objects.for_actor(actor).select_related("user", "organisation", "coach")
    grant = theirs.filter(uuid=uuid).first()
    if grant is None:
        raise Http404
    last = _last_day(grant)
    if grant.revoked_at is not None or (grant.ends_on is not None and grant.ends_on < day):
        messages.warning(request, f"This access of {grant.user.name} ended on {written(last)} already.")
        return redirect("access")
    follows, refused = grant.role in SUPERVISORS, ""
    if request.method == "POST":
        try:
            actions.end_grant(actor, grant=grant)
        except ValidationError as fault:
            refused = " ".join(fault.messages)
        else:
            role = Role(grant.role).label
            messages.success(request, f"{grant.user.name} is no longer {role} at {grant.organisation.name}.")
            return redirect("home" if grant.user_id == actor.user_id else "access")
    others = [each for each in grants(actor, day) if each.user_id == grant.user_id and each.pk != grant.pk]
    own = grant.user_id == actor.user_id
    context = {
        "grant": grant,
        "follows": follows,
        "refused": refused,
        "own": own,
        "may": may(Role(grant.role), "you" if own else "they", deputy=grant.deputises_id is not None),
        "others": others,
        "breadcrumbs": [{"text": "Home", "href": "/"}, {"text": "People and access", "href": "/access"}],
    }
    return render(request, "compliance/access/end.html", context, status=409 if refused else 200)
