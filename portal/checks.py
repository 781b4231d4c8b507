"""Production demands as system checks: `manage.py check --deploy` proves them."""

from collections.abc import Sequence
from typing import Any

from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004

from portal.brand import TEXT_RATIO, measure

MOST_BACKUP_DAYS = 366


@register(Tags.security, deploy=True)
def check_portal_url(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.PORTAL_URL.startswith("https://"):
        return []
    return [Error("PORTAL_URL is not https.", hint="Clouds and passkeys trust the portal by its https address.", id="portal.E001")]


@register(Tags.security, deploy=True)
def check_issuer_url(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.ISSUER_URL.startswith("https://"):
        return []
    return [Error("PORTAL_ISSUER_URL is not https.", hint="AWS, GCP and Azure accept only https issuers.", id="portal.E002")]


@register(Tags.security)
def check_seal_keys(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    problems: list[CheckMessage] = []
    for position, key in enumerate(settings.SEAL_KEYS, start=1):
        try:
            Fernet(key)
        except ValueError:
            make_one = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
            hint = f"Each is 32 random bytes in URL-safe base64: {make_one}"
            problems.append(Error(f"Key {position} of PORTAL_SEAL_KEYS is not a Fernet key.", hint=hint, id="portal.E003"))
    return problems


@register
def check_brand_accent(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A colour that cannot be read is not used as it is; say which one is shown instead."""
    if not settings.BRAND_ACCENT:
        return []
    try:
        measured = measure(settings.BRAND_ACCENT)
    except ValueError as error:
        return [Error(f"PORTAL_BRAND_ACCENT: {error}.", hint="Give it as #rrggbb.", id="portal.E004")]
    return [
        Warning(
            f"PORTAL_BRAND_ACCENT {accent.asked.hex} reaches {accent.ratio:.1f}:1 in the {theme} theme, below {TEXT_RATIO}:1.",
            hint=f"The portal shows {accent.used.hex}, the nearest of its hue that can be read.",
            id="portal.W002",
        )
        for theme, accent in measured.items()
        # The dark theme nearly always needs a lighter shade: only the light one is the provider's to choose.
        if theme == "light" and not accent.passes
    ]


@register
def check_backup_days(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    """A promise to customers who leave: none of less than a day, and none that outlives the records themselves."""
    if 1 <= settings.BACKUP_DAYS <= MOST_BACKUP_DAYS:
        return []
    hint = "Customers read it on the page of the closing: how long the oldest backup of the database is kept."
    return [Error(f"PORTAL_BACKUP_DAYS is {settings.BACKUP_DAYS}: give 1 to {MOST_BACKUP_DAYS} days.", hint=hint, id="portal.E005")]


@register(deploy=True)
def check_kits_bucket(app_configs: Sequence[Any] | None, **kwargs: Any) -> list[CheckMessage]:
    if settings.KITS_BUCKET:
        return []
    hint = "AWS opens Launch-stack links only for templates in S3; run `manage.py publish_kits` after setting it."
    return [Warning("PORTAL_KITS_BUCKET is not set.", hint=hint, id="portal.W001")]
