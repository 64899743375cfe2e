"""The verb ``keep``, for the programs that install kernels."""

from __future__ import annotations

import typer

from secboot.cli.options import (
    DEFAULT_ROOT,
    DEFAULT_TIMEOUT,
    LayoutOption,
    RootOption,
    StateOption,
    TimeoutOption,
    ZiplOption,
)


def keep(
    root: RootOption = DEFAULT_ROOT,
    zipl: ZiplOption = False,
    state_dir: StateOption = None,
    zipl_timeout: TimeoutOption = DEFAULT_TIMEOUT,
    layout: LayoutOption = None,
) -> int:
    """Bring new boot entries to the profile in force.

    That is the one named in /etc/secboot/profile, or else the one that was applied last. The
    hooks for kernel-install and for Debian's kernels call this before they run zipl; where there
    is no profile in force, nothing is done.
    """
    from secboot.apply.apply import apply_plan
    from secboot.apply.in_force import profile_in_force
    from secboot.cli.planning import planner, runs_zipl
    from secboot.cli.printing import print_text, style
    from secboot.cli.progress import progress_shown
    from secboot.cli.target import open_target
    from secboot.report.outcome import apply_text

    with (
        progress_shown(wanted=True) as display,
        open_target(root, zipl, state_dir, zipl_timeout, layout, display) as target,
    ):
        profile = profile_in_force(target.root, target.state)
        if profile is None:
            typer.echo("No profile is in force: nothing was applied here.")
            return 0
        make = planner(profile, target.layout, display, with_zipl=runs_zipl(root, zipl))
        result = apply_plan(target, make)
    moved = None if state_dir is None else str(state_dir)
    print_text(f"Profile in force: {profile.name}.\n")
    print_text(apply_text(result, str(root), moved, style()))
    return 0
