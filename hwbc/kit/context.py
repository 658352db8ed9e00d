"""What stands around every page: name of the service, navigation, account, footer.

The kit knows no models. What it shows comes from the request: `request.navigation` and `request.footer_links` (lists of
`{"text", "href", "current"}`), `request.role_label`, `request.user`.
"""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from hwbc.kit.render import render

Link = dict[str, Any]
_TOKEN = "TOKEN-OF-THIS-PAGE"  # noqa: S105 - stands where the token will


class Frame:
    """The frame of one page. Nothing is looked up before a template asks, so an error page reads no rows."""

    def __init__(self, request: HttpRequest | None = None) -> None:
        self.request = request

    @property
    def service_name(self) -> str:
        """The name in the header and in every title."""
        return str(settings.SERVICE_NAME)

    @property
    def stylesheet(self) -> str:
        """The style sheet of the brand, as a path of the static files."""
        return "css/hwbc-nhs.css" if settings.BRAND == "nhs" else "css/hwbc.css"

    @property
    def theme_colour(self) -> str:
        """The colour of a phone's frame around the page; `static/hwbc*.scss` has the same."""
        return "#005eb8" if settings.BRAND == "nhs" else "#00585c"

    @property
    def home(self) -> str:
        """Where the name of the service leads."""
        try:
            return reverse("home")
        except NoReverseMatch:
            return "/"

    @cached_property
    def account(self) -> dict[str, str] | None:
        """Name and role of who is signed in; None when nobody is."""
        user = getattr(self.request, "user", None)
        if user is None or not user.is_authenticated:
            return None
        name = getattr(user, "name", "") or user.get_username()
        return {"name": name, "role": str(getattr(self.request, "role_label", "") or "")}

    @property
    def navigation(self) -> list[Link]:
        """The sections, for who is signed in."""
        return list(getattr(self.request, "navigation", []))

    @property
    def footer_links(self) -> list[Link]:
        """Links of the footer; only pages that exist."""
        return list(getattr(self.request, "footer_links", []))

    @property
    def plain_header(self) -> dict[str, Any]:
        """Parameters of the header component, with nothing about the person."""
        # The component has no way to leave the logo out; without BRAND=nhs ours takes the place of the NHS one.
        ours = {} if settings.BRAND == "nhs" else {"src": static("mark.svg"), "alt": ""}
        label = f"{'NHS ' if settings.BRAND == 'nhs' else ''}{self.service_name} – home"
        return {
            "logo": ours | {"ariaLabel": label},
            "service": {"text": self.service_name, "href": self.home},
        }

    @property
    def header(self) -> dict[str, Any]:
        """Parameters of the header component, with account and navigation when somebody is signed in."""
        if self.account is None:
            return self.plain_header
        name, role = self.account["name"], self.account["role"]
        who = {"text": f"{name} ({role})" if role else name, "icon": True}
        return self.plain_header | {
            "account": {"items": [who, {"html": self.sign_out}]},
            "navigation": {"items": self.navigation},
        }

    @property
    def sign_out(self) -> str:
        """Signing out changes something, so it is a form; the component's own has no CSRF token.

        The token is another one on every page, the header the same: `header_html` puts it in at the end.
        """
        return format_html(
            '<form class="nhsuk-header__account-form" action="{}" method="post" novalidate>'
            '<input type="hidden" name="csrfmiddlewaretoken" value="{}">'
            '<button class="nhsuk-header__account-button">Sign out</button></form>',
            reverse("account_logout"),
            _TOKEN,
        )

    @property
    def header_html(self) -> SafeString:
        """The header."""
        html = render("header", self.header)
        if self.account is None:
            return html
        assert self.request is not None
        return mark_safe(html.replace(_TOKEN, get_token(self.request)))  # noqa: S308 - letters and digits

    @property
    def footer(self) -> dict[str, Any]:
        """Parameters of the footer component."""
        return {"meta": {"items": self.footer_links}, "copyright": {"text": self.service_name}}


def frame(request: HttpRequest) -> dict[str, Any]:
    """Context processor: `frame`, and how long before its end a session warns."""
    return {"frame": Frame(request), "session_warning": settings.SESSION_WARNING}
