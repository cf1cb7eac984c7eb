"""One process that listens and answers."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import uvicorn


def run(app: Any, host: str, port: int, ready: Callable[[str], object]) -> None:
    """Answer on host and port until interrupted; `ready` is told the address once nobody else can have it."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family) as listening:
        # What is accepted inherits it. An answer in two pieces would otherwise wait 40 ms for an acknowledgement.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        taken = listening.getsockname()[1]
        ready(f"http://{f'[{host}]' if family == socket.AF_INET6 else host}:{taken}")
        uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
