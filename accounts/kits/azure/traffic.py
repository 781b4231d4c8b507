"""What the portal calls in Azure. Entra sets the life of its tokens itself."""

from accounts.kits.base import Traffic

TRAFFIC = Traffic(
    hosts=("login.microsoftonline.com", "management.azure.com"),
    moved_by=("PORTAL_AZURE_AUTHORITY_URL", "PORTAL_AZURE_ARM_URL"),
)
