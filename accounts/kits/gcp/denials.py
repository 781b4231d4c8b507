"""What the Google Cloud kit never allows, each promise with examples that tests try."""

from django.utils.translation import gettext_lazy as _

from accounts.kits.gcp.manifest import PROJECT
from accounts.kits.manifest import Denial, Role

_OPERATOR = "serviceAccounts/byoc-{suffix}-operator@{account_id}.iam.gserviceaccount.com"
_SUPPORT = "serviceAccounts/byoc-{suffix}-support@{account_id}.iam.gserviceaccount.com"

DENIALS: tuple[Denial, ...] = (
    Denial(
        _("Never change who may do what in your project: it sets no policy, not even of what it made."),
        (
            "resourcemanager.projects.setIamPolicy",
            "iam.roles.create",
            "iam.roles.update",
            "iam.roles.delete",
            "compute.subnetworks.setIamPolicy",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never make a service account, or a key for one."),
        ("iam.serviceAccounts.create", "iam.serviceAccountKeys.create", "iam.serviceAccounts.delete", "iam.serviceAccounts.update"),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never become another of your service accounts, and never sign anything as one."),
        (
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.getOpenIdToken",
            "iam.serviceAccounts.signBlob",
            "iam.serviceAccounts.signJwt",
            "iam.serviceAccounts.implicitDelegation",
            "iam.serviceAccounts.actAs",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never become support, and never change the support account."),
        (
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccounts.setIamPolicy",
            "iam.serviceAccounts.delete",
        ),
        Role.OPERATOR,
        _SUPPORT,
    ),
    Denial(
        _("Never change its own trust."),
        ("iam.serviceAccounts.setIamPolicy", "iam.serviceAccountKeys.create"),
        Role.OPERATOR,
        _OPERATOR,
    ),
    Denial(
        _("Never change whom this project trusts."),
        (
            "iam.workloadIdentityPools.create",
            "iam.workloadIdentityPools.update",
            "iam.workloadIdentityPools.delete",
            "iam.workloadIdentityPoolProviders.create",
            "iam.workloadIdentityPoolProviders.update",
            "iam.workloadIdentityPoolProviders.delete",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never touch your project itself, its billing, its APIs or the rules of your organisation."),
        (
            "resourcemanager.projects.delete",
            "resourcemanager.projects.update",
            "resourcemanager.projects.move",
            "resourcemanager.projects.createBillingAssignment",
            "resourcemanager.projects.deleteBillingAssignment",
            "serviceusage.services.enable",
            "serviceusage.services.disable",
            "orgpolicy.policies.create",
            "orgpolicy.policies.delete",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never read your data: no database, secret, message, disk or log."),
        (
            "bigquery.tables.getData",
            "cloudsql.instances.connect",
            "compute.disks.create",
            "compute.snapshots.create",
            "logging.logEntries.list",
            "logging.privateLogEntries.list",
            "pubsub.subscriptions.consume",
            "secretmanager.versions.access",
            "storage.buckets.list",
        ),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Never sign in to a machine of yours, and never start one outside a cluster."),
        ("compute.instances.create", "compute.instances.osLogin", "compute.instances.setMetadata", "compute.instances.delete"),
        Role.OPERATOR,
        PROJECT,
    ),
    Denial(
        _("Support never changes anything."),
        (
            "compute.networks.create",
            "compute.networks.delete",
            "config.deployments.update",
            "config.deployments.delete",
            "container.clusters.update",
            "container.clusters.delete",
        ),
        Role.SUPPORT,
        PROJECT,
    ),
    Denial(
        _("Support never becomes somebody else and never reads data, secrets or logs."),
        (
            "iam.serviceAccounts.getAccessToken",
            "iam.serviceAccounts.actAs",
            "iam.serviceAccountKeys.create",
            "logging.logEntries.list",
            "secretmanager.versions.access",
            "storage.objects.get",
        ),
        Role.SUPPORT,
        PROJECT,
    ),
)
