"""Which layout a tree has, by its marks alone and in combination."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from secboot.errors import RefusedError, UsageError
from secboot.layout.detect import LAYOUTS, NAMES, detect_layout
from secboot.layout.layout import Layout
from secboot.machine.discovery import discover
from secboot.system.root import Root

BLS = "boot/loader/entries/a.conf"
PLUGIN = "usr/lib/kernel/install.d/20-zipl-kernel.install"


def make(root: Path, *paths: str, os_release: str | None = None) -> Path:
    for path in ("etc", "boot", *paths):
        target = root / path
        if target.suffix or path in paths:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text("")
        else:
            target.mkdir(parents=True, exist_ok=True)
    if os_release is not None:
        (root / "etc/os-release").write_text(os_release)
    return root


def layout(root: Path, named: str | None = None) -> Layout:
    with Root(root) as tree:
        return detect_layout(tree, named)


@pytest.mark.parametrize(
    ("paths", "os_release", "expected"),
    [
        ((), None, "zipl.conf"),
        ((BLS,), None, "bls"),
        (
            ("usr/lib/kernel/install.d/20-zipl-kernel.install",),
            'ID="rhel"\nVERSION_ID="9.4"',
            "bls",
        ),
        ((BLS,), "ID=almalinux\nID_LIKE='rhel centos fedora'\nVERSION_ID=9.4", "bls"),
        ((BLS,), "ID=nobody-knows", "bls"),
        ((), 'ID="rhel"\nVERSION_ID="7.9"', "rhel7"),
        ((), "ID=centos\nVERSION_ID=7\nID_LIKE='rhel fedora'", "rhel7"),
        ((), "ID=fedora\nVERSION_ID=29", "rhel7"),
        (("sbin/new-kernel-pkg",), None, "rhel7"),
        (("etc/debian_version",), None, "debian"),
        (("etc/kernel/postinst.d/zz-zipl",), None, "debian"),
        ((), "ID=ubuntu\nID_LIKE=debian", "debian"),
        ((), "ID=raspbian\nID_LIKE=debian", "debian"),
        # Entries that somebody wrote by hand: zipl reads them there, too.
        ((BLS, "etc/debian_version"), None, "debian"),
        ((), "ID=alpine", "alpine"),
        (("etc/alpine-release",), None, "alpine"),
        (("etc/default/zipl2grub.conf.in",), None, "suse"),
        (("boot/zipl/config",), None, "suse"),
        ((), 'ID="opensuse-leap"\nID_LIKE="suse opensuse"', "suse"),
        (("ostree/repo/config", BLS), "ID=rhcos\nID_LIKE='rhel fedora'", "ostree"),
        (("run/ostree-booted", BLS), None, "ostree"),
        # Not known, or not sure:
        ((), "ID=gentoo", "unknown"),
        ((), 'ID="rhel"\nVERSION_ID="9.4"', "unknown"),
        ((), "ID=fedora\nVERSION_ID=40", "unknown"),
        ((PLUGIN, "etc/debian_version"), None, "contradictory"),
        ((BLS, "sbin/new-kernel-pkg"), None, "contradictory"),
        (("boot/zipl/config", "etc/debian_version"), None, "contradictory"),
        (("ostree/repo/config", "etc/debian_version"), None, "contradictory"),
        ((BLS,), "ID=sles\nVERSION_ID=16.0", "contradictory"),
    ],
)
def test_the_layout(
    paths: tuple[str, ...], os_release: str | None, expected: str, tmp_path: Path
) -> None:
    found = layout(make(tmp_path, *paths, os_release=os_release))

    assert found.name == expected
    assert (found.refusal is not None) == (expected in {"unknown", "contradictory"})
    if expected != "zipl.conf":
        assert found.seen


@pytest.mark.parametrize("name", NAMES)
def test_a_name_decides_whatever_is_seen(name: str, tmp_path: Path) -> None:
    root = make(tmp_path, PLUGIN, "etc/debian_version", "boot/zipl/config")
    with pytest.raises(RefusedError, match="more than one way"):
        layout(root).require_editable()

    found = layout(root, name)

    assert found.name == name
    found.require_editable()


def test_a_name_that_is_none_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as info:
        layout(make(tmp_path), "grub\x1b[0m")

    assert "\x1b" not in str(info.value)
    assert info.value.hint == f"layouts are: {', '.join(NAMES)}"


def test_names_are_unique() -> None:
    assert len(set(NAMES)) == len(LAYOUTS)


@given(text=st.text(max_size=60) | st.binary(max_size=60).map(lambda b: b.decode("latin-1")))
@settings(deadline=None, max_examples=50)
def test_any_os_release_is_read_or_ignored(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    root = make(tmp_path_factory.mktemp("root"))
    (root / "etc/os-release").write_bytes(text.encode("utf-8", "surrogatepass"))

    assert layout(root).name in {*NAMES, "unknown"}


def test_os_release_may_be_a_link_to_usr_lib(tmp_path: Path) -> None:
    root = make(tmp_path)
    (root / "usr/lib").mkdir(parents=True)
    (root / "usr/lib/os-release").write_text("ID=alpine\n")
    (root / "etc/os-release").symlink_to("../usr/lib/os-release")

    assert layout(root).name == "alpine"


def test_suse_without_generated_files_is_read(tmp_path: Path) -> None:
    root = make(tmp_path, "etc/default/zipl2grub.conf.in", "etc/default/grub")

    with Root(root) as tree:
        machine = discover(tree, detect_layout(tree).sources)

    assert machine.conf_path == "/boot/zipl/config"
    assert machine.configuration.entries == ()
    assert machine.file("/etc/default/grub") is not None
