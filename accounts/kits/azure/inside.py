"""What the identities that stay in the customer's subscription may do, each with a reason: the cluster's, the agent's, the janitor's.

No role of the portal's: no token of ours opens either of them. The pages tell of them as resources of the kit.
"""

from django.utils.translation import gettext_lazy as _

from portal.operations.catalogue import Text

CLUSTER: dict[str, Text] = {
    "Microsoft.Network/publicIPAddresses/join/action": _("Put the cluster's load balancer on a public address of the cell."),
    "Microsoft.Network/publicIPAddresses/read": _("Find the public address of the cell."),
    "Microsoft.Network/virtualNetworks/read": _("Find the network of the cell."),
    "Microsoft.Network/virtualNetworks/subnets/join/action": _("Place new machines in the cell's subnets."),
    "Microsoft.Network/virtualNetworks/subnets/read": _("Find the subnets of the cell."),
    "Microsoft.KeyVault/vaults/keys/decrypt/action": _("Read the cluster's own secrets, which are encrypted with the cell's key."),
    "Microsoft.KeyVault/vaults/keys/encrypt/action": _("Encrypt the cluster's own secrets with the cell's key."),
    "Microsoft.KeyVault/vaults/keys/read": _("Find the cell's key."),
}

JANITOR: dict[str, Text] = {
    "Microsoft.Authorization/roleAssignments/delete": _("Take a role of support away at its end. A condition refuses every other role."),
    "Microsoft.Authorization/roleAssignments/read": _("See which roles of support stand in the group of the cell, and until when."),
}

_CLUSTERS = "Microsoft.ContainerService/managedClusters"
# Objects of Kubernetes that a chart may hold, which the agent therefore creates, changes and deletes. Roles are not among them: whoever
# writes those can give away more than it has.
_MANAGED: dict[str, Text] = {
    "apps/daemonsets": _("Run a program of an instance on every machine."),
    "apps/deployments": _("Run the programs of an instance."),
    "apps/statefulsets": _("Run the programs of an instance that keep data."),
    "autoscaling/horizontalpodautoscalers": _("Run more or fewer copies of a program as load asks for it."),
    "batch/cronjobs": _("Run the regular work of an instance."),
    "batch/jobs": _("Run the one-off work of an instance, such as moving its data to a new version."),
    "configmaps": _("Hand an instance its settings."),
    "limitranges": _("Keep each program of an instance to the size that was ordered."),
    "namespaces": _("Keep instances apart, each in a namespace of its own."),
    "networking.k8s.io/ingresses": _("Lead traffic to an instance."),
    "networking.k8s.io/networkpolicies": _("Say which programs of an instance may reach each other."),
    "persistentvolumeclaims": _("Give an instance its disks."),
    "policy/poddisruptionbudgets": _("Keep an instance up while machines are renewed."),
    "resourcequotas": _("Keep an instance to the size that was ordered."),
    "secrets": _("Hand an instance its passwords, and keep Helm's own record of what was installed. They stay in the cell."),
    "serviceaccounts": _("Give the programs of an instance a name inside the cluster."),
    "services": _("Let the programs of an instance find each other."),
}
_SEEN: dict[str, Text] = {
    "apps/replicasets": _("See how far a new version has been rolled out."),
    "events": _("See why a program does not start."),
    "metrics.k8s.io/nodes": _("See how busy the machines are."),
    "metrics.k8s.io/pods": _("See how busy an instance is."),
    "nodes": _("See whether the machines are well."),
    "pods": _("See whether an instance is healthy."),
    "storage.k8s.io/storageclasses": _("See which disks there are."),
}

AGENT: dict[str, Text] = {
    f"{_CLUSTERS}/read": _("Find the cell's cluster."),
    f"{_CLUSTERS}/listClusterUserCredential/action": _("Learn the cluster's private address. It holds no key: each call is signed in."),
    **{f"{_CLUSTERS}/{name}/{verb}": reason for name, reason in _MANAGED.items() for verb in ("read", "write", "delete")},
    **{f"{_CLUSTERS}/{name}/read": reason for name, reason in _SEEN.items()},
    f"{_CLUSTERS}/pods/delete": _("Restart a program of an instance."),
}
FINDING = (f"{_CLUSTERS}/read", f"{_CLUSTERS}/listClusterUserCredential/action")  # asked of Azure; all others of the cluster
