"""Profiles named by their path: the files next to them, their owners, and what a saved plan contains."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.command import secboot
from tests.trees import make_sample_tree

CHILD = "version: 1\nextends: base\nparameters: {mine: '1'}\n"
BASE = "version: 1\nparameters: {base: '1'}\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_sample_tree("rhel8", tmp_path / "root")


@pytest.fixture
def profiles(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current directory of the user."""
    directory = tmp_path / "profiles"
    directory.mkdir()
    (directory / "mine.yml").write_text(CHILD)
    (directory / "base.yml").write_text(BASE)
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize("reference", ["mine.yml", "./mine.yml", "{}/mine.yml"])
def test_a_profile_extends_the_file_next_to_it(
    reference: str, profiles: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "profile", "show", reference.format(profiles), "--root", root)

    assert (said.code, "which extends" in said.out) == (0, True)
    assert "base=1" in said.out
    assert "mine=1" in said.out


def test_a_saved_plan_contains_the_files_next_to_the_profile(
    profiles: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    saved = tmp_path / "saved.plan"
    assert secboot(capsys, "plan", "mine.yml", "--root", root, "--out", saved).code == 0
    for path in profiles.iterdir():
        path.write_text("version: 1\nparameters: {init: /bin/sh}\n")

    said = secboot(capsys, "apply", saved, "--root", root, "--no-zipl")

    assert said.code == 0
    entries = [path.read_text() for path in (root / "boot/loader/entries").glob("*.conf")]
    assert any(" mine=1" in text and " base=1" in text for text in entries)
    assert not any("init=" in text for text in entries)


def test_an_export_includes_the_files_next_to_the_profile(
    profiles: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    del profiles
    said = secboot(capsys, "export", "mine.yml", "--format", "cloud-init", "--root", root)

    assert said.code == 0
    assert '"/etc/secboot/profiles/mine.yaml"' in said.out
    assert '"/etc/secboot/profiles/base.yml"' in said.out


@pytest.mark.usefixtures("as_root")
def test_a_file_that_only_its_owner_may_read_is_not_extended(
    profiles: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (profiles / "base.yml").write_text("version: 1\nparameters: {Secret0: on}\n")
    (profiles / "base.yml").chmod(0o600)

    said = secboot(capsys, "plan", "./mine.yml", "--root", root)

    assert said.code == 2
    assert "only its owner can read" in said.err
    assert "Secret0" not in said.err


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize(
    ("child", "base", "code"), [(0, 1234, 2), (1234, 1234, 0), (1234, 0, 0), (1234, 1235, 2)]
)
def test_a_file_that_somebody_else_put_there_is_refused(
    child: int,
    base: int,
    code: int,
    profiles: Path,
    root: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    os.chown(profiles / "mine.yml", child, child)
    os.chown(profiles / "base.yml", base, base)

    said = secboot(capsys, "plan", "mine.yml", "--root", root)

    assert said.code == code
    assert ("different owners" in said.err) == (code == 2)


@pytest.mark.usefixtures("as_root")
def test_a_link_that_somebody_else_put_there_is_refused(
    profiles: Path, root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (profiles / "base.yml").rename(tmp_path / "roots.yml")
    (profiles / "base.yml").symlink_to(tmp_path / "roots.yml")
    assert secboot(capsys, "plan", "mine.yml", "--root", root).code == 0

    os.chown(profiles / "base.yml", 1234, 1234, follow_symlinks=False)

    assert "different owners" in secboot(capsys, "plan", "mine.yml", "--root", root).err


def test_a_directory_with_the_name_of_a_profile_is_not_a_profile(
    profiles: Path, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (profiles / "base.yml").unlink()
    (profiles / "base.yml").mkdir()

    said = secboot(capsys, "plan", "mine.yml", "--root", root)

    assert said.code == 2
    assert "base.yml: the profile can't be read: not a regular file" in said.err
