"""The tree as JSON, Mermaid and DOT."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from inside import MERMAID_NODES, TreeNode, as_mermaid

import trio_otp as otp


class Server(otp.GenServer):
    """Does nothing."""


async def forever() -> None:
    await trio.sleep_forever()


CHILDREN = [otp.child(Server).having(name='a "b" <c>'), otp.child(Server).having(id=("k", 2))]


async def test_json_has_an_object_for_each_line_of_the_text() -> None:
    """With what the line says, and the number of the node above it; those that are down as well."""
    async with otp.open_process(), otp.open_supervisor(CHILDREN, name="top") as sup:
        await otp.terminate_child(sup, ("k", 2))
        nodes = json.loads(otp.tree(output="json"))
        assert len(otp.tree().splitlines()) - 1 == len(nodes)  # but for "outside of supervisors:"
    top, first, down, plain = nodes
    assert ("'top'", "Supervisor", "supervisor one_for_one", "idle") == (
        top["name"],
        top["label"],
        top["kind"],
        top["status"],
    )
    assert [None, 0, 0, None] == [node["above"] for node in nodes]
    assert [0, 1, 2, 3] == [node["node"] for node in nodes]
    assert ("'a \"b\" <c>'", "worker", 0) == (first["name"], first["kind"], first["restarts"])
    assert ("('k', 2)", None, "undefined") == (down["id"], down["pid"], down["status"])
    assert ("open_process", "process") == (plain["label"], plain["kind"])


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
    wrong: Any = "svg"
    with pytest.raises(ValueError, match="output='svg': expected 'text', 'mermaid'"):
        otp.tree(output=wrong)


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
    return TreeNode(number, above, number, None, label, None, "worker", "idle", 0)
