"""The machines that stand here are started, and those that are gone are stopped, whichever way either came about."""

from portal.sandbox.agents import UserDataError
from portal.sandbox.azure.cell.compute import MACHINE
from portal.sandbox.azure.world import World
from portal.sandbox.sandbox import Sandbox


def settle(world: World, sandbox: Sandbox) -> None:
    standing = {f"azure-{found.properties['vmId']}": found for found in world.of_type(MACHINE)}
    for name in standing.keys() - world.started:
        world.started.add(name)
        try:
            sandbox.agents.boot(name, standing[name].under["user_data"])
        except UserDataError as problem:
            standing[name].under["boot_problem"] = str(problem)  # a real machine would stand idle too
    for name in world.started - standing.keys():
        world.started.discard(name)
        sandbox.agents.halt(name)
