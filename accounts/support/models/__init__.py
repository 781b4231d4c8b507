from accounts.support.models.bundles import Bundle, BundleFile
from accounts.support.models.decisions import Decision
from accounts.support.models.devices import Device
from accounts.support.models.policies import AccessPolicy, PolicyChange
from accounts.support.models.requests import AccessRequest, RequestNote
from accounts.support.models.sessions import Act, Door, EndProof, Opening, Receipt, TraceMatch
from accounts.support.models.viewings import Viewing

__all__ = [
    "AccessPolicy",
    "AccessRequest",
    "Act",
    "Bundle",
    "BundleFile",
    "Decision",
    "Device",
    "Door",
    "EndProof",
    "Opening",
    "PolicyChange",
    "Receipt",
    "RequestNote",
    "TraceMatch",
    "Viewing",
]
