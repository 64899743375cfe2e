"""``secboot show``: show every boot entry with its parameter line."""

from __future__ import annotations

from secboot.cli import options
from secboot.cli.looking import only_looks


def show(
    root: options.Root = options.HERE,
    output: options.Output = "text",
    state_dir: options.StateDir = None,
    layout: options.Layout = None,
) -> int:
    """Show every boot entry with its parameter line."""
    from secboot.cli.printing import print_report
    from secboot.cli.site import Site
    from secboot.report.show import show_document, show_text

    only_looks()
    watched = output == "text"
    with Site(root, layout=layout, state_dir=state_dir, watched=watched) as site:
        machine = site.machine(unconfigured=True)
        left = site.unfinished_change()
        trial = site.trial(machine)
        settings = site.reboot_settings(machine.bootmap.path)
    next_ipl = site.layout.next_ipl_of(machine)
    reboot = None
    if settings is not None:
        from secboot.ipl.reboot import at_reboot

        reboot = at_reboot(settings, next_ipl.choices)
    changes = (*filter(None, (left,)), *(() if trial is None else trial.findings))
    print_report(
        output,
        lambda: show_document(machine, site.layout, next_ipl, reboot, left, trial),
        lambda style: show_text(
            machine, site.layout, next_ipl, reboot, site.invocation, changes, style
        ),
    )
    return 0
