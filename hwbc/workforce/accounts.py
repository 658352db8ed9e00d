"""Sign-in with django-allauth: invited people only, every change through an action."""

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.adapter import get_adapter as get_account_adapter
from allauth.account.auth_backends import AuthenticationBackend
from allauth.account.authentication import get_authentication_records
from allauth.account.forms import default_token_generator
from allauth.account.models import EmailAddress
from allauth.account.utils import user_pk_to_url_str
from allauth.mfa.stages import AuthenticateStage
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import update_session_auth_hash
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.contrib.sites.shortcuts import get_current_site
from django.core.exceptions import ValidationError
from django.core.mail import EmailMessage, send_mail
from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from hwbc.kit.mail import send_later
from hwbc.workforce import actions, attempts, factors, sign_in
from hwbc.workforce.access import Actor, actor_of
from hwbc.workforce.actions import factors as factor_actions
from hwbc.workforce.models import Demo, User
from hwbc.workforce.queries import accounts_at
from hwbc.workforce.sign_in import How


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
        "invalid_login": factors.NOT_ACCEPTED,
        "incorrect_code": factors.NOT_ACCEPTED,
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def login(self, request: HttpRequest, user: User) -> None:
        super().login(request, user)
        how = sign_in.by_records(get_authentication_records(request, user))
        actions.signed_in(actor_of(user), user=user, how=how.value)
        keep_session(request, user, how)
        if how in sign_in.RECOVERY:
            left = len(factors.codes_of(user))
            messages.warning(
                request,
                f"You signed in with a recovery code, and have {left or 'none'} left."
                + (" Make new ones under “Sign-in and security”." if left <= factors.FEW else ""),
            )

    def get_login_stages(self) -> list[str]:
        own = {"allauth.mfa.stages.AuthenticateStage": "hwbc.workforce.accounts.SecondStep"}
        return [own.get(stage, stage) for stage in super().get_login_stages()]

    def logout(self, request: HttpRequest) -> None:
        user = request.user
        super().logout(request)
        if isinstance(user, User):
            actions.signed_out(actor_of(user), user=user)

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        try:
            super().pre_authenticate(request, **credentials)
        except ValidationError:
            self._refused(request, attempts.TOO_MANY_PASSWORDS, **credentials)
            raise

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        self._refused(request, attempts.WRONG_PASSWORD, **credentials)

    def respond_user_inactive(self, request: HttpRequest, user: User) -> HttpResponse:
        attempts.refused(request, user, attempts.CLOSED)
        response: HttpResponse = super().respond_user_inactive(request, user)
        return response

    def _refused(self, request: HttpRequest, why: str, **credentials: Any) -> None:
        typed = self._get_login_attempts_cache_key(request, **credentials)
        attempts.refused(request, next(iter(accounts_at(typed)), None), why, typed)

    def _get_login_attempts_cache_key(self, request: HttpRequest, **credentials: Any) -> str:
        # allauth's has the host that the browser asked for, port and all: another port would be five more guesses.
        return str(credentials.get("email", "")).strip().lower()

    def get_reauthentication_methods(self, user: Any) -> list[dict[str, Any]]:
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if not methods and settings.LOCAL and Demo.objects.exists():  # nobody in a demo has a password
            methods = [{"id": "demo", "description": "Confirm it in the demo", "url": reverse("demo_confirm")}]
        return methods

    def set_password(self, user: User, password: str) -> None:
        # The present session goes on where it is the person's own; allauth renews it.
        own = self.request is not None and self.request.user == user
        but = self.request.session.session_key or "" if own else ""
        actions.set_password(themself(user), user=user, password=password, but=but)

    def send_mail(self, template_prefix: str, email: str, context: dict[str, Any]) -> None:
        request = self.request or context.get("request")
        said = {"request": request, "email": email, "current_site": get_current_site(request), **context}
        if "ip" in said:
            said["ip"] = sign_in.network(str(said["ip"]))
        send_later(self.render_mail(template_prefix, email, said))


class SecondStep(AuthenticateStage):  # type: ignore[misc]
    """Ours is not asked for where the provider at which somebody has just signed in answers for one."""

    def _should_handle(self, request: HttpRequest) -> bool:
        how = sign_in.by_records(get_authentication_records(request, self.login.user))
        return how not in (How.OIDC, How.OIDC_RESISTANT) and bool(super()._should_handle(request))


class Backend(AuthenticationBackend):  # type: ignore[misc]
    """By e-mail address and password. The same work whoever it is: one question to the database, one hash."""

    def _authenticate_by_email(self, email: str, password: str) -> User | None:
        # allauth's asks once more where nobody has the address.
        user = next(iter(accounts_at(email)), None)
        checked: User | None = self._check_password(user, password)
        return checked


