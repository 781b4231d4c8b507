from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class OperationsConfig(AppConfig):
    name = "portal.operations"
    label = "operations"
    verbose_name = _("Operations")

    def ready(self) -> None:
        # The log's words need the app registry.
        from portal.audit import register_actions, register_codes, register_fields  # noqa: PLC0415
        from portal.operations.catalogue import failure_words  # noqa: PLC0415

        register_codes("code", failure_words)
        register_fields({"code": _("Failure"), "params": _("In particular")})
        register_actions(
            {
                "operation.started": _("Started operation %(operation)s on %(subject)s"),
                "operation.retried": _("Retried operation %(operation)s on %(subject)s after it failed: %(code)s"),
                "operation.cancel_requested": _("Asked to cancel operation %(operation)s on %(subject)s"),
                "operation.cancelled": _("Cancelled operation %(operation)s on %(subject)s"),
                "operation.failed": _("Operation %(operation)s on %(subject)s failed: %(code)s"),
                "operation.succeeded": _("Finished operation %(operation)s on %(subject)s"),
            }
        )
