"""Azure Resource Manager: routes, rights, resources, deployments."""
