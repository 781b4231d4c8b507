from django.apps import AppConfig


class SupportConfig(AppConfig):
    name = "accounts.support"
    label = "support"

    def ready(self) -> None:
        # The words of the catalogue.
        from accounts.support import activity_words  # noqa: F401, PLC0415
