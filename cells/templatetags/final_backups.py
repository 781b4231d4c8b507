"""The last backups of an instance, for the page of its operation, which does not know instances."""

from dataclasses import dataclass
from uuid import UUID

from django import template

from cells.availability import Act, why_not
from cells.backup_words import reason
from cells.models import FinalBackup, Instance

register = template.Library()


@dataclass(frozen=True)
class Backups:
    instance: Instance | None
    rows: list[FinalBackup]
    can_be_kept: bool  # its deletion can be called off


@register.simple_tag
def final_backups(instance_id: UUID | str) -> Backups:
    """Two queries. Pages ask only for instances that they may show."""
    rows = list(FinalBackup.objects.filter(instance_id=instance_id))
    instance = Instance.objects.select_related("organisation", "account", "cell").filter(pk=instance_id).first()
    return Backups(instance, rows, can_be_kept=instance is not None and not why_not(Act.KEEP, instance))


@register.filter
def backup_reason(code: str) -> str:
    return reason(code)
