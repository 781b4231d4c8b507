"""What Google Cloud words differently, and what only happens there: projects made anew, APIs that are off, perimeters."""

from django.utils.translation import gettext_lazy as _

from accounts.failures import NOT_CONNECTED, RUN_AGAIN, UNTOUCHED
from accounts.failures_trust import NOT_USED, STOPPED, UNDO_OR_RENEW
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
    "identity_disabled": FailureText(
        happened=_("The operator account of the kit is disabled in Google Cloud."),
        means=NOT_CONNECTED,
        act=_("Enable it in Google Cloud under IAM & Admin, Service Accounts. Then press Retry this step."),
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

# Once connected: accounts/failures_trust.py.
TRUST = {
    "lost_account_deleted": FailureText(
        happened=_("The Google Cloud project was deleted, or is marked for deletion."),
        means=_("Google Cloud ends what runs there. %(provider)s can no longer reach it."),
        act=_("For 30 days its owner can restore it: then press Check now. If it is to stay deleted, press Disconnect."),
    ),
    "lost_account_recreated": FailureText(
        happened=_("The project of this id now has number %(found)s. Number %(expected)s was verified: it was deleted and made anew."),
        means=_("What ran in the earlier project is gone with it, and so is its trust. The new one knows nothing of this portal."),
        act=_("Press Disconnect, then Reconnect with number %(found)s, and run the new kit there. The record stays."),
    ),
    "lost_api_disabled": FailureText(
        happened=_("An API that the kit had switched on is off in this project: %(service)s."),
        means=STOPPED,
        act=_("Run gcloud services enable %(service)s in the project, wait a few minutes, and press Check now."),
    ),
    "lost_denied_by_organisation": FailureText(
        happened=_("A policy of your Google Cloud organisation, or a deny policy, now denies what the kit needs."),
        means=STOPPED,
        act=_("Show the text below to whoever manages your Google Cloud organisation. When it is allowed, press Check now."),
    ),
    "lost_identity_disabled": FailureText(
        happened=_("The operator account of the kit was disabled in Google Cloud."),
        means=STOPPED,
        act=_(
            "Enable it in Google Cloud under IAM & Admin, Service Accounts. This portal notices by itself. "
            "To leave it so, press Disconnect."
        ),
    ),
    "lost_key_found": FailureText(
        happened=_("Somebody made a key for a service account of the kit: %(account)s."),
        means=_("What runs there keeps running. A key that does not end could let somebody else in, so nothing new is started there."),
        act=_("Delete the key under IAM & Admin, Service Accounts, Keys, find out who made it, then press Check now."),
    ),
    "lost_kit_not_finished": FailureText(
        happened=_("The kit's script was started again in this project and has not finished for hours."),
        means=STOPPED,
        act=_("Run the same command again in Cloud Shell: it goes on where it stopped. Then press Check now."),
    ),
    "lost_perimeter_denied": FailureText(
        happened=_("A service perimeter (VPC Service Controls) of your organisation refuses the portal's calls."),
        means=STOPPED,
        act=_(
            "Show the text below to whoever manages the perimeter: it needs an ingress rule for the kit's operator account. Then press "
            "Check now."
        ),
    ),
    "lost_permission_missing": FailureText(
        happened=_(
            "%(count)s permissions of the kit are gone, among them %(permissions)s. A role was edited, deleted or taken from its account, "
            "or the account was deleted."
        ),
        means=STOPPED,
        act=UNDO_OR_RENEW,
    ),
    "lost_policy_edited": FailureText(
        happened=_("A role of the kit was edited in Google Cloud, or one of its service accounts was given or lost a role."),
        means=NOT_USED,
        act=UNDO_OR_RENEW,
    ),
    # Google says no more than this to somebody who is not let in: not even whether the project is still the same.
    "lost_provider_deleted": FailureText(
        happened=_("The identity pool or the provider of the kit was deleted or disabled in Google Cloud, alone or with its project."),
        means=STOPPED,
        act=_(
            "If it was disabled, or the project deleted, undo that and press Check now. If the pool is gone, press Restore the trust and "
            "run the new kit. If the project was made anew, press Disconnect, then Reconnect with its new number."
        ),
    ),
    "lost_role_deleted": FailureText(
        happened=_("A service account or a role of the kit was deleted in Google Cloud."),
        means=STOPPED,
        act=_("For some days its owner can undelete it: then press Check now. Or press Restore the trust and run the new kit."),
    ),
    "lost_too_much_granted": FailureText(
        happened=_("Google Cloud allows what the kit promises never to do: %(permissions)s."),
        means=_("What runs there keeps running. More could be done than you have reviewed, so nothing new is started there."),
        act=_(
            "Take away what was given to the kit's service accounts from outside the kit: in the project, in a folder above it or in the "
            "organisation. Then press Check now."
        ),
    ),
    "lost_trust_policy_edited": FailureText(
        happened=_(
            "The trust in Google Cloud is not the one that the kit ships: the pool, its provider or who may use an account was edited."
        ),
        means=_("What runs there keeps running. A wider trust could let somebody else in, so nothing new is started there."),
        act=UNDO_OR_RENEW,
    ),
    "lost_trust_refused": FailureText(
        happened=_(
            "Google Cloud knows the identity pool of the kit, but no longer opens the operator account: it was deleted, or who may use it "
            "was edited."
        ),
        means=STOPPED,
        act=UNDO_OR_RENEW,
    ),
    "off_changes": FailureText(
        happened=_("You have switched off changes: the kit's own switch for them is set to “no”."),
        means=_(
            "This is no fault. What runs there keeps running, and %(provider)s changes nothing there until you switch changes on again."
        ),
        act=_("Run the kit's command again with --allow-changes yes. This portal notices by itself within minutes."),
    ),
}
