"""Machines for the tests of the stages: real bootmaps with their boot files, and made-up /proc and /sys."""

from __future__ import annotations

import lzma
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from secboot.invocation import PLAIN, Invocation
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine, discover
from secboot.machine.profile_files import read_profile
from secboot.running.kernel_log import KernelMessages
from secboot.running.system import RunningSystem, read_running
from secboot.status.assess import assess
from secboot.status.stages import Evidence, RequirementResults, Stage, Status
from secboot.system.root import Root
from tests.s390x.bootmaps import FILES, SETUPS
from tests.trees import SAMPLES, link_kernels, sealed_image

BOOTMAPS = Path(__file__).parents[1] / "data" / "bootmaps"
RECORDED = 2_000_000_000


@dataclass(frozen=True)
class Scene:
    """A tree with boot files; with /proc and /sys it can stand in for the running system."""

    tree: Path

    def write(self, path: str, content: str | bytes) -> None:
        """Write a file; boot files are older than the recorded bootmap."""
        target = self.tree / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)
        os.utime(target, (RECORDED - 100, RECORDED - 100))

    def replace(self, path: str, old: str, new: str) -> None:
        """Edit a file, after zipl has run."""
        target = self.tree / path
        text = target.read_text()
        assert old in text
        target.write_text(text.replace(old, new))
        os.utime(target, (RECORDED + 100, RECORDED + 100))

    def link_kernels(self, release: str = "6.1.0-21-s390x") -> None:
        """Replace kernel and ramdisk by links."""
        link_kernels(self.tree, release)

    def secure_kernel(self) -> None:
        """Replace the kernel by a Secure Execution image, before zipl has run."""
        kernel = self.tree / "boot/vmlinuz"
        kernel.write_bytes(sealed_image(kernel.stat().st_size))
        os.utime(kernel, (RECORDED - 100, RECORDED - 100))

    def machine(self, *, running: bool = False) -> Machine:
        """Read the boot configuration, as that of the running system or of a tree."""
        with Root(self.tree) as root:
            environment: dict[str, str] | None = {} if running else None
            sources = detect_layout(root).sources
            return discover(root, sources, environment, unconfigured=True)

    def running(self, messages: KernelMessages) -> RunningSystem:
        """Read the tree as the running system."""
        with Root(self.tree) as root:
            return read_running(root, messages, None)

    def status(
        self,
        profile: str | None,
        messages: KernelMessages | None = None,
        invocation: Invocation = PLAIN,
    ) -> Status:
        """Judge all stages; with `messages` as the running system."""
        machine = self.machine(running=messages is not None)
        running = None if messages is None else self.running(messages)
        with Root(self.tree) as root:
            loaded = None if profile is None else read_profile(profile, root)
            layout = detect_layout(root)
        next_ipl = layout.next_ipl_of(machine)
        return assess(Evidence(machine, layout, next_ipl, loaded, running, invocation))


def log(*lines: str, complete: bool = True) -> KernelMessages:
    """A kernel's log."""
    return KernelMessages.read(lines, complete=complete)


def make_scene(tree: Path, setup: str, recorded: str | None = "2.40.0-scsi-512") -> Scene:
    """A machine on which zipl has installed the configuration; with `recorded` None it has not."""
    scene = Scene(tree)
    files: Mapping[str, bytes] = {**FILES, **SETUPS[setup]}
    for path, content in files.items():
        scene.write(path, content)
    if recorded is not None:
        bootmap = tree / "boot/bootmap"
        bootmap.write_bytes(lzma.decompress((BOOTMAPS / f"{recorded}-{setup}.xz").read_bytes()))
        os.utime(bootmap, (RECORDED, RECORDED))
    return scene


def add_system(
    scene: Scene,
    proc: str,
    command_line: str,
    uv: str | None = None,
    release: str = "6.1.0-21-s390x",
) -> None:
    """Give the tree the /proc and /sys of a sample machine."""
    for name in ("cpuinfo", "sysinfo"):
        scene.write(f"proc/{name}", (SAMPLES / "proc" / proc / name).read_bytes())
    scene.write("proc/cmdline", command_line + "\n")
    scene.write("proc/sys/kernel/osrelease", release + "\n")
    if uv is not None:
        shutil.copytree(SAMPLES / "uv" / uv, scene.tree / "sys/firmware/uv")


def only(status: Status) -> RequirementResults:
    """The one requirement of a profile."""
    (found,) = status.requirements
    return found


def verdicts(status: Status) -> str:
    """All stages of the one requirement in one word: ``+-+-.?``."""
    marks = {"met": "+", "missing": "-", "unknown": "?", "not-applicable": "."}
    return "".join(marks[only(status).stages[stage].verdict] for stage in Stage)
