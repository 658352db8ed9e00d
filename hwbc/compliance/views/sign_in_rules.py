"""What a place asks of everybody who signs in."""

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from hwbc.compliance.forms.sign_in_rules import SignInRules
from hwbc.compliance.sentences import written
from hwbc.kit.periods import today
from hwbc.workforce.access import Request, needs
from hwbc.workforce.actions.factors import set_sign_in_rules
from hwbc.workforce.queries import places_with_rules
from hwbc.workforce.roles import Can
from hwbc.workforce.versions import Stale


@needs(Can.INVITE)
@require_http_methods(["GET", "HEAD", "POST"])
def sign_in_rules(request: Request) -> HttpResponse:
    """The places where the actor gives access, and what each asks for; a POST changes it for one of them."""
    places = places_with_rules(request.actor)
    form = SignInRules(request.POST, places=places) if request.method == "POST" else SignInRules(places=places)
    if request.method == "POST" and form.is_valid():
        try:
            place = set_sign_in_rules(request.actor, **form.chosen)
        except Stale:
            messages.warning(
                request, "Somebody changed this place meanwhile, and nothing of yours was saved. Look again."
            )
        else:
            asked = (
                f"asks for a passkey from {written(place.passkey_from)}"
                if place.passkey_from
                else "asks for no passkey"
            )
            messages.success(request, f"{place.name} {asked}.")
        return redirect("access_sign_in_rules")
    breadcrumbs = [{"text": "Home", "href": "/"}, {"text": "People and access", "href": "/access"}]
    context = {"form": form, "places": places, "today": today(), "breadcrumbs": breadcrumbs}
    return render(request, "compliance/access/sign_in_rules.html", context)
