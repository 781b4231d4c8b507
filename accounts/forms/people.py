"""Input of the people pages: who, which role, which organisation. Forms check, they have no effects."""

import re
import unicodedata
import zoneinfo

from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from accounts.access import Role
from accounts.models import Contact, User

# What mail programs turn into a link by themselves: `word.tld`, with any of the dots that count as one, and four numbers.
LINK_LIKE = re.compile(r"[\w-][.\u3002\uff0e\uff61][^\W\d_]{2,}|\b\d{1,3}(?:\.\d{1,3}){3}\b")


class PlainNameField(forms.CharField):
    """A name of a person or an organisation: one line, no web address, because it is printed in mails to strangers."""

    default_error_messages = {"required": _("Enter a name."), "min_length": _("Enter a name of at least 2 characters.")}

    def __init__(self, **kwargs: object) -> None:
        super().__init__(**{"max_length": 120, "min_length": 2} | kwargs)  # type: ignore[arg-type]

    def to_python(self, value: object) -> str:
        return " ".join(str(super().to_python(value) or "").split())

    def validate(self, value: str) -> None:
        super().validate(value)
        # Characters nobody sees would hide a dot from us, and not from who reads the mail.
        seen = "".join(letter for letter in value if unicodedata.category(letter) != "Cf")
        if "://" in seen or "www." in seen.lower():
            raise ValidationError(_("Enter a name without a web address."))
        if LINK_LIKE.search(seen):
            raise ValidationError(_("This reads like a web address. Put a space after the dot, or leave it out."))


class AddressField(forms.EmailField):
    """An e-mail address, pasted with spaces around it or not, in lower case."""

    default_error_messages = {"required": _("Enter an e-mail address.")}

    def to_python(self, value: object) -> str:
        return str(super().to_python(value) or "").lower()


def email_widget() -> forms.EmailInput:
    return forms.EmailInput(attrs={"autocomplete": "off", "spellcheck": "false"})


def role_field(initial: str | None = None) -> forms.ChoiceField:
    missing = {"required": _("Choose a role.")}
    return forms.ChoiceField(label=_("Role"), choices=Role.choices, initial=initial, widget=forms.RadioSelect, error_messages=missing)


class SignupForm(forms.Form):
    """What sign-up asks beside address and password. allauth builds its own form on top of this one."""

    name = PlainNameField(label=_("Your name"), widget=forms.TextInput(attrs={"autocomplete": "name"}))
    field_order = ["name", "email", "password1"]

    def signup(self, request: HttpRequest, user: User) -> None:
        """Called by allauth with the user it has just saved."""
        user.name = self.cleaned_data["name"]
        user.save(update_fields=["name"])


class OrganisationForm(forms.Form):
    name = PlainNameField(
        label=_("Name of the organisation"),
        help_text=_("As your colleagues know it. It is shown in invitations."),
        widget=forms.TextInput(attrs={"autocomplete": "organization"}),
    )


class InvitationForm(forms.Form):
    email = AddressField(label=_("E-mail address"), help_text=_("The invitation works only for this address."), widget=email_widget())
    role = role_field(initial=Role.OPERATOR)


class RoleForm(forms.Form):
    role = role_field()


class ContactForm(forms.Form):
    name = PlainNameField(label=_("Name"), help_text=_("A person or a team."), widget=forms.TextInput(attrs={"autocomplete": "off"}))
    email = AddressField(label=_("E-mail address"), help_text=_("Gets a mail to confirm. No account is needed."), widget=email_widget())
    purpose = forms.ChoiceField(
        label=_("Told about"), choices=Contact.Purpose.choices, initial=Contact.Purpose.OPERATIONAL, widget=forms.RadioSelect
    )


class ProfileForm(forms.Form):
    name = PlainNameField(
        label=_("Your name"), help_text=_("Your colleagues see it."), widget=forms.TextInput(attrs={"autocomplete": "name"})
    )
    time_zone = forms.ChoiceField(
        label=_("Time zone"),
        required=False,
        help_text=_("All times in the portal are shown in this zone."),
    )

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]
        zones = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone and not zone.startswith(("Etc/", "SystemV/")))
        names = [("", _("Same as my browser")), ("UTC", "UTC"), *((zone, zone.replace("_", " ")) for zone in zones)]
        self.fields["time_zone"].choices = names  # type: ignore[attr-defined]
