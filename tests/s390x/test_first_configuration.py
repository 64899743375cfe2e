"""The first configuration that secboot writes: zipl accepts it as planned, and it boots.

The trees are generated: kernels with several releases, flavours and line lengths, in the ways of
RHEL, Fedora, Debian and Ubuntu, with the line from each of its sources.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, seed
from hypothesis import strategies as st

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import RefusedError
from secboot.layout.detect import detect_layout
from secboot.layout.first import FirstAsked
from secboot.machine.discovery import configuration_after
from secboot.plan.first_configuration import plan_first_configuration
from secboot.plan.plan import Plan
from secboot.system.root import Root
from tests.s390x import tally
from tests.s390x.applied import verdict_on
from tests.s390x.generated import APPLY_EXAMPLES, APPLY_ROUNDS, SEED, limited_to
from tests.s390x.guest import Guest
from tests.s390x.guest_disk import ROOT
from tests.s390x.real_zipl import Cell
from tests.s390x.scenarios import SWIOTLB, Installed
from tests.trees import plain_kernel

MACHINE_ID = "0123456789abcdef0123456789abcdef"
RED_HAT = {
    "rhel": 'NAME="Red Hat Enterprise Linux"\nVERSION="9.4 (Plow)"\nID="rhel"\nVERSION_ID="9.4"\n',
    "fedora": 'NAME="Fedora Linux"\nVERSION="41 (Server Edition)"\nID=fedora\nVERSION_ID=41\n',
    "centos": 'NAME="CentOS Stream"\nVERSION="10 (Coughlan)"\nID="centos"\nVERSION_ID="10"\n',
}
DEBIAN = {
    "debian": 'ID=debian\nVERSION_ID="12"\n',
    "ubuntu": 'ID=ubuntu\nID_LIKE=debian\nVERSION_ID="24.04"\n',
    "raspbian": "ID=raspbian\nID_LIKE=debian\n",
}
RELEASES = (
    *(
        "5.14.0-427.13.1.el9_4.s390x",
        "5.14.0-427.el9.s390x",
        "6.11.4-301.fc41.s390x",
        "6.9.0-0.rc1.s390x",
    ),
    *(
        "6.1.0-18-s390x",
        "6.8.0-31-generic",
        "5.14.0-427.13.1.el9_4.s390x+debug",
        "6.12.9+bpo-s390x",
    ),
)
LINES = (
    *("root=/dev/mapper/rhel-root rd.lvm.lv=rhel/root", 'root=/dev/vda1 dyndbg="file a +p"', "ro"),
    *(
        "root=UUID=1-2 x='y z'",
        '"root=/dev/vda1" quiet',
        "root=/dev/vda1 # no comment",
        "'a' root=/dev/x",
    ),
)


@dataclass(frozen=True)
class Tree:
    """A tree with kernels but without a configuration, and the user's options."""

    files: Mapping[str, bytes]
    links: Mapping[str, str]
    asked: FirstAsked


@st.composite
def trees(draw: st.DrawFn) -> Tree:
    of_red_hat = draw(st.booleans())
    os_release = draw(st.sampled_from([*(RED_HAT if of_red_hat else DEBIAN).values()]))
    releases = draw(st.lists(st.sampled_from(RELEASES), min_size=1, max_size=4, unique=True))
    long = st.integers(850, 4200).map(lambda length: f"root=/dev/vda1 x={'0' * length}")
    line = draw(st.sampled_from(LINES) | long)
    files = {"etc/os-release": os_release.encode(), "etc/machine-id": MACHINE_ID.encode() + b"\n"}
    links, parameters = {}, None
    limit = draw(st.sampled_from([0, 1024, 4096]))
    ramdisk = "initramfs-{}.img" if of_red_hat else "initrd.img-{}"
    if of_red_hat and draw(st.booleans()):
        releases.append(f"0-rescue-{MACHINE_ID}")
    if of_red_hat and draw(st.booleans()):
        releases = []
        files["boot/vmlinuz"] = plain_kernel(2**17, limit)
        files[draw(st.sampled_from(["boot/initrd.img", "boot/initramfs.img", "boot/initrd"]))] = (
            b"r" * 5000
        )
    for release in releases:
        files[f"boot/vmlinuz-{release}"] = plain_kernel(2**17, limit)
        files[f"boot/{ramdisk.format(release)}"] = b"r" * 5000
    source = draw(st.sampled_from(["fstab", "cmdline", "parameters"]))
    if source == "cmdline" and of_red_hat:
        files["etc/kernel/cmdline"] = line.encode() + b"\n"
    elif source == "parameters":
        parameters = line
    else:
        files["etc/fstab"] = b"UUID=11111111-2222-3333-4444-555555555555 / btrfs subvol=root 0 0\n"
    if not of_red_hat:
        directory, prefix = draw(st.sampled_from([("boot/", ""), ("", "boot/")]))
        for suffix, release in zip(("", ".old"), releases, strict=False):
            links[f"{directory}vmlinuz{suffix}"] = f"{prefix}vmlinuz-{release}"
            links[f"{directory}initrd.img{suffix}"] = f"{prefix}initrd.img-{release}"
    target = draw(st.sampled_from([None, "/boot", "/boot/zipl"]))
    files["boot/zipl/.keep"] = b""
    return Tree(files, links, FirstAsked(target, parameters))


