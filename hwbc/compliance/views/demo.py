"""The demo's own pages: whom one may sign in as, and its workbook. There in a demo alone, on its own machine alone."""

from datetime import date
from io import BytesIO
from ipaddress import ip_address
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import login
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods, require_safe

from hwbc.compliance.demo import actions, queries
from hwbc.compliance.demo.workbook import workbook
from hwbc.kit.exports import XLSX, file_name, xlsx_response
from hwbc.workforce.access import Request, actor_of, public, to_sign_in
from hwbc.workforce.accounts import keep_session
from hwbc.workforce.sessions import confirm as confirming
from hwbc.workforce.sign_in import How

# What a proxy adds: whoever comes through one may sit anywhere.
_PROXIED = ("HTTP_X_FORWARDED", "HTTP_FORWARDED", "HTTP_X_REAL_IP", "HTTP_VIA")
_WHY = "the invented people of a demo sign in without a password; in no other database, and from no other machine"


def _door(request: HttpRequest) -> date:
    """The day that the demo is told from. Raises Http404 unless this is a demo, asked for from its own machine."""
    if not settings.LOCAL or not _is_from_here(request):
        raise Http404
    queries.ask_again()  # it may have been made since this process began
    made_on = queries.made_on()
    if made_on is None:
        raise Http404
    return made_on


def _is_from_here(request: HttpRequest) -> bool:
    """Whether the browser runs on this machine: its address, and the one it asked for, are the loopback interface's."""
    if any(name.startswith(_PROXIED) for name in request.META):
        return False
    host = urlsplit(f"//{request.get_host()}").hostname or ""
    return _is_loopback(request.META.get("REMOTE_ADDR", "")) and (host == "localhost" or _is_loopback(host))


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


@public(_WHY)
@require_http_methods(["GET", "HEAD", "POST"])
def demo(request: Request) -> HttpResponse:
    """The cast of the demo, each with a button to sign in as them; a POST does, whoever was signed in before."""
    made_on = _door(request)
    cast = queries.cast()
    if request.method == "POST":
        asked = request.POST.get("user", "")
        user = next((account.user for account in cast if str(account.user.uuid) == asked), None)
        if user is None or not user.is_active:
            raise Http404
        request.session.flush()  # whoever was signed in before, nothing of theirs is left
        login(request, user, backend=settings.AUTHENTICATION_BACKENDS[0])
        actions.signed_in(actor_of(user), user=user)
        keep_session(request, user, How.DEMO)
        confirming.note(request)
        return redirect("home")
    here = request.actor.user_id
    return render(request, "demo/demo.html", {"made_on": made_on, "cast": cast, "here": here})


@public("in a demo nobody has a password to confirm with; in no other database, and from no other machine")
@require_http_methods(["GET", "HEAD", "POST"])
def confirm(request: Request) -> HttpResponse:
    """What stands in a demo in place of the password, before something that matters."""
    _door(request)
    if request.actor.user_id is None:
        return to_sign_in(request)
    user = request.user
    if user.is_authenticated and user.has_usable_password():
        raise Http404
    if request.method == "POST":
        confirming.note(request)
        confirming.another_key(request)
        after = request.GET.get("next", "")
        return redirect(after if url_has_allowed_host_and_scheme(after, allowed_hosts=None) else "home")
    return render(request, "demo/confirm.html")


@public(_WHY)
@require_safe
def demo_workbook(request: Request) -> HttpResponseBase:
    """The workbook that the demo was made of."""
    made_on = _door(request)
    return xlsx_response(file_name(f"demo {made_on.isoformat()}", XLSX), BytesIO(workbook(made_on)))
