"""``secboot explain``: explain a finding, a check of ``verify`` or an exit code."""

from __future__ import annotations

from typing import Annotated

import typer

from secboot.cli import options

_COLUMNS = 80
"""The width without a terminal."""


def explain(
    codes: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[CODE]...",
            help="Code of a finding (zipl.bls-same-version), check of `verify`"
            " (installed.swiotlb, machine.unsealed-default) or exit code (3);"
            " without one, all are listed.",
            show_default=False,
            autocompletion=options.completed_by("findings"),
        ),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="List all codes, each with its meaning.")
    ] = False,
    output: options.Output = "text",
) -> int:
    """Explain a finding: what it means and what to do.

    Also explains why it matters, and the checks of `verify` and the exit codes.
    """
    from secboot.cli.printing import print_report
    from secboot.errors import UsageError
    from secboot.report.explain import (
        explain_document,
        explain_text,
        explained,
        groups,
        list_text,
    )

    if codes and listed:
        raise UsageError("--list does not accept a code", hint="secboot explain --list")
    if codes:
        found = explained(codes)
        print_report(
            output,
            lambda: explain_document(found),
            lambda style: explain_text(found, style.width or _COLUMNS, style),
        )
    else:
        every = [each for group in groups() for each in group.explanations]
        print_report(
            output, lambda: explain_document(every), lambda style: list_text(style.width, style)
        )
    return 0
