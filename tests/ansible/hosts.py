"""Several machines on this one: each an sshd in a mount namespace with boot files of its own.

Programs and libraries are those of this system. What secboot and Ansible read and write, /boot, /etc,
/usr/local, /var/lib and the kernel's command line, is each machine's own, and gone with it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from secboot.demo import write_sample
from tests.packaging.programs import require
from tests.s390x.testbed import unavailable

OWN = ("boot", "etc", "usr/local", "var/lib", "run", "root")
_START = """\
set -eu
top=$1; shift
for directory in boot etc usr/local var/lib run root; do
    mount --bind "$top/$directory" "/$directory"
done
mount --bind "$top/cmdline" /proc/cmdline
mount --bind "$top/boot_id" /proc/sys/kernel/random/boot_id
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

    def snapshot(self) -> dict[str, bytes]:
        """Every file that is the machine's own, but what sshd and logins write."""
        return {
            path.relative_to(self.top).as_posix(): path.read_bytes()
            for directory in OWN
            if directory not in {"run", "root"}
            for path in sorted((self.top / directory).rglob("*"))
            if path.is_file() and not path.is_symlink()
        }


IPL = """\
#!/bin/sh
# What an IPL changes for whoever looks from inside: the command line, and the number of the boot.
sed -n 's/^options //p' /boot/loader/entries/*-427.*.conf > /proc/cmdline
cat /proc/sys/kernel/random/uuid > /proc/sys/kernel/random/boot_id
"""


def make_tree(top: Path) -> None:
    """Lay out what is a machine's own: the demo's boot files in a copy of this /etc."""
    write_sample(top)
    subprocess.run(
        ["cp", "-a", "--no-clobber", "/etc/.", top / "etc"], check=True, capture_output=True
    )
    for directory in OWN:
        (top / directory).mkdir(parents=True, exist_ok=True)
    for directory in ("usr/local/bin", "usr/local/sbin", "run/sshd"):
        (top / directory).mkdir(parents=True)
    (top / "root").chmod(0o700)
    (top / "cmdline").write_text("root=/dev/mapper/rhel-root rd.dasd=0.0.0120\n")
    (top / "boot_id").write_text("11111111-2222-3333-4444-555555555555\n")
    (top / "usr/local/sbin/ipl").write_text(IPL)
    (top / "usr/local/sbin/ipl").chmod(0o755)
    # A password that matches nothing; an account without one would be locked for sshd.
    shadow = (top / "etc/shadow").read_text().splitlines(keepends=True)
    rest = [line for line in shadow if not line.startswith("root:")]
    (top / "etc/shadow").write_text("root:*:19000:0:99999:7:::\n" + "".join(rest))


@contextmanager
def hosts(directory: Path, names: tuple[str, ...]) -> Iterator[tuple[list[Host], Path]]:
    """Start machines; yields them, and the path of the key to log in with."""
    if os.geteuid() != 0:
        unavailable("mount namespaces with other files need root")
    key, host_key = directory / "key", directory / "host_key"
    for file in (key, host_key):
        subprocess.run(
            [require("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", file], check=True
        )
    started: list[tuple[Host, subprocess.Popen[bytes]]] = []
    try:
        for name in names:
            one = _start(directory / name, name, key, host_key)
            started.append(one)
        for host, _ in started:
            _wait(host.port)
        yield [host for host, _ in started], key
    finally:
        for _, process in started:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(10)


def _start(top: Path, name: str, key: Path, host_key: Path) -> tuple[Host, subprocess.Popen[bytes]]:
    top.mkdir()
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
    return Host(name, port, top), process


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait(port: int) -> None:
    for _ in range(100):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise TimeoutError(f"no sshd on port {port}")
