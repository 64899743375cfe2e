"""Images without a kernel yet: what is set there reaches the entries of future kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from tests.command import secboot
from tests.layout.machines import DEBIAN, RHEL9
from tests.layout.test_hooks import (
    CHECKOUT,
    ENTRY,
    HOOKS,
    WRITE_ENTRY,
    kernel_install,
    write,
)
from tests.packaging.programs import require
from tests.trees import snapshot

PLUGIN = "usr/lib/kernel/install.d/20-zipl-kernel.install"
ROOT = "root=UUID=11111111-2222-3333-4444-555555555555"
FSTAB = f"{ROOT.removeprefix('root=')} / xfs defaults 0 0\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """RHEL with its s390utils, but without a kernel."""
    root = tmp_path / "tree"
    (root / "boot/loader/entries").mkdir(parents=True)
    write(root / "etc/os-release", RHEL9)
    write(root / PLUGIN, WRITE_ENTRY)
    return root


def environment(tmp_path: Path, tree: Path) -> dict[str, str]:
    command = f'#!/bin/sh\nexec "{sys.executable}" -m secboot "$@" --root "{tree}"\n'
    write(tmp_path / "bin/secboot", command)
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": str(CHECKOUT),
        "TREE": str(tree),
        "RUNNING": "root=/dev/of-the-build-host ro",
    }


def words(tree: Path) -> list[str]:
    """The words of the line in the new entry."""
    lines = (tree / ENTRY).read_text().splitlines()
    return next(line.split()[1:] for line in lines if line.startswith("options "))


@pytest.mark.parametrize("source", ["fstab", "cmdline"])
@pytest.mark.parametrize("with_hook", [True, False])
def test_the_entry_of_the_first_kernel_has_the_parameters(
    source: str, with_hook: bool, tmp_path: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if source == "fstab":
        write(tree / "etc/fstab", FSTAB)
    else:
        write(tree / "etc/kernel/cmdline", f"{ROOT}\n")
    assert secboot(capsys, "apply", "guest", "--root", tree).code == 0
    plugins = [tree / PLUGIN, *([HOOKS / "kernel-install/90-secboot.install"] * with_hook)]

    done = kernel_install(tmp_path, tree, environment(tmp_path, tree), plugins)

    assert done.returncode == 0, done.stderr
    assert words(tree) == [ROOT, "swiotlb=262144"]
    assert ("Active profile: guest." in done.stderr) == with_hook
    assert "may not be" not in done.stderr
    verified = secboot(capsys, "verify", "guest", "--root", tree)
    assert verified.code == 0
    assert "2 passed" in verified.out


def test_without_a_root_device_the_hook_alone_brings_the_parameters(
    tmp_path: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "apply", "guest", "--root", tree)
    assert said.code == 0
    assert "write the line, including root=, into the file" in said.out
    assert not (tree / "etc/kernel").exists()
    plugins = [tree / PLUGIN, HOOKS / "kernel-install/90-secboot.install"]

    done = kernel_install(tmp_path, tree, environment(tmp_path, tree), plugins)

    assert done.returncode == 0, done.stderr
    assert words(tree) == ["root=/dev/of-the-build-host", "ro", "swiotlb=262144"]
    assert (
        "/etc/zipl.conf does not exist yet" in secboot(capsys, "plan", "guest", "--root", tree).out
    )
    assert secboot(capsys, "check", "--root", tree).code == 1


def test_the_entry_is_kept_after_the_way_back(
    tmp_path: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first kernel was installed in between: what it inherited is undone."""
    write(tree / "etc/kernel/cmdline", f"{ROOT}\n")
    write(tree / "etc/zipl.conf", "[defaultboot]\ndefaultauto\ntarget=/boot\n")
    assert secboot(capsys, "apply", "guest", "--root", tree).code == 0
    kernel_install(tmp_path, tree, environment(tmp_path, tree), [tree / PLUGIN])

    said = secboot(capsys, "rollback", "--root", tree)

    assert said.code == 0, said.err
    assert words(tree) == [ROOT]
    assert (tree / "etc/kernel/cmdline").read_text() == f"{ROOT}\n"
    assert not (tree / "etc/secboot/profile").exists()
    assert "Active profile" not in secboot(capsys, "keep", "--root", tree).out


