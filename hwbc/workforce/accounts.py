"""Sign-in with django-allauth: invited people only, every change through an action."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.forms import default_token_generator
from allauth.account.utils import user_pk_to_url_str
from django.conf import settings
from django.core.mail import send_mail
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import reverse

from hwbc.workforce import actions
from hwbc.workforce.access import Actor, actor_of
from hwbc.workforce.models import User


class Adapter(DefaultAccountAdapter):  # type: ignore[misc]
    """What this service does its own way."""

    error_messages = DefaultAccountAdapter.error_messages | {
        "email_password_mismatch": "The e-mail address or the password is not right.",
        "too_many_login_attempts": (
            "There were too many attempts to sign in. Wait five minutes, or choose a new password with "
            "“Forgotten your password?”."
        ),
        "enter_current_password": "This is not your present password.",
        "incorrect_password": "This is not your password.",
        "rate_limited": "There were too many attempts. Wait a few minutes and try again.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        actions.signed_in(actor_of(user), user=user)

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        super().logout(request)
        if isinstance(user, User):
            actions.signed_out(actor_of(user), user=user)

    def set_password(self, user: User, password: str) -> None:
        actions.set_password(_themself(user), user=user, password=password)


def _themself(user: User) -> Actor:
    return Actor(user.pk, user.name)


def invitation_link(user: User) -> str:
    """The address at which an invited person chooses a password; holds for PASSWORD_RESET_TIMEOUT seconds, once."""
    key = default_token_generator.make_token(user)
    path = reverse("account_reset_password_from_key", kwargs={"uidb36": user_pk_to_url_str(user), "key": key})
    return f"{settings.BASE_URL}{path}"


def mail_invitation(user: User) -> str:
    """Mail the link to an invited person; returns it."""
    link = invitation_link(user)
    context: dict[str, Any] = {
        "service_name": settings.SERVICE_NAME,
        "link": link,
        "days": settings.PASSWORD_RESET_TIMEOUT // (24 * 60 * 60),
    }
    send_mail(
        subject=f"Your account for {settings.SERVICE_NAME}",
        message=render_to_string("email/invitation.txt", context),
        from_email=None,
        recipient_list=[user.email],
    )
    return link
