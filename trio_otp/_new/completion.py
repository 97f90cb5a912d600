"""`trio-otp completion`: a script by which a shell completes commands and options.

    eval "$(trio-otp completion bash)"      in ~/.bashrc
    eval "$(trio-otp completion zsh)"       in ~/.zshrc
    trio-otp completion fish | source       in ~/.config/fish/config.fish

https://tqdm.github.io/shtab writes it from the parser. It comes with the extra `completion`.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

SHELLS = ("bash", "zsh", "fish")
# shtab's own question is whether `eval` runs the script. `source` is to do as well, and also where
# nobody has turned on completion; only a script in a directory of `fpath` is called by its name.
ASKED = "if [[ $zsh_eval_context[-1] == eval ]]; then\n"
BETTER = (
    "if [[ $zsh_eval_context[-1] != loadautofunc ]]; then\n"
    "  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }\n"
)


def script(parser: argparse.ArgumentParser, shell: str) -> str:
    """Return the script for a shell.

    Raises:
        ModuleNotFoundError: shtab is not installed; the text says how to install it.
    """
    try:
        import shtab  # noqa: PLC0415 - only this command needs it
    except ModuleNotFoundError:
        how = "pip install 'trio-otp[completion]'"
        raise ModuleNotFoundError(f"shtab is not installed; {how}", name="shtab") from None
    for action in _actions(parser):
        if action.metavar == "FILE":
            action.complete = shtab.FILE
    return shtab.complete(parser, shell).replace(ASKED, BETTER)


def _actions(parser: argparse.ArgumentParser) -> Iterator[Any]:
    """Yield the options of a parser and of its commands."""
    actions: list[Any] = parser._actions  # argparse has no public way to them, and shtab no other
    for action in actions:
        yield action
        if action.nargs == argparse.PARSER:  # its choices are `{command: its parser}`
            for command in action.choices.values():
                yield from _actions(command)
