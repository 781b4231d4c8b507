"""What a web identity token may say beside who it is for: session tags and the source identity, as STS reads and checks them."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from portal.sandbox.tokens import StsError

TAGS, SOURCE_IDENTITY = "https://aws.amazon.com/tags", "https://aws.amazon.com/source_identity"
KEY, VALUE = re.compile(r"[\w\s.:/=+\-@]{1,128}"), re.compile(r"[\w\s.:/=+\-@]{0,256}")
NAME = re.compile(r"[\w+=,.@-]{2,64}")
MOST_TAGS = 50


@dataclass(frozen=True)
class Said:
    """Session tags (each one value) and the source identity; empty where the token says nothing."""

    tags: Mapping[str, str]
    source_identity: str

    @classmethod
    def by(cls, claims: Mapping[str, Any]) -> "Said":
        """Raises StsError for what STS refuses."""
        return cls(_tags(claims.get(TAGS)), _source_identity(claims.get(SOURCE_IDENTITY)))

    def actions(self) -> list[str]:
        """What the role's trust must allow besides the sign-in itself."""
        return ["sts:TagSession"] * bool(self.tags) + ["sts:SetSourceIdentity"] * bool(self.source_identity)

    def context(self) -> dict[str, Any]:
        """Condition keys of the request."""
        keys: dict[str, Any] = {f"aws:requesttag/{key.lower()}": value for key, value in self.tags.items()}
        if self.tags:
            keys["aws:tagkeys"] = list(self.tags)
        return keys | ({"sts:sourceidentity": self.source_identity} if self.source_identity else {})


def _tags(claim: Any) -> dict[str, str]:
    if claim is None:
        return {}
    told = claim.get("principal_tags") if isinstance(claim, dict) else None
    if not isinstance(told, dict) or set(claim) - {"principal_tags", "transitive_tag_keys"}:
        raise StsError("InvalidIdentityToken", "The tags claim of the token is malformed")
    tags = {}
    for key, values in told.items():
        is_one = isinstance(values, list) and len(values) == 1 and isinstance(values[0], str)
        if not is_one or not KEY.fullmatch(key) or not VALUE.fullmatch(values[0]) or key.lower().startswith("aws:"):
            raise StsError("InvalidIdentityToken", f"The session tag {key} is malformed")
        tags[key] = values[0]
    if len(tags) > MOST_TAGS or len({key.lower() for key in tags}) < len(tags):
        raise StsError("InvalidIdentityToken", "The token has too many session tags, or the same one twice")
    return tags


def _source_identity(claim: Any) -> str:
    if claim is None:
        return ""
    if not isinstance(claim, str) or not NAME.fullmatch(claim) or claim.lower().startswith("aws:"):
        raise StsError("InvalidIdentityToken", "The source identity of the token is malformed")
    return claim
