"""Scheduled work of accounts: Celery shells around functions that tests call directly."""

from celery import shared_task

from accounts.issuer import keys


@shared_task(acks_late=True, time_limit=60)
def rotate_issuer_keys() -> None:
    """One tick of key rotation. Tenancy: none, the keys are the platform's."""
    keys.rotate()
