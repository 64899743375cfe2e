"""Run a real s390x zipl on a tree, dry or for real, on a machine of any architecture.

zipl runs in a chroot, so it only opens paths in the tree: user-mode emulation with ``-L`` would
fall back to the host's files for a path that the tree lacks, and a real run would write there. A
static qemu inside the chroot is the only foreign program; binfmt_misc is not needed.
"""

import contextlib
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.s390x.loop_disk import LoopDisk, unmount
from tests.s390x.zipl_output import Verdict, read_verdict

NOBODY = 65534

HELPER = """\
#!/bin/sh
echo targetbase={device}
echo targettype=SCSI
echo targetblocksize=512
echo targetoffset=0
"""
"""zipl's own hook for logical devices (disk.c: get_targetbase_from_script and similar): it provides
the geometry that the loop device lacks, so that zipl.conf does not need it."""

PROC_DEVICES = "Character devices:\n  1 mem\n\nBlock devices:\n  7 loop\n"
"""From /proc/devices zipl reads the driver's name, and so which helper to call."""

OWN_DIRECTORIES = ("usr", "bin", "sbin", "lib", "dev", "proc", "sys")
"""What a cell keeps from one case to the next; everything else belongs to the case."""


@dataclass(slots=True)
class Cell:
    """A directory with one zipl and its libraries, used for one case after another.

    On a `LoopDisk` (``disk``), a run as root is complete; elsewhere only `dry_run_unprivileged`
    works.
    """

    directory: Path
    sysroot: Path
    shell: Path
    disk: LoopDisk | None = None
    version: str = ""
    _user_namespace: bool = field(init=False)

    def __post_init__(self) -> None:
        self._user_namespace = os.geteuid() != 0
        shutil.copytree(self.sysroot, self.directory, symlinks=True, dirs_exist_ok=True)
        emulator = shutil.which("qemu-s390x-static")
        assert emulator is not None, "qemu-s390x-static is missing; run tests/s390x/setup"
        shutil.copy(emulator, self.directory / "usr/bin/qemu")
        for name in ("dev", "proc", "sys"):
            (self.directory / name).mkdir(exist_ok=True)
        (self.directory / "proc/partitions").write_text("major minor  #blocks  name\n\n")
        (self.directory / "proc/devices").write_text(PROC_DEVICES)
        if self.disk is not None:
            self._answer_for(self.disk.device)

    def _answer_for(self, device: str) -> None:
        shell = self.directory / "usr/bin/sh"
        shutil.copyfile(self.shell, shell)
        shell.chmod(0o755)
        helper = self.directory / "usr/lib/s390-tools/zipl_helper.loop"
        helper.write_text(HELPER.format(device=device))
        helper.chmod(0o755)
        number = Path(device).stat().st_rdev
        os.mknod(self.directory / device.lstrip("/"), stat.S_IFBLK | 0o600, number)

    def fill(self, tree: Path) -> None:
        """Replace the previous case by a copy of ``tree``, links as links."""
        self.clear()
        for part in tree.iterdir():
            if part.name not in OWN_DIRECTORIES:
                _copy(part, self.directory / part.name)
        # A tree may have files that zipl looks for in its library directory, such as zipl.conf.
        for libdir in ("usr/lib/s390-tools", "lib/s390-tools"):
            configuration = tree / libdir / "zipl.conf"
            if configuration.is_file():
                shutil.copy(configuration, self.directory / "usr/lib/s390-tools/zipl.conf")

    def fill_with(self, files: Mapping[str, bytes]) -> None:
        """Replace the previous case by these files (path relative to the root: content)."""
        self.clear()
        for name, content in files.items():
            target = self.directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)

    def clear(self) -> None:
        """Remove the previous case."""
        for part in self.directory.iterdir():
            if part.name in OWN_DIRECTORIES:
                continue
            if part.is_dir() and not part.is_symlink():
                shutil.rmtree(part)
            else:
                part.unlink()
        (self.directory / "usr/lib/s390-tools/zipl.conf").unlink(missing_ok=True)

    @contextlib.contextmanager
    def system(self, mounted: Path) -> Iterator[None]:
        """Let zipl use /boot and /etc of a mounted image instead of a case, in this context."""
        self.clear()
        for name in ("boot", "etc"):
            (self.directory / name).mkdir()
        with contextlib.ExitStack() as stack:
            for name in ("boot", "etc"):
                place = self.directory / name
                subprocess.run(["mount", "--bind", mounted / name, place], check=True)
                stack.callback(unmount, place)
            yield

    def dry_run(self, *options: str) -> Verdict:
        """zipl's complete dry run as root on the loop device, with entries and parameter lines."""
        assert self.disk is not None, "a whole dry run needs a cell on a loop disk"
        return self._zipl(["chroot", os.fspath(self.directory)], "--dry-run", *options)

    def install(self, *options: str) -> Verdict:
        """Really run zipl: it writes the bootmap and the boot record of the loop device."""
        assert self.disk is not None, "a real run needs a cell on a loop disk"
        return self._zipl(["chroot", os.fspath(self.directory)], *options)

    def dry_run_unprivileged(self, *options: str) -> Verdict:
        """zipl's verdict for an ordinary user; it lists no entries. Needs no root and no device.

        Only the verdict, its line and the order of the BLS files are meaningful. zipl needs write
        access to the target directory before it checks rights, so the case's files are made
        writable for all.
        """
        for path in (self.directory, *self.directory.rglob("*")):
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o777)
        return self._zipl(self._as_ordinary_user(), "--dry-run", *options)

    def _as_ordinary_user(self) -> list[str]:
        if not self._user_namespace:
            return ["chroot", f"--userspec={NOBODY}:{NOBODY}", os.fspath(self.directory)]
        # Without root: chroot inside a user namespace in which this user is not root either.
        return ["unshare", "--map-user=1000", "--keep-caps", "chroot", os.fspath(self.directory)]

    def _zipl(self, confinement: list[str], *options: str) -> Verdict:
        done = subprocess.run(
            [*confinement, "/bin/qemu", "/sbin/zipl", "-V", *options],
            env={"PATH": "/bin:/sbin:/usr/bin:/usr/sbin", "LC_ALL": "C"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=60,
        )
        stdout, stderr = (
            part.decode(errors="surrogateescape") for part in (done.stdout, done.stderr)
        )
        return read_verdict(stdout, stderr, done.returncode)


def _copy(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
    elif source.is_dir():
        shutil.copytree(source, target, symlinks=True)
    else:
        shutil.copy2(source, target)


def kernel_stub(command_line_size: int = 4096) -> bytes:
    """A file that zipl accepts as an s390x kernel with this maximum command line length.

    0 means a kernel before 5.16, without this field: zipl then assumes 896.
    """
    stub = bytearray(0x11000)
    stub[0x10008:0x1000E] = b"S390EP"
    stub[0x10430:0x10438] = command_line_size.to_bytes(8, "big")
    return bytes(stub)
