"""The way in: a token of ours becomes a session of one of the kit's identities. Nothing is kept."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

from accounts.clouds.azure.clients import Session
from accounts.clouds.azure.errors import SIGN_IN, translated
from accounts.clouds.base import CloudError, Subject, Target, TokenSource


def client_id_of(target: Target) -> str:
    """Of the operator, as it was told. Raises CloudError while nobody has."""
    client_id = target.reported.get("client_id", "")
    if not client_id:
        raise CloudError("kit_not_run", raw="nobody has told the client id of the kit's operator identity")
    return client_id


def session_of(target: Target, tokens: TokenSource, client_id: str, subject: Subject, *, tenant: str = "") -> Session:
    """A fresh token of ours at each sign-in. It must not lead back to whoever holds the session: it would then never be closed."""
    assertion = partial(tokens, subject=target.subject(subject), audience=target.audience)
    return Session(tenant=tenant or target.identity["tenant_id"], client_id=client_id, assertion=assertion)


def sign_in(target: Target, tokens: TokenSource, client_id: str, subject: Subject, *, was_trusted: bool) -> Session:
    session = session_of(target, tokens, client_id, subject)
    with asking(target, SIGN_IN, was_trusted=was_trusted):
        session.sign_in()
    return session


@contextmanager
def asking(target: Target, operation: str, *, was_trusted: bool = False) -> Iterator[None]:
    """As `translated`, and says of a tenant or subscription that is not there which one was expected."""
    try:
        with translated(operation, was_trusted=was_trusted):
            yield
    except CloudError as error:
        expected = {"wrong_tenant": target.identity["tenant_id"], "account_deleted": target.external_id}
        if error.code in expected:
            error.params.setdefault("expected", expected[error.code])
        raise
