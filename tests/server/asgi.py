"""Requests to an ASGI application without a network."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Reply:
    """What came back."""

    status: int
    document: Any
    headers: dict[str, str] = field(default_factory=dict, compare=False)

    @property
    def error(self) -> Any:
        """The error, which it must be."""
        assert self.status >= 400, self.document
        assert set(self.document) == {"error"}
        return self.document["error"]


def request(app: Any, method: str, path: str, body: Any = None, query: str = "") -> Reply:
    """One request; `body` is sent as JSON, bytes as they are."""
    sent: list[dict[str, Any]] = []
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "scheme": "http",
        "path": path, "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(b"content-type", b"application/json")], "client": ("test", 1), "server": ("test", 80),
    }  # fmt: skip
    asyncio.run(app(scope, receive, send))
    start = next(message for message in sent if message["type"] == "http.response.start")
    text = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return Reply(start["status"], json.loads(text), headers)
