"""What the played Cloud Shell must know of this cloud."""

import re

from portal.sandbox.azure.control import ROLES, owner_token, stranger_token
from portal.sandbox.azure.front import AzureFront
from portal.sandbox.shell.session import Session

SUBSCRIPTION = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


class AzureShell:
    def __init__(self, front: AzureFront) -> None:
        self.front = front

    def owner_of(self, project: str) -> str:
        found = self.front.world.subscription(project)
        return self.front.world.tenants[found.tenant].owner_name if found else ""

    def projects(self) -> list[str]:
        return [found.id for found in self.front.world.subscriptions.values() if found.state != "Deleted"]

    def session(self, email: str, project: str) -> Session:
        """The owner, `contributor@...` and `reader@...` have the role of that name; anybody else has none."""
        world, sandbox = self.front.world, self.front.sandbox
        options = sandbox.options
        origins = {**options.issuers, **({options.portal_url: options.portal_url} if options.portal_url else {})}
        role = "Owner" if email == self.owner_of(project) else _role(email)
        is_known = world.subscription(project) is not None
        token = owner_token(world, project.lower(), role)["token"] if role and is_known else stranger_token(world, email, project)
        world.is_dirty = True
        address = f"https://127.0.0.1:{sandbox.ports['azure']}"
        files = f"http://127.0.0.1:{sandbox.ports['aws']}"
        return Session(email, project.lower(), token, "", origins, azure=address, azure_ca=str(self.front.authority), files=files)


def _role(email: str) -> str:
    words = email.partition("@")[0].replace("-", " ")
    return next((name for name in ROLES if name.lower() == words), "")
