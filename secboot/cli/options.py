"""The options that several verbs share, so that they mean and say the same everywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from secboot.cli.global_options import COMPLETION
from secboot.errors import SecbootError

if TYPE_CHECKING:
    from collections.abc import Callable

Format = Literal["text", "json"]
"""Whom a report is for: people or programs."""
LastStage = Literal["configured", "inherited", "installed", "running", "effective"]
"""Up to where a machine has to have got."""
HERE = Path("/")
TIMEOUT = 300.0
"""Seconds."""


def completed_by(candidates: str) -> Callable[[typer.Context, str], list[tuple[str, str]]] | None:
    """Return what offers a shell the values of an option: a function of `secboot.cli.candidates`.

    None, at no cost, where no shell asks.
    """
    if COMPLETION not in os.environ:
        return None

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        from secboot.cli import candidates as offered

        try:
            found: list[tuple[str, str]] = getattr(offered, candidates)(ctx, incomplete)
        except (SecbootError, OSError, ValueError):
            # There is nobody to tell; the command itself will.
            return []
        return found

    return complete


Profile = Annotated[
    str,
    typer.Argument(
        autocompletion=completed_by("profiles"),
        metavar="PROFILE",
        help="A profile's name (`secboot profile list` shows them) or the path of its file.",
        show_default=False,
    ),
]
Root = Annotated[
    Path,
    typer.Option(
        "--root",
        autocompletion=completed_by("directories"),
        metavar="DIR",
        help="The root of the machine to look at: / or the tree of an image.",
    ),
]
Output = Annotated[
    Format, typer.Option("--output", "-o", help="text for people, json for programs.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only show the plan; write nothing at all.")
]
Diff = Annotated[
    bool | None,
    typer.Option(
        "--diff/--no-diff",
        help="Show a diff of each file; by default only where the plan does not go to a terminal.",
        show_default=False,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        autocompletion=completed_by("directories"),
        metavar="DIR",
        help="Where checkpoints are kept; by default /var/lib/secboot inside the root.",
        show_default=False,
    ),
]
Zipl = Annotated[
    bool | None,
    typer.Option(
        "--zipl/--no-zipl",
        help="Run zipl to write the boot record, or leave it pending;"
        " by default it runs when the root is /, but not in the build of an image, where there is"
        " neither zipl nor a boot record.",
        show_default=False,
    ),
]
ZiplTimeout = Annotated[
    float,
    typer.Option(
        "--zipl-timeout", metavar="SECONDS", min=1, help="How long one run of zipl may take."
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        "--layout",
        autocompletion=completed_by("layouts"),
        metavar="NAME",
        help="How this system configures its boot, if secboot can't tell: ostree, suse, bls,"
        " rhel7, debian, alpine or zipl.conf.",
        show_default=False,
    ),
]
Parmfile = Annotated[
    Path | None,
    typer.Option(
        "--parmfile",
        autocompletion=completed_by("files"),
        metavar="FILE",
        help="Write the parmfile that rebuilds the Secure Execution image of a guest; a FILE that exists"
        " is brought to what the profile asks.",
        show_default=False,
    ),
]
AllowUnsealed = Annotated[
    bool,
    typer.Option(
        "--allow-unsealed",
        help="Run zipl even where it makes an ordinary kernel the default of a guest that is to be"
        " in Secure Execution.",
    ),
]
Trial = Annotated[
    bool,
    typer.Option(
        "--trial",
        help="Try it for one IPL: in a boot entry of its own, which the next reboot starts once."
        " `secboot confirm` makes it permanent after that, `secboot rollback` drops it.",
    ),
]
RunKargs = Annotated[
    bool,
    typer.Option(
        "--run-kargs",
        help="On an ostree system, run the command that the plan shows (rpm-ostree or bootc).",
    ),
]
Ask = Annotated[
    bool,
    typer.Option(
        "--ask/--yes",
        " /-y",
        help="Show the plan and ask on the terminal before anything is changed; by default, and"
        " with --yes, nothing is asked.",
        show_default=False,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Exit with 5 for warnings, too.")]
