from django.apps import AppConfig


class ClosingConfig(AppConfig):
    name = "accounts.closing"
    label = "closing"

    def ready(self) -> None:
        # The words of the catalogue; what tenancy itself adds to blockers and export.
        from accounts.closing import activity_words, obstacles  # noqa: F401, PLC0415
        from accounts.closing.export import contents  # noqa: F401, PLC0415
