from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        # The Celery app is made here and not in portal/__init__.py, which the bare launcher imports before anything is installed.
        from portal import celery, checks  # noqa: F401, PLC0415  checks register once the app registry is ready


class PortalAdminConfig(AdminConfig):
    default_site = "portal.admin.PortalAdminSite"
