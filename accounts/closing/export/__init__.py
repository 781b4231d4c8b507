"""Everything that the portal holds for an organisation, as one archive."""
