"""What of the fleet an offboarding counts, is blocked by and takes away: instances, deployment cells, and what bears the account's mark."""

from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal

from django.db.models import Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from accounts.closing.parts import harmless
from accounts.clouds.stacks import StackPart
from accounts.models import CloudAccount, Kit, TrustChange, User
from accounts.offboarding.parts import (
    ACCESS_ENDED,
    GONE,
    NOTHING_BUILT,
    Blocker,
    Cost,
    Counted,
    KeptBackup,
    Look,
    Obstruction,
    Part,
    Remnant,
    register,
)
from accounts.states import KitState, TrustVerdict
from accounts.targets import target_of
from cells import stacks
from cells.actions.cells import request_cell_deletion
from cells.models import AgentKey, Cell, CellResource, FinalBackup, Instance, InstanceRevision
from cells.models.instances import InstanceQuerySet
from cells.orders import stacks_of
from cells.states import LEAVING_INSTANCES, CellState
from cells.steps.inventory import find_row, take_stock_of_region
from portal.operations.availability import NotAllowed
from portal.operations.catalogue import failure_text
from portal.operations.durations import usual_durations
from portal.operations.engine import OperationInProgress
from portal.operations.models import Operation
from portal.operations.names import named
from portal.operations.states import OperationState, Party
from portal.operations.transitions import LostRace

MOST_OBSTRUCTIONS = 100
BEFORE_LEAVING = "As the stack said before the offboarding began. Nobody could look since."


# --- Instances: the customer deletes them, or has them deleted, before anything begins --------------------------------


def instances_of(account: CloudAccount) -> InstanceQuerySet:
    """All that hold the account: in its cells, or on their way there. What an agent could not remove goes with its cell."""
    return Instance.objects.filter(Q(account=account) | Q(cell__account=account)).holding_their_cell()


def _count_instances(account: CloudAccount) -> list[Counted]:
    rows = list(instances_of(account).values_list("state", "endpoints", "plan__has_backups"))
    url = _instances_url(account)
    with_backups = sum(backups for _state, _endpoints, backups in rows)
    return [
        Counted(_("Instances"), len(rows), url),
        Counted(_("Endpoints of instances"), sum(len(endpoints) for _state, endpoints, _backups in rows), url),
        Counted(
            _("Instances of plans with backups"),
            with_backups,
            url,
            note=_("you choose whether a final backup is taken before they are deleted") if with_backups else "",
        ),
    ]


def _final_backups(account: CloudAccount) -> list[KeptBackup]:
    """Of the customer's own instances. They lie in the customer's cloud, and stay there."""
    own = FinalBackup.objects.taken().filter(instance__account=account, instance__organisation=account.organisation)
    return [
        KeptBackup(one.instance.region, one.instance.name, one.location, one.bytes, one.sha256, one.taken_at)
        for one in own.select_related("instance")
        if one.bytes is not None and one.taken_at is not None
    ]


def _instances_url(account: CloudAccount) -> str:
    return f"{reverse('cells:instance_list', args=[account.organisation.slug])}?account={account.pk}"


def _block_instances(account: CloudAccount) -> list[Blocker]:
    rows = instances_of(account)
    leaving = rows.filter(state__in=sorted(LEAVING_INSTANCES)).count()
    protected = list(rows.filter(is_protected=True).select_related("organisation").order_by("name"))
    live = rows.exclude(state__in=sorted(LEAVING_INSTANCES)).count()
    url = reverse("cells:account_instances_delete", args=[account.organisation.slug, account.pk])
    found = []
    if live:
        found.append(Blocker(_("Live instances in this account: %(count)s.") % {"count": live}, _("Delete all instances"), url))
    if leaving:
        sentence = _("Instances that are being deleted: %(count)s. Wait until they are gone.") % {"count": leaving}
        found.append(Blocker(sentence, _("See the instances"), _instances_url(account)))
    for instance in protected:
        sentence = _("%(name)s is protected from deletion.") % {"name": instance}
        if instance.organisation_id == account.organisation_id:
            found.append(Blocker(sentence, _("Switch its protection off"), instance.get_absolute_url()))
    return found


def _instance_costs(account: CloudAccount) -> list[Cost]:
    """Each currency by itself, of what runs now; the ranges are those of the plans."""
    sums: dict[str, tuple[Decimal, Decimal]] = {}
    for instance in instances_of(account):
        size = InstanceRevision.objects.select_related("size").get(instance=instance, number=instance.revision).size
        low, high = sums.get(size.currency, (Decimal(0), Decimal(0)))
        sums[size.currency] = (low + size.cost_from, high + size.cost_to)
    words = _("%(low)s–%(high)s %(currency)s a month")
    return [
        Cost(_("Instances, in your cloud"), words % {"low": f"{low:.0f}", "high": f"{high:.0f}", "currency": currency})
        for currency, (low, high) in sorted(sums.items())
    ]


