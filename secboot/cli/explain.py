"""``secboot explain``: what a finding, a check of ``verify`` or an exit code means."""

from __future__ import annotations

from typing import Annotated

import typer

from secboot.cli import options

_COLUMNS = 80
"""Where there is no terminal."""


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="The code of a finding (zipl.bls-same-version), a check of `verify`"
            " (installed.swiotlb, machine.unsealed-default), or an exit code (3);"
            " without any, all are listed.",
            show_default=False,
            autocompletion=options.completed_by("findings"),
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List all codes with one line each.")
    ] = False,
    output: options.Output = "text",
) -> int:
    """Explain what a finding means, why it matters, and what to do about it."""
    from secboot.cli.printing import columns, print_report
    from secboot.errors import UsageError
    from secboot.report.explain import (
        explain_document,
        explain_text,
        explained,
        groups,
        list_text,
    )

    if codes and listed:
        raise UsageError("--list takes no code", hint="secboot explain --list")
    if codes:
        found = explained(codes)
        print_report(
            output,
            lambda: explain_document(found),
            lambda style: explain_text(found, columns() or _COLUMNS, style),
        )
    else:
        every = [each for group in groups() for each in group.explanations]
        print_report(
            output, lambda: explain_document(every), lambda style: list_text(columns(), style)
        )
    return 0
