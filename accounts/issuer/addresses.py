"""Addresses of the issuer. Each kit generation has an issuer URL of its own, as each EKS cluster has.

One AWS account takes one identity provider per URL: with a URL per generation a retry never collides with what an
earlier attempt left behind, and a dead generation's address answers 410, so its trust dies with it.
"""

from django.conf import settings

from accounts.models import Kit


def issuer_url(kit: Kit) -> str:
    """`https://portal.example.com/trust/<account uuid>/g<generation>`, the `iss` of this kit's tokens."""
    return f"{settings.ISSUER_URL}/trust/{kit.account_id}/g{kit.generation}"


def jwks_url() -> str:
    return f"{settings.ISSUER_URL}/trust/jwks.json"
