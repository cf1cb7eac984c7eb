"""Published protocols, run again: our figure beside the published one, its source, and whether it is in tolerance."""

from coterie.evaluation.reproduce.protocol import Entry, Figure, Options, Protocol, Result
from coterie.evaluation.reproduce.registry import PROTOCOLS, protocol

__all__ = ["PROTOCOLS", "Entry", "Figure", "Options", "Protocol", "Result", "protocol"]
