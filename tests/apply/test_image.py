"""The Secure Execution image that a profile names: parmfile, boot entry, and rollback."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.rollback import roll_back
from secboot.apply.rollback_planner import plan_rollback
from secboot.apply.zipl import Zipl
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import SecbootError
from secboot.ipl.boot_record import compare
from secboot.ipl.next_ipl import next_ipl
from secboot.ipl.secure_execution import leaves_by_files
from secboot.layout.detect import detect_layout
from secboot.layout.layout import Layout
from secboot.machine.discovery import Machine, discover
from secboot.plan.plan import EntryStatus, Plan
from secboot.plan.planner import make_plan
from secboot.profile.load import parse_profile
from secboot.profile.profile import Profile, ProfileText
from secboot.report.rollback_plan import rollback_plan_text
from secboot.report.style import PLAIN
from secboot.system.root import Root
from tests.apply.zipl_script import make_zipl
from tests.checkpoint.scenes import CHECKPOINT, write_record
from tests.cli.test_properties import examples, machine
from tests.command import secboot
from tests.profile.profile_files import IMAGE_PROFILE, MemoryFiles
from tests.secure_images import build_image
from tests.situations import make_situation
from tests.strategies import Setup, setups
from tests.trees import (
    SAMPLE_TREES,
    hide_boot_record,
    make_sample_tree,
    plain_kernel,
    snapshot,
)

PARMFILE = "etc/secboot/guest.parm"
ENTRIES = "boot/loader/entries"
NOTHING = "parameters: {nothing-that-is-there: {absent: true}}"
PARMFILES = (None, "", "root=/dev/vda1 ro\n", "root=/dev/vda1\nswiotlb=262144", "swiotlb=262144\n")


def profile_of(text: str = IMAGE_PROFILE) -> Profile:
    return parse_profile(ProfileText("site", "site.yaml", text), MemoryFiles())


class Guest:
    """A tree to which a profile with an image is applied."""

    def __init__(self, root: Root, profile: Profile, *, allow_unsealed: bool = False) -> None:
        self.root, self.profile, self.tree = root, profile, Path(root.base)
        self.layout: Layout = detect_layout(root)
        self.layout.about(profile.image)
        self._allow = allow_unsealed

    def machine(self) -> Machine:
        return discover(self.root, self.layout.sources)

    def plan(self, machine: Machine | None = None) -> Plan:
        return make_plan(
            self.profile,
            machine or self.machine(),
            self.layout,
            with_zipl=False,
            allow_unsealed=self._allow,
        )

    def managed(self, zipl: Zipl | None = None) -> ManagedRoot:
        state = StateDirectory(self.root)
        return ManagedRoot(self.root, state, zipl, self.layout, None, ("secboot",), lambda _: None)

    def apply(self, zipl: Zipl | None = None) -> Plan:
        return apply_plan(self.managed(zipl), self.plan).plan

    def build(self) -> None:
        """Build the image as genprotimg would, from the files of the machine."""
        parameters = (self.tree / PARMFILE).read_bytes()
        image = build_image(plain_kernel(0x20000, 4096), b"ramdisk", parameters)
        (self.tree / "boot").mkdir(exist_ok=True)
        (self.tree / "boot/secure-linux").write_bytes(image)

    def files(self) -> dict[str, object]:
        """Return everything but the checkpoints and new directories."""
        found = snapshot(self.tree)
        return {path: file for path, file in found.items() if not stat.S_ISDIR(file[0])}


@pytest.mark.parametrize("name", [*SAMPLE_TREES])
def test_the_flow(name: str, tmp_path: Path) -> None:
    make_sample_tree(name, tmp_path)
    with Root(tmp_path) as root:
        guest = Guest(root, profile_of())
        before = guest.files()

        first = guest.apply()

        assert "swiotlb=262144" in (tmp_path / PARMFILE).read_text()
        assert first.with_status(EntryStatus.ADD) == ()
        assert "secure-linux" in first.steps[-1].title
        assert f"-p {tmp_path}/{PARMFILE}" in "\n".join(first.steps[-1].lines)
        guest.build()
        built = guest.files()

        second = guest.apply()

        machine = guest.machine()
        if name == "library-zipl-conf":
            assert second.with_status(EntryStatus.ADD) == ()
            assert "is not meant to be edited" in second.stores[-1].note
            return
        (added,) = second.with_status(EntryStatus.ADD)
        default = machine.configuration.default
        assert default is not None
        assert (default.name, default.path) == (added.name, added.location.path)
        assert machine.is_prepared(default)
        assert default.parmline is None
        assert machine.configuration.problems == ()
        assert leaves_by_files(machine, next_ipl(machine, compare(machine))) is None
        third = guest.apply()
        assert third.files == ()
        assert third.steps == ()
        assert "image-outdated" not in {each.code for each in third.warnings}
        roll_back(guest.managed(), None)
        assert guest.files() == built
        (tmp_path / "boot/secure-linux").unlink()
        planned = rollback_plan_text(plan_rollback(guest.managed(), None), PLAIN, diffs=False)
        assert f"\nRemove /{PARMFILE}\n" in planned
        assert "1 file to remove" in planned
        roll_back(guest.managed(), None)
        assert guest.files() == before


def test_zipl_checks_the_new_entry_with_the_others(tmp_path: Path) -> None:
    make_sample_tree("rhel9", tmp_path / "root")
    seen = tmp_path / "seen"
    script = make_zipl(
        tmp_path / "bin",
        f"""while [ -n "$dry" ] && [ $# -gt 0 ]; do
            case $1 in --blsdir) ls "{tmp_path}/root$2" >>'{seen}';; --config) cat "{tmp_path}/root$2" >>'{seen}';; esac
            shift
        done""",
    )
    zipl = Zipl(script.runner, timeout=10)
    with Root(tmp_path / "root") as root:
        guest = Guest(root, profile_of())
        guest.apply(zipl)
        guest.build()
        seen.unlink()

        guest.apply(zipl)

        assert len(script.calls) == 4
        text = seen.read_text()
        assert "default=Secure Execution image secure-linux" in text
        names = sorted(path.name for path in (tmp_path / "root" / ENTRIES).iterdir())
        assert sorted(text.splitlines()[-3:]) == names
        roll_back(guest.managed(zipl), None)
        assert script.calls[-1] == ""


def test_a_parmfile_alone_needs_no_zipl(tmp_path: Path) -> None:
    make_sample_tree("alpine", tmp_path / "root")
    text = (tmp_path / "root/etc/zipl.conf").read_text()
    with Root(tmp_path / "root") as root:
        guest = Guest(root, profile_of(IMAGE_PROFILE.replace("extends: guest", NOTHING)))
        hide_boot_record(tmp_path / "root", None)
        script = make_zipl(tmp_path / "bin")
        zipl = Zipl(script.runner, timeout=10)

        plan = guest.apply(zipl)

        assert [change.path for change in plan.files] == [f"/{PARMFILE}"]
        assert plan.commands == ()
        assert script.calls == []
        roll_back(guest.managed(zipl), None)
        assert script.calls == []
        assert (tmp_path / "root/etc/zipl.conf").read_text() == text


def test_with_allow_unsealed_the_image_is_one_more_choice(tmp_path: Path) -> None:
    make_sample_tree("ubuntu-installer", tmp_path)
    with Root(tmp_path) as root:
        guest = Guest(root, profile_of(), allow_unsealed=True)
        guest.apply()
        guest.build()
        before = guest.machine().configuration

        guest.apply()

        after = guest.machine().configuration
        assert after.default is not None
        assert before.default is not None
        assert after.default.name == before.default.name
        entry = next(each for each in after.entries if each.name == "secure-linux")
        assert entry.menu_position == 3


@given(setup=setups(), built=st.booleans(), parmfile=st.sampled_from(PARMFILES))
@examples
def test_any_configuration(setup: Setup, built: bool, parmfile: str | None) -> None:
    with machine(setup) as root:
        guest = Guest(root, profile_of())
        if parmfile is not None:
            (guest.tree / "etc/secboot").mkdir()
            (guest.tree / PARMFILE).write_text(parmfile)
            os.utime(guest.tree / PARMFILE, (1, 1))
        if built:
            image = build_image(plain_kernel(0x20000, 4096), b"ramdisk", b"root=/dev/vda1")
            (guest.tree / "boot/secure-linux").write_bytes(image)
        try:
            plan = guest.plan()
        except SecbootError:
            return
        before, found = guest.files(), guest.machine().configuration

        guest.apply()

        after = guest.machine().configuration
        assert {each.code for each in after.problems} <= {each.code for each in found.problems}
        kept = {(e.path, e.name): e.parmline for e in after.entries}
        planned = {(e.location.path, e.name): e.line_after for e in plan.entries}
        assert planned.items() <= kept.items()
        if plan.with_status(EntryStatus.ADD):
            assert built
            assert "swiotlb" in (parmfile or "")
            assert after.default is not None
            assert guest.machine().is_prepared(after.default)
        again = guest.plan()
        assert again.files == ()
        if plan.files:
            roll_back(guest.managed(), None)
        assert guest.files() == before


def record_with(root: Path, **audit: object) -> None:
    """Write the record of checkpoint 1 again, with changes of its audit."""
    path = root / CHECKPOINT / "record.json"
    document = json.loads(path.read_bytes())
    document["audit"] |= audit
    (file,) = document["files"]
    file["path"] = file["named"] = str(audit["parmfile"])
    document["directories"] = []
    write_record(root, document)


@pytest.mark.parametrize("known", [False, True])
@pytest.mark.parametrize(
    "path",
    [
        "/etc/passwd",
        "/etc/secboot/profiles/x.yaml",
        "/etc/sudoers.d/x",
        "/root/.ssh/authorized_keys",
    ],
)
def test_a_record_can_t_make_another_file_a_parmfile(
    path: str, known: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A record does not decide about every file, nor against the profile of that name."""
    tree = make_sample_tree("alpine", tmp_path / "tree")
    directory = tree / "etc/secboot/profiles" if known else tmp_path
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "site.yaml").write_text(
        IMAGE_PROFILE.replace("extends: guest", "parameters: {a: 1}")
    )
    (tree / "etc/zipl.conf").write_text(
        (tree / "etc/zipl.conf").read_text().replace('parameters="', 'parameters="a=1 ')
    )
    reference = "site" if known else tmp_path / "site.yaml"
    assert secboot(capsys, "apply", reference, "--root", tree).code == 0
    target = tree / path.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes((tree / PARMFILE).read_bytes())
    record_with(tree, parmfile=path)

    said = secboot(capsys, "rollback", "--root", tree)

    assert said.code == 1, said
    assert "is not a boot file here" in said.err
    assert target.exists()


