"""The log inside other pages."""

from uuid import UUID

from django import template

from portal.audit.panels import subject_activity as subject_panel

register = template.Library()


@register.inclusion_tag("audit/_subject_activity.html")
def subject_activity(organisation_id: UUID, kind: str, id: object, limit: int = 20) -> dict[str, object]:  # noqa: A002  reads well in a template
    """The latest events on one thing, for a tab of its page.

    `{% subject_activity organisation_id=account.organisation_id kind="cloud_account" id=account.pk %}`
    """
    return {"panel": subject_panel(organisation_id, kind, id, limit), "activity_url": "", "limit": limit}
