"""One person's access: what they have here, who stands in for them, and what happens when they leave."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from coaching.queries import open_cases
from hwbc.compliance import actions
from hwbc.compliance.forms.people import NameDeputy
from hwbc.compliance.sentences import written
from hwbc.kit.periods import today
from hwbc.workforce.access import Actor, Request, has_access_elsewhere, needs
from hwbc.workforce.accounts import help_with_factors, help_with_password, sign_out_everywhere
from hwbc.workforce.models import Grant, User
from hwbc.workforce.queries import everything_of, may_stand_in, stands_for
from hwbc.workforce.roles import SUPERVISORS, Can, Role, may
from hwbc.workforce.sessions.confirm import confirm_first

_WAY = [{"text": "Home", "href": "/"}, {"text": "People and access", "href": "/access"}]


@needs(Can.INVITE)
@require_safe
def person(request: Request, uuid: UUID) -> HttpResponse:
    """Somebody's roles here, with those that have ended; and what can be done about them."""
    user, grants = _found(request, uuid)
    day = today()
    live = [grant for grant in grants if _holds(grant)]
    elsewhere = has_access_elsewhere(user, request.actor, day)
    may_have_deputy = {grant.pk for grant in stands_for(request.actor, day)}
    context = {
        "person": user,
        "own": user.pk == request.actor.user_id,
        "live": [(grant, grant.pk in may_have_deputy) for grant in live],
        "ended": [grant for grant in grants if grant not in live],
        "supervisors": SUPERVISORS,
        "cases": open_cases(request.actor, user),
        "may_help": user.is_active and user.pk != request.actor.user_id and bool(live) and not elsewhere,
        "may_suspend": user.is_active and user.pk != request.actor.user_id and bool(live),
        "today": day,
        "breadcrumbs": _WAY,
    }
    return render(request, "compliance/access/person.html", context)


@needs(Can.INVITE)
@require_http_methods(["GET", "HEAD", "POST"])
@confirm_first
def suspend(request: Request, uuid: UUID) -> HttpResponse:
    """Ask before somebody is suspended; say what became of their access and their cases."""
    user, grants = _found(request, uuid)
    href = reverse("access_person", kwargs={"uuid": user.uuid})
    refused = ""
    if request.method == "POST":
        try:
            done = actions.suspend(request.actor, user=user)
        except ValidationError as fault:
            refused = " ".join(fault.messages)
        else:
            messages.success(request, _suspended(user, done))
            return redirect(href)
    ending = [grant for grant in grants if _holds(grant) and grant.role not in SUPERVISORS]
    context = {
        "person": user,
        "refused": refused,
        "ending": ending,
        "elsewhere": has_access_elsewhere(user, request.actor, today()),
        "cases": open_cases(request.actor, user),
        "href": href,
        "breadcrumbs": [*_WAY, {"text": user.name, "href": href}],
    }
    return render(request, "compliance/access/suspend.html", context, status=409 if refused else 200)


# What somebody who gives access can do for somebody who cannot get in, or whose browser is in other hands.
_HELPS: dict[str, tuple[Callable[[Actor, User], None], str]] = {
    "sessions": (sign_out_everywhere, "{} is signed out everywhere, and is told so by mail."),
    "password": (help_with_password, "The link to choose a new password is mailed to {}."),
    "factors": (help_with_factors, "{} has no second factor and no password now. The link to begin anew is mailed."),
}


@needs(Can.INVITE)
@require_http_methods(["POST"])
@confirm_first
def help_to_sign_in(request: Request, uuid: UUID) -> HttpResponse:
    """Sign somebody out everywhere, have them mailed the link for a new password, or take lost second factors away."""
    user, _ = _found(request, uuid)
    found = _HELPS.get(request.POST.get("help", ""))
    if found is None:
        raise Http404
    help_, said = found
    try:
        help_(request.actor, user)
    except ValidationError as fault:
        messages.warning(request, " ".join(fault.messages))
    else:
        messages.success(request, said.format(user.name))
    return redirect("access_person", uuid=user.uuid)


@needs(Can.INVITE)
@require_http_methods(["POST"])
@confirm_first
def restore(request: Request, uuid: UUID) -> HttpResponse:
    """Somebody who was suspended may sign in again."""
    user, _ = _found(request, uuid)
    try:
        actions.restore(request.actor, user=user)
    except ValidationError as fault:
        messages.warning(request, " ".join(fault.messages))
    else:
        messages.success(request, f"{user.name} can sign in again, and has no role yet. Invite them to give one.")
    return redirect("access_person", uuid=user.uuid)


@needs(Can.INVITE)
@require_http_methods(["GET", "HEAD", "POST"])
@confirm_first
def name_deputy(request: Request, uuid: UUID) -> HttpResponse:
    """Who stands in for whoever holds a grant, and for how long."""
    actor, day = request.actor, today()
    grant = next((grant for grant in stands_for(actor, day) if grant.uuid == uuid), None)
    if grant is None:
        raise Http404
    offered = may_stand_in(actor, grant, day)
    form = NameDeputy(request.POST if request.method == "POST" else None, offered=offered)
    if request.method == "POST" and form.is_valid():
        try:
            deputy = actions.name_deputy(actor, grant=grant, **form.answers())
        except ValidationError as fault:
            form.refuse(fault)
        else:
            period = f"from {written(deputy.starts_on)} to {written(form.cleaned_data['ends_on'])}"
            messages.success(request, f"{deputy.user.name} stands in for {grant.user.name} {period}, and is told so.")
            return redirect("access")
    href = reverse("access_person", kwargs={"uuid": grant.user.uuid})
    context = {
        "grant": grant,
        "form": form,
        "offered": offered,
        "may": may(Role(grant.role), deputy=True),
        "breadcrumbs": [*_WAY, {"text": grant.user.name, "href": href}],
    }
    return render(request, "compliance/access/deputy.html", context)


def _found(request: Request, uuid: UUID) -> tuple[User, list[Grant]]:
    grants = everything_of(request.actor, uuid)
    if not grants:
        raise Http404
    return grants[0].user, grants


def _holds(grant: Grant) -> bool:
    """Whether it holds today or will later."""
    return grant.revoked_at is None and (grant.ends_on is None or grant.ends_on >= today())


def _suspended(user: User, done: actions.Suspended) -> str:
    cases: Any = done.cases
    waiting = {0: "", 1: " 1 case of theirs waits for another coach."}.get(
        cases, f" {cases} cases of theirs wait for another coach."
    )
    if done.elsewhere:
        return f"{user.name} has no role here any more. They keep the account for access elsewhere.{waiting}"
    return f"{user.name} is suspended: they cannot sign in, and everything that was recorded stays.{waiting}"
