"""One s390x machine under qemu-system-s390x (TCG), from power-on to power-off.

A boot is one QEMU process, started with the LOADPARM that the test specifies. A guest that re-IPLs
by its own settings stays in the same process (``reipls``). QEMU 7.2 has no subcode 4 of diagnose
308, which the kernel calls by default: the kernel then stops, unless it is set to clear its memory
(/sys/firmware/reipl/ccw/clear).
"""

import contextlib
import os
import re
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.s390x import tally


@dataclass(frozen=True, slots=True)
class Disk:
    """A raw disk image; ``write_log`` names a file that gets every write and flush (blklogwrites).

    QEMU passes each write of the guest to the host's page cache at once and in the guest's order,
    so all writes that the guest issued survive when QEMU is killed; data in the guest's own page
    cache is lost. This models a power cut with a disk that keeps everything it received. A disk
    that also loses what was not flushed is modelled from the write log (`write_log.py`). The host's
    own flushes are omitted (no-flush): they only matter if the host fails.
    """

    path: Path
    read_only: bool = False
    write_log: Path | None = None

    def arguments(self, number: int) -> list[str]:
        """QEMU arguments that attach the image as the virtio disk ``ccw-0.0.NUMBER``."""
        name, mode = f"disk{number}", f"read-only={'on' if self.read_only else 'off'}"
        backing = "driver=file,locking=off,cache.no-flush=on"
        image = f"{backing},filename={self.path}"
        if self.write_log is None:
            drive = ["-blockdev", f"{image},{mode},node-name={name}"]
        else:
            drive = ["-blockdev", f"{image},node-name=image{number}"]
            drive += ["-blockdev", f"{backing},filename={self.write_log},node-name=log{number}"]
            logged = f"driver=blklogwrites,file=image{number},log=log{number},node-name={name}"
            drive += ["-blockdev", logged]
        device = f"virtio-blk-ccw,drive={name},devno=fe.0.{number:04x}"
        if number == 1:
            device += ",bootindex=1"
        return [*drive, "-device", device]


@dataclass(frozen=True, slots=True)
class DirectKernel:
    """A kernel that QEMU itself loads, instead of an IPL from the first disk."""

    kernel: Path
    initramfs: Path
    command_line: str


@dataclass(frozen=True, slots=True)
class IplResult:
    """What one boot showed on its console.

    ``markers`` are the lines that start with ``@@`` and a capital letter, without the ``@@``. ``finished`` is False when the
    time limit, a kill or a crash ended the machine before the guest's init was done;
    ``ended_by_itself`` when nobody had to kill the emulator.
    """

    console: str
    markers: tuple[str, ...]
    wall: float
    finished: bool
    ended_by_itself: bool

    @property
    def command_line(self) -> str | None:
        """``/proc/cmdline`` of the booted kernel; None if user space was not reached."""
        return self.marker("CMDLINE")

    @property
    def command_lines(self) -> list[str]:
        """``/proc/cmdline`` of each kernel that was booted, if the guest re-IPLed."""
        return self._marked("CMDLINE")

    def marker(self, name: str) -> str | None:
        """Text after ``@@NAME`` of the first such line, or None."""
        return next(iter(self._marked(name)), None)

    def _marked(self, name: str) -> list[str]:
        parts = (line.partition(" ") for line in self.markers)
        return [rest for head, _, rest in parts if head == name]

    def output(self, name: str) -> str:
        """What a job printed between ``@@BEGIN NAME`` and ``@@END NAME``."""
        found = re.search(
            rf"^@@BEGIN {name}$\n(.*?)^@@END {name}\b", self.console, re.MULTILINE | re.DOTALL
        )
        assert found is not None, f"the guest printed no block {name}:\n{self.console[-3000:]}"
        return found[1]

    def status(self, name: str) -> int:
        """Exit status of the command with the block NAME."""
        found = re.search(rf"^@@END {name} (\d+)$", self.console, re.MULTILINE)
        assert found is not None, f"the guest printed no end of {name}:\n{self.console[-3000:]}"
        return int(found[1])


