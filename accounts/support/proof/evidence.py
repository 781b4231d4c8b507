"""The evidence of one grant as an archive: its receipt, the events, what each act gave, and the program that checks all of it offline."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

from accounts.support.models import Receipt
from accounts.support.models.sessions import ActState
from accounts.support.proof import verify_grant
from accounts.support.proof.receipts import events_of

VERIFIER = "verify_access.py"
# An archive of the same receipt is the same, byte for byte.
STAMP = (2026, 1, 1, 0, 0, 0)


def verifier() -> bytes:
    """The very file that the portal itself checks passkeys with."""
    return Path(str(verify_grant.__file__)).read_bytes()


def archive_of(receipt: Receipt) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _files(receipt):
            archive.writestr(zipfile.ZipInfo(name, STAMP), data, zipfile.ZIP_DEFLATED)
    return packed.getvalue()


def _files(receipt: Receipt) -> Iterator[tuple[str, bytes]]:
    yield "receipt.json", receipt.text.encode()
    events = events_of(receipt.request).filter(sequence__lte=receipt.event_number).oldest_first()
    yield "activity.jsonl", b"".join(event.line() for event in events)
    for act in receipt.request.acts.filter(state=ActState.DONE):
        yield f"results/{act.pk}.txt", act.output.encode()
    yield VERIFIER, verifier()
