"""One epmd and one node of Elixir for all tests, and a node of ours for each."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest
from beam_kit import COOKIE, Beam, Epmd
from cluster_kit import Tls, open_desks

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from beam_kit import Orders

_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def epmd() -> Iterator[Epmd]:
    """A port mapper of these tests alone."""
    daemon = Epmd()
    yield daemon
    daemon.close()


@pytest.fixture(scope="session")
def beam(epmd: Epmd) -> Iterator[Beam]:
    """A node of Elixir that no test ends."""
    node = Beam(epmd).wait_up()
    yield node
    node.close()


@pytest.fixture
def cookie_file(tmp_path: Path) -> Path:
    """A cookie file as Erlang wants it, for its owner alone."""
    path = tmp_path / "cookie"
    path.touch(0o600)
    path.write_text(f"{COOKIE}\n")
    return path


@pytest.fixture
def name() -> str:
    """A name for a node that no other test has."""
    return f"py{next(_numbers)}@127.0.0.1"


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """What nodes of one cluster show each other."""
    return Tls(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def tls_beam(epmd: Epmd, tls: Tls) -> Iterator[Beam]:
    """A node of Elixir that speaks TLS."""
    node = Beam(epmd, "tls", erl=tls.erl).wait_up()
    yield node
    node.close()


@pytest.fixture
async def ex(
    request: pytest.FixtureRequest, name: str, cookie_file: Path, epmd: Epmd
) -> AsyncIterator[Orders]:
    """Orders to Elixir, from a node with desks that it calls `PY`; with the parameter, over TLS."""
    is_tls = getattr(request, "param", "") == "tls"
    node: Beam = request.getfixturevalue("tls_beam" if is_tls else "beam")
    options = {"tls": request.getfixturevalue("tls").contexts} if is_tls else {}
    async with open_desks(name, cookie_file, epmd, **options), node.open(PY=name) as orders:
        yield orders
