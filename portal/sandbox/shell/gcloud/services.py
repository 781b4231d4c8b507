"""`gcloud services`."""

from typing import Any

from portal.sandbox.shell.gcloud.api import Api, tell
from portal.sandbox.shell.gcloud.words import Command, Words, command


def _enable(api: Api, words: Words) -> None:
    path = f"/serviceusage/v1/projects/{words.project}/services"
    if len(words.positional) == 1:
        operation = api.call("POST", f"{path}/{words.first}:enable", {})
    else:
        operation = api.call("POST", f"{path}:batchEnable", {"serviceIds": words.positional})
    if not operation.get("done"):
        api.wait("serviceusage", operation)
        tell(f'Operation "{operation["name"]}" finished successfully.')


def _list(api: Api, words: Words) -> Any:
    state = {"enabled": "?filter=state:ENABLED", "available": ""}["available" if "available" in words.switches else "enabled"]
    return api.call("GET", f"/serviceusage/v1/projects/{words.project}/services{state}").get("services", [])


COMMANDS: dict[str, Command] = {
    "services enable": command(_enable, "service+"),
    "services list": command(_list, switches="enabled available", required="format"),
}
