"""What pages ask about their session, where drafts go, and the way on after confirming who one is."""

from typing import Any
from uuid import UUID

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hwbc.kit.templatetags.nhsuk import clock as in_words
from hwbc.workforce import walls
from hwbc.workforce.access import Request, public, signed_in
from hwbc.workforce.models import Draft
from hwbc.workforce.sessions import actions, clock, drafts


@public("says how long one's session lasts, also to a page whose session is over")
@require_http_methods(["GET", "HEAD", "POST"])
def session(request: Request) -> HttpResponse:
    """How long the session has, and whose it is; asking does not extend it, a POST does."""
    if request.method == "POST" and request.actor.user_id is not None:
        clock.move(request, exactly=True)
    return JsonResponse(answer(request))


def answer(request: HttpRequest) -> dict[str, Any]:
    """What is left of the session, for a page."""
    left = clock.left(request)
    who = str(request.user.uuid) if request.user.is_authenticated else ""
    return {"left": left.seconds, "fixed": left.fixed, "who": who}


@csrf_exempt  # the signed mark is what no other site knows; and it outlives a sign-out in another tab
@public("a form's signed mark says whose text it is, also when their session has just ended")
@require_POST
def save(request: Request) -> HttpResponse:
    """Keep what is being typed, for whoever was shown the form."""
    mark = drafts.mark_of(request.POST)
    address = request.POST.get(drafts.ADDRESS, "")
    if mark is None or not _is_here(address):
        return JsonResponse({"saved": ""}, status=400)
    fields = drafts.fields_of(request.POST)
    if fields is None:
        return JsonResponse({"saved": ""}, status=413)
    with walls.within(walls.Scope(mark.user_id)):
        kept = actions.keep(mark, address=address, fields=fields)
    return JsonResponse({"saved": in_words(kept.saved_at) if kept else ""})


@signed_in
@require_POST
def discard(request: Request) -> HttpResponse:
    """Throw a draft away, and show the form without it."""
    address = request.POST.get(drafts.ADDRESS, "")
    actions.discard(request.actor, address=address, form=request.POST.get("form", ""))
    return redirect(address if _is_here(address) else "home")


@signed_in
@require_safe
def go_on(request: Request, uuid: UUID | None = None) -> HttpResponse:
    """Confirmed: the way on to what was asked for before. What was sent waits for a click."""
    to = request.GET.get("to", "")
    if uuid is None:
        return render(request, "account/go_on.html", {"to": to}) if _is_here(to) else redirect("home")
    held = Draft.objects.for_actor(request.actor).filter(pk=uuid, form__startswith=drafts.HELD).first()
    if held is None:
        raise Http404
    fields = [(name, value) for name, values in held.fields.items() for value in values]
    fields.append((drafts.WAS_HELD, str(held.pk)))
    return render(request, "account/go_on.html", {"address": held.address, "fields": fields})


def _is_here(address: str) -> bool:
    """Whether it is an address of this service, without a host."""
    return address.startswith("/") and url_has_allowed_host_and_scheme(address, allowed_hosts=None)
