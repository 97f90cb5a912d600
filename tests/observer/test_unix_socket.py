"""The socket of a program: who may make, open and remove what, with real users and processes."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from observed_kit import PACKAGE, has_room
from paths import SUPPORT

from trio_otp.observer.socket import client, discovery
from trio_otp.observer.socket.client import Client, Unreachable
from trio_otp.observer.socket.directory import UnsafeDirectory, own_directory
from trio_otp.observer.socket.discovery import NotChosen, Program, choose, one_of_each_run, programs
from trio_otp.observer.socket.unix_socket import SUFFIX, identity_of, is_welcome, listen, remove

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

OTHER = 61234  # a user that nobody is
LIMIT = 60  # seconds, most of which a busy machine takes to import Trio
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")


class Running:
    """A program with a socket."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.path = Path(self.line())

    def line(self) -> str:
        """Read a line that it says."""
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()

    def end(self) -> str:
        """Let it end; return what it says on its errors."""
        _, errors = self.process.communicate("\n", timeout=LIMIT)
        assert 0 == self.process.returncode
        return errors


@contextmanager
def running(*arguments: str) -> Iterator[Running]:
    """Run the program; kill it if it does not end."""
    process = subprocess.Popen(
        [sys.executable, str(SUPPORT / "socket_program.py"), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd="/",
        env={**os.environ, "PYTHONPATH": PACKAGE},
    )
    try:
        yield Running(process)
    finally:
        process.kill()
        process.communicate()


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


CONNECT = """
import os, socket, sys
uid = int(sys.argv[2])
os.setgroups([]), os.setgid(uid), os.setuid(uid)
connection = socket.socket(socket.AF_UNIX)
try:
    connection.connect(sys.argv[1])
    print("got", connection.recv(1000).decode())
except OSError as exc:
    print(type(exc).__name__)
"""


def connect_as(uid: int, path: Path) -> str:
    """Try the socket as another user; return what that gets."""
    command = [sys.executable, "-c", CONNECT, os.fspath(path), str(uid)]
    return subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=LIMIT, cwd="/"
    ).stdout.strip()


# -- the directory ---------------------------------------------------------------------------------


def test_it_is_in_the_runtime_directory(places: Path) -> None:
    """With mode 0700, and the same the next time."""
    assert places / "run" / "trio-otp" == own_directory() == own_directory()
    assert 0o700 == mode_of(own_directory())