def init_in(cell: Cell, asked: FirstAsked) -> Plan | str:
    """Write the first configuration of the tree in the cell; return the reason if refused."""
    with Root(cell.directory) as root:
        layout = detect_layout(root)
        layout.for_first_configuration()

        def device_of(path: str) -> int | None:
            status = root.stat(path)
            return status.device if status is not None and status.is_directory else None

        managed = ManagedRoot(
            root, StateDirectory(root), None, layout, None, ("secboot",), lambda _: None
        )
        after = partial(configuration_after, root, layout.sources, None)
        try:
            return apply_plan(
                managed, lambda m: plan_first_configuration(m, layout, asked, after, device_of)
            ).plan
        except RefusedError as error:
            return error.message


@pytest.mark.oracle
@pytest.mark.parametrize("number", range(APPLY_ROUNDS))
def test_a_generated_tree_gets_what_zipl_takes(cell: Cell, number: int) -> None:
    """Only what zipl would refuse is refused: a line that is too long for a kernel."""
    done, refused = 0, list[str]()

    @seed(SEED * APPLY_ROUNDS + number)
    @limited_to(APPLY_EXAMPLES)
    @given(trees())
    def check(tree: Tree) -> None:
        nonlocal done
        cell.fill_with(tree.files)
        for name, target in tree.links.items():
            (cell.directory / name).symlink_to(target)
        plan = init_in(cell, tree.asked)
        if isinstance(plan, str):
            refused.append(plan)
            assert "exceeds the allowed maximum" in plan
            return
        verdict = verdict_on(cell)
        assert verdict.accepted, verdict.output
        shown = verdict.parmlines()
        planned = {entry.name: entry.line_after for entry in plan.entries}
        assert {name: planned[name] for name in shown} == shown
        assert len(shown) >= len([name for name in planned if name != "old"])
        assert verdict.default is not None
        default = next(entry for entry in plan.entries if entry.default)
        if cell_sorts_as_planned(plan):
            assert verdict.default.name == default.name
        tally.applied(cell.version, len(shown))
        done += 1

    check()

    assert done > APPLY_EXAMPLES // 3, refused


def cell_sorts_as_planned(plan: Plan) -> bool:
    """Whether the cell's zipl has this system's order: Red Hat's zipl differs from upstream."""
    return not plan.layout.startswith("BLS")


DEBIAN_WAY = f"""\
printf 'ID=debian\\nVERSION_ID="12"\\n' > /etc/os-release
echo '{ROOT.removeprefix("root=")} / ext4 defaults 0 1' > /etc/fstab
for name in vmlinuz:vmlinuz initrd:initrd.img; do
    mv /boot/${{name%:*}} /boot/${{name#*:}}-6.1.0-9-s390x
    ln -s ${{name#*:}}-6.1.0-9-s390x /boot/${{name#*:}}
done
"""
RED_HAT_WAY = f"""\
rm -rf /etc/debian_version /etc/kernel/postinst.d
printf 'NAME="Red Hat Enterprise Linux"\\nVERSION="9.4 (Plow)"\\nID="rhel"\\nVERSION_ID="9.4"\\n' > /etc/os-release
echo {MACHINE_ID} > /etc/machine-id
mkdir -p /etc/kernel
echo '{ROOT}' > /etc/kernel/cmdline
mv /boot/vmlinuz /boot/vmlinuz-5.14.0-427.el9.s390x
mv /boot/initrd /boot/initramfs-5.14.0-427.el9.s390x.img
"""


@pytest.mark.ipl
@pytest.mark.parametrize("way", [DEBIAN_WAY, RED_HAT_WAY], ids=["debian", "red-hat"])
def test_it_boots(way: str, installed: Installed, tmp_path: Path) -> None:
    """init and apply on the running system, then an IPL from the boot record that zipl wrote."""
    guest = Guest.create(installed.bed, tmp_path, installed.program)

    written = guest.run(
        f"rm -f /etc/zipl.conf /boot/bootmap\n{way}"
        "run init secboot init\nrun apply secboot apply guest\n",
        direct=ROOT,
    )
    booted = guest.run("run verify secboot verify guest --stage running\nrun init secboot init\n")

    assert written.status("init") == 0, written.output("init")
    assert "zipl wrote the boot record" in written.output("init")
    assert written.status("apply") == 0, written.output("apply")
    assert booted.command_line is not None, booted.console[-3000:]
    assert booted.command_line.split()[:2] == [ROOT, SWIOTLB]
    assert booted.status("verify") == 0, booted.output("verify")
    assert "already has a configuration" in booted.output("init")
