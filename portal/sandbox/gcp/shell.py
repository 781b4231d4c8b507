"""What the played Cloud Shell must know of this cloud."""

from portal.sandbox.gcp import seed
from portal.sandbox.gcp.front import GoogleCloud
from portal.sandbox.shell.session import Session


class GoogleShell:
    def __init__(self, cloud: GoogleCloud) -> None:
        self.cloud = cloud

    def owner_of(self, project: str) -> str:
        found = self.cloud.world.project(project)
        return found.owner if found else ""

    def projects(self) -> list[str]:
        return [project.id for project in self.cloud.world.projects.values() if project.state == "ACTIVE"]

    def session(self, email: str, project: str) -> Session:
        sandbox = self.cloud.sandbox
        options, port = sandbox.options, sandbox.ports["gcp"]
        origins = {**options.issuers, **({options.portal_url: options.portal_url} if options.portal_url else {})}
        self.cloud.is_dirty = True
        return Session(email, project, seed.mint_user_token(self.cloud.world, email), f"http://127.0.0.1:{port}", origins)
