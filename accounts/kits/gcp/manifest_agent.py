"""What the agent may do inside of the clusters of cells, in words: a part of the Google Cloud kit's manifest."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.manifest import Grant, Phase, Role

PROJECT = "projects/{account_id}"
_OWN_CLUSTERS = _("Only clusters whose names start with byoc-, this account's short code and a dash.")
# Helm finds, reads and writes its record of what was installed among the secrets of a namespace; IAM knows no namespaces.
_WHOLE_CLUSTER = _(
    "Only clusters whose names start with byoc-, this account's short code and a dash. Within one, Google Cloud cannot narrow this to "
    "single namespaces."
)

AGENT: tuple[Grant, ...] = (
    Grant(
        "agent.look",
        Role.AGENT,
        Phase.RUN,
        _OWN_CLUSTERS,
        {
            "container.clusters.get": _("Find the address of the cluster that the agent works in."),
            "container.cronJobs.get": _("Compare timed tasks of an instance with what was ordered."),
            "container.cronJobs.list": _("Find timed tasks of an instance."),
            "container.daemonSets.get": _("Compare what an instance runs on every machine with what was ordered."),
            "container.daemonSets.list": _("Find what an instance runs on every machine."),
            "container.deployments.get": _("Compare services of an instance with what was ordered."),
            "container.deployments.list": _("Find services of an instance."),
            "container.events.list": _("See why something in a cluster does not start."),
            "container.horizontalPodAutoscalers.get": _("Compare how an instance grows under load with what was ordered."),
            "container.horizontalPodAutoscalers.list": _("Find how an instance grows under load."),
            "container.ingresses.get": _("Compare how an instance is reached with what was ordered."),
            "container.ingresses.list": _("Find how an instance is reached."),
            "container.jobs.get": _("Compare single tasks of an instance with what was ordered."),
            "container.jobs.list": _("Find single tasks of an instance."),
            "container.namespaces.get": _("Compare the space that keeps instances apart with what was ordered."),
            "container.namespaces.list": _("Find the space that keeps instances apart."),
            "container.nodes.get": _("Compare the machines of a cluster with what was ordered."),
            "container.nodes.list": _("Find the machines of a cluster."),
            "container.persistentVolumeClaims.get": _("Compare the storage of an instance with what was ordered."),
            "container.persistentVolumeClaims.list": _("Find the storage of an instance."),
            "container.pods.get": _("Compare the processes of an instance with what was ordered."),
            "container.pods.getLogs": _(
                "Read the newest log lines of an instance. This right stands always, but is used only for a support access that you "
                "approved with logs, or for a diagnostic bundle. The agent removes known kinds of secrets before a line leaves the cell."
            ),
            "container.pods.list": _("Find the processes of an instance."),
            "container.replicaSets.get": _("Compare versions of an instance with what was ordered."),
            "container.replicaSets.list": _("Find versions of an instance."),
            "container.services.get": _("Compare addresses of an instance with what was ordered."),
            "container.services.list": _("Find addresses of an instance."),
            "container.statefulSets.get": _("Compare services of an instance that keep data with what was ordered."),
            "container.statefulSets.list": _("Find services of an instance that keep data."),
        },
        PROJECT,
    ),
    Grant(
        "agent_change.run",
        Role.AGENT,
        Phase.RUN,
        _WHOLE_CLUSTER,
        {
            "container.configMaps.create": _("Install the settings of an instance."),
            "container.configMaps.delete": _("Remove the settings of an instance."),
            "container.configMaps.get": _("Compare the settings of an instance with what was ordered."),
            "container.configMaps.update": _("Change the settings of an instance."),
            "container.cronJobs.create": _("Install timed tasks of an instance."),
            "container.cronJobs.delete": _("Remove timed tasks of an instance."),
            "container.cronJobs.update": _("Change timed tasks of an instance."),
            "container.daemonSets.create": _("Install what an instance runs on every machine."),
            "container.daemonSets.delete": _("Remove what an instance runs on every machine."),
            "container.daemonSets.update": _("Change what an instance runs on every machine."),
            "container.deployments.create": _("Install services of an instance."),
            "container.deployments.delete": _("Remove services of an instance."),
            "container.deployments.update": _("Change services of an instance."),
            "container.deployments.updateScale": _("Give services of an instance more or fewer processes, or stop them."),
            "container.horizontalPodAutoscalers.create": _("Install how an instance grows under load."),
            "container.horizontalPodAutoscalers.delete": _("Remove how an instance grows under load."),
            "container.horizontalPodAutoscalers.update": _("Change how an instance grows under load."),
            "container.ingresses.create": _("Install how an instance is reached."),
            "container.ingresses.delete": _("Remove how an instance is reached."),
            "container.ingresses.update": _("Change how an instance is reached."),
            "container.jobs.create": _("Install single tasks of an instance."),
            "container.jobs.delete": _("Remove single tasks of an instance."),
            "container.jobs.update": _("Change single tasks of an instance."),
            "container.limitRanges.create": _("Hold each process of an instance to the size that was ordered."),
            "container.limitRanges.get": _("Compare the largest process of an instance with what was ordered."),
            "container.limitRanges.update": _("Change that limit when another size is ordered."),
            "container.namespaces.create": _("Install the space that keeps instances apart."),
            "container.namespaces.delete": _("Remove the space that keeps instances apart."),
            "container.namespaces.update": _("Change the space that keeps instances apart."),
            "container.networkPolicies.create": _("Install what an instance may talk to."),
            "container.networkPolicies.delete": _("Remove what an instance may talk to."),
            "container.networkPolicies.get": _("Compare what an instance may talk to with what was ordered."),
            "container.networkPolicies.update": _("Change what an instance may talk to."),
            "container.persistentVolumeClaims.create": _("Install the storage of an instance."),
            "container.persistentVolumeClaims.delete": _("Remove the storage of an instance."),
            "container.persistentVolumeClaims.update": _("Change the storage of an instance."),
            "container.podDisruptionBudgets.create": _("Install how much of an instance may pause at once."),
            "container.podDisruptionBudgets.delete": _("Remove how much of an instance may pause at once."),
            "container.podDisruptionBudgets.get": _("Compare how much of an instance may pause at once with what was ordered."),
            "container.podDisruptionBudgets.update": _("Change how much of an instance may pause at once."),
            "container.pods.delete": _("Restart the processes of an instance."),
            "container.resourceQuotas.create": _("Hold an instance to the size that was ordered."),
            "container.resourceQuotas.get": _("Compare the size of an instance with what was ordered."),
            "container.resourceQuotas.update": _("Change the size of an instance when another is ordered."),
            "container.secrets.create": _("Install the secrets of an instance, and Helm's record of what was installed."),
            "container.secrets.delete": _("Remove the secrets of an instance, and Helm's record of what was installed."),
            "container.secrets.get": _(
                "Compare the secrets of an instance, and Helm's record of what was installed, with what was ordered."
            ),
            "container.secrets.list": _("Find Helm's record of what was installed, which stands among the secrets."),
            "container.secrets.update": _("Change the secrets of an instance, and Helm's record of what was installed."),
            "container.serviceAccounts.create": _("Install the identities of an instance inside of its cluster."),
            "container.serviceAccounts.delete": _("Remove the identities of an instance inside of its cluster."),
            "container.serviceAccounts.get": _("Compare the identities of an instance inside of its cluster with what was ordered."),
            "container.serviceAccounts.update": _("Change the identities of an instance inside of its cluster."),
            "container.services.create": _("Install addresses of an instance."),
            "container.services.delete": _("Remove addresses of an instance."),
            "container.services.update": _("Change addresses of an instance."),
            "container.statefulSets.create": _("Install services of an instance that keep data."),
            "container.statefulSets.delete": _("Remove services of an instance that keep data."),
            "container.statefulSets.update": _("Change services of an instance that keep data."),
            "container.statefulSets.updateScale": _("Give services of an instance that keep data more or fewer processes, or stop them."),
        },
        PROJECT,
    ),
)