def test_a_profile_that_was_named_by_its_path_is_rolled_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = make_sample_tree("alpine", tmp_path / "tree")
    (tmp_path / "site.yaml").write_text(IMAGE_PROFILE)
    before = (tree / "etc/zipl.conf").read_bytes()
    applied = secboot(capsys, "apply", tmp_path / "site.yaml", "--root", tree)
    assert f"secboot apply {tmp_path}/site.yaml --root {tree}" in applied.out

    said = secboot(capsys, "rollback", "--root", tree)

    assert said.code == 0, said
    assert not (tree / PARMFILE).exists()
    assert (tree / "etc/zipl.conf").read_bytes() == before


def test_a_saved_plan_of_an_image(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tree = make_sample_tree("alpine", tmp_path / "tree")
    (tmp_path / "site.yaml").write_text(IMAGE_PROFILE)
    plan = tmp_path / "x.plan"
    made = secboot(capsys, "plan", tmp_path / "site.yaml", "--out", plan, "--root", tree)
    assert made.code == 0, made

    assert secboot(capsys, "apply", plan, "--root", tree).code == 0

    assert (tree / PARMFILE).read_text().endswith("swiotlb=262144\n")
    assert secboot(capsys, "apply", plan, "--root", tree).code == 1


def test_keep_makes_the_image_the_default_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A kernel update adds an entry that sorts before that of the image."""
    tree = make_situation("sealed-then-kernel-update", tmp_path / "tree")
    profiles = tree / "etc/secboot/profiles"
    profiles.mkdir(parents=True)
    (profiles / "site.yaml").write_text(IMAGE_PROFILE)
    (tree / "etc/secboot/profile").write_text("site\n")
    (tree / PARMFILE).write_text("root=/dev/mapper/luks swiotlb=262144\n")
    os.utime(tree / PARMFILE, (1, 1))

    said = secboot(capsys, "keep", "--root", tree)

    assert said.code == 0, said
    assert "default=Red Hat Enterprise Linux (secured)\n" in (tree / "etc/zipl.conf").read_text()
    assert "unsealed-default" not in secboot(capsys, "verify", "site", "--root", tree).out
    planned = secboot(capsys, "rollback", "--dry-run", "--root", tree)
    assert (
        "1:1: warning: after the rollback, the default is 'Red Hat Enterprise Linux (5"
        in planned.out
    )
    document = json.loads(secboot(capsys, "rollback", "--root", tree, "-o", "json").out)
    assert [each["code"] for each in document["plan"]["warnings"]] == ["unsealed-after-zipl"]


@pytest.mark.parametrize("known", [False, True])
def test_an_odd_name_of_a_parmfile_is_known_by_the_profile_s_name_alone(
    known: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tree = make_sample_tree("alpine", tmp_path / "tree")
    directory = tree / "etc/secboot/profiles" if known else tmp_path
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "site.yaml").write_text(IMAGE_PROFILE.replace("guest.parm", "words"))
    reference = "site" if known else tmp_path / "site.yaml"

    applied = secboot(capsys, "apply", reference, "--root", tree)

    assert applied.code == 0
    assert ("`rollback` will refuse to change" in applied.out) == (not known)
    assert secboot(capsys, "rollback", "--root", tree).code == int(not known)
