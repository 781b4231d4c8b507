"""Edits of what the kit made on Google Cloud, each noticed."""

import pytest

from accounts.clouds.base import Subject
from accounts.clouds.gcp.trust import check_provider
from tests.clouds.conftest import ISSUER_HOST
from tests.clouds.gcp.google import PROJECT
from tests.clouds.gcp.played import STRANGER, SUFFIX, PlayedGcp
from tests.clouds.gcp.standing import IAM, played, refusal, role_deleted, standing

__all__ = ["played", "standing"]  # fixtures


def second_provider(played: PlayedGcp) -> None:
    played.add_provider("other", played.shipped, oidc={"issuerUri": f"{ISSUER_HOST}/trust/mallory/g1"})


def another_issuer(played: PlayedGcp) -> None:
    played.patch_provider("oidc.issuerUri", oidc={"issuerUri": f"{ISSUER_HOST}/trust/mallory/g1"})


def another_mapping(played: PlayedGcp) -> None:
    played.patch_provider("attributeMapping", attributeMapping={"google.subject": "assertion.email"})


def provider_disabled(played: PlayedGcp) -> None:
    played.patch_provider("disabled", disabled=True)


def stranger_at_the_machines(played: PlayedGcp) -> None:
    played.write_members(played.email("node"), {STRANGER: ["roles/iam.serviceAccountTokenCreator"]})


def stranger_at_support(played: PlayedGcp) -> None:
    members = {**played.shipped.accounts["support"].members, STRANGER: ["roles/iam.serviceAccountTokenCreator"]}
    played.write_members(played.email("support"), members)


def builder_may_not_use_machines(played: PlayedGcp) -> None:
    played.write_members(played.email("node"), {})


def operator_acts_as_itself(played: PlayedGcp) -> None:
    itself = {f"serviceAccount:{played.email('operator')}": ["roles/iam.serviceAccountUser"]}
    played.write_members(played.email("operator"), {**played.shipped.accounts["operator"].members, **itself})


def token_opens_the_builder(played: PlayedGcp) -> None:
    outside = {played.member(Subject.OPS): ["roles/iam.workloadIdentityUser"]}
    played.write_members(played.email("builder"), {**played.shipped.accounts["builder"].members, **outside})


def role_of_the_pool_itself(played: PlayedGcp) -> None:
    played.bind("roles/viewer", played.member(Subject.OPS))


def role_for_everybody_in_the_pool(played: PlayedGcp) -> None:
    played.bind("roles/viewer", f"principalSet://iam.googleapis.com/{played.shipped.pool}/*")


def limit_taken_off(played: PlayedGcp) -> None:
    played.unbind(played.role("clusters"))
    played.bind(played.role("clusters"), f"serviceAccount:{played.email('builder')}")


def limit_widened(played: PlayedGcp) -> None:
    played.unbind(played.role("store"))
    played.bind(played.role("store"), f"serviceAccount:{played.email('builder')}", "resource.name.startsWith('projects/_/buckets/')")


def reading_taken_away(played: PlayedGcp) -> None:
    played.unbind("roles/container.defaultNodeServiceAccount")


def role_disabled(played: PlayedGcp) -> None:
    played.google.done("PATCH", f"/iam/v1/{played.role('support')}?updateMask=stage", {"stage": "DISABLED"})


def support_given_to_a_stranger(played: PlayedGcp) -> None:
    played.bind(played.role("support"), STRANGER, "request.time < timestamp('2126-01-01T00:00:00Z')")


def support_given_without_an_end(played: PlayedGcp) -> None:
    played.bind(played.role("support"), f"serviceAccount:{played.email('support')}")


def support_given_for_years(played: PlayedGcp) -> None:
    years = "request.time >= timestamp('2026-01-01T00:00:00Z') && request.time < timestamp('2126-01-01T00:00:00Z')"
    played.bind(played.role("support"), f"serviceAccount:{played.email('support')}", years)


def view_widened(played: PlayedGcp) -> None:
    (view,) = (name for name in played.shipped.views if name.endswith("-clusters"))
    played.google.done("PATCH", f"/logging/v2/{view}?updateMask=filter", {"filter": ""})


def view_deleted(played: PlayedGcp) -> None:
    (view,) = (name for name in played.shipped.views if name.endswith("-trail"))
    played.google.done("DELETE", f"/logging/v2/{view}")


def pool_deleted(played: PlayedGcp) -> None:
    played.google.done("DELETE", f"/iam/v1/{played.shipped.pool}")


