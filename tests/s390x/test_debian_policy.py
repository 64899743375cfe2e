"""After an apply and a rollback, restorecon(8) finds nothing to do, with Debian's complete policy.

On trees of many distributions, by the labels of files on the disk, which root can set on any
kernel; and in the booted system, where SELinux is active and labels new files.
"""

import os
from pathlib import Path

import pytest

from tests.available import not_here, require_root, unavailable
from tests.command import secboot
from tests.s390x.apt import AptError
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.scenarios import BLS, Installed
from tests.s390x.selinux_policy import DebianPolicy, make_policy, unpacked
from tests.trees import SAMPLE_TREES, make_sample_tree
from tests.workshop import Workshop

PREPARE = """\
mkdir -p /etc/kernel && echo "$(cat /proc/cmdline)" > /etc/kernel/cmdline
mkdir -p /var/lib /etc/selinux/default/contexts/files
cp file_contexts /etc/selinux/default/contexts/files
printf 'SELINUX=enforcing\\nSELINUXTYPE=default\\n' > /etc/selinux/config
mount -t selinuxfs selinuxfs /sys/fs/selinux
run load dd if=policy of=/sys/fs/selinux/load bs=16M
export LD_LIBRARY_PATH=$PWD
ln -s setfiles restorecon
run label ./restorecon -R -F /etc /boot /var
restored() { run "$1" ./restorecon -R -n -v -F /etc /boot /var; }
"""


@pytest.fixture(scope="module")
def debian_policy(workshop: Workshop) -> DebianPolicy:
    """The policy, built once for all processes of a run."""
    try:
        return DebianPolicy(workshop.directory("debian-policy", make_policy))
    except AptError as error:
        unavailable(f"Debian's SELinux policy is not available: {error}")


LOSE = """import os; os.setxattr("/etc/zipl.conf", "security.selinux", b"system_u:object_r:boot_t:s0")"""


@pytest.mark.parametrize("name", SAMPLE_TREES)
def test_restorecon_finds_nothing_to_do(
    name: str, tmp_path: Path, debian_policy: DebianPolicy, capsys: pytest.CaptureFixture[str]
) -> None:
    require_root()
    tree = make_sample_tree(name, tmp_path / "root")
    try:
        os.setxattr(tree, "security.selinux", b"system_u:object_r:root_t:s0\0")
    except OSError as error:
        not_here(f"this file system has no labels: {error}")
    (tree / "var/lib").mkdir(parents=True, exist_ok=True)
    places = [tree / part for part in ("etc", "boot", "usr") if (tree / part).exists()]
    debian_policy.setfiles("-r", tree, debian_policy.contexts, tree)

    def to_be_done() -> str:
        return debian_policy.setfiles("-n", "-v", "-F", "-r", tree, debian_policy.contexts, *places)

    assert to_be_done() == ""
    applied = secboot(capsys, "apply", "guest", "--root", tree)
    assert applied.code == 0, applied.err
    assert to_be_done() == ""
    assert secboot(capsys, "rollback", "--root", tree).code == 0
    assert to_be_done() == ""
    # A lost label would be reported.
    lost = next(path for path in places[0].rglob("*") if path.is_file())
    os.removexattr(lost, "security.selinux")
    assert f"Would relabel {lost} from (null) to system_u:object_r:" in to_be_done()


@pytest.fixture(scope="module")
def setfiles(workshop: Workshop) -> dict[str, bytes]:
    """setfiles(8) for the booted system, with the libraries that the system lacks."""

    def unpack(directory: Path) -> None:
        unpacked(directory, "s390x", ("policycoreutils",))

    try:
        tree = workshop.directory("setfiles-s390x", unpack)
    except AptError as error:
        unavailable(f"Debian's policycoreutils for s390x is not available: {error}")
    libraries = [path for path in tree.rglob("*.so.*") if not path.is_symlink()]
    links = [path for path in tree.rglob("*.so.*") if path.is_symlink()]
    found = {path.name: path.read_bytes() for path in (*libraries, *links)}
    return {"setfiles": (tree / "sbin/setfiles").read_bytes(), **found}


@pytest.mark.ipl
def test_restorecon_finds_nothing_to_do_in_the_booted_system(
    installed: Installed,
    debian_policy: DebianPolicy,
    setfiles: dict[str, bytes],
    tmp_path: Path,
) -> None:
    guest: Guest = installed.guest(BLS, tmp_path)
    files = {
        "policy": debian_policy.binary.read_bytes(),
        "file_contexts": debian_policy.contexts.read_bytes(),
        **setfiles,
    }

    done = guest.run(
        f"{PREPARE}restored before\nrun apply secboot apply guest\nrestored after\n"
        "run rollback secboot rollback\nrestored last\n"
        f"python3 -c '{LOSE}'\nrestored lost\n",
        files,
        direct=f"{ROOT} security=selinux selinux=1 enforcing=1",
        limit=240,
    )

    for name in ("load", "label", "before", "apply", "after", "rollback", "last", "lost"):
        assert done.status(name) == 0, done.output(name)
    for name in ("before", "after", "last"):
        assert done.output(name).strip() == "", done.output(name)
    assert "Would relabel /etc/zipl.conf" in done.output("lost")
