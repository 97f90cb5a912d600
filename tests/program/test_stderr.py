"""Writing to standard error when something is wrong with it."""

from __future__ import annotations

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from inside import flush_errors, write_last, write_now

if TYPE_CHECKING:
    import pytest


def test_a_stream_that_is_no_file_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a notebook: the object itself is written to."""
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    write_now("now\n")
    write_last("last\n")
    flush_errors()
    assert "now\nlast\n" == stream.getvalue()


def test_a_stream_that_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be written is dropped."""
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    stream.close()
    write_now("now")
    monkeypatch.setattr(sys, "stderr", None)
    write_now("now")
    write_last("last")
    flush_errors()


def test_a_disk_that_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the buffers hold is dropped, so that Python can end with the status of the program."""
    with open("/dev/full", "w", encoding="utf-8") as full:  # noqa: PTH123 - a device
        monkeypatch.setattr(sys, "stderr", full)
        write_now("now")
        write_last("last")
        flush_errors()
        full.flush()  # the buffer goes nowhere, without an error


def test_a_text_of_any_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names of files may hold bytes that are no text; they come out escaped."""
    reader, writer = os.pipe()
    with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a pipe
        monkeypatch.setattr(sys, "stderr", stream)
        write_now("a\udc80 \u2028\n")
    with open(reader, "rb") as stream_of_bytes:  # noqa: PTH123 - a pipe
        assert b"a\\udc80 \xe2\x80\xa8\n" == stream_of_bytes.read()


def test_a_pipe_without_room_waits_for_its_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that does not block: the rest is written when the reader has taken some."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    text = "x" * 1_000_000
    with open(reader, "rb") as source, ThreadPoolExecutor() as pool:  # noqa: PTH123 - a pipe
        read = pool.submit(source.read)
        with open(writer, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a pipe
            monkeypatch.setattr(sys, "stderr", stream)
            monkeypatch.setattr("trio_otp._program.stderr.PATIENCE", 60.0)
            write_now(text)
        assert text.encode() == read.result()