def _instance_configuration(account: CloudAccount) -> list[dict[str, object]]:
    """As it is asked for now. What is named or shaped like a secret stays here."""
    told = []
    for instance in instances_of(account).select_related("plan"):
        revision = InstanceRevision.objects.select_related("release", "size").get(instance=instance, number=instance.revision)
        told.append(
            {
                "id": str(instance.pk),
                "name": instance.name,
                "plan": instance.plan.code,
                "version": revision.release.version,
                "size": revision.size.code,
                "region": instance.region,
                "parameters": harmless(revision.parameters),
                "endpoints": instance.endpoints,
            }
        )
    return told


# --- Deployment cells: each is taken away by an operation of its own --------------------------------------------------


def cells_of(account: CloudAccount) -> list[Cell]:
    return list(Cell.objects.alive().filter(account=account).select_related("account", "organisation").order_by("region", "pk"))


def _count_cells(account: CloudAccount) -> list[Counted]:
    cells = cells_of(account)
    url = f"{reverse('cells:cell_list', args=[account.organisation.slug])}?account={account.pk}"
    made = sum(bool(part.get("made")) and part.get("state") != "deleted" for cell in cells for part in cell.parts)
    regions = ", ".join(cell.region for cell in cells)
    return [Counted(_("Deployment cells"), len(cells), url, regions), Counted(_("Resources in your cloud"), made, url)]


def _block_cells(account: CloudAccount) -> list[Blocker]:
    """A hosting account holds what is other customers', too."""
    if not hasattr(account, "hosts") or not account.hosts.is_open:
        return []
    sentence = _("This account hosts instances for customers, and is open for new ones.")
    return [Blocker(sentence, _("Close it in the administration"), reverse("cells:cell_list", args=[account.organisation.slug]))]


def _cell_costs(account: CloudAccount) -> list[Cost]:
    amount = _("cluster, %(machines)s machines, disks and network, at your cloud's prices")
    return [Cost(cell.name, amount % {"machines": cell.machines}) for cell in cells_of(account)]


def _usual_deletion(account: CloudAccount) -> tuple[float, float] | None:
    """Cells go side by side: as long as one of them."""
    known = usual_durations("delete_cell")
    return (sum(one.low for one in known.values()), sum(one.high for one in known.values())) if known else None


def _cell_configuration(account: CloudAccount) -> list[dict[str, object]]:
    columns = ("id", "name", "region", "machine_size", "machines", "cidr", "stack_name", "stack_version")
    return [{name: str(value) for name, value in row.items()} for row in Cell.objects.alive().filter(account=account).values(*columns)]


def _request_cells(account: CloudAccount, by: User) -> None:
    """Each cell once. One whose deletion has failed is left to whoever decides about what remains of it."""
    for cell in cells_of(account):
        if cell.state == CellState.DELETING or _has_failed_here(cell):
            continue
        try:
            request_cell_deletion(cell, by=by)
        except (NotAllowed, LostRace, OperationInProgress):
            continue  # the next look finds it as it is then


def _has_failed_here(cell: Cell) -> bool:
    """Its deletion failed since the account began to leave. One that had failed or was ended before that is asked for once more,
    and so is one that had begun before the trust came back: it may have failed for want of that alone."""
    newest = _deletion(cell)
    failed_deleting = cell.state == CellState.FAILED and cell.failed_while == CellState.DELETING
    if not failed_deleting or newest is None or newest.state != OperationState.FAILED or newest.ended_at is None:
        return False
    changes = cell.account.trust_changes.filter(kind=TrustChange.Kind.TRUST, now=TrustVerdict.HOLDS)
    restored_at = changes.values_list("at", flat=True).first()
    is_since = restored_at is None or newest.created_at >= restored_at
    return is_since and newest.ended_at >= cell.account.state_at


def _deletion(cell: Cell) -> Operation | None:
    deletions = Operation.objects.for_subject("cell", cell.pk).filter(kind="delete_cell").select_related("organisation")
    return deletions.newest_first().first()


def _look_at_cells(account: CloudAccount) -> Look:
    cells = cells_of(account)
    if stuck := [one for cell in cells if _has_failed_here(cell) for one in _obstructions(cell)]:
        count = sum(_has_failed_here(cell) for cell in cells)
        return Look(False, Party.YOU, params={"count": str(count)}, obstructions=stuck[:MOST_OBSTRUCTIONS], code="offboarding_cell_stuck")
    if cells:
        return Look(False, params={"what": ", ".join(cell.name for cell in cells)})
    if AgentKey.objects.valid().filter(cell__account=account).exists():
        return Look(False, Party.PROVIDER, params={"what": _("the access of agents")})
    return GONE


