"""`gcloud iam`: pools and their providers, service accounts, roles."""

from typing import Any
from urllib.parse import quote

from portal.sandbox.shell.gcloud import bindings
from portal.sandbox.shell.gcloud.api import Api, tell
from portal.sandbox.shell.gcloud.words import Command, CommandError, Words, command, pairs

# --- Pools and providers ---


def _pools(words: Words) -> str:
    return f"/iam/v1/projects/{words.project}/locations/global/workloadIdentityPools"


def _pool(words: Words) -> str:
    return f"{_pools(words)}/{words.first}"


def _provider(words: Words) -> str:
    return f"{_pools(words)}/{words.get('workload-identity-pool')}/providers/{words.first}"


def _texts(words: Words) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for flag, field in (("display-name", "displayName"), ("description", "description")):
        if flag in words.flags:
            body[field] = words.get(flag)
    if "disabled" in words.switches:
        body["disabled"] = True
    return body


def _create_pool(api: Api, words: Words) -> None:
    api.wait("iam", api.call("POST", f"{_pools(words)}?workloadIdentityPoolId={words.first}", _texts(words)))
    tell(f"Created workload identity pool [{words.first}].")


def _describe_pool(api: Api, words: Words) -> Any:
    return api.call("GET", _pool(words))


def _list_pools(api: Api, words: Words) -> Any:
    return api.every(_pools(words), "workloadIdentityPools")


def _list_accounts(api: Api, words: Words) -> Any:
    return api.every(f"/iam/v1/projects/{words.project}/serviceAccounts", "accounts")


def _list_roles(api: Api, words: Words) -> Any:
    return api.every(f"/iam/v1/projects/{words.project}/roles", "roles")


def _delete_pool(api: Api, words: Words) -> Any:
    made = api.wait("iam", api.call("DELETE", _pool(words)))
    tell(f"Deleted workload identity pool [{words.first}].")
    return made


def _undelete_pool(api: Api, words: Words) -> Any:
    made = api.wait("iam", api.call("POST", f"{_pool(words)}:undelete", {}))
    tell(f"Undeleted workload identity pool [{words.first}].")
    return made


def _oidc(words: Words) -> dict[str, Any]:
    body = _texts(words)
    if "attribute-mapping" in words.flags:
        body["attributeMapping"] = pairs(words.get("attribute-mapping"))
    if "attribute-condition" in words.flags:
        body["attributeCondition"] = words.get("attribute-condition")
    oidc: dict[str, Any] = {}
    if "issuer-uri" in words.flags:
        oidc["issuerUri"] = words.get("issuer-uri")
    if words.get("allowed-audiences"):
        oidc["allowedAudiences"] = words.get("allowed-audiences").split(",")
    return body | ({"oidc": oidc} if oidc else {})


def _create_oidc(api: Api, words: Words) -> None:
    path = f"{_provider(words).rpartition('/')[0]}?workloadIdentityPoolProviderId={words.first}"
    api.wait("iam", api.call("POST", path, _oidc(words)))
    tell(f"Created workload identity pool provider [{words.first}].")


def _update_oidc(api: Api, words: Words) -> Any:
    body = _oidc(words)
    if not body:
        raise CommandError("Specify at least one property to update.")
    mask = [name if name != "oidc" else "" for name in body]
    mask += [f"oidc.{name}" for name in body.get("oidc", {})]
    updated = api.wait("iam", api.call("PATCH", f"{_provider(words)}?updateMask={','.join(sorted(filter(None, mask)))}", body))
    tell(f"Updated workload identity pool provider [{words.first}].")
    return updated


def _describe_provider(api: Api, words: Words) -> Any:
    return api.call("GET", _provider(words))


# --- Service accounts ---


def _account(words: Words) -> str:
    return f"/iam/v1/projects/{quote(words.project)}/serviceAccounts/{words.first}"


def _create_account(api: Api, words: Words) -> None:
    body = {"accountId": words.first, "serviceAccount": _texts(words)}
    api.call("POST", f"/iam/v1/projects/{words.project}/serviceAccounts", body)
    tell(f"Created service account [{words.first}].")


def _describe_account(api: Api, words: Words) -> Any:
    return api.call("GET", _account(words))


