"""What stacks must do, the same in every cloud: the real document, the real SDK, a strict local server that checks our own rights.

`stack_stands.py` says what each cloud brings; what only one cloud knows stands in tests of its own.
"""

import time
from dataclasses import replace

import pytest

from accounts.clouds.base import CloudError, Needs, Verdict
from accounts.clouds.stacks import StackLook, StackState
from tests.clouds.conftest import Cloud, SandboxProcess, TestIssuer
from tests.clouds.stack_stands import STACK_STANDS, StackStand

PASS = Verdict.PASS
UNDER_WAY = {StackState.WORKING, StackState.DELETING}
STRANGER = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(params=sorted(STACK_STANDS))
def stand(
    request: pytest.FixtureRequest, cloud: Cloud, sandbox: SandboxProcess, issuer: TestIssuer, monkeypatch: pytest.MonkeyPatch
) -> StackStand:
    """An account with the kit in it, and nothing of a cell."""
    make, addresses = STACK_STANDS[request.param]
    for name, value in addresses(sandbox).items():
        monkeypatch.setenv(name, value)
    return make(cloud, sandbox, issuer)


def look(stand: StackStand) -> StackLook:
    order = stand.order()
    return stand.stacks().look(order.name, order.region)


def settled(stand: StackStand) -> StackLook:
    """What stands once nothing is under way any more."""
    for _ in range(600):
        found = look(stand)
        if found.state not in UNDER_WAY:
            return found
        time.sleep(0.05)
    raise AssertionError(f"still {found.state}")


def built(stand: StackStand, **changes: object) -> StackLook:
    stand.stacks().apply(stand.order(**changes))
    return settled(stand)


def delete(stand: StackStand, **more: object) -> StackLook:
    order = stand.order()
    stand.stacks().delete(order.name, order.region, **more)
    return settled(stand)


def leftovers(stand: StackStand, tags: dict[str, str]) -> list[str]:
    return [f"{part.kind} {part.made}" for part in stand.stacks().find_leftovers(stand.order().region, tags)]


# --- created, watched, ready ---


def test_contract_nothing_stands_before_it_is_ordered(stand):
    assert look(stand) == StackLook(StackState.ABSENT)


def test_contract_cell_is_built_as_ordered(stand):
    order = stand.order()

    found = built(stand)

    assert (found.state, found.code, found.raw) == (StackState.READY, "", "")
    assert found.token == order.token
    assert found.outputs
    assert {part.state for part in found.parts} == {"ready"}
    assert all(part.made for part in found.parts)
    assert {(part.kind, part.name) for part in found.parts} == {(part.kind, part.name) for part in stand.stack.parts()}


def test_contract_agent_machine_starts_with_its_bootstrap_data(stand):
    assert stand.agents() == 0

    built(stand)

    assert stand.agents() == 1


def test_contract_look_shows_no_secret(stand):
    found = built(stand)

    (*_, secret) = [value for value in stand.order().secrets.values() if value]
    assert "once-only-token" in "".join(stand.order().secrets.values())
    assert "once-only-token" not in repr(found)
    assert secret not in repr(found)
    assert "once-only-token" not in repr(stand.order())


def test_contract_building_can_be_watched(stand):
    stand.slow()
    stand.stacks().apply(stand.order())
    seen = set()

    for _ in range(600):
        found = look(stand)
        seen.add((found.state, sum(part.state == "ready" for part in found.parts)))
        if found.state not in UNDER_WAY:
            break
        assert found.token == stand.order().token
        time.sleep(0.2)

    working = {ready for state, ready in seen if state == StackState.WORKING}
    assert len(working) > 3
    assert found.state == StackState.READY


def test_contract_same_order_twice_is_one_stack(stand):
    stand.slow()
    stand.stacks().apply(stand.order())
    stand.stacks().apply(stand.order())  # while it is under way
    before = settled(stand)

    stand.stacks().apply(stand.order())  # and once it stands
    after = look(stand)

    assert before.state == after.state == StackState.READY
    assert [part.made for part in after.parts] == [part.made for part in before.parts]


def test_contract_another_order_waits_for_the_one_under_way(stand):
    stand.slow()
    stand.stacks().apply(stand.order())

    with pytest.raises(CloudError) as refused:
        stand.stacks().apply(stand.order("order-2", machines=3))

    assert (refused.value.code, refused.value.retryable) == ("stack_busy", True)
    assert settled(stand).state == StackState.READY


# --- updated ---


def test_contract_cell_is_updated_to_another_order(stand):
    before = built(stand)

    after = built(stand, token="order-2", machines=3)

    assert (after.state, after.token) == (StackState.READY, "order-2")
    assert {part.name: part.made for part in after.parts} == {part.name: part.made for part in before.parts}
    assert stand.agents() == 1


def test_contract_order_that_changes_nothing_but_its_token_stands(stand):
    built(stand)

    after = built(stand, token="order-2")

    assert (after.state, after.token) == (StackState.READY, "order-2")


# --- failed and tried again ---


def test_contract_failure_says_why_and_keeps_what_was_built(stand):
    name = stand.fail_building()

    found = built(stand)

    assert (found.state, found.code) == (StackState.FAILED, "quota_exceeded")
    assert name in found.raw
    failed = [part for part in found.parts if part.state == "failed"]
    assert [part.name for part in failed] == [name]
    assert failed[0].detail
    assert any(part.state == "ready" for part in found.parts)