def themself(user: User) -> Actor:
    """Who acts in their own matters, also before a second factor lets them reach anything."""
    return Actor(user.pk, user.name)


def keep_session(request: HttpRequest, user: User, how: How) -> None:
    """Note how this session was begun, put it into its owner's list, and tell them of a device that is new."""
    session = request.session
    sign_in.begin(session, how)
    if not session.session_key:
        session.cycle_key()
    key = session.session_key or ""
    device = sign_in.device(request.META.get("HTTP_USER_AGENT", ""))
    network = sign_in.network(get_account_adapter(request).get_client_ip(request))
    new = factor_actions.begin_session(user=user, key=key, how=how.value, device=device, network=network)
    sign_in.note(session, key)
    if new:
        tell(user, "new_device", device=device, network=network)


def go_on(request: HttpRequest, user: User) -> None:
    """All sessions of a user have ended: this one, their own, goes on."""
    update_session_auth_hash(request, user)


# What is mailed when something about signing in changes: subject and sentence. None holds a secret.
_TOLD = {
    "new_device": ("New sign-in", "Somebody has signed in to your account on a device that you have not used before."),
    "app_added": ("Authenticator app added", "An authenticator app has been added to your account."),
    "passkey_added": ("Passkey added", "A passkey has been added to your account."),
    "factor_removed": ("Second factor removed", "A passkey or an authenticator app was removed from your account."),
    "codes_made": ("New recovery codes", "New recovery codes were made for your account. The old ones hold no longer."),
    "factors_reset": (
        "Your second factors were reset",
        (
            "Your passkeys, authenticator app, recovery codes and password were taken away by somebody who manages "
            "access. Another mail has the link to choose a new password; then you set up a second factor anew."
        ),
    ),
    "identity_linked": (
        "New way to sign in",
        "Your account was opened with {provider} for the first time. From now on you can sign in with that too.",
    ),
    "sessions_ended": ("You were signed out", "All your sessions were ended by somebody who manages access."),
}


def tell(user: User, what: str, **facts: str) -> None:
    """Mail somebody that something about how they sign in has changed."""
    subject, sentence = _TOLD[what]
    sentence = sentence.format(provider=settings.OIDC_NAME)
    context = {"service_name": settings.SERVICE_NAME, "sentence": sentence, "at": timezone.localtime(), **facts}
    text = render_to_string("email/security.txt", context)
    send_later(EmailMessage(f"{subject}: {settings.SERVICE_NAME}", text, None, [user.email]))


# --- For whoever manages somebody's access: the action, and the mail to the person ------------------------------------


def help_with_password(actor: Actor, user: User) -> None:
    """Have somebody mailed the link to choose a new password. Raises ValidationError, and Refused."""
    factor_actions.start_password_reset(actor, user=user)
    mail_password_link(user)


def help_with_factors(actor: Actor, user: User) -> None:
    """Take somebody's second factors and password, and mail them the link to begin anew; the page asks first to confirm
    who one is. Raises ValidationError, and Refused."""
    factor_actions.reset_factors(actor, user=user)
    tell(user, "factors_reset")
    mail_password_link(user)


def sign_out_everywhere(actor: Actor, user: User) -> None:
    """End all sessions of somebody else, and tell them. Raises Refused."""
    factor_actions.end_sessions(actor, user=user)
    tell(user, "sessions_ended")


def mail_password_link(user: User) -> None:
    """Mail the link with which somebody chooses a new password themself."""
    now = User.objects.get(pk=user.pk)  # the link holds for an account that is as it was when it was made
    said = {"password_reset_url": invitation_link(now)}
    subject = render_to_string("account/email/password_reset_key_subject.txt", said).strip()
    text = render_to_string("account/email/password_reset_key_message.txt", said)
    send_later(EmailMessage(subject, text, None, [user.email]))


def mail_nobody(email: str) -> None:
    """What mailing a link to choose a password costs, for an address that has no account: nothing is sent."""
    stranger = User(pk=0, email=email, password="")
    PasswordResetTokenGenerator().make_token(stranger)
    addresses = EmailAddress.objects.filter(user_id=stranger.pk)  # as the real one does: a token knows the addresses
    addresses.filter(email=email).exists()
    list(addresses.values_list("email", flat=True))
    adapter = get_account_adapter()
    said = {"user": stranger, "password_reset_url": settings.BASE_URL, "request": adapter.request, "email": email}
    adapter.render_mail("account/email/password_reset_key", email, said)
    send_later(None)


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
