"""What most often goes wrong while an account is connected: how it comes about, what the portal says then, what helps.

A row is one failure in one cloud. `provoke` is the customer's hand or the cloud's own doing; `mend` takes the cause away, after which
"Retry this step" or "Run again" must lead to a connected account.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.db.models import F

from accounts.models import CloudAccount, Kit
from accounts.states import AccountState
from tests.clouds.azure.played import PlayedAzure
from tests.factories import make_contact
from tests.hands import make_account

HOUR = 3600
LATE = timedelta(days=8)
NOT_CONNECTED = "The account is not connected. Nothing of yours was changed."
NOTHING_BUILT = "Nothing was built in your account, and nothing that runs there is affected."
NOT_USED = "The account is not connected. A wider trust could let somebody else in, so it is not used."
REVIEWED = "This portal only works with the permissions that you have reviewed."
RETRY, RUN_AGAIN = "Retry this step", "Run again"
AWS, AZURE, GCP = "aws", "azure", "gcp"


@dataclass(frozen=True)
class Row:
    """`state` is the account's afterwards; while it only waits, `code` is why, and `happened` what the page says of the wait."""

    name: str
    cloud: str
    code: str
    provoke: Callable[[Any], None]
    happened: str
    act: str
    mend: Callable[[Any], None] | None = None
    again: str = RETRY
    means: str = NOT_CONNECTED
    evidence: str = ""
    state: AccountState = AccountState.FAILED

    def __str__(self) -> str:
        return f"{self.name.replace(' ', '-')}-{self.cloud}"


def after_kit(name: str) -> Callable[[Any], None]:
    """The kit has been run, then this hand's act is done, before anybody has looked."""

    def provoke(case: Any) -> None:
        case.hand.run_kit()
        getattr(case.hand, name)()

    return provoke


def once_open(act: Callable[[Any], None]) -> Callable[[Any], None]:
    """The portal has been let in and waits for a contact to be named; meanwhile this happens."""

    def provoke(case: Any) -> None:
        case.acme.contacts.all().delete()
        case.hand.run_kit()
        assert case.look().waiting_why == "contact_missing"
        act(case)
        make_contact(organisation=case.acme)

    return provoke


def hand(name: str, *given: Any, **more: Any) -> Callable[[Any], None]:
    return lambda case: getattr(case.hand, name)(*given, **more)


def both(*acts: Callable[[Any], None]) -> Callable[[Any], None]:
    def do(case: Any) -> None:
        for act in acts:
            act(case)

    return do


def kit_again(case: Any) -> None:
    case.hand.run_kit()


def nothing(case: Any) -> None:
    """The new kit alone is the cure."""


def every(clouds: str, name: str, code: Any, provoke: Any, happened: Any, act: Any, **more: Any) -> list[Row]:
    """The same in several clouds; what they word differently is given for each."""

    def of(given: Any, cloud: str) -> Any:
        return given.get(cloud) if isinstance(given, dict) else given

    parts = {"code": code, "provoke": provoke, "happened": happened, "act": act, **more}
    return [Row(name, cloud, **{part: of(value, cloud) for part, value in parts.items()}) for cloud in clouds.split()]


ALL = "aws azure gcp"
IN = {AWS: "AWS", AZURE: "Azure", GCP: "Google Cloud"}
FIRST, SECOND = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def expire(case: Any) -> None:
    Kit.objects.update(created_at=F("created_at") - LATE, expires_at=F("expires_at") - LATE)


def replaced(case: Any) -> None:
    """A second kit was made; the command of the first is run."""
    first = case.kit
    case.run_again()
    case.hand.take(first)
    case.hand.run_kit()
    case.hand.take(case.kit)


def mixed_up(case: Any) -> None:
    """The newest kit, with the number of the first typed into it."""
    case.run_again()
    case.hand.take(case.kit)
    case.hand.run_of_earlier_generation()


def connected_by_another(case: Any) -> None:
    make_account(case.hand.cloud, state=AccountState.CONNECTED)
    case.hand.run_kit()


def disconnect_the_other(case: Any) -> None:
    CloudAccount.objects.exclude(pk=case.account.pk).update(state=AccountState.OFFBOARDED)


def project(method: str, path: str) -> Callable[[Any], None]:
    return lambda case: case.hand.google.control(method, path, {"id": case.hand.external_id})


ONLY_GITHUB = {"rules": [{"values": {"allowedValues": ["https://token.actions.githubusercontent.com"]}}]}
PROVIDERS = "iam.workloadIdentityPoolProviders"


def forbid_providers(case: Any) -> None:
    case.hand.google.control("POST", "org-policies", {"project": case.hand.external_id, "constraint": PROVIDERS, "spec": ONLY_GITHUB})
    said = case.hand.run_script()
    assert said.returncode != 0
    assert "Org Policy violated" in said.stdout + said.stderr


