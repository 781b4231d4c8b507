"""The process's own state beside ministack's: knobs, faults, violations, issuers, mail."""

import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from portal.sandbox.agents import AgentHosts
from portal.sandbox.faults import Faults
from portal.sandbox.knobs import Knobs
from portal.sandbox.mail import Mailbox
from portal.sandbox.options import Options
from portal.sandbox.tokens import Issuers

VIOLATIONS_KEPT = 200


@dataclass
class Sandbox:
    options: Options
    issuers: Issuers
    mailbox: Mailbox
    agents: AgentHosts  # the machines of agents in all clouds
    knobs: Knobs = field(default_factory=Knobs)
    faults: Faults = field(default_factory=Faults)
    violations: list[dict[str, Any]] = field(default_factory=list)
    ports: dict[str, int] = field(default_factory=dict)  # aws, console, smtp, gcp, azure: where it really listens
    is_dirty: bool = False  # something changed since the last snapshot

    @classmethod
    def of(cls, options: Options) -> "Sandbox":
        folder = (options.state_dir or Path(tempfile.mkdtemp(prefix="byoc-agents-"))) / "agents"
        sandbox = cls(options=options, issuers=Issuers(options.issuers), mailbox=Mailbox.of(options.state_dir), agents=AgentHosts(folder))
        sandbox.restore_knobs()
        return sandbox

    def restore_knobs(self) -> None:
        """Back to what the command line says."""
        self.knobs = Knobs(pace_seconds=self.options.pace_seconds, propagation_seconds=self.options.propagation_seconds)
        self.issuers.cache_seconds = self.knobs.keys_cache_seconds

    def violate(self, **what: str) -> None:
        """Records that somebody used what this AWS does not play. Tests fail on any."""
        self.violations.append(what)
        del self.violations[:-VIOLATIONS_KEPT]
