"""Acts that the agent of a cell does: their words, the least profile for each, and what can be chosen of the very fleet."""

from uuid import UUID

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from accounts.support.models import AccessRequest
from accounts.support.models.sessions import Via
from accounts.support.rules.acts import ActKind, Argument, register, register_act_failures, register_arguments
from accounts.support.states import Profile
from cells.models import Instance, PlanSize

SCOPES = frozenset({"cell", "instance"})
# A cell holds fewer; a list that nobody can read helps nobody.
MOST_CHOICES = 200


def instances_of(request: AccessRequest) -> QuerySet[Instance]:
    """Those that a grant is about: one, or all that are deployed in its cell."""
    deployed = Instance.objects.deployed().filter(organisation=request.organisation_id, account=request.account_id)
    if request.scope_kind == "instance":
        return deployed.filter(pk=UUID(request.scope_id))
    return deployed.filter(cell=UUID(request.scope_id))


def _which(request: AccessRequest) -> tuple[Argument, ...] | None:
    """Nothing to choose for a grant on one instance; None where there is none at all."""
    names = tuple(instances_of(request).order_by("name").values_list("name", flat=True)[:MOST_CHOICES])
    if not names:
        return None
    return () if request.scope_kind == "instance" else (Argument("instance", choices=names),)


def _size(request: AccessRequest) -> tuple[Argument, ...] | None:
    which = _which(request)
    sizes = PlanSize.objects.filter(plan__in=instances_of(request).values("plan")).order_by("position", "cpu")
    names = tuple(dict.fromkeys(sizes.values_list("name", flat=True)))
    return None if which is None or not names else (*which, Argument("size", choices=names))


def _lines(request: AccessRequest) -> tuple[Argument, ...] | None:
    which = _which(request)
    return None if which is None else (*which, Argument("lines", least=1, most=500, default="200"))


def _register() -> None:
    for name, words, explained, profile, fit, is_writing in (
        (
            "rollout_status",
            _("Show the rollout of an instance"),
            _("How many processes of the instance run, in which version, and what they wait for, as its cluster says."),
            Profile.DIAGNOSE,
            _which,
            False,
        ),
        (
            "list_instance_events",
            _("List events of an instance"),
            _("What its cluster has written down lately about the processes of the instance."),
            Profile.DIAGNOSE,
            _which,
            False,
        ),
        (
            "tail_log",
            _("Read log lines of an instance"),
            _("The newest lines that its processes have written. The agent removes known kinds of secrets before they leave the cell."),
            Profile.LOGS,
            _lines,
            False,
        ),
        (
            "restart",
            _("Restart an instance"),
            _("Its processes are started anew. It is not reachable for a short time."),
            Profile.OPERATE,
            _which,
            True,
        ),
        (
            "scale",
            _("Scale an instance"),
            _("Gives it another size of its plan. The new size costs what the plan says, and stays after the access has ended."),
            Profile.OPERATE,
            _size,
            True,
        ),
        (
            "rollback",
            _("Roll back an instance"),
            _("Back to the version, size and settings of the revision before. Its history keeps both."),
            Profile.REPAIR,
            _which,
            True,
        ),
        (
            "resync",
            _("Resync an instance"),
            _("Installs once more what is wanted anyway, in case somebody has changed the cluster by hand."),
            Profile.REPAIR,
            _which,
            True,
        ),
    ):
        register(ActKind(name, words, explained, profile, Via.AGENT, scopes=SCOPES, is_writing=is_writing, fit=fit))


_register()
register_arguments({"instance": _("Instance"), "size": _("Size of its plan")})
register_act_failures(
    {
        "agent_offline": _("The agent of the cell did not fetch the order in time. Nothing was done."),
        "agent_silent": _(
            "The agent fetched the order and did not answer in time. What it may have changed is taken back when it is there again."
        ),
        "agent_interrupted": _("The agent was stopped while it worked on the order. What it had changed is taken back."),
        "agent_replaced": _("The cell has got another agent meanwhile. What the one before had changed is taken back."),
        "agent_busy": _("The agent was at work on something else until the end of the order. Nothing was done."),
        "order_expired": _("The time of the order was over before it was done. What it had changed is taken back."),
        "unknown_order": _("The agent of this cell is too old for this. Nothing was done."),
        "malformed_order": _("The agent did not accept the form of the order. Nothing was done."),
        "unknown_instance": _("The agent does not know the instance yet. Nothing was done."),
        "changed_meanwhile": _("Somebody has changed the instance meanwhile. Their change counts, this one does not."),
        "cluster_unreachable": _("The cluster did not answer the agent."),
        "cluster_slow": _("The cluster took too long to answer the agent. What was changed is taken back."),
        "answer_unreadable": _("The agent could not read what the cluster answered."),
        "program_missing": _("A program that the agent needs is not installed on its machine."),
        "not_running_here": _("Nothing of the instance is in the cluster."),
        "not_permitted": _("The cluster does not allow the agent to do that. A newer kit may give it the right."),
        "apply_failed": _("The cluster refused the change. It is taken back."),
        "values_refused": _("The version refused its settings. The change is taken back."),
        "chart_not_found": _("The package of the version could not be found. Nothing was changed."),
        "chart_digest_mismatch": _("The package of the version is not the one that was released. Nothing was changed."),
        "chart_not_allowed": _("The agent takes no packages from that place. Nothing was changed."),
        "quota_exceeded": _("The cluster has no room for the change. It is taken back."),
        "gate_closed": _("The grant did not allow it any more when the agent came for it. Nothing was done."),
    }
)
