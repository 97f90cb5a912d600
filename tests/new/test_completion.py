"""`trio-otp completion`: real shells complete its commands, options and files."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import pytest
from terminal_kit import type_into

from trio_otp import cli

if TYPE_CHECKING:
    from pathlib import Path

SHELLS = ["bash", *(pytest.param(name, marks=pytest.mark.command) for name in ("zsh", "fish"))]
# In place of the real command: it shows what it was given.
SHOW = {
    "bash": 'trio-otp() { echo "given <$*>"; }\n',
    "zsh": 'trio-otp() { echo "given <$*>"; }\n',
    "fish": 'function trio-otp; echo "given <$argv>"; end\n',
}


@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.parametrize(
    ("typed", "given"),
    [
        ("ru\t", "run"),
        ("run --log-f\t", "run --log-format"),
        ("run --log-format j\t", "run --log-format json"),
        ("run --config sh\t", "run --config shop.toml"),
        ("compl\tz\t", "completion zsh"),
    ],
)
def test_a_shell_completes(
    shell: str, typed: str, given: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A script that an interactive shell has sourced completes what is begun."""
    (tmp_path / "shop.toml").touch()
    assert 0 == cli.main(["completion", shell])
    (tmp_path / "script").write_text(capsys.readouterr().out)

    if shell == "zsh" and typed.endswith("--log-f\t"):
        typed += "\t"  # at the first one it shows what the option is about
    keys = f"{SHOW[shell]}source ./script\ntrio-otp {typed}\n"
    assert f"given <{given}>" in " ".join(type_into(shell, tmp_path, keys, ">\r\n").split())


@pytest.mark.command
@pytest.mark.parametrize("how", ['eval "$(cat script)"', "fpath=(functions $fpath); compinit -u"])
def test_zsh_takes_the_script_in_other_ways_too(
    how: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`eval` does, as the manual says, and so does a file in a directory of functions."""
    cli.main(["completion", "zsh"])
    (tmp_path / "functions").mkdir()
    for name in ("script", "functions/_trio-otp"):
        (tmp_path / name).write_text(capsys.readouterr().out or (tmp_path / "script").read_text())

    keys = f"autoload -Uz compinit\n{SHOW['zsh']}{how}\ntrio-otp ru\t\n"
    assert "given <run>" in type_into("zsh", tmp_path, keys, ">\r\n")


def test_without_shtab_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The tool behind it is an extra, which the error names."""
    real = builtins.__import__

    def no_shtab(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "shtab":
            raise ModuleNotFoundError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", no_shtab)
    assert 2 == cli.main(["completion", "bash"])
    assert "pip install 'trio-otp[completion]'" in capsys.readouterr().err
