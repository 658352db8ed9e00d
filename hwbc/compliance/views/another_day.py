"""Asks for which day a page is to be shown."""

from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_safe

from hwbc.compliance.as_at import AsAtForm, address, read
from hwbc.workforce.access import Request, signed_in


@signed_in
@require_safe
def another_day(request: Request) -> HttpResponse:
    """The form; a valid answer leads back to the page that asked, as at that day."""
    back = request.GET.get("next", "")
    if not back.startswith("/") or not url_has_allowed_host_and_scheme(back, allowed_hosts=None):
        back = "/"
    if "day_day" in request.GET:
        form = AsAtForm(request.GET)
        if form.is_valid():
            return redirect(address(back, form.cleaned_data["day"], form.moment()))
    else:
        shown = read(QueryDict(back.partition("?")[2]))
        known = timezone.localtime(shown.known) if shown.known else None
        initial = {"day": shown.day, "known": known and known.date(), "clock": known and f"{known:%H:%M}", "next": back}
        form = AsAtForm(initial=initial)
    return render(request, "compliance/another_day.html", {"form": form, "back": {"href": back, "text": "Back"}})
