"""What the portal calls in Google Cloud."""

from datetime import timedelta

from accounts.kits.base import Traffic

TRAFFIC = Traffic(
    hosts=(
        "sts.googleapis.com",
        "iamcredentials.googleapis.com",
        "iam.googleapis.com",
        "cloudresourcemanager.googleapis.com",
        "serviceusage.googleapis.com",
        "compute.googleapis.com",
        "orgpolicy.googleapis.com",
        "container.googleapis.com",
        "config.googleapis.com",
        "storage.googleapis.com",
        "logging.googleapis.com",
    ),
    moved_by=("PORTAL_GCP_URL",),
    session=timedelta(minutes=15),
)
