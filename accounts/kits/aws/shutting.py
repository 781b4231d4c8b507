"""How the customer shuts support access in AWS without the portal."""

import json

from django.utils.translation import gettext as _

from accounts.clouds.base import Target
from accounts.kits.base import Act, shut_by_switch

POLICY = "support-shut-by-customer"


def shut_support(target: Target, switch_command: str) -> list[Act]:
    """A denial on the support role holds for sessions that are open, too. The kit's own updates leave it where it is."""
    everything = {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "*", "Resource": "*"}]}
    role = f"--role-name byoc-{target.suffix}-support --policy-name {POLICY}"
    deny = f"aws iam put-role-policy \\\n  {role} \\\n  --policy-document '{json.dumps(everything)}'"
    allow = f"aws iam delete-role-policy \\\n  {role}"
    return [
        Act(_("Deny everything to the support role. AWS refuses new sessions and open ones, usually within seconds."), command=deny),
        *shut_by_switch(switch_command),
        Act(_("Later, to let support in again: take that denial away."), command=allow),
    ]
