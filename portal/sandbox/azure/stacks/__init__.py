"""Deployment stacks: a template whose resources stand, change and go as one."""
