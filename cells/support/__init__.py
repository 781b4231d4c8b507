"""What support access can be about in the fleet, and what the agent of a cell does for it. Everything is registered here."""

from cells.support import acts, bundles, handing, scopes  # noqa: F401  each registers its part
