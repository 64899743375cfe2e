"""After a kernel update on RHEL: the newest kernel is the default, and nothing is outdated."""

from __future__ import annotations

from pathlib import Path

import pytest

from secboot.ipl.boot_record import compare
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine, discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import EntryStatus, Plan
from secboot.plan.planner import make_plan
from secboot.system.root import Root
from secboot.zipl.version import BlsOrder
from tests.situations import make_situation

DEFAULT_HOST = "version: 1\nrole: host\nparameters: {prot_virt: 1}\nentries: default\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_situation("rhel-nvr-order", tmp_path / "root")


def machine_in(root: Path) -> Machine:
    with Root(root) as tree:
        return discover(tree, detect_layout(tree).sources)


def plan_for(root: Path, text: str) -> Plan:
    profile = root.parent / "profile.yaml"
    profile.write_text(text)
    with Root(root) as tree:
        layout = detect_layout(tree)
        machine = discover(tree, layout.sources)
        return make_plan(read_profile(str(profile), tree), machine, layout, with_zipl=False)


def test_the_record_is_what_the_files_say(root: Path) -> None:
    machine = machine_in(root)

    assert machine.zipl_version.order is BlsOrder.RED_HAT
    assert compare(machine).stale is None
    default = machine.configuration.default
    assert default is not None
    assert "553.22.1.el8_10" in default.name
    assert default.menu_position == 1


def test_the_default_alone_is_the_entry_that_boots(root: Path) -> None:
    changed = plan_for(root, DEFAULT_HOST).with_status(EntryStatus.CHANGE)

    assert ["553.22.1.el8_10" in entry.name for entry in changed] == [True]


@pytest.mark.parametrize(
    ("os_release", "plugin", "order"),
    [
        ('ID="rhel"\n', True, BlsOrder.RED_HAT),
        ("ID=fedora\nVERSION_ID=41\n", False, BlsOrder.RED_HAT),
        ('ID="almalinux"\nID_LIKE="rhel centos fedora"\n', False, BlsOrder.RED_HAT),
        (None, True, BlsOrder.RED_HAT),
        # kiwi also writes entries, and upstream's zipl reads them.
        ("ID=gentoo\n", False, BlsOrder.UPSTREAM),
        (None, False, BlsOrder.UPSTREAM),
    ],
)
def test_whose_zipl_it_is(
    root: Path, os_release: str | None, plugin: bool, order: BlsOrder
) -> None:
    (root / "etc/os-release").unlink()
    if os_release is not None:
        (root / "etc/os-release").write_text(os_release)
    if not plugin:
        (root / "usr/lib/kernel/install.d/20-zipl-kernel.install").unlink()

    machine = machine_in(root)

    assert machine.zipl_version.order is order
    newest = "553.22.1" if order is BlsOrder.RED_HAT else "553.el8_10"
    assert newest in machine.configuration.entries[0].name
