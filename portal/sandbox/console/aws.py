"""How the played console calls AWS: as the signed-in account's root, through the same front as boto3, without a socket."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlencode
from xml.etree import ElementTree

if TYPE_CHECKING:
    from portal.sandbox.front import Front
from portal.sandbox.request import Message

NAMESPACE = "{*}"


class AwsRefusedError(Exception):
    def __init__(self, code: str, message: str) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message


class Aws:
    def __init__(self, front: "Front", account: str, region: str) -> None:
        self.front = front
        self.account = account
        self.region = region

    async def call(self, service: str, action: str, params: Mapping[str, str]) -> ElementTree.Element:
        """One query-protocol call; the reply's XML. Raises AwsRefusedError with AWS's own code and message."""
        body = urlencode({"Action": action, **params}).encode()
        credential = (
            f"AWS4-HMAC-SHA256 Credential={self.account}/20000101/{self.region}/{service}/aws4_request, SignedHeaders=host, Signature=0"
        )
        headers = [
            (b"host", b"127.0.0.1"),
            (b"content-type", b"application/x-www-form-urlencoded"),
            (b"authorization", credential.encode()),
        ]
        scope = {
            "type": "http", "method": "POST", "path": "/", "raw_path": b"/", "query_string": b"", "headers": headers,
            "client": ("127.0.0.1", 0), "scheme": "http",
        }  # fmt: skip
        status, answer = 0, bytearray()

        async def receive() -> Message:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(message: Message) -> None:
            nonlocal status, answer
            status = message.get("status", status)
            answer += message.get("body", b"")

        await self.front(scope, receive, send)
        try:
            root = ElementTree.fromstring(bytes(answer))  # noqa: S314 - our own process wrote it
        except ElementTree.ParseError as problem:
            raise AwsRefusedError(str(status), "AWS did not answer in a readable form.") from problem
        if status >= HTTPStatus.BAD_REQUEST:
            raise AwsRefusedError(text(root, "Error/Code"), text(root, "Error/Message"))
        return root


def text(element: ElementTree.Element, path: str) -> str:
    """The text at a path, in whatever namespace; "" where there is none."""
    return element.findtext("/".join(f"{NAMESPACE}{step}" for step in path.split("/"))) or ""


def members(element: ElementTree.Element, path: str) -> list[ElementTree.Element]:
    return element.findall(".//" + "/".join(f"{NAMESPACE}{step}" for step in (*path.split("/"), "member")))
