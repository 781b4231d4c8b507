"""How an agent becomes known: one token a generation of a cell, used once, for a key that the agent made itself."""

import struct
from datetime import timedelta
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from accounts.mail import absolute_url
from cells.contacts import mail_contacts
from cells.models import AgentKey, Cell, CellStatus, Enrolment
from cells.protocol.access import denied
from cells.protocol.documents import EnrolmentRequest, KeyRequest, PublicJwk, Registered
from cells.protocol.problems import Problem
from cells.protocol.secrets import sign, unsign
from cells.protocol.statements import check, key_of
from cells.states import SERVED_CELLS
from cells.telemetry.bells import ring_cells
from cells.transitions import subject_of_cell
from portal.audit import Actor, record

VALID_FOR = timedelta(days=2)
MOST_KEYS = 5
# An agent changes its key every month. So many are a fault in it, or somebody who tries something.
MOST_KEYS_A_DAY = 20
AGENT = Actor.system("agent")
_FORM = struct.Struct(">16sI")


def enrolment_token(cell: Cell) -> str:
    """The same for every order of one generation of the cell. It opens nothing until `open_enrolment` was called."""
    return sign("enrolment", _FORM.pack(cell.pk.bytes, cell.generation))


def open_enrolment(cell: Cell) -> None:
    """Let the token of this generation be used. While nobody has used it, opening it again keeps it valid."""
    until = timezone.now() + VALID_FOR
    row, is_new = Enrolment.objects.get_or_create(cell=cell, generation=cell.generation, defaults={"expires_at": until})
    if not is_new:
        Enrolment.objects.filter(pk=row.pk, used_at=None).update(expires_at=until)


def revoke_agent(cell: Cell) -> None:
    """End the access of every agent of the cell, now. The next one needs a new generation."""
    now = timezone.now()
    AgentKey.objects.valid().filter(cell=cell).update(revoked_at=now)
    Enrolment.objects.filter(cell=cell, used_at=None).update(expires_at=now)
    transaction.on_commit(denied.forget)


def renew_enrolment(cell: Cell) -> bool:
    """Count on, where the token of this generation was used: a machine that is built anew has a key of its own. False: nothing changed."""
    if not Enrolment.objects.filter(cell=cell, generation=cell.generation, used_at__isnull=False).exists():
        return False
    Cell.objects.filter(pk=cell.pk, generation=cell.generation).update(generation=cell.generation + 1)
    cell.refresh_from_db(fields=["generation"])
    return True


def enrol(asked: EnrolmentRequest, now: float) -> Registered:
    """Register the key. The same key again is answered as at the first time: the answer may have been lost. Raises Problem."""
    generation = _read(asked.token, asked.cell)
    key = key_of(asked.public_jwk)
    check(asked.proof, key, who=str(asked.cell), audience=address("enrolments"), now=now)
    registered = _enrol(asked, generation, key.thumbprint())
    if registered is None:
        raise Problem("enrolment_used", "An agent with another key was enrolled with it. If that was not yours, replace the agent now.")
    denied.forget()
    return registered


def _enrol(asked: EnrolmentRequest, generation: int, thumbprint: str) -> Registered | None:
    """None, and a word to those who should know, when another key has used the token."""
    with transaction.atomic():
        # The cell before the enrolment, everywhere: two that want both never wait for each other.
        cell = Cell.objects.select_for_update().get(pk=asked.cell)
        enrolment = Enrolment.objects.select_for_update(of=("self",)).select_related("used_by").get(cell=cell, generation=generation)
        if enrolment.used_by is not None:
            return _again(cell, enrolment, thumbprint)
        if timezone.now() >= enrolment.expires_at:
            raise Problem("enrolment_expired", "Retry the cell's operation in the portal: it makes the token valid again.")
        AgentKey.objects.valid().filter(cell=cell).update(revoked_at=timezone.now())
        row = _register(cell, generation, asked.public_jwk, thumbprint)
        Enrolment.objects.filter(pk=enrolment.pk).update(used_at=row.created_at, used_by=row)
        details = {"key": row.thumbprint[:8], "agent_version": asked.agent_version}
        record(
            organisation_id=cell.organisation_id, action="cell.agent_enrolled", actor=AGENT, subject=subject_of_cell(cell), details=details
        )
        ring_cells([cell.pk])
    return Registered(key_id=row.pk, first_seq=_first_seq(cell))


