"""Keys of service accounts: none of the kit's may have one, so somebody must be able to make one."""

import base64
import json
import secrets
from typing import Any

from portal.sandbox.gcp.apis.accounts import ONE, account_target
from portal.sandbox.gcp.errors import missing
from portal.sandbox.gcp.methods import Call, method
from portal.sandbox.gcp.world import Resource, stamp

API = "iam.projects.serviceAccounts.keys"
KEYS = ONE + "/keys"
TEN_YEARS = 10 * 365 * 86400.0


@method(
    f"{API}.create",
    f"POST {KEYS}",
    permission="iam.serviceAccountKeys.create",
    on=account_target,
    body={"privateKeyType": str, "keyAlgorithm": str},
)
def create(call: Call) -> dict[str, Any]:
    account, now, key = _account(call), call.world.now(), secrets.token_hex(20)
    name = f"{account['name']}/keys/{key}"
    body = {
        "name": name, "keyType": "USER_MANAGED", "keyOrigin": "GOOGLE_PROVIDED", "keyAlgorithm": "KEY_ALG_RSA_2048",
        "validAfterTime": stamp(now), "validBeforeTime": stamp(now + TEN_YEARS),
    }  # fmt: skip
    call.world.resources[f"{_kept(account)}{key}"] = Resource(body, now)
    file = json.dumps({"type": "service_account", "private_key_id": key}).encode()
    return {**body, "privateKeyType": "TYPE_GOOGLE_CREDENTIALS_FILE", "privateKeyData": base64.b64encode(file).decode()}


@method(f"{API}.list", f"GET {KEYS}", permission="iam.serviceAccountKeys.list", on=account_target, query=("keyTypes",))
def list_keys(call: Call) -> dict[str, Any]:
    """Google has a key of its own in every account, which nobody can take away: who counts keys must ask for the others."""
    account, wanted = _account(call), call.query.get("keyTypes", [])
    own = {
        "name": f"{account['name']}/keys/{account['uniqueId']:0>40}", "keyType": "SYSTEM_MANAGED", "keyOrigin": "GOOGLE_PROVIDED",
        "keyAlgorithm": "KEY_ALG_RSA_2048", "validAfterTime": stamp(0), "validBeforeTime": "9999-12-31T23:59:59Z",
    }  # fmt: skip
    made = [own, *(made.body for _name, made in call.world.under(_kept(account)) if made.is_live)]
    found = [key for key in made if not wanted or key["keyType"] in wanted]
    return {"keys": found} if found else {}


@method(f"{API}.delete", f"DELETE {KEYS}/{{key}}", permission="iam.serviceAccountKeys.delete", on=account_target)
def delete(call: Call) -> dict[str, Any]:
    name = f"{_kept(_account(call))}{call.params['key']}"
    if call.world.live(name) is None:
        raise missing("Service account key does not exist.")
    del call.world.resources[name]
    return {}


def _account(call: Call) -> dict[str, Any]:
    account = call.world.account(call.params["account"])
    if account is None or account.body["projectId"] != call.project.id:
        raise missing("Unknown service account")
    return account.body


def _kept(account: dict[str, Any]) -> str:
    """By the account's unique id: one made anew under the same address has none of them."""
    return f"projects/{account['projectId']}/serviceAccountKeys/{account['uniqueId']}/"
