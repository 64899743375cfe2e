"""``secboot check-domain``: check whether a guest's libvirt domain is fit for Secure Execution."""

from __future__ import annotations

from typing import Annotated

import typer

from secboot.cli import options
from secboot.cli.looking import only_looks

_STANDARD_INPUT = "-"


def check_domain(
    file: Annotated[
        str,
        typer.Argument(
            metavar="FILE",
            autocompletion=options.completed_by("domains"),
            help="Domain XML of a guest; - reads standard input, as in"
            " `virsh dumpxml GUEST | secboot check-domain -`.",
            show_default=False,
        ),
    ],
    output: options.Output = "text",
) -> int:
    """Check a guest's libvirt domain for IBM Secure Execution.

    Exits with 5 if something in the domain keeps the guest out of Secure Execution mode, or may do
    so; with 2 if the file is not the domain of a KVM guest on s390x.
    """
    from secboot.cli.printing import print_report
    from secboot.domain.secure_guest import judge_domain
    from secboot.errors import ExitCode
    from secboot.finding import Severity
    from secboot.formats.domain_xml import parse_domain
    from secboot.report.check_domain import domain_document, domain_text

    only_looks()
    name = "<stdin>" if file == _STANDARD_INPUT else file
    domain = parse_domain(_content(file), name)
    found = judge_domain(domain)
    print_report(
        output,
        lambda: domain_document(name, domain, found),
        lambda style: domain_text(domain, found, style),
    )
    wrong = any(each.severity is not Severity.NOTE for each in found)
    return ExitCode.DIFFERENCE if wrong else ExitCode.OK


def _content(file: str) -> bytes:
    """Return the content of a file or of standard input, up to one byte more than a domain can have."""
    import sys
    from pathlib import Path

    from secboot.errors import Location, ParseError
    from secboot.formats.domain_xml import LARGEST

    if file == _STANDARD_INPUT:
        return sys.stdin.buffer.read(LARGEST + 1)
    try:
        with Path(file).open("rb") as stream:
            return stream.read(LARGEST + 1)
    except OSError as error:
        why = error.strerror or str(error)
        raise ParseError(f"cannot read this file: {why}", location=Location(file)) from error
