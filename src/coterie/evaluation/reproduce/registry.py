"""The protocols by name."""

from __future__ import annotations

from coterie.errors import ParameterError
from coterie.evaluation.reproduce import liang, lightgcn, module, ncf, surprise
from coterie.evaluation.reproduce.protocol import Protocol

PROTOCOLS: dict[str, Protocol] = {
    known.name: known for known in (surprise.PROTOCOL, module.PROTOCOL, liang.PROTOCOL, ncf.PROTOCOL, lightgcn.PROTOCOL)
}


def protocol(name: str) -> Protocol:
    """The protocol of that name; an unknown one is an error that lists the known ones."""
    if name not in PROTOCOLS:
        raise ParameterError(f"there is no protocol {name!r}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
