"""What clouds read to trust us: discovery and keys. Public by nature; both answer without a session."""

import uuid

from django.contrib.auth.decorators import login_not_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

from accounts.issuer.addresses import issuer_url, jwks_url
from accounts.issuer.keys import published_keys
from accounts.models import Kit


@login_not_required
@require_GET
@cache_control(public=True, max_age=300)
def discovery(request: HttpRequest, account: uuid.UUID, generation: int) -> HttpResponse:
    """OpenID Connect discovery document of one kit generation. 404 never issued, 410 replaced or expired."""
    kit = Kit.objects.filter(account_id=account, generation=generation).first()
    if kit is None:
        raise Http404
    if not Kit.objects.trusted().filter(pk=kit.pk).exists():
        return JsonResponse(
            {"error": "gone", "error_description": "This kit was replaced or has expired. Its trust has ended."}, status=410
        )
    return JsonResponse(
        {
            "issuer": issuer_url(kit),
            "jwks_uri": jwks_url(),
            "response_types_supported": ["id_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "claims_supported": ["iss", "sub", "aud", "exp", "iat", "nbf", "jti"],
        }
    )


@login_not_required
@require_GET
@cache_control(public=True, max_age=300)
def jwks(request: HttpRequest) -> HttpResponse:
    """The public keys, the coming one included: verifiers learn it before it signs."""
    return JsonResponse({"keys": [key.public_jwk for key in published_keys()]})
