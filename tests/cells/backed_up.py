"""What tests of final backups ask: how an instance stands, what its agent is told of it, and what was written down."""

from portal.audit.models import Event


def look(instance):
    instance.refresh_from_db()
    return instance.state, instance.failed_while


def wanted(agent):
    """Of each instance whether it shall be there, and how many final backups are asked for."""
    desired = agent.desired().json()
    return [one["is_present"] for one in desired["instances"]], len(desired["final_backups"])


def events(instance):
    found = Event.objects.filter(subject_kind="instance", subject_id=str(instance.pk)).order_by("sequence")
    return list(found.values_list("action", flat=True))
