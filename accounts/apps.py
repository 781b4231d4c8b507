from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import activity_words, failures  # noqa: F401, PLC0415  fill the catalogues once translation works
        from accounts import mail, sign_in_record  # noqa: F401, PLC0415  a task for the worker to find; the record of sign-ins
        from accounts.steps import connect  # noqa: F401, PLC0415  registers the kind of operation
