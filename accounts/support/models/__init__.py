from accounts.support.models.bundles import Bundle, BundleFile
from accounts.support.models.decisions import Decision
from accounts.support.models.policies import AccessPolicy, PolicyChange
from accounts.support.models.requests import AccessRequest, RequestNote
from accounts.support.models.sessions import Act, Door, EndProof, Receipt, TraceMatch

__all__ = [
    "AccessPolicy",
    "AccessRequest",
    "Act",
    "Bundle",
    "BundleFile",
    "Decision",
    "Door",
    "EndProof",
    "PolicyChange",
    "Receipt",
    "RequestNote",
    "TraceMatch",
]
