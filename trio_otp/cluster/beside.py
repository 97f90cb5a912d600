"""A node beside the applications of `otp.run`, as `trio-otp run --name` has it."""

from __future__ import annotations

import ssl
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

import trio

from .._program.program import beside
from .node_block import open_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

OpenNode: TypeAlias = "Callable[[], AbstractAsyncContextManager[object]]"
Contexts: TypeAlias = tuple[ssl.SSLContext, ssl.SSLContext]


def as_node(
    name: str,
    *,
    cookie_file: str | None,
    tls_cert: str | None,
    tls_key: str | None,
    tls_ca: str | None,
) -> AbstractContextManager[None]:
    """Have the runs of `otp.run` in a block be a node.

    Args:
        name: its name.
        cookie_file: where the cookie is; that of Erlang if left out.
        tls_cert: the certificate of the node, as PEM.
        tls_key: its private key.
        tls_ca: the certificates of who may sign those of others.

    Raises:
        ValueError: of the files for TLS some are there and some are not, or one has not what is
            expected.
        OSError: one of the files cannot be read.
    """
    tls = _contexts({"--tls-cert": tls_cert, "--tls-key": tls_key, "--tls-ca": tls_ca})
    return beside(partial(_start, partial(open_node, name, cookie_file=cookie_file, tls=tls)))


def _contexts(files: dict[str, str | None]) -> Contexts | None:
    """Return the contexts for connections in and out, both of which ask for a certificate."""
    missing = [option for option, file in files.items() if file is None]
    if len(missing) == len(files):
        return None
    if missing:
        raise ValueError(f"{missing[0]}: needed for TLS, which takes a certificate, a key and a CA")
    cert, key, ca = files.values()
    assert cert is not None
    contexts = (
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH),
        ssl.create_default_context(ssl.Purpose.SERVER_AUTH),
    )
    for context in contexts:
        _load(f"--tls-ca {ca}", partial(context.load_verify_locations, ca))
        _load(f"--tls-cert {cert} --tls-key {key}", partial(context.load_cert_chain, cert, key))
    contexts[0].verify_mode = ssl.CERT_REQUIRED
    return contexts


def _load(what: str, load: Callable[[], object]) -> None:
    try:
        load()
    except OSError as exc:  # those of TLS are such, too
        raise OSError(f"{what}: {exc.strerror or exc}") from None


async def _start(node: OpenNode, nursery: trio.Nursery) -> None:
    await nursery.start(_hold, node, name="<the node>")


async def _hold(node: OpenNode, task_status: trio.TaskStatus[None]) -> None:
    """Keep the node open until the applications have ended."""
    async with node():
        task_status.started()
        await trio.sleep_forever()
