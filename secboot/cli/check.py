"""``secboot check``: what zipl would say to the boot files."""

from __future__ import annotations

from secboot.cli import options


def check(
    root: options.Root = options.HERE,
    output: options.Output = "text",
    strict: options.Strict = False,
    layout: options.Layout = None,
) -> int:
    """Check the boot files against zipl's own rules.

    Exits with 5 when zipl would refuse them.
    """
    from secboot.cli.printing import print_report
    from secboot.cli.site import Site
    from secboot.errors import ExitCode, RefusedError
    from secboot.report.check import check_document, check_text

    with Site(root, layout=layout, watched=output == "text") as site:
        machine = site.machine()
        if machine.lacks_conf or not machine.configured:
            raise RefusedError(
                f"there is no zipl configuration in {machine.root} yet",
                hint=None if machine.awaits_kernel else site.invocation.command("init"),
            )
        invocation = site.invocation
    print_report(
        output,
        lambda: check_document(machine, invocation),
        lambda style: check_text(machine, invocation, style),
    )
    found = machine.configuration.problems or (strict and machine.configuration.warnings)
    return ExitCode.DIFFERENCE if found else ExitCode.OK
