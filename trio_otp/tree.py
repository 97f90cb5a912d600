"""The tree of processes as text: supervisors with their children, and what lives outside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from .bounded import bounded
from .introspect import look, loop_of, status_of
from .runtime import runtime

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .names import Ref
    from .process import Process
    from .supervision import ChildInfo, SupervisorLoop

DEEPEST: Final = 50  # levels of indentation; what is deeper stands at the last one


def tree(ref: Ref | None = None) -> str:
    """Draw processes as an indented tree, one line each.

    Children of a supervisor stand under it with their id (if it is not their name), pid, type,
    status and restarts, those that are down as well. Processes started with a link stand under
    their starter. What belongs to no supervisor comes last.

    Args:
        ref: the process whose tree to draw; None for all.

    Returns:
        The text, without a newline at its end.

    Raises:
        NoProcess: nobody is behind the reference.
        TypeError: it is none.
    """
    everybody = list(runtime().processes.values())
    under = _grouped(everybody)
    if ref is not None:
        return "\n".join(_lines([_Node(look(ref))], under))
    roots = [_Node(process) for process in under.get(None, [])]
    trees = [root for root in roots if loop_of(root.process) is not None]
    others = [root for root in roots if loop_of(root.process) is None]
    lines = list(_lines(trees, under))
    if others:
        lines += ["outside of supervisors:", *_lines(others, under)]
    return "\n".join(lines)


class _Node(NamedTuple):
    """One line to be drawn: a process, or a child that is down."""

    process: Process | None
    info: ChildInfo | None = None  # what its supervisor says of it


class _Pending(NamedTuple):
    node: _Node
    branch: str  # what stands before its own line
    indent: str  # what stands before those of its children


def _grouped(processes: list[Process]) -> dict[Process | None, list[Process]]:
    """Give the processes under each process: its children, and whom it has started with a link."""
    under: dict[Process | None, list[Process]] = {}
    for process in processes:
        above = process.supervisor or process.parent
        if above is not None and above.dead:
            above = None
        under.setdefault(above, []).append(process)
    return under


def _lines(roots: list[_Node], under: dict[Process | None, list[Process]]) -> Iterator[str]:
    # No recursion: a chain of links may be longer than Python's stack.
    todo = [_Pending(root, "", "") for root in reversed(roots)]
    while todo:
        node, branch, indent = todo.pop()
        yield branch + _text(node)
        below = list(_below(node.process, under))
        todo += reversed(list(_branches(below, indent)))


def _branches(nodes: list[_Node], indent: str) -> Iterator[_Pending]:
    inner = indent if len(indent) >= 3 * DEEPEST else None
    for number, node in enumerate(nodes, start=1):
        last = number == len(nodes)
        deeper = f"{indent}{'   ' if last else '│  '}" if inner is None else inner
        yield _Pending(node, f"{indent}{'└─ ' if last else '├─ '}", deeper)


def _below(process: Process | None, under: dict[Process | None, list[Process]]) -> Iterator[_Node]:
    """Give the children of a supervisor in its order, then the others under a process."""
    if process is None:
        return
    loop = loop_of(process)
    infos: Iterable[ChildInfo] = () if loop is None else loop.infos()
    others = dict.fromkeys(under.get(process, ()))
    starting = next((o for o in others if o.supervisor is process and o.starting), None)
    for info in infos:
        child = None if info.pid is None else info.pid._process
        if child is None and starting is not None and _is_starting(loop, info):
            child = starting
        if child is not None:
            others.pop(child, None)
        yield _Node(child, info)
    for other in others:
        yield _Node(other)


def _is_starting(loop: SupervisorLoop | None, info: ChildInfo) -> bool:
    """Tell whether a supervisor waits for the init of this child."""
    slot = None if loop is None else loop.starting
    return slot is not None and info.id is not None and info.id == slot.spec.id


def _text(node: _Node) -> str:
    process, info = node
    if process is None:
        assert info is not None
        status = "ended" if info.status == "running" else info.status
        return _said(f"{_id(info)}{info.type}", status, info.restarts)
    restarts = 0 if info is None else info.restarts
    what = f"{_id(info, process.name)}{process.pid!r} {_kind(process, info)}"
    return _said(what, status_of(process), restarts)


def _id(info: ChildInfo | None, name: object = None) -> str:
    """Give the id of a child, unless its pid is shown with the same name."""
    if info is None or info.id is None or info.id is name:
        return ""
    return f"{bounded(info.id)} "


def _kind(process: Process, info: ChildInfo | None) -> str:
    """Say what a process is: worker or supervisor and how it restarts, or linked, or neither."""
    loop = loop_of(process)
    if loop is not None:
        return f"supervisor {loop.summary}"
    if info is not None:
        return info.type
    if process.supervisor is not None:  # a dynamic child in its init
        return "worker" if process.behaviour is None else process.behaviour.child_type
    return "process" if process.parent is None or process.parent.dead else "linked"


def _said(what: str, status: str, restarts: int) -> str:
    times = "" if restarts == 0 else f", {restarts} restart{'s' if restarts > 1 else ''}"
    return f"{what}, {status}{times}"
