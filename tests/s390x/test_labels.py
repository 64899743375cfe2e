"""SELinux labels survive an apply and a rollback on a kernel that has SELinux, with a policy loaded.

The policy is a small one, compiled by the real secilc: types for the locations of boot files, and
every access allowed. The kernel's behaviour matters: a new file gets the label of its directory, and
a label is only accepted if the policy has it. The labels are those of the reference policy for these
paths, where /etc/zipl.conf and other files in /etc have different labels.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.available import unavailable
from tests.s390x.apt import AptError, Suite, native_architecture, unpack
from tests.s390x.cache import locked_cache
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.recipe import BASE_SUITE
from tests.s390x.scenarios import BLS, SECTION, Installed, Scenario
from tests.workshop import Workshop

pytestmark = pytest.mark.ipl

_VERSION = "33"
"""The version of the policy format, which Linux 6.1 reads."""
_INITIAL = (
    "kernel security unlabeled fs file file_labels init any_socket port netif netmsg node"
    " igmp_packet icmp_socket tcp_socket sysctl_modprobe sysctl sysctl_fs sysctl_kernel sysctl_net"
    " sysctl_net_unix sysctl_vm sysctl_dev kmod policy scmp_packet devnull"
)
"""The kernel's own, by number (security/selinux/include/initial_sid_to_string.h)."""
_TYPES = ("kernel_t", "unlabeled_t", "fs_t", "boot_t", "bootloader_etc_t", "etc_t", "var_lib_t")
_CLASSES = {
    "process": "transition dyntransition",
    "dir": "read write search add_name remove_name",
    "file": "read write create getattr setattr relabelfrom relabelto unlink rename open",
}
_LABEL = "system_u:object_r:{}:s0"

PREPARE = """\
mkdir -p /etc/kernel && echo "$(cat /proc/cmdline)" > /etc/kernel/cmdline
mkdir -p /var/lib
mount -t selinuxfs selinuxfs /sys/fs/selinux
run load python3 labels.py load

python3 labels.py give
"""
LABELS = r"""
import os, sys
def paths():
    yield from ("/etc", "/boot", "/etc/zipl.conf", "/etc/kernel/cmdline")
    for top, _, names in os.walk("/boot/loader/entries"):
        yield top
        yield from (os.path.join(top, name) for name in sorted(names))
def wanted(path):
    kind = "bootloader_etc_t" if path == "/etc/zipl.conf" else "etc_t" if path[:4] == "/etc" else "boot_t"
    return f"system_u:object_r:{kind}:s0"
if sys.argv[1] == "load":
    with open("/sys/fs/selinux/load", "wb", buffering=0) as file:
        file.write(open("policy", "rb").read())
elif sys.argv[1] == "give":
    os.setxattr("/var/lib", "security.selinux", b"system_u:object_r:var_lib_t:s0")
    for path in paths():
        os.setxattr(path, "security.selinux", wanted(path).encode())
else:
    for path in paths():
        found = os.getxattr(path, "security.selinux").rstrip(b"\0").decode()
        print("right" if found == wanted(path) else "WRONG", path, found)
    for top, directories, names in os.walk("/var/lib/secboot"):
        for name in [*directories, *names]:
            found = os.getxattr(os.path.join(top, name), "security.selinux").rstrip(b"\0").decode()
            print("right" if found.split(":")[2] == "var_lib_t" else "WRONG", name, found)
"""


def policy_text() -> str:
    """The policy in CIL (SELinux' Common Intermediate Language)."""
    lines = ["(handleunknown allow)", "(mls true)"]
    lines += [f"(class {name} ({words}))" for name, words in _CLASSES.items()]
    lines += [f"(classorder ({' '.join(_CLASSES)}))", f"(sidorder ({_INITIAL}))"]
    lines += ["(sensitivity s0)", "(sensitivityorder (s0))", "(level low (s0))"]
    lines += ["(levelrange range (low low))", "(user system_u)", "(userlevel system_u low)"]
    lines += ["(userrange system_u range)", "(typeattribute everything)"]
    for role in ("system_r", "object_r"):
        lines += [f"(role {role})", f"(userrole system_u {role})"]
    for kind in _TYPES:
        lines += [f"(type {kind})", f"(typeattributeset everything ({kind}))"]
        lines += [f"(roletype {role} {kind})" for role in ("system_r", "object_r")]
    for name in _INITIAL.split():
        context = "system_r kernel_t" if name == "kernel" else "object_r unlabeled_t"
        lines += [f"(sid {name})", f"(sidcontext {name} (system_u {context} range))"]
    lines += [f"(allow everything everything ({c} ({w})))" for c, w in _CLASSES.items()]
    lines += [
        f"(fsuse {how} {system} (system_u object_r fs_t range))"
        for how, system in (("xattr", "ext4"), ("trans", "tmpfs"))
    ]
    return "\n".join(lines) + "\n"


def _compile(directory: Path) -> None:
    with locked_cache() as cache:
        suite = Suite(BASE_SUITE, native_architecture(), cache)
        files = suite.fetch(("secilc", "libsepol2"))
    for file in files.values():
        unpack(file, directory)
    (directory / "policy.cil").write_text(policy_text())
    libraries = ":".join(str(path) for path in directory.glob("*lib/*-linux-gnu*"))
    libraries += ":" + ":".join(str(path) for path in directory.glob("usr/lib/*-linux-gnu*"))
    subprocess.run(
        ["usr/bin/secilc", "-c", _VERSION, "-o", "policy", "-f", os.devnull, "policy.cil"],
        cwd=directory,
        env={"LD_LIBRARY_PATH": libraries},
        check=True,
    )


@pytest.fixture(scope="module")
def policy(workshop: Workshop) -> bytes:
    """The compiled policy."""
    try:
        return (workshop.directory("policy", _compile) / "policy").read_bytes()
    except AptError as error:
        unavailable(f"Debian's secilc is not available: {error}")


def labels(said: str) -> list[str]:
    """The lines about labels; there must be some."""
    found = [line for line in said.splitlines() if line.startswith(("right", "WRONG"))]
    assert len(found) > 5, said
    return found


@pytest.mark.parametrize("scenario", [SECTION, BLS], ids=lambda scenario: scenario.name)
def test_labels_are_kept(
    scenario: Scenario, installed: Installed, policy: bytes, tmp_path: Path
) -> None:
    guest: Guest = installed.guest(scenario, tmp_path)

    done = guest.run(
        f"{PREPARE}run before python3 labels.py show\nrun apply secboot apply guest\n"
        "run after python3 labels.py show\nrun rollback secboot rollback\n"
        "run last python3 labels.py show\n",
        {"labels.py": LABELS, "policy": policy},
        direct=f"{ROOT} security=selinux selinux=1 enforcing=1",
        limit=240,
    )

    for name in ("load", "before", "apply", "after", "rollback", "last"):
        assert done.status(name) == 0, done.output(name)
    assert "WRONG" not in done.output("before")
    for name in ("after", "last"):
        assert [line for line in labels(done.output(name)) if line.startswith("WRONG")] == []
