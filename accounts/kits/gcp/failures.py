"""What Google Cloud words differently, and what only happens there: projects made anew, APIs that are off, perimeters."""

from django.utils.translation import gettext_lazy as _

from accounts.failures import NOT_CONNECTED, RUN_AGAIN, UNTOUCHED
from portal.operations.catalogue import FailureText, WaitText

FAILURES = {
    "account_deleted": FailureText(
        happened=_("The Google Cloud project has been deleted, or is marked for deletion."),
        means=_("The account is not connected. Google Cloud ends everything in the project; for 30 days its owner can restore it."),
        act=_("Restore the project in Google Cloud and press Retry this step, or stop connecting and name another project."),
    ),
    "account_recreated": FailureText(
        happened=_("The project of this id has number %(found)s. You named number %(expected)s: it was deleted and made anew."),
        means=NOT_CONNECTED,
        act=_("Stop connecting, and connect the new project with its own number. A kit of the old project cannot be used again."),
    ),
    "api_disabled": FailureText(
        happened=_("An API that the kit switches on is off in this project: %(service)s."),
        means=NOT_CONNECTED,
        act=_("Run gcloud services enable %(service)s in the project, wait a few minutes, and press Retry this step."),
    ),
    "perimeter_denied": FailureText(
        happened=_("A service perimeter (VPC Service Controls) of your organisation refuses the portal's calls."),
        means=NOT_CONNECTED,
        act=_("Show the text below to whoever manages the perimeter: it needs an ingress rule for the kit's operator account."),
    ),
    "key_found": FailureText(
        happened=_("Somebody made a key for a service account of the kit: %(account)s."),
        means=_("The account is not connected. A key that does not end could let somebody else in, so the kit's accounts must have none."),
        act=_("Delete the key in Google Cloud under IAM & Admin, Service Accounts, Keys. Then press Retry this step."),
    ),
    "wrong_account": FailureText(
        happened=_("The kit was run in Google Cloud project %(found)s. It was made for project %(expected)s."),
        means=NOT_CONNECTED,
        act=_("Remove the kit from project %(found)s, then press Run again and run the new kit in project %(expected)s."),
    ),
    "kit_failed": FailureText(
        happened=_("The script of the kit did not finish."),
        means=UNTOUCHED,
        act=_("Run the same command again in Cloud Shell: it goes on where it stopped. Then press Retry this step."),
    ),
    "kit_not_finished": FailureText(
        happened=_("The script of the kit did not finish in the time that it usually takes."),
        means=UNTOUCHED,
        act=_("Run the same command again in Cloud Shell: it goes on where it stopped. Then press Retry this step."),
    ),
    "trust_refused": FailureText(
        happened=_("Google Cloud knows the identity pool of the kit, but refuses to open the operator account."),
        means=NOT_CONNECTED,
        act=_("Run the same command again in Cloud Shell: it puts back what is missing. Then press Retry this step."),
    ),
    "trust_policy_edited": FailureText(
        happened=_(
            "The trust in Google Cloud is not the one that the kit ships: the pool, its provider or who may use an account was edited."
        ),
        means=_("The account is not connected. A wider trust could let somebody else in, so it is not used."),
        act=_("Undo the edit and press Retry this step, or press Run again to restore it with a new kit."),
    ),
    "policy_edited": FailureText(
        happened=_("The roles of an account of the kit were edited in Google Cloud."),
        means=_("The account is not connected. This portal only works with the permissions that you have reviewed."),
        act=_("Run the same command again in Cloud Shell to restore the roles, take away what was added, and press Retry this step."),
    ),
    "provider_deleted": FailureText(
        happened=_("The identity pool or the provider of the kit was deleted or disabled in Google Cloud, alone or with its project."),
        means=NOT_CONNECTED,
        act=_(
            "Restore the project if that was deleted. Press Run again to get a new kit and run that one: Google Cloud keeps the old names "
            "for 30 days. Then remove the old kit."
        ),
    ),
    "role_deleted": FailureText(
        happened=_("A service account or a role of the kit was deleted in Google Cloud."),
        means=NOT_CONNECTED,
        act=RUN_AGAIN,
    ),
    "trust_too_wide": FailureText(
        happened=_("A sign-in that must be refused was accepted: %(names)s."),
        means=_("The account is not connected. The trust is wider than promised, so it is not used."),
        act=_("Remove the kit from the project and press Run again."),
    ),
    "denied_by_organisation": FailureText(
        happened=_("A policy of your Google Cloud organisation denies what the kit needs."),
        means=NOT_CONNECTED,
        act=_("Show the text below to whoever manages your Google Cloud organisation. When it is allowed, press Retry this step."),
    ),
    "changes_switched_off": FailureText(
        happened=_("The kit's own switch for changes is off: it was run with --allow-changes no."),
        means=NOT_CONNECTED,
        act=_("Run the kit's command again with --allow-changes yes, then press Retry this step."),
    ),
    "duplicate_account": FailureText(
        happened=_("Google Cloud project %(account_id)s is already connected by another organisation in this portal."),
        means=_("This connection was not made. The other one is not affected."),
        act=_("Ask who connected it. If it has to move, contact %(provider)s with the reference. Then remove this kit."),
    ),
}

WAITS = {
    "kit_finishing": WaitText(sentence=_("The kit's script is still at work. Usually 1 to 2 minutes.")),
    "trust_not_ready": WaitText(
        sentence=_("Google Cloud is making the new identity known everywhere. Usually 2 minutes, sometimes more than 7.")
    ),
}
