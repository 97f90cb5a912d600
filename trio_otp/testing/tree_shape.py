"""`assert_tree`: the children under a supervisor are those that a test expects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .._inspect.introspect import loop_of, need_even_exiting
from .._inspect.tree import drawn
from .._process.names import find_living
from .._process.runtime import runtime
from .._util.bounded import bounded
from .._util.public import public_in
from .errors import need_server
from .patterns import shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .._process.names import Ref
    from .._process.process import Process
    from .._supervisor.data import ChildInfo

ROOT = "trio_otp.testing: what start_supervised starts under"  # in the extras of a run, a pid


@public_in("testing")
def assert_tree(children: Sequence[Any], *, of: Ref | None = None) -> None:
    """Check which children there are under a supervisor, in their order.

    Args:
        children: what is expected of each child: its name, id, pid, label or server class; and of
            one that is a supervisor `{that: [its children]}`, if these are to be checked as well.
        of: the supervisor; what `start_supervised` has started, if not given.

    Raises:
        AssertionError: there are others; the text says what differs and shows the tree.
        UnknownServer: there is no such supervisor.
        TypeError: an argument is not accepted.

    >>> import trio, trio_otp as otp
    >>> from trio_otp.testing import assert_tree
    >>> async def main():
    ...     pool = otp.child(otp.DynamicSupervisor).having(name="pool")
    ...     cache = otp.child(otp.Agent, dict).having(name="cache")
    ...     async with otp.open_supervisor([cache, pool]) as sup:
    ...         await otp.start_child("pool", otp.child(otp.Agent, list))
    ...         assert_tree(["cache", {"pool": [otp.Agent]}], of=sup)
    >>> trio.run(main)
    """
    __tracebackhide__ = True
    supervisor = _supervisor(of)
    if isinstance(children, str | dict) or not hasattr(children, "__len__"):
        raise TypeError(
            f"children={bounded(children)}: expected a list such as ['cache', {{'pool': [Worker]}}]"
        )
    found = list(_differences(children, supervisor, ""))
    if found:
        tree = drawn(runtime(), supervisor).splitlines()
        raise AssertionError("\n".join(["the tree is another one:", *found, "it is:", *tree]))


def _supervisor(of: Any) -> Process:
    if of is None:
        of = runtime().extras.get(ROOT)
        if of is None:
            raise TypeError("of=None: nothing has been started with start_supervised; name one")
    process = need_server("assert_tree", of)
    if loop_of(process) is None:
        raise TypeError(f"of={bounded(of)}: expected a supervisor, got {process.pid!r}")
    return process


def _differences(children: Sequence[Any], supervisor: Process, where: str) -> Iterator[str]:
    loop = loop_of(supervisor)
    infos = [] if loop is None else list(loop.infos())
    for number in range(max(len(infos), len(children))):
        place = f"{where}{number + 1}"
        info = infos[number] if number < len(infos) else None
        if number >= len(children):
            yield f"  child {place}: {_said(info)}, expected none"
            continue
        expected, below = _parts(children[number])
        if info is None or not _is(expected, info):
            yield f"  child {place}: {_said(info)}, expected {shown(expected)}"
        elif below is not None:
            yield from _below(below, info, place)


def _below(below: Sequence[Any], info: ChildInfo, place: str) -> Iterator[str]:
    process = None if info.pid is None else find_living(info.pid)
    if process is None or loop_of(process) is None:
        yield f"  child {place}: {_said(info)}, expected a supervisor"
    else:
        yield from _differences(below, process, f"{place}.")


def _parts(node: Any) -> tuple[Any, Sequence[Any] | None]:
    """Return what is expected of a child, and of those beneath it."""
    if node.__class__ is dict:
        if len(node) != 1:
            raise TypeError(f"{bounded(node)}: expected one child with its children")
        [(expected, below)] = node.items()
        return expected, below
    return node, None


def _is(expected: Any, info: ChildInfo) -> bool:
    process = None if info.pid is None else find_living(info.pid)
    if process is None:
        return False
    if isinstance(expected, type) and issubclass(process.behaviour or object, expected):
        return True
    return any(expected == known for known in (info.id, process.name, process.pid, process.label))


def _said(info: ChildInfo | None) -> str:
    if info is None:
        return "there is none"
    process = None if info.pid is None else need_even_exiting(info.pid)
    if process is None:
        return f"{bounded(info.id)} is down"
    known = info.id in (None, process.name, process.label)
    return f"there is {'' if known else bounded(info.id) + ' '}{process.pid!r}"