@dataclass(slots=True)
class Machine:
    """A running emulator. Use it as a context manager, which kills it at the end."""

    arguments: Sequence[str]
    _process: subprocess.Popen[bytes] = field(init=False)
    _reader: threading.Thread = field(init=False)
    _console: bytearray = field(init=False, default_factory=bytearray)
    _grown: threading.Condition = field(init=False, default_factory=threading.Condition)
    _started: float = field(init=False)

    def __enter__(self) -> Self:
        tally.booted()
        self._started = time.monotonic()
        self._process = subprocess.Popen(
            self.arguments,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while chunk := os.read(self._process.stdout.fileno(), 65536):
            with self._grown:
                self._console += chunk
                self._grown.notify_all()
        with self._grown:
            self._grown.notify_all()

    def console(self) -> str:
        """Everything printed so far; CR removed, bytes that are not UTF-8 replaced."""
        return bytes(self._console).decode(errors="replace").replace("\r", "")

    def wait_for(self, pattern: str, limit: float) -> bool:
        """Wait until the console matches; False when the machine ended or ``limit`` s passed."""
        wanted = re.compile(pattern, re.MULTILINE)
        until = time.monotonic() + limit
        with self._grown:
            while not wanted.search(self.console()):
                left = until - time.monotonic()
                if left <= 0 or not self._reader.is_alive():
                    return bool(wanted.search(self.console()))
                self._grown.wait(min(left, 0.2))
        return True

    def age(self) -> float:
        """Seconds since power-on."""
        return time.monotonic() - self._started

    def kill(self) -> None:
        """Kill the emulator at once (SIGKILL), like a power cut; do nothing if it has ended."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def result(self, limit: float) -> IplResult:
        """Wait for the guest to power off (or ``limit`` s, or a dead kernel), and report."""
        self.wait_for(r"^@@DONE|Kernel panic|@@NOROOT", limit)
        # A powered-off machine takes a moment to end; a dead kernel never ends.
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(timeout=5)
        return self.collect()

    def collect(self) -> IplResult:
        """Kill the emulator if it still runs, and report what the console has shown so far."""
        ended = self._process.poll() is not None
        self.kill()
        console = self.console()
        markers = tuple(re.findall(r"^@@([A-Z].*)$", console, re.MULTILINE))
        finished = any(line.startswith("DONE") for line in markers)
        return IplResult(console, markers, self.age(), finished, ended)


def machine(
    disks: Sequence[Disk],
    direct: DirectKernel | None = None,
    loadparm: str = "",
    memory: str = "512M",
    *,
    reipls: bool = False,
) -> Machine:
    """Describe a machine with these disks, IPLed from the first one unless ``direct`` is set.

    ``loadparm`` is the operator's LOADPARM, such as the number of a boot menu entry. With
    ``reipls``, a reboot of the guest is a re-IPL by its settings; otherwise it ends the machine.
    """
    board = "s390-ccw-virtio,accel=tcg" + (f",loadparm={loadparm}" if loadparm else "")
    arguments = ["qemu-system-s390x", "-M", board, "-cpu", "max", "-m", memory, "-smp", "1"]
    arguments += ["-nodefaults", "-no-user-config", *([] if reipls else ["-no-reboot"])]
    arguments += ["-display", "none", "-monitor", "none", "-serial", "stdio"]
    for number, disk in enumerate(disks, start=1):
        arguments += disk.arguments(number)
    if direct is not None:
        arguments += ["-kernel", os.fspath(direct.kernel), "-initrd", os.fspath(direct.initramfs)]
        arguments += ["-append", direct.command_line]
    return Machine(arguments)


def boot(
    disks: Sequence[Disk],
    direct: DirectKernel | None = None,
    *,
    loadparm: str = "",
    limit: float = 120,
) -> IplResult:
    """Run one machine from power-on to power-off; see `machine`."""
    with machine(disks, direct, loadparm) as running:
        return running.result(limit)
