"""``secboot show``: every boot entry with its parameter line."""

from __future__ import annotations

from secboot.cli import options


def show(
    root: options.Root = options.HERE,
    output: options.Output = "text",
    state_dir: options.StateDir = None,
    layout: options.Layout = None,
) -> int:
    """Show every boot entry with its parameter line."""
    from secboot.cli.printing import print_report
    from secboot.cli.site import Site
    from secboot.ipl.boot_record import compare
    from secboot.report.show import show_document, show_text

    watched = output == "text"
    with Site(root, layout=layout, state_dir=state_dir, watched=watched) as site:
        machine = site.machine()
        left = site.unfinished_change()
        settings = site.reboot_settings()
    record = compare(machine)
    reboot = None
    if settings is not None:
        from secboot.ipl.reboot import at_reboot, startables

        reboot = at_reboot(settings, tuple(startables(machine, record)))
    print_report(
        output,
        lambda: show_document(machine, site.layout, record, reboot, left),
        lambda style: show_text(machine, site.layout, record, reboot, site.invocation, left, style),
    )
    return 0
