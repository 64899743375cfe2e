"""The entry of a trial comes last, whatever BLS entries there are, in IBM's order and in Red Hat's."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.planner import make_plan
from secboot.plan.trial_entry import plan_trial
from secboot.plan.trial_reboot import about_loader
from secboot.running.firmware import IplSource
from secboot.running.system import Level, RebootSettings
from secboot.system.root import Root
from secboot.zipl.version import BlsOrder, ZiplVersion
from tests.trees import MACHINE_ID, add_images, make_sample_tree

CONF = "[defaultboot]\ndefaultauto\ntarget=/boot\n"
releases = st.builds(
    "{}.{}.{}-{}{}".format,
    st.integers(0, 6),
    st.integers(0, 20),
    st.integers(0, 99),
    st.integers(0, 600),
    st.sampled_from(["", ".el9.s390x", ".22.1.el8_10.s390x", ".fc41.s390x", "~rc1", "^git1"]),
)
versions = releases | st.sampled_from([f"0-rescue-{MACHINE_ID}", "0", "00", "1", "rescue"])
prefixes = st.sampled_from([MACHINE_ID, "a1b2c3", "0123456789abcdef", "ostree", "Z", "0", "~x"])
entries = st.lists(
    st.tuples(prefixes, versions, st.booleans()),
    min_size=1,
    max_size=6,
    unique_by=lambda each: each[:2],
)


@pytest.mark.parametrize("order", BlsOrder)
@given(found=entries)
def test_it_comes_last(order: BlsOrder, found: list[tuple[str, str, bool]]) -> None:
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place)
        (tree / "boot/loader/entries").mkdir(parents=True)
        (tree / "etc").mkdir()
        (tree / "etc/zipl.conf").write_text(CONF)
        for number, (prefix, version, has_version) in enumerate(found):
            text = f"title {number}\n" + (f"version {version}\n" if has_version else "")
            text += "linux /boot/vmlinuz\noptions root=/dev/dasda1\n"
            (tree / f"boot/loader/entries/{prefix}-{version}.conf").write_text(text)
        add_images(tree)
        with Root(tree) as root:
            layout = detect_layout(root, "bls")
            layout.sources = layout.sources._replace(order=order)
            machine = discover(root, layout.sources)
            profile = read_profile("host", root)
            base = make_plan(profile, machine, layout, with_zipl=False)

            plan = plan_trial(base, profile, machine, layout, None, with_zipl=False)

            assert plan.trial is not None
            assert plan.trial.number == len(found) + 1
            (change,) = plan.files
            (tree / change.path.lstrip("/")).write_bytes(change.after or b"")
            before = machine.configuration
            after = discover(root, layout.sources).configuration
    numbers = [(e.entry.name, e.position, e.is_default) for e in after.to_install]
    assert numbers[:-1] == [(e.entry.name, e.position, e.is_default) for e in before.to_install]
    assert numbers[-1] == (plan.trial.entry, plan.trial.number, False)
    assert after.to_install[-1].entry.parmline == "root=/dev/dasda1 prot_virt=1"


@pytest.mark.parametrize(
    ("release", "kind", "level", "warned"),
    [
        ((2, 39), "ccw", Level.LPAR, True),
        ((2, 39), "ccw", Level.ZVM, True),
        ((2, 39), "ccw", Level.KVM, False),
        ((2, 40), "ccw", Level.LPAR, False),
        ((2, 39), "fcp", Level.LPAR, False),
    ],
)
def test_a_loader_that_may_ignore_loadparm_is_reported(
    release: tuple[int, int], kind: str, level: Level, warned: bool, tmp_path: Path
) -> None:
    with Root(make_sample_tree("rhel8", tmp_path / "root")) as root:
        machine = discover(root)._replace(
            zipl_version=ZiplVersion(*release), zipl_version_is_assumed=False
        )
    settings = RebootSettings(IplSource(kind, "0.0.0120", "", None), level)

    found = [each.code for each in about_loader(machine, settings)]

    assert found == ["trial-loader"] * warned
