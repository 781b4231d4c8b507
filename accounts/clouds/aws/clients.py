"""AWS clients that are cheap to make and safe in threads: a session for each, one reading of the SDK's data files for all.

`boto3.client` shares one session between threads, which it was not made for, and a session of one's own reads the data files anew:
some 60 ms of CPU a client instead of 10. The clients are the same ones that boto3 hands out.
"""

from collections.abc import Mapping
from functools import cache
from typing import Any

from botocore.config import Config
from botocore.loaders import Loader, create_loader
from botocore.session import Session

# The engine retries, with words on the page: a call here answers or fails within seconds.
SHORT = Config(connect_timeout=5, read_timeout=20, retries={"total_max_attempts": 2, "mode": "standard"})


@cache
def _loader() -> Loader:
    """Holds data files only, no state of an account."""
    return create_loader()


def open_client(service: str, *, region: str, credentials: Mapping[str, Any] | None = None, config: Config | None = None) -> Any:
    """A client of one service. `credentials` as STS gives them; never those of this machine."""
    session = Session()
    session.register_component("data_loader", _loader())
    keys = credentials or {}
    return session.create_client(
        service,
        region_name=region,
        config=SHORT.merge(config) if config else SHORT,
        aws_access_key_id=keys.get("AccessKeyId"),
        aws_secret_access_key=keys.get("SecretAccessKey"),
        aws_session_token=keys.get("SessionToken"),
    )
