"""allauth's forms, in the words of this service."""

from typing import Any

from allauth.account import forms as allauth
from django import forms

from hwbc.kit.fields import NhsukForm

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


class AskForPasswordLink(NhsukForm, allauth.ResetPasswordForm):  # type: ignore[misc]
    """The address to which a link is mailed."""

    submit = "Send the link"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _label(self, {"email": "E-mail address"})


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
