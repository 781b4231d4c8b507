"""What the portal calls in AWS."""

from datetime import timedelta

from accounts.kits.base import Traffic

TRAFFIC = Traffic(
    hosts=(
        "sts.<region>.amazonaws.com",
        "iam.amazonaws.com",
        "cloudformation.<region>.amazonaws.com",
        "ec2.<region>.amazonaws.com",
        "servicequotas.<region>.amazonaws.com",
        "eks.<region>.amazonaws.com",
        "kms.<region>.amazonaws.com",
        "tagging.<region>.amazonaws.com",
        "cloudtrail.<region>.amazonaws.com",
        "logs.<region>.amazonaws.com",
    ),
    moved_by=("AWS_ENDPOINT_URL",),
    session=timedelta(minutes=15),
)
