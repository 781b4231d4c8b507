from accounts.admin import cloud_accounts, mail, people, trust

__all__ = ["cloud_accounts", "mail", "people", "trust"]
