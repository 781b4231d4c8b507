"""What a person asks of an instance: create, change, upgrade, stop, start, restart, delete, protect.

Each writes the wish, the state, the operation and one event in one transaction; the agent and the workers follow.
"""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from accounts.availability import why_not_as_staff
from accounts.holds import hold_open
from accounts.models import CloudAccount, Organisation, User
from cells import hosting
from cells.availability import Act, why_no_backup, why_no_place, why_not, why_not_protect
from cells.models import Cell, FinalBackup, Instance, InstanceDraft, InstanceRevision, Plan, PlanSize, Release
from cells.models.instances import InstanceQuerySet
from cells.placement import Bootstrap, NoPlace, Placement
from cells.states import BEFORE_THEIR_CELL, LEAVING_INSTANCES, InstanceState
from cells.support.changes import next_number
from cells.transitions import move_instance, subject_of_cell, subject_of_instance, touch_desired
from portal.audit import Actor, record
from portal.operations.actions import cancel_live
from portal.operations.availability import NotAllowed, refuse_if
from portal.operations.engine import start
from portal.operations.models import Operation


@dataclass(frozen=True)
class Wish:
    """What an instance shall be. `parameters` fit the plan's schema: the form has seen to it."""

    plan: Plan
    release: Release
    size: PlanSize
    parameters: Mapping[str, Any]
    cloud: str
    region: str
    account: CloudAccount | None = None


def start_draft(organisation: Organisation, *, plan: Plan, account: CloudAccount | None, by: User) -> InstanceDraft:
    """What is asked for on the pages of a new instance. Raises NotAllowed in an organisation that has closed."""
    with transaction.atomic():
        hold_open(organisation.pk)
        return InstanceDraft.objects.create(organisation=organisation, plan=plan, account=account, created_by=by)


def find_place(wish: Wish, organisation: Organisation) -> Placement:
    """Where this wish would go now. The page shows it; the act looks again under a lock."""
    return hosting.find_place(wish.plan, organisation=organisation, cloud=wish.cloud, region=wish.region, account=wish.account)


def create_instance(
    organisation: Organisation, *, name: str, wish: Wish, by: User, is_protected: bool = False, idempotency_key: str = ""
) -> Instance:
    """The instance, and the cell it needs where there is none yet. Raises NotAllowed.

    The same `idempotency_key` gives the instance that is already there.
    """
    with transaction.atomic():
        hold_open(organisation.pk)
        hosting.lock_places(wish.plan, wish.account, cloud=wish.cloud)
        # Only while the organisation is held: of two such requests, for one place or for two, the second one waits there for the first.
        if idempotency_key and (again := _made_before(organisation, idempotency_key)):
            return again
        placement = find_place(wish, organisation)
        if isinstance(placement, NoPlace):
            raise NotAllowed(why_no_place(placement.why, wish.account))
        cell = _bootstrap(placement, wish, by=by) if isinstance(placement, Bootstrap) else Cell.objects.get(pk=placement.cell)
        instance = _write(organisation, name=name, wish=wish, cell=cell, by=by, is_protected=is_protected)
        _start(instance, "create_instance", by=by, idempotency_key=idempotency_key)
        details = {"plan": wish.plan.name, "region": wish.region, "size": wish.size.name, "version": wish.release.version}
        if isinstance(placement, Bootstrap) and wish.account:
            details["new_cell"] = cell.name
        _record(instance, "instance.created", by, details)
        return instance


def _made_before(organisation: Organisation, key: str) -> Instance | None:
    operation = Operation.objects.filter(organisation=organisation, idempotency_key=key, kind="create_instance").first()
    return organisation.instances.get(pk=operation.subject_id) if operation else None


def _bootstrap(placement: Bootstrap, wish: Wish, *, by: User) -> Cell:
    """A new cell, planned, with its operation. The account's row is locked: of two at once the second one finds this cell."""
    account = CloudAccount.objects.select_related("organisation").get(pk=placement.account)
    cell = Cell.objects.create(
        account=account,
        organisation=account.organisation,
        region=placement.region,
        name=_("%(account)s in %(region)s") % {"account": account, "region": placement.region},
    )
    start(
        kind="bootstrap_cell",
        subject=subject_of_cell(cell),
        organisation_id=account.organisation_id,
        by=by if wish.account else None,  # a cell that the provider hosts is not asked for by a customer
        data={"cell": str(cell.pk), "cloud": account.cloud, "region": cell.region},
        # One act, one event: that of the instance names the cell. Where the provider hosts, the provider's own log tells of it.
        is_recorded=wish.account is None,
    )
    return cell


