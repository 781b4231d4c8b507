from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "portal.audit"
    label = "audit"

    def ready(self) -> None:
        from portal.audit import checks, tasks  # noqa: F401, PLC0415  registers the system check and the signals of Celery
