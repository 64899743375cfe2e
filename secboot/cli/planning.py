"""From what was typed to a machine and a plan."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from secboot.cli.past import read_checkpoints
from secboot.errors import Location, RefusedError
from secboot.layout.detect import detect_layout
from secboot.machine.discovery import Machine, discover
from secboot.machine.profile_files import read_profile
from secboot.plan.model import PlanWarning
from secboot.plan.planner import make_plan
from secboot.plan.sealed import ParmfileRequest
from secboot.progress import UNWATCHED, Phase
from secboot.system.file_errors import FileError
from secboot.system.root import Root
from secboot.visible import visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from secboot.layout.model import Layout
    from secboot.plan.model import Plan
    from secboot.profile.profile import Profile
    from secboot.progress import Progress


def is_running_system(root: Path) -> bool:
    """Tell whether the root is that of the system secboot runs on."""
    try:
        return root.samefile("/")
    except OSError:
        return False


def runs_zipl(root: Path, wanted: bool | None) -> bool:
    """Decide whether zipl runs: as asked, else when the root is the running system."""
    return is_running_system(root) if wanted is None else wanted


def environment_of(root: Path) -> Mapping[str, str] | None:
    """Return what of the environment counts for the root: a tree inherits nothing of its host."""
    if not is_running_system(root):
        return None
    named = os.environ.get("ZIPLCONF")
    return {} if named is None else {"ZIPLCONF": str(Path(named).absolute())}


def discover_machine(
    root: Path, layout_name: str | None = None, progress: Progress = UNWATCHED
) -> tuple[Machine, Layout]:
    """Read the boot configuration under the root."""
    with Root(root) as tree:
        layout = detect_layout(tree, layout_name)
        return discover(tree, layout.sources, environment_of(root), progress), layout


def machine_plan(
    reference: str,
    tree: Root,
    layout: Layout,
    root: Path,
    zipl: bool | None,
    saved: Plan | None,
    parmfile: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Callable[[Machine], Plan]:
    """Return what makes the plan for a machine: from the profile, or the plan that was saved."""
    if saved is not None:
        return lambda _: saved
    profile = read_profile(reference, tree)
    request = parmfile_request(parmfile)
    return planner(profile, layout, progress, with_zipl=runs_zipl(root, zipl), parmfile=request)


def planner(
    profile: Profile,
    layout: Layout,
    progress: Progress,
    *,
    with_zipl: bool,
    parmfile: ParmfileRequest | None = None,
) -> Callable[[Machine], Plan]:
    """Return what makes the plan for a machine, and tells that it does."""

    def plan(machine: Machine) -> Plan:
        progress.report(Phase.PLANNING)
        return make_plan(profile, machine, layout, with_zipl=with_zipl, parmfile=parmfile)

    return plan


def plan_for(
    reference: str,
    root: Path,
    zipl: bool | None,
    state_dir: Path | None = None,
    layout_name: str | None = None,
    parmfile: Path | None = None,
    progress: Progress = UNWATCHED,
) -> Plan:
    """Read the profile and the machine and make the plan."""
    with Root(root) as tree:
        layout = detect_layout(tree, layout_name)
        make = machine_plan(reference, tree, layout, root, zipl, None, parmfile, progress)
        plan = make(discover(tree, layout.sources, environment_of(root), progress))
    left = unfinished_change(root, state_dir)
    if left is None:
        return plan
    return plan._replace(warnings=(PlanWarning("unfinished-change", left), *plan.warnings))


def parmfile_request(path: Path | None) -> ParmfileRequest | None:
    """Return what is asked with --parmfile; the file may exist, and is read then."""
    if path is None:
        return None
    text = None
    try:
        if path.exists():
            text = path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise RefusedError(
            f"the parmfile can't be read: {error.strerror}", location=Location(visible(str(path)))
        ) from error
    return ParmfileRequest(str(path), text)


def unfinished_change(root: Path, state_dir: Path | None) -> str | None:
    """Return a sentence about a change that was cut short here, or None.

    The checkpoints are readable by root alone; for others there is nothing to say.
    """
    try:
        checkpoints = read_checkpoints(root, state_dir, None)
    except FileError:
        return None
    left = [checkpoint for checkpoint in checkpoints if not checkpoint.state.finished]
    if not left:
        return None
    return (
        f"the change of checkpoint {left[-1].id} is unfinished ({left[-1].state}): it is under way"
        " right now, or was cut short; the next apply or rollback ends it first"
    )
