"""Several machines on this one: each an sshd in a mount namespace with boot files of its own.

Programs and libraries are those of this system. What secboot and Ansible read and write, /boot, /etc,
/usr/local, /var/lib and the kernel's command line, is each machine's own, and gone with it. /boot is
on a disk of its own, on which the real zipl has run.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from secboot.demo import sample_files
from tests.ansible.boot_disk import BootDisk, boot_disk
from tests.packaging.programs import require
from tests.s390x.testbed import require_oracle

OWN = ("boot", "etc", "usr/local", "var/lib", "run", "root")
_START = """\
set -eu
top=$1; shift
for directory in boot etc usr/local var/lib run root; do
    mount --bind "$top/$directory" "/$directory"
done
mount --bind "$top/cmdline" /proc/cmdline
mount --bind "$top/boot_id" /proc/sys/kernel/random/boot_id
mount --bind "$top/firmware" /sys/firmware
for directory in boot etc run; do
    mount --bind "/$directory" "$top/cell/$directory"
done
mount -t overlay -o "lowerdir=$top/sbin:/usr/sbin" overlay /usr/sbin
zipl
ipl
exec "$@"
"""
_SSHD_CONFIG = """\
Port {port}
ListenAddress 127.0.0.1
HostKey {key}
AuthorizedKeysFile {authorized}
PidFile none
StrictModes no
UsePAM no
PermitRootLogin yes
PasswordAuthentication no
Subsystem sftp internal-sftp
"""


@dataclass(frozen=True, slots=True)
class Host:
    """A machine: its name, the port of its sshd on 127.0.0.1, and what is its own."""

    name: str
    port: int
    top: Path
    disk: BootDisk

    def snapshot(self) -> dict[str, bytes]:
        """Every file that is the machine's own, except those that sshd and logins write."""
        return {
            path.relative_to(self.top).as_posix(): path.read_bytes()
            for directory in OWN
            if directory not in {"run", "root"}
            for path in sorted((self.top / directory).rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


IPL = """\
#!/bin/sh
# What an IPL changes, as seen from inside: the command line, which is that of the
# entry that LOADPARM selects, or of the first one that zipl wrote, and the number of the boot.
# With an argument it is a LOAD from outside, without LOADPARM.
[ $# = 0 ] || echo > /sys/firmware/reipl/ccw/loadparm
number=$(tr -cd 0-9 < /sys/firmware/reipl/ccw/loadparm)
grep -a -o 'root=/dev/mapper/[ -~]*' /boot/bootmap | sed -n "${number:-1}p" > /proc/cmdline
cat /proc/sys/kernel/random/uuid > /proc/sys/kernel/random/boot_id
"""


FIRMWARE = {
    "ipl/ipl_type": "ccw",
    "ipl/device": "0.0.0120",
    "reipl/reipl_type": "ccw",
    "reipl/ccw/device": "0.0.0120",
    "reipl/ccw/loadparm": "",
    "shutdown_actions/on_reboot": "reipl",
}
"""The files in /sys/firmware: the machine was IPLed from a DASD, and a reboot does the same."""


def make_tree(top: Path) -> None:
    """Lay out what is a machine's own: the demo's boot files in a copy of this /etc, and firmware."""
    for path, content in sample_files().items():
        (top / path).parent.mkdir(parents=True, exist_ok=True)
        (top / path).write_bytes(content)
    subprocess.run(
        ["cp", "-a", "--no-clobber", "/etc/.", top / "etc"], check=True, capture_output=True
    )
    # The demo's machine is not Debian, where a new kernel gets no BLS entry.
    for name in ("debian_version", "os-release"):
        (top / "etc" / name).unlink(missing_ok=True)
    (top / "etc/os-release").write_text("ID=demo\n")
    for directory in (*OWN, "usr/local/bin", "usr/local/sbin", "run/sshd"):
        (top / directory).mkdir(parents=True, exist_ok=True)
    (top / "root").chmod(0o700)
    for name, value in FIRMWARE.items():
        (top / "firmware" / name).parent.mkdir(parents=True, exist_ok=True)
        (top / "firmware" / name).write_text(f"{value}\n")
    for file in ("cmdline", "boot_id"):
        (top / file).touch()
    (top / "usr/local/sbin/ipl").write_text(IPL)
    (top / "usr/local/sbin/ipl").chmod(0o755)
    # A password that matches nothing; an account without one would be locked for sshd.
    shadow = (top / "etc/shadow").read_text().splitlines(keepends=True)
    rest = [line for line in shadow if not line.startswith("root:")]
    (top / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n" + "".join(rest))


@contextmanager
def hosts(directory: Path, names: tuple[str, ...]) -> Iterator[tuple[list[Host], Path]]:
    """Start machines; yields them, and the path of the key to log in with.

    They take turns with the releases of zipl.
    """
    bed = require_oracle()
    key, host_key = directory / "key", directory / "host_key"
    for file in (key, host_key):
        subprocess.run(
            [require("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", file], check=True
        )
    started: list[tuple[Host, subprocess.Popen[bytes]]] = []
    with ExitStack() as disks:
        try:
            for name, version in zip(names, cycle(bed.zipl), strict=False):
                (directory / name).mkdir()
                disk = disks.enter_context(boot_disk(directory / name, version, bed))
                started.append(_start(disk, name, key, host_key))
            for host, process in started:
                _wait(host, process)
            yield [host for host, _ in started], key
        finally:
            for _, process in started:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGTERM)
                process.wait(10)


def _start(
    disk: BootDisk, name: str, key: Path, host_key: Path
) -> tuple[Host, subprocess.Popen[bytes]]:
    top = disk.top
    make_tree(top)
    port = _free_port()
    config = top / "sshd_config"
    config.write_text(
        _SSHD_CONFIG.format(port=port, key=host_key, authorized=key.with_suffix(".pub"))
    )
    command: list[str | Path] = ["unshare", "--mount", "--propagation", "private"]
    command += ["sh", "-c", _START, "sh", top, require("sshd"), "-D", "-e", "-f", config]
    log = (top / "sshd.log").open("wb")
    process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
    log.close()
    return Host(name, port, top, disk), process


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait(host: Host, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", host.port)) == 0:
                return
        if process.poll() is not None:
            break
        time.sleep(0.1)
    raise TimeoutError(f"no sshd of {host.name}: {(host.top / 'sshd.log').read_text()}")
