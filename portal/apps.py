from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "portal"

    def ready(self) -> None:
        from portal import checks  # noqa: F401, PLC0415  registers the system checks once the app registry is ready


class PortalAdminConfig(AdminConfig):
    default_site = "portal.admin.PortalAdminSite"
