"""`python -I entry.py <program> <session file> <arguments...>`: what the launchers in the played PATH start."""

import sys
from importlib import import_module
from pathlib import Path

# A script of a kit starts dozens of them, so each loads itself alone: the SDK behind `aws` takes longer to load than most commands run.
PROGRAMS = {
    "gcloud": "portal.sandbox.shell.gcloud",
    "az": "portal.sandbox.azure.az.program",
    "aws": "portal.sandbox.shell.aws",
    "curl": "portal.sandbox.shell.curl",
}


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from portal.sandbox.shell.session import Session  # noqa: PLC0415 - found only now

    program, session, *arguments = sys.argv[1:]
    code: int = import_module(PROGRAMS[program]).main(arguments, Session.read(session))
    return code


if __name__ == "__main__":
    sys.exit(main())
