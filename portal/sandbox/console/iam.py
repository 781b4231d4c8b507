"""IAM, as far as one can break a connection with it: edit a role's trust, delete the identity provider."""

import json
from urllib.parse import unquote

from portal.sandbox import wire
from portal.sandbox.console import View, Visit
from portal.sandbox.console.aws import members, text
from portal.sandbox.console.html import Markup, fill, hidden, redirect, table


async def role_list(visit: Visit) -> wire.Reply:
    root = await visit.aws.call("iam", "ListRoles", {})
    rows = [
        (
            fill('<a href="{href}">{name}</a>', href=visit.link("iam/role", name=text(role, "RoleName")), name=text(role, "RoleName")),
            text(role, "CreateDate"),
        )
        for role in members(root, "Roles")
    ]
    return visit.page("Roles", table(("Role", "Created"), rows, caption="Roles of this account", empty="This account has no roles."))


async def role_detail(visit: Visit) -> wire.Reply:
    name = visit.field("name")
    saved: Markup | str = ""
    if visit.is_post:
        await visit.aws.call("iam", "UpdateAssumeRolePolicy", {"RoleName": name, "PolicyDocument": visit.field("trust")})
        saved = fill('<p class="done" role="status">Trust policy updated.</p>')
    root = await visit.aws.call("iam", "GetRole", {"RoleName": name})
    trust = unquote(text(root, "GetRoleResult/Role/AssumeRolePolicyDocument"))
    boundary = text(root, "GetRoleResult/Role/PermissionsBoundary/PermissionsBoundaryArn")
    policies = members(await visit.aws.call("iam", "ListRolePolicies", {"RoleName": name}), "PolicyNames")
    body = fill(
        '{saved}<dl><dt>ARN</dt><dd class="break">{arn}</dd><dt>Permissions boundary</dt>'
        '<dd class="break">{boundary}</dd><dt>Inline policies</dt><dd>{policies}</dd></dl>'
        '<form method="post" action="/console/iam/role">{carried}'
        '<p><label for="trust">Trust policy</label><textarea id="trust" name="trust" rows="22" spellcheck="false">{trust}</textarea></p>'
        "<p><button>Update trust policy</button></p></form>",
        saved=saved,
        arn=text(root, "GetRoleResult/Role/Arn"),
        boundary=boundary or "none",
        policies=", ".join(entry.text or "" for entry in policies) or "none",
        carried=hidden(region=visit.region, name=name),
        trust=_pretty(trust),
    )
    return visit.page(name, body)


def _pretty(document: str) -> str:
    try:
        return json.dumps(json.loads(document), indent=2)
    except ValueError:
        return document


async def provider_list(visit: Visit) -> wire.Reply:
    if visit.is_post:
        await visit.aws.call("iam", "DeleteOpenIDConnectProvider", {"OpenIDConnectProviderArn": visit.field("arn")})
        return redirect(visit.link("iam/providers"))
    root = await visit.aws.call("iam", "ListOpenIDConnectProviders", {})
    rows = [(text(entry, "Arn"), _delete_form(visit, text(entry, "Arn"))) for entry in members(root, "OpenIDConnectProviderList")]
    return visit.page(
        "Identity providers",
        table(("Provider", "Delete"), rows, caption="OpenID Connect providers", empty="This account trusts no provider."),
    )


def _delete_form(visit: Visit, arn: str) -> Markup:
    return fill(
        '<form method="post" action="/console/iam/providers">{carried}'
        '<button class="danger" aria-label="Delete {arn}">Delete</button></form>',
        carried=hidden(region=visit.region, arn=arn),
        arn=arn,
    )


VIEWS: dict[str, View] = {"iam/roles": role_list, "iam/role": role_detail, "iam/providers": provider_list}
