"""How the AWS kit is told on the pages: the questions of the Account step, the ways to run it, what may be amiss."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.kits.base import Act, IdentityField, Publication, Route, Words, WrongAnswer

DIGITS = 12  # of an AWS account number

WORDS = Words(
    cloud="AWS",
    account=gettext_lazy("AWS account"),
    choice=gettext_lazy("AWS account"),
    intro=gettext_lazy(
        "You run one small template in your AWS account. It lets %(provider)s in with short-lived tokens. "
        "No key or password is handed over, now or later."
    ),
    time=gettext_lazy("5 to 10 minutes. AWS needs 2 to 4 of them."),
    rights=gettext_lazy("AdministratorAccess in the AWS account."),
    identity_command_label=gettext_lazy("This prints the AWS account number you are signed in to"),
    place_label=gettext_lazy("Region for the kit"),
    place_help=gettext_lazy(
        "The kit's stack is kept here. What it makes works in every region, so cells may stand elsewhere. "
        "Cannot be changed once the account is connected."
    ),
    run_title=gettext_lazy("Run the kit in AWS"),
    made_label=gettext_lazy("Stack name"),
    remove=gettext_lazy("If the kit has been run, delete its stack in AWS:"),
    removal_link_label=gettext_lazy("Open the stack in AWS (opens in a new tab)"),
    report_label=gettext_lazy("Stack ID"),
    report_help=gettext_lazy("In the AWS console: CloudFormation, your stack, Stack info. It starts with arn:aws:cloudformation."),
    report_error=gettext_lazy("Paste the whole stack ID: it starts with arn:aws:cloudformation."),
    connected=gettext_lazy("AWS account %(number)s trusts %(provider)s. Every permission was proven, and every wrong sign-in was refused."),
    doubts=(
        gettext_lazy("The stack must be in account %(number)s."),
        gettext_lazy("The stack must be in region %(region)s."),
        gettext_lazy("The identity provider that the kit made must still be there: IAM, Identity providers."),
        gettext_lazy("Its status in AWS must be CREATE_COMPLETE. If it says ROLLBACK, its Events tab names the cause."),
    ),
    policy_title=gettext_lazy("%(name)s: the policy as JSON"),
)


def clean_account_id(text: str) -> str:
    """The 12 digits in a pasted account number; spaces and dashes are fine. Raises ValueError."""
    digits = re.sub(r"[\s\u00a0\u2010-\u2015-]", "", text)
    if re.fullmatch(r"[0-9]+", digits) and len(digits) != DIGITS:
        raise WrongAnswer(_("An AWS account number has 12 digits. You entered %(count)s.") % {"count": len(digits)})
    if not re.fullmatch(r"[0-9]{12}", digits) or not digits.strip("0"):
        raise ValueError("an AWS account number has 12 digits, not all of them zero")
    return digits


IDENTITY_FIELDS = (
    IdentityField(
        name="external_id",
        label=gettext_lazy("AWS account number"),
        help=gettext_lazy("12 digits. Spaces and dashes are fine. Cannot be changed once the account is connected."),
        error=gettext_lazy("Enter the 12 digits of the AWS account number. You find them in the AWS console, top right."),
        clean=clean_account_id,
        is_numeric=True,
    ),
)


def launch_route(*, number: str, launch_url: str) -> Route:
    return Route(
        "launch",
        _("Launch stack"),
        (
            Act(_("Sign in to AWS account %(number)s.") % {"number": number}),
            Act(_("Open the prefilled stack."), link=launch_url, link_label=_("Launch stack in AWS (opens in a new tab)")),
            Act(_("Tick the box that allows named IAM resources, then press Create stack.")),
            Act(_("Come back here. AWS needs 2 to 4 minutes.")),
        ),
    )


def cli_route(*, number: str, command: str, check: str) -> Route:
    signed_in = _("Run this where the AWS CLI is signed in to account %(number)s.") % {"number": number}
    compare = _("The SHA-256 of the template is under “This kit”. This compares the file with it and must end in OK.")
    acts = (
        Act(signed_in, command=command, command_label=_("Command to run")),
        Act(compare, command=check, command_label=_("Command to compare")),
    )
    return Route("cli", _("CLI"), acts)


def terraform_route(*, snippet: str, check: str, sha256: str, publication: Publication) -> Route:
    acts = [Act("", command=snippet, command_label=_("Terraform configuration"))]
    if publication.is_published:
        compare = _("The SHA-256 of terraform.zip is %(sha256)s. This compares the file with it and must end in OK.")
        acts.append(Act(compare % {"sha256": sha256}, command=check, command_label=_("Command to compare")))
    return Route(
        "terraform", _("Terraform"), tuple(acts), intro=_("The same trust as a Terraform module, if that is how you keep your cloud.")
    )
