from importlib import import_module

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # The words of the catalogues, a task for the worker to find, the record of sign-ins.
        from accounts import activity_words, failures, failures_trust, kits, mail, sign_in_record  # noqa: F401, PLC0415
        from accounts.steps import connect, environment, renewal  # noqa: F401, PLC0415  registers the kinds of operation
        from portal.operations.catalogue import register_failures, register_waits  # noqa: PLC0415

        for cloud in kits.KITS:
            words = import_module(f"accounts.kits.{cloud}.failures")
            register_failures(words.FAILURES, variant=cloud)
            register_failures(getattr(words, "TRUST", {}), variant=cloud)
            register_waits(words.WAITS, variant=cloud)
            failures_trust.register_renewal(cloud, failures.FAILURES | words.FAILURES, failures.WAITS | words.WAITS)
