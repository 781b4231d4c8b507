"""How the customer shuts support access in Google Cloud without the portal."""

from django.utils.translation import gettext as _

from accounts.clouds.base import ALLOW_SUPPORT, Target
from accounts.clouds.gcp.shipped import ShippedKit
from accounts.kits.base import Act, shut_by_switch


def shut_support(target: Target, shipped: ShippedKit, switch_command: str) -> list[Act]:
    """First nobody can give anything any more, then what was given is taken: the other way round, it could be given again."""
    givers = [(shipped.accounts[bound.account].email, bound.role) for bound in shipped.bindings if bound.switch == ALLOW_SUPPORT]
    roles = " \\\n  ".join(shipped.lent)
    emails = " \\\n  ".join(shipped.accounts[name].email for name in shipped.supporters)
    take = _take(target, "$account", "$role", indent="    ")
    every = f"for role in \\\n  {roles}; do\n  for account in \\\n  {emails}; do\n{take}\n  done\ndone"
    acts = [
        Act(
            _("Take from the portal the right to open support access. No access can begin after this.")
            if shipped.lent
            else _("Take support's role away. Google Cloud refuses new sessions and open ones, usually within seconds."),
            command="\n".join(_take(target, email, role) for email, role in givers),
        )
    ]
    if shipped.lent:
        text = _(
            "Take support's roles from the support accounts. Google Cloud refuses open sessions, usually within seconds. gcloud says of "
            "most of them that it found no such binding: only an access that is open has some."
        )
        acts.append(Act(text, command=every))
    return [*acts, *shut_by_switch(switch_command)]


def _take(target: Target, email: str, role: str, *, indent: str = "") -> str:
    return (
        f"{indent}gcloud projects remove-iam-policy-binding {target.external_id} --all --format=none --quiet \\\n"
        f"{indent}  --role={role} --member=serviceAccount:{email}"
    )
