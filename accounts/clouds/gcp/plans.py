"""A plan for Infrastructure Manager as one archive, and where it lies: Google takes a plan from a bucket, never with the order."""

import hashlib
import io
import os
import re
import zipfile
from collections.abc import Mapping

MAIN = "main.tf"  # what an order calls its document
VERSION = "VERSION"  # the file that tells a plan's version
# A fixed time in the archive: the same files give the same bytes, so the archive has a stable hash.
EPOCH = (1980, 1, 1, 0, 0, 0)
BUCKET = re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]")


def archive(files: Mapping[str, str]) -> bytes:
    """The same bytes every time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as plan:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, EPOCH)
            entry.external_attr = 0o644 << 16
            plan.writestr(entry, files[name].encode(), zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def key(files: Mapping[str, str]) -> str:
    """Named by version and content, so what lies there never changes."""
    sha256 = hashlib.sha256("".join(f"{name}\0{files[name]}\0" for name in sorted(files)).encode()).hexdigest()
    return f"cells/gcp/{files.get(VERSION, '').strip() or '0'}/{sha256}/plan.zip"


def bucket() -> str:
    """PORTAL_GCP_PLANS_BUCKET, as the addresses of Google's APIs come from the environment. Raises ValueError without a good one."""
    name = os.environ.get("PORTAL_GCP_PLANS_BUCKET", "")
    if not BUCKET.fullmatch(name):
        raise ValueError("Set PORTAL_GCP_PLANS_BUCKET to the bucket that manage.py publish_plans writes to")
    return name
