"""Short access tokens of service accounts, for whoever may act as them."""

import re
from typing import Any

from portal.sandbox.gcp.access import Target, project_target
from portal.sandbox.gcp.apis.accounts import account_target
from portal.sandbox.gcp.errors import GoogleError, invalid, missing
from portal.sandbox.gcp.methods import Call, Params, method
from portal.sandbox.gcp.world import Token, World, fresh_secret, whole_stamp

LONGEST_SECONDS, DEFAULT_SECONDS = 3600, 3600
BODY = {"delegates": [str], "scope": [str], "lifetime": str}
SCOPE = re.compile(r"https://www\.googleapis\.com/auth/[\w.-]+|openid|email|profile")


def _on(world: World, params: Params) -> Target:
    # Only the wildcard is documented; a project's name in its place is refused by the service.
    return account_target(world, params) if params["project"] == "-" else project_target(world, "")


@method(
    "iamcredentials.projects.serviceAccounts.generateAccessToken",
    "POST /v1/projects/{project}/serviceAccounts/{account}:generateAccessToken",
    permission="iam.serviceAccounts.getAccessToken", on=_on, body=BODY,
)  # fmt: skip
def generate_access_token(call: Call) -> dict[str, Any]:
    if call.body.get("delegates"):
        call.violate("delegates")
        raise GoogleError("UNIMPLEMENTED", "Delegation chains are not played here.")
    if not call.body.get("scope"):
        raise invalid("Scope required.", "scope")
    if not all(SCOPE.fullmatch(scope) for scope in call.body["scope"]):
        raise invalid("Invalid scope(s).", "scope")
    seconds = _seconds(call.body.get("lifetime", f"{DEFAULT_SECONDS}s"))
    email = call.params["account"]
    account = call.world.account(email)
    if account is None:
        raise missing(f"Not found; Gaia id not found for email {email}")
    if account.body.get("disabled"):
        raise GoogleError("FAILED_PRECONDITION", f"Service account {account.body['email']} is disabled.")
    ends = call.world.now() + seconds
    member = f"serviceAccount:{account.body['email']}"
    text = fresh_secret("ya29.c.")
    call.world.tokens[text] = Token(
        "account", member, [member], ends, account.body["email"], account.body["uniqueId"], call.project.number,
        [call.caller.member],
    )  # fmt: skip
    return {"accessToken": text, "expireTime": whole_stamp(ends)}


def _seconds(text: str) -> int:
    found = re.fullmatch(r"(\d+)(?:\.0+)?s", text)
    if found is None:
        raise invalid(f"Invalid value at 'lifetime' (type.googleapis.com/google.protobuf.Duration), \"{text}\"", "lifetime")
    seconds = int(found.group(1))
    if not 0 < seconds <= LONGEST_SECONDS:
        raise invalid("Request contains an invalid argument.", "lifetime")
    return seconds
