from accounts.admin import cloud_accounts, mail, people

__all__ = ["cloud_accounts", "mail", "people"]
