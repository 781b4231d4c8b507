from accounts.models.cloud_accounts import CloudAccount, Kit, PermissionCheck
from accounts.models.issuer import SigningKey
from accounts.models.people import Contact, Invitation, Membership, Organisation, User

__all__ = ["CloudAccount", "Contact", "Invitation", "Kit", "Membership", "Organisation", "PermissionCheck", "SigningKey", "User"]
