"""Production demands: each check complains about the wrong setting and is silent about the right one."""

import pytest
from cryptography.fernet import Fernet

from portal import checks


@pytest.mark.parametrize(
    ("check", "name", "wrong", "right", "code"),
    [
        (checks.check_portal_url, "PORTAL_URL", "http://portal.example", "https://portal.example", "portal.E001"),
        (checks.check_issuer_url, "ISSUER_URL", "http://portal.example", "https://portal.example", "portal.E002"),
        (checks.check_seal_keys, "SEAL_KEYS", ["too-short"], [Fernet.generate_key().decode()], "portal.E003"),
        (checks.check_backup_days, "BACKUP_DAYS", 0, 1, "portal.E005"),
        (checks.check_backup_days, "BACKUP_DAYS", 367, 366, "portal.E005"),
        (checks.check_kits_bucket, "KITS_BUCKET", "", "kits", "portal.W001"),
    ],
)
def test_check_complains_about_the_wrong_value_only(settings, check, name, wrong, right, code):
    setattr(settings, name, wrong)
    assert [problem.id for problem in check(None)] == [code]

    setattr(settings, name, right)
    assert check(None) == []
