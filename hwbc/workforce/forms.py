"""allauth's forms, in the words of this service."""

from typing import Any

from allauth.account import forms as allauth
from allauth.core import context
from allauth.mfa.base import forms as mfa
from allauth.mfa.models import Authenticator
from allauth.mfa.webauthn import forms as mfa_passkeys
from allauth.mfa.webauthn.internal import auth as webauthn
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from hwbc.kit.fields import NhsukForm
from hwbc.kit.layout import Field
from hwbc.workforce import accounts, attempts, factors
from hwbc.workforce.actions.factors import use_code
from hwbc.workforce.audit import ActionRefused
from hwbc.workforce.models import User
from hwbc.workforce.queries import accounts_at

_HINT = "At least 12 characters. Three random words make a good one. You can paste it from a password manager."


def _label(form: forms.BaseForm, labels: dict[str, str]) -> None:
    for name, label in labels.items():
        field = form.fields[name]
        field.label = label
        field.help_text = ""
        field.widget.attrs.pop("placeholder", None)


class SignIn(NhsukForm, allauth.LoginForm):  # type: ignore[misc]
    """E-mail address and password."""

    submit = "Sign in"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self, {"login": "E-mail address", "password": "Password"})
        self.fields["login"].widget.attrs["autocomplete"] = "username"

    @property
    def provider(self) -> str:
        """The OpenID provider at which one can sign in instead, if there is one."""
        return str(settings.OIDC_NAME)


class AskForPasswordLink(NhsukForm, allauth.ResetPasswordForm):  # type: ignore[misc]
    """The address to which a link is mailed."""

    submit = "Send the link"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self, {"email": "E-mail address"})

    def clean_email(self) -> str:
        email = str(self.cleaned_data["email"])
        self.users = [user for user in accounts_at(email) if user.is_active]
        return email

    def save(self, request: HttpRequest, **kwargs: Any) -> str:
        if not self.users:
            accounts.mail_nobody(self.cleaned_data["email"])
        return str(super().save(request, **kwargs))


class SetPassword(NhsukForm, allauth.ResetPasswordKeyForm):  # type: ignore[misc]
    """A first or a new password, by the link from a mail."""

    submit = "Save the password"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self, {"password1": "Password", "password2": "The same password again"})
        self.fields["password1"].help_text = _HINT


class ChangePassword(NhsukForm, allauth.ChangePasswordForm):  # type: ignore[misc]
    """A new password, by the present one."""

    submit = "Change the password"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(
            self,
            {
                "oldpassword": "Present password",
                "password1": "New password",
                "password2": "The same new password again",
            },
        )
        self.fields["password1"].help_text = _HINT


class ConfirmPassword(NhsukForm, allauth.ReauthenticateForm):  # type: ignore[misc]
    """The present password, before something that matters."""

    submit = "Confirm"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self, {"password": "Password"})


# --- Second factors -------------------------------------------------------------------------------------------------


class _Code(NhsukForm, mfa.BaseAuthenticateForm):  # type: ignore[misc]
    """A code of the authenticator app, or a recovery code. Each holds once."""

    submit = "Continue"
    user: User
    authenticator: Authenticator

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self, {"code": "Code"})
        self.fields["code"].help_text = (
            "6 digits from your authenticator app, or one of your recovery codes."
            if self.has_app
            else "One of your recovery codes, 8 digits."
        )

    def layout(self) -> list[Any]:
        return [Field("code", width=10, inputmode="numeric", autocomplete="one-time-code")]

    @property
    def has_app(self) -> bool:
        """Whether there is an authenticator app to ask."""
        return factors.has(self.user, factors.APP)

    @property
    def has_passkey(self) -> bool:
        """Whether there is a passkey to use instead."""
        return factors.has(self.user, factors.PASSKEY)

    def clean_code(self) -> str:
        guess = factors.Guess(context.request, self.user)
        if not guess.allowed:
            attempts.refused(context.request, self.user, attempts.TOO_MANY_CODES)
            raise ValidationError(factors.TOO_MANY)
        code = str(self.cleaned_data["code"])
        try:
            found = use_code(accounts.themself(self.user), user=self.user, code=code)
        except ActionRefused:
            attempts.note(context.request, self.user, attempts.WRONG_CODE)
            raise
        guess.was_right()
        found.user = self.user
        self.authenticator = found
        return code


class SecondStep(_Code, mfa.AuthenticateForm):  # type: ignore[misc]
    """The second step of signing in."""

    submit = "Sign in"


class ConfirmCode(_Code, mfa.ReauthenticateForm):  # type: ignore[misc]
    """A code, before something that matters."""

    submit = "Confirm"


class _Passkey(mfa_passkeys.AuthenticateWebAuthnForm):  # type: ignore[misc]
    """What the browser says that the passkey said. There is nothing to guess, so nobody is held up."""

    def clean_credential(self) -> Authenticator:
        credential = self.cleaned_data["credential"]
        try:
            with factors.ceremony():
                webauthn.parse_authentication_response(credential)
                user = self.user or factors.owner_of(credential)
                return webauthn.complete_authentication(user, credential)
        except ValidationError:
            if self.user:
                attempts.refused(context.request, self.user, attempts.WRONG_PASSKEY)
            else:  # whose it is, is only what the browser says
                attempts.note(context.request, None, attempts.WRONG_PASSKEY)
            raise


class SecondStepPasskey(_Passkey):
    """The second step of signing in, by passkey."""


class PasskeySignIn(_Passkey, mfa_passkeys.LoginWebAuthnForm):  # type: ignore[misc]
    """Signing in with a passkey alone."""


class ConfirmPasskey(_Passkey, mfa_passkeys.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    """A passkey, before something that matters."""


class AddApp(NhsukForm, forms.Form):
    """The first code of an authenticator app: it has the secret, and its clock is right."""

    submit = "Continue"

    code = forms.CharField(label="Code", help_text="6 digits that the app shows now.", max_length=20)

    def layout(self) -> list[Any]:
        return [Field("code", width=10, inputmode="numeric", autocomplete="one-time-code")]


class AddPasskey(NhsukForm, forms.Form):
    """A name for a passkey, and what the browser has made."""

    submit = ""

    name = forms.CharField(
        label="Name", max_length=60, required=False, help_text="To tell it from others, such as “Work laptop”."
    )
    credential = forms.JSONField(widget=forms.HiddenInput)

    def clean_credential(self) -> dict[str, Any]:
        """What the browser made, checked against what it was asked for; the device has asked for finger or PIN."""
        credential: dict[str, Any] = self.cleaned_data["credential"]
        with factors.ceremony():
            webauthn.parse_registration_response(credential)
            webauthn.complete_registration(credential)
        return credential


class UsePasskey(_Passkey):
    """A passkey that an organisation asks for, in a session that was begun with something else."""
