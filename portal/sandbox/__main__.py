"""`python -m portal.sandbox`: reads the command line, prepares the environment ministack reads at import, serves."""

import asyncio
import os
import sys

from portal.sandbox.options import Options, parse


def prepare_environment(options: Options) -> None:
    """ministack reads its settings from the environment when it is imported."""
    # A key of the surrounding shell would become a root key, an endpoint of the portal a loop.
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(
        AUTH="true",
        LOG_LEVEL="CRITICAL",
        MINISTACK_REGION="us-east-1",
        MINISTACK_ACCOUNT_ID="000000000000",
        PERSIST_STATE="0",  # snapshots.py keeps the state instead: ministack saves on a clean stop only
        S3_PERSIST="0" if options.state_dir is None else "1",
    )
    if options.state_dir is not None:
        options.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.environ["S3_DATA_DIR"] = str(options.state_dir / "objects")


def main() -> int:
    options = parse(sys.argv[1:])
    prepare_environment(options)
    # Only now: ministack reads the environment, and imports its services, when it is imported.
    from portal.sandbox.aws.unplayed import leave_out  # noqa: PLC0415

    leave_out()
    from portal.sandbox.server import serve  # noqa: PLC0415

    return asyncio.run(serve(options))


if __name__ == "__main__":
    sys.exit(main())
