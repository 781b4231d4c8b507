from accounts.admin import cloud_accounts, mail, people, preparations, trust

__all__ = ["cloud_accounts", "mail", "people", "preparations", "trust"]
