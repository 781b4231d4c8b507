"""Deployments: from a template to a plan, and from the plan to resources."""