def pool_disabled(played: PlayedGcp) -> None:
    played.google.done("PATCH", f"/iam/v1/{played.shipped.pool}?updateMask=disabled", {"disabled": True})


def key_made(played: PlayedGcp) -> None:
    played.google.done("POST", f"{IAM}/serviceAccounts/{played.email('support')}/keys", {})


EDITS = [
    (second_provider, "trust_policy_edited"),
    (another_issuer, "trust_policy_edited"),
    (another_mapping, "trust_policy_edited"),
    (provider_disabled, "trust_policy_edited"),
    (stranger_at_the_machines, "trust_policy_edited"),
    (stranger_at_support, "trust_policy_edited"),
    (builder_may_not_use_machines, "trust_policy_edited"),
    (operator_acts_as_itself, "trust_policy_edited"),
    (token_opens_the_builder, "trust_policy_edited"),
    (role_of_the_pool_itself, "policy_edited"),
    (role_for_everybody_in_the_pool, "policy_edited"),
    (limit_taken_off, "policy_edited"),
    (limit_widened, "policy_edited"),
    (reading_taken_away, "policy_edited"),
    (role_disabled, "policy_edited"),
    (support_given_to_a_stranger, "policy_edited"),
    (support_given_without_an_end, "policy_edited"),
    (support_given_for_years, "policy_edited"),
    (view_widened, "policy_edited"),
    (view_deleted, "policy_edited"),
    (role_deleted, "role_deleted"),
    (pool_deleted, "provider_deleted"),
    (pool_disabled, "trust_policy_edited"),
    (key_made, "key_found"),
]


@pytest.mark.parametrize(("edit", "code"), EDITS, ids=lambda value: getattr(value, "__name__", ""))
def test_gcp_edit_is_noticed(standing, edit, code):
    adapter = standing.adapter()
    adapter.probe_trust()  # the session is open: what follows would otherwise end at the door
    edit(standing)

    error = refusal(adapter.check_trust_unedited)

    assert (error.code, error.retryable) == (code, False)
    assert SUFFIX in error.raw or SUFFIX.replace("-", "_") in error.raw


def test_gcp_provider_that_was_deleted_alone_is_gone(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.done("DELETE", f"/iam/v1/{standing.shipped.provider}")

    assert refusal(adapter.check_trust_unedited).code == "provider_deleted"


def test_gcp_provider_with_keys_or_an_address_of_its_own_is_an_edit(played):
    """They would stand in for the issuer's. The local Google takes no such provider, so what Google would show is written here."""
    kit = played.shipped
    oidc = {"issuerUri": kit.issuer}
    shown = {"name": kit.provider, "state": "ACTIVE", "attributeMapping": dict(kit.mapping), "attributeCondition": kit.condition}
    check_provider({**shown, "oidc": oidc}, kit)

    for more in ({"jwksJson": "{}"}, {"discoveryUri": f"{kit.issuer}/.well-known/other"}):
        edited = {**shown, "oidc": {**oidc, **more}}
        assert refusal(lambda edited=edited: check_provider(edited, kit)).code == "trust_policy_edited"


def test_gcp_binding_of_somebody_else_is_nobodys_business(standing):
    assert standing.google.create_account("other-machines")[0] == 200
    standing.bind("roles/viewer", STRANGER)
    standing.bind("roles/container.defaultNodeServiceAccount", f"serviceAccount:other-machines@{PROJECT}.iam.gserviceaccount.com")

    standing.adapter().check_trust_unedited()


def test_gcp_operator_deleted_while_a_session_is_open(standing):
    adapter = standing.adapter()
    adapter.probe_trust()
    standing.google.done("DELETE", f"{IAM}/serviceAccounts/{standing.email('operator')}")

    assert refusal(adapter.describe_kit).code in {"trust_refused", "trust_not_ready"}


def test_gcp_account_that_was_deleted_and_made_anew_opens_what_it_opened(played):
    """Google goes on naming the old one beside the new one. Nobody can sign in as it any more, so it is no edit."""
    assert played.run_script().returncode == 0
    operator = played.email("operator")
    played.google.done("DELETE", f"{IAM}/serviceAccounts/{operator}")
    assert played.run_script().returncode == 0
    named = {member.partition("?")[0] for binding in played.policy(played.email("builder"))["bindings"] for member in binding["members"]}
    assert named == {f"serviceAccount:{operator}", f"deleted:serviceAccount:{operator}"}

    played.adapter().check_trust_unedited()