def _write(organisation: Organisation, *, name: str, wish: Wish, cell: Cell, by: User, is_protected: bool) -> Instance:
    try:
        with transaction.atomic():
            instance = Instance.objects.create(
                organisation=organisation,
                plan=wish.plan,
                name=name,
                account=wish.account,
                cloud=wish.cloud,
                region=wish.region,
                cell=cell,
                is_protected=is_protected,
                created_by=by,
            )
    except IntegrityError as error:
        if "instance_name_once_per_organisation" not in str(error):
            raise
        raise NotAllowed(_("Another instance of your organisation has this name.")) from error
    InstanceRevision.objects.create(
        instance=instance, number=1, release=wish.release, size=wish.size, parameters=dict(wish.parameters), reason="created", by=by
    )
    return instance


# --- Changes of one that is there ------------------------------------------------------------------------------------


def modify_instance(instance: Instance, *, size: PlanSize, parameters: Mapping[str, Any], by: User) -> Operation:
    """Another size or other parameters. Raises NotAllowed."""
    return _change(instance, Act.MODIFY, "modified", by=by, size=size, parameters=dict(parameters))


def upgrade_instance(instance: Instance, *, release: Release, by: User) -> Operation:
    """Another release of the same plan; an earlier one is said to be one. Raises NotAllowed."""
    return _change(instance, Act.UPGRADE, "upgraded", by=by, release=release)


def stop_instance(instance: Instance, *, by: User) -> Operation:
    return _change(instance, Act.STOP, "stopped", by=by, is_running=False)


def start_instance(instance: Instance, *, by: User) -> Operation:
    return _change(instance, Act.START, "started", by=by, is_running=True)


def restart_instance(instance: Instance, *, by: User) -> Operation:
    return _change(instance, Act.RESTART, "restarted", by=by)


_DOING = {
    Act.MODIFY: InstanceState.UPDATING,
    Act.UPGRADE: InstanceState.UPDATING,
    Act.STOP: InstanceState.STOPPING,
    Act.START: InstanceState.STARTING,
    Act.RESTART: InstanceState.STARTING,
    Act.DELETE: InstanceState.DELETING,
}


def _change(instance: Instance, act: Act, reason: str, *, by: User, **wishes: Any) -> Operation:
    """The next revision, the state, the operation, the event. Raises NotAllowed, LostRace."""
    with transaction.atomic():
        instance = _locked(instance)
        refuse_if(why_not(act, instance))
        before = instance.revisions.select_related("release").get(number=instance.revision)
        kind = f"{act.value}_instance"
        if act == Act.UPGRADE and wishes["release"].is_earlier_than(before.release):
            reason, kind = "downgraded", "downgrade_instance"
        after = _next_revision(before, reason, by, wishes)
        Instance.objects.filter(pk=instance.pk).update(revision=after.number)
        instance.revision = after.number
        move_instance(instance, _DOING[act], by=Actor.user(by), is_recorded=False)
        if instance.cell_id:
            touch_desired(instance.cell_id)
        operation = _start(instance, kind, by=by)
        _record(instance, f"instance.{reason}", by, {"revision": after.number, **after.changes_since(before)})
        return operation


def _next_revision(before: InstanceRevision, reason: str, by: User, wishes: Mapping[str, Any]) -> InstanceRevision:
    values = {name: getattr(before, name) for name in ("release", "size", "parameters", "is_running", "restarts")} | dict(wishes)
    values["restarts"] += reason == "restarted"
    number = next_number(before.instance)
    return InstanceRevision.objects.create(instance_id=before.instance_id, number=number, reason=reason, by=by, **values)


def delete_instance(instance: Instance, *, by: User, final_backup: bool = False) -> Operation:
    """Take it away for good. One that still waits for its cell is given up at once. Raises NotAllowed.

    With a final backup, nothing of it is removed before the agent of its cell says that the backup stands.
    """
    with transaction.atomic():
        instance = _locked(instance)
        refuse_if(why_not(Act.DELETE, instance))
        why_none = why_no_backup(instance)
        refuse_if(why_none if final_backup else "")
        was_deployed = not {instance.state, instance.failed_while} & BEFORE_THEIR_CELL
        cancel_live(subject_of_instance(instance), by=by, is_recorded=False)
        instance.refresh_from_db()
        # An earlier deletion may still wait for one: whoever decides anew waits for that no more.
        _give_up_backups(instance)
        to, kind = DELETIONS[final_backup]
        move_instance(instance, to, by=Actor.user(by), is_recorded=False)
        if instance.cell_id:
            touch_desired(instance.cell_id)
        operation = _start(instance, kind, by=by, was_deployed=was_deployed)
        _record(instance, DELETION_EVENTS[final_backup if not why_none else None], by, {})
        return operation


