"""Resource groups and role assignments, as far as one can break a connection with them."""

from portal.sandbox import wire
from portal.sandbox.azure.arm.kinds import kind_of
from portal.sandbox.console.azure import GROUPS, View, Visit, link, state, switcher
from portal.sandbox.console.html import Markup, fill, hidden, redirect, table

ASSIGNMENTS, DEFINITIONS = "2022-04-01", "2022-04-01"


async def group_list(visit: Visit) -> wire.Reply:
    if visit.is_post:
        await visit.call("DELETE", visit.field("id"), GROUPS)
        return redirect(link("groups", subscription=visit.subscription))
    found = (await visit.call("GET", f"/subscriptions/{visit.subscription}/resourcegroups", GROUPS))["value"]
    rows = [
        (
            fill('<a href="{href}">{name}</a>', href=link("group", id=group["id"]), name=group["name"]),
            group["location"], state(group["properties"]["provisioningState"]), _delete_form(visit, "groups", group["id"]),
        )
        for group in found
    ]  # fmt: skip
    is_busy = any(group["properties"]["provisioningState"] == "Deleting" for group in found)
    listed = table(("Group", "Location", "State", "Delete"), rows, caption="Resource groups", empty="This subscription has no groups.")
    return visit.page("Resource groups", switcher(visit, "groups"), listed, refresh=is_busy)


async def group_detail(visit: Visit) -> wire.Reply:
    number = visit.field("id")
    if visit.is_post:
        target = visit.field("target")
        kind = kind_of("/".join(target.split("/providers/")[-1].split("/")[:2]))
        assert kind is not None
        await visit.call("DELETE", target, sorted(version for version in kind.versions if "preview" not in version)[-1])
        return redirect(link("group", id=number))
    found = (await visit.call("GET", f"{number}/resources", GROUPS))["value"]
    rows = [(entry["type"], entry["name"], _delete_form(visit, "group", number, target=entry["id"])) for entry in found]
    return visit.page(
        number.rpartition("/")[2], table(("Type", "Name", "Delete"), rows, caption="Resources", empty="There is nothing in this group.")
    )


async def access_list(visit: Visit) -> wire.Reply:
    """Role assignments of the subscription and of everything in it."""
    root = f"/subscriptions/{visit.subscription}"
    if visit.is_post:
        await visit.call("DELETE", visit.field("id"), ASSIGNMENTS)
        return redirect(link("access", subscription=visit.subscription))
    assigned = (await visit.call("GET", f"{root}/providers/Microsoft.Authorization/roleAssignments", ASSIGNMENTS))["value"]
    defined = (await visit.call("GET", f"{root}/providers/Microsoft.Authorization/roleDefinitions", DEFINITIONS))["value"]
    names = {role["name"].lower(): role["properties"]["roleName"] for role in defined}
    rows = [
        (
            names.get(entry["properties"]["roleDefinitionId"].rpartition("/")[2].lower(), "?"), entry["properties"]["principalType"],
            entry["properties"]["principalId"], entry["properties"]["scope"], _delete_form(visit, "access", entry["id"]),
        )
        for entry in assigned
    ]  # fmt: skip
    heads = ("Role", "Kind", "Object id", "Scope", "Remove")
    return visit.page("Access control (IAM)", switcher(visit, "access"), table(heads, rows, caption="Role assignments", empty="None."))


def _delete_form(visit: Visit, path: str, number: str, **more: str) -> Markup:
    return fill(
        '<form method="post" action="{action}">{carried}<button class="danger" aria-label="Delete {name}">Delete</button></form>',
        action=link(path), carried=hidden(id=number, subscription=visit.subscription, **more), name=more.get("target", number),
    )  # fmt: skip


VIEWS: dict[str, View] = {"groups": group_list, "group": group_detail, "access": access_list}