def allow_providers(case: Any) -> None:
    case.hand.google.control("POST", "org-policies", {"project": case.hand.external_id, "constraint": PROVIDERS, "spec": None})
    assert case.hand.run_script().returncode == 0


def forbid_issuers(case: Any) -> None:
    github = ["https://token.actions.githubusercontent.com"]
    case.hand.account.control("POST", "policies", {"subscription": case.hand.external_id, "kind": "issuers", "allowed": github})
    assert PlayedAzure.run_kit(case.hand) in {"InvalidTemplateDeployment", "RequestDisallowedByPolicy", "Failed"}


def recreate(case: Any) -> None:
    """The command of the page is run in the new project of the old name."""
    project("POST", "projects/recreate")(case)
    said = case.hand.run_script()
    assert said.returncode != 0
    assert "number" in said.stdout + said.stderr


TWENTY = [
    *every(
        ALL, "wrong account", "wrong_account", hand("run_elsewhere"),
        {
            AWS: "The kit was run in AWS account 999900001111. It was made for account 111122223333.",
            AZURE: "The kit was run in subscription",
            GCP: "The kit was run in Google Cloud project acme-sandbox. It was made for project acme-data-prod.",
        },
        {AWS: "Delete the stack in account 999900001111", AZURE: "Remove the kit from subscription",
         GCP: "Remove the kit from project acme-sandbox"},
        mend=nothing, again=RUN_AGAIN,
    ),
    *every(
        ALL, "wrong region", "wrong_region", hand("run_in_another_region"),
        {
            AWS: "The kit was run in region eu-west-1. It was made for region us-east-1.",
            AZURE: "The kit was run in location northeurope. It was made for location westeurope.",
            GCP: "The kit was run in region europe-west4. It was made for region europe-west3.",
        },
        {AWS: "run the new kit in us-east-1", AZURE: "run the new kit in westeurope", GCP: "run the new kit in europe-west3"},
        mend=nothing, again=RUN_AGAIN,
    ),
    *every(
        ALL, "kit not run in time", "kit_expired", expire, "The kit was not run within 7 days and has expired.",
        "Press Run again to get a new kit.", mend=nothing, again=RUN_AGAIN, means=NOTHING_BUILT,
    ),
    *every(
        "aws gcp", "kit of an earlier attempt", "kit_not_run", replaced,
        {
            AWS: "The kit has not been run in AWS account 111122223333 yet.",
            GCP: "The kit has not been run in Google Cloud project acme-data-prod yet.",
        },
        "Run the kit. This page notices by itself.", mend=kit_again, again="", means="", state=AccountState.WAITING_FOR_KIT,
    ),
    Row(
        "kit of an earlier attempt", AZURE, "trust_refused", replaced,
        "Azure refuses to let the portal in with the client ID that was reported for the operator identity.",
        "Check that both client IDs are those of this kit and are not swapped", mend=kit_again,
    ),
    *every(
        ALL, "kit with an earlier number", "kit_generation_wrong", mixed_up,
        "This kit is from an earlier attempt: it is number 1, and number 2 is current.",
        {AWS: "then delete the earlier stack.", AZURE: "then remove the earlier one.", GCP: "then remove the earlier one."},
        mend={AZURE: kit_again, GCP: lambda case: case.hand.say("generation=1", "generation=2")},
    ),
    *every(
        ALL, "kit of another version", "kit_version_wrong", hand("run_of_another_version"),
        {AWS: "The stack was made from kit version 0.0.9.", AZURE: "is version 0.0.9.", GCP: "is version 0.0.9."},
        "Press Run again to get a new kit", mend=nothing, again=RUN_AGAIN,
    ),
    *every(
        ALL, "trust deleted", "provider_deleted", once_open(hand("delete_provider")),
        {
            AWS: "The identity provider of the kit was deleted in AWS.",
            AZURE: "its federated credential was deleted in Azure.",
            GCP: "The identity pool or the provider of the kit was deleted or disabled in Google Cloud",
        },
        {AWS: "Press Run again", AZURE: "Run the same kit again to restore it, then press Retry this step.", GCP: "Press Run again"},
        mend={AWS: nothing, AZURE: kit_again, GCP: nothing}, again={AWS: RUN_AGAIN, AZURE: RETRY, GCP: RUN_AGAIN},
    ),
    Row(
        "trust disabled", GCP, "provider_deleted", once_open(hand("disable_pool")),
        "was deleted or disabled in Google Cloud", "Press Run again",
        mend=hand("enable_pool"),
    ),
    *every(
        ALL, "trust widened", "trust_policy_edited", after_kit("widen_trust"),
        {
            AWS: "The trust in AWS is not the one that the kit ships",
            AZURE: "The federated credential of an identity of the kit is not the one that the kit ships",
            GCP: "The trust in Google Cloud is not the one that the kit ships",
        },
        {AWS: "undo the edit and press Retry this step", AZURE: "remove what was added, and press Retry",
         GCP: "Undo the edit and press Retry"},
        mend=hand("restore_trust"), means=NOT_USED,
    ),
    *every(
        "aws gcp", "audience added", "trust_policy_edited", after_kit("add_audience"), "is not the one that the kit ships",
        {AWS: "undo the edit", GCP: "Undo the edit"}, mend=hand("take_audience_back"), means=NOT_USED,
    ),
    # Azure takes one audience for each credential: another one instead of ours.
    Row(
        "audience changed", AZURE, "trust_policy_edited", after_kit("add_audience"),
        "The federated credential of an identity of the kit is not the one that the kit ships",
        "Run the same kit again to restore it", mend=kit_again, means=NOT_USED,
    ),
    *every(
        ALL, "permission removed", "permission_missing", after_kit("take_permission"), "permissions of the kit are missing, among them",
        "Restore them, or press Run again to get a new kit, then press Retry this step.", mend=hand("restore_permission"),
        evidence={AWS: "ec2:CreateVpc", AZURE: "Microsoft.Network/virtualNetworks/write", GCP: "config.deployments.create"},
    ),
    *every(
        ALL, "permission added", "policy_edited", after_kit("add_permission"),
        {
            AWS: "The permissions of a role of the kit were edited in AWS.",
            AZURE: "The roles of the kit's identities are not as shipped",
            GCP: "The roles of an account of the kit were edited in Google Cloud.",
        },
        {AWS: "Undo the edit and press Retry", AZURE: "take away what was given on top", GCP: "take away what was added"},
        mend=hand("take_permission_back"), means=REVIEWED,
    ),
    *every(
        ALL, "limit removed", {AWS: "boundary_removed", AZURE: "policy_edited", GCP: "policy_edited"}, after_kit("remove_limit"),
        {
            AWS: "The limit (permissions boundary) of a role of the kit was removed or edited in AWS.",
            AZURE: "The roles of the kit's identities are not as shipped",
            GCP: "The roles of an account of the kit were edited in Google Cloud.",
        },
        {AWS: "Put the limit back and press Retry this step", AZURE: "Run the same kit again",
         GCP: "Run the same command again in Cloud Shell"},
        mend=hand("restore_limit"), means={AWS: "Without the limit a role could be given more", AZURE: REVIEWED, GCP: REVIEWED},
    ),
    *every(
        ALL, "support identity deleted", "role_deleted", after_kit("delete_support_identity"),
        {AWS: "A role of the kit was deleted in AWS.", AZURE: "An identity of the kit",
         GCP: "A service account or a role of the kit was deleted in Google Cloud."},
        {AWS: "Press Run again", AZURE: "If an identity was deleted, press Run again", GCP: "Press Run again"},
        mend=nothing, again=RUN_AGAIN,
    ),
    *every(
        ALL, "operator identity deleted", {AWS: "trust_refused", AZURE: "role_deleted", GCP: "trust_refused"},
        once_open(hand("delete_identity", "operator")),
        {
            AWS: "AWS knows the identity provider of the kit, but refuses to open the operator role.",
            AZURE: "An identity of the kit",
            GCP: "Google Cloud knows the identity pool of the kit, but refuses to open the operator account.",
        },
        {AWS: "press Retry this step", AZURE: "If an identity was deleted, press Run again",
         GCP: "Run the same command again in Cloud Shell"},
        mend=nothing, again=RUN_AGAIN,
    ),
    Row(
        "organisation denies", AWS, "denied_by_organisation", after_kit("forbid"),
        "A service control policy of your AWS organisation denies what the kit needs.",
        "Show the text below to whoever manages your AWS organisation.", mend=hand("allow"), evidence="ec2:CreateVpc",
    ),
    Row(
        "organisation denies", GCP, "kit_not_run", forbid_providers, "The kit has not been run in Google Cloud project acme-data-prod yet.",
        "Run the kit. This page notices by itself.", mend=allow_providers, again="", means="", state=AccountState.WAITING_FOR_KIT,
    ),
    Row(
        "organisation denies", AZURE, "kit_not_run", forbid_issuers, "Nobody has told us the client IDs of the kit in Azure subscription",
        "Run the kit.", again="", means="", state=AccountState.WAITING_FOR_KIT,
    ),
    Row(
        "API switched off", GCP, "api_disabled", once_open(hand("disable_api")),
        "An API that the kit switches on is off in this project: cloudresourcemanager.googleapis.com.",
        "Run gcloud services enable cloudresourcemanager.googleapis.com", mend=hand("enable_api"),
    ),
    Row(
        "project deleted", GCP, "provider_deleted",
        once_open(lambda case: case.hand.google.control("DELETE", f"projects?id={case.hand.external_id}")),
        "was deleted or disabled in Google Cloud, alone or with its project.", "Restore the project if that was deleted.",
    ),
    Row(
        "project made anew", GCP, "kit_not_run", recreate, "The kit has not been run in Google Cloud project acme-data-prod yet.",
        "Run the kit.", again="", means="", state=AccountState.WAITING_FOR_KIT,
    ),
    Row(
        "subscription disabled", AZURE, "account_disabled", both(kit_again, hand("subscription", state="Disabled")),
        "Azure has disabled the subscription: its state is Disabled.", "Have it enabled again", mend=hand("subscription", state="Enabled"),
        means="While it is disabled nothing can be changed in it",
    ),
    Row(
        "subscription deleted", AZURE, "account_deleted", both(kit_again, hand("subscription", state="Deleted")),
        "Azure does not know subscription 22222222-", "Compare both IDs with the Azure portal.", mend=hand("subscription", state="Enabled"),
    ),
    *every(
        ALL, "account of another organisation", "duplicate_account", connected_by_another,
        {
            AWS: "AWS account 111122223333 is already connected by another organisation in this portal.",
            AZURE: "is already connected by another organisation in this portal.",
            GCP: "Google Cloud project acme-data-prod is already connected by another organisation in this portal.",
        },
        "Ask who connected it. If it has to move, contact Fernhill with the reference.", mend=disconnect_the_other,
        means="This connection was not made. The other one is not affected.",
    ),
    *every(
        ALL, "throttled for too long", "throttled", both(kit_again, hand("fault", "throttle")),
        {cloud: f"{name} asked to slow down for longer than this step may take." for cloud, name in IN.items()},
        "Press Retry this step in a few minutes.", mend=hand("drop_faults"),
    ),
    *every(
        ALL, "cloud broken for too long", "cloud_unavailable", both(kit_again, hand("fault", "500")),
        {cloud: f"{name} did not answer, or answered with a fault of its own, for longer" for cloud, name in IN.items()},
        "Press Retry this step when", mend=hand("drop_faults"),
    ),
    *every(
        ALL, "replies lost for too long", "cloud_unavailable", both(kit_again, hand("fault", "lost_reply")),
        {cloud: f"{name} did not answer, or answered with a fault of its own, for longer" for cloud, name in IN.items()},
        "Press Retry this step when", mend=hand("drop_faults"),
    ),
    *every(
        ALL, "issuer out of reach", "issuer_unreachable", once_open(lambda case: case.shut_issuer()),
        {cloud: f"{name} could not fetch the public keys of this portal." for cloud, name in IN.items()},
        "Fernhill sees this failure. Press Retry this step in a few minutes.", mend=lambda case: case.open_issuer(),
    ),
    *every(
        ALL, "our clock is behind", "token_expired", once_open(lambda case: case.set_clock(-HOUR)),
        {
            AWS: "AWS says that the token had expired when it arrived.",
            AZURE: "Azure says that the token of this portal is not valid at this time.",
            GCP: "Google Cloud says that the token had expired when it arrived.",
        },
        "Fernhill checks the clock of this portal. Press Retry this step.", mend=lambda case: case.set_clock(0),
    ),
    *every(
        "aws gcp", "our clock is ahead", "token_refused", once_open(lambda case: case.set_clock(HOUR)),
        {cloud: f"{name} did not accept the token of this portal." for cloud, name in IN.items()},
        "If it fails again, contact Fernhill with the reference.", mend=lambda case: case.set_clock(0),
    ),
    Row(
        "our clock is ahead", AZURE, "token_expired", once_open(lambda case: case.set_clock(HOUR)),
        "Azure says that the token of this portal is not valid at this time.", "Fernhill checks the clock of this portal.",
        mend=lambda case: case.set_clock(0),
    ),
    *every(
        ALL, "changes switched off", "changes_switched_off", hand("run_with_changes_off"),
        {AWS: "AllowChanges", AZURE: "The kit's own switch allowChanges is set to “no”", GCP: "it was run with --allow-changes no."},
        {AWS: "press Retry this step", AZURE: "with allowChanges set to “yes”",
         GCP: "with --allow-changes yes"}, mend=hand("allow_changes"),
    ),
    *every(
        ALL, "answer that nobody knows", "unknown_cloud_error", both(kit_again, hand("fault", "unknown", 1)),
        {cloud: f"{name} answered with something this portal does not know." for cloud, name in IN.items()},
        "contact Fernhill with the reference.", mend=nothing, evidence="nobody has heard of",
    ),
]  # fmt: skip
