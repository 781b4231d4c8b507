"""Who is signed in, where the clouds are, and a note of what was asked in vain: one file, written for the played programs."""

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NoReturn


@dataclass
class Session:
    email: str
    project: str
    token: str
    google: str = ""  # address of the local Google; who is in Azure's shell has none
    origins: dict[str, str] = field(default_factory=dict)  # what curl may call: the origin a script writes -> where it really listens
    azure: str = ""  # address of the local Azure, and the authority that its certificate is from
    azure_ca: str = ""
    aws: str = ""  # address of the local AWS as a customer uses it
    files: str = ""  # address that answers for every public S3 bucket
    notes: str = ""  # file that takes what is not played

    def write(self, path: Path) -> None:
        path.touch(mode=0o600)
        path.write_text(json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: str) -> "Session":
        return cls(**json.loads(Path(path).read_text()))

    def unplayed(self, program: str, what: str) -> NoReturn:
        """Ends the program as an unknown flag would, and leaves a note that fails a test."""
        with Path(self.notes).open("a") as notes:
            notes.write(json.dumps({"kind": "shell", "service": program, "action": what}) + "\n")
        sys.stderr.write(f"{program}: the demo's Cloud Shell does not play: {what}\n")
        raise SystemExit(2)
