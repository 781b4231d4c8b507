from accounts.models.cloud_accounts import CloudAccount, Kit, TrustCheck
from accounts.models.environment import Assessment, EnvironmentFinding
from accounts.models.issuer import SigningKey
from accounts.models.mail import OutgoingMail
from accounts.models.people import Contact, Invitation, Membership, Organisation, User
from accounts.models.preparations import Preparation
from accounts.models.step_links import StepLink
from accounts.models.trust import TrustChange, TrustWatch

__all__ = [
    "Assessment",
    "CloudAccount",
    "Contact",
    "EnvironmentFinding",
    "Invitation",
    "Kit",
    "Membership",
    "Organisation",
    "OutgoingMail",
    "Preparation",
    "SigningKey",
    "StepLink",
    "TrustChange",
    "TrustCheck",
    "TrustWatch",
    "User",
]
