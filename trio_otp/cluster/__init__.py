"""Nodes: a run is a member of an Erlang cluster, beside other Pythons and Elixir.

**Terms.** What Python has goes to another node as itself and comes back equal: `int`, `float`,
`tuple`, `list`, `dict`, `bool`, `None`, `bytes`, `str`, pids and references. Atoms are written:

>>> import trio_otp as otp
>>> A = otp.cluster.Atom
>>> (A("add"), 1, 2) == ("add", 1, 2)
True

A binary of Elixir arrives as `bytes`, also a string, since Erlang does not tell the two apart. A
`str` arrives there as a binary, and in Python as a `str`.

Follows: Erlang's `erl_dist_protocol` and `erl_ext_dist`.
"""

from __future__ import annotations

from .wire.opaque import Export, Fun, Port, Reference
from .wire.reasons import RemoteError
from .wire.structs import struct
from .wire.terms import Atom, BitString, ImproperList, Map

__all__ = [
    "Atom",
    "BitString",
    "Export",
    "Fun",
    "ImproperList",
    "Map",
    "Port",
    "Reference",
    "RemoteError",
    "struct",
]


def __dir__() -> list[str]:
    return __all__
