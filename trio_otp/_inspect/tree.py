"""The tree of processes: supervisors with their children, and what lives outside them.

As text or a picture for people, and for other programs as JSON, Mermaid or Graphviz's DOT; see
`tree_svg`, `tree_json`, `tree_formats`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias, get_args

from .._process.runtime import runtime
from .._util.bounded import bounded, shown_text
from .._util.checks import check_choice
from .._util.drawn import MERMAID, SVG, Drawn
from .._util.public import public
from .introspect import loop_of, need_even_exiting, status_of
from .tree_formats import TreeNode, as_dot, as_mermaid
from .tree_json import as_json, plain
from .tree_svg import as_svg

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from .._process.names import Ref
    from .._process.process import Process
    from .._process.runtime import Runtime
    from .._supervisor.data import ChildInfo
    from .._supervisor.loop import SupervisorLoop

TreeOutput: TypeAlias = Literal["text", "svg", "mermaid", "dot", "json"]
DEEPEST: Final = 50  # levels of indentation; what is deeper stands at the last one


@public
def tree(ref: Ref | None = None, *, output: TreeOutput = "text") -> str:
    """Draw processes as an indented tree, one line each, or as a graph for other programs.

    The value of a cell of a notebook is drawn: `text` and `svg` as the same picture.

    Children of a supervisor stand under it with their id (if it is not their name), pid, type,
    status and restarts, those that are down as well. Processes started with a link stand under
    their starter. What belongs to no supervisor comes last.

    Args:
        ref: the process whose tree to draw; None for all.
        output: `text`; `svg`, a picture, in which equal children are one box if there are more
            than 300; `mermaid`, for pages that draw it; `dot`, for Graphviz; `json`, an object with
            a `version` and `processes`, each with those under it as its `children`. Beyond 50
            levels they stand beside the last one, each with the pid of the one `above` it.

    Returns:
        The text, without a newline at its end.

    Raises:
        NoProcess: nobody is behind the reference.
        TypeError: it is none.
        ValueError: there is no such output.

    >>> import trio, trio_otp as otp
    >>> class Cache(otp.GenServer):
    ...     pass
    >>> async def main():
    ...     async with otp.open_supervisor([otp.child(Cache).having(name="cache")], name="top"):
    ...         print(otp.process_count(), otp.process_info("cache").status)
    ...         print(otp.tree())
    >>> trio.run(main)
    2 idle
    <Pid 1 Supervisor 'top'> supervisor one_for_one, idle
    └─ <Pid 2 Cache 'cache'> worker, idle
    """
    check_choice("output", output, get_args(TreeOutput))
    root = None if ref is None else need_even_exiting(ref)
    text = drawn(runtime(), root, output)
    if output == "mermaid":
        return Drawn(text, MERMAID, lambda: text)
    if output == "svg":
        return Drawn(text, SVG, lambda: text, drawn(runtime(), root))
    if output == "text":
        nodes = _tree_nodes(runtime(), root)
        return Drawn(text, SVG, lambda: as_svg(nodes))
    return text


def drawn(tables: Runtime, root: Process | None = None, output: TreeOutput = "text") -> str:
    """Draw the processes of a run; another thread may ask for it, and then has to expect anything.

    What it reads may be changed meanwhile, which raises RuntimeError as a rule.
    """
    if output == "text":
        return "\n".join(_text_lines(tables, root))
    if output == "json":
        walk = _whole_walk(tables, root)
        return as_json((pending.above, _json_node(pending.node)) for pending in walk)
    draw = {"svg": as_svg, "mermaid": as_mermaid, "dot": as_dot}[output]
    return draw(_tree_nodes(tables, root))


def _roots(
    under: dict[Process | None, list[Process]], root: Process | None
) -> tuple[list[_Node], list[_Node]]:
    """Return where the trees of supervisors begin, and what lives outside of them."""
    if root is not None:
        return [_Node(root)], []
    roots = [_Node(process) for process in under.get(None, [])]
    alone = [root for root in roots if loop_of(root.process) is None]
    return [root for root in roots if loop_of(root.process) is not None], alone


def _whole_walk(tables: Runtime, root: Process | None) -> Iterator[_Pending]:
    under = _grouped(list(tables.processes.values()))
    trees, others = _roots(under, root)
    return _walk([*trees, *others], under)


def _tree_nodes(tables: Runtime, root: Process | None) -> list[TreeNode]:
    return [_tree_node(pending) for pending in _whole_walk(tables, root)]


def _text_lines(tables: Runtime, root: Process | None) -> Iterator[str]:
    under = _grouped(list(tables.processes.values()))
    trees, others = _roots(under, root)
    for pending in _walk(trees, under):
        yield pending.branch + _text(pending.node)
    if others:
        yield "outside of supervisors:"
    for pending in _walk(others, under):
        yield pending.branch + _text(pending.node)


class _Node(NamedTuple):
    """One line to be drawn: a process, or a child that is down."""

    process: Process | None
    info: ChildInfo | None = None  # what its supervisor says of it


class _Pending(NamedTuple):
    node: _Node
    branch: str  # what stands before its own line
    indent: str  # what stands before those of its children
    above: int | None = None  # the number of the node it stands under
    number: int = 0  # in the order of the lines


def _grouped(processes: list[Process]) -> dict[Process | None, list[Process]]:
    """Return the processes under each process: its children, and those it started with a link."""
    under: dict[Process | None, list[Process]] = {}
    for process in processes:
        above = process.supervisor or process.parent
        if above is not None and above.dead:
            above = None
        under.setdefault(above, []).append(process)
    return under


def _walk(roots: list[_Node], under: dict[Process | None, list[Process]]) -> Iterator[_Pending]:
    # No recursion: a chain of links may be longer than Python's stack.
    todo = [_Pending(root, "", "") for root in reversed(roots)]
    number = 0
    while todo:
        pending = todo.pop()._replace(number=number)
        yield pending
        below = list(_below(pending.node.process, under))
        todo += reversed(list(_branches(below, pending.indent, number)))
        number += 1


def _branches(nodes: list[_Node], indent: str, above: int) -> Iterator[_Pending]:
    inner = indent if len(indent) >= 3 * DEEPEST else None
    for number, node in enumerate(nodes, start=1):
        last = number == len(nodes)
        deeper = f"{indent}{'   ' if last else '│  '}" if inner is None else inner
        yield _Pending(node, f"{indent}{'└─ ' if last else '├─ '}", deeper, above)


def _below(process: Process | None, under: dict[Process | None, list[Process]]) -> Iterator[_Node]:
    """Return the children of a supervisor in its order, then the others under a process."""
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


def _is_starting(loop: SupervisorLoop[Any] | None, info: ChildInfo) -> bool:
    """Check whether a supervisor waits for the init of this child."""
    slot = None if loop is None else loop.children.starting
    return slot is not None and info.id is not None and info.id == slot.spec.id


def _text(node: _Node) -> str:
    process, info = node
    if process is None:
        assert info is not None
        left = "" if info.restart_in is None else f" in {info.restart_in:.3g} s"
        return _said(f"{_id(info)}{info.type}", _status(node) + left, info.restarts)
    restarts = 0 if info is None else info.restarts
    what = f"{_id(info, process.name)}{process.pid!r} {_kind(process, info)}"
    return _said(what, _status(node), restarts)


def _tree_node(pending: _Pending) -> TreeNode:
    process, info = pending.node
    return TreeNode(
        node=pending.number,
        above=pending.above,
        name=None if process is None or process.name is None else bounded(process.name),
        label=None if process is None else shown_text(process.label),
        id=None if info is None or info.id is None else bounded(info.id),
        kind=str(info and info.type) if process is None else _kind(process, info),
        status=_status(pending.node),
        restarts=0 if info is None else info.restarts,
        restart_in=None if info is None else info.restart_in,
        pid=None if process is None else process.pid._number,
    )


def _json_node(node: _Node) -> dict[str, Any]:
    process, info = node
    kind = str(info and info.type) if process is None else _kind(process, info)
    kind, _, strategy = kind.partition(" ")
    return {
        "pid": None if process is None else process.pid._number,
        "name": None if process is None else plain(process.name),
        "id": None if info is None else plain(info.id),
        "label": None if process is None else plain(process.label),
        "kind": kind,
        "strategy": strategy or None,
        "status": _status(node),
        "restarts": 0 if info is None else info.restarts,
        "restart_in": None if info is None else info.restart_in,
    }


def _status(node: _Node) -> str:
    if node.process is not None:
        return status_of(node.process)
    assert node.info is not None
    return "ended" if node.info.status == "running" else node.info.status


def _id(info: ChildInfo | None, name: object = None) -> str:
    """Return the id of a child, unless its pid is shown with the same name."""
    if info is None or info.id is None or info.id is name:
        return ""
    return f"{bounded(info.id)} "


def _kind(process: Process, info: ChildInfo | None) -> str:
    """Return what a process is: worker or supervisor and how it restarts, or linked, or neither."""
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
