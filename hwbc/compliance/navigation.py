"""The links around every page: only those that the actor may follow."""

from django.http import HttpRequest
from django.urls import reverse

from hwbc.compliance.demo.queries import is_demo
from hwbc.workforce.access import NOBODY
from hwbc.workforce.roles import Can

SECTIONS: tuple[tuple[str, str, Can | None], ...] = (
    ("home", "Home", None),
    ("caseload", "Caseload", Can.LOG_SESSIONS),
    ("coaches", "Coaches", Can.SEE_STANDING),
    ("referrals", "Referrals", Can.SEE_OVERVIEW),
    ("flags", "Flags", Can.SEE_OVERVIEW),
    ("overview", "PCNs", Can.SEE_OVERVIEW),
    ("import_new", "Import", Can.IMPORT),
    ("access", "Access", Can.INVITE),
    ("audit", "Audit", Can.SEE_AUDIT),
    ("notifications", "Notifications", None),
    ("status", "Service status", Can.SEE_STATUS),
)
FOOTER: tuple[tuple[str, str], ...] = (("how_we_count", "How we count"),)


def navigation(request: HttpRequest) -> dict[str, object]:
    """Context processor: hands sections, footer and role to the frame, through the request.

    `in_demo` is asked by the template, and only where the front door has let somebody in: an error page reads no rows.
    """
    actor = getattr(request, "actor", NOBODY)
    if actor.user_id is not None:
        here = request.resolver_match.url_name if request.resolver_match else None
        sections = [
            {"text": text, "href": reverse(name), "current": name == here}
            for name, text, can in SECTIONS
            if can is None or actor.can(can)
        ]
        footer = [{"text": text, "href": reverse(name)} for name, text in FOOTER]
        role = actor.roles[0].label if len(actor.roles) == 1 else f"{len(actor.roles)} roles" if actor.roles else ""
        vars(request).update(navigation=sections, footer_links=footer, role_label=role)
    return {"in_demo": is_demo} if hasattr(request, "actor") else {}
