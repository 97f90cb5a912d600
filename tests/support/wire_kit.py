"""What tests of the distribution protocol share: terms of every kind, and how they travel."""

from __future__ import annotations

from typing import Any, Final

from hypothesis import strategies as st

from trio_otp.cluster import Atom, BitString, ImproperList, Map
from trio_otp.cluster.wire.codec import Codec
from trio_otp.cluster.wire.opaque import make_pid, make_reference
from trio_otp.cluster.wire.terms import exact

PID: Final = make_pid("py@host", 17, 3, 0x6789_ABCD)
OTHER: Final = make_pid("ex@host", 4, 5, 6)
REF: Final = make_reference("ex@host", 0x1234_5678, (5, 0, 0xFFFF_FFFF))
CODEC: Final = Codec()

NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=255)
ATOMS = NAMES.filter(lambda name: name not in {"nil", "true", "false"}).map(Atom)
LEAVES: Final[st.SearchStrategy[Any]] = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(60, 3000).map(lambda power: 7 << power),
    st.integers(0, 300),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.binary(),
    ATOMS,
    st.sampled_from([PID, REF]),
    st.builds(BitString, st.binary(min_size=1), st.integers(1, 7)),
)


def _containers(terms: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    # Hypothesis writes a strategy down when a key is drawn twice; whole it would grow by the level.
    inner = st.composite(lambda draw: draw(terms))()
    pairs = st.tuples(inner, inner)
    return st.one_of(
        st.lists(inner),
        st.lists(inner).map(tuple),
        st.lists(st.integers(0, 255)),
        st.dictionaries(LEAVES, inner),
        st.lists(pairs, unique_by=lambda pair: exact(pair[0])).map(Map),
        st.builds(ImproperList, st.lists(inner, min_size=1), LEAVES),
    )


def _holds_apart(term: object) -> bool:
    """Check whether there are no keys in it that are one in Erlang, as a text and its bytes."""
    try:
        CODEC.encode_term(term)
    except TypeError as exc:
        return "are one key there" not in str(exc)
    return True


TERMS: Final[st.SearchStrategy[Any]] = st.recursive(LEAVES, _containers, max_leaves=30).filter(
    _holds_apart
)


def there_and_back(term: object) -> Any:
    """Return what a term is for the Python that gets it."""
    return CODEC.decode_term(CODEC.encode_term(term))
