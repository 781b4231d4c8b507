"""Google's own description of its APIs, held against what was said to and by the local Google.

The discovery documents come with google-api-python-client, so nothing is fetched. Where a document and the wire differ, it says so here.
"""

import json
import re
from functools import cache
from importlib.resources import files
from typing import Any

DOCUMENTS = {
    "sts": ("sts.v1",),
    "iamcredentials": ("iamcredentials.v1",),
    "iam": ("iam.v1",),
    "crm": ("cloudresourcemanager.v1", "cloudresourcemanager.v3"),
    "serviceusage": ("serviceusage.v1",),
    "compute": ("compute.v1",),
    "orgpolicy": ("orgpolicy.v2",),
    "container": ("container.v1",),
    "config": ("config.v1",),
    "storage": ("storage.v1",),
    "logging": ("logging.v2",),
}
TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,), "boolean": (bool,), "integer": (int,), "number": (int, float), "array": (list,), "object": (dict,), "any": (object,),
}  # fmt: skip
FORMATS = {
    "google-datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z",
    "google-duration": r"\d+(\.\d{1,9})?s",
    "google-fieldmask": r"[A-Za-z.,]*",
    "int64": r"-?\d+",
    "uint64": r"\d+",
    "byte": r"[A-Za-z0-9+/_=-]*",
}
# Standard parameters that every method takes, and gcloud's.
EVERYWHERE = {"alt", "$alt", "prettyPrint", "fields", "key", "quotaUser"}
# What the documents leave out or call otherwise.
SNAKE_REQUESTS = {"sts.token"}  # camelCase in the schema, snake_case as OAuth wants it on the wire; the answer's schema is right
BODILESS = {"iam.projects.serviceAccounts.getIamPolicy"}  # declares no body, and every client sends an empty one
ROLES_OF_ANY = "type.googleapis.com/"


@cache
def document(name: str) -> dict[str, Any]:
    text = files("googleapiclient").joinpath("discovery_cache", "documents", f"{name}.json").read_text()
    loaded: dict[str, Any] = json.loads(text)
    return loaded


@cache
def methods(name: str) -> list[tuple[dict[str, Any], re.Pattern[str]]]:
    found: list[tuple[dict[str, Any], re.Pattern[str]]] = []
    base = "/" + document(name).get("servicePath", "")

    def walk(resource: dict[str, Any]) -> None:
        for entry in resource.get("methods", {}).values():
            path = re.escape(base + entry.get("flatPath", entry["path"]))
            path = path.replace(r"\{object\}", ".+")  # the only name that holds slashes
            found.append((entry, re.compile(re.sub(r"\\\{\w+\\\}", r"[^/:]+", path))))
        for inner in resource.get("resources", {}).values():
            walk(inner)

    walk(document(name))
    return found


def problems(exchange: dict[str, Any]) -> list[str]:
    """What Google's description has against one exchange of the journal."""
    path = exchange["path"].removeprefix(f"/{exchange['api']}").removeprefix("/upload")
    for name in DOCUMENTS[exchange["api"]]:
        fitting = [found for found, pattern in methods(name) if found["httpMethod"] == exchange["verb"] and pattern.fullmatch(path)]
        if fitting:  # some paths of Logging's fit a project's and any other's
            return _against(exchange, next((found for found in fitting if found["id"] == exchange["method"]), fitting[0]), name)
    return [f"no method is {exchange['verb']} {path}"]


def _against(exchange: dict[str, Any], method: dict[str, Any], name: str) -> list[str]:
    found = [] if method["id"] == exchange["method"] else [f"{exchange['method']} is {method['id']}"]
    known = {key for key, value in method.get("parameters", {}).items() if value["location"] == "query"} | EVERYWHERE
    known |= {"uploadType"} if method.get("supportsMediaUpload") else set()
    found += [f"no query parameter {key}" for key in exchange["query"] if key not in known]
    is_good = exchange["status"] < 400
    if is_good and exchange["query"].get("alt") == ["media"]:
        return found  # bytes, not JSON
    if is_good and method["id"] not in BODILESS:
        wanted = method.get("request", {}).get("$ref")
        found += _check(_request(exchange, method), {"$ref": wanted} if wanted else {"type": "object"}, name, "request")
    if is_good:
        found += _check(exchange["response"], {"$ref": method["response"]["$ref"]}, name, "response")
    return found


def _request(exchange: dict[str, Any], method: dict[str, Any]) -> Any:
    body = exchange["request"] or {}
    if method["id"] in SNAKE_REQUESTS:
        return {re.sub(r"_(\w)", lambda found: found[1].upper(), key): value for key, value in body.items()}
    return {key: value for key, value in body.items() if value is not None}


def _check(value: Any, schema: dict[str, Any], name: str, path: str) -> list[str]:
    if "$ref" in schema:
        schema = document(name)["schemas"][schema["$ref"]]
    kind = schema.get("type", "any")
    if not isinstance(value, TYPES[kind]) or (kind in {"integer", "number"} and isinstance(value, bool)):
        return [f"{path}: {value!r} is no {kind}"]
    if kind == "object":
        return _check_object(value, schema, name, path)
    if kind == "array":
        return [line for number, entry in enumerate(value) for line in _check(entry, schema["items"], name, f"{path}[{number}]")]
    return _check_scalar(value, schema, path)


def _check_object(value: dict[str, Any], schema: dict[str, Any], name: str, path: str) -> list[str]:
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    if str(value.get("@type", "")).startswith(ROLES_OF_ANY):
        return _check_any(value, name, path)
    found = []
    for key, inner in value.items():
        wanted = known.get(key, others)
        found += [f"{path}: unknown field {key}"] if wanted is None else _check(inner, wanted, name, f"{path}.{key}")
    return found


def _check_any(value: dict[str, Any], name: str, path: str) -> list[str]:
    """The content of an operation, by the last word of its type."""
    word = value["@type"].rpartition(".")[2]
    schemas = document(name)["schemas"]
    if word not in schemas:
        return [] if word.endswith("Metadata") else [f"{path}: no schema {word}"]
    return _check({key: inner for key, inner in value.items() if key != "@type"}, {"$ref": word}, name, path)


def _check_scalar(value: Any, schema: dict[str, Any], path: str) -> list[str]:
    if "enum" in schema and value not in schema["enum"]:
        return [f"{path}: {value!r} is not in the list"]
    pattern = FORMATS.get(schema.get("format", ""))
    if isinstance(value, str) and pattern and value != "(hidden)" and not re.fullmatch(pattern, value):
        return [f"{path}: {value!r} is no {schema['format']}"]
    return []
