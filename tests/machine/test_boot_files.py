from __future__ import annotations

import os
from pathlib import Path

import pytest

from secboot.machine.boot_files import BootFile, BootFiles, NoFile
from secboot.system.root import Root


@pytest.fixture
def entries(tmp_path: Path) -> Path:
    directory = tmp_path / "boot/loader/entries"
    directory.mkdir(parents=True)
    return directory


def read(base: Path, path: str, *names: str) -> dict[str, tuple[str, bytes, int]]:
    with Root(base) as root:
        files = BootFiles(root)
        found = [f for f in files.read_directory(path, names) if isinstance(f, BootFile)]
        assert tuple(found) == files.files
    return {file.path: (file.real_path, file.data, file.modified) for file in found}


def test_a_directory_gives_what_its_files_give_one_by_one(tmp_path: Path, entries: Path) -> None:
    for number in range(3):
        (entries / f"{number}.conf").write_bytes(f"title {number}\r\n".encode())
        os.utime(entries / f"{number}.conf", ns=(0, 1_700_000_000_123_456_789 + number))
    names = ("2.conf", "0.conf", "1.conf")

    found = read(tmp_path, "/boot/loader/entries", *names)

    with Root(tmp_path) as root:
        single = [BootFiles(root).read(f"/boot/loader/entries/{name}") for name in names]
    assert found == {file.path: (file.real_path, file.data, file.modified) for file in single}


def test_a_link_in_the_directory_is_followed(tmp_path: Path, entries: Path) -> None:
    (tmp_path / "elsewhere").write_bytes(b"x")
    (entries / "a.conf").symlink_to("/elsewhere")

    found = read(tmp_path, "/boot/loader/entries", "a.conf")

    assert found["/boot/loader/entries/a.conf"][:2] == ("/elsewhere", b"x")


def test_a_directory_that_is_a_link_has_the_real_paths(tmp_path: Path, entries: Path) -> None:
    (entries / "a.conf").write_bytes(b"x")
    (tmp_path / "short").symlink_to("boot/loader")

    found = read(tmp_path, "/short/entries", "a.conf")

    assert found["/short/entries/a.conf"][:2] == ("/boot/loader/entries/a.conf", b"x")


def test_what_is_not_a_file_is_reported_with_its_path(tmp_path: Path, entries: Path) -> None:
    os.mkfifo(entries / "pipe.conf")
    (entries / "dangling.conf").symlink_to("nowhere")

    with Root(tmp_path) as root:
        names = ("pipe.conf", "dangling.conf", "gone.conf")
        found = list(BootFiles(root).read_directory("/boot/loader/entries", names))

    assert found == [
        NoFile("/boot/loader/entries/pipe.conf", "Not a regular file"),
        NoFile("/boot/loader/entries/dangling.conf", "No such file or directory"),
    ]


def test_no_names_give_no_files(tmp_path: Path) -> None:
    assert read(tmp_path, "/not/there") == {}