def add_key(asked: KeyRequest, current: AgentKey, now: float) -> Registered:
    """A further key of an enrolled agent, with the word of the one in use. It replaces the others when it is first used. Raises Problem."""
    key, who = key_of(asked.public_jwk), str(current.cell_id)
    check(asked.proof, key, who=who, audience=address("keys"), now=now)
    approval = check(asked.approval, key_of(PublicJwk(**current.public_jwk)), who=who, audience=address("keys"), now=now)
    if approval.jti != key.thumbprint():
        raise Problem("assertion_invalid", "The `jti` of `approval` is not the thumbprint of the new key.")
    with transaction.atomic():
        cell = Cell.objects.select_for_update().get(pk=current.cell_id)
        known = AgentKey.objects.filter(cell=cell, thumbprint=key.thumbprint()).first()
        if known is not None and known.revoked_at is not None:
            raise Problem("agent_revoked", "This key was in use before and has ended. Make a new one.")
        if known is None:
            if AgentKey.objects.valid().filter(cell=cell).count() >= MOST_KEYS:
                raise Problem("too_many_keys", f"{MOST_KEYS} keys are valid already. Use the last one: the others end then.")
            if AgentKey.objects.filter(cell=cell, created_at__gte=timezone.now() - timedelta(days=1)).count() >= MOST_KEYS_A_DAY:
                raise Problem("too_many_keys", f"{MOST_KEYS_A_DAY} keys were registered within a day. Go on with the one in use.")
            known = _register(cell, current.generation, asked.public_jwk, key.thumbprint())
            details = {"key": known.thumbprint[:8]}
            record(
                organisation_id=cell.organisation_id,
                action="cell.agent_key_added",
                actor=AGENT,
                subject=subject_of_cell(cell),
                details=details,
            )
    return Registered(key_id=known.pk, first_seq=_first_seq(cell))


def address(name: str) -> str:
    """What a signed statement names as its audience."""
    return f"{settings.AGENT_URL}/agent/v1/{name}"


def check_served(cell: Cell) -> None:
    """Raises Problem where the cell's agent may not speak to us."""
    if cell.state not in SERVED_CELLS:
        raise Problem("agent_revoked", "This cell has ended. What runs in it is no longer looked after.")
    if cell.is_agent_disabled:
        raise Problem("agent_disabled", "The agent was switched off in the portal. What it has deployed goes on.")


def _read(token: str, cell: UUID) -> int:
    """The generation that the token is for."""
    payload = unsign("enrolment", token)
    if payload is None or len(payload) != _FORM.size:
        raise Problem("enrolment_invalid", "It was not made by this portal.")
    named, generation = _FORM.unpack(payload)
    if UUID(bytes=named) != cell:
        raise Problem("wrong_cell", "The enrolment token was made for another cell.")
    row = Cell.objects.filter(pk=cell).only("state", "generation", "is_agent_disabled").first()
    if row is None or row.generation != generation or not Enrolment.objects.filter(cell=row, generation=generation).exists():
        raise Problem("enrolment_invalid", "A newer enrolment has replaced it.")
    check_served(row)
    return int(generation)


def _again(cell: Cell, enrolment: Enrolment, thumbprint: str) -> Registered | None:
    used_by = enrolment.used_by
    if used_by is None or used_by.thumbprint != thumbprint:
        _tell_contested(cell, enrolment)
        return None
    if used_by.revoked_at is not None:
        raise Problem("agent_revoked", "The key that was enrolled with it has ended.")
    return Registered(key_id=used_by.pk, first_seq=_first_seq(cell))


def _tell_contested(cell: Cell, enrolment: Enrolment) -> None:
    """Once for each token: who holds it can come again and again."""
    now = timezone.now()
    if not Enrolment.objects.filter(pk=enrolment.pk, contested_at=None).update(contested_at=now):
        return
    subject, organisation = subject_of_cell(cell), cell.organisation
    record(organisation_id=organisation.pk, action="cell.agent_contested", actor=AGENT, subject=subject)
    url = absolute_url("cells:cell_detail", organisation.slug, cell.pk)
    context = {"name": subject.label, "organisation": organisation, "at": now, "url": url}
    mail_contacts(organisation, template="cell_agent_contested", context=context)


def _register(cell: Cell, generation: int, jwk: PublicJwk, thumbprint: str) -> AgentKey:
    public = {"kty": jwk.kty, "crv": jwk.crv, "x": jwk.x, "y": jwk.y}
    known = AgentKey.objects.filter(cell=cell, thumbprint=thumbprint).exists()
    if known:
        raise Problem("agent_revoked", "This key was in use before and has ended. Make a new one.")
    return AgentKey.objects.create(cell=cell, generation=generation, thumbprint=thumbprint, public_jwk=public)


def _first_seq(cell: Cell) -> int:
    last = CellStatus.objects.filter(pk=cell.pk).values_list("seq", flat=True).first()
    return (last or 0) + 1
