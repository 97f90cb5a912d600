"""Beyond one machine: a run becomes a node of an Erlang cluster, beside other Pythons and Elixir.

>>> import pathlib, tempfile, trio, trio_otp as otp
>>> class Counter(otp.GenServer):
...     def __init__(self) -> None:
...         self.count = 0
...     @otp.on_call
...     def add(self, number: int) -> int:
...         self.count += number
...         return self.count
>>> async def main(cookie):
...     async with (
...         otp.cluster.open_node("py@127.0.0.1", cookie_file=cookie, epmd=False, resolve={}),
...         otp.open_supervisor([otp.child(Counter).having(name="counter")]),
...     ):
...         counter = Counter.at(("counter", "py@127.0.0.1"))
...         print(await counter.add(2), otp.cluster.nodes())
>>> with tempfile.TemporaryDirectory() as directory:
...     cookie = pathlib.Path(directory, "cookie")
...     cookie.touch(0o600)
...     _ = cookie.write_text("secret")
...     trio.run(main, cookie)
2 []

**References.** A process of another node is `(name, node)`, or a pid that has come from there. With
these `otp.call`, `cast`, `send`, `monitor`, `link`, `exit`, `stop` and typed clients work as ever.
A first use connects. `NoConnection` is what a lost node is, with `sent`: whether the request may
have arrived.

**Terms.** What Python has goes to another node as itself and comes back equal: `int`, `float`,
`tuple`, `list`, `dict`, `bool`, `None`, `bytes`, `str`, pids and references. Atoms are written:

>>> A = otp.cluster.Atom
>>> (A("add"), 1, 2) == ("add", 1, 2)
True

A binary of Elixir arrives as `bytes`, also a string, since Erlang does not tell the two apart. A
`str` arrives there as a binary, and in Python as a `str`.

Follows: Erlang's `erl_dist_protocol` and `erl_ext_dist`; `net_kernel`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .functions import connect as connect
    from .functions import disconnect as disconnect
    from .functions import monitor_nodes as monitor_nodes
    from .functions import node as node
    from .functions import nodes as nodes
    from .node_block import open_node as open_node
    from .node_child import Node as Node
    from .node_events import Nodedown as Nodedown
    from .node_events import Nodeup as Nodeup
    from .peer import Peer as Peer
    from .remote_pid import RemotePid as RemotePid
    from .wire.opaque import Export as Export
    from .wire.opaque import Fun as Fun
    from .wire.opaque import Port as Port
    from .wire.opaque import Reference as Reference
    from .wire.reasons import RemoteError as RemoteError
    from .wire.structs import struct as struct
    from .wire.terms import Atom as Atom
    from .wire.terms import BitString as BitString
    from .wire.terms import ImproperList as ImproperList
    from .wire.terms import Map as Map
else:
    from .._util.lazy import find as _find
    from .._util.lazy import table as _table

    _LATE_NAMES = _table(
        {
            "functions": "connect disconnect monitor_nodes node nodes",
            "node_block": "open_node",
            "node_child": "Node",
            "node_events": "Nodedown Nodeup",
            "peer": "Peer",
            "remote_pid": "RemotePid",
            "wire.opaque": "Export Fun Port Reference",
            "wire.reasons": "RemoteError",
            "wire.structs": "struct",
            "wire.terms": "Atom BitString ImproperList Map",
        }
    )
    __all__ = list(_LATE_NAMES)

    def __getattr__(name: str) -> object:
        return _find(__name__, _LATE_NAMES, name)

    def __dir__() -> list[str]:
        return list(__all__)
