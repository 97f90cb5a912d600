"""Where things are, for tests of any folder."""

from __future__ import annotations

from pathlib import Path
from typing import Final

SUPPORT: Final = Path(__file__).parent
TESTS: Final = SUPPORT.parent
DATA: Final = TESTS / "data"
ROOT: Final = TESTS.parent
