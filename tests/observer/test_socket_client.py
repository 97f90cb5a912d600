"""What a command makes of a program that goes, has no room, or answers something else."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from observed_kit import has_room
from played_program import LIMIT, Line, played

from trio_otp import cli
from trio_otp.observer.socket import discovery, unix_socket
from trio_otp.observer.socket.client import Client, Unreachable
from trio_otp.observer.socket.directory import known_directories, own_directory
from trio_otp.observer.socket.discovery import programs
from trio_otp.observer.socket.unix_socket import UnixSocket, listen, sockets_in

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OTHER = 61234  # a user that nobody is
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


def client_of(made: UnixSocket) -> Client:
    return Client(made.path, os.geteuid(), patience=LIMIT)


# -- a connection that is lost ---------------------------------------------------------------------


def test_a_program_that_has_gone_before_it_is_asked() -> None:
    gone = threading.Event()

    def go(line: Line) -> None:
        line.connection.shutdown(socket.SHUT_RDWR)
        gone.set()

    with played(go) as made, client_of(made) as client:
        assert gone.wait(LIMIT)
        with pytest.raises(Unreachable, match=r"^the connection is lost: Broken pipe$"):
            client.ask("ps")


def test_a_program_that_goes_with_a_question_unread() -> None:
    """The system says that the connection was reset."""

    def go(line: Line) -> None:
        line.connection.recv(1, socket.MSG_PEEK)  # it is there, and stays there

    lost = pytest.raises(Unreachable, match=r"^the connection is lost: Connection reset")
    with played(go) as made, client_of(made) as client, lost:
        client.ask("ps")


def test_a_program_without_room_is_listed_as_such(capsys: Any) -> None:
    """As many connections wait as the system lets wait, and a command does not join them."""
    made = listen()
    with ExitStack() as waiting:
        waiting.callback(made.close)
        while has_room(made.path, waiting):
            pass
        with pytest.raises(Unreachable, match="no room for another connection"):
            client_of(made)
        assert 0 == cli.main(["list"])
        assert "it has no room for another connection" in capsys.readouterr().out


# -- answers ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", [17, "1", [1], {"a": 1}, 1.5])
def test_an_answer_to_another_question_is_passed_over(other: Any) -> None:
    """Whatever stands there for the number of the question."""

    def answer(line: Line) -> None:
        question = line.hear()
        line.say(id=other, result={"it": "is another's"})
        line.say(id=question["id"], result={"it": "is mine"})

    with played(answer) as made, client_of(made) as client:
        assert {"it": "is mine"} == client.ask("ps").result


@pytest.mark.parametrize("answer", [{}, {"result": None}, {"result": [1]}, {"error": "no"}])
def test_an_answer_without_a_result_is_none(answer: dict[str, Any]) -> None:
    def say(line: Line) -> None:
        line.say(id=line.hear()["id"], **answer)

    bad = pytest.raises(Unreachable, match="it answers without a result")
    with played(say) as made, client_of(made) as client, bad:
        client.ask("ps")


# -- programs that are looked for ------------------------------------------------------------------


def test_a_program_that_ends_while_it_is_looked_for_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its socket was in the directory, and is not there any more when it is opened."""

    def ending(directory: Path) -> Iterator[Any]:
        for path, identity in sockets_in(directory):
            path.unlink()
            yield path, identity

    monkeypatch.setattr(discovery, "sockets_in", ending)
    made = listen()
    assert [] == programs()
    assert not made.path.exists()
    made.close()


@as_root
def test_a_socket_that_another_user_has_left_stays(places: Path) -> None:
    """Root looks at it; by now its directory may be a link to anywhere."""
    directory = of_other(places / "tmp" / f"trio-otp-{OTHER}")
    bound_in(directory).close()
    assert [] == programs()
    assert [True] == [path.is_socket() for path in directory.iterdir()]


@as_root
def test_root_looks_into_the_runtime_directories_of_all(places: Path) -> None:
    """Those with a number for a name; others are not of a user."""
    runtime, found = places / "run-user", str(OTHER)
    parents = [runtime / found / "trio-otp", runtime / "lost+found" / "trio-otp"]
    with ExitStack() as listening:
        for directory in [*parents, places / "tmp" / "trio-otp-backup"]:
            directory.parent.mkdir(parents=True, exist_ok=True)
            listening.enter_context(bound_in(of_other(directory))).listen()
        assert [parents[0]] == [program.path.parent for program in programs()]


@as_root
def test_others_see_no_programs_but_their_own(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor do they look where those of others may be."""
    for user in (OTHER, OTHER + 1):
        directory = places / "tmp" / f"trio-otp-{user}"
        directory.mkdir(mode=0o700)
        os.chown(directory, user, user)
    monkeypatch.setattr(os, "geteuid", lambda: OTHER)
    assert [(places / "tmp" / f"trio-otp-{OTHER}", OTHER)] == list(known_directories())


def of_other(directory: Path) -> Path:
    """Make a directory of another user's for sockets."""
    directory.mkdir(mode=0o700)
    os.chown(directory, OTHER, OTHER)
    return directory


def bound_in(directory: Path) -> socket.socket:
    """Make a socket there on which nobody listens yet."""
    bound = socket.socket(socket.AF_UNIX)
    bound.bind(os.fspath(directory / "12-ab.sock"))
    return bound


# -- a socket that cannot be made ------------------------------------------------------------------


def test_a_socket_that_does_not_get_its_name_leaves_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where its name is taken by a directory, as nobody but its user can have made one."""
    monkeypatch.setattr(unix_socket.secrets, "token_hex", lambda _: "taken")
    (own_directory() / f"{os.getpid()}-taken.sock").mkdir()
    with pytest.raises(IsADirectoryError):
        listen()
    assert [f"{os.getpid()}-taken.sock"] == [path.name for path in own_directory().iterdir()]
