"""The directory in which the nodes of one program find each other."""

from __future__ import annotations

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest

from trio_otp.cluster.neighbours import Neighbours

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def parent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where the directories are made; its path is short, as that of a socket has to be."""
    with TemporaryDirectory() as directory:
        monkeypatch.setattr("tempfile.tempdir", directory)
        yield Path(directory)


def left(parent: Path, name: str) -> Path:
    """Make a directory as a program leaves it that is killed."""
    directory = parent / name
    directory.mkdir()
    for file in ("socket", "lock"):
        (directory / file).touch()
    return directory


def test_what_a_killed_program_has_left_goes(parent: Path) -> None:
    gone, another = left(parent, "trio_otp-killed"), left(parent, "of_somebody")
    first, listener = Neighbours.make("a@h")
    assert not gone.exists()
    assert another.exists()
    second, other_listener = Neighbours.make("b@h")
    assert first.directory.exists()  # it lives
    for made, sock in ((first, listener), (second, other_listener)):
        sock.close()
        made.remove()
        made.remove()  # a second time does nothing
        assert not made.directory.exists()


def test_what_may_not_be_taken_for_left_stays(parent: Path) -> None:
    """One that is being made, a file, and a link to what is not ours."""
    (parent / "trio_otp-made").mkdir()
    (parent / "trio_otp-made" / "new").touch()
    (parent / "trio_otp-file").touch()
    target = left(parent, "target")
    (parent / "trio_otp-link").symlink_to(target, target_is_directory=True)
    made, listener = Neighbours.make("a@h")
    listener.close()
    made.remove()
    names = ["target", "trio_otp-file", "trio_otp-link", "trio_otp-made"]
    assert sorted(each.name for each in parent.iterdir()) == names
    assert sorted(each.name for each in target.iterdir()) == ["lock", "socket"]


def test_directories_of_other_users_stay(parent: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = left(parent, "trio_otp-theirs")
    user = os.geteuid() + 1
    monkeypatch.setattr("os.geteuid", lambda: user)
    made, listener = Neighbours.make("a@h")
    listener.close()
    made.remove()
    assert theirs.exists()


def test_a_directory_that_cannot_be_locked_does_not_stay(
    parent: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The error is that of the system, as where a file system has no locks."""

    def fail(descriptor: int, operation: int) -> None:
        raise OSError(95, "no locks here")

    monkeypatch.setattr("fcntl.flock", fail)
    before = os.listdir("/proc/self/fd")  # noqa: PTH208 - names alone
    with pytest.raises(OSError, match="no locks here"):
        Neighbours.make("a@h")
    assert list(parent.iterdir()) == []
    assert os.listdir("/proc/self/fd") == before  # noqa: PTH208 - as above
