"""The OAuth2 token endpoint: a statement signed with the agent's key becomes a short access token (RFC 6749, RFC 7523)."""

import contextlib
from uuid import UUID

from django.utils import timezone

from cells.models import AgentKey
from cells.protocol.access import LIFETIME_S, Grant, denied, issue
from cells.protocol.documents import PublicJwk, TokenAnswer, TokenRequest
from cells.protocol.enrolment import address, check_served
from cells.protocol.problems import Problem
from cells.protocol.statements import check, key_of, named_key, say_once


def grant_token(asked: TokenRequest, now: float) -> TokenAnswer:
    """Raises Problem."""
    key = _find(named_key(asked.client_assertion))
    statement = check(asked.client_assertion, key_of(PublicJwk(**key.public_jwk)), who=str(key.cell_id), audience=address("token"), now=now)
    # Only now: who is not who they say learns nothing of the cell.
    if key.revoked_at is not None:
        raise Problem("agent_revoked", "This agent's access was ended in the portal. What it has deployed goes on.")
    check_served(key.cell)
    say_once(key, statement)
    used_at = timezone.now()
    AgentKey.objects.filter(pk=key.pk).update(used_at=used_at)
    if AgentKey.objects.valid().filter(cell=key.cell, created_at__lt=key.created_at).update(revoked_at=used_at):
        denied.forget()
    return TokenAnswer(access_token=issue(Grant(key.cell_id, key.pk), now), expires_in=LIFETIME_S)


def _find(name: str) -> AgentKey:
    key = None
    with contextlib.suppress(ValueError):
        key = AgentKey.objects.select_related("cell").filter(pk=UUID(name)).first()
    if key is None:
        raise Problem("assertion_invalid", "Its `kid` names no key that was registered here.")
    return key
