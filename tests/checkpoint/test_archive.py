from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.checkpoint.archive import Member, pack, unpack
from secboot.system.files import FileAttributes, encode

PRIVATE = FileAttributes(0o640, os.geteuid(), os.getegid())
WHEN = 1_700_000_000

names = st.binary(min_size=1, max_size=300).map(
    lambda data: data.replace(b"/", b"_").replace(b"\0", b"-").decode("utf-8", "surrogateescape")
)
paths = st.lists(names, min_size=1, max_size=4).map(lambda parts: "/" + "/".join(parts))


def packed(files: dict[str, bytes]) -> bytes:
    return b"".join(pack([Member(path, data, PRIVATE) for path, data in files.items()], WHEN))


@given(st.dictionaries(paths, st.binary(max_size=2000), max_size=5))
def test_what_is_packed_is_unpacked(files: dict[str, bytes]) -> None:
    assert unpack(packed(files)) == files


@given(st.binary(max_size=3000))
def test_anything_can_be_unpacked(data: bytes) -> None:
    assert isinstance(unpack(data), dict)


@given(st.integers(0, 6 * 512 - 1), st.integers(1, 255))
def test_a_wrong_byte_costs_no_other_file(position: int, difference: int) -> None:
    files = {"/a": b"a" * 10, "/b": b"b" * 10, "/c": b"c" * 10}
    data = bytearray(packed(files))
    data[position] ^= difference

    found = unpack(bytes(data))

    assert sum(found.get(path) != content for path, content in files.items()) <= 1


@pytest.mark.parametrize("size", [0, 1, 511, 512, 513, 100_000])
def test_tar_puts_every_file_where_it_was(size: int, tmp_path: Path) -> None:
    long = "/" + "/".join(["boot", "d" * 120, "e" * 120])
    files = {"/etc/zipl.conf": b"z" * size, "/boot/a\nb\udcff": b"x", long: b"y"}
    (tmp_path / "before.tar").write_bytes(packed(files))

    done = subprocess.run(
        ["tar", "-xpf", tmp_path / "before.tar", "-C", tmp_path],
        check=True,
        capture_output=True,
    )

    assert done.stderr == b""
    for path, content in files.items():
        file = os.fsencode(tmp_path) + encode(path)
        with open(file, "rb") as found:  # noqa: PTH123 - a path of bytes
            assert found.read() == content
        status = os.stat(file)  # noqa: PTH116 - a path of bytes
        assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == PRIVATE[:3]
        assert status.st_mtime == WHEN
