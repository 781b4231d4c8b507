"""The archive, written while it is sent: nothing of it is ever stored, and its size is no matter.

A download that breaks off leaves a file without an end, which no program opens. The last file holds the SHA-256 of all others.
"""

import hashlib
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from django.conf import settings
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.closing.parts import File, sections, table
from accounts.models import Organisation, User
from portal.audit import Actor, Subject, record, verify
from portal.audit.chain import in_batches
from portal.audit.models import Event
from portal.offline import source_of

SUMS = "SHA256SUMS"
IN_WORDS = "activity/in-words"


class _Sent:
    """What the archive is written to: it cannot go back, and hands on what has come in."""

    def __init__(self) -> None:
        self._chunks: list[bytes] = []

    def write(self, data: bytes) -> int:
        self._chunks.append(bytes(data))
        return len(data)

    def flush(self) -> None:
        """Nothing is held back."""

    def take(self) -> bytes:
        taken, self._chunks = b"".join(self._chunks), []
        return taken


def request_export(organisation: Organisation, *, by: User) -> Event:
    """Write down who took everything. The export's activity reaches up to this event and ends with it."""
    with transaction.atomic():
        subject = Subject("organisation", str(organisation.pk), organisation.name)
        return record(organisation_id=organisation.pk, action="organisation.exported", actor=Actor.user(by), subject=subject)


def stream(organisation: Organisation, own: Event) -> Iterator[bytes]:
    """The archive in pieces."""
    yield from pack(_files(organisation, own))


def pack(files: Iterable[File]) -> Iterator[bytes]:
    sent, sums = _Sent(), []
    stamp = timezone.now().timetuple()[:6]
    with zipfile.ZipFile(sent, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # writing needs no more than this
        for file in files:
            digest = hashlib.sha256()
            with archive.open(_entry(file.path, stamp), "w", force_zip64=True) as entry:
                for chunk in file.content:
                    digest.update(chunk)
                    entry.write(chunk)
                    yield sent.take()
            sums.append(f"{digest.hexdigest()}  {file.path}\n")
        archive.writestr(_entry(SUMS, stamp), "".join(sums))
    yield sent.take()


def _entry(path: str, stamp: tuple[int, ...]) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(path, stamp)  # type: ignore[arg-type]  # six numbers
    entry.compress_type = zipfile.ZIP_DEFLATED
    return entry


def _files(organisation: Organisation, own: Event) -> Iterator[File]:
    yield File("README.txt", [_readme(organisation, own).encode()])
    events = Event.objects.for_chain(organisation.pk).filter(sequence__lte=own.sequence)
    yield File("activity/activity.jsonl", (event.line() for event in in_batches(events)))
    yield from table(IN_WORDS, lambda: map(_in_words, in_batches(events)), ("number", "at", "by", "what", "about"))
    yield File("activity/verify.py", [source_of(verify)])
    for section in sections():
        yield from section.files(organisation)


def _in_words(event: Event) -> Sequence[Any]:
    return [event.sequence, event.at, event.actor_shown, event.sentence, event.subject_label]


# What the README tells to run, in this order.
COMMANDS = (
    "sha256sum -c {sums}",
    "python3 activity/verify.py activity/activity.jsonl --head {head}",
    "python3 certificates/verify_certificate.py certificates/<file>.json --activity activity/activity.jsonl",
    "python3 support-access/verify_access.py support-access/<file>.zip --activity activity/activity.jsonl",
)


def _readme(organisation: Organisation, own: Event) -> str:
    told = _("The whole activity, %(count)s events, one a line. Each holds the hash of the one before it; the last one is this export.")
    files = [
        ("activity/activity.jsonl", told % {"count": own.sequence}),
        (f"{IN_WORDS}.csv", _("The same events in words: when, who and what. Begin with this one.")),
        ("activity/verify.py", _("The program that checks it. It needs Python alone and no network.")),
        *((section.name, section.about) for section in sections()),
        (SUMS, _("The SHA-256 of every other file. It is written last: an archive without it is not complete.")),
    ]
    commands = [command.format(sums=SUMS, head=own.hash) for command in COMMANDS]
    context = {"organisation": organisation, "own": own, "files": files, "commands": commands, "provider": settings.PROVIDER_NAME}
    return render_to_string("closing/export_readme.txt", context).strip() + "\n"
