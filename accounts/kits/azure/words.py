"""How the Azure kit is told on the pages: the questions of the Account step, the ways to run it, what may be amiss."""

import re
from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.kits.base import Act, IdentityField, Route, Words, WrongAnswer

GUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.IGNORECASE)
NO_GUID = "00000000-0000-0000-0000-000000000000"

WORDS = Words(
    cloud="Azure",
    account=gettext_lazy("Azure subscription"),
    choice=gettext_lazy("Azure subscription"),
    intro=gettext_lazy(
        "You run one small template in your Azure subscription. It lets %(provider)s in with short-lived tokens. "
        "No key or password is handed over, now or later."
    ),
    time=gettext_lazy("5 to 10 minutes. Azure needs 1 to 3 of them."),
    rights=gettext_lazy(
        "Owner of the Azure subscription, or Contributor and User Access Administrator together. There is nothing narrower: "
        "who may give roles can give every role."
    ),
    identity_command_label=gettext_lazy("This prints the subscription and the tenant you are signed in to"),
    place_label=gettext_lazy("Location for the kit and the first cell"),
    place_help=gettext_lazy(
        "The kit makes one resource group here for the first deployment cell. Cannot be changed once the account is connected. Cells in "
        "other locations are possible later: you then run the kit for each of them."
    ),
    run_title=gettext_lazy("Run the kit in Azure"),
    made_label=gettext_lazy("Resource group"),
    remove=gettext_lazy("If the kit has been run, remove what it made, in Cloud Shell:"),
    removal_link_label=gettext_lazy("Open Azure Cloud Shell (opens in a new tab)"),
    after_removal=gettext_lazy(
        "Azure keeps a deleted vault for 90 days. That costs nothing and lets nobody in. You can connect the same subscription again at "
        "once: a new connection has names of its own."
    ),
    report_label=gettext_lazy("Client IDs"),
    report_help=gettext_lazy(
        "The last line that the script prints, or the outputs clientId and supportClientId of the deployment in the Azure portal. "
        "They are names, not secrets."
    ),
    report_error=gettext_lazy("Paste the line that the script prints, or both client IDs, one below the other."),
    connected=gettext_lazy(
        "Azure subscription %(number)s trusts %(provider)s. Every permission was proven, and every wrong sign-in was refused."
    ),
    doubts=(
        gettext_lazy("The two client IDs must be here: the script tells them by itself, the Azure portal does not."),
        gettext_lazy("The kit must be in subscription %(number)s."),
        gettext_lazy("The kit must be in location %(region)s."),
        gettext_lazy("Its deployment in Azure must have succeeded: Subscriptions, your subscription, Deployments."),
    ),
    is_report_needed=True,
    policy_title=gettext_lazy("%(name)s: the roles as Azure writes them down"),
    promise_note=gettext_lazy(
        "Azure has no rule that denies for ever: none of the kit's roles holds these rights, and the operator cannot give itself a role. "
        "Should somebody else give one of the kit's identities more, the next check of the trust finds it, and the portal stops."
    ),
)


def clean_guid(text: str) -> str:
    """The one id in what was pasted, in lower case. Raises ValueError."""
    found: set[str] = {match[0].lower() for match in GUID.finditer(text)} - {NO_GUID}
    if len(found) > 1:
        raise WrongAnswer(_("This holds %(count)s IDs. Enter the one that is asked for.") % {"count": len(found)})
    if not found:
        raise ValueError("an id of Azure has 32 hexadecimal digits in five groups")
    return found.pop()


IDENTITY_FIELDS = (
    IdentityField(
        name="external_id",
        label=gettext_lazy("Subscription ID"),
        help=gettext_lazy(
            "Five groups of letters and digits, like 8f2a6c1e-1111-4222-8333-444455556666. Cannot be changed once the account is connected."
        ),
        error=gettext_lazy("Enter the ID of the subscription, not its name. You find it in the Azure portal under Subscriptions."),
        clean=clean_guid,
    ),
    IdentityField(
        name="tenant_id",
        label=gettext_lazy("Tenant ID"),
        help=gettext_lazy("Of the directory that the subscription belongs to. Cannot be changed once the account is connected."),
        error=gettext_lazy("Enter the ID of the tenant, not its domain. You find it in the Azure portal under Microsoft Entra ID."),
        clean=clean_guid,
    ),
)


def one_client_id() -> str:
    return _(
        "The kit has two client IDs, and this names only one. Paste both: clientId, which is the operator's, and below it supportClientId."
    )


def same_client_id(client_id: str) -> str:
    return _("Both client IDs are %(id)s. The kit makes two identities: paste the ID of each, the operator's first.") % {"id": client_id}


def is_subscription(found: str) -> str:
    return _("%(id)s is the ID of your subscription. Paste the two client IDs that the kit made.") % {"id": found}


def is_tenant(found: str) -> str:
    return _("%(id)s is the ID of your tenant. Paste the two client IDs that the kit made.") % {"id": found}


def other_tenant(*, told: str, given: str, subscription: str) -> str:
    """Two tenants for one subscription: which is whose."""
    return _(
        "This names tenant %(told)s. You entered %(given)s as the tenant of subscription %(subscription)s. If %(told)s is right, stop "
        "connecting and correct the tenant ID; if not, paste what the script printed for this subscription."
    ) % {"told": told, "given": given, "subscription": subscription}


def shell_route(*, command: str, link: str) -> Route:
    acts = (
        Act(_("Open Cloud Shell, choose Bash."), link=link, link_label=_("Open Azure Cloud Shell (opens in a new tab)")),
        Act(
            _("Run this. It fetches the script, compares it with the SHA-256 that you see here, and runs it."),
            command=command,
            command_label=_("Command to run"),
        ),
        Act(_("Come back here. Azure needs 1 to 3 minutes, and the script tells this page when it is done.")),
    )
    return Route(
        "shell",
        _("Cloud Shell"),
        acts,
        intro=_("Any shell with the Azure CLI will do. Running it again does no harm, and leaves your two switches as they stand."),
    )


def portal_route(*, subscription: str, region: str, link: str, parameters: str, more: Mapping[str, str]) -> Route:
    """`more` are the parameters of further locations: the template makes the place for one cell at a time."""
    place = _("Choose subscription %(subscription)s and region %(region)s.") % {"subscription": subscription, "region": region}
    acts = (
        Act(_("Open the template in the Azure portal."), link=link, link_label=_("Deploy to Azure (opens in a new tab)")),
        Act(place),
        Act(
            _("Press Edit parameters, put this in place of what stands there, and press Save."),
            command=parameters,
            command_label=_("Parameters"),
        ),
        Act(
            _(
                "Choose allowChanges and allowSupport yourself: yes for both on the first run. If the kit has run here before, choose what "
                "you set then; nothing is kept for you here."
            )
        ),
        Act(_("Press Review + create, then Create. Azure needs 1 to 3 minutes.")),
        *(
            Act(
                _("When it is complete, do the same once more for location %(place)s, with this under Edit parameters.") % {"place": place},
                command=text,
                command_label=_("Parameters for %(place)s") % {"place": place},
            )
            for place, text in more.items()
        ),
        Act(_("When it is complete, press Outputs, and copy clientId and supportClientId. The next page here asks for both.")),
    )
    intro = _("Without a command line. Azure's portal tells this page nothing: when it is done, you copy two IDs from there.")
    return Route("portal", _("Azure portal"), acts, intro=intro, is_silent=True)
