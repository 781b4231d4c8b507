from django.apps import AppConfig


class ClosingConfig(AppConfig):
    name = "accounts.closing"
    label = "closing"

    def ready(self) -> None:
        # The words of the catalogue; what tenancy itself adds to blockers and export.
        from accounts.closing import activity_words, obstacles  # noqa: F401, PLC0415
        from accounts.closing.export import contents  # noqa: F401, PLC0415
        from accounts.closing.needs import closing_needs  # noqa: PLC0415
        from accounts.views.home import MORE_NEEDS  # noqa: PLC0415

        MORE_NEEDS.append(closing_needs)
