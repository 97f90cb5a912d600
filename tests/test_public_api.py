"""The public API is what `tests/data/public_api.txt` says: a change of it is a change of that file.

It has names, signatures and what classes offer, so that nothing is renamed, dropped or given other
arguments unnoticed.
"""

from __future__ import annotations

import difflib

from public_api import FILE, text


def test_the_public_api_is_the_one_that_is_written_down() -> None:
    """If the change is meant, renew the file: `python tests/support/public_api.py`."""
    expected = FILE.read_text(encoding="utf-8").splitlines()
    changed = list(difflib.unified_diff(expected, text().splitlines(), lineterm="", n=0))

    assert [] == changed, "if this is meant: python tests/support/public_api.py"
