"""allauth's forms with our labels: sentence case, no placeholder that repeats the label. What they check stays allauth's."""

from typing import Any

from allauth.account import forms as account
from allauth.mfa.base import forms as mfa
from allauth.mfa.totp import forms as totp
from allauth.mfa.webauthn import forms as webauthn
from django import forms
from django.utils.translation import gettext_lazy as _

LABELS = {
    "login": _("E-mail address"),
    "email": _("E-mail address"),
    "password": _("Password"),
    "password1": _("Password"),
    "oldpassword": _("Password you have now"),
    "remember": _("Keep me signed in on this device"),
    "code": _("Code"),
    "name": _("Name"),
    "passwordless": _("Sign in with this key alone, without a password"),
}


# What the validators check (AUTH_PASSWORD_VALIDATORS), in one sentence instead of a list.
PASSWORD_HELP = _("At least 12 characters. Not one that many people use, and not like your name or address.")


MISSING = {
    "login": _("Enter your e-mail address."),
    "email": _("Enter an e-mail address."),
    "password": _("Enter your password."),
    "password1": _("Choose a password."),
    "oldpassword": _("Enter the password you have now."),
    "code": _("Enter the code."),
}


class OurLabels(forms.BaseForm):
    """Mixed into an allauth form: renames its fields, drops placeholders, says briefly what is needed or missing."""

    labels: dict[str, Any] = {}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            field.widget.attrs.pop("placeholder", None)
            field.label = (LABELS | self.labels).get(name, field.label)
            if name in MISSING:
                field.error_messages["required"] = MISSING[name]
            if name == "password1":
                field.help_text = PASSWORD_HELP


class LoginForm(OurLabels, account.LoginForm):  # type: ignore[misc]  # allauth is untyped
    pass


class SignupForm(OurLabels, account.SignupForm):  # type: ignore[misc]
    labels = {"name": _("Your name")}


class AddEmailForm(OurLabels, account.AddEmailForm):  # type: ignore[misc]
    labels = {"email": _("New e-mail address")}


class ChangePasswordForm(OurLabels, account.ChangePasswordForm):  # type: ignore[misc]
    labels = {"password1": _("New password"), "password2": _("New password, once more")}


class SetPasswordForm(OurLabels, account.SetPasswordForm):  # type: ignore[misc]
    labels = {"password1": _("New password"), "password2": _("New password, once more")}


class ResetPasswordForm(OurLabels, account.ResetPasswordForm):  # type: ignore[misc]
    pass


class ResetPasswordKeyForm(OurLabels, account.ResetPasswordKeyForm):  # type: ignore[misc]
    labels = {"password1": _("New password"), "password2": _("New password, once more")}


class ReauthenticateForm(OurLabels, account.ReauthenticateForm):  # type: ignore[misc]
    pass


class AuthenticateForm(OurLabels, mfa.AuthenticateForm):  # type: ignore[misc]
    pass


class MfaReauthenticateForm(OurLabels, mfa.ReauthenticateForm):  # type: ignore[misc]
    pass


class ActivateTotpForm(OurLabels, totp.ActivateTOTPForm):  # type: ignore[misc]
    pass


class AddKeyForm(OurLabels, webauthn.AddWebAuthnForm):  # type: ignore[misc]
    labels = {"name": _("Name of the key")}


class EditKeyForm(OurLabels, webauthn.EditWebAuthnForm):  # type: ignore[misc]
    labels = {"name": _("Name of the key")}


class AnswerField(forms.JSONField):
    """A passkey's answer. Python reads no number of thousands of digits, and Django lets that error through: it is no answer either."""

    def to_python(self, value: Any) -> Any:
        try:
            return super().to_python(value)
        except ValueError as error:
            raise forms.ValidationError(self.error_messages["invalid"], code="invalid") from error


class LoginByKeyForm(webauthn.LoginWebAuthnForm):  # type: ignore[misc]
    credential = AnswerField(widget=forms.HiddenInput)


class AuthenticateByKeyForm(webauthn.AuthenticateWebAuthnForm):  # type: ignore[misc]
    credential = AnswerField(widget=forms.HiddenInput)


class ReauthenticateByKeyForm(webauthn.ReauthenticateWebAuthnForm):  # type: ignore[misc]
    credential = AnswerField(widget=forms.HiddenInput)
