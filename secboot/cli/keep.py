"""``secboot keep``, for the programs that install kernels."""

from __future__ import annotations

from secboot.cli import options


def keep(
    root: options.Root = options.HERE,
    zipl: options.Zipl = False,
    state_dir: options.StateDir = None,
    zipl_timeout: options.ZiplTimeout = options.TIMEOUT,
    layout: options.Layout = None,
    allow_unsealed: options.AllowUnsealed = False,
) -> int:
    """Bring new boot entries to the profile in force.

    That is the one named in /etc/secboot/profile, or else the one that was applied last. The
    hooks for kernel-install and for Debian's kernels call this before they run zipl; where there
    is no profile in force, nothing is done.
    """
    from secboot.apply.apply import active_profile, apply_plan
    from secboot.cli.plan import planner
    from secboot.cli.printing import print_text, reporting, require_output, style
    from secboot.cli.site import Site
    from secboot.report.outcome import apply_text, done_text

    with Site(
        root, layout=layout, state_dir=state_dir, zipl=zipl, zipl_timeout=zipl_timeout
    ) as site:
        require_output()
        managed = site.managed_root()
        profile = active_profile(site.root, site.state)
        result = (
            None
            if profile is None
            else apply_plan(managed, planner(site, profile, allow_unsealed=allow_unsealed))
        )
    if profile is None or result is None:
        print_text("No profile is in force: nothing was applied here.\n")
    else:
        invocation = site.invocation._replace(profile=profile.name)
        with reporting(done_text(result), invocation.command("history")):
            print_text(f"Profile in force: {profile.name}.\n")
            print_text(apply_text(result, invocation, style()))
    return 0
