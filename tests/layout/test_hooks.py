"""The hooks, run by the programs that really run them: kernel-install, run-parts, Debian's zz-zipl."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from secboot.demo import kernel_stub
from tests.available import not_here, unavailable
from tests.command import secboot
from tests.layout.machines import RHEL9, SYSTEMS
from tests.packaging import debian
from tests.packaging.programs import require
from tests.s390x.testbed import require_ipl
from tests.situations import make_situation
from tests.trees import MACHINE_ID, snapshot

CHECKOUT = Path(__file__).parents[2]
RELEASES = {"here": None, "debian-13": debian.DEBIAN_13, "sid": debian.SID}
"""Whose kernel-install and run-parts run the hooks: those of this machine, and of other releases."""
HOOKS = CHECKOUT / "hooks"
VERSION = "9.9.9-1.s390x"
ENTRY = f"boot/loader/entries/{MACHINE_ID}-{VERSION}.conf"

# What 20-zipl-kernel.install does with parameters, in a few lines of our own.
WRITE_ENTRY = """#!/bin/sh
[ "$1" = add ] || exit 0
words=$(cat "$TREE/etc/kernel/cmdline" 2>/dev/null | tr -s '[:space:]' ' ')
[ -n "$words" ] || words="$RUNNING"
cat > "$TREE/boot/loader/entries/$KERNEL_INSTALL_MACHINE_ID-$2.conf" <<EOF
title Red Hat Enterprise Linux ($2) 9.4 (Plow)
version $2
linux /boot/vmlinuz-$2
options $words
EOF
"""
ZIPL = """#!/bin/sh
case "$1" in add|remove) cat "$TREE"/boot/loader/entries/*.conf > "$TREE/bootmap";; esac
"""


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    root = SYSTEMS["rhel9-without-cmdline"].make(tmp_path / "tree")
    (root / "etc/os-release").write_text(RHEL9)
    return root


@pytest.fixture
def environment(tmp_path: Path, tree: Path) -> dict[str, str]:
    """An environment where ``secboot`` is this checkout and works on the tree."""
    command = f'#!/bin/sh\nexec "{sys.executable}" -m secboot "$@" --root "{tree}"\n'
    write(tmp_path / "bin/secboot", command)
    return {
        "PATH": f"{tmp_path / 'bin'}:/usr/bin:/bin:/usr/sbin:/sbin",
        "PYTHONPATH": str(CHECKOUT),
        "TREE": str(tree),
        "RUNNING": "root=/dev/mapper/vg-root ro",
    }


def plug_ins(directory: Path, entry: str = WRITE_ENTRY) -> list[Path]:
    """Ours between one that writes the boot entry and one that runs zipl."""
    return [
        write(directory / "install.d/20-zipl-kernel.install", entry),
        HOOKS / "kernel-install/90-secboot.install",
        write(directory / "install.d/91-zipl.install", ZIPL),
    ]


def kernel_install(
    tmp_path: Path,
    tree: Path,
    environment: dict[str, str],
    plugins: list[Path],
    verb: str = "add",
    program: list[str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run systemd's kernel-install on the tree, with our plug-ins in the order of their names.

    `program` starts another kernel-install than that of this machine.
    """
    image = tree / f"boot/vmlinuz-{VERSION}"
    image.write_bytes(kernel_stub(4096))
    ordered = sorted(plugins, key=lambda path: path.name)
    words = [VERSION, str(image)] if verb == "add" else [VERSION]
    return subprocess.run(
        [*(program or [require("kernel-install")]), verb, *words],
        env=environment
        | {
            "BOOT_ROOT": str(tree / "boot"),
            "MACHINE_ID": MACHINE_ID,
            "KERNEL_INSTALL_CONF_ROOT": str(tree / "etc/kernel"),
            "KERNEL_INSTALL_PLUGINS": " ".join(map(str, ordered)),
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("broken", ["profile", "entry", "program"])
def test_a_kernel_is_installed_although_the_plug_in_fails(
    broken: str,
    tmp_path: Path,
    tree: Path,
    environment: dict[str, str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    """kernel-install stops at the first plug-in that fails: zipl would not run at all."""
    assert secboot(capsys, "apply", "host", "--root", tree).code == 0
    if broken == "profile":
        write(tree / "etc/secboot/profile", "no-such-profile\n")
    elif broken == "program":
        write(tmp_path / "bin/secboot", "#!/bin/sh\nexit 70\n")
    entry = "#!/bin/sh\nexit 0\n" if broken == "entry" else WRITE_ENTRY
    if broken == "entry":
        (tree / "boot/loader/entries/x.conf").write_text("no title\n")
    plugins = plug_ins(tmp_path, entry)

    done = kernel_install(tmp_path, tree, environment, plugins)

    assert done.returncode == 0
    assert "may not meet the profile" in done.stderr
    assert (tree / "bootmap").exists()


@pytest.mark.parametrize("in_force", [True, False])
def test_the_plug_in_tells_a_secure_guest_what_its_new_kernel_means(
    in_force: bool, tmp_path: Path, environment: dict[str, str]
) -> None:
    """A plain kernel image sorts above the Secure Execution image: reported, and nothing is changed."""
    tree = make_situation("sealed-then-kernel-update", tmp_path / "guest")
    (tree / "boot/loader/entries/m-5.14.0-570.el9.s390x.conf").unlink()
    command = f'#!/bin/sh\nexec "{sys.executable}" -m secboot "$@" --root "{tree}"\n'
    write(tmp_path / "bin/secboot", command)
    if in_force:
        write(tree / "etc/secboot/profile", "guest\n")
    plugins = [
        write(tmp_path / "install.d/20-zipl-kernel.install", WRITE_ENTRY),
        HOOKS / "kernel-install/90-secboot.install",
    ]
    before = snapshot(tree)

    done = kernel_install(tmp_path, tree, environment | {"TREE": str(tree)}, plugins)

    assert done.returncode == 0, done.stderr
    new = {path for path, held in snapshot(tree).items() if before.get(path) != held}
    written = (f"vmlinuz-{VERSION}", f"{VERSION}.conf", "boot", "entries")
    assert [path for path in new if not str(path).endswith(written)] == []
    if in_force:
        assert "the next IPL would leave Secure Execution" in done.stderr
        assert "may not meet the profile" in done.stderr
    else:
        assert (
            f"({VERSION}) 9.4 (Plow)' (/boot/vmlinuz-{VERSION}), a plain kernel image"
            in done.stderr
        )
        assert (
            f"kernel {VERSION} is installed, but /boot/secure-linux contains 5.14.0" in done.stderr
        )
        assert "may not be" not in done.stderr


def test_the_plug_in_does_nothing_at_a_removal(environment: dict[str, str]) -> None:
    hook = HOOKS / "kernel-install/90-secboot.install"

    done = subprocess.run(
        [hook, "remove", VERSION], env=environment, capture_output=True, text=True, check=False
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_names_sort_between_the_neighbours() -> None:
    (install,) = (HOOKS / "kernel-install").iterdir()
    (debian,) = (HOOKS / "debian").iterdir()

    red_hat = ["20-zipl-kernel.install", "52-zipl-rescue.install", "90-loaderentry.install"]
    assert sorted([*red_hat, "91-zipl.install", install.name])[-2:] == [
        install.name,
        "91-zipl.install",
    ]
    assert sorted(["initramfs-tools", "zz-zipl", debian.name])[-2:] == [debian.name, "zz-zipl"]


DEBIAN_CONF = """\
[defaultboot]
default=debian
[debian]
target=/boot
image=/boot/vmlinuz
ramdisk=/boot/initrd.img
parameters=root=/dev/dasda1
"""


def zz_zipl() -> str:
    """The hook of Debian's s390-tools, from the test bed."""
    hooks = (tree / "etc/kernel/postinst.d/zz-zipl" for tree in require_ipl().zipl.values())
    found = next((hook for hook in hooks if hook.exists()), None)
    if found is None:
        unavailable("the test bed's s390-tools has no zz-zipl")
    return found.read_text()


NEIGHBOURS = (
    *("apt-auto-removal", "dkms", "dracut", "initramfs-tools", "kdump-tools"),
    *("unattended-upgrades", "zz-flash-kernel", "zz-systemd-boot", "zz-update-grub"),
)
"""Hooks of other packages in /etc/kernel/postinst.d, from Debian 12 to sid."""
FIRST_ZIPL = "/etc/initramfs/post-update.d/zz-zipl"
"""The same script, which update-initramfs runs, also from the hook of initramfs-tools."""


def run_parts(release: debian.Release | None) -> list[str]:
    """The run-parts of this machine, or of another release."""
    if release is None:
        return [require("run-parts")]
    command = release.program("run-parts")
    if command is None:
        missing = not_here if release is debian.SID else unavailable
        missing("the run-parts of another release is not unpacked; run packaging/setup")
    return command


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("release", RELEASES.values(), ids=RELEASES)
def test_debian_hooks_on_the_running_system(
    release: debian.Release | None, tmp_path: Path, environment: dict[str, str]
) -> None:
    """run-parts runs all hooks, with the real zz-zipl, and /etc, /boot and /var bound to a tree.

    Since debianutils 5.21 there can be a second directory, /usr/share/kernel/postinst.d.
    """
    root = tmp_path / "debian"
    for name in ("etc", "boot", "var"):
        (root / name).mkdir(parents=True)
    (root / "etc/os-release").write_text("ID=debian\n")
    (root / "etc/zipl.conf").write_text(DEBIAN_CONF)
    write(root / "etc/secboot/profile", "# of this site\nhost\n")
    for name in ("vmlinuz", "initrd.img"):
        (root / f"boot/{name}").write_bytes(kernel_stub(4096))
    hooks = root / "etc/kernel/postinst.d"
    for name in NEIGHBOURS:
        write(hooks / name, f"#!/bin/sh\necho {name} >> /boot/order\n")
    with (hooks / "initramfs-tools").open("a") as file:
        file.write(f"exec {FIRST_ZIPL}\n")
    write(root / FIRST_ZIPL[1:], zz_zipl())
    write(hooks / "zz-zipl", zz_zipl())
    write(hooks / "zy-secboot", (HOOKS / "debian/zy-secboot").read_text())
    directories = ["/etc/kernel/postinst.d"]
    if release is not None:
        shared = tmp_path / "usr/share/kernel/postinst.d"
        theirs = [path.name for path in release.tree.glob("usr/share/kernel/postinst.d/*")]
        for name in [*theirs, "zz-shared"]:
            write(shared / name, f"#!/bin/sh\necho {name} >> /boot/order\n")
        directories.append(str(shared))
    command = f'#!/bin/sh\necho secboot >> /boot/order\nexec "{sys.executable}" -m secboot "$@"\n'
    write(tmp_path / "bin/secboot", command)
    write(tmp_path / "bin/zipl", "#!/bin/sh\ngrep parameters= /etc/zipl.conf >> /boot/order\n")
    binds = " && ".join(f"mount --bind {root}/{name} /{name}" for name in ("etc", "boot", "var"))
    words = [*run_parts(release), "--report", "--exit-on-error", f"--arg={VERSION}", *directories]

    done = subprocess.run(
        [
            *(require("unshare"), "--mount", "--propagation", "private"),
            *("sh", "-c", f'{binds} && exec "$@"', "sh", *words),
        ],
        env=environment | {"DEB_MAINT_PARAMS": "configure"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    order = (root / "boot/order").read_text().splitlines()
    ramdisk, ours = order.index("initramfs-tools"), order.index("secboot")
    # That of initramfs-tools records what was there, and the last one what the profile requires.
    assert order[ramdisk + 1] == "parameters=root=/dev/dasda1"
    assert order[-1] == "parameters=root=/dev/dasda1 prot_virt=1"
    assert all(name.startswith("zz-") for name in order[ours + 1 : -1])
    assert not any(name.startswith("zz-") for name in order[:ours])
    assert set(NEIGHBOURS) < set(order)
    if release is debian.SID:
        assert order[0] == "00-legacy-boot"
