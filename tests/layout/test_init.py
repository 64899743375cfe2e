"""The first configuration of a tree: what is refused, what is found, and that undo leaves no trace."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import jsonschema
import pytest

from secboot.demo import kernel_stub
from secboot.system.files import FileStat
from tests.checkpoint.tracing import require_strace
from tests.command import secboot
from tests.layout.machines import DEBIAN, RHEL9, UBUNTU
from tests.layout.test_image_builds import HOST, OURSELVES, Audit
from tests.packaging.programs import CHECKOUT, require
from tests.report.strict import strict_schema
from tests.situations import make_situation
from tests.trees import MACHINE_ID, sealed_image, snapshot

VERSION = "5.14.0-427.13.1.el9_4.s390x"
FSTAB = "UUID=11111111-2222-3333-4444-555555555555 / xfs defaults 0 0\n"
MANY = 5
"""The number of kills, each at a different call; an init makes some dozens of calls."""
LINE = "root=UUID=11111111-2222-3333-4444-555555555555"


def rhel(root: Path, *versions: str) -> Path:
    """RHEL with kernels, but without a configuration."""
    for name in ("boot", "etc"):
        (root / name).mkdir(parents=True)
    (root / "etc/os-release").write_text(RHEL9)
    (root / "etc/machine-id").write_text(f"{MACHINE_ID}\n")
    (root / "etc/fstab").write_text(FSTAB)
    for version in versions or (VERSION,):
        (root / f"boot/vmlinuz-{version}").write_bytes(kernel_stub(4096))
        (root / f"boot/initramfs-{version}.img").write_bytes(b"ramdisk")
        os.utime(root / f"boot/vmlinuz-{version}", (1714521600, 1714521600))
    return root


def debian(root: Path, where: str = "boot", os_release: str = DEBIAN) -> Path:
    """Debian with a kernel and its links in a directory, but without a configuration."""
    for name in ("boot", "etc"):
        (root / name).mkdir(parents=True)
    (root / "etc/os-release").write_text(os_release)
    (root / "etc/fstab").write_text(FSTAB)
    for name, data in (("vmlinuz", kernel_stub(4096)), ("initrd.img", b"ramdisk")):
        (root / f"boot/{name}-6.1.0-9-s390x").write_bytes(data)
        prefix = "" if where == "boot" else "boot/"
        (root / where / name).symlink_to(f"{prefix}{name}-6.1.0-9-s390x")
    return root


@pytest.mark.parametrize("make", [rhel, debian], ids=["rhel", "debian"])
def test_what_is_written_is_taken_back(
    make: Callable[[Path], Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = make(tmp_path / "root")
    before = snapshot(root)

    dry = secboot(capsys, "init", "--root", root, "--dry-run")
    assert (dry.code, snapshot(root)) == (0, before)
    assert secboot(capsys, "init", "--root", root).code == 0
    assert secboot(capsys, "check", "--root", root).code == 0
    again = secboot(capsys, "init", "--root", root)
    assert again.code == 1
    assert "already has a configuration" in again.err
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    assert secboot(capsys, "verify", "guest", "--root", root).code == 0
    for _ in range(2):
        assert secboot(capsys, "rollback", "--root", root).code == 0

    assert snapshot(root) == before
    # Directories that are needed again are created again.
    assert secboot(capsys, "rollback", "4", "--root", root).code == 0
    assert secboot(capsys, "check", "--root", root).code == 0


def test_the_documents_are_as_their_schema_says(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = rhel(tmp_path / "root")
    plan = json.loads(secboot(capsys, "init", "--root", root, "--dry-run", "-o", "json").out)
    done = json.loads(secboot(capsys, "init", "--root", root, "-o", "json").out)
    history = json.loads(secboot(capsys, "history", "--root", root, "-o", "json").out)

    for document in (plan, done, history):
        jsonschema.validate(document, strict_schema(document["schema"]))
    assert (plan["schema"], plan["profile"]) == ("secboot/plan/2", None)
    assert (done["schema"], done["changed"], done["zipl"]) == (
        "secboot/init/1",
        True,
        {"state": "pending"},
    )
    assert history["checkpoints"][0]["action"] == "init"


def test_each_kernel_gets_the_entry_that_its_removal_finds(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rescue = f"0-rescue-{MACHINE_ID}"
    root = rhel(tmp_path / "root", VERSION, f"{VERSION}+debug", "5.14.0-70.el9.s390x", rescue)
    for name in (f"vmlinuz-{VERSION}.old", "vmlinuz-0-rescue-" + "f" * 32, ".vmlinuz-x.hmac"):
        (root / "boot" / name).write_bytes(kernel_stub(4096))

    assert secboot(capsys, "init", "--root", root).code == 0

    entries = root / "boot/loader/entries"
    suffixes = (VERSION, f"{VERSION}+debug", "5.14.0-70.el9.s390x", "0-rescue")
    assert sorted(path.name for path in entries.iterdir()) == sorted(
        f"{MACHINE_ID}-{each}.conf" for each in suffixes
    )
    assert (entries / f"{MACHINE_ID}-{VERSION}.conf").read_text() == (
        f"title Red Hat Enterprise Linux ({VERSION})\n"
        f"version {VERSION}\n"
        f"linux /boot/vmlinuz-{VERSION}\n"
        f"initrd /boot/initramfs-{VERSION}.img\n"
        f"options {LINE}\n"
        f"id rhel-20240501000000-{VERSION}\n"
        "grub_users $grub_users\n"
        "grub_arg --unrestricted\n"
        "grub_class kernel\n"
    )
    assert (
        "grub_class kernel-debug\n" in (entries / f"{MACHINE_ID}-{VERSION}+debug.conf").read_text()
    )
    assert (root / "etc/kernel/cmdline").read_text() == f"{LINE}\n"


@pytest.mark.parametrize("where", ["boot", "."])
def test_the_links_are_found_where_they_are(
    where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = debian(tmp_path / "root", where)

    assert secboot(capsys, "init", "--root", root).code == 0

    prefix = "/boot" if where == "boot" else ""
    conf = (root / "etc/zipl.conf").read_text()
    assert f"image = {prefix}/vmlinuz\nramdisk = {prefix}/initrd.img\n" in conf
    assert f"image = {prefix}/vmlinuz.old\n" in conf


def test_names_without_links_are_taken_as_they_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As in a tree from cloud-api-adaptor's mkosi build: /boot/vmlinuz and /boot/initrd.img are files."""
    root = debian(tmp_path / "root", os_release=UBUNTU)
    for name in ("vmlinuz", "initrd.img"):
        data = (root / "boot" / name).read_bytes()
        (root / "boot" / name).unlink()
        (root / "boot" / name).write_bytes(data)

    said = secboot(capsys, "init", "--root", root, "--parameters", "root=LABEL=system")

    assert said.code == 0
    assert "default = ubuntu\n" in (root / "etc/zipl.conf").read_text()


