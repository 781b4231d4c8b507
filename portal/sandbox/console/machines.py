"""`/machines/`: the machines of agents in all played clouds, as somebody with a hand on the switch: stop an agent, kill what it runs."""

import asyncio
import json
from dataclasses import asdict

from portal.sandbox import wire
from portal.sandbox.agents import AgentHost, AgentHosts, Workload
from portal.sandbox.console.html import NOTHING, Markup, fill, form_field, hidden, join, page, redirect, table
from portal.sandbox.request import Request

BANNER = "Machines of the demo \u2013 the agents of all cells, and what they run, as processes on this computer"


def entry(agents: AgentHosts) -> Markup:
    """For the menu of each played console, once there is a machine."""
    return fill('<li><a href="/machines/">Machines</a></li>') if agents.machines else NOTHING


class MachinePages:
    def __init__(self, agents: AgentHosts) -> None:
        self.agents = agents

    async def __call__(self, request: Request) -> wire.Reply:
        if request.method != "POST":
            return self._list()
        act, machine = form_field(request.form, "act"), form_field(request.form, "machine")
        try:
            # They wait for processes to end: not in the loop that answers everybody else.
            await asyncio.to_thread(do, self.agents, act, machine, form_field(request.form, "instance"))
        except KeyError:
            return page("No such machine", fill('<p><a href="/machines/">All machines</a></p>'), banner=BANNER, status=404)
        return redirect("/machines/")

    def _list(self) -> wire.Reply:
        hosts = self.agents.list()
        agents = table(
            ("Machine", "Cell", "Agent", ""),
            [(host.machine, host.cell, _agent(host), _switch(host)) for host in hosts],
            caption="Agents",
            empty="No cell has been built yet.",
        )
        workloads = table(
            ("Instance", "Machine", "State", "Health", "Process", "Address", ""),
            [_row(host, workload) for host in hosts for workload in host.workloads],
            caption="Instances",
            empty="Nothing runs in any cell.",
        )
        return page("Machines", join((agents, workloads)), banner=BANNER, refresh=bool(hosts))


async def act(agents: AgentHosts, request: Request) -> wire.Reply:
    """The same for tests: JSON."""
    try:
        given = json.loads(request.body)
        await asyncio.to_thread(do, agents, given["act"], given["machine"], given.get("instance", ""))
    except (KeyError, ValueError) as problem:
        return wire.document(400, {"error": str(problem)})
    return wire.document(200, [asdict(host) for host in agents.list()])


def do(agents: AgentHosts, act: str, machine: str, instance: str = "") -> None:
    """Raises KeyError for an act or a machine that is not there."""
    match act:
        case "stop":
            agents.stop(machine)
        case "start":
            agents.start(machine)
        case "kill":
            agents.kill(machine, instance)
        case _:
            raise KeyError(act)


def _agent(host: AgentHost) -> str:
    if host.is_stopped:
        return "Stopped by you"
    return f"Runs, process {host.pid}" if host.pid else "Starting"


def _switch(host: AgentHost) -> Markup:
    act, label = ("start", "Start the agent") if host.is_stopped else ("stop", "Stop the agent")
    return _button(label, act=act, machine=host.machine)


def _row(host: AgentHost, workload: Workload) -> tuple[object, ...]:
    link = fill('<a href="{url}">{url}</a>', url=workload.url) if workload.pid else ""
    kill = _button("Kill the process", act="kill", machine=host.machine, instance=workload.instance) if workload.pid else ""
    return workload.instance, host.machine, workload.state, workload.health, workload.pid or "", link, kill


def _button(label: str, **fields: str) -> Markup:
    return fill(
        '<form method="post" action="/machines/" class="inline">{fields}<button class="quiet">{label}</button></form>',
        fields=hidden(**fields),
        label=label,
    )
