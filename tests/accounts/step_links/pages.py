"""The addresses of a step, of the guest and of the owner."""

from django.urls import reverse

ARN = "arn:aws:cloudformation:us-east-1:111122223333:stack/byoc-x-kit/5d1b0c6e"
AZURE = {
    "cloud": "azure",
    "external_id": "8f2f4c1e-1111-4222-8333-444455556666",
    "identity": {"tenant_id": "1d2c3b4a-1111-4222-8333-444455556666"},
    "home_region": "westeurope",
}


def page(token, name="step_link", **kwargs):
    return reverse(f"accounts:{name}", kwargs={"token": token, **kwargs})


def own(account, name):
    return reverse(f"accounts:{name}", args=["acme", account.pk])
