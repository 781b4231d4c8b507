"""How the Google Cloud kit is told on the pages: the questions of the Account step, the ways to run it, what may be amiss."""

import re

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.kits.base import Act, IdentityField, Route, Words, WrongAnswer

LONGEST_NUMBER = 19

WORDS = Words(
    cloud="Google Cloud",
    account=gettext_lazy("Google Cloud project"),
    choice=gettext_lazy("Google Cloud project"),
    intro=gettext_lazy(
        "You run one short script in your Google Cloud project. It lets %(provider)s in with short-lived tokens. "
        "No key or password is handed over, now or later. Give it a project of its own, in which nothing else runs."
    ),
    time=gettext_lazy("5 to 10 minutes. The script takes 1 to 2 of them."),
    rights=gettext_lazy("The role Owner on the project, or the exact rights under “This kit”."),
    identity_command_label=gettext_lazy("This prints the id and the number of the project that gcloud is set to"),
    place_label=gettext_lazy("Home region of the project"),
    place_help=gettext_lazy(
        "The kit itself belongs to no region, and cells may stand in any. Infrastructure Manager, which builds them, keeps their plans "
        "here. Cannot be changed once the account is connected."
    ),
    run_title=gettext_lazy("Run the kit in Cloud Shell"),
    made_label=gettext_lazy("Identity pool"),
    remove=gettext_lazy(
        "If the kit has been run, remove what it made with these lines in Cloud Shell. Google Cloud keeps the names for 30 days; a new "
        "kit has new names."
    ),
    removal_link_label=gettext_lazy("Open Cloud Shell (opens in a new tab)"),
    after_removal=gettext_lazy(
        "Google Cloud keeps the names of a deleted identity pool, of its accounts and roles for 30 days. That costs nothing and "
        "lets nobody in. You can connect the same project again at once: a new connection has names of its own. Google's Infrastructure "
        "Manager may have left a bucket of its own, whose name ends in -blueprint-config: delete it if no deployment of yours uses it."
    ),
    report_label=gettext_lazy("Identity pool, as the script prints it"),
    report_help=gettext_lazy("The line before “Done”. It starts with projects/ and ends with the pool's name."),
    report_error=gettext_lazy(
        "Paste the pool's whole resource name: projects/, the number, locations/global/workloadIdentityPools/, the pool."
    ),
    connected=gettext_lazy(
        "Google Cloud project %(number)s trusts %(provider)s. Every permission was proven, and every wrong sign-in was refused."
    ),
    doubts=(
        gettext_lazy("The script must have ended with the word “Done”. If it stopped, run the same command again: it goes on from there."),
        gettext_lazy("It must have been run for project %(number)s, by somebody with rights in it."),
        gettext_lazy("Google Cloud may need up to seven minutes until a new identity is known everywhere."),
        gettext_lazy("The identity pool that the kit made must still be there: IAM & Admin, Workload Identity Federation."),
    ),
    policy_title=gettext_lazy("%(name)s: the roles as gcloud reads them"),
    promise_note=gettext_lazy(
        "How firm this is: on Google Cloud a rule that denies for ever needs rights in the whole organisation, so the kit makes none. What "
        "holds instead is that none of the kit's roles has these rights. The operator alone can give roles, and only the three of support, "
        "which only let read. Google Cloud holds it to these three, but not to whom it gives them: the next check finds whoever else has "
        "one, and an access without a near end. It also finds any other role that somebody gives one of the kit's accounts on the project. "
        "A role on a folder or the organisation above counts here too. There the portal asks Google Cloud at every check whether the "
        "operator may do any of this; it cannot ask that for the builder, the agent and support. A plan of a cell is built with the "
        "builder's rights. Three things cannot be narrowed to a cell: networks, states of Infrastructure Manager, and the identity pool "
        "that all clusters of one project share. In a project of its own, there is nothing else for them to reach."
    ),
)


def clean_project_id(text: str) -> str:
    """A project id as Google writes it. Raises ValueError."""
    found = text.strip().strip("'\"").removeprefix("projects/").lower()
    if re.fullmatch(r"[0-9]+", found):
        raise WrongAnswer(_("This looks like the project number. Enter the project id here: it starts with a letter."))
    if not re.fullmatch(r"[a-z][a-z0-9-]{4,28}[a-z0-9]", found):
        raise ValueError("a project id has 6 to 30 lower-case letters, digits and dashes, and starts with a letter")
    return found


def clean_project_number(text: str) -> str:
    """The digits of a pasted project number. Raises ValueError."""
    digits = re.sub(r"[\s\u00a0]", "", text).removeprefix("projects/")
    if re.fullmatch(r"[0-9]+", digits) and len(digits) > LONGEST_NUMBER:
        counts = {"count": len(digits), "most": LONGEST_NUMBER}
        raise WrongAnswer(_("A project number has at most %(most)s digits. You entered %(count)s.") % counts)
    if not re.fullmatch(r"[1-9][0-9]{5,18}", digits):
        raise ValueError("a project number has 6 to 19 digits")
    return digits


IDENTITY_FIELDS = (
    IdentityField(
        name="external_id",
        label=gettext_lazy("Project id"),
        help=gettext_lazy(
            "Name a project of its own, in which nothing else runs: Google Cloud cannot hold the rights that build a cell to single "
            "networks. 6 to 30 lower-case letters, digits and dashes, not the project's name. "
            "Cannot be changed once the account is connected."
        ),
        error=gettext_lazy("Enter the project id: 6 to 30 lower-case letters, digits and dashes. You find it in the console, top left."),
        clean=clean_project_id,
    ),
    IdentityField(
        name="project_number",
        label=gettext_lazy("Project number"),
        help=gettext_lazy(
            "Digits only. It tells this project from a later one of the same id. Cannot be changed once the account is connected."
        ),
        error=gettext_lazy("Enter the project number: digits only. You find it in the console, on the project's dashboard."),
        clean=clean_project_number,
        is_numeric=True,
    ),
)


def other_number(*, told: str, given: str, project: str) -> str:
    """Two numbers for one project: which is whose."""
    return _(
        "This names project number %(told)s. You entered %(given)s as the number of project %(project)s. If %(told)s is right, stop "
        "connecting and correct the project number; if not, paste what the script printed for this project."
    ) % {"told": told, "given": given, "project": project}


def shell_route(*, link: str, command: str, project: str) -> Route:
    acts = (
        Act(
            _("Open Cloud Shell, signed in as somebody with rights in project %(project)s.") % {"project": project},
            link=link,
            link_label=_("Open Cloud Shell (opens in a new tab)"),
        ),
        Act(
            _("Paste this. It fetches the script, compares it with the SHA-256 under “This kit”, and runs it only if they agree."),
            command=command,
            command_label=_("Command to run"),
        ),
        Act(_("If it stops half-way, run the same command again. When it says “Done”, come back here.")),
    )
    return Route("shell", _("Cloud Shell"), acts, intro=_("Any other shell where gcloud is signed in does as well."))


def terraform_route(*, fetch: str, sha256: str, snippet: str) -> Route:
    compare = _("Fetch the module where your configuration is. It is unpacked only if the SHA-256 of terraform.zip is %(sha256)s.")
    acts = (
        Act(compare % {"sha256": sha256}, command=fetch, command_label=_("Command to fetch and compare")),
        Act(_("Then call the unpacked module."), command=snippet, command_label=_("Terraform configuration")),
    )
    return Route("terraform", _("Terraform"), acts, intro=_("The same trust as a Terraform module, if that is how you keep your cloud."))
