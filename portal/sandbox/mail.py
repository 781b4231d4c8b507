"""Takes mail by SMTP and keeps the last 200, so that a demo without a mail server still delivers."""

import json
import sys
import threading
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import uuid4

from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 200


@dataclass(frozen=True)
class Mail:
    id: str
    received_at: str  # ISO 8601, UTC
    sender: str
    to: list[str]
    subject: str
    text: str
    html: str


@dataclass
class Mailbox:
    """Oldest first. `file` holds one JSON object a line; None keeps mail in memory."""

    file: Path | None
    mails: list[Mail] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @classmethod
    def of(cls, state_dir: Path | None) -> "Mailbox":
        if state_dir is None:
            return cls(None)
        file = state_dir / "mail.jsonl"
        mails = [Mail(**json.loads(line)) for line in file.read_text().splitlines()] if file.exists() else []
        return cls(file, mails)

    def add(self, mail: Mail) -> None:
        with self._lock:
            self.mails = [*self.mails, mail][-KEPT:]
            self._save()

    def clear(self) -> None:
        with self._lock:
            self.mails = []
            self._save()

    def find(self, number: str) -> Mail | None:
        return next((mail for mail in self.mails if mail.id == number), None)

    def newest_first(self, to: str = "") -> list[Mail]:
        """All mail, or the mail to one address."""
        wanted = to.strip().lower()
        return [mail for mail in reversed(self.mails) if not wanted or wanted in {address.lower() for address in mail.to}]

    def as_json(self, to: str = "") -> list[dict[str, Any]]:
        return [asdict(mail) for mail in self.newest_first(to)]

    def _save(self) -> None:
        if self.file is None:
            return
        fresh = self.file.with_suffix(".new")
        fresh.write_text("".join(json.dumps(asdict(mail)) + "\n" for mail in self.mails))
        fresh.replace(self.file)


class Receiver:
    """aiosmtpd's handler: every mail to anybody is taken."""

    def __init__(self, mailbox: Mailbox) -> None:
        self.mailbox = mailbox

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's hook
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        message = message_from_bytes(content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        mail = Mail(
            id=uuid4().hex,
            received_at=datetime.now(UTC).isoformat(timespec="seconds"),
            sender=str(message.get("From", envelope.mail_from or "")),
            to=list(envelope.rcpt_tos),
            subject=str(message.get("Subject", "")).strip(),  # a subject folded before its first word keeps the fold's space
            text=_part(message, "plain"),
            html=_part(message, "html"),
        )
        self.mailbox.add(mail)
        sys.stdout.write(f"mail to {', '.join(mail.to)}: {mail.subject}\n")
        sys.stdout.flush()
        return "250 Message accepted for delivery"


def _part(message: EmailMessage, kind: str) -> str:
    part = message.get_body(preferencelist=(kind,))
    return str(part.get_content()) if part is not None else ""
