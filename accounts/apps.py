from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "accounts"

    def ready(self) -> None:
        from accounts import activity_words, failures  # noqa: F401, PLC0415  fill the catalogues once translation works
        from accounts.steps import connect  # noqa: F401, PLC0415  registers the kind of operation
