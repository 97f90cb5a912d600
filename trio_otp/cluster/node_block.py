"""`open_node`: plain Trio code becomes a node of a cluster while a block runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from trio.lowlevel import enable_ki_protection

from .._exits.nurseries import OwnNursery
from .._process.block import block
from .._util.public import public_in
from .opening import Opening
from .options import DEFAULT_TICK, checked
from .wire.frames import FRAME_LIMIT

if TYPE_CHECKING:
    import os
    from collections.abc import AsyncGenerator

    from .options import Allow, Listen, Options, Resolve, Tls


@public_in("cluster")
@block('async with otp.cluster.open_node("py@host", cookie_file=path): ...')
@enable_ki_protection
async def open_node(
    name: str,
    *,
    cookie_file: str | os.PathLike[str] | None = None,
    tls: Tls | None = None,
    listen: Listen | None = None,
    epmd: tuple[str, int] | int | bool | None = None,
    resolve: Resolve | None = None,
    allow: Allow | None = None,
    tick: float = DEFAULT_TICK,
    max_frame: int = FRAME_LIMIT,
    insecure: bool = False,
) -> AsyncGenerator[str]:
    """Make this run a node of an Erlang cluster while the block runs; the value is its name.

    From then on references such as `("counter", "ex@host")` and pids that have come from there
    lead to processes of other nodes, and theirs to processes of this run. A first use connects.

    Args:
        name: the full name of the node: something, an @ and the host at which others reach it.
        cookie_file: a file with the secret of the cluster in its first line, which nobody else can
            read. If left out it is `~/.erlang.cookie`; or a secret that nobody knows but the peers
            that are started here, with `epmd=False` and no `resolve`.
        tls: the contexts of a server and of a client; all nodes of a cluster use TLS, or none.
        listen: `(host, port)`, or the path of a unix socket; if left out, any port of the host in
            the name.
        epmd: where epmd is: `(host, port)`, or a port of this host; the one at the usual port, or
            that of `ERL_EPMD_PORT`, if left out. False does without.
        resolve: where other nodes listen, as `listen`, by their names: a dict or a function. Who is
            not in there is looked up at the epmd of its host.
        allow: the names of the nodes that may connect, or a function that tells; any if left out.
        tick: seconds between two signs of life. A node that has given none for four of them is
            lost. It should be the same on all nodes; Erlang's is a quarter of `net_ticktime`.
        max_frame: bytes of the largest message that is taken.
        insecure: whether others than this host may connect without certificates.

    Raises:
        StartError: the run is a node already; the cookie file is not there, or others can read it;
            it cannot listen or register.
        ValueError, TypeError: an argument is not accepted.

    Follows: Erlang's `net_kernel:start/2`; `erl_dist_protocol`.
    """
    options = checked(
        name,
        cookie_file=cookie_file,
        tls=tls,
        listen=listen,
        epmd=epmd,
        resolve=resolve,
        allow=allow,
        tick=tick,
        max_frame=max_frame,
        insecure=insecure,
    )
    async with open_with(options):
        yield name


@block("async with open_with(options): ...")
@enable_ki_protection
async def open_with(options: Options) -> AsyncGenerator[None]:
    """Do as `open_node`, with options that have been checked."""
    opening = Opening(options)
    try:
        async with OwnNursery() as nursery:
            try:
                await opening.begin(nursery)
                yield
            finally:
                nursery.cancel_scope.cancel(reason="the node ends")
    finally:
        opening.close()
