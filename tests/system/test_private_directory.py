from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from secboot.system.root import Root


@pytest.mark.parametrize("place", ["run", "tmp", "var/tmp", "boot", "."])
def test_it_is_private_and_gone_afterwards(place: str, tmp_path: Path) -> None:
    (tmp_path / place).mkdir(parents=True, exist_ok=True)

    with Root(tmp_path) as root, root.private_directory() as directory:
        path = directory.write("zipl.conf", b"[defaultboot]\n")
        made = Path(f"{tmp_path}{directory.path}")
        file = Path(f"{tmp_path}{path}")
        assert made.parent == tmp_path / place
        assert file.read_bytes() == b"[defaultboot]\n"
        assert stat.S_IMODE(made.stat().st_mode) == 0o700
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        (made / "of another program").write_text("x")

    assert not made.exists()


def test_it_is_gone_after_an_error(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()

    def interrupted(root: Root) -> None:
        with root.private_directory() as directory:
            directory.write("zipl.conf", b"")
            raise KeyboardInterrupt

    with Root(tmp_path) as root, pytest.raises(KeyboardInterrupt):
        interrupted(root)

    assert list((tmp_path / "run").iterdir()) == []


def test_a_link_leads_inside_the_tree(tmp_path: Path) -> None:
    (tmp_path / "run").symlink_to("/var/run")
    (tmp_path / "var/run").mkdir(parents=True)

    with Root(tmp_path) as root, root.private_directory() as directory:
        assert directory.path.startswith("/var/run/secboot-")


def test_nothing_is_brought_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)

    with Root(tmp_path) as root, root.private_directory() as directory:
        directory.write("zipl.conf", b"x")

    assert synced == []