def test_contract_retry_of_the_same_order_goes_on(stand):
    stand.fail_building()
    failed = built(stand)
    made = {part.name: part.made for part in failed.parts if part.state == "ready"}

    for _ in range(10):  # where the cloud takes it away first, the next call builds it
        stand.stacks().apply(stand.order())
        if settled(stand).state == StackState.READY:
            break

    found = look(stand)
    assert (found.state, found.token, found.code) == (StackState.READY, stand.order().token, "")
    assert made.items() <= {part.name: part.made for part in found.parts}.items()
    assert stand.agents() == 1


# --- deleted ---


def test_contract_cell_is_deleted_whole(stand):
    built(stand)

    assert delete(stand).state == StackState.ABSENT

    assert leftovers(stand, stand.stack.tags(stand.target, stand.cell)) == []
    assert stand.agents() == 0


def test_contract_deleting_what_is_not_there_is_no_error(stand):
    assert delete(stand).state == StackState.ABSENT


def test_contract_deleting_can_be_watched_and_asked_for_twice(stand):
    built(stand)
    stand.slow()
    order = stand.order()
    stand.stacks().delete(order.name, order.region)
    stand.stacks().delete(order.name, order.region)

    assert look(stand).state == StackState.DELETING
    assert settled(stand).state == StackState.ABSENT


def test_contract_cell_that_is_still_being_built_is_deleted_whole(stand):
    """At once, or as soon as the cloud takes the order: what was made in between would stay behind, and cost money."""
    stand.slow()
    stand.stacks().apply(stand.order())
    for _ in range(600):
        found = look(stand)
        if sum(part.state == "ready" for part in found.parts) > 3:
            break
        time.sleep(0.05)
    assert found.state == StackState.WORKING

    for _ in range(600):
        try:
            after = delete(stand)
            break
        except CloudError as busy:
            if busy.code != "stack_busy":
                raise
            time.sleep(0.1)

    assert after.state == StackState.ABSENT
    assert stand.agents() == 0
    assert leftovers(stand, stand.stack.tags(stand.target, stand.cell)) == []


def test_contract_deletion_that_something_blocks_says_what_and_is_tried_again(stand):
    built(stand)
    name = stand.hold()

    found = delete(stand)

    assert (found.state, found.code) == (StackState.DELETE_FAILED, "still_in_use")
    assert name in found.raw
    assert [part.name for part in found.parts if part.state == "failed" and part.name == name] == [name]

    stand.let_go()

    assert delete(stand).state == StackState.ABSENT


def test_contract_part_that_blocks_can_be_kept_on_purpose(stand):
    built(stand)
    stand.hold()
    kept = {part.name: part.made for part in delete(stand).parts if part.state == "failed"}

    assert delete(stand, retain=list(kept)).state == StackState.ABSENT

    found = stand.stacks().find_leftovers(stand.order().region, stand.stack.tags(stand.target, stand.cell))
    assert found
    assert all(any(made in part.made for made in kept.values()) for part in found)  # by the cloud's id: its name may be another


def test_contract_cell_that_was_deleted_is_built_anew(stand):
    built(stand)
    delete(stand)

    assert built(stand, token="order-2").state == StackState.READY


# --- leftovers and drift ---


def test_contract_leftovers_are_found_by_tag_and_nothing_else_is(stand):
    ours = stand.stack.tags(stand.target, stand.cell)
    made = stand.leave(ours)
    stand.leave({**ours, "byoc:account": STRANGER, "byoc:cell": STRANGER})

    (found,) = stand.stacks().find_leftovers(stand.order().region, ours)

    assert made in found.made


def test_contract_cell_in_sync_has_no_drift(stand):
    built(stand)

    found = stand.stacks().find_drift(stand.order())

    assert (found.is_finished, list(found.differences)) == (True, [])


def test_contract_property_changed_by_hand_is_drift(stand):
    built(stand)
    kind, name = stand.change_by_hand()

    found = stand.stacks().find_drift(stand.order())

    assert found.is_finished
    (difference,) = found.differences
    assert (difference.kind, difference.name) == (kind, name)
    assert difference.path
    assert difference.expected != difference.found
    assert look(stand).state == StackState.READY  # nothing was changed back


def test_contract_part_removed_by_hand_is_drift(stand):
    built(stand)
    name = stand.remove_by_hand()

    found = stand.stacks().find_drift(stand.order())

    assert found.is_finished
    assert [(difference.name, difference.path) for difference in found.differences] == [(name, "")]


# --- what the account's own cells are to the next look at the environment ---


def test_contract_own_cell_is_in_nobodys_way_and_what_is_left_of_one_is_told(stand):
    built(stand)
    order, checks = stand.order(), ["names_free", "address_range"]
    needs = Needs(
        vcpus=2, networks=1, addresses=1, cidr="10.64.0.0/16", name_prefix=order.name.removesuffix(order.region), standing=(order.name,)
    )

    own = stand.adapter().check_environment(order.region, needs, checks)
    left = stand.adapter().check_environment(order.region, replace(needs, standing=(f"{order.name}0",)), checks)

    assert {finding.check: (finding.verdict, finding.params.get("names", "")) for finding in own} == dict.fromkeys(checks, (PASS, ""))
    assert PASS not in [finding.verdict for finding in left]
    assert next(finding.params["names"] for finding in left if finding.check == "names_free")
