"""Last backups in the agent protocol: what the agent says of one that the desired state asks for. Metadata alone, strict as the others."""

from typing import Annotated, Literal
from uuid import UUID

from msgspec import Meta

from cells.protocol.documents import END, Amount, Strict, Time
from cells.protocol.order_documents import Code

# An address without credentials, query or fragment.
Location = Annotated[
    str, Meta(max_length=500, pattern=rf"^[a-z][a-z0-9+.-]{{0,19}}://[A-Za-z0-9._-]{{0,255}}(:[0-9]{{1,5}})?(/[A-Za-z0-9._~%=+,:-]*)*{END}")
]
Sha256 = Annotated[str, Meta(pattern=rf"^[0-9a-f]{{64}}{END}")]


class TakenBackup(Strict, frozen=True):
    location: Location
    bytes: Amount
    sha256: Sha256
    taken_at: Time


class BackupResult(Strict, frozen=True):
    cell: UUID
    backup: UUID
    outcome: Literal["done", "failed"]
    code: Code  # of a failure
    taken: TakenBackup | None  # of one that is done


class BackupAnswer(Strict, frozen=True):
    outcome: Literal["kept", "dropped"]  # dropped: nobody waits for it any more
