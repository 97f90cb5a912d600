"""Settings of a whole program, from a TOML file or a dict, and which of several values counts."""

from __future__ import annotations

import enum
import os
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from inside import fit, open_block, read_config

import trio_otp as otp


class Colour(enum.Enum):
    RED = "red"
    GREEN = "green"


class Store(otp.Application):
    environment = {"path": Path("shop.db"), "sizes": (1, 2), "fsync": True}  # noqa: RUF012


class Shop(otp.Application):
    dependencies = (Store,)
    environment = {  # noqa: RUF012
        "port": 80,
        "rate": 0.5,
        "greeting": "hello",
        "limit": None,
        "colour": Colour.RED,
        "limits": {"a": 1},
        "hosts": ["localhost"],
    }


KNOWN: dict[str, type[otp.Application]] = {"shop": Shop, "store": Store}


def write(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "app.toml"
    file.write_text(text, encoding="utf-8")
    return file


# -- what is read ----------------------------------------------------------------------------------


async def test_each_application_has_its_table(tmp_path: Path) -> None:
    """Also those that the program depends on; values come as the type of their default."""
    file = write(
        tmp_path,
        """
        [shop]
        port = 8080
        rate = 2
        limit = 2026-01-02
        colour = "green"
        limits = { b = 2 }
        [store]
        path = "/var/lib/shop.db"
        sizes = [3]
        fsync = false
        """,
    )
    async with otp.open_application(Shop, config=file):
        assert {
            "port": 8080,
            "rate": 2.0,
            "greeting": "hello",
            "limit": date(2026, 1, 2),
            "colour": Colour.GREEN,
            "limits": {"b": 2},
            "hosts": ["localhost"],
        } == otp.application.get_all_env("shop")
        expected = {"path": Path("/var/lib/shop.db"), "sizes": (3,), "fsync": False}
        assert expected == otp.application.get_all_env("store")


async def test_an_argument_outranks_the_configuration() -> None:
    """Defaults, then the configuration, then arguments and what is put."""
    config = {"shop": {"port": 1, "greeting": "file"}}
    async with otp.open_application(Shop, config=config, environment={"port": 2}) as shop:
        assert (2, "file", 0.5) == tuple(shop.environment[k] for k in ("port", "greeting", "rate"))
        otp.application.put_env("shop", "greeting", "put")
        assert "put" == shop.environment["greeting"]


async def test_the_configuration_lasts_for_the_run() -> None:
    """An argument ends with its application; the configuration is there at the next start."""
    async with open_block():
        async with otp.open_application(
            Shop, config={"shop": {"port": 1}}, environment={"port": 2}
        ):
            pass
        await otp.application.ensure_all_started(Shop)
        assert 1 == otp.application.get_env("shop", "port")


def test_two_runs_share_no_configuration(tmp_path: Path) -> None:
    """It belongs to the run that was opened with it (law 7)."""
    ports: list[int] = []

    class Port(Shop):
        name = "shop"

        def start(self) -> Any:
            ports.append(self.environment["port"])
            return otp.Supervisor.spec([], auto_shutdown="never")

    async def main(config: Any) -> None:
        async with otp.open_application(Port, config=config):
            pass

    trio.run(main, {"shop": {"port": 1}})
    trio.run(main, None)
    assert [1, 80] == ports


@given(
    st.dictionaries(
        st.sampled_from(list(Shop.environment)),
        st.one_of(
            st.integers(-9, 9),
            st.booleans(),
            st.floats(allow_nan=False, allow_infinity=False),
            st.text(max_size=5),
            st.lists(st.integers(0, 9), max_size=2),
            st.dictionaries(st.text("ab", min_size=1), st.integers(0, 9), max_size=2),
        ),
    )
)
def test_any_value_is_taken_as_its_type_or_refused(table: dict[str, Any]) -> None:
    """A table is refused exactly if one of its values does not fit; the error names one."""
    try:
        read = read_config({"shop": table}, KNOWN)
    except otp.SpecError as exc:
        refused = str(exc)
    else:
        refused = ""
        assert ["shop"] == list(read)
        assert list(table) == list(read["shop"])
    assert bool(refused) == any(not fits(key, value) for key, value in table.items())
    assert not refused or any(f"[shop] {key} = " in refused for key in table)


def fits(key: str, value: object) -> bool:
    """Tell by a table of types whether a setting takes a value."""
    accepted: dict[str, tuple[type, ...]] = {
        "port": (int,),
        "rate": (int, float),
        "greeting": (str,),
        "limits": (dict,),
        "hosts": (list,),
    }
    if key == "colour":
        return value in ("red", "green", "RED", "GREEN")
    return key == "limit" or type(value) in accepted[key]


class Text(str):
    __slots__ = ()


@pytest.mark.parametrize(
    ("default", "value", "expected"),
    [
        (0.5, 2, 2.0),
        (frozenset({1}), [2, 2], frozenset({2})),
        ((1,), [], ()),
        (Path(), "x", Path("x")),
        (Colour.RED, "GREEN", Colour.GREEN),
        (None, [1], [1]),
        (True, False, False),
        ("red", Text("blue"), Text("blue")),
    ],
)
def test_values_that_fit(default: object, value: object, expected: object) -> None:
    """A file knows fewer types than Python, so some stand for others."""
    result = fit(default, value)
    assert (type(expected), expected) == (type(result), result)


# -- what is refused -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[shop]\nport = '8080'", "[shop] port = '8080': expected a whole number"),
        ("[shop]\nport = true", "[shop] port = True: expected a whole number"),
        ("[store]\nfsync = 1", "[store] fsync = 1: expected true or false"),
        ("[shop]\nrate = false", "[shop] rate = False: expected a number"),
        ("[shop]\ncolour = 'blue'", "[shop] colour = 'blue': expected one of 'red', 'green'"),
        ("[shop]\nlimits = 5", "[shop] limits = 5: expected a table"),
        ("[store]\npath = 5", "[store] path = 5: expected PosixPath"),
        ("[shop]\nprot = 1", "has no setting 'prot'; its settings are: port, rate, greeting"),
        ("[shop]\nprot = 1", "did you mean 'port'?"),
        ("[shp]\nport = 1", "no application 'shp'; expected one of [store], [shop]"),
        ("[shp]\nport = 1", "did you mean [shop]?"),
        ("port = 1", "port=1 is outside any table; expected settings in tables"),
        ("[shop\n", "not TOML: Expected ']'"),
        ("[shop]\nlimit = " + "[" * 5000 + "]" * 5000, "not TOML: "),
        ("[shop]\nport = " + "1" * 5000, "not TOML: "),
        ("[shop]\nrate = 1" + "0" * 400, "expected a number"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    """The error has the file, the key, the value and what is accepted; nothing runs."""
    file = write(tmp_path, text)
    with pytest.raises(otp.SpecError) as caught:
        otp.run(Shop, config=file)
    assert str(caught.value).startswith(f"{file}: ")
    assert said in str(caught.value)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    """The error has its path and why."""
    with pytest.raises(otp.SpecError, match=r"nowhere\.toml: cannot read it: No such file"):
        otp.run(Shop, config=tmp_path / "nowhere.toml")
    (tmp_path / "binary.toml").write_bytes(b"\xff")
    with pytest.raises(otp.SpecError, match=r"binary\.toml: not UTF-8 text"):
        otp.run(Shop, config=tmp_path / "binary.toml")
    with pytest.raises(TypeError, match="config=5: expected the path of a TOML file"):
        otp.run(Shop, config=5)  # type: ignore[arg-type]


@pytest.mark.parametrize("default", [set(), frozenset()])
def test_an_array_that_cannot_be_in_a_set(default: object) -> None:
    """It is a value of the wrong type as others are."""
    with pytest.raises(ValueError, match="set"):
        fit(default, [[1]])


def test_a_file_that_is_too_large(tmp_path: Path) -> None:
    """It is not read to its end, which may be nowhere."""
    path = write(tmp_path, "")
    with path.open("wb") as file:
        file.truncate(2**30)
    for each in (path, Path("/dev/zero")):
        with pytest.raises(otp.SpecError, match="larger than 1048576 bytes"):
            otp.run(Shop, config=each)


async def test_a_file_that_cannot_be_looked_at_is_a_mistake_the_second_time_too(
    tmp_path: Path,
) -> None:
    """As it is the first time."""
    path = write(tmp_path, "[shop]\nport = 5")
    async with otp.open_application(Shop, config=path) as app:
        for wrong in ("x" * 5000, tmp_path, path / "app.toml", tmp_path / "nowhere"):
            with pytest.raises(otp.SpecError, match="cannot read it: "):
                await otp.application.reload_config(wrong)
        assert 5 == app.environment["port"]


async def test_what_is_no_file_is_not_read_again(tmp_path: Path) -> None:
    """A pipe would be empty the second time, as if nothing had been set, or block the loop."""
    path = write(tmp_path, "[shop]\nport = 5")
    async with otp.open_application(Shop, config=path) as app:
        path.unlink()
        os.mkfifo(path)
        with pytest.raises(otp.SpecError, match="cannot read it again: expected a file"):
            await otp.application.reload_config()
        assert 5 == app.environment["port"]


async def test_a_mistake_changes_nothing() -> None:
    """A block that is not opened leaves no settings behind."""
    async with otp.open_application(Store, config={"store": {"fsync": False}}):
        with pytest.raises(otp.SpecError):
            async with otp.open_application(Shop, config={"store": {"fsync": True, "x": 1}}):
                pass
        assert otp.application.get_env("store", "fsync") is False


# -- the command -----------------------------------------------------------------------------------

PROGRAM = """
import trio, trio_otp as otp
class Store(otp.Application):
    environment = {"path": "shop.db"}
    def start(self):
        print("store", dict(self.environment), flush=True)
        return otp.Supervisor.spec([])
class Shop(otp.Application):
    dependencies = (Store,)
    environment = {"port": 80, "greeting": "hello"}
    def start(self):
        print("shop", dict(self.environment), flush=True)
        job = otp.child(trio.lowlevel.checkpoint).having(significant=True, restart="temporary")
        return otp.Supervisor.spec([job], auto_shutdown="any_significant")
"""


def command(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in a directory with a program."""
    (directory / "config_shop.py").write_text(PROGRAM)
    return subprocess.run(
        [sys.executable, "-m", "trio_otp", "run", "config_shop:Shop", *arguments],
        cwd=directory,
        env={**os.environ, "PYTHONPATH": str(Path(otp.__file__).parents[1])},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_command_reads_a_file(tmp_path: Path) -> None:
    """`--config` sets the settings of every application, and `--set` outranks it."""
    file = write(tmp_path, "[shop]\nport = 1\ngreeting = 'hi'\n[store]\npath = 'x.db'\n")
    done = command(tmp_path, "--config", file.name, "--set", "port=2")

    assert 0 == done.returncode, done.stderr
    expected = "store {'path': 'x.db'}\nshop {'port': 2, 'greeting': 'hi'}\n"
    assert expected == done.stdout


def test_the_command_refuses_a_wrong_file(tmp_path: Path) -> None:
    """The status is 2, the error one line, and nothing has started."""
    file = write(tmp_path, "[shop]\nport = 'x'\n")
    done = command(tmp_path, "--config", file.name)

    said = "trio-otp: error: --config app.toml: [shop] port = 'x': expected a whole number\n"
    assert (2, "", said) == (done.returncode, done.stdout, done.stderr)


def test_toml_is_not_imported_until_it_is_needed() -> None:
    """Importing the library does not import the parser."""
    parser = "sys.modules.pop('tomllib', None)"  # what measures the coverage may have imported it
    code = f"import sys; {parser}; import trio_otp; print('tomllib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )

    assert "False\n" == done.stdout
