"""Inputs for fuzzing: real boot files with bytes changed, moved, doubled and cut, and plain noise."""

from __future__ import annotations

from pathlib import Path

from hypothesis import strategies as st

from tests.trees import SAMPLES

CORPUS = Path(__file__).parent / "corpus"
"""Inputs that once were a bug, by target: each is tried first, for ever."""

_INTERESTING = (
    b"", b"\0", b"\n", b"\r\n", b"\t", b" ", b'"', b"'", b"=", b"#", b"[", b"]", b":", b"\\",
    b"--", b"title ", b"options ", b"linux ", b"version ", b"[defaultboot]\n", b"defaultauto\n",
    b"target=/boot\n", b"parameters=", b"parmfile=/boot/parmfile\n", b"prot_virt=1",
    b"swiotlb=", b"\xff", b"\xc3\xa9", b"\xef\xbb\xbf", b"\x1b[2J", b"{", b"&a ", b"*a", b"- ",
)  # fmt: skip


def sample_bytes(*patterns: str) -> tuple[bytes, ...]:
    """The contents of the sample files that match, as a base to mutate."""
    files = [file for pattern in patterns for file in sorted(SAMPLES.glob(pattern))]
    assert files
    return tuple(file.read_bytes() for file in files if file.is_file())


@st.composite
def mutated(draw: st.DrawFn, bases: tuple[bytes, ...]) -> bytes:
    """One of the bases with up to eight mutations, or anything at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=400))
    data = bytearray(draw(st.sampled_from(bases)))
    for _ in range(draw(st.integers(0, 8))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.integers(0, 40)))
        kind = draw(st.integers(0, 3))
        if kind == 0:
            data[start:end] = draw(st.sampled_from(_INTERESTING))
        elif kind == 1:
            data[start:start] = draw(st.binary(max_size=8))
        elif kind == 2:
            data[start:start] = data[start:end]
        else:
            del data[start:end]
    return bytes(data)


def corpus(target: str) -> tuple[bytes, ...]:
    """What was found for a target before."""
    return tuple(file.read_bytes() for file in sorted((CORPUS / target).glob("*")))
