"""One process that listens and answers."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens on host and port, 0 for any that is free; OSError where they cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.create_server((host, port), family=family)
    # What is accepted inherits it. An answer in two pieces would otherwise wait 40 ms for an acknowledgement.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address_of(listening: socket.socket) -> str:
    """Where it can be asked."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if listening.family == socket.AF_INET6 else host}:{port}"


def run(app: Any, listening: socket.socket) -> None:
    """Answer until interrupted."""
    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])
