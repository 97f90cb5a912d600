"""The peers: each in a process of its own, which stays up and is told when it is its turn.

So one that does not install, breaks on import or needs another event loop is a line in the report.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Peer(NamedTuple):
    """A package, and the module here that uses it."""

    name: str  # of the column
    requirement: str  # for pip
    module: str

    @property
    def package(self) -> str:
        """The name that it is installed by."""
        return self.requirement.partition(">")[0]


PEERS: Final = (
    Peer("triotp", "triotp>=0.3", "on_triotp"),
    Peer("async-pykka", "async-pykka", "on_async_pykka"),
    Peer("everything-is-an-actor", "everything-is-an-actor", "on_everything"),
    Peer("pykka", "pykka", "on_pykka"),
    Peer("otpylib", "otpylib", "on_otpylib"),
    Peer("fauxtp", "fauxtp", "on_fauxtp"),
    Peer("lapinbeam", "lapinbeam", "on_lapinbeam"),
    Peer("casty", "casty", "on_casty"),
    Peer("transitions", "transitions", "on_transitions"),
    Peer("transitions.async", "transitions", "on_transitions_async"),
)
ELIXIR: Final = "elixir"