def _obstructions(cell: Cell) -> Iterator[Obstruction]:
    """The cell, with the words of what failed; then each resource that remains, with what holds it."""
    operation = _deletion(cell)
    assert operation is not None
    why = str(failure_text(operation.failure_code, named(operation, operation.failure_params)).happened)
    slug = cell.organisation.slug
    keep = reverse("cells:cell_keep", args=[slug, cell.pk])
    page, act = operation.get_absolute_url(), _("Open the deletion and retry it")
    yield Obstruction(cell.name, why, cell.region, cell.stack_name, url=page, act=act, keep_url=keep)
    for row in cell.resources.remaining():
        why = _("Held by %(holder)s") % {"holder": row.held_by} if row.held_by else row.evidence or _("Still there")
        yield Obstruction(f"{row.name} ({row.kind})", why, row.region, row.made, row.link, keep_url=f"{keep}?resource={row.pk}")


# --- What bears the account's mark, in every region that was ever used ------------------------------------------------


def regions_of(account: CloudAccount) -> list[str]:
    """Every region that a cell was ever placed in, a resource was ever seen in, or a kit was run for."""
    used = set(Cell.objects.filter(account=account).values_list("region", flat=True))
    used |= set(CellResource.objects.filter(account=account).values_list("region", flat=True))
    used |= {*account.kits.regions(), account.home_region}
    return sorted(used - {""})


def _sweep(account: CloudAccount) -> Look:
    """Asks the cloud, region by region. Where no cell ever was, or our access has ended already, what is known to be left counts alone."""
    kit, regions = account.kits.filter(state=KitState.CURRENT).first(), regions_of(account)
    is_built = Cell.objects.filter(account=account).exclude(stack_name="").exists()
    if kit is None or not is_built:
        remaining = list(CellResource.objects.remaining().filter(account=account))
    else:
        remaining = [row for region in regions for row in _sweep_region(account, kit, region)]
    swept = dict.fromkeys(regions, NOTHING_BUILT if not is_built else ACCESS_ENDED if kit is None else "")
    if not remaining:
        return replace(GONE, swept=swept)
    keep = reverse("cells:account_leftovers_keep", args=[account.organisation.slug, account.pk])
    listed = [
        Obstruction(f"{row.name} ({row.kind})", row.evidence or _("Found by its mark"), row.region, row.made, row.link, keep_url=keep)
        for row in remaining[:MOST_OBSTRUCTIONS]
    ]
    return Look(False, Party.YOU, params={"count": str(len(remaining))}, obstructions=listed, code="offboarding_leftovers", swept=swept)


def _sweep_region(account: CloudAccount, kit: Kit, region: str) -> list[CellResource]:
    tags = stacks.load(account.cloud).tags(target_of(account, kit, was_trusted=True))
    return take_stock_of_region(account, region, stacks_of(account).find_leftovers(region, tags))


def _remainder(account: CloudAccount) -> list[Remnant]:
    """In each region what was made last comes first: what hangs on something stands before it, so it can be deleted in this order."""
    made_at = {part.get("made"): place for cell in Cell.objects.filter(account=account) for place, part in enumerate(cell.parts)}
    found = CellResource.objects.filter(account=account).select_related("kept_by")
    # What no document names was made by a part of the cell itself, after all of them.
    rows = sorted(found, key=lambda row: (row.region, -made_at.get(row.made, len(made_at))))
    unlooked = list(_not_looked_at(account))
    return unlooked + [
        Remnant(
            row.region,
            row.kind,
            row.name,
            row.made,
            str(row.outcome),
            row.link,
            row.outcome_at or row.found_at,
            row.evidence,
            row.kept_by.email if row.kept_by and row.outcome == "kept" else "",
            row.kept_why if row.outcome == "kept" else "",
        )
        for row in rows
    ]


def _not_looked_at(account: CloudAccount) -> Iterator[Remnant]:
    """What is known of cells whose deletion has not looked yet, and cannot where the kit was removed too early: it stands, and costs."""
    for cell in cells_of(account):
        rows = list(cell.resources.all())
        for part in reversed([StackPart(**one) for one in cell.parts]):
            if part.made and part.state != "deleted" and find_row(rows, part) is None:
                yield Remnant(cell.region, part.kind, part.name, part.made, "found", part.link, cell.drift_at, BEFORE_LEAVING)


register(
    Part(
        name="instances",
        order=10,
        title=gettext_lazy("Instances"),
        count=_count_instances,
        blockers=_block_instances,
        costs=_instance_costs,
        backups=_final_backups,
        configuration=_instance_configuration,
    )
)
register(
    Part(
        name="cells",
        order=20,
        title=gettext_lazy("Deployment cells"),
        count=_count_cells,
        blockers=_block_cells,
        costs=_cell_costs,
        usual=_usual_deletion,
        configuration=_cell_configuration,
        request_removal=_request_cells,
        look=_look_at_cells,
        needs_trust=lambda account: bool(cells_of(account)),
    )
)
register(
    Part(
        name="resources",
        order=90,
        title=gettext_lazy("What bears the account's mark"),
        look=_sweep,
        remainder=_remainder,
        regions=regions_of,
        asks_cloud=True,
    )
)
