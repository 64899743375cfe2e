"""Properties of plan, apply and rollback on any tree that can be read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.apply.rollback import roll_back
from secboot.checkpoint.state_directory import StateDirectory
from secboot.demo import kernel_stub
from secboot.errors import SecbootError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import EntryStatus, Plan
from secboot.plan.planner import make_plan
from secboot.profile.profile import Profile
from secboot.report.saved_plan import read_saved_plan, saved_plan_document
from secboot.system.root import Root
from tests.strategies import Setup, setups
from tests.trees import snapshot

PROFILES = ("host", "guest", "guest-large", "guest-secure", "host-off", "guest-off")
STUB = kernel_stub(4096)

examples = settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])


@contextmanager
def machine(setup: Setup) -> Iterator[Root]:
    """A tree with this configuration, a kernel, a ramdisk, and a parmfile."""
    with TemporaryDirectory() as directory:
        path = Path(directory)
        entries = path / "boot/loader/entries"
        entries.mkdir(parents=True)
        (path / "boot/zipl").mkdir()
        (path / "etc").mkdir()
        write(path / "etc/zipl.conf", setup.conf)
        for name, text in setup.bls.items():
            write(entries / name, text)
        for name in ("vmlinuz", "vmlinuz.old", "initrd.img"):
            (path / "boot" / name).write_bytes(STUB)
        (path / "boot/parmfile").write_bytes(b"root=/dev/dasda1\nro\n")
        with Root(path) as root:
            yield root


def write(path: Path, text: str) -> None:
    path.write_bytes(text.encode("utf-8", "surrogateescape"))


def plan_or_none(root: Root, profile: Profile) -> Plan | None:
    """The plan, or None if a SecbootError says why there is none; other errors are bugs."""
    try:
        return make_plan(profile, discover(root), detect_layout(root), with_zipl=False)
    except SecbootError:
        return None


def target(root: Root) -> ManagedRoot:
    return ManagedRoot(
        root, StateDirectory(root), None, detect_layout(root), None, ("secboot",), lambda _: None
    )


@given(setup=setups(), name=st.sampled_from(PROFILES))
@examples
def test_after_apply_the_plan_is_empty_and_rollback_restores_every_byte(
    setup: Setup, name: str
) -> None:
    with machine(setup) as root:
        profile = read_profile(name, root)
        plan = plan_or_none(root, profile)
        if plan is None:
            return
        path = Path(root.base)
        before = snapshot(path)

        apply_plan(
            target(root),
            lambda found: make_plan(profile, found, detect_layout(root), with_zipl=False),
        )

        after = snapshot(path)
        assert {f"/{p}" for p in after if after[p] != before[p]} == {
            change.real_path for change in plan.files
        }
        again = make_plan(profile, discover(root), detect_layout(root), with_zipl=False)
        assert again.files == ()
        require_met(profile, again)
        if plan.files:
            roll_back(target(root), None)
        assert snapshot(path) == before


def require_met(profile: Profile, plan: Plan) -> None:
    for entry in plan.entries:
        if entry.status is EntryStatus.UNCHANGED:
            line = CommandLine.parse(entry.line_after or "")
            assert all(requirement.judge(line).met for requirement in profile.requirements)


@given(setup=setups(), name=st.sampled_from(PROFILES))
@examples
def test_a_saved_plan_is_the_plan_that_is_made_again(setup: Setup, name: str) -> None:
    with machine(setup) as root:
        profile = read_profile(name, root)
        plan = plan_or_none(root, profile)
        if plan is None:
            return
        text = json.dumps(saved_plan_document(name, profile, plan)).encode()

        saved = read_saved_plan(text, "x.plan")

        again = plan_or_none(root, profile)
        assert again is not None
        saved.require_same(again, "")
        saved.require_same_profile(profile, "")


def _without_swiotlb(line: bytes) -> tuple[str, ...]:
    """Return the words of a line without those that are planned."""
    return tuple(re.sub(rb"\bswiotlb=[^ \"']*|[\"'=]", b" ", line).decode("latin-1").split())


@given(setup=setups())
@examples
def test_planning_does_not_touch_what_it_does_not_name(setup: Setup) -> None:
    with machine(setup) as root:
        plan = plan_or_none(root, read_profile("guest", root))
        if plan is None:
            return
        for change in plan.files:
            assert change.before is not None
            assert change.after is not None
            old, new = change.before.split(b"\n"), change.after.split(b"\n")
            # An entry that has no such line gets one.
            left = {("options",), ("parameters",)} | {_without_swiotlb(line) for line in old}
            assert all(_without_swiotlb(line) in left for line in new)
