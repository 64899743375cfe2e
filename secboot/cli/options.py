"""The options that several verbs share, with one meaning and one help text each."""

from __future__ import annotations

import os
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, get_args

import typer

from secboot.cli.global_options import COMPLETION
from secboot.errors import SecbootError

if TYPE_CHECKING:
    from collections.abc import Callable

Format = Literal["text", "json"]
"""The form of a report: for people or for programs."""
LastStage = Literal["configured", "inherited", "installed", "running", "effective"]
"""The last stage that a machine must have reached."""
HERE = Path("/")
TIMEOUT = 300
"""Seconds."""


def completed_by(candidates: str) -> Callable[[typer.Context, str], list[tuple[str, str]]] | None:
    """Return the function that completes an option's values: one of `secboot.cli.candidates`.

    None, at no cost, unless a shell asks for completions.
    """
    if COMPLETION not in os.environ:
        return None

    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        from secboot.cli import candidates as offered

        try:
            found: list[tuple[str, str]] = getattr(offered, candidates)(ctx, incomplete)
        except (SecbootError, OSError, ValueError):
            # There is nobody to tell; the command itself will report it.
            return []
        return found

    return complete


class FixedValues(TypedDict):
    """The arguments to Typer for a parameter with fixed values."""

    parser: Callable[[str], str]
    metavar: str
    autocompletion: Callable[[str], list[str]] | None


def one_of(*allowed: str, metavar: str | None = None) -> FixedValues:
    """Return the arguments for a parameter that must be one of these strings.

    Typer supports ``Literal`` only from 0.19 on, and its versions list the values differently.
    """

    def parsed(word: str) -> str:
        if word not in allowed:
            listed = ", ".join(f"'{each}'" for each in allowed)
            raise typer.BadParameter(f"'{word}' is not one of {listed}.")
        return word

    def offered(incomplete: str) -> list[str]:
        return [each for each in allowed if each.startswith(incomplete)]

    return {
        "parser": parsed,
        "metavar": f"<{'|'.join(allowed)}>" if metavar is None else metavar,
        "autocompletion": offered if COMPLETION in os.environ else None,
    }


def number(kind: type[int | float], least: float, most: float, unit: str) -> Callable[[str], float]:
    """Return what reads the number of an option. Typer's versions word their errors differently."""
    named = "whole number" if kind is int else "number"

    def parsed(word: str) -> float:
        try:
            value = kind(word)
        except ValueError:
            raise typer.BadParameter(f"'{word}' is not a {named} of {unit}.") from None
        if not least <= value <= most:
            span = f"{least:g} to {most:g}" if most < inf else f"{least:g} or more"
            raise typer.BadParameter(f"must be {span} {unit}.")
        return value

    return parsed


Profile = Annotated[
    str,
    typer.Argument(
        autocompletion=completed_by("profiles"),
        metavar="PROFILE",
        help="Profile name (see `secboot profile list`) or path of a profile.",
        show_default=False,
    ),
]
Root = Annotated[
    Path,
    typer.Option(
        "--root",
        autocompletion=completed_by("directories"),
        metavar="DIR",
        help="Root directory of the system: / or the tree of an image.",
    ),
]
Output = Annotated[
    Format,
    typer.Option(
        "--output", "-o", **one_of(*get_args(Format)), help="text for people, json for programs."
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Show the plan and change nothing.")]
Diff = Annotated[
    bool | None,
    typer.Option(
        "--diff/--no-diff",
        help="Show a unified diff of each file; by default only if output is not to a terminal.",
        show_default=False,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state-dir",
        autocompletion=completed_by("directories"),
        metavar="DIR",
        help="Directory for checkpoints; by default /var/lib/secboot inside the root.",
        show_default=False,
    ),
]
Zipl = Annotated[
    bool | None,
    typer.Option(
        "--zipl/--no-zipl",
        help="Run zipl to write the boot record, or leave that for later. By default zipl runs if"
        " the root is /, except in an image build, where there is neither zipl nor a boot record.",
        show_default=False,
    ),
]
ZiplTimeout = Annotated[
    float,
    typer.Option(
        "--zipl-timeout",
        metavar="SECONDS",
        parser=number(float, 1, inf, "seconds"),
        help=f"Kill zipl if one run takes longer; by default {TIMEOUT:g} seconds.",
        show_default=False,
    ),
]
Layout = Annotated[
    str | None,
    typer.Option(
        "--layout",
        autocompletion=completed_by("layouts"),
        metavar="NAME",
        help="Boot configuration scheme, if secboot cannot detect it: ostree, suse, bls, rhel7,"
        " debian, alpine or zipl.conf.",
        show_default=False,
    ),
]
Parmfile = Annotated[
    Path | None,
    typer.Option(
        "--parmfile",
        autocompletion=completed_by("files"),
        metavar="FILE",
        help="Write the parmfile to rebuild a guest's Secure Execution image; an existing FILE is"
        " updated.",
        show_default=False,
    ),
]
AllowUnsealed = Annotated[
    bool,
    typer.Option(
        "--allow-unsealed",
        help="Run zipl even if that makes a plain kernel image the default of a guest that should"
        " run in Secure Execution.",
    ),
]
Trial = Annotated[
    bool,
    typer.Option(
        "--trial",
        help="Try the change in a boot entry of its own, which the next reboot starts; the default"
        " entry stays as it is. Then `secboot confirm` makes it permanent, or `secboot rollback`"
        " drops it.",
    ),
]
RunKargs = Annotated[
    bool,
    typer.Option(
        "--run-kargs",
        help="On an ostree system, run the command of the plan (rpm-ostree or bootc).",
    ),
]
Ask = Annotated[
    bool,
    typer.Option(
        "--ask/--yes",
        " /-y",
        help="Show the plan and ask before changing anything; --yes, the default, does not ask.",
        show_default=False,
    ),
]
Strict = Annotated[bool, typer.Option("--strict", help="Treat warnings as failures (exit 5).")]
