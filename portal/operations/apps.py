from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OperationsConfig(AppConfig):
    name = "portal.operations"
    label = "operations"
    verbose_name = _("Operations")

    def ready(self) -> None:
        from portal.audit import register_actions  # noqa: PLC0415  the log's words need the app registry

        register_actions(
            {
                "operation.started": _("Started operation %(operation)s on %(subject)s"),
                "operation.retried": _("Retried operation %(operation)s on %(subject)s after %(code)s"),
                "operation.cancel_requested": _("Asked to cancel operation %(operation)s on %(subject)s"),
                "operation.cancelled": _("Cancelled operation %(operation)s on %(subject)s"),
                "operation.failed": _("Operation %(operation)s on %(subject)s failed: %(code)s"),
                "operation.succeeded": _("Finished operation %(operation)s on %(subject)s"),
            }
        )
