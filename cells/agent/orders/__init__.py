"""Orders: what the portal asks of the agent at one moment, each with an end time, each done once at most."""
