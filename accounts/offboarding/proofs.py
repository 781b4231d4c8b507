"""The end seen from the cloud: a last sign-in with each kit ever issued, until the cloud answers that it knows the identity no more.

Only that answer counts. A network fault, a throttled call, an issuer out of reach, a policy in the way or a role that merely says no
prove nothing: then the answer is looked for again.
"""

from dataclasses import dataclass

from django.db import transaction
from django.db.models.functions import Now

from accounts import kits
from accounts.clouds import open_account
from accounts.clouds.base import CloudError
from accounts.issuer.tokens import token_source
from accounts.models import CloudAccount, Kit
from accounts.offboarding.models import BETWEEN_REFUSALS, Offboarding, SignIn
from accounts.targets import target_of
from portal.redaction import without_secrets

# The cloud knows the identity, or the whole account, no more. By adapters that were told that it has been trusted before.
IDENTITY_GONE = frozenset({"provider_deleted", "role_deleted", "account_deleted"})
NEVER_RUN = "never_run"
MOST_EVIDENCE = 2000
SIGN_IN = "sign-in with the operator identity"


@dataclass(frozen=True)
class Answer:
    """What one try has found. Neither accepted nor gone: nobody knows yet, for the reason `code`."""

    is_accepted: bool
    code: str = ""
    evidence: str = ""
    is_signed_in: bool = False

    @property
    def is_gone(self) -> bool:
        # An identity that the cloud has let in stands, whatever role was taken from it. A whole account that has gone has none.
        is_there = self.is_signed_in and self.code != "account_deleted"
        return self.code in IDENTITY_GONE and not is_there

    @property
    def is_unasked(self) -> bool:
        """Nobody has told of an identity, so the cloud was not asked: that is no refusal, and proves nothing."""
        return self.code == NEVER_RUN


def kits_to_remove(account: CloudAccount) -> list[Kit]:
    """Each that was ever issued: one that nobody saw running may have been run after its time. What nobody asked about is not proven.

    One that is said to be removed is asked about like any other: that was somebody's word.
    """
    return list(account.kits.select_related("account"))


def kits_untold(account: CloudAccount) -> list[Kit]:
    """Those that the cloud cannot be asked about, as they sign in with an id that nobody has told: an owner answers for each."""
    if not kits.load(account.cloud).words.is_report_needed:
        return []
    return [kit for kit in kits_to_remove(account) if kit.ran_at is None and not kit.reported.get("client_id")]


def ask(account: CloudAccount, kit: Kit) -> Answer:
    """One sign-in with this kit, also where its trust has ended on our side."""
    target = target_of(account, kit, was_trusted=True)
    adapter = open_account(account.cloud, target, token_source(kit, is_last_proof=True), kits.load(account.cloud).shipped(target))
    try:
        told = adapter.probe_trust()
    except CloudError as error:
        # Nobody has ever told of an identity that this kit has made, so there is none to sign in with.
        is_never = error.code == "kit_not_run" and kit.ran_at is None
        code = NEVER_RUN if is_never else error.code
        evidence = without_secrets(error.raw)[:MOST_EVIDENCE]
        return Answer(is_accepted=False, code=code, evidence=evidence, is_signed_in=error.is_signed_in)
    return Answer(is_accepted=True, evidence=told.principal)


def keep(offboarding: Offboarding, kit: Kit, answer: Answer) -> None:
    """The last sign-in that was accepted, and the first two refusals after it, far enough apart to be two. Written under the row's lock.

    By the database's clock, which is one for all workers: two that go differently would make two refusals out of one.
    """
    with transaction.atomic():
        at = Offboarding.objects.select_for_update().annotate(clock=Now()).values_list("clock", flat=True).get(pk=offboarding.pk)
        rows = SignIn.objects.filter(offboarding=offboarding, kit=kit)
        if answer.is_accepted:
            # The kit stands, whatever was seen before: the proof begins anew.
            rows.refused().delete()
            Kit.objects.filter(pk=kit.pk, ran_at=None).update(ran_at=at)
            seen = {"asked_at": at, "call": SIGN_IN, "evidence": answer.evidence}
            SignIn.objects.update_or_create(offboarding=offboarding, kit=kit, is_refused=False, defaults=seen)
            CloudAccount.objects.filter(pk=offboarding.account_id).update(last_contact_at=at)
        elif answer.is_gone:
            refused = list(rows.refused())
            if not refused or (len(refused) == 1 and at - refused[0].asked_at >= BETWEEN_REFUSALS):
                seen = {"asked_at": at, "call": SIGN_IN, "code": answer.code, "evidence": answer.evidence}
                SignIn.objects.create(offboarding=offboarding, kit=kit, is_refused=True, **seen)


def is_proven(offboarding: Offboarding, kit: Kit) -> bool:
    """Refused twice, with enough time between, and not accepted since."""
    refused = list(SignIn.objects.filter(offboarding=offboarding, kit=kit).refused())
    accepted = SignIn.objects.filter(offboarding=offboarding, kit=kit).accepted().first()
    is_after = accepted is None or (bool(refused) and refused[0].asked_at > accepted.asked_at)
    return is_after and len(refused) > 1 and refused[-1].asked_at - refused[0].asked_at >= BETWEEN_REFUSALS
