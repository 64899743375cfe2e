"""A tree that represents a running machine where changes are tried, and its reboots."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from secboot.system import programs
from tests.apply.zipl_script import ZiplScript, make_zipl
from tests.command import Said, act_on_running_system, secboot
from tests.trees import add_images, make_sample_tree

if TYPE_CHECKING:
    import pytest

MENU = """[defaultboot]
defaultmenu = menu
[linux]
target = /boot
image = /boot/vmlinuz
ramdisk = /boot/initrd
parameters = "root=/dev/dasda1 quiet"
[old]
target = /boot
image = /boot/vmlinuz.old
parameters = 'root=/dev/dasda1'
:menu
target = /boot
default = 1
prompt = 0
1 = linux
2 = old
"""
AUTOMATIC = """[defaultboot]
defaultauto
target = /boot
[linux]
image = /boot/vmlinuz
parameters = "root=/dev/dasda1 quiet"
[old]
image = /boot/vmlinuz.old
parameters = "root=/dev/dasda1"
"""
ALONE = """[defaultboot]
default = linux
[linux]
target = /boot
image = /boot/vmlinuz
parameters = "root=/dev/dasda1"
"""
CONFS = {"menu": MENU, "automatic": AUTOMATIC, "alone": ALONE}


@dataclass(frozen=True)
class Machine:
    """The running system: `root` is its tree, `script` its zipl."""

    root: Path
    script: ZiplScript
    capsys: pytest.CaptureFixture[str]
    reipl: str = "ccw"

    def run(self, *words: object) -> Said:
        """Run one command line on it."""
        return secboot(self.capsys, *words, "--root", self.root)

    def write(self, path: str, text: str) -> None:
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    @property
    def setting(self) -> Path:
        name = "loadparm" if self.reipl == "ccw" else "bootprog"
        return self.root / "sys/firmware/reipl" / self.reipl / name

    @property
    def chosen(self) -> str:
        """The value of the re-IPL setting."""
        return self.setting.read_text().strip()

    def boot(self, line: str) -> None:
        """Boot with this line; what a reboot starts from is unchanged."""
        self.write("proc/cmdline", f"{line}\n")
        self.write("proc/sys/kernel/random/boot_id", f"{uuid.uuid4()}\n")
        self.write("sys/firmware/ipl/ipl_type", f"{self.reipl}\n")
        self.write("sys/firmware/ipl/device", "0.0.0120\n")


def make_machine(
    kind: str,
    place: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    reipl: str = "ccw",
    body: str = "exit 0",
) -> Machine:
    """Create one from a sample tree, or with one of `CONFS`."""
    place.mkdir(parents=True, exist_ok=True)
    root = place / "root"
    if kind in CONFS:
        (root / "etc").mkdir(parents=True)
        (root / "etc/zipl.conf").write_text(CONFS[kind])
        add_images(root)
    else:
        make_sample_tree(kind, root)
    machine = Machine(root, make_zipl(place / "bin", body), capsys, reipl)
    act_on_running_system(monkeypatch)
    monkeypatch.setattr(programs, "SystemRunner", lambda: machine.script.runner)
    # Its zipl is a script that does not write one.
    monkeypatch.setattr("secboot.machine.installed_zipl.has_usual_record", lambda _: True)
    monkeypatch.setattr("secboot.checkpoint.log.log_change", lambda _: None)
    machine.write("sys/firmware/reipl/reipl_type", f"{reipl}\n")
    machine.write(f"sys/firmware/reipl/{reipl}/device", "0.0.0120\n")
    machine.write(f"sys/firmware/reipl/{reipl}/loadparm", "\n")
    machine.write(f"sys/firmware/reipl/{reipl}/bootprog", "0\n")
    machine.write("sys/firmware/shutdown_actions/on_reboot", "reipl\n")
    machine.boot("root=/dev/dasda1 quiet BOOT_IMAGE=1")
    return machine
