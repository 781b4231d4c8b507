"""Who does what in a connected account: the model this portal is built for, as data. A contract between the two goes first.

Three parties: the customer, the provider whose product runs there, and the portal, which is the provider's, too, but acts by itself.
"""

from dataclasses import dataclass
from enum import StrEnum

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from portal.operations.catalogue import Text


class Part(StrEnum):
    DOES = "does"
    DECIDES = "decides"
    TOLD = "told"
    NONE = ""


PART_WORDS: dict[Part, Text] = {
    Part.DOES: pgettext_lazy("part in a task", "Does it"),
    Part.DECIDES: pgettext_lazy("part in a task", "Decides"),
    Part.TOLD: pgettext_lazy("part in a task", "Is told"),
    Part.NONE: pgettext_lazy("part in a task", "No part"),
}


@dataclass(frozen=True)
class Task:
    area: Text
    title: Text
    customer: Part
    provider: Part
    portal: Part
    note: Text = ""


_CONNECT, _RUN = pgettext_lazy("area of tasks", "Connecting"), pgettext_lazy("area of tasks", "Operating")
_SECURE, _LEAVE = pgettext_lazy("area of tasks", "Securing"), pgettext_lazy("area of tasks", "Leaving")
DOES, DECIDES, TOLD, NONE = Part.DOES, Part.DECIDES, Part.TOLD, Part.NONE

TASKS: tuple[Task, ...] = (
    Task(_CONNECT, _("Read the kit and decide to trust it"), DECIDES, NONE, NONE),
    Task(_CONNECT, _("Run the kit in the cloud account"), DOES, NONE, TOLD, _("With the customer's own rights. Nobody else can run it.")),
    Task(_CONNECT, _("Verify each permission and each refusal"), TOLD, TOLD, DOES),
    Task(_CONNECT, _("Limits, enabled regions and rules of the cloud organisation"), DOES, TOLD, TOLD),
    Task(
        _RUN,
        _("Build, update and delete deployment cells"),
        TOLD,
        DOES,
        DOES,
        _("Only with the kit's permissions."),
    ),
    Task(_RUN, _("Patch images of machines and containers of a cell"), TOLD, DOES, NONE),
    Task(_RUN, _("Remediate known vulnerabilities (CVEs) in the product"), TOLD, DOES, NONE),
    Task(_RUN, _("Lock down the operating system of a cell's machines"), TOLD, DOES, NONE),
    Task(_RUN, _("Ingress and egress of a cell's own network"), TOLD, DOES, NONE),
    Task(_RUN, _("Ingress and egress of every other network of the account"), DOES, NONE, NONE),
    Task(_RUN, _("Back up the product's data"), DECIDES, DOES, NONE),
    Task(_RUN, _("Monitor cells and instances"), TOLD, DOES, NONE),
    Task(_RUN, _("Pay the cloud's bill of the account"), DOES, NONE, NONE),
    Task(_SECURE, _("Watch that the trust still stands"), TOLD, TOLD, DOES),
    Task(_SECURE, _("Rotate the keys that sign tokens"), NONE, NONE, DOES, _("Nothing has to be changed in the cloud account.")),
    Task(_SECURE, _("Rotate secrets of the product"), TOLD, DOES, NONE),
    Task(_SECURE, _("Rotate credentials of the customer's own people in the cloud"), DOES, NONE, NONE),
    Task(
        _SECURE,
        _("Allow support access"),
        DECIDES,
        NONE,
        DOES,
        _("The kit's own switch shuts it, whatever was approved."),
    ),
    Task(_SECURE, _("Members, roles and second factors in the portal"), DOES, NONE, NONE),
    Task(_SECURE, _("Incident in the product or the portal"), TOLD, DOES, NONE),
    Task(_SECURE, _("Incident in the customer's cloud organisation or identities"), DOES, TOLD, NONE),
    Task(
        _SECURE,
        _("Keep the activity log, and check its chain"),
        DOES,
        NONE,
        DOES,
        _("The portal keeps it; whoever holds an export can check it offline."),
    ),
    Task(_LEAVE, _("Delete instances and cells"), DECIDES, DOES, DOES),
    Task(_LEAVE, _("Remove the kit, and with it the trust"), DOES, NONE, TOLD),
)