def test_a_profile_without_a_name_is_not_in_force(
    tmp_path: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree / "etc/kernel/cmdline", f"{ROOT}\n")
    profile = tmp_path / "mine.yaml"
    profile.write_text("version: 1\nextends: guest\n")

    said = secboot(capsys, "apply", profile, "--root", tree)

    assert said.code == 0
    assert "put it in /etc/secboot/profiles inside the root" in said.out
    assert (tree / "etc/kernel/cmdline").read_text() == f"{ROOT} swiotlb=262144\n"
    assert not (tree / "etc/secboot").exists()


@pytest.mark.parametrize("where", ["etc/kernel", "etc/secboot"])
def test_an_obstacle_is_reported(
    where: str, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree / "etc/fstab", FSTAB)
    (tree / where).symlink_to("/nowhere")
    before = snapshot(tree)

    said = secboot(capsys, "apply", "guest", "--root", tree)

    assert said.code == 1
    assert f"/{where} is a link to /nowhere, which does not exist" in said.err
    assert snapshot(tree) == before
    assert secboot(capsys, "status", "guest", "--root", tree).code == 0


def test_links_are_followed_to_the_place_of_a_new_file(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree / "etc/fstab", FSTAB)
    (tree / "usr/etc-kernel").mkdir()
    (tree / "etc/kernel").symlink_to("/usr/etc-kernel")

    assert secboot(capsys, "apply", "guest", "--root", tree).code == 0
    assert (tree / "usr/etc-kernel/cmdline").read_text() == f"{ROOT} swiotlb=262144\n"
    assert secboot(capsys, "rollback", "--root", tree).code == 0
    assert not (tree / "usr/etc-kernel/cmdline").exists()


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("record", [False, True])
@pytest.mark.parametrize("zipl", [[], ["--zipl"]], ids=["default", "--zipl"])
def test_a_build_step_needs_no_zipl(record: bool, zipl: list[str], tmp_path: Path) -> None:
    """The root is /, with /etc, /boot and /var of a Debian image that already has a section."""
    root = tmp_path / "debian"
    for name in ("etc", "boot", "var"):
        (root / name).mkdir(parents=True)
    write(root / "etc/os-release", DEBIAN)
    write(
        root / "etc/zipl.conf",
        "[defaultboot]\ndefault=debian\n[debian]\ntarget=/boot\nimage=/boot/vmlinuz\n"
        "parameters=root=/dev/vda1\n",
    )
    (root / "boot/vmlinuz").write_bytes(kernel_stub(4096))
    if record:
        (root / "boot/bootmap").touch()
    binds = " && ".join(f"mount --bind {root}/{name} /{name}" for name in ("etc", "boot", "var"))
    command = f'{binds} && exec "{sys.executable}" -m secboot apply host {" ".join(zipl)}'

    done = subprocess.run(
        [require("unshare"), "--mount", "--propagation", "private", "sh", "-c", command],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )

    if record or zipl:
        assert done.returncode == 1
        assert "zipl is not installed here" in done.stderr
        assert "prot_virt" not in (root / "etc/zipl.conf").read_text()
        return
    assert done.returncode == 0, done.stderr
    assert "(--no-zipl)" in done.stderr
    assert "Boot record not updated" in done.stdout
    assert "prot_virt=1" in (root / "etc/zipl.conf").read_text()


def test_a_line_without_a_root_device_is_not_called_good(
    tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tree / "etc/kernel/cmdline", "audit=1\n")

    said = secboot(capsys, "apply", "guest", "--root", tree)

    assert said.code == 0
    assert "warning: /etc/kernel/cmdline has no root=" in said.out
    assert (tree / "etc/kernel/cmdline").read_text() == "audit=1 swiotlb=262144\n"
    verified = secboot(capsys, "verify", "guest", "--root", tree)
    assert "WARN inherited.swiotlb" in verified.out
    assert "No changes until a kernel" in secboot(capsys, "apply", "guest", "--root", tree).out
