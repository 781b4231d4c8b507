"""One module an API of Google's. Importing a module puts its methods into the table; a new API is one line here."""

from portal.sandbox.gcp.apis import (
    accounts,
    compute,
    config,
    container,
    crm,
    iamcredentials,
    keys,
    logging,
    orgpolicy,
    pools,
    providers,
    roles,
    serviceusage,
    storage,
    sts,
)

__all__ = [
    "accounts", "compute", "config", "container", "crm", "iamcredentials", "keys", "logging", "orgpolicy", "pools", "providers",
    "roles", "serviceusage", "storage", "sts",
]  # fmt: skip
