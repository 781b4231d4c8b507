"""Words for the rules by which text is redacted: those of the cell's agent, at the source, and the portal's own."""

from collections.abc import Mapping

from django.utils.translation import gettext_lazy as _

RULES = {
    "private_key": _("Private key"),
    "web_token": _("Signed web token"),
    "service_token": _("Token of a known service"),
    "cloud_key": _("Access key of a cloud"),
    "password_in_address": _("Password in a web address"),
    "authorization": _("Sign-in header"),
    "named_secret": _("Value that is called a secret"),
    "random_key": _("Long random text"),
    "card_number": _("Card number"),
    "mail_address": _("Mail address"),
    "secrets": _("Found by the portal"),
}


def rules_in_words(redactions: Mapping[str, int]) -> list[tuple[str, int]]:
    """Each rule that has struck, and how often. A rule of a newer agent is shown by its name."""
    return [(str(RULES.get(name, name)), times) for name, times in sorted(redactions.items())]
