"""The tree as JSON, Mermaid and DOT."""

from __future__ import annotations

import enum
import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st
from inside import MERMAID_NODES, TreeNode, as_mermaid

import trio_otp as otp

if TYPE_CHECKING:
    from collections.abc import Iterator


class Server(otp.GenServer):
    """Does nothing."""


class Sub(otp.Supervisor):
    """Has one child."""

    def init(self) -> otp.SupervisorSpec:
        return self.spec([otp.child(Server).having(name="inner")], strategy="rest_for_one")


async def forever() -> None:
    await trio.sleep_forever()


CHILDREN = [otp.child(Server).having(name='a "b" <c>'), otp.child(Server).having(id=("k", 2))]


class Kind(enum.Enum):
    """A name that is no str."""

    CACHE = 1


async def test_json_is_nested_with_plain_names_and_a_version() -> None:
    """One object for each line of the text, in its order; those that are down as well."""
    children = [*CHILDREN, otp.child(Server).having(name=Kind.CACHE), otp.child(Sub)]
    async with otp.open_process(), otp.open_supervisor(children, name="top") as sup:
        await otp.terminate_child(sup, ("k", 2))
        tree = json.loads(otp.tree(output="json"))
        assert len(otp.tree().splitlines()) - 1 == len(list(flat(tree["processes"])))
    assert 1 == tree["version"]
    [top, plain] = tree["processes"]
    children = top.pop("children")
    assert {
        "pid": 2,
        "name": "top",
        "id": None,
        "label": "Supervisor",
        "kind": "supervisor",
        "strategy": "one_for_one",
        "status": "idle",
        "restarts": 0,
        "restart_in": None,
    } == top
    [first, down, named, sub] = children
    assert ('a "b" <c>', "worker", None, []) == values(first, "name kind strategy children")
    assert (None, None, "('k', 2)", "undefined") == values(down, "pid name id status")
    assert ("Kind.CACHE", "Kind.CACHE") == values(named, "name id")
    [below] = sub["children"]
    assert ("Sub", "rest_for_one", "inner") == (sub["id"], sub["strategy"], below["name"])
    assert ("open_process", "process", []) == values(plain, "label kind children")


async def test_json_of_a_long_chain_of_links_is_no_deeper_than_readers_go() -> None:
    """What is deeper stands beside the last one, with the pid of the one above it."""
    many = 120

    async def link(left: int) -> None:
        if left:
            await otp.start_link(otp.child(link, left - 1))
        await trio.sleep_forever()

    async with otp.open_supervisor([otp.child(link, many - 1)]) as sup:
        await trio.testing.wait_all_tasks_blocked()
        text = otp.tree(sup, output="json")
    nodes = list(flat(json.loads(text)["processes"]))
    assert 1 + many == len(nodes)
    assert list(range(1, 2 + many)) == [node["pid"] for node in nodes]
    lifted = [node for node in nodes if "above" in node]
    assert [node["pid"] - 1 for node in lifted] == [node["above"] for node in lifted]
    assert 1 + many - 50 == len(lifted)
    depth = deepest = 0
    for char in text:
        depth += (char in "[{") - (char in "]}")
        deepest = max(deepest, depth)
    assert 102 == deepest


def flat(nodes: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for node in nodes:
        yield node
        yield from flat(node["children"])


def values(node: dict[str, Any], keys: str) -> tuple[Any, ...]:
    return tuple(node[key] for key in keys.split())


async def test_mermaid_and_dot_have_a_node_for_each_and_an_edge_to_the_one_above() -> None:
    """What names contain does not break the syntax."""
    async with otp.open_supervisor(CHILDREN, name="top") as sup:
        assert """flowchart TD
  n0["'top' Supervisor<br>supervisor one_for_one, idle"]
  n1["'a #quot;b#quot; #lt;c#gt;' Server<br>worker, idle"]
  n2["('k', 2) Server<br>worker, idle"]
  n0 --> n1
  n0 --> n2""" == otp.tree(output="mermaid")
        assert r"""digraph processes {
  node [shape=box];
  n0 [label="'top' Supervisor\nsupervisor one_for_one, idle"];
  n1 [label="'a \"b\" <c>' Server\nworker, idle"];
  n2 [label="('k', 2) Server\nworker, idle"];
  n0 -> n1;
  n0 -> n2;
}""" == otp.tree(sup, output="dot")


async def test_a_format_that_is_unknown_is_refused() -> None:
    """With what is accepted."""
    wrong: Any = "png"
    with pytest.raises(ValueError, match="output='png': expected 'text', 'svg', 'mermaid'"):
        otp.tree(output=wrong)


def test_mermaid_counts_restarts() -> None:
    """One is a restart, two are restarts."""
    for number, text in ((0, "idle"), (1, "idle, 1 restart"), (2, "idle, 2 restarts")):
        node = TreeNode(0, None, "a", "A", None, "worker", "idle", number)
        assert f'["a A<br>worker, {text}"]' in as_mermaid([node])


async def test_a_tree_too_large_for_mermaid_is_folded() -> None:
    """Children that are alike are one node with their number; the other formats show all."""
    many = MERMAID_NODES + 100
    async with (
        otp.open_process(),
        otp.open_supervisor([otp.DynamicSupervisor]) as sup,
    ):
        [pool] = await otp.which_children(sup)
        assert pool.pid is not None
        for _ in range(many):
            await otp.start_child(pool.pid, otp.child(forever))
        text = otp.tree(output="mermaid")
        assert many < otp.tree(output="dot").count("->")
    assert 2 == text.count("-->")
    assert f"forever<br>worker, running<br>{many} of these" in text


NODES = st.lists(st.tuples(st.floats(0, 1), st.sampled_from("ab"), st.booleans()), max_size=30)


@given(NODES)
def test_folding_loses_nobody(shapes: list[tuple[float, str, bool]]) -> None:
    """The numbers of the nodes add up, and every edge has both its ends."""
    big = [node_at(0, None, "root"), *(node_at(n, 0, "leaf") for n in range(1, MERMAID_NODES + 1))]
    for where, label, top in shapes:
        above = None if top else int(where * (len(big) - 1))
        big.append(node_at(len(big), above, label))
    text = as_mermaid(big)
    nodes = re.findall(r'^  (n\d+)\[".*?(?:<br>(\d+) of these)?"\]$', text, re.MULTILINE)
    assert len(big) == sum(int(times or 1) for _, times in nodes)
    ends = {end for edge in re.findall(r"(n\d+) --> (n\d+)", text) for end in edge}
    assert ends <= {name for name, _ in nodes}


def node_at(number: int, above: int | None, label: str) -> TreeNode:
    return TreeNode(number, above, None, label, None, "worker", "idle", 0)
