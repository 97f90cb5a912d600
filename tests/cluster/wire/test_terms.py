"""Terms between two Pythons: each comes back as the same one, and bad ones never leave."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from wire_kit import TERMS, there_and_back

from trio_otp.cluster.wire.terms import exact


@given(TERMS)
def test_every_term_comes_back_equal(term: Any) -> None:
    """Also by type, which `==` does not look at: an atom is no str, 1 is not 1.0."""
    assert exact(term) == exact(there_and_back(term))