def keep_instance(instance: Instance, *, by: User) -> Operation:
    """Call off a deletion that waits for its final backup, or failed over it: nothing of the instance was removed. Raises NotAllowed.

    A worker that has just seen the backup stand, and told the agent to remove the instance, was first.
    """
    with transaction.atomic():
        instance = _locked(instance)
        refuse_if(why_not(Act.KEEP, instance))
        cancel_live(subject_of_instance(instance), by=by, is_recorded=False)
        instance.refresh_from_db()
        _give_up_backups(instance)
        # How it stands is the agent's to say: an update to the revision that it has had all the time.
        move_instance(instance, InstanceState.UPDATING, by=Actor.user(by), is_recorded=False)
        if instance.cell_id:
            touch_desired(instance.cell_id)
        operation = _start(instance, "keep_instance", by=by)
        _record(instance, "instance.kept", by, {})
        return operation


def _give_up_backups(instance: Instance) -> None:
    FinalBackup.objects.standing().filter(instance=instance).update(ended_at=timezone.now(), outcome=FinalBackup.Outcome.GIVEN_UP)


DELETIONS = {True: (InstanceState.BACKING_UP, "back_up_and_delete_instance"), False: (InstanceState.DELETING, "delete_instance")}
# What somebody has decided; None where there was nothing to decide.
DELETION_EVENTS = {
    True: "instance.deletion_after_backup_started",
    False: "instance.deletion_without_backup_started",
    None: "instance.deletion_started",
}


def deletable_instances(account: CloudAccount) -> InstanceQuerySet:
    """Of the organisation, in this account, and not on their way out: what "Delete all instances" lists and deletes."""
    rows = account.instances.filter(organisation=account.organisation).holding_their_cell()
    return rows.exclude(state__in=sorted(LEAVING_INSTANCES)).select_related("plan", "organisation", "cell__status")


def leaving_instances(account: CloudAccount) -> InstanceQuerySet:
    return account.instances.filter(organisation=account.organisation, state__in=sorted(LEAVING_INSTANCES))


def mark_of_instances(instances: Iterable[Instance]) -> str:
    """What tells one list of instances from another, also by those that can be backed up: goes with the page that lists them."""
    listed = sorted(f"{instance.pk} {not why_no_backup(instance)}" for instance in instances)
    return hashlib.sha256(",".join(listed).encode()).hexdigest()


def delete_all_instances(account: CloudAccount, *, listed: str, by: User, final_backup: bool = False) -> int:
    """The very instances that were listed, each by its own operation. How many. Raises NotAllowed before the first.

    With final backups, of each that can have one; where one fails, the others go on.

    `listed` is `mark_of_instances` as it was read: what a colleague has made since is shown before it is deleted.
    """
    refuse_if(why_not_as_staff(by))
    with transaction.atomic():
        # As whoever places an instance there: none is added while these are counted.
        account = CloudAccount.objects.select_for_update(of=("self",)).select_related("organisation").get(pk=account.pk)
        doomed = list(deletable_instances(account).order_by("pk"))
        refuse_if("" if mark_of_instances(doomed) == listed else _list_has_changed())
        for instance in doomed:
            refuse_if(f"{instance.name}: {reason}" if (reason := why_not(Act.DELETE, instance)) else "")
        for instance in doomed:
            delete_instance(instance, by=by, final_backup=final_backup and not why_no_backup(instance))
    return len(doomed)


def _list_has_changed() -> str:
    return _("The instances in this account have changed since you opened the page. Nothing was deleted. Read the list as it is now.")


def protect_instance(instance: Instance, *, is_protected: bool, by: User) -> None:
    """Switch the protection from deletion. The same again changes nothing. Raises NotAllowed."""
    with transaction.atomic():
        instance = _locked(instance)
        if instance.is_protected == is_protected:
            return
        refuse_if(why_not_protect(instance))
        instance.is_protected = is_protected
        instance.save(update_fields=["is_protected"])
        _record(instance, "instance.protected" if is_protected else "instance.unprotected", by, {})


def _locked(instance: Instance) -> Instance:
    return Instance.objects.select_for_update(of=("self",)).select_related("cell__status", "organisation", "plan").get(pk=instance.pk)


def _start(instance: Instance, kind: str, *, by: User, idempotency_key: str = "", **data: Any) -> Operation:
    revision = instance.revisions.get(number=instance.revision)
    about = {
        "instance": str(instance.pk),
        "cloud": instance.cloud,
        "region": instance.region,
        "revision": revision.number,
        "is_running": revision.is_running,
    }
    return start(
        kind=kind,
        subject=subject_of_instance(instance),
        organisation_id=instance.organisation_id,
        by=by,
        idempotency_key=idempotency_key,
        data={**about, **data},
        is_recorded=False,
    )


def _record(instance: Instance, action: str, by: User, details: Mapping[str, Any]) -> None:
    record(
        organisation_id=instance.organisation_id,
        action=action,
        actor=Actor.user(by),
        subject=subject_of_instance(instance),
        details=details,
    )