def test_a_kernel_without_a_release_in_its_name_gets_a_section(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Fedora as built by cloud-api-adaptor's mkosi, with a boot record made from zipl's options."""
    root = make_situation("no-configuration", tmp_path / "root")
    before = snapshot(root)
    assert "--parameters root=UUID=..." in secboot(capsys, "init", "--root", root).err

    said = secboot(capsys, "init", "--root", root, "--parameters", "root=LABEL=system")

    assert said.code == 0, said.err
    assert (root / "etc/zipl.conf").read_text() == (
        "[defaultboot]\ndefault = fedora\n\n[fedora]\ntarget = /boot\nimage = /boot/vmlinuz\n"
        'ramdisk = /boot/initrd.img\nparameters = "root=LABEL=system"\n'
    )
    assert secboot(capsys, "check", "--root", root).code == 0
    undone = secboot(capsys, "rollback", "--root", root)
    assert "An existing boot record was not changed." in undone.out
    assert snapshot(root) == before


def test_a_time_that_no_calendar_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    root = rhel(tmp_path / "root")
    of = FileStat.of
    monkeypatch.setattr(FileStat, "of", lambda status: of(status)._replace(modified=2**62))
    assert secboot(capsys, "init", "--root", root).code == 0


def test_problems_of_the_line_of_future_kernels_are_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = rhel(tmp_path / "root")
    (root / "etc/kernel").mkdir()
    (root / "etc/kernel/cmdline").write_text("root=/dev/loop0p2 quiet\n")

    said = secboot(capsys, "init", "--root", root, "--dry-run")

    assert "'root=/dev/loop0p2' is a device of the machine that built this system" in said.out


def test_entries_of_another_kind_of_machine(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A Fedora machine with GRUB: BLS entries, and kernels of x86-64."""
    root = rhel(tmp_path / "root")
    (root / f"boot/vmlinuz-{VERSION}").write_bytes(b"MZ" + bytes(2**17))
    entries = root / "boot/loader/entries"
    entries.mkdir(parents=True)
    (entries / "a.conf").write_text(
        f"title Fedora\nversion 1\nlinux /vmlinuz-{VERSION}\noptions root=/dev/sda1\n"
    )

    said = secboot(capsys, "init", "--root", root)

    assert said.code == 1
    assert "is not a kernel for IBM Z" in said.err


def no_kernel(root: Path) -> None:
    for path in (root / "boot").iterdir():
        path.unlink()


def remove(*patterns: str) -> Callable[[Path], None]:
    """Return a function that removes files from /boot, or from /etc for a pattern without a directory."""

    def take(root: Path) -> None:
        for pattern in patterns:
            for path in root.glob(pattern):
                path.unlink()

    return take


def replace(pattern: str, data: bytes) -> Callable[[Path], None]:
    """Return a function that writes other bytes into a file, and creates it if it does not exist."""

    def write(root: Path) -> None:
        for path in [*root.glob(pattern)] or [root / pattern]:
            path.write_bytes(data)

    return write


def only_modules(root: Path) -> None:
    no_kernel(root)
    (root / "usr/lib/modules/6.1.0").mkdir(parents=True)


def no_boot(root: Path) -> None:
    no_kernel(root)
    (root / "boot").rmdir()


def comments(root: Path) -> None:
    (root / "etc/kernel").mkdir()
    (root / "etc/kernel/cmdline").write_text("# later\n")


def linked(root: Path) -> None:
    (root / "etc/kernel").mkdir()
    (root / "etc/kernel/cmdline").symlink_to("/proc/cmdline")


def other_ramdisk(root: Path) -> None:
    (root / "boot/initrd.img-6.1.0-8-s390x").write_bytes(b"ramdisk")
    (root / "boot/initrd.img").unlink()
    (root / "boot/initrd.img").symlink_to("initrd.img-6.1.0-8-s390x")


BREAK: dict[str, Callable[[Path], None]] = {
    "no kernel": no_kernel,
    "only modules": only_modules,
    "no boot": no_boot,
    "no ramdisk": remove("boot/init*"),
    "no fstab": remove("etc/fstab"),
    "x86": replace("boot/vmlinuz-*", b"MZ" + bytes(2**17)),
    "sealed": replace("boot/vmlinuz-*", sealed_image()),
    "empty ramdisk": replace("boot/init*", b""),
    "file for entries": replace("boot/loader", b""),
    "no machine id": replace("etc/machine-id", b"uninitialized\n"),
    "comments": comments,
    "linked": linked,
    "other zipl.conf": replace("etc/zipl.conf", b"[defaultboot]\ndefault=x\n"),
    "no links": remove("boot/vmlinuz", "boot/initrd.img"),
    "other ramdisk": other_ramdisk,
    "dangling": remove("boot/vmlinuz-*"),
}
REFUSED = {
    ("rhel", "no kernel"): "install one",
    ("rhel", "only modules"): "kernel-install add 6.1.0 /lib/modules/6.1.0/vmlinuz",
    ("rhel", "no boot"): "whether /boot is mounted",
    ("rhel", "no ramdisk"): f"dracut /boot/initramfs-{VERSION}.img {VERSION}",
    ("rhel", "no fstab"): "init --parameters root=UUID=... --root",
    ("rhel", "x86"): "is not a kernel for IBM Z",
    ("rhel", "sealed"): "is not a kernel for IBM Z",
    ("rhel", "empty ramdisk"): "zipl would refuse this configuration",
    ("rhel", "file for entries"): "/boot/loader is not a directory",
    ("rhel", "no machine id"): "systemd-machine-id-setup --root=",
    ("rhel", "comments"): "contains only comments",
    (
        "rhel",
        "linked",
    ): "cmdline is a link to /proc/cmdline: the line of new kernels can't be written",
    ("rhel", "other zipl.conf"): "or remove it",
    ("debian", "no kernel"): "apt-get install linux-image-s390x",
    ("debian", "no boot"): "whether /boot is mounted",
    ("debian", "no ramdisk"): "update-initramfs -c -k 6.1.0-9-s390x",
    ("debian", "no fstab"): "init --parameters root=UUID=... --root",
    ("debian", "x86"): "is not a kernel for IBM Z",
    ("debian", "empty ramdisk"): "zipl would refuse this configuration",
    ("debian", "other zipl.conf"): "or remove it",
    (
        "debian",
        "no links",
    ): "linux-update-symlinks install 6.1.0-9-s390x /boot/vmlinuz-6.1.0-9-s390x",
    ("debian", "other ramdisk"): "linux-update-symlinks install 6.1.0-9-s390x",
    ("debian", "dangling"): "/boot/vmlinuz is a dangling link",
}


@pytest.mark.parametrize(("system", "name"), REFUSED)
def test_what_is_refused_says_what_to_do(
    system: str, name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = rhel(tmp_path / "root") if system == "rhel" else debian(tmp_path / "root")
    BREAK[name](root)
    before = snapshot(root)

    said = secboot(capsys, "init", "--root", root)

    assert said.code == 1, said.out
    assert REFUSED[system, name] in said.err
    assert snapshot(root) == before
    assert not (root / "var").exists()


@pytest.mark.parametrize(
    "words",
    [
        ["a" * 5000],
        ["root=/dev/vda1\nx"],
        ["root=/dev/vda1 é"],
        ['a="b'],
        ["root=/dev/vda1 a=${B}"],
    ],
)
def test_lines_that_no_entry_can_hold(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = rhel(tmp_path / "root")

    said = secboot(capsys, "init", "--root", root, "--parameters", *words)

    assert (said.code == 0) == ("${" in words[0])


def test_a_directory_as_the_root_of_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = secboot(capsys, "init", "--root", tmp_path)

    assert said.code == 1
    assert "check --root" in said.err


def test_another_file_system_than_the_kernels(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """zipl's boot record points to blocks of one disk."""
    root = rhel(tmp_path / "root")
    (root / "boot/zipl").mkdir()
    of = FileStat.of

    def elsewhere(status: os.stat_result) -> FileStat:
        found = of(status)
        is_target = status.st_ino == (root / "boot/zipl").stat().st_ino
        return found._replace(device=found.device + 1) if is_target else found

    monkeypatch.setattr(FileStat, "of", elsewhere)

    said = secboot(capsys, "init", "--root", root, "--target", "/boot/zipl")

    assert said.code == 1
    assert "is not on the same file system as the target /boot/zipl" in said.err


def test_the_parameters_of_an_earlier_apply_come_along(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An image without a kernel, then with it, then with its configuration."""
    root = rhel(tmp_path / "root")
    kernels = {path: path.read_bytes() for path in (root / "boot").iterdir()}
    no_kernel(root)
    assert secboot(capsys, "apply", "guest", "--root", root).code == 0
    for path, data in kernels.items():
        path.write_bytes(data)

    assert secboot(capsys, "init", "--root", root).code == 0
    verified = secboot(capsys, "verify", "guest", "--root", root)
    kept = secboot(capsys, "keep", "--root", root)

    assert (verified.code, "2 passed" in verified.out) == (0, True)
    assert "Active profile: guest." in kept.out


ZIPL = """\
#!/bin/sh
echo "$@" >> /var/zipl-ran
grep -q "^image = /boot/vmlinuz$" "$(echo "$@" | sed -n 's/.*--config //p' | grep . || echo /etc/zipl.conf)"
[ "$1" = --dry-run ] || [ ! -e /var/fail ]
"""


@pytest.mark.usefixtures("as_root")
@pytest.mark.parametrize("fails", [False, True])
def test_on_the_running_system(fails: bool, tmp_path: Path) -> None:
    """zipl checks the candidate, then writes the boot record; when it fails, nothing is left."""
    root = debian(tmp_path / "debian")
    (root / "var").mkdir()
    if fails:
        (root / "var/fail").touch()
    zipl = tmp_path / "bin/zipl"
    zipl.parent.mkdir()
    zipl.write_text(ZIPL)
    zipl.chmod(0o755)
    binds = " && ".join(f"mount --bind {root}/{name} /{name}" for name in ("etc", "boot", "var"))
    binds += f" && mount --bind {zipl.parent} /usr/local/sbin"
    command = f'{binds} && exec "{sys.executable}" -m secboot init --zipl'

    done = subprocess.run(
        [require("unshare"), "--mount", "--propagation", "private", "sh", "-c", command],
        env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
        capture_output=True,
        text=True,
        check=False,
    )

    runs = (root / "var/zipl-ran").read_text().splitlines()
    assert runs[0].startswith("--dry-run --config")
    assert len(runs) == 2
    if fails:
        assert done.returncode == 3, done.stdout + done.stderr
        assert not (root / "etc/zipl.conf").exists()
    else:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "zipl wrote the boot record" in done.stdout


@pytest.mark.fault
def test_a_kill_leaves_all_of_it_or_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """At each call that names, writes or syncs a file; the next init detects this and completes."""
    require_strace()
    wanted = rhel(tmp_path / "wanted")
    assert secboot(capsys, "init", "--root", wanted).code == 0
    calls = "renameat2,renameat,linkat,unlinkat,fsync,mkdirat"
    killed = 0
    for at in range(1, 200, 3):
        root = rhel(tmp_path / f"root-{at}")
        done = subprocess.run(
            [
                *("strace", "-f", "-qq", "-e", f"trace={calls}", "-e", "signal=none"),
                *("-e", f"inject={calls}:signal=SIGKILL:when={at}"),
                *(sys.executable, "-m", "secboot", "init", "--root", root),
            ],
            env=os.environ | {"PYTHONPATH": str(CHECKOUT)},
            capture_output=True,
            check=False,
        )
        if done.returncode == 0:
            break
        killed += 1
        said = secboot(capsys, "init", "--root", root)
        # If it was killed after the last step, it was done before; otherwise it is done now.
        assert said.code == 0 or "already has a configuration" in said.err, (at, said)
        found, complete = snapshot(root), snapshot(wanted)
        assert {path: found[path][1] for path in found} == {
            path: complete[path][1] for path in complete
        }, at
    assert killed >= MANY


def test_no_file_of_the_build_host_is_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = debian(tmp_path / "root")
    opened: set[str] = set()

    def note(event: str, arguments: tuple[object, ...]) -> None:
        if event in {"open", "os.listdir", "os.scandir"} and isinstance(arguments[0], str | bytes):
            opened.add(os.path.abspath(os.fsdecode(arguments[0])))  # noqa: PTH100 - as the kernel has it

    with Audit(note):
        assert secboot(capsys, "init", "--root", root).code == 0

    assert not {path for path in opened if path.startswith(HOST)} - OURSELVES
