from __future__ import annotations

from pathlib import Path

import pytest

from secboot.machine.installed_zipl import installed_version
from secboot.system.program_search import SEARCH_PATH
from secboot.system.root import Root
from secboot.zipl.version import ZiplVersion

RELEASE = b"\x7fELF\0...\0002.35.0-build-20250301\0..."
"""As in the program file; Debian's is 2.35.0-2, SUSE's 2.35.0-150700.1.1."""


def install(tree: Path, directory: str, content: bytes) -> None:
    program = tree / directory.removeprefix("/") / "zipl"
    program.parent.mkdir(parents=True)
    program.write_bytes(content)


@pytest.mark.parametrize("directory", SEARCH_PATH)
def test_the_release_is_found_wherever_zipl_would_be_run(directory: str, tmp_path: Path) -> None:
    install(tmp_path, directory, RELEASE)

    with Root(tmp_path) as root:
        assert installed_version(root) == ZiplVersion(2, 35, 0)


def test_the_zipl_that_would_be_run_counts(tmp_path: Path) -> None:
    install(tmp_path, "usr/local/sbin", RELEASE.replace(b"2.35", b"2.40"))
    install(tmp_path, "usr/sbin", RELEASE)

    with Root(tmp_path) as root:
        assert installed_version(root) == ZiplVersion(2, 35, 0)


def test_a_build_of_its_own_repository_has_a_release(tmp_path: Path) -> None:
    install(tmp_path, "usr/sbin", RELEASE.replace(b"2.35.0-", b"2.43.1+git20261101.1a2b3c-"))

    with Root(tmp_path) as root:
        assert installed_version(root) == ZiplVersion(2, 43, 1)


@pytest.mark.parametrize("content", [None, b"", b"#!/bin/sh\necho 2.35.0-1\n"])
def test_no_release_is_guessed(content: bytes | None, tmp_path: Path) -> None:
    if content is not None:
        install(tmp_path, "sbin", content)

    with Root(tmp_path) as root:
        assert installed_version(root) is None
