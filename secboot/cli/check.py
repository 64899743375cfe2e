"""``secboot check``: what zipl would say to the boot files."""

from __future__ import annotations

from secboot.cli import options


def check(
    root: options.Root = options.HERE,
    output: options.Output = options.Format.TEXT,
    strict: options.Strict = False,
    layout: options.Layout = None,
) -> int:
    """Check the boot files against zipl's own rules.

    Exits with 5 when zipl would refuse them.
    """
    from secboot.cli.printing import print_json, print_text, style
    from secboot.cli.site import Site
    from secboot.errors import ExitCode
    from secboot.report.check import check_document, check_text

    text = output is options.Format.TEXT
    with Site(root, layout=layout, watched=text) as site:
        machine = site.machine()
    if text:
        print_text(check_text(machine, style()))
    else:
        print_json(check_document(machine))
    found = machine.configuration.problems or (strict and machine.configuration.warnings)
    return ExitCode.DIFFERENCE if found else ExitCode.OK
