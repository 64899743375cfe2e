"""The bundled Debian package: built here, and run from a clean tree; what all packages contain."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from tests.packaging.programs import CHECKOUT, run

pytestmark = pytest.mark.package

COMMON = {
    "usr/bin/secboot": 0o755,
    "usr/lib/kernel/install.d/90-secboot.install": 0o755,
    "usr/share/bash-completion/completions/secboot": 0o644,
    "usr/share/fish/vendor_completions.d/secboot.fish": 0o644,
    "usr/share/secboot/schemas/profile-file-1.json": 0o644,
    "usr/share/secboot/schemas/status-2.json": 0o644,
    "usr/share/man/man5/secboot-profile.5.gz": 0o644,
    "usr/share/man/man8/secboot.8.gz": 0o644,
    "usr/lib/systemd/system/secboot-apply@.service": 0o644,
    "usr/lib/systemd/system/secboot-trial.service": 0o644,
    "usr/lib/systemd/system/secboot-verify@.timer": 0o644,
    "usr/lib/systemd/system-preset/90-secboot.preset": 0o644,
    "usr/share/secboot/prometheus/secboot.rules.yml": 0o644,
    **{
        f"usr/share/secboot/profiles/{path.name}": 0o644
        for path in (CHECKOUT / "profiles").glob("*.yaml")
    },
}
"""Files of every package, with their modes."""
DEBIAN = {
    **COMMON,
    "etc/kernel/postinst.d/zy-secboot": 0o755,
    "usr/share/zsh/vendor-completions/_secboot": 0o644,
}


def modes(tree: Path) -> dict[str, int]:
    return {
        path.relative_to(tree).as_posix(): stat.S_IMODE(path.lstat().st_mode)
        for path in tree.rglob("*")
        if not path.is_dir()
    }


def require_demo(tree: Path, machine: Path) -> None:
    """Run the demo with what is in the tree and with nothing of this environment."""
    secboot = [tree / "usr/bin/secboot"]
    for words, expected in (
        (["demo", machine], "Wrote"),
        (["apply", "guest", "--root", machine], "Undo with: secboot rollback 1"),
        (["apply", "guest", "--root", machine], "Boot record not updated"),
    ):
        done = run(*secboot, *words, env={"PATH": "/nonexistent"})
        assert done.returncode == 0, done.stderr
        assert expected in done.stdout
    listed = run(*secboot, "profile", "list", "--root", tree)
    assert "/usr/share/secboot/profiles/guest.yaml" in listed.stdout


def require_nothing_started(deb: Path, scratch: Path) -> None:
    """Nothing is started or enabled by an installation; what was enabled stays enabled."""
    run("dpkg-deb", "--control", deb, scratch)
    scripts = "".join(path.read_text() for path in scratch.glob("p*"))
    assert "deb-systemd-invoke" not in scripts
    assert scripts.count("deb-systemd-helper enable") == scripts.count("was-enabled")


def test_deb(deb: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    run("dpkg-deb", "-x", deb, tree)

    found = modes(tree)

    assert found.items() >= DEBIAN.items()
    assert (tree / "etc/secboot/profiles").is_dir()
    assert (tree / "usr/bin/secboot").read_bytes().startswith(b"#!/bin/sh\n")
    require_demo(tree, tmp_path / "machine")
    require_nothing_started(deb, tmp_path / "control")


def test_versions_agree() -> None:
    (version,) = re.findall(r'__version__ = "(.*)"', (CHECKOUT / "secboot/__init__.py").read_text())

    assert f"\nVersion:        {version}\n" in (CHECKOUT / "packaging/rpm/secboot.spec").read_text()
    assert (
        (CHECKOUT / "packaging/debian/changelog").read_text().startswith(f"secboot ({version}-1)")
    )
