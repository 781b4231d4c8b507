from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        # The words of the catalogues, a task for the worker to find, the record of sign-ins.
        from accounts import activity_words, failures, mail, sign_in_record  # noqa: F401, PLC0415
        from accounts.steps import connect  # noqa: F401, PLC0415  registers the kind of operation