def _update_account(api: Api, words: Words) -> Any:
    given = _texts(words)
    if not given:
        raise CommandError("Specify at least one property to update.")
    updated = api.call("PATCH", _account(words), {"serviceAccount": given, "updateMask": ",".join(sorted(given))})
    tell(f"Updated serviceAccount [{words.first}].")
    return updated


def _delete_account(api: Api, words: Words) -> None:
    api.call("DELETE", _account(words))
    tell(f"deleted service account [{words.first}]")


def _add_member(api: Api, words: Words) -> Any:
    path = _account(words)
    policy = bindings.change(
        words,
        lambda: dict(api.call("POST", f"{path}:getIamPolicy?options.requestedPolicyVersion=3", {})),
        lambda wanted: dict(api.call("POST", f"{path}:setIamPolicy", {"policy": wanted})),
        bindings.add,
    )
    tell(f"Updated IAM policy for serviceAccount [{words.first}].")
    return policy


# --- Roles ---


def _role(words: Words) -> str:
    return f"/iam/v1/projects/{words.project}/roles/{words.first}"


def _role_body(words: Words) -> dict[str, Any]:
    body: dict[str, Any] = {name: words.get(name) for name in ("title", "description", "stage") if name in words.flags}
    if "permissions" in words.flags:
        body["includedPermissions"] = [name for name in words.get("permissions").split(",") if name]
    if "stage" in body:
        body["stage"] = body["stage"].upper()
    return body


def _create_role(api: Api, words: Words) -> Any:
    made = api.call("POST", f"/iam/v1/projects/{words.project}/roles", {"roleId": words.first, "role": _role_body(words)})
    tell(f"Created role [{words.first}].")
    return made


def _describe_role(api: Api, words: Words) -> Any:
    return api.call("GET", _role(words))


def _update_role(api: Api, words: Words) -> Any:
    body = _role_body(words)
    return api.call("PATCH", f"{_role(words)}?updateMask={','.join(sorted(body))}", body)


def _delete_role(api: Api, words: Words) -> Any:
    return api.call("DELETE", _role(words))


def _undelete_role(api: Api, words: Words) -> Any:
    return api.call("POST", f"{_role(words)}:undelete", {})


TEXTS, OIDC = "display-name description", "issuer-uri attribute-mapping attribute-condition allowed-audiences"
ROLE = "title description permissions stage"
COMMANDS: dict[str, Command] = {
    "iam workload-identity-pools create": command(_create_pool, "pool", required="location", flags=TEXTS, switches="disabled"),
    "iam workload-identity-pools describe": command(_describe_pool, "pool", required="location"),
    "iam workload-identity-pools list": command(_list_pools, required="location"),
    "iam workload-identity-pools delete": command(_delete_pool, "pool", required="location"),
    "iam workload-identity-pools undelete": command(_undelete_pool, "pool", required="location"),
    "iam workload-identity-pools providers create-oidc": command(
        _create_oidc, "provider", required="location workload-identity-pool issuer-uri attribute-mapping", flags=f"{TEXTS} {OIDC}",
        switches="disabled",
    ),
    "iam workload-identity-pools providers update-oidc": command(
        _update_oidc, "provider", required="location workload-identity-pool", flags=f"{TEXTS} {OIDC}", switches="disabled"
    ),
    "iam workload-identity-pools providers describe": command(_describe_provider, "provider", required="location workload-identity-pool"),
    "iam service-accounts create": command(_create_account, "account", flags=TEXTS),
    "iam service-accounts describe": command(_describe_account, "account"),
    "iam service-accounts list": command(_list_accounts),
    "iam service-accounts update": command(_update_account, "account", flags=TEXTS),
    "iam service-accounts delete": command(_delete_account, "account"),
    "iam service-accounts add-iam-policy-binding": command(_add_member, "account", required="member role", flags="condition"),
    "iam roles create": command(_create_role, "role", flags=ROLE),
    "iam roles describe": command(_describe_role, "role"),
    "iam roles list": command(_list_roles),
    "iam roles update": command(_update_role, "role", flags=ROLE),
    "iam roles delete": command(_delete_role, "role"),
    "iam roles undelete": command(_undelete_role, "role"),
}  # fmt: skip