@pytest.mark.parametrize("value", [None, "", "relative", "/nowhere"])
def test_without_a_runtime_directory_it_is_in_the_temporary_one(
    value: str | None, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the number of the user in its name."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    if value is not None:
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
    assert places / "tmp" / f"trio-otp-{os.geteuid()}" == own_directory()
    assert 0o700 == mode_of(own_directory())


@as_root
def test_a_runtime_directory_of_another_user_is_not_used(places: Path) -> None:
    """As `su` and `sudo` may leave it."""
    os.chown(places / "run", OTHER, OTHER)
    assert places / "tmp" == own_directory().parent


def test_a_link_is_refused(places: Path) -> None:
    """Even one that leads to a directory that would do."""
    good = places / "good"
    good.mkdir(mode=0o700)
    (places / "run" / "trio-otp").symlink_to(good)
    with pytest.raises(UnsafeDirectory, match="not a link"):
        listen()
    assert [] == list(good.iterdir())


def test_a_file_is_refused(places: Path) -> None:
    """Nothing is removed to make room."""
    (places / "run" / "trio-otp").write_text("mine")
    with pytest.raises(OSError, match="trio-otp"):
        listen()
    assert "mine" == (places / "run" / "trio-otp").read_text()


@pytest.mark.parametrize("mode", [0o755, 0o710, 0o701, 0o770, 0o500])
def test_a_directory_that_others_may_enter_is_refused(mode: int, places: Path) -> None:
    """It is not repaired: who has opened it may have things in it."""
    place = places / "run" / "trio-otp"
    place.mkdir()
    place.chmod(mode)
    with pytest.raises(UnsafeDirectory, match=f"expected mode 0700, got {mode:04o}"):
        listen()
    assert mode == mode_of(place)


@as_root
def test_a_directory_of_another_user_is_refused(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody else has made it first, where everybody may."""
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    place = places / "tmp" / f"trio-otp-{os.geteuid()}"
    place.mkdir(mode=0o700)
    os.chown(place, OTHER, OTHER)
    with pytest.raises(UnsafeDirectory, match=f"expected owner {os.geteuid()}, got {OTHER}"):
        listen()
    assert [] == programs()


# -- the socket ------------------------------------------------------------------------------------


def test_it_has_mode_0600_whatever_the_umask() -> None:
    """And its directory has no other names in it."""
    before = os.umask(0)
    try:
        made = listen()
    finally:
        os.umask(before)
    assert 0o600 == mode_of(made.path)
    assert [made.path] == list(made.path.parent.iterdir())
    made.close()
    assert [] == list(made.path.parent.iterdir())


def test_a_path_that_is_too_long_is_refused_in_words(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A system takes about a hundred bytes, and says less."""
    deep = places / ("x" * 90)
    deep.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", os.fspath(deep))
    with pytest.raises(OSError, match="expected a path of at most 100 bytes; set XDG_RUNTIME_DIR"):
        listen()


def test_a_program_removes_only_its_own_file() -> None:
    """Another file that has the name by now stays."""
    made = listen()
    made.path.unlink()
    made.path.write_text("another")
    made.close()
    assert "another" == made.path.read_text()
    remove(made.path, identity_of(made.path))
    assert not made.path.exists()


def test_a_socket_of_a_killed_program_is_removed() -> None:
    """By the next one that looks for programs, or that makes a socket."""
    for look in (programs, listen):
        with running() as killed:
            killed.process.kill()
            killed.process.wait()
            assert killed.path.is_socket()
            left = look()
        assert not killed.path.exists()
        if not isinstance(left, list):
            left.close()


def test_only_a_refusal_means_that_nobody_is_there() -> None:
    """A program that has no room for a connection, or is stopped, keeps its socket."""
    made = listen()
    with ExitStack() as waiting:
        waiting.callback(made.close)
        while has_room(made.path, waiting):
            pass
        waiting.callback(listen().close)
        assert made.path.is_socket()


def test_a_socket_that_leads_elsewhere_is_no_program(places: Path) -> None:
    """Links, files and directories with the name of a socket are left alone."""
    directory = own_directory()
    (directory / "1-a.sock").write_text("a file")
    (directory / "2-a.sock").mkdir()
    (directory / "3-a.sock").symlink_to(places / "nowhere")
    before = sorted(directory.iterdir())
    assert [] == programs()
    listen().close()
    assert before == sorted(directory.iterdir())


def test_sessions(places: Path) -> None:
    """A program answers, a session that fails ends alone, and at the end the socket is gone."""
    with running() as run:
        assert [run.process.pid] == [program.pid for program in programs()]
        with Client(run.path, os.geteuid()) as connection:
            with pytest.raises(Unreachable, match="hung up"):
                failing(run.path)
            assert ({"ask": "x"}, None) == connection.ask("x", result={"ask": "x"})
        errors = run.end()
        assert f"asked to fail by user {os.geteuid()}, pid {os.getpid()}" in errors
        assert not run.path.exists()
    assert [] == list((places / "run" / "trio-otp").iterdir())


def failing(path: Path) -> None:
    with Client(path, os.geteuid()) as connection:
        connection.ask("fail")


def test_users_that_are_let_in() -> None:
    """The same user and root, and nobody else; where the system does not tell, modes decide."""
    assert is_welcome((1, 1000), 1000)
    assert is_welcome((1, 0), 1000)
    assert not is_welcome((1, 1001), 1000)
    assert not is_welcome((1, 1000), 0)
    assert is_welcome(None, 1000)


@as_root
def test_another_user_cannot_open_it() -> None:
    """The directory keeps others out."""
    with running() as run:
        assert "PermissionError" == connect_as(OTHER, run.path)


@as_root
def test_another_user_gets_nothing_where_the_modes_let_one_in() -> None:
    """Who connects is asked of the system; root and the user of the program are let in."""
    with running(str(OTHER), "open") as run:
        # Its runtime directory is that of root, so it has taken the temporary one.
        assert f"trio-otp-{OTHER}" == run.path.parent.name
        assert "got" == connect_as(OTHER + 1, run.path)
        assert connect_as(OTHER, run.path).startswith('got {"hello"')
        assert connect_as(0, run.path).startswith('got {"hello"')
        assert f"refused a connection of user {OTHER + 1}" in run.end()


@as_root
def test_root_sees_the_programs_of_all_users() -> None:
    """Also without being told where; a directory that its owner has opened is left out."""
    with running(str(OTHER)) as run:
        assert [(run.path, OTHER)] == [(p.path, p.owner) for p in programs()]
        run.path.parent.chmod(0o755)
        assert [] == programs()


@as_root
def test_a_command_speaks_only_with_the_owner_of_the_directory() -> None:
    """A socket of another user may not pose as a program, or lead root to another socket."""
    with running(str(OTHER)) as run, pytest.raises(Unreachable, match="expected user 0"):
        Client(run.path, 0)


# -- hostile bytes ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "text"),
    [
        (b"", "hung up"),
        (b"\xff\xfe\n", "no JSON"),
        (b"[" * 200_000 + b"\n", "no JSON"),
        (b"[]\n", "no object"),
        (b"{}\n", "does not say hello"),
        (b'{"hello": {"pid": "x"}}\n', "does not say hello"),
        (b'{"hello": {"pid": 1, "version": 2}}\n', "speaks version 2, expected 1"),
    ],
)
def test_a_program_that_says_something_else(said: bytes, text: str) -> None:
    """A command says what is wrong, and `list` shows that program with it."""
    made = listen()
    with made.listener:
        for attempt in (lambda: Client(made.path, os.geteuid()), programs):
            result = attempt_while_saying(made.listener, said, attempt)
            assert text in result
    made.close()


def attempt_while_saying(listener: socket.socket, said: bytes, attempt: Any) -> str:
    """Answer one connection with bytes and hang up; return what comes of an attempt."""

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(said)

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        [found] = attempt()
    except Unreachable as exc:
        return str(exc)
    finally:
        thread.join(LIMIT)
    return str(found.silent)


def test_a_line_without_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody fills the memory of a command."""
    monkeypatch.setattr(client, "LONGEST", 100_000)
    made = listen()
    said = b"x" * 200_000
    result = attempt_while_saying(
        made.listener, said, lambda: Client(made.path, os.geteuid(), patience=LIMIT)
    )
    assert "a line of more than 100000 bytes" in result
    made.close()


def test_a_silent_program_is_listed_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that is stopped has the connection waiting; a limit ends that."""
    monkeypatch.setattr(discovery, "PATIENCE", 0.01)
    made = listen()
    [found] = programs()
    assert os.getpid() == found.pid
    assert "says nothing for 0.01 s" == str(found.silent).removeprefix("it ")
    made.close()


# -- which one -------------------------------------------------------------------------------------


def program(pid: int, name: str) -> Program:
    return Program(Path(f"{pid}{SUFFIX}"), 0, {"pid": pid, "program": name})


SHOPS = [program(1, "shop.app:Shop"), program(2, "shop.app:Shop"), program(3, "till:Till")]


def test_two_observers_of_one_run_are_one_program() -> None:
    """As of `--observe` and of a server in the tree; two runs in one process are two."""

    def observer(path: str, run: str, *, actions: bool = False) -> Program:
        hello = {"pid": 1, "program": "shop", "trio_run": run, "actions": actions}
        return Program(Path(path), 0, hello)

    looks, acts = observer("a", "first"), observer("b", "first", actions=True)
    other = observer("d", "second")
    assert [acts] == one_of_each_run([looks, acts]) == one_of_each_run([acts, looks])
    assert [looks, other] == one_of_each_run([looks, observer("c", "first"), other])


def test_choose() -> None:
    """The only one; else the one with the number, or with the name, or a part of it."""
    assert SHOPS[0] is choose(SHOPS[:1])
    assert SHOPS[1] is choose(SHOPS, pid=2)
    assert SHOPS[2] is choose(SHOPS, name="till:Till")
    assert SHOPS[2] is choose(SHOPS, name="Till")
    assert SHOPS[0] is choose(SHOPS, pid=1, name="shop")


def test_a_whole_name_outranks_a_part() -> None:
    """A program called like the beginning of another can be picked."""
    found = [program(1, "shop"), program(2, "shop2")]
    assert found[0] is choose(found, name="shop")


@pytest.mark.parametrize(
    ("found", "options", "lines"),
    [
        ([], {}, ["no program can be looked at", "trio-otp run shop.app:Shop --observe"]),
        (SHOPS, {}, ["pick with --pid", "  1  shop.app:Shop", "  3  till:Till"]),
        (SHOPS, {"name": "shop"}, ["pick with --pid", "  1  shop", "  2  shop"]),
        (SHOPS, {"pid": 4}, ["no program fits", "  1  shop", "  3  till:Till"]),
    ],
)
def test_none_and_several(found: list[Program], options: dict[str, Any], lines: list[str]) -> None:
    """It says how to start one, or what there is to pick from."""
    with pytest.raises(NotChosen) as caught:
        choose(found, **options)
    text = "\n".join(caught.value.args)
    assert [line for line in lines if line not in text] == []
