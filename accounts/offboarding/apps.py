from django.apps import AppConfig


class OffboardingConfig(AppConfig):
    name = "accounts.offboarding"
    label = "offboarding"

    def ready(self) -> None:
        # The words of the catalogue; what Home says.
        from accounts.offboarding import activity_words, failures  # noqa: F401, PLC0415
        from accounts.offboarding.steps import leaving, watching  # noqa: PLC0415  registers the kind of operation
        from accounts.offboarding.views.needs import offboarding_needs  # noqa: PLC0415
        from accounts.steps.watch import WHILE_LEAVING  # noqa: PLC0415
        from accounts.views.home import MORE_NEEDS  # noqa: PLC0415

        assert leaving.OFFBOARD
        WHILE_LEAVING.append(watching.hear)
        MORE_NEEDS.append(offboarding_needs)
