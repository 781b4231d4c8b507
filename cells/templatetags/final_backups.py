"""The last backups of an instance, for the page of its operation, which does not know instances."""

from dataclasses import dataclass
from uuid import UUID

from django import template

from cells.backup_words import reason
from cells.models import FinalBackup, Instance

register = template.Library()


@dataclass(frozen=True)
class Backups:
    instance: Instance | None
    rows: list[FinalBackup]


@register.simple_tag
def final_backups(instance_id: UUID | str) -> Backups:
    """One query. Pages ask only for instances that they may show."""
    rows = list(FinalBackup.objects.filter(instance_id=instance_id).select_related("instance"))
    return Backups(rows[0].instance if rows else None, rows)


@register.filter
def backup_reason(code: str) -> str:
    return reason(code)
