"""`python -I entry.py <program> <session file> <arguments...>`: what the launchers in the played PATH start."""

import sys
from pathlib import Path


def main() -> int:
    sys.path.insert(0, str(Path(__file__).resolve().parents[3]))
    from portal.sandbox.azure.az import program as az  # noqa: PLC0415 - found only now
    from portal.sandbox.shell import aws, curl, gcloud  # noqa: PLC0415
    from portal.sandbox.shell.session import Session  # noqa: PLC0415

    program, session, *arguments = sys.argv[1:]
    return {"gcloud": gcloud.main, "az": az.main, "aws": aws.main, "curl": curl.main}[program](arguments, Session.read(session))


if __name__ == "__main__":
    sys.exit(main())
