"""What the played CloudShell must know of this cloud: its accounts need no making, and whoever signs in is the account's root."""

import re

from portal.sandbox.sandbox import Sandbox
from portal.sandbox.shell.session import Session

ACCOUNT = re.compile(r"[0-9]{12}")
SUGGESTED = "111122223333"


class AwsShell:
    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox

    def owner_of(self, project: str) -> str:
        return "admin@acme.example"

    def projects(self) -> list[str]:
        return [SUGGESTED]

    def session(self, email: str, project: str) -> Session:
        options = self.sandbox.options
        origins = {options.portal_url: options.portal_url} if options.portal_url else {}
        return Session(email, project, "", "", origins, aws=f"http://127.0.0.1:{self.sandbox.ports['console']}")
