"""After an apply, zipl still accepts the tree, and shows each entry as planned.

zipl's dry run lists what it would install; an entry outside the menu is requested by name, as an
administrator would do (``zipl SECTION``).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from secboot.apply.apply import apply_plan
from secboot.apply.change import ManagedRoot
from secboot.checkpoint.state_directory import StateDirectory
from secboot.errors import SecbootError
from secboot.formats.kernel_cmdline import CommandLine
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import discover
from secboot.machine.profile_files import read_profile
from secboot.plan.plan import EntryPlan, EntryStatus, Plan
from secboot.plan.planner import make_plan
from secboot.profile.profile import Profile
from secboot.system.root import Root
from tests.s390x import tally
from tests.s390x.oracle import without_devices
from tests.s390x.real_zipl import Cell
from tests.s390x.zipl_output import Verdict

PROFILES = ("host", "guest", "guest-large", "host-off", "guest-off")

_SELECTED = frozenset({EntryStatus.CHANGE, EntryStatus.UNCHANGED})


@dataclass(frozen=True, slots=True)
class Applied:
    """One apply: the profile, the executed plan, and zipl's output after it."""

    profile: Profile
    plan: Plan
    after: Verdict


def apply_in(cell: Cell, name: str) -> Applied | None:
    """Apply a shipped profile to the case in the cell; None if secboot refuses."""
    with Root(cell.directory) as root:
        profile = read_profile(name, root)
        layout = detect_layout(root)
        try:
            plan = apply_plan(
                ManagedRoot(
                    root, StateDirectory(root), None, layout, None, ("secboot",), lambda _: None
                ),
                lambda machine: make_plan(profile, machine, layout, with_zipl=False),
            ).plan
        except SecbootError:
            return None
    return Applied(profile, plan, verdict_on(cell))


def check_applied(cell: Cell, applied: Applied) -> int:
    """Fail if zipl's output differs from the plan; return how many entries it showed."""
    assert applied.after.accepted, applied.after.output
    # Files of another program, such as ostree's entries, stay unchanged until it runs.
    others = {e.name for e in applied.plan.entries if e.status is EntryStatus.GENERATED}
    shown = {name: line for name, line in lines_shown(cell, applied).items() if name not in others}
    expected = {
        entry.name: entry.line_after for entry in applied.plan.entries if entry.name in shown
    }
    if shown != expected:
        tally.disagreed()
    assert shown == expected, f"{shown}\n{expected}"
    for entry in applied.plan.entries:
        if entry.name in shown and entry.status in _SELECTED:
            require_met(applied.profile, shown[entry.name] or "")
    tally.applied(cell.version, len(shown))
    return len(shown)


def lines_shown(cell: Cell, applied: Applied) -> Mapping[str, str | None]:
    """The parameter line of every entry that zipl shows, by name, one by one if necessary."""
    entries = applied.after.parmlines()
    if not entries:
        # A configuration for another disk: zipl does not reach its entries here.
        return entries
    for plan in applied.plan.entries:
        if plan.status is EntryStatus.CHANGE and plan.name not in entries:
            single = cell.dry_run(plan.name)
            entries |= single.parmlines()
            assert plan.name in entries or _is_unusable(cell, plan), single.output
    return entries


def require_met(profile: Profile, line: str) -> None:
    """Fail unless the line, as the kernel reads it, meets the profile."""
    parsed = CommandLine.parse(line)
    for requirement in profile.requirements:
        judgement = requirement.judge(parsed)
        assert judgement.met, f"{requirement.describe()}: {judgement.reason}: {line!r}"


def _is_unusable(cell: Cell, plan: EntryPlan) -> bool:
    """Whether zipl can't install this entry for a reason unrelated to its parameters.

    zipl does not check an entry that is not installed: its image may be missing, for example.
    """
    with Root(cell.directory) as root:
        machine = discover(root)
    entry = next(each for each in machine.configuration.entries if each.name == plan.name)
    named = [file.path for file in (entry.image, entry.ramdisk) if file is not None]
    missing = any(not (cell.directory / path.lstrip("/")).is_file() for path in named)
    return missing or entry.target is None


def verdict_on(cell: Cell) -> Verdict:
    """zipl's verdict on the case, with this machine's disk, or else independent of the disk."""
    verdict = cell.dry_run()
    return verdict if verdict.accepted else without_devices(cell, verdict)
