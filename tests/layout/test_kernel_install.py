"""The plug-in for kernel-install, run by that of systemd 252, a script, and by newer ones, programs."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.available import not_here, unavailable
from tests.command import secboot
from tests.layout.test_hooks import (
    CHECKOUT,
    ENTRY,
    HOOKS,
    RELEASES,
    VERSION,
    ZIPL,
    environment,
    kernel_install,
    plug_ins,
    tree,
    write,
)
from tests.packaging import debian
from tests.packaging.programs import require
from tests.trees import MACHINE_ID

__all__ = ["environment", "tree"]

PLUGIN = HOOKS / "kernel-install/90-secboot.install"


class KernelInstall(NamedTuple):
    """A kernel-install: the command that starts it, and its directory of plug-ins."""

    command: list[str]
    plugins: Path


@pytest.fixture(params=RELEASES)
def systemd(request: pytest.FixtureRequest) -> KernelInstall:
    """The kernel-install of this machine, and those of other releases of Debian."""
    release = RELEASES[request.param]
    if release is None:
        return KernelInstall([require("kernel-install")], Path("/usr/lib/kernel/install.d"))
    command = release.program("kernel-install")
    if command is None:
        missing = f"the kernel-install of {request.param} is not unpacked"
        if release is debian.DEBIAN_13:
            unavailable(f"{missing}; run packaging/setup")
        not_here(missing)
    shown = subprocess.run([*command, "--version"], capture_output=True, text=True, check=False)
    if release is debian.SID and shown.returncode != 0:
        not_here(f"sid's systemd needs more than is unpacked: {shown.stderr[-100:]}")
    return KernelInstall(command, release.tree / "usr/lib/kernel/install.d")


def test_the_plug_in_runs_between_the_entry_and_zipl(
    systemd: KernelInstall,
    tmp_path: Path,
    tree: Path,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert secboot(capsys, "apply", "host", "--root", tree).code == 0
    plugins = plug_ins(tmp_path)

    def run(verb: str = "add", **more: str) -> subprocess.CompletedProcess[str]:
        (tree / "bootmap").unlink(missing_ok=True)
        return kernel_install(
            tmp_path, tree, environment | more, plugins, verb, program=systemd.command
        )

    skipped = run(KERNEL_INSTALL_BYPASS="1")
    assert skipped.returncode == 0
    assert not (tree / ENTRY).exists()
    assert not (tree / "bootmap").exists()

    done = run()
    assert done.returncode == 0, done.stderr
    assert "options root=/dev/mapper/vg-root ro prot_virt=1\n" in (tree / ENTRY).read_text()
    assert (tree / "bootmap").read_text().count("prot_virt=1") == 3
    assert "Active profile: host." in done.stderr

    # There is no trial, so a removal does not start secboot. If it did, this one would fail.
    write(tmp_path / "bin/secboot", "#!/bin/sh\nexit 70\n")
    removed = run("remove")
    assert (removed.returncode, removed.stderr) == (0, "")
    assert (tree / "bootmap").exists()

    failed = run()
    assert failed.returncode == 0
    assert "the boot entry of 9.9.9-1.s390x may not meet the profile" in failed.stderr
    assert (tree / "bootmap").exists()


def test_an_entry_of_systemd_itself(
    systemd: KernelInstall,
    tmp_path: Path,
    tree: Path,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """With the layout bls, systemd's own plug-in writes the entry.

    In 257 and 262, unlike 252, it begins with comments, and zipl misreads it. The kernel is installed,
    and removed, all the same.
    """
    write(tree / "etc/kernel/cmdline", "root=/dev/mapper/vg-root ro\n")
    (tree / "etc/kernel/install.conf").write_text("layout=bls\n")
    assert secboot(capsys, "apply", "host", "--root", tree).code == 0
    plugins = [
        systemd.plugins / "90-loaderentry.install",
        PLUGIN,
        write(tmp_path / "install.d/91-zipl.install", ZIPL),
    ]

    done = kernel_install(tmp_path, tree, environment, plugins, program=systemd.command)

    assert done.returncode == 0, done.stderr
    text = (tree / ENTRY).read_text()
    assert f"/boot/{MACHINE_ID}/{VERSION}/linux\n" in text
    # /etc/kernel/cmdline has it.
    assert re.search(r"^options +root=/dev/mapper/vg-root ro prot_virt=1 ", text, re.MULTILINE)
    refused = "the title is not on the first line" in done.stderr
    reported = f"the boot entry of {VERSION} may not meet the profile" in done.stderr
    assert refused == reported == text.startswith("#"), done.stderr
    assert (tree / "bootmap").exists()
    removed = kernel_install(
        tmp_path, tree, environment, plugins, "remove", program=systemd.command
    )
    assert (removed.returncode, removed.stderr) == (0, "")
    assert not (tree / ENTRY).exists()
    assert not (tree / f"boot/{MACHINE_ID}/{VERSION}").exists()


REMOVE = f"""#!/bin/sh
rm -f /boot/vmlinuz-$2 /boot/loader/entries/{MACHINE_ID}-$2.conf
"""


@pytest.mark.usefixtures("as_root")
def test_a_trial_goes_with_its_kernel(
    systemd: KernelInstall, tmp_path: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """zipl, which runs after the plug-in, would refuse an entry whose kernel is gone."""
    # systemd 262 has its staging area there.
    (tree / "var/tmp").mkdir(parents=True)
    assert secboot(capsys, "apply", "host", "--trial", "--root", tree).code == 0
    (trial,) = (tree / "boot/loader/entries").glob("*secboot-trial.conf")
    (image,) = re.findall(r"^linux /boot/(vmlinuz-.*)", trial.read_text(), re.MULTILINE)
    write(tmp_path / "bin/secboot", f'#!/bin/sh\nexec "{sys.executable}" -m secboot "$@"\n')
    plugins = [
        write(tmp_path / "install.d/20-zipl-kernel.install", REMOVE),
        PLUGIN,
        write(tmp_path / "install.d/91-zipl.install", "#!/bin/sh\nls /boot/loader/entries\n"),
    ]
    binds = " && ".join(f"mount --bind {tree}/{name} /{name}" for name in ("etc", "boot", "var"))

    done = subprocess.run(
        [
            *(require("unshare"), "--mount", "--propagation", "private"),
            *("sh", "-c", f'{binds} && exec "$@"', "sh"),
            *(*systemd.command, "remove", image.removeprefix("vmlinuz-")),
        ],
        env={
            "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin",
            "PYTHONPATH": str(CHECKOUT),
            "BOOT_ROOT": "/boot",
            "MACHINE_ID": MACHINE_ID,
            "KERNEL_INSTALL_CONF_ROOT": "/etc/kernel",
            "KERNEL_INSTALL_PLUGINS": " ".join(map(str, plugins)),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "was dropped: its kernel is gone" in done.stderr
    assert "secboot-trial" not in done.stdout
    assert not trial.exists()


def test_output_that_nobody_reads_does_not_stop_it(
    tmp_path: Path, environment: dict[str, str]
) -> None:
    """A reader that has gone, such as that of a package manager that was killed."""
    write(tmp_path / "bin/secboot", f"#!/bin/sh\ntouch {tmp_path}/ran\necho said\nexit 1\n")
    hooks = [PLUGIN, HOOKS / "debian/zy-secboot"]
    for hook in hooks:
        script = f'{{ "$1" add {VERSION}; echo $? > status; }} 2>&1 | true'

        subprocess.run(["sh", "-c", script, "sh", hook], env=environment, cwd=tmp_path, check=True)

        assert (tmp_path / "status").read_text() == "0\n"
        (tmp_path / "ran").unlink()
