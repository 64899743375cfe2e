from __future__ import annotations

import pytest

from secboot.kernel.buffer_size import share

GIB = 2**30


@pytest.mark.parametrize(
    ("blocks", "memory", "said"),
    [
        (262144, 2 * GIB, None),
        (262144, 2 * GIB - 1, "512 MiB takes more than a quarter"),
        (262144, GIB, "of 512 MiB takes more than a quarter of the guest's 1 GiB of memory"),
        (524288, 2 * GIB, "of 1 GiB takes more than a quarter of the guest's 2 GiB of memory"),
        (524288, 4 * GIB, None),
        # Kernels since 6.0 round it up to 512 MiB.
        (200000, GIB, "of 512 MiB takes more"),
        (32768, 256 * 2**20, None),
    ],
)
def test_the_share_of_the_memory(blocks: int, memory: int, said: str | None) -> None:
    found = share(blocks, memory)

    assert (found is None) if said is None else (found is not None and said in found.message)


def test_the_hint_names_enough_memory() -> None:
    found = share(262144, GIB)

    assert found is not None
    assert found.hint == "give the guest at least 2 GiB of memory, or set a smaller buffer"
