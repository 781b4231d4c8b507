from accounts.admin import cloud_accounts, people

__all__ = ["cloud_accounts", "people"]
