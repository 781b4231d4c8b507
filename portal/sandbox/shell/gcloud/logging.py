"""`gcloud logging views`."""

from typing import Any

from portal.sandbox.shell.gcloud.api import Api, tell
from portal.sandbox.shell.gcloud.words import Command, Words, command


def _views(words: Words) -> str:
    return f"/logging/v2/projects/{words.project}/locations/{words.get('location')}/buckets/{words.get('bucket')}/views"


def _body(words: Words) -> dict[str, str]:
    flags = {"log-filter": "filter", "description": "description"}
    return {field: words.get(flag) for flag, field in flags.items() if flag in words.flags}


def _create(api: Api, words: Words) -> None:
    api.call("POST", f"{_views(words)}?viewId={words.first}", _body(words))
    tell(f"Created view [{words.first}].")


def _update(api: Api, words: Words) -> None:
    body = _body(words)
    api.call("PATCH", f"{_views(words)}/{words.first}?updateMask={','.join(sorted(body))}", body)
    tell(f"Updated view [{words.first}].")


def _describe(api: Api, words: Words) -> Any:
    return api.call("GET", f"{_views(words)}/{words.first}")


def _list(api: Api, words: Words) -> Any:
    return api.every(_views(words), "views")


def _delete(api: Api, words: Words) -> None:
    api.call("DELETE", f"{_views(words)}/{words.first}")
    tell(f"Deleted [{words.first}].")


PLACE, TEXTS = "bucket location", "log-filter description"
COMMANDS: dict[str, Command] = {
    "logging views create": command(_create, "view", required=PLACE, flags=TEXTS),
    "logging views update": command(_update, "view", required=PLACE, flags=TEXTS),
    "logging views describe": command(_describe, "view", required=PLACE),
    "logging views list": command(_list, required=PLACE),
    "logging views delete": command(_delete, "view", required=PLACE),
}
