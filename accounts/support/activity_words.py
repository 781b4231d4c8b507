"""Words of the activity log for support access."""
